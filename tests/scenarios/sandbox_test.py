"""What gets out of a sandbox, and what is left of one: nothing, at every level.

Root tries L4 and L1, a user made for the test L3 and L2. The root of each sandbox holds
busybox and sandbox_probe, a program that tries to get out in more than two hundred ways.
"""
import hashlib
import os
import pathlib
import pty
import pwd
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import time
import unittest

from support import LITHIFY, Scenario

TOOLS = pathlib.Path(LITHIFY).parent / "tests"
USER = "lithify-sandbox"


def address_of_host():
    """An address of this machine that is not loopback, or nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return probe.getsockname()[0]
        except OSError:
            return ""


def processes_with(word):
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if word.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                pass
    return found


def gone(word, seconds=5):
    """Waits until no process has the word among its own."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not processes_with(word):
            return True
        time.sleep(0.02)
    return False


def stat_of(process):
    """Its parent and its session; (0, 0) if it is gone."""
    try:
        fields = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0, 0
    return int(fields[1]), int(fields[3])


def launchers_of(process):
    """The sandboxes that it has at this moment: its children. It is stopped meanwhile."""
    os.kill(process, signal.SIGSTOP)
    return {int(entry.name) for entry in pathlib.Path("/proc").iterdir()
            if entry.name.isdigit() and stat_of(entry.name)[0] == process}


