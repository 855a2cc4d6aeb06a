"""What goes wrong, told well: each mistake's whole text stands in tests/golden/errors, and
nothing that was there before is touched. LITHIFY_ACCEPT=1 rewrites the golden files."""
import os
import re
import subprocess
import unittest

from support import TOP, Scenario, needs, needs_root
from tiny_archive import TinyArchive

GOLDEN = TOP / "tests/golden/errors"
HEAD = "lithify: 1\nproject: bad\n"
SCRATCH = "image:\n  from: scratch\n  steps:\n"


class Mistake(Scenario):
    """A command that must fail, compared with a golden file."""

    def refused(self, name, status, *args, build_file=None, replace=()):
        """Runs a build that must fail; compares stderr; nothing may have changed."""
        if build_file is not None:
            self.write("lithify.yaml", build_file)
        before = self.snapshot()
        result = self.lithify(*(args or ("build",)), status=status,
                              store=self.folder / "store",
                              env={"COLUMNS": "80", "XDG_CONFIG_HOME": str(self.folder)})
        text = result.stderr
        for old, new in ((str(self.folder), "FOLDER"), *replace):
            text = text.replace(old, new)
        for pattern, stand_in in ((r"127\.0\.0\.1:\d+", "HOST"), (r"\b[0-9a-f]{64}\b", "HASH"),
                              (r"\b[0-9a-f]{8}…", "HASH"), (r"\b\d+ bytes", "SOME bytes"),
                              (r"\b[0-9A-F]{40}\b|\b[0-9A-F]{16}\b", "KEY")):
            text = re.sub(pattern, stand_in, text)
        text = text[text.index("error"):] if "error" in text else text  # progress is above
        text = re.sub(r"\n +(?=[^\s|=:\-\d])", " ", text)  # lines wrap by the folder's length
        golden = GOLDEN / f"{name}.txt"
        if os.environ.get("LITHIFY_ACCEPT"):
            golden.parent.mkdir(parents=True, exist_ok=True)
            golden.write_text(text)
        self.assertEqual(text, golden.read_text() if golden.exists() else "")
        self.assertEqual(result.stdout, "")
        self.assertEqual(self.snapshot(), before, "something was touched")

    def snapshot(self):
        return {p: (p.read_bytes() if p.is_file() and os.access(p, os.R_OK) else None)
                for p in self.folder.rglob("*")
                if "store" not in p.relative_to(self.folder).parts
                and not p.is_fifo()}



