"""What the scenarios with registries share: a home of one's own, build files, assertions
about what a registry was asked."""
import hashlib
import json
import os
import random
import re
import urllib.request

from registry import Registry
from support import TOP, Scenario

GOLDEN = TOP / "tests/golden/registry"
ACCEPT = ", ".join(f"application/vnd.{kind}+json" for kind in (
    "oci.image.index.v1", "oci.image.manifest.v1", "docker.distribution.manifest.list.v2",
    "docker.distribution.manifest.v2"))


def noise(size, seed):
    """Bytes that no compression makes smaller, the same ones for the same seed."""
    return random.Random(seed).randbytes(size)


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def count(requests, method, part=""):
    return len([one for one in requests if one.startswith(method + " ") and part in one])


def uploads(requests):
    """Digests of the blobs whose bytes arrived."""
    found = (re.match(r"PUT \S+digest=sha256(?:%3A|:)([0-9a-f]+)\S* 201", one)
             for one in requests)
    return sorted("sha256:" + one.group(1) for one in found if one)


class RegistryScenario(Scenario):
    """No configuration, credential or proxy of the person who runs the tests is read."""

    def setUp(self):
        super().setUp()
        self.store = self.folder / "store"
        self.home = self.folder / "home"
        self.config = self.home / ".config"
        self.config.mkdir(parents=True)
        self.environment = {"HOME": str(self.home), "XDG_CONFIG_HOME": str(self.config),
                            "XDG_RUNTIME_DIR": str(self.home / "run"), "COLUMNS": "100",
                            "http_proxy": "", "https_proxy": ""}

    def lithify(self, *args, env=None, **kwargs):
        return super().lithify(*args, env={**self.environment, **(env or {})}, **kwargs)

    def registry(self, name="registry", **options):
        """A running registry, stopped after the test."""
        made = Registry(self.folder / name, **options)
        self.addCleanup(made.stop)
        return made.start()

    def project(self, files, push="", *, base="scratch", sources="", steps="", name="demo",
                platforms="linux/amd64", where="project"):
        """A project whose image has each file in a layer of its own."""
        folder = self.folder / where
        (folder / "files").mkdir(parents=True, exist_ok=True)
        text = (f"lithify: 1\nproject: {name}\nplatforms: [{platforms}]\nsources:\n"
                f"  files: {{local: files}}\n{sources}image:\n  from: {base}\n  steps:\n")
        for path, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            (folder / "files" / path).write_bytes(data)
            text += f"    - {{copy: {path}, from: files, into: /srv, layer: {path}}}\n"
        text += steps
        if push:
            text += f"push:\n{push}"
        (folder / "lithify.yaml").write_text(text)
        return folder

    # ---- what is in a registry, without any code of ours --------------------------------

    def get(self, registry, path, accept=ACCEPT):
        request = urllib.request.Request(f"http://{registry.host}/v2/{path}",
                                         headers={"Accept": accept})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return answer.read()

    def document(self, registry, repository, reference):
        """(its digest, what it says)"""
        data = self.get(registry, f"{repository}/manifests/{reference}")
        return digest(data), json.loads(data)

    def assert_complete(self, registry, repository, reference):
        """Every byte that an image names is there and right; returns its digest."""
        name, document = self.document(registry, repository, reference)
        for manifest in document.get("manifests", []):
            self.assertEqual(
                self.assert_complete(registry, repository, manifest["digest"]),
                manifest["digest"])
        for blob in [document.get("config"), *document.get("layers", [])]:
            if blob:
                data = self.get(registry, f"{repository}/blobs/{blob['digest']}")
                self.assertEqual((digest(data), len(data)), (blob["digest"], blob["size"]))
        return name

    def tags(self, registry, repository):
        return sorted(json.loads(self.get(registry, f"{repository}/tags/list"))["tags"] or [])

    # ---- texts ---------------------------------------------------------------------------

    def assert_golden(self, name, text, *registries):
        """Compares what a user sees; LITHIFY_ACCEPT=1 writes it anew."""
        for number, registry in enumerate(registries):
            text = text.replace(registry.host, "HOST" if number == 0 else f"HOST{number}")
        text = text.replace(str(self.folder), "FOLDER")
        for pattern, stand_in in ((r"\b[0-9a-f]{64}\b", "HASH"), (r"\b[0-9a-f]{8}…", "HASH"),
                                  (r"localhost:\d+", "OTHER"),
                                  (r"\b[\d.]+ [kM]?B\b", "SIZE")):
            text = re.sub(pattern, stand_in, text)
        if "error" in text:
            text = text[text.index("error"):]  # progress is above
            text = re.sub(r"\n +(?=[^\s|=:\-\d])", " ", text)  # wrapped by the host's length
            # What libraries say.
            text = re.sub(r"(?<=is not trusted: |cannot be read: ).*", "WHY", text)
        golden = GOLDEN / f"{name}.txt"
        if os.environ.get("LITHIFY_ACCEPT"):
            golden.parent.mkdir(parents=True, exist_ok=True)
            golden.write_text(text)
        self.assertEqual(text, golden.read_text() if golden.exists() else "")
