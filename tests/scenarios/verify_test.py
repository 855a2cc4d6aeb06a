"""Signatures in layouts, policies, and bases that are verified while they are locked;
cosign and oras are the judges where they are installed."""
import json
import os
import re
import unittest

from registry_scenario import RegistryScenario
from support import needs

PASSWORD = {"COSIGN_PASSWORD": "a passphrase"}


class SigningScenario(RegistryScenario):
    def setUp(self):
        super().setUp()
        self.server = self.registry()
        self.ref = f"{self.server.host}/team/app:1"

    def keys(self, *names):
        for name in names:
            self.lithify("key", "generate", name, "-q", cwd=self.folder, env=PASSWORD)

    def sign(self, where, key="mine", *args, **kwargs):
        return self.lithify("sign", "--key", f"{key}.key", *args, where, cwd=self.folder,
                            env=PASSWORD, **kwargs)

    def attest(self, where, key, kind):
        (self.folder / "claim.json").write_text('{"a": "claim"}')
        self.lithify("attest", "--key", f"{key}.key", "--type", kind, "--predicate",
                     "claim.json", where, "-q", cwd=self.folder, env=PASSWORD)

    def verify(self, where, *args, **kwargs):
        return self.lithify("verify", *args, where, "-q", cwd=self.folder, **kwargs)

    def pushed(self, ref=None):
        ref = ref or self.ref
        project = self.project({"a": f"{ref}\n"}, platforms="linux/amd64, linux/arm64",
                               where=f"project-{len(list(self.folder.iterdir()))}")
        out = self.lithify("push", "--tag", ref, "-q", cwd=project).stdout
        return out.strip().split("@")[1]


@needs("docker-registry")
class Layouts(SigningScenario):
    def setUp(self):
        super().setUp()
        project = self.project({"a": "one\n"}, platforms="linux/amd64, linux/arm64")
        self.lithify("build", "--output", f"oci={self.folder}/web", "-q", cwd=project)
        self.keys("mine", "other")

    def index(self, layout="web"):
        return json.loads((self.folder / layout / "index.json").read_text())["manifests"]

    def test_a_signed_layout_is_believed_and_others_are_not(self):
        self.verify("./web", "--key", "mine.pub", status=4)
        told = self.sign("./web", "mine", "--as", self.ref).stderr
        self.assertIn("check it with: lithify verify --key mine.pub ./web:demo", told)
        self.verify("./web", "--key", "mine.pub")
        self.verify("./web:demo", "--key", "mine.pub", "--as", self.ref)
        self.verify("./web", "--key", "other.pub", status=4)
        before = self.index()
        self.sign("./web", "mine", "--as", self.ref)
        self.assertEqual(self.index(), before)
        # Three documents, each in both forms, beside the image itself.
        self.assertEqual(len(before), 7)

    def test_a_name_that_nobody_gave_is_not_signed(self):
        told = self.sign("./web").stderr
        self.assertIn("give it with `--as HOST/PATH:TAG`", told)
        self.assertEqual(len(self.index()), 4)
        self.verify("./web", "--key", "mine.pub")

    def test_signatures_travel_with_the_image(self):
        self.sign("./web", "mine", "--as", self.ref)
        self.attest("./web", "mine", "openvex")
        copied = json.loads(self.lithify("copy", "--referrers", "--json", "./web", self.ref,
                                         cwd=self.folder).stdout)
        self.assertEqual((copied["referrers"], copied["signatures"]), (4, 3))
        self.verify(self.ref, "--key", "mine.pub")
        self.verify(self.ref, "--key", "mine.pub", "--type", "openvex")
        self.lithify("copy", "--referrers", self.ref, "./back", cwd=self.folder)
        self.lithify("copy", "--referrers", "./back", "oci:third:name", cwd=self.folder)
        for layout in ("./back", "./third:name"):
            self.verify(layout, "--key", "mine.pub", "--as", self.ref)
            self.verify(layout, "--key", "mine.pub", "--type", "openvex")
        # Elsewhere, what the classic form says about the name is not true any more.
        elsewhere = f"{self.server.host}/team/other:1"
        self.lithify("copy", "--referrers", "./third:name", elsewhere, cwd=self.folder)
        out = self.verify(elsewhere, "--key", "mine.pub").stdout
        self.assertIn(f"✗ reference: it says {self.ref}", out)

    def test_referrers_are_not_lost_in_silence(self):
        for to in ("oci-archive:a.tar", "store:x"):
            told = self.lithify("copy", "--referrers", "./web", to, cwd=self.folder,
                                status=2).stderr
            self.assertIn("has no room for what refers to an image", told)
        self.lithify("copy", "./web", "oci-archive:a.tar", cwd=self.folder)
        self.sign("oci-archive:a.tar", status=2)

    @needs("cosign")
    def test_cosign_verifies_what_was_signed_in_a_layout(self):
        self.sign("./web", "mine", "--as", self.ref)
        self.attest("./web", "mine", "openvex")
        self.lithify("copy", "--referrers", "./web", self.ref, cwd=self.folder)
        flags = ("--insecure-ignore-tlog=true", "--allow-http-registry", "--key")
        environment = {**os.environ, "HOME": str(self.home)}
        self.run_program("cosign", "verify", *flags, "mine.pub", self.ref,
                         cwd=self.folder, env=environment)
        self.run_program("cosign", "verify-attestation", "--type", "openvex", *flags,
                         "mine.pub", self.ref, cwd=self.folder, env=environment)
        with self.assertRaises(AssertionError):
            self.run_program("cosign", "verify", *flags, "other.pub", self.ref,
                             cwd=self.folder, env=environment)

    @needs("oras")
    def test_oras_finds_signatures_in_a_layout(self):
        self.sign("./web")
        out = self.run_program("oras", "discover", "--oci-layout", "web:demo",
                               cwd=self.folder)
        self.assertIn("application/vnd.dev.sigstore.bundle.v0.3+json", out)


