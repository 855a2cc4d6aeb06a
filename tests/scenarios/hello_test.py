"""examples/hello: a static C program on nothing, accepted and run by other people's tools."""
import json
import subprocess
import unittest

from support import (Scenario, config_of, files_of, layer_members, manifest_of, needs,
                     needs_root)

EPOCH = 315532800


class Hello(Scenario):
    def setUp(self):
        super().setUp()
        self.project = self.example("hello")
        subprocess.run(["gcc", "-static", "-O2", "-o", "hello", "hello.c"],
                       cwd=self.project, check=True)
        self.digests = self.build(self.project)
        self.layout = self.project / "out/hello"

    def test_prints_name_and_digest_of_what_is_in_the_layout(self):
        index = json.loads((self.layout / "index.json").read_text())
        self.assertEqual(self.digests, {"hello": index["manifests"][0]["digest"]})

    def test_the_image_is_the_program_and_nothing_else(self):
        files = files_of(self.layout)
        self.assertEqual(list(files), ["hello"])
        kind, mode, uid, gid, mtime, _ = files["hello"]
        self.assertEqual((kind, mode, uid, gid, mtime), ("file", "0o555", 0, 0, EPOCH))
        config = config_of(self.layout)
        self.assertEqual(config["config"], {"Entrypoint": ["/hello"], "User": "65532:65532"})
        self.assertEqual(config["created"], "1980-01-01T00:00:00Z")

    def test_a_second_build_is_the_same_and_writes_nothing_new(self):
        before = {p: p.stat().st_mtime_ns for p in self.layout.rglob("*") if p.is_file()}
        self.assertEqual(self.build(self.project, "--locked"), self.digests)
        after = {p: p.stat().st_mtime_ns for p in self.layout.rglob("*") if p.is_file()
                 and p.name != "index.json"}
        self.assertEqual({p: t for p, t in before.items() if p.name != "index.json"}, after)

    @needs("skopeo")
    def test_skopeo_inspects_and_copies_it(self):
        seen = json.loads(self.run_program("skopeo", "inspect", f"oci:{self.layout}"))
        self.assertEqual(seen["Digest"], self.digests["hello"])
        self.assertEqual(seen["Architecture"], config_of(self.layout)["architecture"])
        self.run_program("skopeo", "copy", "--insecure-policy", f"oci:{self.layout}",
                         f"dir:{self.folder}/copy")
        copied = json.loads((self.folder / "copy/manifest.json").read_text())
        self.assertEqual(copied["layers"], manifest_of(self.layout)["layers"])

    @needs("skopeo")
    def test_archives_are_accepted(self):
        self.build(self.project, "--output", "oci-archive=hello.oci.tar",
                   "--output", "docker-archive=hello.docker.tar")
        for kind in ("oci", "docker"):
            seen = json.loads(self.run_program(
                "skopeo", "inspect", f"{kind}-archive:{self.project}/hello.{kind}.tar"))
            self.assertEqual(seen["Created"], "1980-01-01T00:00:00Z")

    @needs("runc", "skopeo", "umoci")
    @needs_root()
    def test_runc_runs_it(self):
        self.assertEqual(self.run_bundle(self.bundle(self.layout)),
                         "hello from an image made of one file\n")

    @needs("podman")
    @needs_root()
    def test_podman_runs_it(self):
        self.assertEqual(self.podman_run(self.layout),
                         "hello from an image made of one file\n")

    def test_the_layer_has_no_names_and_no_padding(self):
        for descriptor in manifest_of(self.layout)["layers"]:
            for member in layer_members(self.layout, descriptor):
                self.assertEqual((member.uname, member.gname), ("", ""))


if __name__ == "__main__":
    unittest.main()
