"""Images as others make them: gzip layers, OCI or docker manifests, for one platform or
several. Written with Python alone, pushed with skopeo."""
import gzip
import hashlib
import io
import json
import pathlib
import subprocess
import tarfile

KIND = "application/vnd.oci.image.{}+json"


def tar_of(files):
    """{"d/": None, "d/f": b"…", "l": "-> target"} as a tar."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name.rstrip("/"))
            info.mode, info.mtime = 0o644, 1_700_000_000
            if content is None:
                info.type, info.mode, content = tarfile.DIRTYPE, 0o755, b""
            elif isinstance(content, str):
                info.type, info.linkname, content = tarfile.SYMTYPE, content[3:], b""
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


class ForeignImage:
    """A layout with an image of `layers`, each {name: content}, for every platform."""

    def __init__(self, directory, layers, *, platforms=("amd64",), config=None, squeeze=1):
        self.layout = pathlib.Path(directory)
        (self.layout / "blobs/sha256").mkdir(parents=True)
        tars = [tar_of(files) for files in layers]
        self.layers = [self._put(gzip.compress(tar, squeeze, mtime=0),
                                 "application/vnd.oci.image.layer.v1.tar+gzip")
                       for tar in tars]
        ids = ["sha256:" + hashlib.sha256(tar).hexdigest() for tar in tars]
        manifests = [self._manifest(architecture, ids, config or {})
                     for architecture in platforms]
        root = manifests[0]
        if len(manifests) > 1:
            root = self._put_json({"schemaVersion": 2, "mediaType": KIND.format("index.v1"),
                                   "manifests": manifests}, "index.v1")
        self.digest = root["digest"]
        named = {**root, "annotations": {"org.opencontainers.image.ref.name": "base"}}
        (self.layout / "index.json").write_text(
            json.dumps({"schemaVersion": 2, "manifests": [named]}))
        (self.layout / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')

    @property
    def layer_digests(self):
        return [layer["digest"] for layer in self.layers]

    def push(self, registry, name, *flags):
        """With skopeo, to http://registry/name."""
        subprocess.run(["skopeo", "copy", "-q", "--all", "--insecure-policy",
                        "--dest-tls-verify=false", *flags, f"oci:{self.layout}:base",
                        f"docker://{registry.host}/{name}"], check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def _manifest(self, architecture, diff_ids, config):
        document = {"architecture": architecture, "os": "linux", "config": config,
                    "created": "2023-11-14T22:13:20Z",
                    "rootfs": {"type": "layers", "diff_ids": diff_ids}}
        manifest = {"schemaVersion": 2, "mediaType": KIND.format("manifest.v1"),
                    "config": self._put_json(document, "config.v1"), "layers": self.layers}
        descriptor = self._put_json(manifest, "manifest.v1")
        return {**descriptor, "platform": {"architecture": architecture, "os": "linux"}}

    def _put(self, data, media_type):
        name = hashlib.sha256(data).hexdigest()
        (self.layout / "blobs/sha256" / name).write_bytes(data)
        return {"mediaType": media_type, "digest": "sha256:" + name, "size": len(data)}

    def _put_json(self, document, kind):
        return self._put(json.dumps(document).encode(), KIND.format(kind))
