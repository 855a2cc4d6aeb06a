"""Attestations before cosign 2, cosign 3 and npm: each is found by its own type, signed by
the right key, and no twin of it is accepted."""
import base64
import json
import unittest

from attachments import bundle_of, compact, digest_of, envelope_of, pae, statement
from judge_scenario import JudgeScenario
from support import needs, needs_peers

VEX = "https://openvex.dev/ns"
COSIGN = ("cosign2", "cosign3")
# By cosign 2, which we and cosign 3 are stricter than.
ENVELOPES_ACCEPTED = {"a predicate that is a text": "cosign 2 takes any JSON for one"}
# What lithify calls it: (the URI, what cosign calls it, a predicate).
TYPES = {
    "spdx": ("https://spdx.dev/Document", "spdxjson", {"spdxVersion": "SPDX-2.3"}),
    "cyclonedx": ("https://cyclonedx.org/bom", "cyclonedx", {"bomFormat": "CycloneDX"}),
    "openvex": (VEX, "openvex", {"statements": []}),
    "provenance": ("https://slsa.dev/provenance/v1", "slsaprovenance1",
                   {"buildDefinition": {}, "runDetails": {}}),
    "test-result": ("https://in-toto.io/attestation/test-result/v0.1",
                    "https://in-toto.io/attestation/test-result/v0.1",
                    {"result": "PASSED", "configuration": []}),
    "https://example.org/our-own/v1": ("https://example.org/our-own/v1",
                                       "https://example.org/our-own/v1",
                                       {"text": "<ä & \u2028>", "list": [1, {"a": None}]}),
}


@needs("docker-registry")
class Attestations(JudgeScenario):
    def attest(self, kind, predicate, name="mine"):
        file = self.write("predicate.json", json.dumps(predicate))
        self.lithify("attest", "--key", self.key(name).private, "--type", kind,
                     "--predicate", file, self.ref, "-q")

    def by(self, judge, kind, key="mine"):
        return self.cosign(judge).verify_attestation(self.key(key).public, self.ref, kind)

    @needs_peers("cosign2", "cosign3", "sigstore-node")
    def test_pitfall_5_every_type_is_found_by_its_own_name_alone(self):
        kinds = list(TYPES)
        for number, kind in enumerate(kinds):
            uri, cosigns, predicate = TYPES[kind]
            self.lithify_rejects("all keys", "--type", kind)
            self.attest(kind, predicate)
            self.verify("mine", "--type", kind)
            bundle, = self.at.bundles(uri)
            self.assert_accepted(self.npm(bundle))
            payload = json.loads(base64.b64decode(
                json.loads(bundle)["dsseEnvelope"]["payload"]))
            self.assertEqual((payload["predicateType"], payload["predicate"]),
                             (uri, predicate))
            for judge in COSIGN:
                with self.subTest(kind, judge=judge):
                    self.assert_accepted(self.by(judge, cosigns))
                    self.assert_accepted(self.by(judge, cosigns, "other"), False)
                    for later in kinds[number + 1:]:
                        self.assert_accepted(self.by(judge, TYPES[later][1]), False)
        self.lithify_rejects("predicate type")

    def twins(self, payload):
        """{name: (payload, signature, lithify's check)}"""
        document, key = json.loads(payload), self.key()
        made = {
            "another predicate type": ({**document, "predicateType": f"{VEX}/v0.2.0"},
                                       "predicate type"),
            "another subject": (json.loads(statement(digest_of(b"other"), VEX)), "subject"),
            "no subject": ({**document, "subject": []}, "form"),
            "a predicate that is a text": ({**document, "predicate": "a text"}, "form"),
        }
        found = {}
        for name, (twin, check) in made.items():
            text = compact(twin)
            found[name] = (text, key.sign(pae(text)), check)
        true = key.sign(pae(payload))
        spoilt = payload.replace(b"statements", b"statementz")
        return {**found,
                "another predicate": (spoilt, true, "signature"),
                "one bit": (payload, true[:-1] + bytes([true[-1] ^ 1]), "signature"),
                "another key": (payload, self.key("other").sign(pae(payload)), "signature"),
                "no encoding before signing": (payload, key.sign(payload), "signature")}

    @needs_peers("cosign2", "cosign3")
    def test_no_twin_of_an_attestation_is_accepted(self):
        self.attest("openvex", {"statements": []})
        bundle, = self.at.bundles()
        payload = base64.b64decode(json.loads(bundle)["dsseEnvelope"]["payload"])
        for name, (text, signature, check) in self.twins(payload).items():
            with self.subTest(name):
                self.at.put_bundle(bundle_of(text, signature, self.key().hint),
                                   predicate_type=VEX)
                self.lithify_rejects(check, "--type", "openvex")
                for judge in COSIGN:
                    self.assert_accepted(self.by(judge, "openvex"), False)
        self.at.put_bundle(bundle, predicate_type=VEX)
        self.verify("mine", "--type", "openvex")
        for judge in COSIGN:
            self.assert_accepted(self.by(judge, "openvex"))

    @needs_peers("cosign2")
    def test_what_cosign_2_attests_is_read_and_no_twin_of_it(self):
        payload = statement(self.digest, VEX, {"statements": []})
        judge = lambda: self.cosign("cosign2").verify_envelope(
            self.key().public, self.ref, "openvex")
        self.lithify_rejects("all keys", "--type", "openvex")

        def put(text, signature):
            self.at.put_envelope(compact(envelope_of(text, signature)), VEX)

        for name, (text, signature, check) in self.twins(payload).items():
            with self.subTest(name):
                put(text, signature)
                self.lithify_rejects(check, "--type", "openvex")
                self.assert_accepted(judge(), name in ENVELOPES_ACCEPTED)
        put(payload, self.key().sign(pae(payload)))
        self.assert_accepted(judge())
        self.verify("mine", "--type", "openvex")
        self.lithify_rejects("predicate type")


if __name__ == "__main__":
    unittest.main()
