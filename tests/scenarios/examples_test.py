"""The examples of Debian packages: built, unpacked and run by other people's tools."""
import json
import os
import socket
import subprocess
import time
import unittest
import urllib.request

from support import Scenario, config_of, files_of, manifest_of, needs, needs_root


class Examples(Scenario):
    def image(self, name, *args):
        project = self.example(name)
        digests = self.build(project, "--output", "oci=image", *args)
        return project, digests

    @needs("umoci", "skopeo")
    def test_debian_minimal_unpacks_to_the_tree_we_meant(self):
        project, _ = self.image("debian-minimal")
        root = self.bundle(project / "image") / "rootfs"
        files = files_of(project / "image")
        found = {str(p.relative_to(root)) for p in root.rglob("*")}
        self.assertEqual(found, set(files) - {""})
        for path, known in files.items():
            with self.subTest(path=path):
                status = os.lstat(root / path)
                if known[0] == "file":
                    self.assertEqual((known[1], known[4]),
                                     (oct(status.st_mode & 0o7777), int(status.st_mtime)))
                if os.geteuid() == 0 and known[0] in ("file", "dir"):
                    self.assertEqual((known[2], known[3]), (status.st_uid, status.st_gid))

    @needs("umoci", "skopeo", "runc")
    @needs_root()
    def test_debian_minimal_runs(self):
        project, _ = self.image("debian-minimal")
        out = self.run_bundle(self.bundle(project / "image"), [
            "/bin/bash", "-c",
            "set -e; id -un; ls / >/dev/null; date -d @0 +%Y; TZ=Asia/Tokyo date -d @0 +%H; "
            "test -s /etc/ssl/certs/ca-certificates.crt; . /etc/os-release; echo $ID; "
            "cat /etc/hostname"])
        self.assertEqual(out, "root\n1970\n09\ndebian\nminimal\n")

    @needs("umoci", "skopeo", "runc")
    @needs_root()
    def test_nginx_serves_the_site(self):
        project, _ = self.image("nginx-site")
        name, process = self.start_bundle(self.bundle(project / "image"), tmpfs=["/tmp"])
        try:
            page = self.fetch("http://127.0.0.1:8080/")
            self.assertIn("These pages are a layer", page)
        finally:
            subprocess.run(["runc", "kill", name, "QUIT"], check=False)
            out = process.communicate(timeout=30)[0]
        self.assertEqual(process.returncode, 0, out)

    def fetch(self, url):
        for _ in range(100):
            try:
                with urllib.request.urlopen(url, timeout=2) as answer:
                    return answer.read().decode()
            except (OSError, socket.timeout):
                time.sleep(0.1)
        self.fail(f"nobody answers at {url}")

    @needs("umoci", "skopeo", "runc")
    @needs_root()
    def test_what_is_compiled_in_a_stage_is_tested_and_runs(self):
        project = self.example("compiled")
        told = self.lithify("build", "--output", "oci=image", cwd=project).stderr
        self.assertIn("tests  4 passed", told)
        self.assertEqual(list(files_of(project / "image")), ["count"])
        bundle = self.bundle(project / "image")
        self.assertRegex(self.run_bundle(bundle, ["/count", "/count"]), r"^\d+ /count\n$")

    @needs("umoci", "skopeo", "runc")
    @needs_root()
    def test_python_app_runs_on_this_architecture(self):
        project, _ = self.image("python-app")
        seen = json.loads(self.run_bundle(self.bundle(project / "image")))
        self.assertEqual(seen["machine"], "x86_64")
        self.assertGreater(seen["certificates"], 100)

    def test_python_app_is_there_for_both_architectures(self):
        project, digests = self.image("python-app")
        index = json.loads((project / "image/index.json").read_text())
        self.assertEqual(index["manifests"][0]["digest"], digests["python-app"])
        for architecture, machine in (("amd64", 0x3e), ("arm64", 0xb7)):
            with self.subTest(architecture=architecture):
                self.assertEqual(config_of(project / "image", architecture)["architecture"],
                                 architecture)
                files = files_of(project / "image", architecture)
                self.assertIn("usr/bin/python3", files)
        one = manifest_of(project / "image", "amd64")["layers"][-1]["digest"]
        other = manifest_of(project / "image", "arm64")["layers"][-1]["digest"]
        self.assertEqual(one, other, "the application is one layer for both")

    @needs("skopeo")
    def test_skopeo_accepts_every_example(self):
        for name in ("debian-minimal", "nginx-site", "python-app"):
            with self.subTest(example=name):
                project, digests = self.image(name)
                raw = self.run_program("skopeo", "inspect", "--raw", f"oci:{project}/image")
                self.assertIn("mediaType", raw)
                self.run_program("skopeo", "copy", "--all", "--insecure-policy",
                                 f"oci:{project}/image", f"dir:{self.folder}/{name}-copy")

    @needs("podman")
    @needs_root()
    def test_podman_runs_debian_minimal(self):
        project, _ = self.image("debian-minimal")
        self.assertEqual(self.podman_run(project / "image", "bash", "-c", "echo $((6*7))"),
                         "42\n")


if __name__ == "__main__":
    unittest.main()
