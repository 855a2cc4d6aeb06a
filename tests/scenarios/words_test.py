"""Mistakes outside the build file are called what they are."""
import unittest

from support import Scenario

HEAD = "lithify: 1\nproject: words\n"


class Words(Scenario):
    def told(self, status, sources, steps, *args, base="scratch", env=None):
        """What stderr says of a build."""
        self.write("lithify.yaml", f"{HEAD}sources:\n  it: {sources}\nimage:\n"
                   f"  from: {base}\n  steps: [{steps}]\n")
        return self.lithify("build", *args, status=status, store=self.folder / "store",
                            env={"COLUMNS": "200", "XDG_CONFIG_HOME": str(self.folder),
                                 **(env or {})}).stderr

    def test_a_text_is_no_archive(self):
        self.write("notes.txt", "hello\n")
        said = self.told(2, "{archive: notes.txt}", "{copy: ., from: it, to: /x}")
        self.assertIn("notes.txt is no archive that lithify reads (tar, zip, ar)", said)
        self.assertNotIn("block", said)

    def test_a_layout_with_a_broken_index(self):
        self.write("base/oci-layout", '{"imageLayoutVersion": "1.0.0"}')
        self.write("base/index.json", "{oops")
        (self.folder / "base/blobs/sha256").mkdir(parents=True)
        said = self.told(2, "{layout: base}", "", base="it")
        self.assertIn("is not valid JSON: byte 2", said)
        self.assertNotIn("exception", said)

    def test_a_link_to_a_file_is_that_file(self):
        self.write("v1/tool", "x")
        (self.folder / "tool").symlink_to("v1/tool")
        self.told(0, "{local: tool}", "{copy: ., from: it, to: /tool}", "--output", "rootfs=out")
        self.assertEqual((self.folder / "out/tool").read_text(), "x")

    def test_an_include_that_takes_nothing(self):
        self.write("src/a.c", "x")
        said = self.told(0, "{local: src, include: ['*.h']}", "{copy: ., from: it, to: /x}")
        self.assertIn("`include` takes no file of", said)

    def test_a_mirror_that_is_no_address(self):
        said = self.told(2, "{apt: {suites: [s]}}", "{packages: [bash], from: it}",
                         env={"LITHIFY_APT_MIRROR": "mirror"})
        self.assertIn("LITHIFY_APT_MIRROR is neither http:// nor https://: mirror", said)

    def test_a_mirror_that_does_not_answer_may_later(self):
        said = self.told(6, "{apt: {suites: [s], uri: 'http://127.0.0.1:1/debian'}}",
                         "{packages: [bash], from: it}")
        self.assertIn("http://127.0.0.1:1/debian/dists/s/InRelease", said)

    def test_offline_asks_nobody(self):
        said = self.told(6, "{apt: {suites: [s]}}", "{packages: [bash], from: it}", "--offline")
        self.assertIn("the package indexes of `it` are not in the lock", said)


if __name__ == "__main__":
    unittest.main()
