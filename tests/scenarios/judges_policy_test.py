"""skopeo and podman with a policy.json that rejects unsigned images: by tag, by digest, of
one platform or several, under every rule about names."""
import unittest

from attachments import Attachments
from judge_scenario import JudgeScenario
from support import needs, needs_peers, peer


@needs("docker-registry")
@needs_peers("skopeo", "podman")
class Policies(JudgeScenario):
    platforms = "linux/amd64, linux/arm64"

    def identities(self):
        return {
            "the default": None,
            "matchRepoDigestOrExact": {"type": "matchRepoDigestOrExact"},
            "matchRepository": {"type": "matchRepository"},
            "exactRepository": {"type": "exactRepository", "dockerRepository": self.name},
            "exactReference": {"type": "exactReference", "dockerReference": self.ref},
        }

    def references(self):
        return [self.ref, f"{self.name}@{self.digest}",
                *(f"{self.name}@{child}" for child in self.children())]

    def test_unsigned_images_are_rejected_and_signed_ones_are_not(self):
        for judge in ("skopeo", "podman"):
            for ref in self.references()[:2]:
                verdict = self.policy(judge).pull(ref)
                self.assert_accepted(verdict, False)
                self.assertIn("signature", verdict.words)
        self.sign("mine", "-q")
        for judge in ("skopeo", "podman"):
            for ref in self.references()[:2]:
                self.assert_accepted(self.policy(judge).pull(ref))
                self.assert_accepted(self.policy(judge, "other").pull(ref), False)

    def test_every_rule_about_names_is_content_with_ours(self):
        self.sign("mine", "-q")
        for name, identity in self.identities().items():
            policy = self.policy("skopeo", identity=identity)
            for ref in self.references():
                with self.subTest(rule=name, ref=ref):
                    self.assert_accepted(policy.pull(ref))
        elsewhere = {"type": "exactRepository", "dockerRepository": f"{self.name}2"}
        self.assert_accepted(self.policy("skopeo", identity=elsewhere).pull(self.ref), False)

    def test_pitfall_18_the_index_and_every_platform_are_signed(self):
        self.sign("mine", "-q")
        policy = self.policy("skopeo")
        for architecture in ("amd64", "arm64"):
            self.assert_accepted(policy.pull(self.ref, "--override-arch", architecture))
        self.assert_accepted(policy.pull_all(self.ref))
        self.assert_accepted(self.policy("podman").pull(self.ref, "--arch", "arm64"))
        Attachments(self.server, self.repository, self.children()[1]).clear()
        self.assert_accepted(policy.pull(self.ref, "--override-arch", "amd64"))
        self.assert_accepted(policy.pull(self.ref, "--override-arch", "arm64"), False)
        self.assert_accepted(policy.pull_all(self.ref), False)
        self.sign("mine", "-q")
        self.assert_accepted(policy.pull_all(self.ref))
        self.at.clear()  # containers/image asks for no signature of an index
        self.assert_accepted(policy.pull_all(self.ref))
        if peer("cosign2"):
            self.assert_accepted(self.cosign("cosign2").verify(
                self.key().public, self.ref), False)
        self.lithify_rejects("all keys")

    def test_pitfall_17_each_tag_has_a_signature_of_its_own(self):
        self.sign("mine", "-q")
        self.lithify("tag", self.ref, "2", "-q")
        other = f"{self.name}:2"
        for judge in ("skopeo", "podman"):
            self.assert_accepted(self.policy(judge).pull(other), False)
        self.lithify_rejects_the_name(other)
        self.sign("mine", "-q", ref=other)
        for judge in ("skopeo", "podman"):
            for ref in (self.ref, other):
                self.assert_accepted(self.policy(judge).pull(ref))
        self.assertEqual(len(self.at.classic()), 2)

    def lithify_rejects_the_name(self, ref):
        """Of the classic signature; the bundle binds none, and is enough."""
        self.assertIn("✗ reference: ", self.verify("mine", ref=ref).stdout)

    def test_pitfall_17_signed_by_digest_alone_it_is_pulled_by_digest_alone(self):
        by_digest = f"{self.name}@{self.digest}"
        self.sign("mine", "-q", ref=by_digest)
        for judge in ("skopeo", "podman"):
            self.assert_accepted(self.policy(judge).pull(by_digest))
            self.assert_accepted(self.policy(judge).pull(self.ref), False)
        anywhere = {"type": "exactRepository", "dockerRepository": self.name}
        self.assert_accepted(self.policy("skopeo", identity=anywhere).pull(self.ref))

    def test_an_image_of_another_repository_is_rejected_with_its_signatures(self):
        self.sign("mine", "-q")
        moved = f"{self.server.host}/team/moved:1"
        self.lithify("copy", "--referrers", self.ref, moved, "-q")
        there = Attachments(self.server, "team/moved", self.digest)
        self.assertEqual(there.bundles(), self.at.bundles())
        for child in [self.digest, *self.children()]:
            here = Attachments(self.server, self.repository, child)
            there = Attachments(self.server, "team/moved", child)
            (payload, signature), = here.classic()
            there.put_classic(payload, signature)
        for judge in ("skopeo", "podman"):
            self.assert_accepted(self.policy(judge).pull(moved), False)
        for identity in ({"type": "remapIdentity", "prefix": f"{self.server.host}/team/moved",
                          "signedPrefix": self.name},
                         {"type": "exactRepository", "dockerRepository": self.name}):
            self.assert_accepted(self.policy("skopeo", identity=identity).pull(moved))
        self.lithify_rejects_the_name(moved)
        there = Attachments(self.server, "team/moved", self.digest)
        there.delete(there.tag)
        self.lithify_rejects("reference", ref=moved)


if __name__ == "__main__":
    unittest.main()