def all_end(launchers, seconds=5):
    """Waits until they are gone, and with them the sessions that they have begun."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        left = [name for name in processes_with("lithify-sandbox\0")
                if name in launchers or stat_of(name)[1] in launchers]
        if not left:
            return True
        time.sleep(0.02)
    return False


def mounts_with(word):
    """Every mount namespace that some process is in, looked at from inside."""
    found = set()
    for entry in pathlib.Path("/proc").iterdir():
        try:
            text = (entry / "mountinfo").read_text() if entry.name.isdigit() else ""
        except OSError:
            continue
        found.update(line for line in text.splitlines() if word in line)
    return found


class SandboxScenario(Scenario):
    """One level, by one user. Subclasses say which."""

    level = None
    user = None

    @classmethod
    def setUpClass(cls):
        if cls.level is None:
            raise unittest.SkipTest("what the levels share")
        if os.geteuid() != 0 and cls.user is None:
            raise unittest.SkipTest("needs root")
        if os.geteuid() == 0 and cls.user is not None:
            subprocess.run(["useradd", "-M", "-s", "/bin/sh", USER], check=False,
                           capture_output=True)
            cls.addClassCleanup(subprocess.run, ["userdel", USER], capture_output=True)

    def setUp(self):
        super().setUp()
        os.chmod(self.folder, 0o755)
        self.tool = self.folder / "sandbox_run"
        shutil.copy(TOOLS / "sandbox_run", self.tool)
        self.root = self.folder / "root"
        (self.root / "bin").mkdir(parents=True)
        shutil.copy("/bin/busybox", self.root / "bin/busybox")
        shutil.copy(TOOLS / "sandbox_probe", self.root / "bin/sandbox_probe")
        for applet in ("sh", "sleep", "true", "id", "setsid", "cat"):
            (self.root / "bin" / applet).symlink_to("busybox")
        found = self.tool_run("probe", self.level)
        if f"level {self.level}\n" not in found.stdout:
            self.skipTest(f"this machine has no {self.level} here: {found.stdout}")
        self.zero = int(re.search(r"uid (\d+)", found.stdout)[1])
        self.own(self.root)
        self.addCleanup(self.tool_run, "owner", "/bin/rm", "-rf", self.root)

    def own(self, top):
        if os.geteuid() == 0:
            for path in [top, *top.rglob("*")]:
                os.lchown(path, self.zero, self.zero)

    def identity(self):
        if self.user is None or os.geteuid() != 0:
            return {}
        entry = pwd.getpwnam(USER)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}

    def tool_run(self, *words):
        return subprocess.run([self.tool, *map(str, words)], text=True, cwd="/",
                              stdin=subprocess.DEVNULL, capture_output=True, check=False,
                              **self.identity())

    def words(self, *settings):
        return ["run", f"level={self.level}", f"root={self.root}", *settings, "--"]

    def start(self, script, *settings):
        return subprocess.Popen([self.tool, *self.words(*settings), "/bin/sh", "-c", script],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, cwd="/", **self.identity())

    def canaries(self):
        """What the host has: a file, a process, sockets, shared memory."""
        secret = pathlib.Path("/var/tmp") / f"lithify-canary-{os.getpid()}"
        secret.write_text("canary")
        self.addCleanup(secret.unlink)
        process = subprocess.Popen(["sleep", "600"], **self.identity())
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        server = socket.create_server(("", 0))
        self.addCleanup(server.close)
        name = f"lithify-canary-{os.getpid()}"
        abstract = socket.socket(socket.AF_UNIX)
        abstract.bind("\0" + name)
        abstract.listen()
        self.addCleanup(abstract.close)
        return [secret, process.pid, server.getsockname()[1], name, address_of_host(), 4711]

    def probe(self, *settings):
        found = self.tool_run(*self.words(*settings), "/bin/sandbox_probe", *self.canaries())
        attempts = [line for line in found.stdout.splitlines()
                    if line.startswith(("refused", "ESCAPED"))]
        self.assertGreaterEqual(len(attempts), 120, found.stdout + found.stderr)
        return [line for line in attempts if line.startswith("ESCAPED")], found

    # ---- escapes ---------------------------------------------------------------------

    def test_no_attempt_to_get_out_succeeds(self):
        escaped, found = self.probe()
        self.assertEqual(escaped, [])
        self.assertEqual(found.returncode, 0, found.stdout)

    def test_the_attempts_succeed_where_there_is_no_sandbox(self):
        """So that a probe which cannot fail is not taken for a sandbox that holds."""
        shutil.copy(TOOLS / "sandbox_probe", self.folder)
        script = self.folder / "sandbox_probe"
        found = subprocess.run([script, *map(str, self.canaries()), "only-harmless"], text=True,
                               capture_output=True, check=False, **self.identity())
        for name in ("the host's file by its path", "the host's file through dots",
                     "TCP to the host's loopback", "the host's abstract socket", "a key",
                     "a signal to the host's process", "unshare user", "/sys/kernel",
                     "no filter of system calls", "an interface beside loopback"):
            self.assertIn(f"ESCAPED   {name}\n", found.stdout)

    def test_no_attempt_of_an_ordinary_user_inside_succeeds(self):
        if self.level == "L2":
            self.skipTest("there is one user only")
        escaped, _ = self.probe("uid=1000", "gid=1000")
        self.assertEqual(escaped, [])

    def test_a_setuid_program_raises_nobody(self):
        if self.level == "L2":
            self.skipTest("there is one user only")
        raised = self.root / "bin/raised"
        shutil.copy(TOOLS / "sandbox_probe", raised)
        self.own(raised)
        raised.chmod(0o4755)
        found = self.tool_run(*self.words("uid=1000", "gid=1000"), "/bin/raised", "raised")
        self.assertEqual(found.stdout, "1000\n", found.stderr)

    def test_a_link_in_the_place_of_dev_is_not_followed(self):
        target = self.folder / "elsewhere"
        target.mkdir()
        for name in ("dev", "proc", "sys"):
            if (self.root / name).is_dir():
                continue
            if name != "dev" and self.level == "L1":
                continue
            (self.root / name).symlink_to(target)
            found = self.tool_run(*self.words(), "/bin/true")
            self.assertEqual(found.returncode, 120, found.stderr)
            self.assertIn(f"the root's own {name}: Not a directory", found.stderr)
            (self.root / name).unlink()
        self.assertEqual(list(target.iterdir()), [])

    # ---- others --------------------------------------------------------------------

    def made_by(self, runner):
        """What a script leaves in a fresh root, as far as a layer could hold it."""
        root = self.folder / runner
        shutil.copytree(self.root, root, symlinks=True)
        box = self.folder / f"{runner}-box"
        box.mkdir()
        for path in (root, box):
            self.addCleanup(self.tool_run, "owner", "/bin/rm", "-rf", path)
        if self.identity():
            shutil.chown(box, USER, USER)
        script = ("umask; id -u; id -g; pwd; cat /secret /in/given; env; "
                  "echo text > /made; cd /work && ln -s a b && busybox mkdir -m 1770 d && "
                  "busybox touch d/f && busybox ln d/f d/g && touch /in/x; rm -r /gone; "
                  "test -e /sys/class || echo no sysfs; busybox hostname; "
                  "echo x > /dev/full || echo full; busybox wc -c < /dev/null; "
                  "echo an error >&2")
        given = self.folder / f"{runner}-given"
        given.mkdir()
        (given / "given").write_text("given\n")
        for name in ("gone/x", "work/a"):
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_text(name)
        self.own(root)
        ran = self.tool_run("run", f"level={self.level}", f"root={root}", f"runner={runner}",
                            f"box={box}", "apart=yes", f"ro={given}:/in", "file=hidden:/secret",
                            "env=PATH=/bin", "env=HOME=/", "env=A=b", "tmpfs=/tmp", "cwd=/work", "--",
                            "/bin/busybox", "sh", "-c", script)
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)
        found = {}
        for path in sorted(root.rglob("*")):
            name = str(path.relative_to(root))
            if name.split("/")[0] in ("dev", "proc", "sys", "tmp", "in", "secret"):
                continue
            status = path.lstat()
            content = (os.readlink(path) if path.is_symlink() else
                       hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file()
                       else None)
            found[name] = (status.st_mode, status.st_uid, status.st_gid,
                           status.st_nlink if path.is_file() else 0, content)
        # Shells set these by themselves, and not all of them; and runc hands on the two
        # streams one by one.
        lines = sorted(line for line in ran.stdout.splitlines()
                 if not line.startswith(("PWD=", "OLDPWD=", "SHLVL=", "_=", "HOSTNAME=")))
        errors = [line for line in ran.stderr.splitlines() if line == "an error"]
        return lines, errors, found

    def test_others_make_the_same_of_a_script(self):
        runners = {"L4": ["runc"], "L2": ["bwrap"]}.get(self.level, [])
        runners = [one for one in runners if shutil.which(one)]
        if not runners:
            self.skipTest("nobody else has this level, or none is installed")
        ours = self.made_by("own")
        self.assertEqual(ours[1], ["an error"])
        self.assertNotIn("an error", ours[0])
        self.assertIn("made", ours[2])
        self.assertNotIn("gone", ours[2])
        self.assertIn("full", ours[0])
        for runner in runners:
            self.assertEqual(self.made_by(runner), ours, runner)

    # ---- a person in front of it -----------------------------------------------------

    def test_ctrl_c_at_a_terminal_is_the_programs(self):
        """The shell inside lives on, as it does anywhere else."""
        child, terminal = pty.fork()
        if child == 0:
            identity = self.identity()
            if identity:
                os.setgroups([])
                os.setresgid(*[identity["group"]] * 3)
                os.setresuid(*[identity["user"]] * 3)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            os.execv(self.tool, [str(self.tool), *self.words("terminal="), "/bin/sh", "-i"])
        self.addCleanup(os.close, terminal)

        def expect(text):
            seen = b""
            while text not in seen:
                ready, _, _ = select.select([terminal], [], [], 10)
                self.assertTrue(ready, seen)
                seen += os.read(terminal, 4096)

        expect(b"# ")
        os.write(terminal, b"sleep 500\n")
        expect(b"sleep 500")
        time.sleep(0.3)
        os.write(terminal, b"\x03")
        expect(b"# ")
        os.write(terminal, b"echo st''ill here; exit 7\n")
        expect(b"still here")
        _, status = os.waitpid(child, 0)
        self.assertEqual(os.waitstatus_to_exitcode(status), 7)

    # ---- nothing is left -------------------------------------------------------------

    script = ("for i in 1 2 3; do sleep {0} & done; (setsid sleep {0} &) ; echo up; "
              "sleep {0}")

    def test_kill_9_of_the_parent_leaves_nothing(self):
        word = f"4{os.getpid()}.25"
        running = self.start(self.script.format(word))
        self.assertEqual(running.stdout.readline(), b"up\n")
        self.assertGreaterEqual(len(processes_with(word)), 5)
        launchers = launchers_of(running.pid)
        running.kill()
        running.wait()
        running.stdout.close()
        self.assertTrue(gone(word), processes_with(word))
        self.assertTrue(all_end(launchers))
        self.assertEqual(mounts_with(str(self.root)), set())

    def test_kill_9_of_the_launcher_leaves_nothing(self):
        if self.level == "L1":
            self.skipTest("without a process namespace the launcher is what cleans up")
        word = f"5{os.getpid()}.25"
        running = self.start(self.script.format(word))
        self.assertEqual(running.stdout.readline(), b"up\n")
        children = pathlib.Path(f"/proc/{running.pid}/task/{running.pid}/children")
        for child in children.read_text().split():
            os.kill(int(child), signal.SIGKILL)
        self.assertEqual(running.wait(10), 120)
        running.stdout.close()
        self.assertTrue(gone(word), processes_with(word))

    def test_killing_at_any_moment_leaves_nothing(self):
        word = f"6{os.getpid()}.25"
        moments = random.Random(1)
        launchers = set()
        for _ in range(int(os.environ.get("LITHIFY_SANDBOX_KILLS", "40"))):
            running = self.start(self.script.format(word))
            time.sleep(moments.random() * 0.08)
            launchers |= launchers_of(running.pid)
            running.kill()
            running.wait()
            running.stdout.close()
        self.assertNotEqual(launchers, set())
        self.assertTrue(gone(word), processes_with(word))
        self.assertTrue(all_end(launchers))
        self.assertEqual(mounts_with(str(self.root)), set())


class RootOfTheMachine(SandboxScenario):
    level = "L4"


class RootOfAContainer(SandboxScenario):
    level = "L1"


class UserWithARange(SandboxScenario):
    level = "L3"
    user = USER


class UserAlone(SandboxScenario):
    level = "L2"
    user = USER



if __name__ == "__main__":
    unittest.main()
