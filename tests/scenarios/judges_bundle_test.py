"""Bundles before cosign 3 and npm's @sigstore/verify, by openssl's hand too: signatures and
attestations that lithify made are accepted, and no twin of them."""
import base64
import json
import unittest

from attachments import (IN_TOTO, SIGN_V1, bundle_of, compact, digest_of, in_base64, pae,
                         statement)
from judge_scenario import JudgeScenario, Twin
from judges import referrers_by_oras
from support import needs, needs_peers

STAGE = ("--annotation", "stage=release")
VEX = "https://openvex.dev/ns"
TESTS = "https://in-toto.io/attestation/test-result/v0.1"


def put(change):
    """The bundle as a document, changed; its signature stays."""
    def make(test):
        document = json.loads(test.bundle)
        change(document, test)
        test.at.put_bundle(compact(document))
    return make


def text(before, after):
    """The bundle as text, changed."""
    def make(test):
        if before not in test.bundle:
            raise AssertionError(f"{before} is not in {test.bundle}")
        test.at.put_bundle(test.bundle.replace(before, after))
    return make


def signed(change=lambda payload, test: payload, key="mine", hint=None, kind=IN_TOTO, **how):
    """Another statement, signed in earnest."""
    def make(test):
        payload = change(test.payload, test)
        signature = test.key(key).sign(pae(payload, kind), **how)
        made = json.loads(bundle_of(payload, signature, test.key(hint or key).hint))
        made["dsseEnvelope"]["payloadType"] = kind
        test.at.put_bundle(compact(made))
    return make


def said(**changes):
    """The statement with other members."""
    return signed(lambda payload, _: compact({**json.loads(payload), **changes}))


def replaced(before, after):
    def change(payload, _):
        if before not in payload:
            raise AssertionError(f"{before} is not in {payload}")
        return payload.replace(before, after)
    return signed(change)


def spoil_payload(document, test):
    document["dsseEnvelope"]["payload"] = in_base64(
        test.payload.replace(b"release", b"relaese"))


def spoil_signature(document, _):
    one = document["dsseEnvelope"]["signatures"][0]
    raw = base64.b64decode(one["sig"])
    one["sig"] = in_base64(raw[:-1] + bytes([raw[-1] ^ 1]))


def turn_into_a_file_signature(document, test):
    document["messageSignature"] = {
        "messageDigest": {"algorithm": "SHA2_256",
                          "digest": in_base64(bytes.fromhex(test.digest[7:]))},
        "signature": document.pop("dsseEnvelope")["signatures"][0]["sig"]}


def chain(document, _):
    document["verificationMaterial"] = {"x509CertificateChain": {
        "certificates": [{"rawBytes": "AAAA"}]}}


def cut_on_disk(test):
    test.at.put_bundle(test.bundle)
    blob = test.server.blob(digest_of(test.bundle))
    blob.write_bytes(blob.read_bytes()[:-20])
    return lambda: blob.write_bytes(test.bundle)