class BadInput(Mistake):
    def local(self, steps, sources="  here: {local: files}\n"):
        return HEAD + "sources:\n" + sources + SCRATCH + steps

    # ---- the build file -----------------------------------------------------------------

    def test_no_build_file(self):
        self.refused("no-build-file", 2)

    def test_wrong_type(self):
        self.refused("wrong-type", 2, build_file=HEAD + "image:\n  from: scratch\n  steps: 7\n")

    def test_unknown_keys_all_at_once(self):
        self.refused("unknown-keys", 2, build_file=HEAD + (
            "image:\n  form: scratch\n  steps:\n    - {copi: ., from: here, to: /x}\n"
            "  config:\n    entrypiont: [/hello]\n"))

    def test_what_is_not_built_yet_is_named(self):
        self.refused("not-yet", 2, build_file=HEAD + (
            "image:\n  from: scratch\n  matrix: {role: [a, b]}\n"))

    def test_from_in_a_circle(self):
        self.refused("circle", 2, build_file=HEAD + (
            "images:\n  a: {from: \"image:b\", steps: []}\n"
            "  b: {from: \"image:c\", steps: []}\n  c: {from: \"image:a\", steps: []}\n"))

    def test_a_path_that_leaves_the_image(self):
        self.refused("path-escape", 2, build_file=HEAD + SCRATCH +
                     "    - {file: /etc/../../x, text: a}\n")

    def test_two_steps_one_path_is_a_warning(self):
        self.write("lithify.yaml", HEAD + SCRATCH +
                   "    - {file: /etc/motd, text: a}\n    - {file: /etc/motd, text: b}\n")
        result = self.lithify("check")
        self.assertIn("/etc/motd", result.stderr)
        self.assertIn("lithify.yaml:6:", result.stderr)
        self.assertIn("lithify.yaml:7:", result.stderr)

    # ---- local files --------------------------------------------------------------------

    def test_a_missing_directory(self):
        self.refused("missing-source", 2,
                     build_file=self.local("    - {copy: ., from: here, to: /x}\n"))

    def test_a_missing_file(self):
        self.write("files/config.toml", "x")
        self.refused("missing-file", 2,
                     build_file=self.local("    - {copy: confg.toml, from: here, to: /x}\n"))

    def test_a_path_out_of_the_context(self):
        self.write("secret", "x")
        self.write("files/a", "x")
        self.refused("context-escape", 2,
                     build_file=self.local("    - {copy: ../secret, from: here, to: /x}\n"))

    def test_a_socket_among_the_files(self):
        self.write("files/a", "x")
        os.mkfifo(self.folder / "files/pipe")
        self.refused("special-file", 2,
                     build_file=self.local("    - {copy: ., from: here, to: /x}\n"))

    @unittest.skipIf(os.geteuid() == 0, "root reads everything")
    def test_an_unreadable_file(self):
        self.write("files/a", "x", mode=0)
        self.refused("unreadable", 2,
                     build_file=self.local("    - {copy: ., from: here, to: /x}\n"))

    def test_an_output_that_is_something_else(self):
        self.write("files/a", "x")
        self.write("out/mine", "precious")
        self.refused("foreign-output", 2, "build", "--output", "rootfs=out",
                     build_file=self.local("    - {copy: ., from: here, to: /x}\n"))

    # ---- locks --------------------------------------------------------------------------

    def test_a_broken_lock(self):
        self.write("files/a", "x")
        self.write("lithify.lock", "lock: 1\nformat: 1\n\npackages:\n  - name: [\n")
        self.refused("broken-lock", 2,
                     build_file=self.local("    - {copy: ., from: here, to: /x}\n"))

    def test_a_lock_from_the_future(self):
        self.write("files/a", "x")
        self.write("lithify.lock", "lock: 1\nformat: 9\n")
        self.refused("future-format", 2,
                     build_file=self.local("    - {copy: ., from: here, to: /x}\n"))

    def test_another_encoder(self):
        self.write("files/a", "x")
        self.write("lithify.lock", "lock: 1\nformat: 1\n\nencoders:\n  zstd: zstd-9.9.9\n")
        self.refused("other-encoder", 2, replace=[(self.encoder(), "ENCODER")],
                     build_file=self.local("    - {copy: ., from: here, to: /x}\n"))

    def encoder(self):
        self.write("other/lithify.yaml", HEAD + SCRATCH + "    - {dir: /x}\n")
        self.lithify("lock", cwd=self.folder / "other", store=self.folder / "store")
        lock = (self.folder / "other/lithify.lock").read_text()
        return re.search(r"zstd: (\S+)", lock).group(1)


