"""Who we are to a registry: passwords, tokens, helpers, files, and secrets that stay so."""
import base64
import json
import shutil
import subprocess
import unittest

from foreign_image import ForeignImage
from registry_peers import TokenServer
from registry_scenario import RegistryScenario, noise, uploads
from support import LITHIFY, needs, scratch_folder

USER, SECRET = "anna", "correct-horse-4711"
OTHER, OTHER_SECRET = "ben", "battery-staple-0815"
TARGET = '  - {repo: "%s/shop/demo", tags: {"1.0": once}}\n'


def encoded(user, password):
    return base64.b64encode(f"{user}:{password}".encode()).decode()


class AuthScenario(RegistryScenario):
    """Whatever lithify is made to say here, no secret is in it."""

    def lithify(self, *args, password=None, **kwargs):
        if password is not None:
            return self.with_password(args, password, **kwargs)
        result = super().lithify(*args, **kwargs)
        self.assert_no_secret(result.stdout + result.stderr)
        return result

    def with_password(self, args, password, status=0):
        """lithify with something on its standard input."""
        result = subprocess.run(
            [LITHIFY, *args], input=password, text=True, capture_output=True, check=False,
            cwd=self.folder, env={"PATH": self.path(), **self.environment,
                                  "LITHIFY_STORE": str(self.store)})
        self.assertEqual(result.returncode, status, result.stderr)
        self.assert_no_secret(result.stdout + result.stderr)
        return result

    def path(self):
        return f"{self.folder}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin"

    def assert_no_secret(self, text):
        for user, password in ((USER, SECRET), (OTHER, OTHER_SECRET)):
            self.assertNotIn(password, text)
            self.assertNotIn(encoded(user, password), text)
        self.assertNotIn("eyJ", text)  # how tokens begin

    def login(self, host, user=USER, password=SECRET, **kwargs):
        return self.lithify("login", host, "-u", user, "--password-stdin",
                            password=password + "\n", **kwargs)

    def credentials(self, host, user=USER, password=SECRET):
        return {"auths": {host: {"auth": encoded(user, password)}}}


