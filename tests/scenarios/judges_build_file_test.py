"""Images whose build file says who signs, pushed, and put before the judges."""
import base64
import json
import unittest

from attachments import Attachments
from judge_scenario import JudgeScenario
from judges import judge_cyclonedx, judge_spdx
from support import needs, needs_peers

COSIGN = ("cosign2", "cosign3")
# What `attest:` calls it: (how cosign calls its type, whether it is said of an index, too).
CLAIMS = {"sbom-spdx": ("spdxjson", False), "sbom-cyclonedx": ("cyclonedx", False),
          "provenance": ("slsaprovenance1", True)}


@needs("docker-registry")
class BuildFile(JudgeScenario):
    platforms = "linux/amd64, linux/arm64"

    def push_signed(self, sign, name="signed"):
        """Pushes as the build file says; returns the reference."""
        ref = f"{self.server.host}/team/{name}:1"
        file = self.folder / "project/lithify.yaml"
        unsigned = file.read_text()
        file.write_text(f"{unsigned}sign: {sign}\n")
        try:
            self.push(ref)
        finally:
            file.write_text(unsigned)
        return ref

    def assert_signed(self, ref, judges, accepted=True):
        for judge in judges:
            with self.subTest(judge=judge, ref=ref):
                if judge in COSIGN:
                    verdict = self.cosign(judge).verify(self.key().public, ref)
                else:
                    verdict = self.policy(judge).pull(ref)
                self.assert_accepted(verdict, accepted)

    def everything(self, ref):
        """The reference, and the images of both platforms by their digests."""
        return [ref, *(f"{ref[:-2]}@{child}" for child in self.children())]

    @needs_peers("cosign2", "cosign3", "skopeo", "podman")
    def test_what_the_build_file_signs_is_accepted_by_all(self):
        ref = self.push_signed(f"{{key: '{self.key().private}'}}")
        for one in self.everything(ref):
            self.assert_signed(one, [*COSIGN, "skopeo"])
            self.verify(ref=one)
        self.assert_signed(ref, ["podman"])
        self.lithify_rejects("all keys", key="other", ref=ref)

    @needs_peers("cosign2", "cosign3", "skopeo")
    def test_each_form_alone_is_accepted_by_those_who_read_it(self):
        key = self.key().private
        classic = self.push_signed(f"{{key: '{key}', format: classic}}", "classic")
        self.assert_signed(classic, [*COSIGN, "skopeo"])
        self.verify(ref=classic)
        bundle = self.push_signed(f"{{key: '{key}', format: bundle}}", "bundle")
        self.assert_signed(bundle, ["cosign3"])
        self.assert_signed(bundle, ["cosign2", "skopeo"], False)
        self.verify(ref=bundle)
        at = Attachments(self.server, "team/bundle", self.digest)
        self.assertEqual((len(at.classic()), len(at.bundles())), (0, 1))

    @needs_peers("cosign2", "cosign3")
    def test_what_the_build_file_attests_is_found_by_its_type(self):
        ref = self.push_signed("{key: '%s', attest: [%s], mirror-att: true}"
                               % (self.key().private, ", ".join(CLAIMS)))
        for claim, (kind, of_index) in CLAIMS.items():
            for one in self.everything(ref):
                there = of_index or "@" in one
                with self.subTest(claim, ref=one):
                    for judge in COSIGN:
                        self.assert_accepted(self.cosign(judge).verify_attestation(
                            self.key().public, one, kind), there)
                        self.assert_accepted(self.cosign(judge).verify_attestation(
                            self.key("other").public, one, kind), False)
                    self.assert_accepted(self.cosign("cosign2").verify_envelope(
                        self.key().public, one, kind), there)
                    self.verify("mine", "--type", claim.removeprefix("sbom-"), ref=one,
                                status=0 if there else 4)
        self.assert_signed(ref, COSIGN)

    @needs_peers("sbom-python")
    def test_attested_sboms_are_valid_and_broken_ones_are_not(self):
        ref = self.push_signed("{key: '%s', attest: [sbom-spdx, sbom-cyclonedx]}"
                               % self.key().private)
        judges = {"https://spdx.dev/Document": (judge_spdx, "SPDXID"),
                  "https://cyclonedx.org/bom": (judge_cyclonedx, "specVersion")}
        for child in self.children():
            at = Attachments(self.server, ref.split("/", 1)[1][:-2], child)
            for kind, (judge, needed) in judges.items():
                bundle, = at.bundles(kind)
                sbom = json.loads(base64.b64decode(
                    json.loads(bundle)["dsseEnvelope"]["payload"]))["predicate"]
                with self.subTest(kind, child=child):
                    file = self.write("sbom.spdx.json", json.dumps(sbom))
                    self.assert_accepted(judge(self.home, file))
                    del sbom[needed]
                    file = self.write("broken.spdx.json", json.dumps(sbom))
                    self.assert_accepted(judge(self.home, file), False)


if __name__ == "__main__":
    unittest.main()
