"""A Debian archive of a test's own: packages made with dpkg-deb, signed with a throwaway
key, served on loopback. What real archives do wrong only rarely, this one does on demand."""
import gzip
import hashlib
import http.server
import lzma
import pathlib
import subprocess

from loopback_server import LoopbackServer


class TinyArchive(LoopbackServer):
    """Packages are dicts of control fields; "files" maps paths to contents."""

    def __init__(self, folder, suite="stable"):
        self.folder = pathlib.Path(folder)
        self.root = self.folder / "archive"
        self.suite = suite
        self.packages = []
        self.valid_until = None
        self.date = "Sat, 01 Nov 2025 00:00:00 UTC"
        self.requests = []
        self._make_key()

    # ---- making -------------------------------------------------------------------------

    def _gpg(self, *args, stdin=None):
        return subprocess.run(["gpg", "--homedir", str(self.folder / "gnupg"), "--batch",
                               "--pinentry-mode", "loopback", "--passphrase", "", *args],
                              input=stdin, capture_output=True, check=True).stdout

    def _make_key(self):
        (self.folder / "gnupg").mkdir(mode=0o700, parents=True)
        self._gpg("--quick-generate-key", "Tiny <tiny@example.org>", "ed25519", "sign", "never")
        self.keyring = self.folder / "tiny.gpg"
        self.keyring.write_bytes(self._gpg("--export"))

    def add(self, name, version="1.0", files=None, postinst=None, arch="amd64",
            md5sums=False, **fields):
        """Builds one .deb. Fields as in control: depends="libc6 (>= 2)"."""
        build = self.folder / "build" / f"{name}_{version}_{arch}"
        (build / "DEBIAN").mkdir(parents=True)
        control = {"Package": name, "Version": version, "Architecture": arch,
                   "Maintainer": "Tiny <tiny@example.org>",
                   **{k.replace("_", "-").title(): v for k, v in fields.items()},
                   "Description": f"the package {name}"}
        (build / "DEBIAN/control").write_text(
            "".join(f"{k}: {v}\n" for k, v in control.items()))
        if postinst:
            (build / "DEBIAN/postinst").write_text("#!/bin/sh\nset -e\n" + postinst)
            (build / "DEBIAN/postinst").chmod(0o755)
        for path, text in (files or {f"usr/share/{name}/data": f"data of {name}\n"}).items():
            (build / path).parent.mkdir(parents=True, exist_ok=True)
            (build / path).write_text(text)
        if md5sums:
            (build / "DEBIAN/md5sums").write_text("".join(
                f"{hashlib.md5((build / path).read_bytes()).hexdigest()}  {path}\n"
                for path in sorted(files)))
        pool = self.root / "pool"
        pool.mkdir(parents=True, exist_ok=True)
        deb = pool / f"{name}_{version}_{arch}.deb"
        subprocess.run(["dpkg-deb", "--root-owner-group", "-Zxz", "-b", build, deb],
                       check=True, capture_output=True)
        self.packages.append((control, deb))
        return deb

    def publish(self, sign=True):
        """Writes Packages, Release and InRelease for what was added so far."""
        dist = self.root / "dists" / self.suite
        entries = {}
        for arch in ("amd64", "arm64"):
            text = "".join(self._stanza(c, d) for c, d in self.packages
                           if c["Architecture"] in (arch, "all"))
            where = f"main/binary-{arch}"
            (dist / where).mkdir(parents=True, exist_ok=True)
            for suffix, data in (("", text.encode()), (".xz", lzma.compress(text.encode())),
                                 (".gz", gzip.compress(text.encode(), mtime=0))):
                path = f"{where}/Packages{suffix}"
                (dist / path).write_bytes(data)
                digest = hashlib.sha256(data).hexdigest()
                by_hash = dist / where / "by-hash/SHA256"
                by_hash.mkdir(parents=True, exist_ok=True)
                (by_hash / digest).write_bytes(data)
                entries[path] = (digest, len(data))
        lines = [f"Suite: {self.suite}", f"Codename: {self.suite}", f"Date: {self.date}",
                 "Architectures: amd64 arm64", "Components: main", "Acquire-By-Hash: yes"]
        if self.valid_until:
            lines.append(f"Valid-Until: {self.valid_until}")
        lines.append("SHA256:")
        lines += [f" {digest} {size} {path}" for path, (digest, size) in entries.items()]
        text = "\n".join(lines) + "\n"
        (dist / "Release").write_text(text)
        (dist / "InRelease").write_bytes(
            self._gpg("--clearsign", stdin=text.encode()) if sign else text.encode())

    def _stanza(self, control, deb):
        data = deb.read_bytes()
        fields = {**control, "Filename": str(deb.relative_to(self.root)),
                  "Size": len(data), "SHA256": hashlib.sha256(data).hexdigest()}
        return "".join(f"{k}: {v}\n" for k, v in fields.items()) + "\n"

    # ---- serving ------------------------------------------------------------------------

    def handler(self):
        archive = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *args):
                super().__init__(*args, directory=str(archive.root))

            def do_GET(self):
                archive.requests.append(self.path)
                super().do_GET()

            def log_message(self, *_):
                pass

        return Handler

    def source(self, name="tiny"):
        return (f"  {name}: {{apt: {{uri: \"{self.url}\", suites: [{self.suite}], "
                f"components: [main], keys: [{self.keyring}]}}}}\n")