@needs("docker-registry", "htpasswd")
class Passwords(AuthScenario):
    def setUp(self):
        super().setUp()
        self.peer = self.registry(users={USER: SECRET, OTHER: OTHER_SECRET})
        self.demo = self.project({"a": "mine\n"}, TARGET % self.peer.host)
        self.file = self.home / ".docker/config.json"

    def push(self, *args, **kwargs):
        return self.lithify("push", *args, cwd=self.demo, **kwargs)

    def assert_pushed(self):
        self.assertEqual(len(uploads(self.peer.requests())), 2)

    def test_login_keeps_only_what_works(self):
        result = self.login(self.peer.host, password="wrong", status=6)
        self.assert_golden("login-wrong", result.stderr, self.peer)
        self.assertFalse(self.file.exists())
        result = self.login(self.peer.host)
        self.assertEqual(result.stdout, "")
        self.assertIn(str(self.file), result.stderr)
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o600)
        self.assertEqual(json.loads(self.file.read_text()), self.credentials(self.peer.host))
        self.push("-vv")
        self.assert_pushed()
        self.lithify("logout", self.peer.host)
        self.assertNotIn(encoded(USER, SECRET), self.file.read_text())
        result = self.push(status=6)
        self.assertIn("lithify login", result.stderr)
        self.assertIn("there was no login", self.lithify("logout", self.peer.host).stderr)

    def test_login_leaves_the_rest_of_the_file_alone(self):
        before = {"auths": {"ghcr.io": {"auth": encoded("x", "y")}}, "HttpHeaders": {"A": "b"},
                  "psFormat": "{{.ID}}"}
        self.write("home/.docker/config.json", json.dumps(before))
        self.login(self.peer.host)
        after = json.loads(self.file.read_text())
        self.assertEqual(after["auths"].pop(self.peer.host)["auth"], encoded(USER, SECRET))
        self.assertEqual(after, before)

    def test_nobody_and_the_wrong_one_are_told_so(self):
        result = self.push("-q", status=6)
        self.assert_golden("push-without-login", result.stderr, self.peer)
        self.assertEqual(uploads(self.peer.requests()), [])
        self.write("home/.docker/config.json",
                   json.dumps(self.credentials(self.peer.host, password="old")))
        result = self.push("-vv", status=6)
        self.assert_golden("push-wrong-password", result.stderr, self.peer)

    def test_every_place_for_credentials(self):
        good = json.dumps(self.credentials(self.peer.host))
        bad = json.dumps(self.credentials(self.peer.host, password="bad"))
        self.write("home/.docker/config.json", bad)
        self.write("auth.json", good)
        self.write("docker/config.json", good)
        places = {"--authfile": (["--authfile", f"{self.folder}/auth.json"], {}),
                  "REGISTRY_AUTH_FILE": ([], {"REGISTRY_AUTH_FILE":
                                              f"{self.folder}/auth.json"}),
                  "DOCKER_AUTH_CONFIG": ([], {"DOCKER_AUTH_CONFIG": good}),
                  "DOCKER_CONFIG": ([], {"DOCKER_CONFIG": f"{self.folder}/docker"})}
        for name, (args, env) in places.items():
            with self.subTest(name):
                self.push(*args, env=env)
        self.push(status=6)
        for path in ("home/.config/containers/auth.json", "home/run/containers/auth.json"):
            with self.subTest(path):
                written = self.write(path, good)
                self.push()
                written.unlink()

    def test_the_longest_key_wins(self):
        document = self.credentials(self.peer.host, password="bad")
        document["auths"][f"{self.peer.host}/shop"] = {"auth": encoded(OTHER, OTHER_SECRET)}
        document["auths"][f"{self.peer.host}/shop/other"] = {"auth": encoded("x", "y")}
        self.write("home/.config/containers/auth.json", json.dumps(document))
        self.push()
        self.assert_pushed()
        told = self.lithify("doctor", f"{self.peer.host}/shop/demo:1.0").stdout
        self.assertIn(f"{OTHER} from", told)
        self.assertIn(f"key {self.peer.host}/shop", told)

    def helper(self, script):
        self.write("bin/docker-credential-test", "#!/bin/sh\n" + script, mode=0o755)
        self.write("home/.docker/config.json",
                   json.dumps({"credHelpers": {self.peer.host: "test"}}))
        self.environment["PATH"] = self.path()

    def test_a_helper_is_asked_once(self):
        self.helper(f'read server\necho "$1 $server" >>"{self.folder}/calls"\n'
                    f'echo \'{{"ServerURL":"x","Username":"{USER}","Secret":"{SECRET}"}}\'\n')
        self.push("-vv")
        self.assert_pushed()
        self.assertEqual((self.folder / "calls").read_text(), f"get {self.peer.host}\n")

    def test_a_helper_that_fails_is_the_end(self):
        self.helper("echo the keyring is locked\nexit 1\n")
        # Another file would know; it must not be asked after a failure.
        self.write("home/.config/containers/auth.json",
                   json.dumps({"auths": {"ghcr.io": {"auth": encoded("x", "y")}}}))
        self.write("home/.dockercfg",
                   json.dumps(self.credentials(self.peer.host)["auths"]))
        result = self.push("-q", status=6)
        self.assert_golden("helper-fails", result.stderr, self.peer)
        self.assertEqual(uploads(self.peer.requests()), [])

    def test_login_into_a_helper(self):
        self.helper(f'cat >"{self.folder}/kept-$1"\n')
        self.login(self.peer.host)
        stored = json.loads((self.folder / "kept-store").read_text())
        self.assertEqual((stored["Username"], stored["Secret"]), (USER, SECRET))
        self.assertNotIn(encoded(USER, SECRET), self.file.read_text())

    def test_doctor_shows_who_and_where_but_no_secret(self):
        self.login(self.peer.host)
        result = self.lithify("doctor", f"{self.peer.host}/shop/demo:1.0", status=2)
        self.assertIn("there is no such image", result.stdout)
        self.push()
        result = self.lithify("doctor", f"{self.peer.host}/shop/demo:1.0", "-vv")
        self.assertIn(f"http://{self.peer.host}", result.stdout)
        self.assertIn(str(self.file), result.stdout)
        self.assertIn(USER, result.stdout)

    def test_login_asks_for_what_is_missing(self):
        result = self.lithify("login", self.peer.host, status=2)
        self.assert_golden("login-no-terminal", result.stderr, self.peer)
        self.lithify("login", status=2)
        self.login(self.peer.host, password="", status=2)


