"""Images signed and attested in a layout, then copied with what refers to them: the judges
of registries accept them there, and oras finds the same in the layout."""
import json
import unittest

from attachments import Attachments
from judge_scenario import JudgeScenario
from judges import ask
from support import needs, needs_peers, peer

VEX = "https://openvex.dev/ns"


@needs("docker-registry")
class Layouts(JudgeScenario):
    platforms = "linux/amd64, linux/arm64"

    def setUp(self):
        super().setUp()
        self.layout = self.folder / "web"
        self.lithify("build", "--output", f"oci={self.layout}", "-q",
                     cwd=self.folder / "project")
        self.copied = f"{self.server.host}/team/copied:1"

    def sign_and_attest(self):
        self.lithify("sign", "--key", self.key().private, "--as", self.copied, self.layout,
                     "-q")
        vex = self.write("vex.json", '{"statements": []}')
        self.lithify("attest", "--key", self.key().private, "--type", "openvex",
                     "--predicate", vex, self.layout, "-q")

    @needs_peers("cosign2", "cosign3", "skopeo", "podman")
    def test_what_was_signed_in_a_layout_is_accepted_where_it_is_copied_to(self):
        self.sign_and_attest()
        self.lithify("copy", "--referrers", self.layout, self.copied, "-q")
        self.verify(ref=self.copied)
        self.verify("mine", "--type", "openvex", ref=self.copied)
        self.lithify_rejects("signature", key="other", ref=self.copied)
        everything = [self.copied, *(f"{self.copied[:-2]}@{child}"
                                     for child in self.children())]
        for ref in everything:
            for judge in ("cosign2", "cosign3"):
                with self.subTest(judge, ref=ref):
                    self.assert_accepted(self.cosign(judge).verify(self.key().public, ref))
                    self.assert_accepted(self.cosign(judge).verify(
                        self.key("other").public, ref), False)
            self.assert_accepted(self.policy("skopeo").pull(ref))
        for judge in ("cosign2", "cosign3"):
            self.assert_accepted(self.cosign(judge).verify_attestation(
                self.key().public, self.copied, "openvex"))
        self.assert_accepted(self.policy("podman").pull(self.copied))
        self.assert_accepted(self.policy("podman", "other").pull(self.copied), False)

    @needs_peers("cosign3", "skopeo")
    def test_without_the_flag_a_copy_is_unsigned(self):
        self.sign_and_attest()
        self.lithify("copy", self.layout, self.copied, "-q")
        self.lithify_rejects("all keys", ref=self.copied)
        self.assert_accepted(self.cosign("cosign3").verify(
            self.key().public, self.copied), False)
        self.assert_accepted(self.policy("skopeo").pull(self.copied), False)

    def test_a_copy_there_and_back_has_the_same_bytes(self):
        self.sign_and_attest()
        self.lithify("copy", "--referrers", self.layout, self.copied, "-q")
        back = self.folder / "back"
        self.lithify("copy", "--referrers", self.copied, back, "-q")
        again = f"{self.server.host}/team/again:1"
        self.lithify("copy", "--referrers", back, again, "-q")
        for document in [self.digest, *self.children()]:
            one = Attachments(self.server, "team/copied", document)
            other = Attachments(self.server, "team/again", document)
            self.assertEqual(one.classic(), other.classic())
            self.assertEqual(len(one.classic()), 1)
            self.assertEqual(sorted(one.bundles()), sorted(other.bundles()))
            self.assertEqual(len(one.bundles()), 2 if document == self.digest else 1)

    @needs_peers("oras")
    def test_oras_discovers_the_same_in_the_layout_and_in_the_registry(self):
        self.sign_and_attest()
        self.lithify("copy", "--referrers", self.layout, self.copied, "-q")

        def found(*words):
            said = ask([peer("oras"), "discover", "--format", "json", *words], self.home)
            self.assert_accepted(said)
            document = json.loads(said.words)
            return sorted((one["digest"], one["artifactType"])
                          for one in document.get("referrers") or document["manifests"])
        here = found("--oci-layout", f"{self.layout}@{self.digest}")
        self.assertEqual(len(here), 2)
        self.assertEqual(here, found("--plain-http", self.copied))


if __name__ == "__main__":
    unittest.main()
