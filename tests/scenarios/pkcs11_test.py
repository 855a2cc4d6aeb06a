"""Keys on a token: softhsm2 is the token, OpenSSL's pkcs11 provider the way to it. Where
Debian has no such provider, the error names it."""
import glob
import json
import os
import unittest

from registry_scenario import RegistryScenario
from support import have, needs

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
PROVIDER = glob.glob("/usr/lib/*/ossl-modules/pkcs11.so")
PIN = "81726354"


class TokenScenario(RegistryScenario):
    def setUp(self):
        super().setUp()
        project = self.project({"a": "one\n"}, platforms="linux/amd64, linux/arm64")
        self.lithify("build", "--output", f"oci={self.folder}/web", "-q", cwd=project)


@unittest.skipIf(PROVIDER, "the provider is installed")
class NoProvider(TokenScenario):
    def test_a_missing_provider_is_named(self):
        error = self.lithify("sign", "--key", "pkcs11:token=t;object=k?pin-value=" + PIN,
                             "./web", cwd=self.folder, status=7).stderr
        self.assertIn("apt install pkcs11-provider", error)
        self.assertNotIn(PIN, error)


@unittest.skipUnless(PROVIDER and os.path.exists(MODULE), "no provider, or no softhsm2")
@needs("softhsm2-util", "pkcs11-tool")
class SoftToken(TokenScenario):
    def setUp(self):
        super().setUp()
        (self.folder / "tokens").mkdir()
        (self.folder / "softhsm2.conf").write_text(
            f"directories.tokendir = {self.folder}/tokens\nobjectstore.backend = file\n")
        self.tokens = {"SOFTHSM2_CONF": str(self.folder / "softhsm2.conf"),
                       "COSIGN_PKCS11_MODULE_PATH": MODULE}
        self.with_pin = {**self.tokens, "COSIGN_PKCS11_PIN": PIN}
        environment = {**os.environ, **self.tokens}
        self.run_program("softhsm2-util", "--init-token", "--free", "--label", "release",
                         "--pin", PIN, "--so-pin", "5678", env=environment)
        for number, (label, kind) in enumerate((("ec", "EC:prime256v1"), ("rsa", "rsa:3072"),
                                                ("ed", "EC:edwards25519"),
                                                ("odd", "EC:secp256k1"))):
            self.run_program("pkcs11-tool", "--module", MODULE, "--login", "--pin", PIN,
                             "--token-label", "release", "--keypairgen", "--key-type", kind,
                             "--label", label, "--id", f"0{number + 1}", env=environment)

    def sign(self, query, env=None, **kwargs):
        return self.lithify("sign", "--as", "r.example/a/b:1", "--key",
                            f"pkcs11:token=release;{query}", "./web", cwd=self.folder,
                            env={**self.tokens, **(env or {})}, **kwargs)

    def verify(self, key, **kwargs):
        return self.lithify("verify", "--key", key, "./web", "-q", cwd=self.folder,
                            env=self.tokens, **kwargs)

    def test_keys_of_each_kind_sign_and_stay_on_the_token(self):
        for label in ("ec", "rsa", "ed"):
            public = self.lithify("key", "public", f"pkcs11:token=release;object={label}",
                                  cwd=self.folder, env=self.with_pin).stdout
            (self.folder / f"{label}.pub").write_text(public)
            self.verify(f"{label}.pub", status=4)
            self.sign(f"object={label}", env=self.with_pin)
            self.verify(f"{label}.pub")
            # Its public half needs no PIN.
            self.verify(f"pkcs11:token=release;object={label}")
        error = self.sign("object=odd", env=self.with_pin, status=2).stderr
        self.assertIn("secp256k1", error)

    def test_a_pin_comes_from_where_people_keep_it(self):
        (self.folder / "pin").write_text(PIN + "\n")
        self.sign(f"object=ec?pin-value={PIN}")
        self.sign(f"object=ec?pin-source={self.folder}/pin")
        self.sign("object=ec", env=self.with_pin)
        self.sign("object=ec", env={"LITHIFY_PASSWORD": PIN})
        for query, env in (("object=ec", {}), ("object=ec?pin-value=11112222", {}),
                           ("object=nobody", self.with_pin)):
            error = self.sign(query, env=env, status=2).stderr
            self.assertIn("no token has the key", error)
            self.assertNotIn("11112222", error)

    def test_a_build_file_does_not_choose_the_module(self):
        (self.folder / "policy.yaml").write_text(
            "lithify-policy: 1\nkeys: {a: 'pkcs11:object=ec?module-path=/tmp/evil.so'}\n"
            "rules: [{repositories: '**', require: [{any-of: a}]}]\n")
        error = self.lithify("verify", "--policy", "policy.yaml", "--as", "r.example/a/b:1",
                             "./web", cwd=self.folder, env=self.tokens, status=2).stderr
        self.assertIn("COSIGN_PKCS11_MODULE_PATH", error)

    @needs("docker-registry")
    def test_a_push_signs_with_a_token_and_tells_no_pin(self):
        ref = f"{self.registry().host}/a/c:1"
        key = "pkcs11:token=release;object=ec"
        for flags in ((), ("--dry-run",), ("--json",)):
            result = self.lithify("push", "--tag", ref, "--key", f"{key}?pin-value={PIN}",
                                  *flags, cwd=self.folder / "project", env=self.tokens)
            self.assertNotIn(PIN, result.stdout + result.stderr)
        self.lithify("verify", "--key", key, ref, cwd=self.folder, env=self.tokens)
        text = (self.folder / "project/lithify.yaml").read_text()
        (self.folder / "project/lithify.yaml").write_text(
            text + f"sign: {{key: '{key}?module-path=/tmp/evil.so'}}\n")
        error = self.lithify("push", "--tag", ref, cwd=self.folder / "project",
                             env=self.with_pin, status=2).stderr
        self.assertIn("COSIGN_PKCS11_MODULE_PATH", error)

    @unittest.skipUnless(have("cosign"), "not installed: cosign")
    def test_cosign_accepts_what_a_token_signed(self):
        if not have("docker-registry"):
            self.skipTest("not installed: docker-registry")
        server = self.registry()
        ref = f"{server.host}/a/b:1"
        self.sign("object=ec", env=self.with_pin)
        copied = self.lithify("copy", "--referrers", "--json", "./web", ref,
                              cwd=self.folder)
        self.assertEqual(json.loads(copied.stdout)["signatures"], 3)
        public = self.lithify("key", "public", "pkcs11:token=release;object=ec",
                              cwd=self.folder, env=self.with_pin).stdout
        (self.folder / "ec.pub").write_text(public)
        self.run_program("cosign", "verify", "--key", "ec.pub", "--allow-http-registry",
                         "--insecure-ignore-tlog=true", ref, cwd=self.folder,
                         env={**os.environ, "HOME": str(self.home)})


if __name__ == "__main__":
    unittest.main()
