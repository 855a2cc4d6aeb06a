"""Maintainer scripts: dpkg in a sandbox, the same bytes for everyone, a clean database."""
import os
import pathlib
import pwd
import re
import shutil
import unittest

from scripted import ESSENTIAL, machine_build_file
from support import LITHIFY, Scenario, files_of, needs, needs_root

PACKAGES = ESSENTIAL + ["adduser", "debconf", "ca-certificates", "fontconfig", "tzdata"]
USER = "lithify-run"


class ScriptsRun(Scenario):
    def setUp(self):
        super().setUp()
        self.write("lithify.yaml", machine_build_file(PACKAGES, "outputs: [{oci: out}]"))

    def text_of(self, path):
        """A file of the image, by tar."""
        flat = self.folder / "flat.tar"
        if not flat.exists():
            self.lithify("build", "--locked", "--output", f"tar={flat}")
        return self.run_program("tar", "--extract", "--to-stdout", "--file", flat, path)

    def test_dpkg_is_content(self):
        result = self.lithify("build")
        self.assertIn("run    in sandbox L", result.stderr)
        status = self.text_of("var/lib/dpkg/status")
        self.assertEqual(set(re.findall(r"^Status: (.*)$", status, re.M)),
                         {"install ok installed"})
        lock = (self.folder / "lithify.lock").read_text()
        self.assertEqual(sorted(re.findall(r"^Package: (.*)$", status, re.M)),
                         sorted(re.findall(r"^  - name: (.*)$", lock, re.M)))
        files = files_of(self.folder / "out")
        for made in ("etc/ssl/certs/ca-certificates.crt", "etc/ld.so.cache",
                     "etc/shadow", "etc/localtime", "var/lib/dpkg/triggers/File",
                     "var/cache/debconf/config.dat"):
            self.assertIn(made, files)
        self.assertTrue([path for path in files
                         if path.startswith("var/cache/fontconfig/")])
        for gone in ("usr/sbin/policy-rc.d", "var/log/dpkg.log", "etc/passwd-",
                     "run/lithify-packages", "var/cache/ldconfig/aux-cache"):
            self.assertNotIn(gone, files)

    @needs("skopeo", "umoci", "runc")
    @needs_root()
    def test_the_image_passes_its_own_audit(self):
        self.lithify("build")
        bundle = self.bundle(self.folder / "out")
        self.assertEqual(self.run_bundle(bundle, ["dpkg", "--audit"]), "")
        self.assertEqual(self.run_bundle(bundle, ["dpkg", "--verify"]), "")

    @needs_root()
    def test_everyone_gets_the_same_bytes(self):
        ours = self.build(self.folder)
        try:
            pwd.getpwnam(USER)
        except KeyError:
            self.run_program("useradd", "--create-home", USER)
        place = pathlib.Path(pwd.getpwnam(USER).pw_dir) / f"scripts-{os.getpid()}"
        self.addCleanup(shutil.rmtree, place, ignore_errors=True)
        shutil.copytree(self.folder, place, ignore=shutil.ignore_patterns("out"))
        program = place / "lithify"
        shutil.copy(LITHIFY, program)
        self.run_program("chown", "-R", USER, place)
        mirror = os.environ.get("LITHIFY_APT_MIRROR")
        theirs = self.run_program(
            "setpriv", "--reuid", USER, "--regid", USER, "--init-groups", "env", "-i",
            f"PATH={os.environ['PATH']}", f"HOME={place}", "TZ=Asia/Tokyo",
            *([f"LITHIFY_APT_MIRROR={mirror}"] if mirror else []),
            "sh", "-c", "umask 077; exec ./lithify build --locked", cwd=place)
        self.assertEqual(dict(line.split(" ") for line in theirs.splitlines()), ours)

    def test_what_is_missing_is_said(self):
        self.write("lithify.yaml", machine_build_file(["tzdata"]))
        result = self.lithify("build", status=2)
        self.assertIn("maintainer scripts cannot run without", result.stderr)
        self.assertIn("add: base-files", result.stderr)


if __name__ == "__main__":
    unittest.main()
