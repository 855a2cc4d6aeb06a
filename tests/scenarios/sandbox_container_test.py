"""Sandboxes inside containers, as continuous integration has them.

runc stands for the engines, with their capabilities, masked paths and system call filters:
podman's from its package, Docker's as podman's without what Docker allows only to
containers that have SYS_ADMIN.
"""
import json
import os
import pathlib
import shutil
import subprocess
import unittest

from support import LITHIFY, Scenario, needs, needs_root

TOOLS = pathlib.Path(LITHIFY).parent / "tests"
PROFILE = pathlib.Path("/usr/share/containers/seccomp.json")
PODMAN = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETFCAP",
          "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"]
DOCKER = PODMAN + ["MKNOD", "NET_RAW", "AUDIT_WRITE"]
MASKED = ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
          "/proc/timer_list", "/proc/sched_debug", "/proc/scsi", "/sys/firmware"]
READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
NEEDS_SYS_ADMIN = {"unshare", "setns", "mount", "umount", "umount2", "mount_setattr",
                   "pivot_root", "fsopen", "fsconfig", "fsmount", "fspick", "move_mount",
                   "open_tree", "bpf", "quotactl", "sethostname", "setdomainname"}
NEW_NAMESPACES = 0x7e020000


def podman_filter(capabilities):
    """Podman's profile as runc takes it: conditions on capabilities decided."""
    names = {"CAP_" + one for one in capabilities}
    profile = json.loads(PROFILE.read_text())
    rules = []
    for rule in profile["syscalls"]:
        if not set((rule.get("includes") or {}).get("caps") or []) <= names:
            continue
        if set((rule.get("excludes") or {}).get("caps") or []) & names:
            continue
        if "amd64" not in ((rule.get("includes") or {}).get("arches") or ["amd64"]):
            continue
        kept = {"names": rule["names"], "action": rule["action"]}
        if rule.get("args"):
            kept["args"] = rule["args"]
        if rule.get("errnoRet"):
            kept["errnoRet"] = rule["errnoRet"]
        rules.append(kept)
    return {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
            "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
            "syscalls": rules}


