"""A machine of its own for what this one may not have: control groups of version 2 alone.
A Debian that lithify itself puts together, kernel included, started by qemu."""
import os
import pathlib
import platform
import re
import shutil
import subprocess
import unittest

from support import LITHIFY, TOP, Scenario, needs, needs_root

PACKAGES = ["dash", "coreutils", "util-linux", "mount", "procps", "python3", "base-files", "base-passwd",
            "passwd", "login",
            "uidmap", "busybox-static", "findutils", "grep", "sed", "iproute2", "bubblewrap",
            "crun", "runc", "ca-certificates", "linux-image-cloud-amd64"]
PROJECT = """\
lithify: 1
project: machine
sources: {debian: {apt: {suites: [SUITE], components: [main]}}}
image:
  from: scratch
  platforms: [linux/amd64]
  steps:
    - {packages: [PACKAGES], from: debian, drop: [docs, man, locales]}
    - {symlink: /bin/sh, target: dash}
outputs: [{rootfs: root}]
"""
# What is unpacked first cannot be the root of a sandbox, since nothing lies below it.
INIT = """\
#!/bin/busybox sh
busybox=/bin/busybox
$busybox mkdir /new
$busybox mount -t tmpfs -o size=80% root /new
$busybox cp -a /bin /etc /home /lib /lib64 /root /run /sbin /test /tmp /usr /var /stage /new/
$busybox mkdir -p /new/proc /new/sys /new/dev
exec $busybox switch_root /new /stage
"""
STAGE = """\
#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
chmod 1777 /tmp
ip link set lo up
if grep -q unified /proc/cmdline; then
  mount -t tmpfs groups /sys/fs/cgroup
  mkdir /sys/fs/cgroup/unified
  mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified
else
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
fi
cd /test
. ./words
busybox poweroff -f
"""


def debian():
    """The name of this machine's Debian; empty: it is another system."""
    text = pathlib.Path("/etc/os-release").read_text()
    name = re.search(r"^VERSION_CODENAME=(\w+)", text, re.MULTILINE)
    return name.group(1) if name and re.search("^ID=debian$", text, re.MULTILINE) else ""


@needs("qemu-system-x86_64", "cpio", "dpkg")
@needs_root()
@unittest.skipUnless(debian() and platform.machine() == "x86_64",
                     "the program's libraries are not those of a Debian for amd64")
class Machine(Scenario):
    def setUp(self):
        super().setUp()
        self.root = self.folder / "root"
        self.write("lithify.yaml", PROJECT.replace("SUITE", debian()).replace(
            "PACKAGES", ", ".join(sorted({*PACKAGES, *self.libraries()}))))
        self.lithify("build", "-q")
        kernel, = self.root.glob("boot/vmlinuz-*")
        self.kernel = kernel.rename(self.folder / "kernel")
        shutil.rmtree(self.root / "usr/lib/modules", ignore_errors=True)
        shutil.rmtree(self.root / "boot")
        for name, text in (("init", INIT), ("stage", STAGE)):
            self.write(f"root/{name}", text, 0o755)
        test = self.root / "test"
        shutil.copytree(TOP / "tests/scenarios", test / "tests/scenarios",
                        ignore=shutil.ignore_patterns("__pycache__"))
        (test / "build/release").mkdir(parents=True)
        shutil.copy(LITHIFY, test / "build/release/lithify")

    def libraries(self):
        """The packages of those that the program is linked with."""
        lines = self.run_program("ldd", LITHIFY)
        files = [os.path.realpath(one) for one in re.findall(r"=> (/\S+)", lines)]
        found = set()
        for file in files:
            for name in (file, file.removeprefix("/usr")):
                owner = subprocess.run(["dpkg", "-S", name], text=True, check=False,
                                       capture_output=True).stdout
                found.update(line.split(":")[0] for line in owner.splitlines())
        return found

    def run_there(self, words, *parameters):
        """What the scenarios say, without what the kernel does."""
        self.write("root/test/words", words)
        with (self.folder / "initrd").open("wb") as initrd:
            names = subprocess.run(["find", "."], cwd=self.root, check=True,
                                   stdout=subprocess.PIPE).stdout
            subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=self.root, check=True,
                           input=names, stdout=initrd)
        ran = subprocess.run(
            ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "3G",
             "-smp", "2", "-nographic", "-no-reboot", "-nic", "none", "-kernel", self.kernel,
             "-initrd", self.folder / "initrd", "-append",
             " ".join(["console=ttyS0", "loglevel=1", "panic=-1", *parameters])],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=1800, check=False)
        return re.sub(r"\x1b\S*|\r", "", ran.stdout.decode(errors="replace"))

    def assert_all_ran(self, said, times):
        self.assertEqual(len(re.findall(r"^Ran \d+ tests? in", said, re.MULTILINE)), times, said)
        self.assertEqual(len(re.findall(r"^OK$", said, re.MULTILINE)), times, said)

    def test_limits_hold_and_all_sandboxes_make_the_same(self):
        said = self.run_there("python3 tests/scenarios/limits_test.py\n"
                              "python3 tests/scenarios/sandbox_runners_test.py\n")
        self.assert_all_ran(said, 2)

    def test_limits_hold_where_groups_are_mounted_elsewhere(self):
        said = self.run_there("python3 tests/scenarios/limits_test.py LimitsOfRoot "
                              "LimitsOfAUser\n", "unified")
        self.assert_all_ran(said, 1)


if __name__ == "__main__":
    unittest.main()
