"""What a real registry does to signatures: garbage collection, many who sign at once, and
signing what is signed."""
import concurrent.futures
import json
import os
import re
import shlex
import subprocess
import unittest

from attachments import INDEX, SIGN_V1, Attachments
from judge_scenario import JudgeScenario
from judges import ask
from support import needs, needs_peers, peer

SIGNERS = 20


class RegistryContent(JudgeScenario):
    def content(self):
        """Everything that can be pulled: {"tag" or digest: digest or bytes}."""
        tags = {tag: self.document(self.server, self.repository, tag)[0]
                for tag in self.tags(self.server, self.repository)}
        kept = (self.server.data / "docker/registry/v2/repositories" / self.repository)
        digests = [f"sha256:{one.name}" for kind in ("_layers", "_manifests/revisions")
                   for one in (kept / kind / "sha256").iterdir()]
        return {**tags, **{one: self.server.blob(one).read_bytes() for one in digests}}

    def collect_garbage(self, *flags):
        self.server.stop()
        done = subprocess.run(
            ["docker-registry", "garbage-collect", *flags,
             self.server.directory / "config.yml"], text=True, check=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "OTEL_TRACES_EXPORTER": "none"})
        self.server.start()
        return done.stdout

    def attest(self, status=0):
        vex = self.write("vex.json", '{"statements": []}')
        return self.lithify("attest", "--key", self.key().private, "--type", "openvex",
                            "--predicate", vex, self.ref, "-q", status=status)

    def attached(self):
        return [Attachments(self.server, self.repository, one)
                for one in [self.digest, *self.documents()]]

    def documents(self):
        """The images of an index; none if the image is one."""
        return [one["digest"]
                for one in json.loads(self.at.get(self.digest)).get("manifests", [])]


@needs("docker-registry")
class GarbageOfOnePlatform(RegistryContent):
    """--delete-untagged deletes what only an index lists. README, "Signatures"."""

    def test_without_flags_nothing_that_is_signed_is_garbage(self):
        self.sign("mine", "-q")
        self.attest()
        before = self.content()
        self.assertIn("0 blobs and 0 manifests eligible", self.collect_garbage())
        self.assertEqual(self.content(), before)

    @needs_peers("cosign2", "skopeo")
    def test_delete_untagged_keeps_the_classic_signature_and_deletes_bundles(self):
        self.sign("mine", "-q")
        self.attest()
        self.collect_garbage("--delete-untagged")
        told = self.lithify("verify", "--key", self.key().public, self.ref)
        self.assertIn("✓ all keys: ", told.stdout)
        self.assertEqual(told.stderr.count("not read: sha256:"), 2, told.stderr)
        self.assert_accepted(self.cosign("cosign2").verify(self.key().public, self.ref))
        self.assert_accepted(self.policy("skopeo").pull(self.ref))
        self.lithify_rejects("all keys", "--type", "openvex")

    @needs_peers("cosign3")
    def test_signing_again_brings_back_what_was_deleted(self):
        self.sign("mine", "-q")
        self.attest()
        self.collect_garbage("--delete-untagged")
        self.sign("mine", "-q")
        self.assertEqual(len(self.at.bundles()), 1)
        self.attest()
        self.assertEqual(len(self.at.bundles()), 2)
        self.verify()
        self.verify("mine", "--type", "openvex")
        judge = self.cosign("cosign3")
        self.assert_accepted(judge.verify(self.key().public, self.ref))
        self.assert_accepted(
            judge.verify_attestation(self.key().public, self.ref, "openvex"))


@needs("docker-registry")
class GarbageOfPlatforms(RegistryContent):
    platforms = "linux/amd64, linux/arm64"

    def test_without_flags_nothing_that_is_signed_is_garbage(self):
        self.sign("mine", "-q")
        before = self.content()
        self.assertIn("0 blobs and 0 manifests eligible", self.collect_garbage())
        self.assertEqual(self.content(), before)

    def test_delete_untagged_deletes_the_platforms_of_every_index(self):
        """Signed or not: so the documentation says not to use it."""
        children = self.children()
        self.collect_garbage("--delete-untagged")
        for child in children:
            self.assertIsNone(self.at.get(child))
        self.at.delete("1")  # else the index is there, so that nothing of it is sent
        self.push(self.ref)
        self.assert_complete(self.server, self.repository, "1")