@needs("docker-registry", "openssl", "skopeo")
class Tokens(AuthScenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.keys = scratch_folder()
        cls.addClassCleanup(shutil.rmtree, cls.keys)

    def serve(self, **options):
        self.tokens = TokenServer(self.keys, {USER: SECRET}, **options)
        self.addCleanup(self.tokens.stop)
        self.peer = self.registry(token=self.tokens)
        self.write("home/.docker/config.json", json.dumps(self.credentials(self.peer.host)))
        self.image = ForeignImage(self.folder / "base", [{"etc/": None}])
        self.demo = self.project({"a": noise(1000, 1), "b": "b\n"}, TARGET % self.peer.host)

    def push(self, *args, **kwargs):
        return self.lithify("push", *args, cwd=self.demo, **kwargs)

    def test_one_token_for_a_push(self):
        self.serve()
        self.push("-vv")
        self.assertEqual(self.tokens.asked, [
            {"user": USER, "password": SECRET, "service": TokenServer.SERVICE,
             "scopes": ["repository:shop/demo:pull,push"]}])
        self.push()
        self.assertEqual(len(self.tokens.asked), 2)

    def test_one_token_for_each_target(self):
        self.serve()
        build_file = self.demo / "lithify.yaml"
        build_file.write_text(build_file.read_text()
                              + '  - {repo: "%s/mirror", tags: {v1: once}}\n' % self.peer.host)
        self.push()
        self.assertEqual([one["scopes"] for one in self.tokens.asked],
                         [["repository:shop/demo:pull,push"],
                          ["repository:mirror:pull,push", "repository:shop/demo:pull"]])
        self.assertEqual(len(uploads(self.peer.requests())), 3)  # mounted the second time

    def test_an_identity_token(self):
        self.serve(identity=OTHER_SECRET)
        self.write("home/.docker/config.json", json.dumps({"auths": {self.peer.host: {
            "auth": encoded("00000000-0000-0000-0000-000000000000", ""),
            "identitytoken": OTHER_SECRET}}}))
        self.push("-vv")
        self.assertEqual([(one["password"], one["scopes"]) for one in self.tokens.asked],
                         [(OTHER_SECRET, ["repository:shop/demo:pull,push"])])

    def test_a_mount_asks_for_both_repositories_at_once(self):
        self.serve()
        self.image.push(self.peer, "library/base:1", "--dest-creds", f"{USER}:{SECRET}")
        self.demo = self.project({"a": "a\n"}, TARGET % self.peer.host, base="base",
                                 sources=f'  base: {{image: "{self.peer.host}/library/base:1"}}\n')
        self.lithify("lock", cwd=self.demo)
        self.tokens.asked.clear()
        self.peer.forget()
        self.push()
        scopes = [one["scopes"] for one in self.tokens.asked]
        self.assertIn(["repository:shop/demo:pull,push", "repository:library/base:pull"],
                      scopes)
        self.assertNotIn(["repository:shop/demo:pull,push"], scopes)
        self.assertIn(self.image.layer_digests[0].replace(":", "%3A"),
                      "".join(one for one in self.peer.requests()
                              if "mount=" in one and one.endswith(" 201")))
        self.assertEqual(len(uploads(self.peer.requests())), 2)

    def test_a_copy_asks_once_on_each_side(self):
        self.serve()
        self.image.push(self.peer, "library/base:1", "--dest-creds", f"{USER}:{SECRET}")
        self.tokens.asked.clear()
        self.lithify("copy", f"{self.peer.host}/library/base:1", f"{self.peer.host}/two:1")
        self.assertEqual([one["scopes"] for one in self.tokens.asked],
                         [["repository:library/base:pull"],
                          ["repository:two:pull,push", "repository:library/base:pull"]])

    def test_strangers_may_pull(self):
        self.serve()
        self.push()
        (self.home / ".docker/config.json").unlink()
        self.lithify("pull", f"{self.peer.host}/shop/demo:1.0")
        self.assertEqual((self.tokens.asked[-1]["user"], self.tokens.asked[-1]["scopes"]),
                         ("", ["repository:shop/demo:pull"]))
        build_file = self.demo / "lithify.yaml"
        build_file.write_text(build_file.read_text().replace("1.0", "1.1"))
        result = self.push("-q", status=6)
        self.assert_golden("token-stranger", result.stderr, self.peer)

    def test_a_repository_that_is_not_ours(self):
        self.serve(forbidden=["shop/demo"])
        result = self.push("-q", status=6)
        self.assert_golden("token-forbidden", result.stderr, self.peer)

    def test_a_wrong_password_at_the_token_server(self):
        self.serve()
        self.write("home/.docker/config.json",
                   json.dumps(self.credentials(self.peer.host, password="old")))
        result = self.push("-q", status=6)
        self.assert_golden("token-wrong-password", result.stderr, self.peer)
        result = self.login(self.peer.host, password="old", status=6)
        self.assert_golden("login-wrong-token", result.stderr, self.peer)
        self.login(self.peer.host)
        self.push()

    def test_a_foreign_realm_gets_the_password_only_when_trusted(self):
        self.serve(realm_host="127.0.0.1")
        result = self.push("-q", status=6)
        self.assert_golden("realm-foreign", result.stderr.replace(self.tokens.host, "REALM"),
                           self.peer)
        self.assertEqual({one["password"] for one in self.tokens.asked}, {""})
        self.push(env={"LITHIFY_TRUSTED_REALMS": self.tokens.host})
        self.assertEqual(self.tokens.asked[-1]["password"], SECRET)


if __name__ == "__main__":
    unittest.main()
