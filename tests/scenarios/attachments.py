"""What is attached to an image in a registry, read and written by hand: twins of signatures
are made of it. Keys are openssl's, so that nothing here is signed by code of ours."""
import base64
import hashlib
import json
import pathlib
import subprocess
import urllib.error
import urllib.request

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
PAYLOAD = "application/vnd.dev.cosign.simplesigning.v1+json"
ENVELOPE = "application/vnd.dsse.envelope.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIGNATURE = "dev.cosignproject.cosign/signature"
IN_TOTO = "application/vnd.in-toto+json"
SIGN_V1 = "https://sigstore.dev/cosign/sign/v1"


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def compact(document):
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def in_base64(data):
    return base64.b64encode(data).decode()


def pae(payload, kind=IN_TOTO):
    """What a DSSE signature is over."""
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)


def openssl(*words):
    return subprocess.run(["openssl", *map(str, words)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=True).stdout


class Key:
    """private and public are PEM files, PKCS#8 and SubjectPublicKeyInfo."""

    KINDS = {"p256": ["EC", "ec_paramgen_curve:P-256"],
             "p384": ["EC", "ec_paramgen_curve:P-384"],
             "p521": ["EC", "ec_paramgen_curve:P-521"],
             "rsa": ["RSA", "rsa_keygen_bits:2048"], "ed25519": ["ED25519"]}

    def __init__(self, folder, name, kind="p256"):
        self.kind, self.name = kind, name
        self.folder = pathlib.Path(folder)
        self.private, self.public = self.folder / f"{name}.key", self.folder / f"{name}.pub"
        algorithm, *option = self.KINDS[kind]
        openssl("genpkey", "-algorithm", algorithm,
                *[word for one in option for word in ("-pkeyopt", one)],
                "-out", self.private)
        openssl("pkey", "-in", self.private, "-pubout", "-out", self.public)

    @property
    def hint(self):
        """As cosign names a key: the digest of its DER."""
        der = openssl("pkey", "-pubin", "-in", self.public, "-outform", "DER")
        return in_base64(hashlib.sha256(der).digest())

    def _file(self, name, data):
        path = self.folder / f"{self.name}.{name}"
        path.write_bytes(data)
        return path

    def sign(self, data, hash_name="sha256", pss=False):
        message = self._file("message", data)
        if self.kind == "ed25519":
            return openssl("pkeyutl", "-sign", "-rawin", "-inkey", self.private, "-in",
                           message)
        options = ["-sigopt", "rsa_padding_mode:pss"] if pss else []
        return openssl("dgst", f"-{hash_name}", *options, "-sign", self.private, message)

    def verifies(self, data, signature):
        """openssl's verdict."""
        message, file = self._file("message", data), self._file("signature", signature)
        try:
            if self.kind == "ed25519":
                openssl("pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", self.public,
                        "-in", message, "-sigfile", file)
            else:
                openssl("dgst", "-sha256", "-verify", self.public, "-signature", file,
                        message)
        except subprocess.CalledProcessError:
            return False
        return True


class Attachments:
    """Of one manifest in one repository of a registry without the referrers API."""

    def __init__(self, registry, repository, manifest):
        self.registry, self.repository, self.manifest = registry, repository, manifest
        self.base = f"{registry.url}/v2/{repository}"
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    # ---- the registry's protocol ---------------------------------------------------------

    def ask(self, method, address, data=None, **headers):
        request = urllib.request.Request(
            address if "://" in address else f"{self.base}/{address}", data, method=method,
            headers={name.replace("_", "-"): value for name, value in headers.items()})
        with self.opener.open(request) as answer:
            return answer.headers, answer.read()

    def get(self, reference):
        """A manifest's bytes, None if there is none."""
        try:
            return self.ask("GET", f"manifests/{reference}",
                            Accept=f"{MANIFEST}, {INDEX}")[1]
        except urllib.error.HTTPError as answer:
            if answer.code != 404:
                raise
            return None

    def blob(self, digest):
        return self.ask("GET", f"blobs/{digest}")[1]

    def put_blob(self, data, media_type, **annotations):
        """Its descriptor."""
        where = self.ask("POST", "blobs/uploads/", b"")[0]["Location"]
        mark = "&" if "?" in where else "?"
        self.ask("PUT", f"{where}{mark}digest={digest_of(data)}", data,
                 Content_Type="application/octet-stream")
        found = {"mediaType": media_type, "digest": digest_of(data), "size": len(data)}
        return {**found, "annotations": annotations} if annotations else found

    def put(self, document, media_type=MANIFEST, reference=None):
        data = compact(document)
        self.ask("PUT", f"manifests/{reference or digest_of(data)}", data,
                 Content_Type=media_type)
        return {"mediaType": media_type, "digest": digest_of(data), "size": len(data)}

    def delete(self, reference):
        data = self.get(reference)
        if data is not None:
            self.ask("DELETE", f"manifests/{digest_of(data)}")

    # ---- what is attached ----------------------------------------------------------------

    @property
    def tag(self):
        return self.manifest.replace(":", "-")

    def classic(self):
        """[(payload, signature)] of the tag for classic signatures."""
        document = json.loads(self.get(f"{self.tag}.sig") or b'{"layers": []}')
        return [(self.blob(layer["digest"]),
                 base64.b64decode(layer["annotations"][SIGNATURE]))
                for layer in document["layers"]]

    def bundles(self, predicate_type=None):
        """[bytes] of the referrers that the fallback tag lists."""
        found = []
        for one in json.loads(self.get(self.tag) or b'{"manifests": []}')["manifests"]:
            document = json.loads(self.get(one["digest"]))
            kind = document["annotations"]["dev.sigstore.bundle.predicateType"]
            if predicate_type in (None, kind):
                found.append(self.blob(document["layers"][0]["digest"]))
        return found

    def clear(self):
        for tag in (self.tag, f"{self.tag}.sig", f"{self.tag}.att"):
            self.delete(tag)

    def put_classic(self, payload, signature):
        """`signature` is base64 if it is text. Replaces what was there."""
        text = signature if isinstance(signature, str) else in_base64(signature)
        self._put_layers(".sig", [self.put_blob(payload, PAYLOAD, **{SIGNATURE: text})])

    def put_envelope(self, envelope, predicate_type):
        self._put_layers(".att", [self.put_blob(
            envelope, ENVELOPE, **{SIGNATURE: "", "predicateType": predicate_type})])

    def _put_layers(self, suffix, layers):
        config = self.put_blob(compact({"architecture": "", "os": "", "rootfs": {
            "type": "layers", "diff_ids": [one["digest"] for one in layers]}}), CONFIG)
        self.put({"schemaVersion": 2, "mediaType": MANIFEST, "config": config,
                  "layers": layers}, reference=self.tag + suffix)

    def put_bundle(self, text, media_type=BUNDLE, predicate_type=SIGN_V1):
        """The one referrer, replacing what was there."""
        subject = self.get(self.manifest)
        kind = json.loads(subject)["mediaType"]
        artifact = {
            "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": media_type,
            "config": self.put_blob(b"{}", EMPTY),
            "layers": [self.put_blob(text, media_type)],
            "subject": {"mediaType": kind, "digest": self.manifest, "size": len(subject)},
            "annotations": {"dev.sigstore.bundle.content": "dsse-envelope",
                            "dev.sigstore.bundle.predicateType": predicate_type}}
        entry = {**self.put(artifact), "artifactType": media_type,
                 "annotations": artifact["annotations"]}
        self.put({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}, INDEX,
                 self.tag)


def statement(digest, predicate_type=SIGN_V1, predicate=None, annotations=None):
    return compact({"_type": "https://in-toto.io/Statement/v1",
                    "subject": [{"digest": {"sha256": digest.split(":")[1]},
                                 "annotations": annotations or {}}],
                    "predicateType": predicate_type, "predicate": predicate or {}})


def envelope_of(payload, signature, kind=IN_TOTO):
    return {"payload": in_base64(payload), "payloadType": kind,
            "signatures": [{"sig": in_base64(signature)}]}


def bundle_of(payload, signature, hint, media_type=BUNDLE):
    return compact({"mediaType": media_type,
                    "verificationMaterial": {"publicKey": {"hint": hint}},
                    "dsseEnvelope": envelope_of(payload, signature)})