@needs("docker-registry")
class Many(RegistryContent):
    def test_pitfall_21_twenty_signers_at_once_leave_twenty_signatures_of_each_form(self):
        names = [f"k{number}" for number in range(SIGNERS)]
        for name in names:
            self.key(name)
        with concurrent.futures.ThreadPoolExecutor(SIGNERS) as pool:
            list(pool.map(lambda name: self.sign(name, "-q"), names))
        self.assertEqual(len(self.at.classic()), SIGNERS)
        self.assertEqual(len(self.at.bundles(SIGN_V1)), SIGNERS)
        for payload, signature in self.at.classic():
            self.assertEqual(
                sum(self.key(name).verifies(payload, signature) for name in names), 1)
        words = [word for name in names for word in ("--key", self.key(name).public)]
        out = self.lithify("verify", *words, "--threshold", SIGNERS, self.ref, "-q").stdout
        self.assertEqual(out.count("✓ reference: "), SIGNERS)
        self.assertEqual(out.count("✓ predicate type: "), 2 * SIGNERS)
        self.judges_agree(names)

    def judges_agree(self, names):
        """Those that are here."""
        for name in names[:: SIGNERS // 4]:
            for judge in filter(peer, ("cosign2", "cosign3")):
                self.assert_accepted(self.cosign(judge).verify(
                    self.key(name).public, self.ref))
            if peer("skopeo"):
                self.assert_accepted(self.policy("skopeo", name).pull(self.ref))


@needs("docker-registry")
class Again(RegistryContent):
    platforms = "linux/amd64, linux/arm64"

    def test_signing_what_is_signed_changes_nothing_on_the_registry(self):
        self.sign("mine", "--annotation", "stage=release", "-q")
        self.attest()
        before = self.content()
        self.server.forget()
        self.sign("mine", "--annotation", "stage=release", "-q")
        self.attest()
        self.assertEqual(self.content(), before)
        self.assertEqual({one.split()[0] for one in self.server.requests()} -
                         {"GET", "HEAD"}, set())
        for one in self.attached():
            self.assertEqual(len(one.classic()), 1)
            self.assertEqual(len(one.bundles(SIGN_V1)), 1)
        self.sign("other", "-q")
        self.assertNotEqual(self.content(), before)


@needs("docker-registry")
class Pitfalls(RegistryContent):
    platforms = "linux/amd64, linux/arm64"

    def test_pitfall_13_a_list_of_referrers_says_all_that_they_say(self):
        self.sign("mine", "-q")
        self.attest()
        for at in self.attached():
            listed = json.loads(at.get(at.tag))
            self.assertEqual(listed["mediaType"], INDEX)
            for entry in listed["manifests"]:
                document = json.loads(at.get(entry["digest"]))
                self.assertEqual(
                    (entry["artifactType"], entry["annotations"], entry["mediaType"]),
                    (document["artifactType"], document["annotations"],
                     document["mediaType"]))
                self.assertEqual(document["subject"]["digest"], at.manifest)
        self.assertEqual(len(json.loads(self.at.get(self.at.tag))["manifests"]), 2)

    def test_pitfall_19_what_is_attached_changes_no_digest(self):
        before = self.at.get(self.digest)
        self.sign("mine", "-q")
        self.attest()
        self.assertEqual(self.at.get("1"), before)
        self.assertEqual(self.push(f"{self.name}:2"), self.digest)

    @needs_peers("cosign2", "cosign3")
    def test_pitfall_32_the_line_that_sign_prints_works_with_cosign_2_and_3(self):
        told = self.sign("mine").stderr
        line = re.search(r"check it with: cosign (.*)", told).group(1)
        self.assertNotIn("bundle", line)
        for judge in ("cosign2", "cosign3"):
            self.assert_accepted(ask([peer(judge), *shlex.split(line)], self.home))

    def test_pitfall_34_a_key_without_chance_gives_the_same_referrers_everywhere(self):
        self.key("ed25519", "ed25519")
        self.sign("ed25519", "-q")
        other = self.registry("other")
        self.push(f"{other.host}/{self.repository}:1")
        self.sign("ed25519", "-q", ref=f"{other.host}/{self.repository}:1")
        there = Attachments(other, self.repository, self.digest)
        self.assertEqual(there.get(there.tag), self.at.get(self.at.tag))
        self.assertEqual(there.bundles(), self.at.bundles())
        (ours, _), (theirs, _) = *self.at.classic(), *there.classic()
        self.assertEqual(ours.replace(self.server.host.encode(), other.host.encode()),
                         theirs)


if __name__ == "__main__":
    unittest.main()
