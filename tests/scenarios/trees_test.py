"""What steps do to each other's files: directories on symlinks, files below files,
patterns that lead through symlinks, and modes out of git's index."""
import subprocess
import unittest

from support import Scenario, files_of, needs

MERGED = ("    - {dir: /usr/lib}\n    - {file: /usr/lib/libc.so, text: c}\n"
          "    - {symlink: /lib, target: usr/lib}\n")


class Trees(Scenario):
    def setUp(self):
        super().setUp()
        self.store = self.folder / "store"

    def project(self, steps, head="", sources="  src: {local: src}\n"):
        self.write("lithify.yaml", f"lithify: 1\nproject: p\n{head}sources:\n{sources}"
                                   f"image:\n  from: scratch\n  steps:\n{steps}")

    # ---- directories on symlinks --------------------------------------------------------

    def test_a_copied_directory_goes_through_a_symlink(self):
        self.write("src/lib/systemd/u.service", "unit\n")
        self.project(MERGED + "    - {copy: ., from: src, to: /}\n")
        self.build(self.folder, "--output", "oci=out", "--output", "rootfs=root")
        files = files_of(self.folder / "out")
        self.assertEqual(files["lib"][-1], "usr/lib")
        self.assertIn("usr/lib/systemd/u.service", files)
        self.assertIn("usr/lib/libc.so", files)
        self.assertFalse([path for path in files if path.startswith("lib/")])
        self.assertTrue((self.folder / "root/lib").is_symlink())
        self.assertEqual((self.folder / "root/lib/systemd/u.service").read_text(), "unit\n")
        self.assertEqual((self.folder / "root/lib/libc.so").read_text(), "c")

    @needs("umoci", "skopeo")
    def test_other_tools_unpack_it_so(self):
        self.write("src/lib/systemd/u.service", "unit\n")
        self.project(MERGED + "    - {copy: ., from: src, to: /}\n")
        self.build(self.folder, "--output", "oci=out")
        root = self.bundle(self.folder / "out") / "rootfs"
        self.assertTrue((root / "lib").is_symlink())
        self.assertEqual((root / "lib/systemd/u.service").read_text(), "unit\n")

    def test_a_directory_on_a_symlink_to_a_file(self):
        self.project("    - {file: /b, text: x}\n    - {symlink: /a, target: b}\n"
                     "    - {dir: /a}\n", sources="  {}\n")
        result = self.lithify("build", status=2)
        self.assertIn("/a is a symlink to b, which is no directory", result.stderr)
        self.assertIn("lithify.yaml:9", result.stderr)

    # ---- files below files --------------------------------------------------------------

    def test_a_file_below_a_file(self):
        steps = "    - {file: /a, text: x}\n    - {file: /a/b, text: x}\n"
        self.project(steps, sources="  {}\n")
        for command in ("check", "build"):
            result = self.lithify(command, status=2)
            self.assertIn("error[L0110]", result.stderr)
            self.assertIn("lithify.yaml:9", result.stderr)

    def test_a_file_below_a_copied_file(self):
        self.write("src/a", "x")
        for strategy in ("by-step", "single"):
            with self.subTest(strategy=strategy):
                self.project("    - {copy: a, from: src, to: /a}\n"
                             "    - {file: /a/b, text: x}\n  layering: {strategy: "
                             + strategy + "}\n")
                result = self.lithify("build", "--output", "oci=out", status=2)
                self.assertIn("/a is a file", result.stderr)
                self.assertIn("lithify.yaml:9", result.stderr)

    # ---- patterns -----------------------------------------------------------------------

    def test_removals_reach_through_symlinks(self):
        self.project(MERGED + "    - {remove: [/lib/libc.so]}\n", sources="  {}\n")
        self.build(self.folder, "--output", "oci=out")
        self.assertNotIn("usr/lib/libc.so", files_of(self.folder / "out"))

    def test_a_removal_of_nothing_is_told_once_with_its_place(self):
        self.project("    - {dir: /a}\n    - {remove: [/b]}\n", sources="  {}\n")
        result = self.lithify("build", "--platform", "linux/amd64,linux/arm64")
        self.assertEqual(result.stderr.count("lithify.yaml:9: /b is not there"), 1)

    # ---- git ----------------------------------------------------------------------------

    @needs("git")
    def test_modes_of_the_git_index(self):
        def git(*args):
            subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@example.org",
                            *args], cwd=self.folder, check=True, capture_output=True)
        tool = self.write("src/tool", "x", 0o644)
        self.write("src/text", "x", 0o644)
        (self.folder / "src/link").symlink_to("text")
        git("init", "-q")
        git("add", "src")
        git("update-index", "--chmod=+x", "src/tool")
        git("commit", "-qm", "x")
        self.project("    - {copy: ., from: src, to: /s}\n",
                     sources="  src: {local: src, modes: git}\n")
        digest = self.build(self.folder, "--output", "oci=out")
        files = files_of(self.folder / "out")
        self.assertEqual(files["s/tool"][1], "0o755")
        self.assertEqual(files["s/text"][1], "0o644")
        self.assertEqual(files["s/link"][-1], "text")
        # A checkout on a file system without modes and symlinks.
        tool.chmod(0o600)
        (self.folder / "src/text").chmod(0o777)
        (self.folder / "src/link").unlink()
        self.write("src/link", "text")
        self.assertEqual(self.build(self.folder), digest)

    def test_modes_of_git_without_git(self):
        self.write("src/tool", "x")
        self.project("    - {copy: ., from: src, to: /s}\n",
                     sources="  src: {local: src, modes: git}\n")
        result = self.lithify("build", status=2)
        self.assertIn("modes: git", result.stderr)
        self.assertIn("lithify.yaml:4", result.stderr)


if __name__ == "__main__":
    unittest.main()
