"""Bases as other tools make them: marks, platforms, damage; and a store that heals."""
import gzip
import hashlib
import io
import json
import os
import pathlib
import tarfile
import unittest

from support import Scenario, needs

TAR = "application/vnd.oci.image.layer.v1.tar"


def layer(*members):
    """A layer's tar in the order given: "d/" is a directory, "l -> t" a symlink."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name in members:
            info = tarfile.TarInfo(name.partition(" -> ")[0].rstrip("/"))
            content = b""
            if name.endswith("/"):
                info.type, info.mode = tarfile.DIRTYPE, 0o755
            elif " -> " in name:
                info.type, info.linkname = tarfile.SYMTYPE, name.partition(" -> ")[2]
            elif "/.wh." not in "/" + name:
                content = name.encode()
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


class BaseImage(Scenario):
    def setUp(self):
        super().setUp()
        self.store = self.folder / "store"

    def base(self, *layers, architecture="amd64", kind=TAR, packed=lambda tar: tar,
             named=lambda tar: tar):
        """A layout with one image of these layers, and a build file on it."""
        blobs = self.folder / "base/blobs/sha256"
        blobs.mkdir(parents=True, exist_ok=True)

        def put(data, media_type):
            name = hashlib.sha256(data).hexdigest()
            (blobs / name).write_bytes(data)
            return {"mediaType": media_type, "digest": "sha256:" + name, "size": len(data)}

        config = {"architecture": architecture, "os": "linux", "config": {},
                  "rootfs": {"type": "layers",
                             "diff_ids": ["sha256:" + hashlib.sha256(named(tar)).hexdigest()
                                          for tar in layers]}}
        manifest = {"schemaVersion": 2,
                    "mediaType": "application/vnd.oci.image.manifest.v1+json",
                    "config": put(json.dumps(config).encode(),
                                  "application/vnd.oci.image.config.v1+json"),
                    "layers": [put(packed(tar), kind) for tar in layers]}
        root = put(json.dumps(manifest).encode(), manifest["mediaType"])
        root["annotations"] = {"org.opencontainers.image.ref.name": "base"}
        self.write("base/oci-layout", '{"imageLayoutVersion":"1.0.0"}')
        self.write("base/index.json",
                   json.dumps({"schemaVersion": 2, "manifests": [root]}))
        self.write("lithify.yaml", "lithify: 1\nproject: p\n"
                   "platforms: [linux/amd64]\n"
                   "sources: {base: {layout: base}}\n"
                   "image: {from: base, steps: [{file: /added, text: x}]}\n")

    def files(self):
        """What `tar` and `rootfs` both say is in the image."""
        self.build(self.folder, "--output", "tar=o.tar", "--output", "rootfs=root")
        with tarfile.open(self.folder / "o.tar") as tar:
            packed = {m.name + (" -> " + m.linkname if m.issym() else "/" if m.isdir() else "")
                      for m in tar if m.name not in ("", ".")}
        root = self.folder / "root"
        unpacked = set()
        for path in root.rglob("*"):
            end = (" -> " + os.readlink(path) if path.is_symlink()
                   else "/" if path.is_dir() else "")
            unpacked.add(str(path.relative_to(root)) + end)
        self.assertEqual(packed, unpacked)
        return packed - {"added"}

    def test_marks_of_the_base_have_done_their_work(self):
        cases = {
            "a whiteout": ([("d/", "d/a", "d/b"), ("d/.wh.a", "d/c")], {"d/", "d/b", "d/c"}),
            "of nothing": ([("a",), (".wh.q",)], {"a"}),
            "an opaque": ([("d/", "d/a"), ("d/", "d/.wh..wh..opq", "d/c")], {"d/", "d/c"}),
            "file, then directory": ([("d",), ("d/", "d/x")], {"d/", "d/x"}),
            "symlink, then directory": ([("e/", "e/y", "d -> e"), ("d/", "d/x")],
                                        {"e/", "e/y", "d/", "d/x"}),
            "directory, then symlink": ([("d/", "d/x"), ("d -> e",)], {"d -> e"}),
            "own file, then its mark": ([("a",), ("a", ".wh.a")], {"a"}),
            "mark, then own file": ([("a",), (".wh.a", "a")], {"a"}),
            "mark, then own directory": ([("d/", "d/a"), (".wh.d", "d/c")], {"d/", "d/c"}),
            "own directory, then mark": ([("d/", "d/a"), ("d/", "d/c", ".wh.d")],
                                         {"d/", "d/c"}),
        }
        for name, (layers, expected) in cases.items():
            with self.subTest(name):
                for old in ("lithify.lock", "o.tar"):
                    (self.folder / old).unlink(missing_ok=True)
                self.base(*(layer(*members) for members in layers))
                self.assertEqual(self.files(), expected)

    def test_files_are_copied_out_of_an_image(self):
        self.base(layer("usr/", "usr/bin/", "usr/bin/tool", "usr/bin/old", "bin -> usr/bin"),
                  layer("usr/", "usr/bin/", "usr/bin/.wh.old", "etc/", "etc/conf"))
        head = "lithify: 1\nplatforms: [linux/amd64]\nsources: {tools: {layout: base}}\n"
        for paths, expected in {
                "[/usr/bin/tool, etc/conf]": {"x/", "x/tool", "x/conf"},
                "/bin/tool": {"x/", "x/tool"},
                "/usr/bin": {"x/", "x/bin/", "x/bin/tool"},
                ".": {"x/", "x/usr/", "x/usr/bin/", "x/usr/bin/tool", "x/bin -> usr/bin",
                      "x/etc/", "x/etc/conf"}}.items():
            with self.subTest(paths):
                self.write("lithify.yaml", head + "image: {from: scratch, steps: "
                           f"[{{copy: {paths}, from: tools, into: /x}}]}}\n")
                self.assertEqual(self.files(), expected)
        self.write("lithify.yaml", head + "image: {from: scratch, steps: "
                   "[{copy: /usr/bin/old, from: tools, into: /x}]}\n")
        self.assertIn("is not in the source tools",
                      self.lithify("build", status=None).stderr)

    def test_a_base_of_another_architecture_is_refused(self):
        self.base(layer("a"), architecture="arm64")
        result = self.lithify("build", status=2)
        self.assertIn("is not there for linux/amd64", result.stderr)
        self.assertIn("it is there for: linux/arm64", result.stderr)
        build_file = self.folder / "lithify.yaml"
        build_file.write_text(build_file.read_text().replace("linux/amd64", "linux/arm64"))
        self.build(self.folder)

    def test_damaged_gzip_is_refused(self):
        def spoil(tar):
            data = bytearray(gzip.compress(tar, 0))
            data[data.find(b"hello") + 1] ^= 1
            return bytes(data)

        self.base(layer("hello"), kind=TAR + "+gzip", packed=spoil)
        result = self.lithify("build", "--output", "rootfs=root", status=2)
        self.assertIn("incorrect data check", result.stderr)
        self.assertFalse((self.folder / "root").exists())

    def test_a_layer_that_is_not_what_the_base_says_is_refused(self):
        self.base(layer("a"), named=lambda tar: b"another")
        result = self.lithify("build", "--output", "rootfs=root", status=4)
        self.assertIn("but its image says", result.stderr)
        self.assertFalse((self.folder / "root").exists())

    def test_inspect_shows_no_escapes_and_names_what_is_missing(self):
        self.base(layer("a"), architecture="amd64\x1b[31m")
        self.assertNotIn("\x1b", self.lithify("inspect", "base").stdout)
        self.write("base/index.json", '{"schemaVersion": 2, "manifests": []}')
        result = self.lithify("inspect", "base", status=None)
        self.assertIn("holds no image", result.stderr)


class Healing(Scenario):
    """Every output is written in one go, whatever happened to the store before."""

    def damage(self, store):
        for blob in (store / "blobs/sha256").iterdir():
            data = bytearray(blob.read_bytes())
            if not data:
                continue
            data[len(data) // 2] ^= 1
            blob.chmod(0o644)
            blob.write_bytes(data)

    @needs("skopeo")
    def test_one_build_is_enough(self):
        self.store = self.folder / "store"
        steps = "".join(f"    - {{file: /f{i}, text: t{i}, layer: l{i}}}\n" for i in range(6))
        self.write("lithify.yaml", "lithify: 1\nproject: p\nimage:\n  from: scratch\n"
                   "  steps:\n" + steps)
        outputs = {"oci": "lay", "oci-archive": "o.tar", "docker-archive": "d.tar",
                   "rootfs": "root", "tar": "t.tar"}
        expected = self.build(self.folder, "--output", "oci=lay")
        for kind, place in outputs.items():
            with self.subTest(kind):
                self.damage(self.store)  # and with it the layout that shares its files
                self.assertEqual(self.build(self.folder, "--output", f"{kind}={place}"),
                                 expected)
        self.build(self.folder, "--output", "oci=lay")
        for blob in (self.folder / "lay/blobs/sha256").iterdir():
            self.assertEqual(hashlib.sha256(blob.read_bytes()).hexdigest(), blob.name)
        self.run_program("skopeo", "inspect", f"oci:{self.folder}/lay:p")

    def test_a_pipe_in_the_place_of_a_file_is_no_wait(self):
        layout = pathlib.Path(self.folder / "base")
        (layout / "blobs/sha256").mkdir(parents=True)
        self.write("base/oci-layout", '{"imageLayoutVersion":"1.0.0"}')
        os.mkfifo(layout / "index.json")
        result = self.lithify("inspect", "base", status=2)
        self.assertIn("index.json is not a regular file", result.stderr)


if __name__ == "__main__":
    unittest.main()
