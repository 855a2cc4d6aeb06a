"""Debian packages: the image's files against what dpkg-deb takes out of the same .debs."""
import fnmatch
import hashlib
import io
import re
import subprocess
import tarfile
import unittest

from support import Scenario, fact, files_of, needs

# Multi-arch libraries, setuid programs, hard links, alternatives, conffiles, both /bin and
# /usr/bin, shared directories, links to directories.
PACKAGES = ("bash ca-certificates coreutils curl dash debianutils dpkg gawk git gzip login "
            "mawk nginx passwd perl python3 sudo tar tzdata util-linux vim-tiny")

BUILD_FILE = """\
lithify: 1
project: debs
epoch: 2000000000   # later than any packaged time, so that none is clamped
sources:
  debian:
    apt: {suites: [bookworm], components: [main]}
image:
  from: scratch
  steps:
    - packages: [%s]
      from: debian
  outputs:
    - oci: out/debs
"""

# What finishers and the database make; builder/README.md, "Debian finishers".
EXPLAINED = """
bin lib lib32 lib64 libx32 sbin
etc/alternatives/* etc/ca-certificates.conf etc/dpkg/origins/default etc/group etc/gshadow
etc/inputrc etc/localtime etc/motd etc/nsswitch.conf etc/opt etc/passwd etc/profile etc/shadow
etc/shells etc/ssl/certs/* etc/subgid etc/subuid etc/timezone media mnt opt
root/.bashrc root/.profile run run/lock srv usr/local usr/local/* usr/share/info/dir
var/lib/dpkg/* var/lib/shells.state var/lock var/mail var/opt var/run var/spool/mail
""".split()
MERGED = re.compile(r"(bin|sbin|lib|lib32|lib64|libx32)(/.*)?$")


def place(path):
    return "usr/" + path if MERGED.match(path) else path


def explained(path):
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in EXPLAINED)


def packaged(deb):
    """path in the image -> fact, of one .deb by dpkg-deb."""
    data = subprocess.run(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE,
                          check=True).stdout
    files = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        own = {}
        for member in tar:
            member.name = member.name.removeprefix("./").rstrip("/")
            member.linkname = (member.linkname.removeprefix("./") if member.islnk()
                               else member.linkname)
            if member.name not in ("", "."):
                own[member.name] = fact(tar, member, own)
        for path, what in own.items():
            files[place(path)] = what
    return files


@needs("dpkg-deb")
class DebsLikeDpkg(Scenario):
    def setUp(self):
        super().setUp()
        self.write("lithify.yaml", BUILD_FILE % ", ".join(PACKAGES.split()))
        self.build(self.folder)
        self.image = files_of(self.folder / "out/debs")
        lock = (self.folder / "lithify.lock").read_text()
        self.debs = [self.store / "blobs/sha256" / digest for digest in
                     re.findall(r"^    sha256: \"?([0-9a-f]{64})\"?$", lock, re.M)]

    def test_every_packaged_file_is_there_and_nothing_unexplained_is(self):
        self.assertGreater(len(self.debs), 60)
        rest = dict(self.image)
        wrong = []
        directories = {}
        for deb in self.debs:
            self.assertEqual(hashlib.sha256(deb.read_bytes()).hexdigest(), deb.name)
            for path, what in packaged(deb).items():
                rest.pop(path, None)
                if what[0] == "dir":
                    directories.setdefault(path, []).append(what)
                elif self.image.get(path) != what and not explained(path):
                    wrong.append((path, what, self.image.get(path)))
        self.assertEqual(wrong, [])
        for path, claims in directories.items():
            if explained(path):
                continue
            kind, mode, uid, gid, mtime = self.image[path]
            self.assertIn((kind, mode, uid, gid), [claim[:4] for claim in claims], path)
            self.assertEqual(mtime, 315532800, path)
        links = [path for path, what in self.image.items() if what[0] == "symlink"
                 and what[-1].startswith("/etc/alternatives/")]
        self.assertIn("usr/bin/awk", links)
        self.assertEqual([path for path in rest
                          if not explained(path) and path not in links], [])


if __name__ == "__main__":
    unittest.main()
