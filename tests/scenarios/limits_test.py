"""Limits of a step, kept by groups of the kernel's (cgroup version 2) for all of its
processes together: whoever builds, as far as this machine hands its controllers out."""
import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import time
import unittest

from support import LITHIFY, AnotherUser, Scenario, needs_root, unwrapped

CONTROLLERS = {"memory", "pids", "cpu"}
PROJECT = """\
lithify: 1
project: limits
sources: {src: {local: src}}
image:
  from: scratch
  steps:
    - {copy: ., from: src, to: /bin}
    - {symlink: /bin/sh, target: busybox}
    - run: |
        COMMAND
      limits: {LIMITS}
"""
# 40 MB in each of several processes, for a while.
HOGS = "for i in $(busybox seq HOW_MANY); do busybox dd if=/dev/zero of=/dev/null " \
       "bs=40M count=40 2>&1 & done; wait; echo done > /done"
FORKS = "for i in $(busybox seq HOW_MANY); do busybox sleep 1 & done; wait; echo done > /done"


def mounts():
    """Where groups of version 2 are mounted."""
    lines = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    return [pathlib.Path(line.split()[4]) for line in lines if " - cgroup2 " in line]


def why_not():
    if os.geteuid() != 0:
        return "only root makes groups"
    if not mounts():
        return "no cgroup version 2 is mounted"
    there = set((mounts()[0] / "cgroup.controllers").read_text().split())
    missing = CONTROLLERS - there
    if missing:
        return f"{mounts()[0]} has no controllers {', '.join(sorted(missing))}: they belong to " \
               "version 1 here"
    return ""


def text_of(file):
    """Empty: the group has gone meanwhile."""
    try:
        return file.read_text()
    except OSError:
        return ""


REASON = why_not()


