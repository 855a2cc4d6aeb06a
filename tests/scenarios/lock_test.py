"""What the lock holds: it does not know where the build file lies, other steps and other
arguments shift nothing in it, and bytes that are not what was said are refused."""
import hashlib
import http.server
import io
import tarfile
import unittest

from loopback_server import LoopbackServer
from support import Scenario, needs
from tiny_archive import TinyArchive


def tar(text, compression="gz"):
    """An archive with one file; the same content in other bytes by `compression`."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=f"w:{compression}") as archive:
        member = tarfile.TarInfo("top/data")
        member.size, member.mtime = len(text), 1_000_000_000
        archive.addfile(member, io.BytesIO(text.encode()))
    return out.getvalue()


class Pages(LoopbackServer):
    """A web of a test's own: path -> bytes."""

    def __init__(self):
        self.pages = {}

    def handler(self):
        pages = self.pages

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = pages.get(self.path)
                self.send_response(200 if body is not None else 404)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_):
                pass

        return Handler


@needs("gpg", "dpkg-deb")
class Packages(Scenario):
    def setUp(self):
        super().setUp()
        self.store = self.folder / "store"
        self.archive = TinyArchive(self.folder / "tiny")
        for name in ("one", "two"):
            self.archive.add(name)
        self.archive.publish()
        self.archive.__enter__()
        self.addCleanup(self.archive.__exit__)

    def project(self, name, steps, args=""):
        self.write(f"{name}/lithify.yaml",
                   f"lithify: 1\n{args}sources:\n{self.archive.source()}"
                   f"image:\n  from: scratch\n  steps:\n{steps}")
        return self.folder / name

    def lock_of(self, project):
        return (project / "lithify.lock").read_text()

    def test_a_checkout_may_lie_anywhere(self):
        here = self.project("here", "    - {packages: [one], from: tiny}\n")
        digest = self.build(here)["here"]
        there = self.project("there", "    - {packages: [one], from: tiny}\n")
        (there / "lithify.lock").write_text(self.lock_of(here))
        self.assertEqual(self.build(there, "--locked")["there"], digest)
        self.assertIn("set: image/0/linux/amd64", self.lock_of(here))

    def test_other_steps_do_not_shift_a_set(self):
        project = self.project("p", "    - {packages: [one], from: tiny}\n")
        self.build(project)
        before = self.lock_of(project)
        self.project("p", "    - {dir: /zzz}\n    - {packages: [one], from: tiny}\n")
        self.build(project, "--locked")
        self.assertEqual(self.lock_of(project), before)

    def test_arguments_share_one_lock(self):
        args = "args: {d: {type: bool, default: false}}\n"
        steps = ("    - {packages: [two], from: tiny, when: {arg: {d: true}}}\n"
                 "    - {packages: [one], from: tiny}\n")
        project = self.project("p", steps, args)
        self.lithify("lock", cwd=project)
        self.lithify("lock", "--arg", "d=true", cwd=project)
        self.lithify("lock", cwd=project)
        for arguments in ([], ["--arg", "d=true"]):
            result = self.lithify("build", "--locked", *arguments, cwd=project)
            self.assertNotIn("nothing asks for", result.stderr)
        self.project("p", "    - {packages: [one], from: tiny}\n")
        # What was the second packages step is the first now.
        self.lithify("lock", cwd=project)
        result = self.lithify("lock", "--check", cwd=project)
        self.assertIn("set image/1/linux/amd64", result.stderr)
        self.assertIn("lithify lock --update", result.stderr)
        self.lithify("lock", "--update", cwd=project)
        self.assertNotIn("image/1", self.lock_of(project))

    def test_an_unrelated_edit_upgrades_nothing(self):
        project = self.project("p", "    - {packages: [one], from: tiny}\n")
        self.build(project)
        for name in ("one", "two"):
            self.archive.add(name, version="2.0")
        self.archive.publish()
        self.project("p", "    - {packages: [one, two], from: tiny}\n")
        self.build(project)
        self.assertIn("name: one\n    source: tiny\n    arch: amd64\n    version: 1.0",
                      self.lock_of(project))
        self.lithify("lock", "--update", "tiny", cwd=project)
        self.assertNotIn("version: 1.0", self.lock_of(project))


