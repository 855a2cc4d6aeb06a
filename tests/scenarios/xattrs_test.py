"""Extended attributes of the build file are in the layer as the kernel has them."""
import base64
import io
import json
import tarfile
import unittest

from support import Scenario

CAPABILITY = base64.b64decode("AQAAAgAgAAAAAAAAAAAAAAAAAAA=")


class Xattrs(Scenario):
    def test_values_are_written_decoded(self):
        self.write("lithify.yaml", """\
lithify: 1
project: x
image:
  from: scratch
  layering: {compression: none}
  steps:
    - {file: /bin/ping, text: x, mode: 755}
    - attrs: [/bin/ping]
      xattrs:
        user.plain: text
        user.hex: 0x00ff
        security.capability: 0sAQAAAgAgAAAAAAAAAAAAAAAAAAA=
outputs: [{oci: out}]
""")
        self.lithify("build")
        blobs = self.folder / "out/blobs/sha256"
        index = json.loads((self.folder / "out/index.json").read_text())
        manifest = json.loads((blobs / index["manifests"][0]["digest"][7:]).read_text())
        if "manifests" in manifest:
            manifest = json.loads((blobs / manifest["manifests"][0]["digest"][7:]).read_text())
        layer = (blobs / manifest["layers"][-1]["digest"][7:]).read_bytes()
        with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
            records = tar.getmember("bin/ping").pax_headers
        xattrs = {name.removeprefix("SCHILY.xattr."): value.encode("utf-8", "surrogateescape")
                  for name, value in records.items() if name.startswith("SCHILY.xattr.")}
        self.assertEqual(xattrs, {"user.plain": b"text", "user.hex": b"\0\xff",
                                  "security.capability": CAPABILITY})


if __name__ == "__main__":
    unittest.main()
