"""Another processor's programs on this machine: qemu-user, registered with the kernel."""
import atexit
import os
import pathlib
import platform
import subprocess
import unittest

BINFMT = pathlib.Path("/proc/sys/fs/binfmt_misc")
PACKAGED = pathlib.Path("/usr/lib/binfmt.d")
# As platforms name them, as the kernel does, as qemu does; and what file(1) calls theirs.
OWN, FOREIGN = ("amd64", "x86_64"), ("arm64", "aarch64")
if platform.machine() == "aarch64":
    OWN, FOREIGN = FOREIGN, OWN
QEMU = "qemu-" + FOREIGN[1]


def registered(name):
    entry = BINFMT / name
    return entry.exists() and entry.read_text().startswith("enabled") and "F" in next(
        line for line in entry.read_text().splitlines() if line.startswith("flags"))


def unregister(name):
    (BINFMT / name).write_text("-1")


def why_not():
    """Registers the interpreter if it can, until the program ends; says why it cannot."""
    if registered(QEMU):
        return ""
    line = PACKAGED / f"{QEMU}.conf"
    if not line.exists():
        return "not installed: qemu-user-static"
    if os.geteuid() != 0:
        return f"{QEMU} is not registered with binfmt_misc, and only root can"
    if not (BINFMT / "register").exists():
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", BINFMT], check=False,
                       capture_output=True)
    try:
        (BINFMT / "register").write_text(line.read_text())
    except OSError as error:
        return f"{QEMU} cannot be registered with binfmt_misc: {error.strerror}"
    atexit.register(unregister, QEMU)
    return ""


REASON = why_not()


def needs_emulation():
    """Skips a test, with the reason, where no foreign program runs."""
    return unittest.skipIf(REASON, REASON)
