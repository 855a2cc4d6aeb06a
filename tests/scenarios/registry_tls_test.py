"""Registries with a private authority: trusted where that is said, refused elsewhere."""
import shutil
import unittest

from registry_peers import Authority
from registry_scenario import RegistryScenario
from support import needs, scratch_folder


@needs("docker-registry", "openssl")
class Certificates(RegistryScenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = scratch_folder()
        cls.addClassCleanup(shutil.rmtree, folder)
        cls.authority = Authority(folder / "authority")
        cls.pair = cls.authority.issue("server")
        cls.client = cls.authority.issue("client")

    def serve(self, **options):
        self.peer = self.registry(tls=self.pair, **options)
        self.demo = self.project({"a": "mine\n"}, '  - {repo: "%s/demo", tags: {v1: once}}\n'
                                 % self.peer.host)
        # The directory alone says that a loopback registry speaks TLS.
        self.certificates = self.config / "containers/certs.d" / self.peer.host
        self.certificates.mkdir(parents=True)

    def push(self, **kwargs):
        return self.lithify("push", "-q", cwd=self.demo, **kwargs)

    def pushed(self):
        return "PUT /v2/demo/manifests/v1 201" in self.peer.requests()

    def test_a_stranger_is_refused(self):
        self.serve()
        result = self.push(status=6)
        self.assert_golden("tls-unknown-authority", result.stderr, self.peer)
        self.assertEqual(self.peer.requests(), [])

    def test_certs_d_names_the_authority(self):
        self.serve()
        shutil.copy(self.authority.certificate, self.certificates / "ca.crt")
        self.push()
        self.assertTrue(self.pushed())
        out = self.lithify("doctor", f"{self.peer.host}/demo:v1").stdout
        self.assertIn(f"https://{self.peer.host}", out)
        self.lithify("pull", f"{self.peer.host}/demo:v1")

    def test_ssl_cert_file_does(self):
        self.serve()
        self.push(env={"SSL_CERT_FILE": str(self.authority.certificate)})
        self.assertTrue(self.pushed())

    def test_another_authority_is_none(self):
        self.serve()
        other = Authority(self.folder / "other")
        shutil.copy(other.certificate, self.certificates / "ca.crt")
        result = self.push(status=6)
        self.assertIn("certificate", result.stderr)

    def test_a_certificate_for_another_name(self):
        self.pair = self.authority.issue("elsewhere", names="DNS:elsewhere.example")
        self.addCleanup(delattr, self, "pair")
        self.serve()
        shutil.copy(self.authority.certificate, self.certificates / "ca.crt")
        result = self.push(status=6)
        self.assert_golden("tls-other-name", result.stderr, self.peer)

    def test_an_insecure_registry_is_one_that_the_user_names(self):
        self.serve()
        self.push(env={"LITHIFY_INSECURE_REGISTRIES": self.peer.host})
        self.assertTrue(self.pushed())

    def test_registries_conf_may_say_so_too(self):
        self.serve()
        conf = self.write("registries.conf", f'[[registry]]\nlocation = "{self.peer.host}"\n'
                          "insecure = true\n")
        self.push(env={"CONTAINERS_REGISTRIES_CONF": str(conf)})
        self.assertTrue(self.pushed())
        conf.write_text(f'[[registry]]\nlocation = "{self.peer.host}"\nblocked = true\n')
        result = self.push(env={"CONTAINERS_REGISTRIES_CONF": str(conf)}, status=6)
        self.assert_golden("registry-blocked", result.stderr, self.peer)

    def test_plain_http_to_a_server_that_speaks_tls(self):
        self.serve()
        self.certificates.rmdir()
        result = self.push(status=None)
        self.assertNotEqual(result.returncode, 0)
        self.assert_golden("tls-not-expected", result.stderr, self.peer)

    def test_a_client_certificate(self):
        self.serve(client_ca=self.authority.certificate)
        shutil.copy(self.authority.certificate, self.certificates / "ca.crt")
        result = self.push(status=6)
        self.assertIn("wants a client certificate", result.stderr)
        self.assertIn(f"containers/certs.d/{self.peer.host}", result.stderr)
        shutil.copy(self.client[0], self.certificates / "client.cert")
        result = self.push(status=2)
        self.assertIn("client.key", result.stderr)
        shutil.copy(self.client[1], self.certificates / "client.key")
        self.push()
        self.assertTrue(self.pushed())


if __name__ == "__main__":
    unittest.main()
