"""Classic signatures before cosign 2 and 3, skopeo and podman: what lithify signed is
accepted, and no twin of it."""
import json
import unittest

from attachments import digest_of, in_base64
from judge_scenario import JudgeScenario, Twin
from judges import ask
from support import needs, needs_peers, peer

STAGE = ("--annotation", "stage=release")


def changed(payload, before, after):
    if before not in payload:
        raise AssertionError(f"{before} is not in {payload}")
    return payload.replace(before, after)


def signed(change, key="mine", **how):
    """A payload of another text, signed in earnest."""
    def make(test):
        payload = change(test)
        test.at.put_classic(payload, test.key(key).sign(payload, **how))
    return make


def flipped(signature):
    """The last bit: the signature stays well-formed."""
    return signature[:-1] + bytes([signature[-1] ^ 1])


def text(before, after):
    return lambda test: changed(test.payload, before(test) if callable(before) else before,
                                after)


def cut_on_disk(test):
    test.at.put_classic(test.payload, test.signature)
    blob = test.server.blob(digest_of(test.payload))
    blob.write_bytes(blob.read_bytes()[:-20])
    return lambda: blob.write_bytes(test.payload)


NAME = "cosign does not compare docker-reference"
LAST = "Go's encoding/json takes the last of two members"
LOOSE = "Go's encoding/json passes over members that it does not know"
NO_ANNOTATIONS = "policy.json cannot ask for annotations"
COSIGN = ("cosign2", "cosign3")
POLICY = ("skopeo",)


def by(judges, reason):
    return {name: reason for name in judges}


TWINS = [
    Twin("a payload changed under its signature", lambda test: test.at.put_classic(
        changed(test.payload, b"release", b"relaese"), test.signature), "signature"),
    Twin("one bit of the signature", lambda test: test.at.put_classic(
        test.payload, flipped(test.signature)), "signature"),
    Twin("a signature cut off", lambda test: test.at.put_classic(
        test.payload, test.signature[:-8]), "signature"),
    Twin("no signature at all", lambda test: test.at.put_classic(test.payload, ""),
         "signature"),
    Twin("another key", signed(lambda test: test.payload, "other"), "signature"),
    Twin("another digest", signed(text(lambda test: test.digest.encode(),
                                       digest_of(b"other").encode())), "subject"),
    Twin("another annotation", signed(text(b'"release"', b'"staging"')), "annotations",
         by(POLICY, NO_ANNOTATIONS)),
    Twin("no annotation", signed(text(b'{"stage":"release"}', b"null")), "annotations",
         by(POLICY, NO_ANNOTATIONS)),
    Twin("another repository", signed(text(b"team/app:1", b"team/bad:1")), "reference",
         by(COSIGN, NAME)),
    Twin("another registry", signed(text(lambda test: test.server.host.encode(),
                                         b"elsewhere.example")), "reference",
         by(COSIGN, NAME)),
    Twin("pitfall 17: another tag", signed(text(b"team/app:1", b"team/app:2")), "reference",
         by(COSIGN, NAME)),
    Twin("another type", signed(text(b"cosign container", b"atomic container")), "form",
         by(COSIGN, "cosign compares the digest alone")),
    Twin("a payload cut off, and signed so", signed(lambda test: test.payload[:-1]),
         "form"),
    Twin("a payload that its registry cut off", cut_on_disk, "all keys"),
    Twin("pitfall 36: a member twice", signed(text(
        b'"optional":', b'"optional":null,"optional":')), "form", by(COSIGN, LAST)),
    Twin("two digests", signed(lambda test: changed(
        test.payload, b'{"docker-manifest-digest"',
        b'{"docker-manifest-digest":"%s","docker-manifest-digest"'
        % digest_of(b"other").encode())), "form", by(COSIGN, LAST)),
    Twin("a member more", signed(text(b'{"critical":{', b'{"critical":{"more":1,')),
         "form", by(COSIGN, LOOSE)),
    Twin("pitfall 16: no `optional`", signed(lambda test: json.dumps(
        {"critical": json.loads(test.payload)["critical"]}).encode()), "form"),
    Twin("pitfall 16: a time that is a text", signed(text(
        b'"stage":', b'"timestamp":"today","stage":')), "form",
         by(COSIGN, "cosign knows no timestamp")),
    Twin("a line break in the base64", lambda test: test.at.put_classic(
        test.payload, in_base64(test.signature)[:40] + "\n"
        + in_base64(test.signature)[40:]), "signature",
         by(COSIGN + POLICY, "Go's base64 passes over line breaks")),
    Twin("a signature by EC before a key of RSA", signed(lambda test: test.payload),
         "signature", key="rsa"),
    Twin("a signature by RSA before a key of EC", signed(lambda test: test.payload, "rsa"),
         "signature"),
    Twin("pitfall 6: RSA with PSS", signed(lambda test: test.payload, "rsa", pss=True),
         "signature", key="rsa"),
    Twin("RSA with SHA-512", signed(lambda test: test.payload, "rsa", hash_name="sha512"),
         "signature", key="rsa"),
    Twin("pitfall 6: P-384 with SHA-384", signed(lambda test: test.payload, "p384",
                                      hash_name="sha384"), "signature", key="p384"),
    Twin("P-521 with SHA-512", signed(lambda test: test.payload, "p521",
                                      hash_name="sha512"), "signature", key="p521"),
]


