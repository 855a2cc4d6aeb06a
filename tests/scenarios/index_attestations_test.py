"""Attestations as members of the index that is pushed, as BuildKit writes them."""
import json
import unittest

from judges import ask
from registry_scenario import RegistryScenario
from support import needs, needs_peers, peer

PASSWORD = {"COSIGN_PASSWORD": "a passphrase"}
SPDX, SLSA = "https://spdx.dev/Document", "https://slsa.dev/provenance/v1"
SIGN = "sign: {{key: '{key}', attest: [sbom-spdx, provenance], index-att: {in_index}}}\n"


@needs("docker-registry")
class IndexAttestations(RegistryScenario):
    def setUp(self):
        super().setUp()
        self.server = self.registry()
        self.lithify("key", "generate", "mine", env=PASSWORD)

    def push_attested(self, platforms, in_index="true", name="app"):
        """Returns reference and project."""
        project = self.project({"a": "one\n", "b": "two\n"}, platforms=platforms)
        with open(project / "lithify.yaml", "a", encoding="utf-8") as file:
            file.write(SIGN.format(key=self.folder / "mine.key", in_index=in_index))
        ref = f"{self.server.host}/team/{name}:1"
        self.digest = self.lithify("push", "--tag", ref, "-q", cwd=project,
                                   env=PASSWORD).stdout.strip().split("@")[1]
        return ref, project

    def index(self):
        return self.document(self.server, "team/app", "1")[1]

    def statements(self, entry):
        """By predicate type."""
        manifest = self.document(self.server, "team/app", entry["digest"])[1]
        return {layer["annotations"]["in-toto.io/predicate-type"]:
                json.loads(self.get(self.server, f"team/app/blobs/{layer['digest']}"))
                for layer in manifest["layers"]}

    def test_each_platform_has_its_own_behind_the_images(self):
        ref, project = self.push_attested("linux/amd64, linux/arm64")
        entries = self.index()["manifests"]
        self.assertEqual([f"{e['platform']['os']}/{e['platform']['architecture']}"
                          for e in entries],
                         ["linux/amd64", "linux/arm64"] + 2 * ["unknown/unknown"])
        for image, about in zip(entries[:2], entries[2:]):
            self.assertEqual(about["annotations"],
                             {"vnd.docker.reference.type": "attestation-manifest",
                              "vnd.docker.reference.digest": image["digest"]})
            said = self.statements(about)
            self.assertEqual(set(said), {SPDX, SLSA})
            for kind, statement in said.items():
                self.assertEqual(statement["predicateType"], kind)
                self.assertEqual("sha256:" + statement["subject"][0]["digest"]["sha256"],
                                 image["digest"])
        # What is pushed again is there already, and what is pulled is the image.
        again = self.lithify("push", "--tag", ref, "-q", cwd=project, env=PASSWORD).stdout
        self.assertEqual(again.strip().split("@")[1], self.digest)
        self.lithify("verify", "-q", "--key", "mine.pub", ref)
        self.run_program("skopeo", "copy", "-q", "--src-tls-verify=false",
                         "--override-arch", "arm64", f"docker://{ref}",
                         f"oci:{self.folder}/pulled:1")

    def test_the_image_alone_is_what_is_reproduced(self):
        for name, platforms in (("one", "linux/amd64"), ("two", "linux/amd64, linux/arm64")):
            with self.subTest(platforms):
                ref, project = self.push_attested(platforms, name=name)
                plain = self.lithify("build", "-q", cwd=project).stdout.split()[-1]
                self.assertNotEqual(plain, self.digest)
                out = self.lithify("reproduce", "-q", "--key", "mine.pub", "--source",
                                   project, ref).stdout
                self.assertEqual(out, f"reproduced  {ref}  {self.digest}\n")
                (project / "files/a").write_text("another\n")
                self.lithify("reproduce", "-q", "--key", "mine.pub", "--source", project,
                             ref, status=4)

    def test_nobody_who_did_not_ask_gets_one(self):
        _, project = self.push_attested("linux/amd64, linux/arm64", in_index="false")
        plain = self.lithify("build", "-q", cwd=project).stdout.split()[-1]
        self.assertEqual(plain, self.digest)

    @needs_peers("buildx")
    def test_buildx_shows_them(self):
        ref, _ = self.push_attested("linux/amd64, linux/arm64")
        for field, kind in (("SBOM", "SPDX"), ("Provenance", "SLSA")):
            shown = ask([peer("buildx"), "imagetools", "inspect", ref, "--format",
                         f"{{{{json .{field}}}}}"], self.folder)
            self.assertTrue(shown.accepted, shown.words)
            for platform in ("linux/amd64", "linux/arm64"):
                said = json.loads(shown.words)[platform][kind]
                self.assertTrue(said, f"{field} of {platform} is empty")


if __name__ == "__main__":
    unittest.main()