def docker_filter(capabilities):
    """The same without namespaces and mounts; refused with EPERM, as Docker's default."""
    found = podman_filter(capabilities)
    gone = NEEDS_SYS_ADMIN | {"clone", "clone3"}
    for rule in found["syscalls"]:
        rule["names"] = [name for name in rule["names"] if name not in gone]
    found["syscalls"] = [rule for rule in found["syscalls"] if rule["names"]] + [
        {"names": ["clone"], "action": "SCMP_ACT_ALLOW",
         "args": [{"index": 0, "value": NEW_NAMESPACES, "valueTwo": 0,
                   "op": "SCMP_CMP_MASKED_EQ"}]},
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
        {"names": sorted(NEEDS_SYS_ADMIN), "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]
    return found


ROW_PROJECT = """\
lithify: 1
project: rows
epoch: 2001-09-09T01:46:40Z
sources: {src: {local: src}}
images:
  files:
    from: scratch
    steps: [{copy: ., from: src, to: /bin}]
  commands:
    from: scratch
    steps:
      - {copy: ., from: src, to: /bin}
      - {symlink: /bin/sh, target: busybox}
      - run: busybox id > /id; busybox uname -a > /host; busybox hostname >> /host
      - run: busybox mkdir /d; echo text > /d/f; busybox chmod 4755 /d/f
      - run: busybox date +%s > /date
        clock: epoch
"""
CACHE_PROJECT = """\
lithify: 1
project: warm
sources:
  src: {local: src}
image:
  from: scratch
  steps:
    - {copy: ., from: src, to: /bin}
    - {symlink: /bin/sh, target: busybox}
    - run: ": VERSION; echo run >> /c/runs; busybox wc -l < /c/runs > /runs"
      mounts: [{cache: c, at: /c}]
"""
ROWS = (
    ("Docker's default, root", "L1",
     {"capabilities": DOCKER, "seccomp": docker_filter(DOCKER)}),
    ("Docker's default, a user", "L0",
     {"uid": 5001, "capabilities": DOCKER, "seccomp": docker_filter(DOCKER)}),
    ("podman's default, root", "L4",
     {"capabilities": PODMAN, "seccomp": podman_filter(PODMAN)}),
    ("a pod without a filter, a user", "L2", {"uid": 5001, "capabilities": DOCKER}),
    ("the same with an unmasked /proc", "L2",
     {"uid": 5001, "capabilities": DOCKER, "masked": False}),
) if PROFILE.exists() else ()


def make_rootfs(folder, *more):
    """What a container sees as its root: this machine's /usr will lie in it."""
    rootfs = folder / "rootfs"
    for name in ("proc", "sys", "dev", "usr", "etc", "tmp", *more):
        (rootfs / name).mkdir(parents=True)
    for name in ("bin", "lib", "lib64", "sbin"):
        (rootfs / name).symlink_to("usr/" + name)
    (rootfs / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\n")
    return rootfs


@needs("runc")
@needs_root()
@unittest.skipUnless(PROFILE.exists(), "podman's profile is not installed")
class SandboxInContainers(Scenario):

    def setUp(self):
        super().setUp()
        os.chmod(self.folder, 0o755)
        rootfs = make_rootfs(self.folder, "tool", "w")
        shutil.copy(TOOLS / "sandbox_run", rootfs / "tool")
        shutil.copy(TOOLS / "sandbox_probe", rootfs / "tool")

    def make_root(self, owner):
        """The root of the sandbox, inside the container's."""
        root = self.folder / "rootfs/w/root"
        (root / "bin").mkdir(parents=True)
        shutil.copy("/bin/busybox", root / "bin/busybox")
        shutil.copy(TOOLS / "sandbox_probe", root / "bin")
        for applet in ("sh", "id", "touch", "chown", "ls", "cat", "sleep", "setsid"):
            (root / "bin" / applet).symlink_to("busybox")
        for path in [root.parent, root, *root.rglob("*")]:
            os.lchown(path, owner, owner)

    def contain(self, *words, uid=0, capabilities=(), seccomp=None, masked=True):
        names = ["CAP_" + one for one in capabilities]
        held = names if uid == 0 else []
        config = {
            "ociVersion": "1.0.2", "hostname": "ci",
            "root": {"path": str(self.folder / "rootfs"), "readonly": False},
            "process": {"terminal": False, "cwd": "/", "args": [str(w) for w in words],
                        "user": {"uid": uid, "gid": uid}, "env": ["PATH=/usr/bin:/bin"],
                        "noNewPrivileges": False,
                        "capabilities": {"bounding": names, "effective": held,
                                         "permitted": held, "inheritable": []}},
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
                 "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
                {"destination": "/sys", "type": "sysfs", "source": "sysfs",
                 "options": ["nosuid", "noexec", "nodev", "ro"]},
                {"destination": "/usr", "type": "bind", "source": "/usr",
                 "options": ["rbind", "ro"]}],
            "linux": {"namespaces": [{"type": one} for one in
                                     ("pid", "network", "ipc", "uts", "mount")],
                      "maskedPaths": MASKED if masked else [],
                      "readonlyPaths": READ_ONLY if masked else []}}
        if seccomp:
            config["linux"]["seccomp"] = seccomp
        (self.folder / "config.json").write_text(json.dumps(config))
        return subprocess.run(
            ["runc", "--root", self.folder / "runc", "run", "--bundle", self.folder,
             f"lithify-{os.getpid()}"],
            text=True, capture_output=True, check=False, stdin=subprocess.DEVNULL)

    def check(self, level, proc, **container):
        found = self.contain("/tool/sandbox_run", "probe", **container)
        self.assertIn(f"level {level}\n", found.stdout, found.stderr)
        if level == "L0":
            return found.stdout
        self.assertIn(f"proc {proc}\n", found.stdout)
        zero = int(found.stdout.split("uid ")[1].split()[0])
        self.make_root(zero)
        words = ["/tool/sandbox_run", "run", "root=/w/root", "--"]
        ran = self.contain(*words, "/bin/sh", "-c", "id; echo $HOSTNAME; cat /etc/passwd",
                           **container)
        self.assertIn("uid=0 gid=0", ran.stdout, ran.stderr)
        tried = self.contain(*words, "/bin/sandbox_probe", "/etc/passwd", 1, 1, "x", "", 77,
                             **container)
        escaped = [line for line in tried.stdout.splitlines() if line.startswith("ESCAPED")]
        self.assertIn("attempts, ", tried.stdout, tried.stderr)
        return found.stdout, escaped

    def test_docker_by_default_as_root_has_chroot(self):
        _, escaped = self.check("L1", 0, capabilities=DOCKER, seccomp=docker_filter(DOCKER))
        self.assertEqual(escaped, [])
        ran = self.contain("/tool/sandbox_run", "run", "root=/w/root", "--", "/bin/sh", "-c",
                           "touch /f && chown 12:34 /f && ls -ln /f",
                           capabilities=DOCKER, seccomp=docker_filter(DOCKER))
        self.assertIn(" 12       34 ", ran.stdout, ran.stderr)

    def test_docker_by_default_as_a_user_has_nothing_and_says_so(self):
        text = self.check("L0", 0, uid=5001, capabilities=DOCKER,
                          seccomp=docker_filter(DOCKER))
        self.assertIn("missing user namespaces", text)
        self.assertIn("cure ", text)

    def test_podman_by_default_as_root_has_a_range_and_the_outer_proc(self):
        text, escaped = self.check("L4", 0, capabilities=PODMAN,
                                   seccomp=podman_filter(PODMAN))
        self.assertIn("missing a /proc of the sandbox's own", text)
        self.assertEqual(escaped, [])

    def test_a_pod_without_a_filter_has_a_single_id(self):
        _, escaped = self.check("L2", 0, uid=5001, capabilities=DOCKER)
        self.assertEqual(escaped, [])

    def test_a_pod_with_an_unmasked_proc_has_its_own(self):
        _, escaped = self.check("L2", 1, uid=5001, capabilities=DOCKER, masked=False)
        self.assertEqual(escaped, [])

    def test_each_row_of_the_readme_builds_what_it_says(self):
        """README, "Commands in CI": the same digests everywhere, or an error that says why."""
        project = self.folder / "rootfs/w/project"
        (project / "src").mkdir(parents=True)
        shutil.copy("/bin/busybox", project / "src/busybox")
        (project / "lithify.yaml").write_text(ROW_PROJECT)
        shutil.copy(LITHIFY, self.folder / "rootfs/tool/lithify")
        expected = self.build(project, store=self.folder / "own")
        self.assertEqual(sorted(expected), ["commands", "files"])
        for number, (name, level, container) in enumerate(ROWS):
            with self.subTest(name):
                owner = container.get("uid", 0)
                for path in [project.parent, project, *project.rglob("*")]:
                    os.lchown(path, owner, owner)
                words = ["/usr/bin/env", f"LITHIFY_STORE=/w/store{number}", "/tool/lithify",
                         "-C", "/w/project", "build"]
                ran = self.contain(*words, "files", **container)
                self.assertEqual(ran.stdout, f"files {expected['files']}\n", ran.stderr)
                ran = self.contain(*words, "commands", **container)
                if level == "L0":
                    self.assertEqual(ran.returncode, 7, ran.stderr)
                    self.assertIn("no command can be run on this machine", ran.stderr)
                    self.assertIn("= help:", ran.stderr)
                    continue
                self.assertEqual(ran.stdout, f"commands {expected['commands']}\n",
                                 ran.stderr)
                self.assertIn(f"run    in sandbox {level}\n", ran.stderr)
                ran = self.contain(*words, "--rebuild-check", "commands", **container)
                self.assertEqual(ran.returncode, 0, ran.stderr)
                self.assertIn("check  3 commands performed twice", ran.stderr)

    def test_caches_travel_from_row_to_row(self):
        """README, "Caches of commands": what one kind of machine exports another imports."""
        project = self.folder / "rootfs/w/project"
        (project / "src").mkdir(parents=True)
        shutil.copy("/bin/busybox", project / "src/busybox")
        shutil.copy(LITHIFY, self.folder / "rootfs/tool/lithify")
        runs = 0
        for number, (name, level, container) in enumerate(ROWS):
            with self.subTest(name):
                (project / "lithify.yaml").write_text(
                    CACHE_PROJECT.replace("VERSION", str(number)))
                owner = container.get("uid", 0)
                for path in [project.parent, project, *project.rglob("*")]:
                    os.lchown(path, owner, owner)
                words = ["/usr/bin/env", f"LITHIFY_STORE=/w/warm{number}", "/tool/lithify",
                         "-q", "-C", "/w/project"]
                if level == "L0":
                    ran = self.contain(*words, "cache", "import", "c", **container)
                    self.assertEqual(ran.returncode, 7, ran.stderr)
                    self.assertIn("this machine runs none", ran.stderr)
                    continue
                if runs > 0:
                    ran = self.contain(*words, "cache", "import", "c", **container)
                    self.assertEqual(ran.returncode, 0, ran.stderr)
                ran = self.contain(*words, "build", "--output", "tar=out.tar", **container)
                self.assertEqual(ran.returncode, 0, ran.stderr)
                runs += 1
                seen = self.run_program("tar", "-xOf", project / "out.tar", "runs")
                self.assertEqual(seen, f"{runs}\n")
                ran = self.contain(*words, "cache", "export", "c", **container)
                self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertEqual(runs, 4)


if __name__ == "__main__":
    unittest.main()
