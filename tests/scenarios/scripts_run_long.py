"""mmdebstrap is the judge: the same packages, every file alike but for what EXPECTED says.

Each set is built twice, in stores of its own. Both sides take the same archive:
LITHIFY_APT_MIRROR, else the one of this machine's apt sources.
"""
import fnmatch
import hashlib
import os
import pathlib
import re
import tarfile
import time
import unittest

from scripted import machine_build_file
from support import Scenario, have, needs, needs_root

SETS = {
    "postgresql": ["postgresql"],
    "java": ["openjdk-17-jre-headless", "ca-certificates-java"],
    "fonts": ["fontconfig", "fonts-dejavu-core"],
    "systemd": ["systemd", "systemd-sysv", "dbus"],
}
# What differs, and why: README.md of builder/ has this list in words.
EXPECTED = [
    # made by mmdebstrap for the system that it expects to be booted or entered
    "", "dev/**", "etc/hostname", "etc/hosts", "etc/resolv.conf", "etc/fstab",
    "run/lock/subsys",
    # of apt, which had no part in it
    "etc/apt/**", "var/lib/apt/**", "var/cache/apt/**", "var/log/apt/**",
    "var/lib/dpkg/arch",
    # the order of lines: packages are unpacked by name, not as apt found them
    "var/lib/dpkg/triggers/File",
    # what normalisers take out, or settle
    "etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-", "etc/subuid-",
    "etc/subgid-", "etc/shadow", "etc/machine-id", "var/lib/dpkg/*-old", "var/cache/debconf/*-old",
    "var/log/fontconfig.log", "var/cache/ldconfig/aux-cache",
    "etc/ssl/private/ssl-cert-snakeoil.key", "etc/ssl/certs/ssl-cert-snakeoil.pem",
    "var/lib/postgresql/*/*/**", "etc/postgresql/*/*/**", "var/log/postgresql/*",
    "etc/ssl/certs/java/cacerts", "var/cache/fontconfig/*",
]


def facts_of(tar_file):
    """path -> what it is, times aside."""
    facts = {}
    with tarfile.open(tar_file) as tar:
        for member in tar:
            path = "" if member.name in (".", "./") else (
                member.name.removeprefix("./").rstrip("/"))
            owner = (oct(member.mode), member.uid, member.gid)
            if member.islnk():
                facts[path] = facts[member.linkname.removeprefix("./")]
            elif member.isreg():
                content = tar.extractfile(member).read()
                facts[path] = ("file", *owner, hashlib.sha256(content).hexdigest())
            elif member.issym():
                facts[path] = ("link", *owner[1:], member.linkname)
            elif member.isdir():
                facts[path] = ("dir", *owner)
            else:
                facts[path] = ("device", *owner)
    return facts


def matches(path, pattern):
    if pattern.endswith("/**"):
        depth = pattern.count("/")
        path, pattern = "/".join(path.split("/")[:depth]), pattern[:-3]
    return fnmatch.fnmatchcase(path, pattern) and path.count("/") == pattern.count("/")


def archive():
    """The mirror that both take."""
    if mirror := os.environ.get("LITHIFY_APT_MIRROR"):
        return mirror
    for file in [pathlib.Path("/etc/apt/sources.list"),
                 *sorted(pathlib.Path("/etc/apt/sources.list.d").glob("*"))]:
        text = file.read_text() if file.is_file() else ""
        if found := re.search(r"(?:URIs: |^deb (?:\[.*\] )?)(\S+debian)/?\s", text, re.M):
            return found.group(1)
    return None


@needs("mmdebstrap")
@needs_root()
class LikeMmdebstrap(Scenario):
    def ours(self, number):
        """The flat image of one build from nothing but downloads, and how long it took."""
        store = self.folder / f"store-{number}"
        if number == 1:
            self.lithify("lock", store=store)
        began = time.monotonic()
        digests = self.build(self.folder, "--output", f"tar={self.folder}/ours-{number}.tar",
                             store=store, env={"TZ": f"Etc/GMT-{number}"})
        return digests, time.monotonic() - began

    def theirs(self, names):
        target = self.folder / "theirs.tar"
        mirror = archive()
        if mirror is None:
            self.skipTest("no apt source")
        began = time.monotonic()
        self.run_program(
            "mmdebstrap", "--mode=root", "--variant=essential", "--quiet",
            "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
            "--include=" + ",".join(names), "bookworm", target,
            f"deb {mirror} bookworm main",
            env={**os.environ, "SOURCE_DATE_EPOCH": "315532800"})
        return target, time.monotonic() - began

    def compare(self, name):
        self.write("lithify.yaml", machine_build_file(SETS[name]))
        first, seconds = self.ours(1)
        second, _ = self.ours(2)
        self.assertEqual(first, second)
        lock = (self.folder / "lithify.lock").read_text()
        target, theirs = self.theirs(re.findall(r"^  - name: (.*)$", lock, re.M))
        print(f"{name}: {seconds:.1f} s, mmdebstrap {theirs:.1f} s", flush=True)
        found = []
        mine, other = facts_of(self.folder / "ours-1.tar"), facts_of(target)
        for path in sorted(mine.keys() | other.keys()):
            if mine.get(path) == other.get(path):
                continue
            if (other.get(path) or [""])[-1] == "ssl-cert-snakeoil.pem":
                continue  # named after the certificate
            if not any(matches(path, pattern) for pattern in EXPECTED):
                found.append(f"{path}: {mine.get(path)} / {other.get(path)}")
        self.assertEqual(found, [])
        return target

    def certificates(self, flat):
        """The names and fingerprints in Java's key store, in an order of their own."""
        [member] = [name for name in self.run_program("tar", "--list", "--file",
                                                      flat).splitlines()
                    if name.endswith("etc/ssl/certs/java/cacerts")]
        with tarfile.open(flat) as tar:
            (self.folder / "cacerts").write_bytes(tar.extractfile(member).read())
        text = self.run_program("keytool", "-list", "-storepass", "changeit", "-keystore",
                                self.folder / "cacerts")
        return sorted(re.findall(r"^(\S+), .*?, trustedCertEntry, \n.*: (\S+)$", text, re.M))

    def test_postgresql(self):
        self.compare("postgresql")

    def test_java(self):
        theirs = self.compare("java")
        if have("keytool"):
            ours = self.certificates(self.folder / "ours-1.tar")
            self.assertGreater(len(ours), 100)
            self.assertEqual(ours, self.certificates(theirs))

    def test_fonts(self):
        self.compare("fonts")

    def test_systemd(self):
        self.compare("systemd")


if __name__ == "__main__":
    unittest.main()