@needs("docker-registry")
class Policies(SigningScenario):
    def setUp(self):
        super().setUp()
        self.digest = self.pushed()
        self.keys("release", "ci", "other")

    def policy(self, *demands, repositories=None, identity=None, keys=None):
        text = "lithify-policy: 1\nkeys: " + (
            keys or "{release: release.pub, ci: ci.pub, other: other.pub}") + "\nrules:\n"
        text += f"  - repositories: ['{repositories or self.server.host + '/team/*'}']\n"
        if identity:
            text += f"    identity: {identity}\n"
        text += "    require:\n" + "".join(f"      - {{{demand}}}\n" for demand in demands)
        (self.folder / "policy.yaml").write_text(text)
        return "policy.yaml"

    def check(self, *demands, status=0, flags=(), **kwargs):
        return self.verify(self.ref, "--policy", self.policy(*demands, **kwargs), *flags,
                           status=status)

    def test_everything_that_is_required_must_be_there(self):
        both = ("any-of: [release]", "type: provenance, any-of: [ci]")
        self.check(*both, status=4)
        self.sign(self.ref, "release")
        error = self.check(*both, status=4).stderr
        self.assertIn("provenance: ", error)
        # An attestation by the release key is not one by the other key.
        self.attest(self.ref, "release", "provenance")
        self.check(*both, status=4)
        self.attest(self.ref, "ci", "provenance")
        out = self.check(*both).stdout
        self.assertIn("✓ all that is required", out)
        self.check("all-of: [release, other]", status=4)
        self.check("some-of: [release, ci, other], threshold: 2", status=4)
        self.sign(self.ref, "other")
        self.check("all-of: [release, other]")
        self.check("some-of: [release, ci, other], threshold: 2")
        self.check("any-of: [release], annotations: {stage: release}", status=4)

    def test_the_report_is_for_programs_too(self):
        self.sign(self.ref, "release")
        report = json.loads(self.check("any-of: [release]", flags=("--json",)).stdout)
        self.assertEqual(report["schema"], "lithify.verify/1")
        self.assertEqual(report["policy"], "policy.yaml:4")
        self.assertEqual(report["digest"], self.digest)
        self.assertTrue(report["accepted"])
        names = {check["check"] for one in report["requirements"][0]["objects"]
                 for check in one["checks"]}
        self.assertLessEqual({"signature", "subject", "predicate type", "reference"}, names)
        rejected = self.check("any-of: [other]", flags=("--json",), status=4)
        self.assertFalse(json.loads(rejected.stdout.splitlines()[0])["accepted"])

    def test_the_name_counts_where_the_policy_says_so(self):
        self.sign(self.ref, "release")
        copy = f"{self.server.host}/team/copy:1"
        self.lithify("copy", "--referrers", self.ref, copy, cwd=self.folder)
        app = f"{self.server.host}/team/app"
        self.check("any-of: [release]", identity=app)
        self.check("any-of: [release]", identity=f"{self.server.host}/team/copy", status=4)
        policy = self.policy("any-of: [release]", identity=app)
        self.verify(copy, "--policy", policy)
        self.verify(copy, "--policy", self.policy("any-of: [release]", identity="any"))

    def test_what_no_rule_is_about_is_not_accepted(self):
        self.sign(self.ref, "release")
        for pattern in (f"{self.server.host}/team", f"{self.server.host}/team/ap",
                        f"x/{self.server.host}/team/*", "docker.io/**"):
            error = self.check("any-of: [release]", repositories=pattern, status=4).stderr
            self.assertIn("no rule of policy.yaml is about", error)

    def test_flags_that_contradict_each_other_are_explained(self):
        policy = self.policy("any-of: [release]")
        for flags in (("--key", "release.pub"), ("--threshold", "1"), ("--type", "spdx"),
                      ("--annotation", "a=b")):
            error = self.verify(self.ref, "--policy", policy, *flags, status=2).stderr
            self.assertIn(f"--policy and {flags[0]} exclude each other", error)
        error = self.verify(self.ref, status=2).stderr
        self.assertIn("needs a key or a policy", error)
        error = self.verify(self.ref, "--key", "ci.pub", "--threshold", "2", status=2).stderr
        self.assertIn("wants more keys than the 1 given", error)
        error = self.verify(self.ref, "--policy", "missing.yaml", status=2).stderr
        self.assertIn("missing.yaml", error)
        error = self.check("any-of: [release]", keys="{release: no.pub}", status=2).stderr
        self.assertIn("policy.yaml:2:17", error)
        self.assert_golden("policy-of-nobody",
                           self.check("any-of: [relaese]", status=2).stderr, self.server)