class Archives(Scenario):
    def setUp(self):
        super().setUp()
        self.store = self.folder / "store"

    def project(self, sources, steps):
        self.write("lithify.yaml", f"lithify: 1\nproject: p\nsources:\n{sources}"
                                   f"image:\n  from: scratch\n  steps:\n{steps}")

    def test_a_local_archive_is_held_to_its_sha256(self):
        (self.folder / "a.tgz").write_bytes(tar("a"))
        step = "    - {copy: ., from: a, to: /a}\n"
        good = hashlib.sha256((self.folder / "a.tgz").read_bytes()).hexdigest()
        self.project(f"  a: {{archive: a.tgz, sha256: {good}}}\n", step)
        self.build(self.folder)
        self.project(f"  a: {{archive: a.tgz, sha256: {'0' * 64}}}\n", step)
        result = self.lithify("build", status=4)
        self.assertRegex(result.stderr, r"the build\s+file says " + "0" * 64)
        self.assertIn("lithify.yaml:4", result.stderr)

    def test_sources_that_contradict_each_other(self):
        step = "    - {copy: ., from: a, to: /a}\n    - {copy: ., from: b, to: /b}\n"
        self.project(f"  a: {{url: \"https://example.org/x\", sha256: {'0' * 64}}}\n"
                     f"  b: {{url: \"https://example.org/x\", sha256: {'1' * 64}}}\n", step)
        for command in ("check", "build"):
            result = self.lithify(command, status=2)
            self.assertIn("two sources declare different sha256", result.stderr)

    def test_one_url_as_a_file_and_as_an_archive(self):
        with Pages() as web:
            web.pages["/a.tgz"] = tar("a")
            self.project(f"  a: {{url: \"{web.url}/a.tgz\"}}\n"
                         f"  b: {{archive: \"{web.url}/a.tgz\"}}\n",
                         "    - {copy: ., from: a, to: /a.tgz}\n"
                         "    - {copy: ., from: b, to: /b}\n")
            digest = self.build(self.folder)
            self.assertEqual(self.build(self.folder, "--locked"), digest)
            self.lithify("lock", "--update", "b")
            self.assertEqual(self.build(self.folder, "--locked"), digest)

    def test_an_archive_that_was_packed_anew(self):
        with Pages() as web:
            web.pages["/a.tgz"] = tar("a")
            self.project(f"  a: {{archive: \"{web.url}/a.tgz\"}}\n",
                         "    - {copy: ., from: a, to: /a}\n")
            digest = self.build(self.folder)
            before = (self.folder / "lithify.lock").read_text()
            web.pages["/a.tgz"] = tar("a", "xz")
            self.assertEqual(self.build(self.folder, "--locked"), digest)  # from the store
            self.store = self.folder / "empty"
            result = self.lithify("build", status=4)
            self.assertIn("--allow-repacked", result.stderr)
            result = self.lithify("build", "--locked", "--allow-repacked")
            self.assertIn("was packed anew", result.stderr)
            self.assertEqual(result.stdout.split()[1], digest["p"])
            self.assertEqual((self.folder / "lithify.lock").read_text(), before)
            self.build(self.folder, "--allow-repacked")
            self.assertNotEqual((self.folder / "lithify.lock").read_text(), before)
            self.assertEqual(self.build(self.folder, "--locked"), digest)
            web.pages["/a.tgz"] = tar("b")
            self.store = self.folder / "empty too"
            result = self.lithify("build", "--allow-repacked", status=4)
            self.assertIn("not what the lock says", result.stderr)

    def test_a_tree_of_the_lock_that_is_wrong(self):
        with Pages() as web:
            web.pages["/a.tgz"] = tar("a")
            self.project(f"  a: {{archive: \"{web.url}/a.tgz\"}}\n",
                         "    - {copy: ., from: a, to: /a}\n")
            self.build(self.folder)
        lock = self.folder / "lithify.lock"
        text = lock.read_text()
        at = text.index("tree: sha256:") + len("tree: sha256:")
        lock.write_text(text[:at] + "0" * 64 + text[at + 64:])
        result = self.lithify("build", status=4)
        self.assertIn("the content of a.tgz", result.stderr)


class Epoch(Scenario):
    def test_the_epoch_of_the_file_is_the_epoch_of_its_text(self):
        self.write("lithify.yaml", "lithify: 1\nproject: p\nepoch: 2026-11-01\n"
                                   "image:\n  from: scratch\n  steps: [{dir: /a}]\n"
                                   "  config: {labels: {e: $(epoch)}}\n")
        self.build(self.folder, "--output", "oci=out")
        self.assertIn('"e": "1793491200"',
                      self.lithify("inspect", "out", "--json").stdout.replace('":"', '": "'))


if __name__ == "__main__":
    unittest.main()
