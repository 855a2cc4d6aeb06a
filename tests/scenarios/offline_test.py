"""After everything in the lock was fetched once, no build asks the network anything."""
import json
import unittest

from support import LITHIFY, Scenario, needs, needs_root


class Offline(Scenario):
    def setUp(self):
        super().setUp()
        self.project = self.example("debian-minimal")
        self.expected = self.build(self.project, "--output", "oci=image")

    @needs("unshare")
    @needs_root()
    def test_a_build_in_an_empty_network_namespace(self):
        for args in (["--offline"], ["--locked"], ["--no-cache"]):
            with self.subTest(args=args):
                out = self.run_program("unshare", "--net", "env",
                                       f"LITHIFY_STORE={self.store}", LITHIFY, "build", "-q",
                                       *args, cwd=self.project)
                self.assertEqual(dict(line.split(" ") for line in out.splitlines()),
                                 self.expected)

    def test_offline_says_what_is_missing(self):
        result = self.lithify("build", "--offline", cwd=self.project,
                              store=self.folder / "empty", status=6)
        self.assertIn("--offline", result.stderr)
        self.assertIn("= help:", result.stderr)

    def test_offline_without_a_lock(self):
        (self.project / "lithify.lock").unlink()
        result = self.lithify("build", "--offline", cwd=self.project, status=6)
        self.assertIn("lithify lock", result.stderr)
        self.assertFalse((self.project / "lithify.lock").exists())

    def test_the_lock_names_no_host(self):
        lock = (self.project / "lithify.lock").read_text()
        self.assertNotIn("://", lock)
        self.assertIn("format: 1", lock)

    def test_locked_with_a_good_lock_builds_and_without_one_refuses(self):
        self.assertEqual(self.build(self.project, "--locked"), self.expected)
        (self.project / "lithify.lock").unlink()
        result = self.lithify("build", "--locked", cwd=self.project, status=5)
        self.assertIn("L0210", result.stderr)
        self.assertFalse((self.project / "lithify.lock").exists())

    def test_a_changed_request_makes_the_lock_stale(self):
        build_file = self.project / "lithify.yaml"
        build_file.write_text(build_file.read_text().replace("tzdata]", "tzdata, dash]"))
        before = (self.project / "lithify.lock").read_text()
        for args in (["build", "--locked"], ["lock", "--check"]):
            result = self.lithify(*args, cwd=self.project, status=5)
            self.assertIn("dash", result.stderr)
        self.assertEqual((self.project / "lithify.lock").read_text(), before)
        self.lithify("lock", cwd=self.project)
        self.lithify("lock", "--check", cwd=self.project)
        self.assertIn("name: dash", (self.project / "lithify.lock").read_text())

    def test_json_names_the_images(self):
        document = json.loads(self.lithify("build", "--json", cwd=self.project).stdout)
        self.assertEqual(document["schema"], "lithify.build/1")
        self.assertEqual({i["name"]: i["digest"] for i in document["images"]}, self.expected)


if __name__ == "__main__":
    unittest.main()