@needs("gpg", "gpgv", "dpkg-deb")
class BadArchive(Mistake):
    """Everything a package archive can do to us."""

    def setUp(self):
        super().setUp()
        self.archive = TinyArchive(self.folder / "tiny")
        self.archive.add("hello", depends="libhello (>= 1)")
        self.archive.add("libhello")
        self.archive.add("lonely", depends="nowhere")
        self.archive.add("picky", depends="libhello (>= 9)")
        self.archive.add("enemy", conflicts="libhello")
        self.archive.publish()
        self.archive.__enter__()
        self.addCleanup(self.archive.__exit__)

    def packages(self, names):
        return (HEAD + "sources:\n" + self.archive.source() + SCRATCH +
                f"    - {{packages: [{names}], from: tiny}}\n")

    def rewrite(self, change, suffix="dists/stable/InRelease"):
        path = self.archive.root / suffix
        path.write_bytes(change(path.read_bytes()))

    def test_it_works_at_all(self):
        self.write("lithify.yaml", self.packages("hello"))
        self.build(self.folder, store=self.folder / "store")

    def test_an_unknown_package(self):
        self.refused("unknown-package", 2, build_file=self.packages("helo"))

    def test_an_unknown_version(self):
        self.refused("unknown-version", 2, build_file=self.packages("hello=7*"))

    def test_unsatisfiable(self):
        for name in ("lonely", "picky"):
            with self.subTest(package=name):
                self.refused(f"unsatisfiable-{name}", 2, build_file=self.packages(name))

    def test_a_conflict(self):
        self.refused("conflict", 2, build_file=self.packages("hello, enemy"))

    def test_an_unsigned_index(self):
        self.archive.publish(sign=False)
        self.refused("unsigned", 4, build_file=self.packages("hello"))

    def test_signed_by_a_stranger(self):
        stranger = TinyArchive(self.folder / "stranger")
        self.archive.keyring = stranger.keyring
        self.refused("stranger", 4, build_file=self.packages("hello"))

    def test_changed_after_signing(self):
        self.rewrite(lambda data: data.replace(b"Components: main", b"Components: evil"))
        self.refused("tampered-release", 4, build_file=self.packages("hello"))

    def test_expired(self):
        self.archive.valid_until = "Sun, 02 Nov 2025 00:00:00 UTC"
        self.archive.publish()
        self.refused("expired", 4, build_file=self.packages("hello"))

    def test_another_suite(self):
        self.archive.suite = "testing"
        self.archive.publish()
        (self.archive.root / "dists/testing").rename(self.archive.root / "dists/moved")
        subprocess.run(["rm", "-r", self.archive.root / "dists/stable"], check=True)
        (self.archive.root / "dists/moved").rename(self.archive.root / "dists/stable")
        self.archive.suite = "stable"
        self.refused("other-suite", 4, build_file=self.packages("hello"))

    def test_an_index_that_was_changed(self):
        for path in (self.archive.root / "dists/stable").rglob("*"):
            if path.is_file() and (path.name.startswith("Packages") or "by-hash" in str(path)):
                path.write_bytes(path.read_bytes()[:-1] + b"x")
        self.refused("tampered-index", 4, build_file=self.packages("hello"))

    def test_a_package_that_was_changed(self):
        deb = self.archive.root / "pool/libhello_1.0_amd64.deb"
        deb.write_bytes(deb.read_bytes()[:-1] + b"x")
        self.write("lithify.yaml", self.packages("hello"))
        self.lithify("lock", store=self.folder / "store")
        result = self.lithify("build", store=self.folder / "store", status=4)
        self.assertIn("libhello", result.stderr)
        self.assertIn("digest", result.stderr)

    def test_a_package_that_is_gone(self):
        self.write("lithify.yaml", self.packages("hello"))
        self.lithify("lock", store=self.folder / "store")
        (self.archive.root / "pool/libhello_1.0_amd64.deb").unlink()
        result = self.lithify("build", store=self.folder / "store", status=6)
        self.assertIn("libhello_1.0_amd64.deb", result.stderr)
        self.assertIn(self.archive.url, result.stderr)
        self.assertIn("lithify lock --update", result.stderr)

    def test_a_warm_store_does_not_believe_a_changed_blob(self):
        self.write("lithify.yaml", self.packages("hello"))
        expected = self.build(self.folder, store=self.folder / "store")
        for blob in (self.folder / "store/blobs/sha256").iterdir():
            blob.chmod(0o644)
            blob.write_bytes(blob.read_bytes()[:-1] + b"?")
        self.assertEqual(self.build(self.folder, "--no-cache", store=self.folder / "store"),
                         expected)


if __name__ == "__main__":
    unittest.main()