@unittest.skipIf(REASON, REASON)
class LimitsOfRoot(Scenario):
    """A group that hands controllers down, and one below it that the program is in, as
    systemd makes them for services and sessions."""
    owner = None
    level = "L4"

    def setUp(self):
        super().setUp()
        self.folder.chmod(0o755)
        self.write("src/busybox", "")
        shutil.copy("/bin/busybox", self.folder / "src/busybox")
        top = mounts()[0]
        self.hand_down(top)
        self.above = top / f"lithify-scenario-{os.getpid()}"
        self.own = self.above / "own"
        self.own.mkdir(parents=True)
        self.addCleanup(self.remove_groups)
        self.hand_down(self.above)
        self.prepare()

    def prepare(self):
        self.store = self.folder / "store"

    def hand_down(self, group):
        (group / "cgroup.subtree_control").write_text(
            " ".join("+" + one for one in sorted(CONTROLLERS)))

    def remove_groups(self):
        for group in (*self.above.glob("*/"), self.above):
            with contextlib.suppress(OSError):
                (group / "cgroup.kill").write_text("1")
            for _ in range(200):
                with contextlib.suppress(OSError):
                    group.rmdir()
                    break
                time.sleep(0.01)

    def words(self):
        return [LITHIFY, "-C", self.folder]

    def environment(self):
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder),
                "LITHIFY_STORE": str(self.store)}

    def start(self, command, limits):
        self.write("lithify.yaml", PROJECT.replace("COMMAND", command)
                   .replace("LIMITS", limits))
        enter = f"echo 0 > {self.own}/cgroup.procs; exec \"$@\""
        return subprocess.Popen(
            ["sh", "-c", enter, "sh", *map(str, self.words()), "build", "--no-cache"],
            env=self.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)

    def perform(self, command, limits, status=0):
        process = self.start(command, limits)
        out, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, status, out + err)
        self.assertEqual(self.groups(), [])
        if status == 0:
            self.assertIn(f"in sandbox {self.level}\n", err)
        return unwrapped(err)

    def wait_for(self, condition):
        until = time.monotonic() + 60
        while not (found := condition()):
            self.assertLess(time.monotonic(), until)
            time.sleep(0.01)
        return found

    def groups(self):
        return [group for group in self.above.glob("lithify-*/")]

    def test_as_many_processes_as_are_allowed(self):
        self.perform(FORKS.replace("HOW_MANY", "10"), "pids: 20")
        said = self.perform(FORKS.replace("HOW_MANY", "40"), "pids: 20", status=1)
        self.assertIn("fork", said)
        self.assertIn("it wanted more than 20 processes at once", said)
        self.assertIn("= help: raise `limits: {pids: …}` of the step", said)

    def test_a_bomb_stays_in_its_room(self):
        said = self.perform("bomb() { bomb | bomb & }; bomb; busybox sleep 2; exit 1",
                            "pids: 30, memory: 100MiB", status=1)
        self.assertIn("it wanted more than 30 processes at once", said)

    def test_as_much_memory_as_is_allowed_to_all_together(self):
        self.perform(HOGS.replace("HOW_MANY", "2"), "memory: 200MiB")
        said = self.perform(HOGS.replace("HOW_MANY", "8"), "memory: 200MiB", status=1)
        self.assertIn("needed more memory than it may have", said)
        self.assertIn("= help: raise `limits: {memory: …}` of the step", said)

    def test_a_single_hog_is_ended(self):
        said = self.perform("busybox dd if=/dev/zero of=/dev/null bs=300M count=1",
                            "memory: 100MiB", status=1)
        self.assertIn("needed more memory than it may have", said)

    def test_the_kernel_is_told_all_of_it(self):
        process = self.start("busybox sleep 5", "cpus: 1, pids: 33, memory: 77MiB")
        group, = self.wait_for(lambda: [
            group for group in self.groups() if text_of(group / "pids.max") == "33\n" and
            len(text_of(group / "cgroup.procs").split()) > 1])
        told = {name: (group / name).read_text() for name in
                ("memory.max", "pids.max", "cpu.max", "memory.oom.group")}
        inside = (group / "cgroup.procs").read_text().split()
        process.communicate(timeout=60)
        self.assertEqual(told, {"memory.max": f"{77 << 20}\n", "pids.max": "33\n",
                                "cpu.max": "100000 100000\n", "memory.oom.group": "1\n"})
        self.assertGreaterEqual(len(inside), 2)  # the shell and what it started
        self.assertNotIn(str(process.pid), inside)
        self.assertEqual(process.returncode, 0)

    def test_one_processor_is_not_two(self):
        self.perform("test $(busybox nproc) = 1", "cpus: 1, pids: 100")

    def test_time_of_the_processor_is_limited(self):
        said = self.perform("while :; do :; done", "time: 1s", status=1)
        self.assertRegex(said, "needed more than the 1 second of processor time|by signal 9")

    def test_what_a_killed_build_left_the_next_one_removes(self):
        process = self.start("busybox sleep 500", "pids: 20")
        self.wait_for(lambda: any(text_of(group / "pids.max") == "20\n" and
                                  text_of(group / "cgroup.procs") for group in self.groups()))
        time.sleep(0.3)
        process.kill()
        process.communicate()
        self.perform("true", "pids: 20")

    def test_doctor_says_it(self):
        enter = f"echo 0 > {self.own}/cgroup.procs; exec \"$@\""
        said = self.run_program("sh", "-c", enter, "sh", *self.words(), "doctor",
                                env=self.environment())
        self.assertTrue(re.search(r"^limits +for all processes of a step together$", said,
                                  re.MULTILINE), said)


@needs_root()
class LimitsOfAUser(LimitsOfRoot):
    """The group above is the user's, as that of a systemd session of his is."""
    level = "L3"

    def prepare(self):
        user = AnotherUser(self, self.folder / "src")
        self.place = user.place
        self.store = self.place / "store"
        self.uid = self.place.stat().st_uid
        for path in (self.above, self.own):
            for name in ("", "cgroup.procs", "cgroup.subtree_control"):
                os.chown(path / name, self.uid, self.uid)
        self.give(self.folder)

    def give(self, folder):
        self.run_program("chown", "-R", str(self.uid), folder)

    def words(self):
        return ["setpriv", "--reuid", str(self.uid), "--regid", str(self.uid),
                *self.groups_of_user(), self.place / "lithify", "-C", self.folder]

    def groups_of_user(self):
        return ["--init-groups"]


@needs_root()
class LimitsOfAUserAlone(LimitsOfAUser):
    level = "L2"

    def prepare(self):
        super().prepare()
        self.uid = 60124
        for path in (self.above, self.own):
            for name in ("", "cgroup.procs", "cgroup.subtree_control"):
                os.chown(path / name, self.uid, self.uid)
        shutil.copy(LITHIFY, self.folder / "lithify")
        self.place = self.folder
        self.store = self.folder / "store"
        self.give(self.folder)

    def groups_of_user(self):
        return ["--clear-groups"]


if __name__ == "__main__":
    unittest.main()