@needs("docker-registry")
class Bases(SigningScenario):
    def setUp(self):
        super().setUp()
        self.digest = self.pushed()
        self.keys("release", "other")

    def on_base(self, verify, key="release"):
        folder = self.project(
            {"a": "one\n"}, base="base", where="on-base",
            sources=f'  base: {{image: "{self.ref}", verify: {verify}}}\n')
        (folder / "base.pub").write_text((self.folder / f"{key}.pub").read_text())
        return folder

    def build(self, folder, *args, **kwargs):
        return self.lithify("build", "-q", *args, cwd=folder, **kwargs)

    def test_a_base_that_nobody_signed_is_not_built_on(self):
        folder = self.on_base("{key: base.pub}")
        self.assert_golden("base-unsigned", self.build(folder, status=4).stderr, self.server)
        self.assertFalse((folder / "lithify.lock").exists())
        self.sign(self.ref, "other")
        self.assert_golden("base-signed-by-another", self.build(folder, status=4).stderr,
                           self.server)
        missing = self.on_base("{key: nobody.pub}")
        self.assertIn("nobody.pub", self.build(missing, status=2).stderr)

    def test_a_signed_base_is_locked_with_who_signed_it(self):
        self.sign(self.ref, "release")
        folder = self.on_base("{key: base.pub}")
        self.build(folder)
        lock = (folder / "lithify.lock").read_text()
        verdict = re.search(r"verified:\n      - signature bundle (\S+) (\S+)\n", lock)
        self.assertEqual(verdict.group(2), self.digest)
        self.assertIn("verify: sha256:", lock)
        self.server.forget()
        self.build(folder, "--locked", "--offline")
        self.assertEqual(self.server.requests(), [])
        # Another key is another question.
        self.on_base("{key: base.pub}", key="other")
        told = self.build(folder, "--locked", status=5).stderr
        self.assert_golden("base-other-key", told, self.server)
        self.build(folder, status=4)
        self.sign(self.ref, "other")
        self.build(folder)
        self.assertNotEqual((folder / "lithify.lock").read_text(), lock)

    def test_a_lock_of_before_is_no_way_around(self):
        folder = self.on_base("{key: base.pub}")
        text = (folder / "lithify.yaml").read_text()
        (folder / "lithify.yaml").write_text(text.replace(", verify: {key: base.pub}", ""))
        self.build(folder)
        (folder / "lithify.yaml").write_text(text)
        told = self.build(folder, "--locked", status=5).stderr
        self.assert_golden("base-not-looked-at", told, self.server)
        self.build(folder, "--offline", status=6)
        self.build(folder, status=4)
        self.sign(self.ref, "release")
        self.build(folder)

    def test_a_policy_speaks_for_bases_too(self):
        folder = self.on_base("{policy: policy.yaml}")
        (folder / "policy.yaml").write_text(
            "lithify-policy: 1\nkeys: {release: base.pub}\nrules:\n"
            f"  - {{repositories: '{self.server.host}/**', require: [{{any-of: release}}]}}\n")
        self.build(folder, status=4)
        self.sign(self.ref, "release")
        self.build(folder)
        (folder / "policy.yaml").write_text("lithify-policy: 1\n")
        self.build(folder, "--locked", status=5)
        self.build(folder, status=2)


