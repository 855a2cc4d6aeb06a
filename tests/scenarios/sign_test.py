"""Signing and verifying in a real registry; cosign and skopeo are the judges where they are
installed."""
import concurrent.futures
import os
import shutil
import unittest

from registry_scenario import RegistryScenario
from support import needs

PASSWORD = {"COSIGN_PASSWORD": "a passphrase"}


@needs("docker-registry")
class Sign(RegistryScenario):
    def setUp(self):
        super().setUp()
        self.server = self.registry()
        project = self.project({"a": "one\n"}, platforms="linux/amd64, linux/arm64")
        self.ref = f"{self.server.host}/team/app:1"
        out = self.lithify("push", "--tag", self.ref, "-q", cwd=project).stdout
        self.digest = out.strip().split("@")[1]

    def key(self, name="mine"):
        self.lithify("key", "generate", name, cwd=self.folder, env=PASSWORD)
        return name

    def sign(self, name, *args, **kwargs):
        return self.lithify("sign", "--key", f"{name}.key", *args, self.ref, "-q",
                            cwd=self.folder, env=PASSWORD, **kwargs)

    def verify(self, *args, **kwargs):
        return self.lithify("verify", *args, self.ref, "-q", cwd=self.folder, **kwargs)

    def test_a_signed_image_is_believed_and_others_are_not(self):
        self.key()
        self.key("other")
        self.verify("--key", "mine.pub", status=4)
        self.assertEqual(self.sign("mine").stdout.strip(),
                         f"{self.server.host}/team/app@{self.digest}")
        self.assertIn("needed keys signed", self.verify("--key", "mine.pub").stdout)
        self.verify("--key", "other.pub", status=4)
        self.verify("--key", "mine.pub", "--key", "other.pub")
        self.verify("--key", "mine.pub", "--key", "other.pub", "--threshold", "2", status=4)
        self.verify("--key", "mine.pub", "--type", "https://spdx.dev/Document", status=4)

    def test_signing_again_changes_nothing(self):
        self.key()
        self.sign("mine")
        self.server.forget()
        before = self.server.size()
        self.sign("mine")
        self.assertEqual({one.split()[0] for one in self.server.requests()} -
                         {"GET", "HEAD"}, set())
        self.assertEqual(self.server.size(), before)

    def test_a_push_is_signed_before_its_tag_is_there(self):
        self.key()
        ref = f"{self.server.host}/team/other:1"
        self.server.forget()
        self.lithify("push", "--tag", ref, "--key", f"{self.folder}/mine.key", "-q",
                     cwd=self.folder / "project", env=PASSWORD)
        puts = [one.split()[1] for one in self.server.requests()
                if one.startswith("PUT") and "/manifests/" in one]
        self.assertTrue(puts[-1].endswith("/manifests/1"), puts)
        self.assertTrue(any(put.endswith(".sig") for put in puts), puts)
        self.lithify("verify", "--key", "mine.pub", ref, "-q", cwd=self.folder)
        wrong = self.lithify("push", "--tag", f"{self.server.host}/team/third:1", "--key",
                             f"{self.folder}/mine.key", cwd=self.folder / "project",
                             env={"COSIGN_PASSWORD": "hunter2"}, status=2)
        self.assertIn("does not open", wrong.stderr)
        self.assertEqual(self.server.tags("team/third"), [])

    def test_the_build_file_says_who_signs(self):
        self.key()
        self.key("other")
        file = self.folder / "project/lithify.yaml"
        shutil.copy(self.folder / "mine.key", file.parent / "mine.key")
        text = file.read_text()
        ref = f"{self.server.host}/team/named:1"

        def push(sign, *args, **kwargs):
            file.write_text(f"{text}sign: {sign}\n")
            return self.lithify("push", "--tag", ref, *args, cwd=file.parent, env=PASSWORD,
                                **kwargs)
        unsigned = push("{key: mine.key}", "--no-sign").stderr
        self.assertIn("not signed: --no-sign", unsigned)
        self.lithify("verify", "--key", "mine.pub", ref, "-q", cwd=self.folder, status=4)
        signed = push("{key: 'file://mine.key'}").stderr
        self.assertRegex(signed, r"check it with: cosign verify --key \S+ "
                         rf"--insecure-ignore-tlog=true {ref[:-2]}@sha256:[0-9a-f]{{64}}\n")
        self.lithify("verify", "--key", "mine.pub", ref, "-q", cwd=self.folder)
        self.server.forget()
        self.assertIn("as it was", push("{key: mine.key}").stderr)
        self.assertEqual({one.split()[0] for one in self.server.requests()} -
                         {"GET", "HEAD"}, set())
        push("{key: mine.key}", "--key", "../other.key")
        self.lithify("verify", "--key", "other.pub", ref, "-q", cwd=self.folder)
        ref = f"{self.server.host}/team/broken:1"
        refused = push("{key: gone.key}", status=2).stderr
        self.assertIn("gone.key", refused)
        self.assertIn("lithify.yaml:", refused)
        self.assertEqual(self.server.tags("team/broken"), [])
        self.assertIn("not built by this version",
                      push("{keyless: true}", status=2).stderr)
        self.assertIn("exclude each other",
                      push("{key: mine.key}", "--no-sign", "--key", "k", status=2).stderr)

    def test_an_attestation_is_found_by_its_type_and_is_no_signature(self):
        self.key()
        (self.folder / "vex.json").write_text('{"statements": [], "version": 1}')
        words = ("attest", "--key", "mine.key", "--type", "openvex", "--predicate",
                 "vex.json", self.ref)
        self.lithify(*words, cwd=self.folder, env=PASSWORD)
        self.assertIn("was attested already",
                      self.lithify(*words, cwd=self.folder, env=PASSWORD).stderr)
        self.verify("--key", "mine.pub", status=4)
        self.verify("--key", "mine.pub", "--type", "openvex")
        self.verify("--key", "mine.pub", "--type", "spdx", status=4)
        (self.folder / "vex.json").write_text("[1]")
        self.assertIn("vex.json", self.lithify(*words, cwd=self.folder, env=PASSWORD,
                                               status=2).stderr)

    @needs("cosign")
    def test_cosign_finds_our_attestation_by_its_type(self):
        self.key()
        (self.folder / "vex.json").write_text('{"statements": []}')
        self.lithify("attest", "--key", "mine.key", "--type", "openvex", "--predicate",
                     "vex.json", self.ref, cwd=self.folder, env=PASSWORD)
        environment = {**os.environ, "HOME": str(self.home)}
        self.run_program("cosign", "verify-attestation", "--insecure-ignore-tlog=true",
                         "--allow-http-registry", "--key", "mine.pub", "--type", "openvex",
                         self.ref, cwd=self.folder, env=environment)

    def test_keys_are_kept_with_care(self):
        self.key()
        self.assertEqual(os.stat(self.folder / "mine.key").st_mode & 0o777, 0o600)
        text = (self.folder / "mine.key").read_text()
        self.assertIn("ENCRYPTED SIGSTORE PRIVATE KEY", text)
        again = self.lithify("key", "generate", "mine", cwd=self.folder, env=PASSWORD, status=3)
        self.assertIn("is there already", again.stderr)
        self.assertEqual((self.folder / "mine.key").read_text(), text)
        public = self.lithify("key", "public", "mine.key", cwd=self.folder,
                              env=PASSWORD).stdout
        self.assertEqual(public, (self.folder / "mine.pub").read_text())
        wrong = self.lithify("key", "public", "mine.key", cwd=self.folder,
                             env={"COSIGN_PASSWORD": "hunter2"}, status=2)
        self.assertNotIn("hunter2", wrong.stderr)

    def test_ten_sign_at_once_and_none_is_lost(self):
        names = [self.key(f"k{i}") for i in range(10)]
        with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
            list(pool.map(self.sign, names))
        keys = [word for name in names for word in ("--key", f"{name}.pub")]
        out = self.verify(*keys, "--threshold", "10").stdout
        self.assertEqual(out.count("a well-formed classic payload"), 10)
        self.assertEqual(out.count("a well-formed Sigstore bundle"), 10)

    @needs("cosign")
    def test_cosign_accepts_what_we_signed_and_we_what_it_signed(self):
        self.key()
        self.sign("mine", "--annotation", "stage=release")
        check = ["cosign", "verify", "--insecure-ignore-tlog=true",
                 "--allow-http-registry", "--key"]
        environment = {**os.environ, **PASSWORD, "HOME": str(self.home)}
        self.run_program(*check, "mine.pub", "-a", "stage=release", self.ref,
                         cwd=self.folder, env=environment)
        self.run_program("cosign", "generate-key-pair", "--output-key-prefix", "theirs",
                         cwd=self.folder, env=environment)
        self.run_program("cosign", "sign", "--yes", "--key", "theirs.key",
                         "--tlog-upload=false", "--use-signing-config=false",
                         "--allow-http-registry",
                         f"{self.server.host}/team/app@{self.digest}",
                         cwd=self.folder, env=environment)
        self.verify("--key", "theirs.pub")
        self.verify("--key", "mine.pub")


if __name__ == "__main__":
    unittest.main()
