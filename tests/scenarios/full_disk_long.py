"""A full disk at many points of a build: a clear error, exit 7, a valid store, and a build
that succeeds with the same digest once there is room."""
import hashlib
import os
import random
import subprocess
import unittest

from support import LITHIFY, Scenario, needs, needs_root, unwrapped


@needs_root()
class FullDisk(Scenario):
    def setUp(self):
        super().setUp()
        self.project = self.folder / "project"
        files = self.project / "files"
        files.mkdir(parents=True)
        rng = random.Random(5)
        for i in range(60):
            (files / f"f{i:03}").write_bytes(rng.randbytes(rng.randrange(100_000)))
        subprocess.run(["tar", "-C", files, "-czf", self.project / "a.tar.gz", "."], check=True)
        (self.project / "lithify.yaml").write_text(
            "lithify: 1\nproject: full\nsources:\n  files: {local: files}\n"
            "  a: {archive: a.tar.gz}\nimage:\n"
            "  from: scratch\n  steps:\n    - {copy: ., from: files, to: /files}\n"
            "    - {copy: ., from: a, to: /archive}\n")
        self.expected = self.build(self.project, store=self.folder / "calm")

    def mount(self, size):
        place = self.folder / "small"
        place.mkdir(exist_ok=True)
        self.run_program("mount", "-t", "tmpfs", "-o", f"size={size}", "none", place)
        return place

    @needs("mount")
    def test_at_many_sizes(self):
        refused = 0
        for kib in [4, 16, 64, 128, 256] + list(range(400, 20_000, 700)):
            place = self.mount(f"{kib}k")
            try:
                result = self.lithify("build", "-q", "--output", f"oci={place}/out",
                                      cwd=self.project, store=place / "store", status=None)
                with self.subTest(kib=kib):
                    if result.returncode == 0:
                        self.assertEqual(dict([result.stdout.strip().split(" ")]),
                                         self.expected)
                        continue
                    refused += 1
                    self.assertEqual(result.returncode, 7, result.stderr)
                    self.assertIn("No space left", unwrapped(result.stderr))
                    self.assertIn(str(place), result.stderr)
                    self.assertIn("= help:", result.stderr)
                    self.valid(place / "store")
                    self.run_program("mount", "-o", "remount,size=200m", place)
                    self.assertEqual(
                        self.build(self.project, "--output", f"oci={place}/out",
                                   store=place / "store"), self.expected)
            finally:
                subprocess.run(["umount", place], check=True)
        self.assertGreater(refused, 10)

    def valid(self, store):
        blobs = store / "blobs/sha256"
        for blob in blobs.iterdir() if blobs.is_dir() else []:
            self.assertEqual(hashlib.sha256(blob.read_bytes()).hexdigest(), blob.name)

    @needs("mount")
    def test_a_read_only_store(self):
        place = self.mount("100m")
        try:
            self.build(self.project, store=place / "store")
            self.run_program("mount", "-o", "remount,ro", place)
            result = self.lithify("build", cwd=self.project, store=place / "store", status=7)
            self.assertIn("Read-only", result.stderr)
            self.assertIn("LITHIFY_STORE", result.stderr)
        finally:
            subprocess.run(["umount", place], check=True)

    def test_a_file_size_limit(self):
        script = 'ulimit -f 200; exec "$0" build -q'
        result = subprocess.run(["sh", "-c", script, LITHIFY], cwd=self.project, text=True,
                                capture_output=True, check=False,
                                env={"PATH": os.environ["PATH"],
                                     "LITHIFY_STORE": str(self.folder / "limited")})
        self.assertEqual(result.returncode, 7, result.stderr)
        self.valid(self.folder / "limited")


if __name__ == "__main__":
    unittest.main()