def older(document, _):
    document["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.2"


NPM = {"npm": "it verifies the envelope; what the statement says is for its caller to read"}
LAST = {"npm": "JSON.parse takes the last of two members"}

TWINS = [
    Twin("a payload changed under its signature", put(spoil_payload), "signature"),
    Twin("one bit of the signature", put(spoil_signature), "signature"),
    Twin("another key", signed(key="other", hint="mine"), "signature"),
    Twin("another subject", signed(lambda payload, test: payload.replace(
        test.digest[7:].encode(), digest_of(b"other")[7:].encode())), "subject", NPM),
    Twin("a digest in upper case", signed(lambda payload, test: payload.replace(
        test.digest[7:].encode(), test.digest[7:].upper().encode())), "form", NPM),
    Twin("pitfall 15: another predicate type", said(predicateType=TESTS, predicate={
        "result": "FAILED"}), "predicate type",
         {**NPM, "cosign3": "`cosign verify` takes any attestation for a signature"}),
    Twin("another annotation", replaced(b'"release"', b'"staging"'), "annotations", NPM),
    Twin("no annotation", replaced(b'{"stage":"release"}', b"{}"), "annotations", NPM),
    Twin("a version of tomorrow", text(b"bundle.v0.3", b"bundle.v0.9"), "form",
         {"npm": "it reads what it knows of any version"}),
    Twin("a version of yesterday", put(older), "version",
         {"npm": "it reads all versions"}),
    Twin("a bundle cut off", lambda test: test.at.put_bundle(test.bundle[:-10]), "form"),
    Twin("a bundle that its registry cut off", cut_on_disk, "all keys",
         {"npm": "it was given the whole bundle"}),
    Twin("pitfall 36: a member twice in the bundle", text(
        b'{"dsseEnvelope"', b'{"mediaType":"x","dsseEnvelope"'), "form", LAST),
    Twin("pitfall 36: a member twice in the statement", replaced(
        b'"predicate":{}', b'"predicate":{"a":1},"predicate":{}'), "form", NPM),
    Twin("pitfall 2: a member more in the statement", said(more=1), "form", NPM),
    Twin("pitfall 2: a member more in a subject", replaced(
        b'[{"', b'[{"more":1,"'), "form", NPM),
    Twin("pitfall 3: a predicate that is a list", said(predicate=[]), "form", NPM),
    Twin("pitfall 7: a certificate chain", put(chain), "form"),
    Twin("pitfall 8: the signature of a file", put(turn_into_a_file_signature), "content"),
    Twin("a member more in the bundle", text(b'{"dsseEnvelope"', b'{"m":1,"dsseEnvelope"'),
         "form", {"npm": "it passes over members that it does not know"}),
    Twin("two signatures", text(b'"signatures":[', b'"signatures":[{"sig":"AAAA"},'),
         "form"),
    Twin("no signature", put(lambda document, _: document["dsseEnvelope"].update(
        signatures=[])), "form"),
    Twin("another payload type", signed(kind="application/json"), "payload type", NPM),
    Twin("another payload type under the signature", text(
        b'"application/vnd.in-toto+json"', b'"application/json"'), "payload type"),
    Twin("a signature by EC before a key of RSA", signed(hint="rsa"), "signature",
         key="rsa"),
    Twin("pitfall 6: RSA with PSS", signed(key="rsa", pss=True), "signature", key="rsa"),
    Twin("RSA with SHA-512", signed(key="rsa", hash_name="sha512"), "signature", key="rsa"),
    Twin("pitfall 6: P-384 with SHA-384", signed(key="p384", hash_name="sha384"),
         "signature", key="p384"),
]


@needs("docker-registry")
class Bundles(JudgeScenario):
    def setUp(self):
        super().setUp()
        for kind in ("rsa", "p384", "ed25519"):
            self.key(kind, kind)

    def signed_once(self, name="mine"):
        """lithify signs, and only its bundle is left."""
        self.at.clear()
        self.sign(name, *STAGE, "-q")
        self.bundle, = self.at.bundles()
        self.payload = base64.b64decode(
            json.loads(self.bundle)["dsseEnvelope"]["payload"])
        self.at.delete(f"{self.at.tag}.sig")

    def by_cosign(self, key):
        return self.cosign("cosign3").verify(self.key(key).public, self.ref,
                                             ["stage=release"])

    def by_npm(self, key):
        return self.npm(self.given(), key)

    def given(self):
        """What is attached, also where its registry would not give it any more."""
        index = json.loads(self.at.get(self.at.tag))
        layer, = json.loads(self.at.get(index["manifests"][0]["digest"]))["layers"]
        if layer["digest"] == digest_of(self.bundle):
            return self.bundle
        return self.at.blob(layer["digest"])

    @needs_peers("cosign3", "sigstore-node")
    def test_no_twin_of_a_bundle_is_accepted(self):
        self.signed_once()
        judges = {"cosign3": self.by_cosign, "npm": self.by_npm}
        for judge in judges.values():
            self.assert_accepted(judge("mine"))
        self.verify("mine", *STAGE)
        self.judge_twins(TWINS, judges, *STAGE)
        self.at.clear()
        self.lithify_rejects("all keys")
        self.assert_accepted(self.by_cosign("mine"), False)
        self.at.put_bundle(self.bundle)
        for judge in judges.values():
            self.assert_accepted(judge("mine"))
        self.verify("mine", *STAGE)

    @needs_peers("cosign3", "sigstore-node")
    def test_bundles_by_every_kind_of_key_are_accepted(self):
        for name in ("mine", "rsa", "p384", "ed25519"):
            with self.subTest(name):
                self.signed_once(name)
                signature = base64.b64decode(
                    json.loads(self.bundle)["dsseEnvelope"]["signatures"][0]["sig"])
                self.assertTrue(self.key(name).verifies(pae(self.payload), signature))
                self.assertFalse(self.key(name).verifies(self.payload, signature))
                self.verify(name, *STAGE)
                self.assert_accepted(self.by_cosign(name))
                self.assert_accepted(self.by_npm(name))

    @needs_peers("cosign3")
    def test_pitfall_14_others_attestations_hide_no_signature_of_ours(self):
        self.attest("openvex", {"statements": []}, "other")
        theirs, = self.at.bundles()
        self.sign("mine", "-q")
        judge = lambda: self.cosign("cosign3").verify(self.key().public, self.ref)
        self.assert_accepted(judge())
        self.at.put_bundle(theirs, predicate_type=VEX)
        self.assert_accepted(judge(), False)  # the classic one is there, but not looked at
        self.verify()
        self.sign("mine", "-q")
        self.assert_accepted(judge())

    @needs_peers("cosign3")
    def test_a_bundle_binds_no_name(self):
        """So a copy of an image keeps its signature, and cosign and we say the same."""
        self.signed_once()
        copy = f"{self.server.host}/elsewhere/app:9"
        self.lithify("copy", "--referrers", self.ref, copy, "-q")
        self.verify("mine", *STAGE, ref=copy)
        self.assert_accepted(self.cosign("cosign3").verify(self.key().public, copy))

    def attest(self, kind, predicate, name="mine"):
        file = self.folder / "predicate.json"
        file.write_text(json.dumps(predicate))
        self.lithify("attest", "--key", self.key(name).private, "--type", kind,
                     "--predicate", file, self.ref, "-q")

    @needs_peers("oras")
    def test_oras_discovers_what_we_attach(self):
        self.sign("mine", "-q")
        self.attest("openvex", {"statements": []})
        found = referrers_by_oras(self.home, self.ref)
        self.assertEqual({one["artifactType"] for one in found},
                         {"application/vnd.dev.sigstore.bundle.v0.3+json"})
        self.assertEqual(
            sorted(one["annotations"]["dev.sigstore.bundle.predicateType"]
                   for one in found), sorted([SIGN_V1, VEX]))


if __name__ == "__main__":
    unittest.main()