@needs("docker-registry")
class Classic(JudgeScenario):
    def setUp(self):
        super().setUp()
        for kind in ("rsa", "p384", "p521", "ed25519"):
            self.key(kind, kind)

    def signed_once(self, name="mine"):
        """lithify signs, and only its classic signature is left."""
        self.at.clear()
        self.sign(name, *STAGE, "-q")
        (self.payload, self.signature), = self.at.classic()
        self.at.delete(self.at.tag)

    @needs_peers("cosign2", "cosign3", "skopeo")
    def test_no_twin_of_a_classic_signature_is_accepted(self):
        self.signed_once()
        judges = {name: lambda key, name=name: self.cosign(name).verify(
            self.key(key).public, self.ref, ["stage=release"]) for name in COSIGN}
        judges["skopeo"] = lambda key: self.policy("skopeo", key).pull(self.ref)
        for judge in judges.values():
            self.assert_accepted(judge("mine"))
        self.verify("mine", *STAGE)
        self.judge_twins(TWINS, judges, *STAGE)
        self.at.clear()
        self.lithify_rejects("all keys")
        for judge in judges.values():
            self.assert_accepted(judge("mine"), False)
        self.at.put_classic(self.payload, self.signature)
        for judge in judges.values():
            self.assert_accepted(judge("mine"))

    @needs_peers("cosign2", "cosign3", "skopeo")
    def test_classic_signatures_by_every_kind_of_key_are_accepted(self):
        for name in ("mine", "rsa", "p384", "p521", "ed25519"):
            with self.subTest(name):
                self.signed_once(name)
                self.assertTrue(self.key(name).verifies(self.payload, self.signature)
                                or name in ("p384", "p521"))
                self.verify(name, *STAGE)
                for judge in COSIGN:
                    self.assert_accepted(self.cosign(judge).verify(
                        self.key(name).public, self.ref))
                self.assert_accepted(self.policy("skopeo", name).pull(self.ref))

    @needs_peers("cosign2", "cosign3", "skopeo")
    def test_pitfall_6_the_prehashed_form_of_ed25519_is_accepted_by_nobody(self):
        key = self.key("ed25519")
        environment = {"COSIGN_PASSWORD": ""}
        self.lithify("key", "import", key.private, "sealed", cwd=self.folder,
                     env=environment)
        signed_by_cosign = ask(
            [peer("cosign3"), "sign", "--yes", "--key", self.folder / "sealed.key",
             "--tlog-upload=false", "--use-signing-config=false",
             "--new-bundle-format=false", "--allow-http-registry",
             f"{self.name}@{self.digest}"], self.home, **environment)
        self.assert_accepted(signed_by_cosign)
        self.assertEqual(len(self.at.classic()), 1)
        self.lithify_rejects("signature", key="ed25519")
        for judge in COSIGN:
            self.assert_accepted(self.cosign(judge).verify(key.public, self.ref), False)
        self.assert_accepted(self.policy("skopeo", "ed25519").pull(self.ref), False)


if __name__ == "__main__":
    unittest.main()
