"""Stages: what they hold is copied, built upon and shared; what nobody needs is not built."""
import json
import unittest

from support import Scenario, files_of, manifest_of

FILE = """\
lithify: 1
project: stages
sources: {src: {local: src}}
stages:
  files:
    from: scratch
    steps:
      - {copy: ., from: src, to: /srv}
      - remove: [/srv/a]
      - {file: /out/c, text: "c\\n", mode: 600}
  above:
    from: files
    steps:
      - {symlink: /out/l, target: c}
      - {copy: srv, from: files, to: /out/copied, owner: "5:6"}
  never: {from: scratch, steps: [{copy: ., from: src, to: /never}]}
  idle: {from: never, steps: [{dir: /x}]}
images:
  copied: {from: scratch, steps: [{copy: out, from: above, to: /data}]}
  upon: {from: above, steps: [{copy: out/c, from: above, into: /x}]}
outputs: [{oci: out/$(image.name)}]
"""


class Stages(Scenario):
    def setUp(self):
        super().setUp()
        self.write("src/a", "a\n")
        self.write("src/b", "b\n")
        self.write("lithify.yaml", FILE)

    def test_files_come_from_stages(self):
        self.build(self.folder)
        copied = files_of(self.folder / "out/copied")
        self.assertEqual({path: fact[0] for path, fact in copied.items()}, {
            "data": "dir", "data/c": "file", "data/l": "symlink", "data/copied": "dir",
            "data/copied/b": "file"})
        self.assertEqual(copied["data/copied/b"][2:4], (0, 0))  # an owner is the copy's own
        upon = files_of(self.folder / "out/upon")
        self.assertEqual(upon["out/copied/b"][2:4], (5, 6))
        self.assertEqual(upon["out/c"][1], "0o600")
        self.assertIn("x/c", upon)
        self.assertNotIn("srv/a", upon)

    def test_steps_of_a_stage_are_layers_of_what_is_built_upon_it(self):
        self.build(self.folder)
        self.assertEqual(len(manifest_of(self.folder / "out/copied")["layers"]), 1)
        self.assertEqual(len(manifest_of(self.folder / "out/upon")["layers"]), 6)

    def test_one_digest_for_any_store_folder_and_number_of_jobs(self):
        first = self.build(self.folder, "-j1", store=self.folder / "s1")
        other = self.folder / "other"
        other.mkdir()
        for name in ("src", "lithify.yaml"):
            self.run_program("cp", "-r", self.folder / name, other)
        self.assertEqual(self.build(other, "-j8", store=self.folder / "s2"), first)
        self.assertEqual(self.build(other, "-j8", store=self.folder / "s2"), first)

    def test_what_is_in_a_stage_of_a_layout_has_no_whiteouts(self):
        self.build(self.folder)
        self.write("lithify.yaml", """\
lithify: 1
project: next
sources: {base: {layout: out/upon}}
stages: {less: {from: base, steps: [{remove: [/out/c, /x]}, {file: /srv/n, text: n}]}}
image: {from: scratch, steps: [{copy: ., from: less, to: /all}]}
outputs: [{oci: out/next}]
""")
        self.build(self.folder)
        self.assertEqual(sorted(files_of(self.folder / "out/next")), [
            "all", "all/out", "all/out/copied", "all/out/copied/b", "all/out/l", "all/srv",
            "all/srv/b", "all/srv/n"])

    def test_a_plan_has_the_stages_that_something_needs(self):
        document = json.loads(self.lithify("plan", "--json", "--platform", "linux/arm64",
                                           store=self.folder / "s").stdout)
        self.assertEqual([stage["name"] for stage in document["stages"]], ["above", "files"])
        self.assertEqual({stage["platform"] for stage in document["stages"]}, {"linux/arm64"})
        self.assertFalse([s for s in document["steps"] if "never" in s["label"]])

    def test_a_stage_that_nothing_uses_is_told(self):
        said = self.lithify("check").stderr
        self.assertIn("nothing uses stage `idle`", said)
        self.assertNotIn("stage `never`", said)

    def test_a_structure_test_is_told_with_its_lines(self):
        self.write("tests.yaml", 'schemaVersion: 2.0.0\ncommandTests: [{command: [a]}]\n')
        self.write("lithify.yaml", "lithify: 1\nimage: {from: scratch, tests: "
                                   "[{structure-test: tests.yaml}]}\n")
        said = self.lithify("check", status=2).stderr
        self.assertIn("tests.yaml:2:26", said)
        self.assertIn("commandTests: [{command: [a]}]", said)


if __name__ == "__main__":
    unittest.main()
