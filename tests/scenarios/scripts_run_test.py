"""Maintainer scripts: dpkg in a sandbox, the same bytes for everyone, a clean database."""
import os
import re
import shutil
import subprocess
import unittest

import sandbox_container_test as containers
from scripted import machine_build_file
from support import (LITHIFY, AnotherUser, Scenario, files_of, layer_members, manifest_of, needs,
                     needs_root)

PACKAGES = ["adduser", "debconf", "ca-certificates", "fontconfig", "tzdata"]


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
        self.assertRegex(result.stderr, r"run    (in sandbox L|nothing: all was)")
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
        theirs = AnotherUser(self, self.folder, TZ="Asia/Tokyo").run(
            "sh", "-c", "umask 077; exec ./lithify build --locked")
        self.assertEqual(dict(line.split(" ") for line in theirs.splitlines()), ours)

    @needs("runc")
    @needs_root()
    @unittest.skipUnless(containers.PROFILE.exists(), "podman's profile is not installed")
    def test_docker_by_default_gives_the_same_bytes(self):
        ours = self.build(self.folder)
        ci = containers.SandboxInContainers()
        ci.folder = self.folder
        rootfs = containers.make_rootfs(self.folder, "w")
        for name in ("lithify.yaml", "lithify.lock"):
            shutil.copy(self.folder / name, rootfs / "w")
        shutil.copy(LITHIFY, rootfs / "w/lithify")
        # The downloads, and no result of any step.
        self.run_program("cp", "-r", self.store / "blobs", rootfs / "w")
        ran = ci.contain("/usr/bin/env", "-C", "/w", "LITHIFY_STORE=/w", "/w/lithify",
                         "build", "--locked", "--offline", capabilities=containers.DOCKER,
                         seccomp=containers.docker_filter(containers.DOCKER))
        self.assertIn("in sandbox L1", ran.stderr)
        self.assertEqual(dict(line.split(" ") for line in ran.stdout.splitlines()), ours)

    @needs_root()
    def test_with_a_single_owner_it_cannot_be_done_and_that_is_said(self):
        self.build(self.folder)
        place = self.folder / "alone"
        place.mkdir()
        for name in ("lithify.yaml", "lithify.lock"):
            shutil.copy(self.folder / name, place)
        shutil.copy(LITHIFY, place / "lithify")
        self.run_program("cp", "-r", self.store / "blobs", place)
        self.run_program("chown", "-R", "60123:60123", place)
        self.folder.chmod(0o755)
        ran = subprocess.run(
            ["setpriv", "--reuid", "60123", "--regid", "60123", "--clear-groups", "env", "-i",
             f"PATH={os.environ['PATH']}", f"HOME={place}", f"LITHIFY_STORE={place}",
             "./lithify", "build", "--locked", "--offline"],
            cwd=place, text=True, capture_output=True, check=False)
        self.assertEqual(ran.returncode, 7, ran.stderr)
        self.assertIn("maintainer scripts cannot run here", ran.stderr)
        self.assertIn("sub", ran.stderr)

    def test_on_a_base_what_is_missing_is_added(self):
        self.write("base/lithify.yaml",
                   machine_build_file(["bash"], "outputs: [{oci: out}]"))
        self.lithify("build", cwd=self.folder / "base")
        self.write("lithify.yaml", machine_build_file(
            ["fontconfig", "man-db"], "outputs: [{oci: out}]", "drop: [docs, man]").replace(
                "sources:", "sources:\n  base: {layout: base/out}").replace(
                    "from: scratch", "from: base"))
        self.lithify("build")
        layers = manifest_of(self.folder / "out")["layers"]
        added = {member.name.rstrip("/") for member in
                 layer_members(self.folder / "out", layers[-1])}
        self.assertIn("usr/bin/fc-cache", added)
        self.assertIn("usr/share/doc/fontconfig/copyright", added)
        self.assertNotIn("usr/bin/bash", added)
        self.assertEqual([name for name in added if name.startswith("usr/share/doc/")
                          and name.endswith(".gz")], [])
        self.assertFalse([name for name in added if name.startswith("usr/share/man/man1/")])
        status = self.text_of("var/lib/dpkg/status")
        self.assertEqual(set(re.findall(r"^Status: (.*)$", status, re.M)),
                         {"install ok installed"})
        self.assertIn("Package: bash\n", status)
        self.assertIn("Package: fontconfig\n", status)

    def test_what_is_missing_is_said(self):
        self.write("base/lithify.yaml", machine_build_file(
            ["tzdata"], "outputs: [{oci: out}]").replace("scripts: run", ""))
        self.lithify("build", cwd=self.folder / "base")
        self.write("lithify.yaml", machine_build_file(["tzdata"]).replace(
            "sources:", "sources:\n  base: {layout: base/out}").replace(
                "from: scratch", "from: base"))
        result = self.lithify("build", status=2)
        self.assertIn("packages that no database of dpkg's knows", result.stderr)
        self.assertIn("an image that has dpkg", result.stderr.replace("\n", " "))


if __name__ == "__main__":
    unittest.main()