@needs("docker-registry")
class Passphrases(SigningScenario):
    def test_a_passphrase_comes_from_a_file_or_the_environment(self):
        self.pushed()
        (self.folder / "words").write_text("a passphrase\n")
        self.lithify("key", "generate", "mine", "--passphrase-file", "words", "-q",
                     cwd=self.folder)
        sign = ("sign", "--key", "mine.key", self.ref, "-q")
        self.lithify(*sign, "--passphrase-file", "words", cwd=self.folder,
                     env={"COSIGN_PASSWORD": "wrong"})
        self.lithify(*sign, cwd=self.folder, env={"LITHIFY_PASSWORD": "a passphrase",
                                                  "COSIGN_PASSWORD": "wrong"})
        self.lithify(*sign, cwd=self.folder, env=PASSWORD)
        (self.folder / "words").write_text("hunter2\n")
        error = self.lithify(*sign, "--passphrase-file", "words", cwd=self.folder, status=2)
        self.assertNotIn("hunter2", error.stderr)
        error = self.lithify(*sign, "--passphrase-file", "words", "--password-stdin",
                             cwd=self.folder, status=2)
        self.assertIn("exclude each other", error.stderr)

    def test_a_process_with_a_key_may_not_be_dumped(self):
        self.keys("mine")
        # A program that keeps a key, asked by the process that would have one in memory.
        plugin = self.write("bin/sigstore-kms-look", f"#!/bin/sh\ncat /proc/$PPID/limits > "
                            f"{self.folder}/limits\necho '{{}}'\n", mode=0o755)
        self.lithify("key", "public", "look://key", cwd=self.folder, status=None,
                     env={"PATH": f"{plugin.parent}:{os.environ['PATH']}"})
        limits = (self.folder / "limits").read_text()
        self.assertRegex(limits, r"Max core file size +0 +0 ")


if __name__ == "__main__":
    unittest.main()
