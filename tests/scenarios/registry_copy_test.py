"""lithify copy and pull: between registries, layouts, archives and the store."""
import json
import unittest
import urllib.parse
import urllib.request

from foreign_image import ForeignImage
from registry_scenario import RegistryScenario, count, digest, uploads
from support import files_of, needs

SMALL = {"etc/": None, "etc/conf": b"one\n"}
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@needs("docker-registry", "skopeo")
class Copy(RegistryScenario):
    def setUp(self):
        super().setUp()
        self.peer = self.registry()
        self.image = ForeignImage(self.folder / "foreign", [SMALL, {"app": b"app" * 1000}],
                                  platforms=("amd64", "arm64"))
        self.image.push(self.peer, "shop/one:1")
        self.name = f"{self.peer.host}/shop/one:1"
        self.peer.forget()

    def copy(self, source, target, *args, **kwargs):
        return self.lithify("copy", source, target, *args, **kwargs).stdout

    def test_within_a_registry_layers_are_mounted(self):
        out = self.copy(self.name, f"{self.peer.host}/other/two:1")
        self.assertEqual(out, f"{self.peer.host}/other/two:1 {self.image.digest}\n")
        requests = self.peer.requests()
        self.assertEqual(count(requests, "GET", "/blobs/"), 0, "\n".join(requests))
        self.assertEqual(count(requests, "GET", "/manifests/"), 3)  # once each
        self.assertEqual(uploads(requests), [])
        mounts = [one for one in requests if one.startswith("POST")]
        self.assertEqual(len(mounts), 4)  # two layers, two configurations
        for one in mounts:
            self.assertIn("mount=sha256%3A", one)
            self.assertIn("from=shop%2Fone", one)
            self.assertTrue(one.endswith(" 201"), one)
        self.assertEqual(self.assert_complete(self.peer, "other/two", "1"),
                         self.image.digest)

    def test_between_registries(self):
        other = self.registry("other")
        self.copy(self.name, f"{other.host}/two:1")
        self.assertEqual(self.assert_complete(other, "two", "1"), self.image.digest)
        other.forget()
        self.copy(self.name, f"{other.host}/two:1")
        self.assertEqual(other.requests(), ["HEAD /v2/two/manifests/1 200"])

    def test_one_platform(self):
        out = self.copy(self.name, f"{self.peer.host}/other/arm:1", "--platform",
                        "linux/arm64")
        manifest = self.document(self.peer, "other/arm", "1")
        self.assertIn(manifest[0], out)
        config = json.loads(self.get(self.peer, "other/arm/blobs/"
                                     + manifest[1]["config"]["digest"]))
        self.assertEqual(config["architecture"], "arm64")
        result = self.lithify("copy", self.name, f"{self.peer.host}/x:1", "--platform",
                              "linux/s390x", status=2)
        self.assert_golden("copy-platform", result.stderr, self.peer)

    def test_to_places_on_disk_and_back(self):
        for place in ("oci:lay", "oci-archive:image.tar"):
            with self.subTest(place=place):
                self.assertIn(self.image.digest, self.copy(self.name, place))
                out = self.run_program("skopeo", "inspect", "--raw", f"{place}:1",
                                       cwd=self.folder)
                self.assertEqual(digest(out.encode()), self.image.digest)
                name = "back-" + place.split(":")[0]
                self.copy(f"{place}:1", f"{self.peer.host}/{name}:1")
                self.assertEqual(self.assert_complete(self.peer, name, "1"),
                                 self.image.digest)
        self.assertIn("etc/conf", files_of(self.folder / "lay"))

    def test_to_a_docker_archive(self):
        self.copy(self.name, "docker-archive:docker.tar", "--platform", "linux/amd64")
        told = json.loads(self.run_program("skopeo", "inspect",
                                           f"docker-archive:{self.folder}/docker.tar"))
        self.assertEqual((told["Architecture"], len(told["Layers"])), ("amd64", 2))

    def test_a_foreign_archive_into_a_registry(self):
        self.run_program("skopeo", "copy", "-q", "--all", "--insecure-policy",
                         f"oci:{self.image.layout}:base", "oci-archive:foreign.tar:x",
                         cwd=self.folder)
        self.copy("foreign.tar", f"{self.peer.host}/from/archive:1")
        self.assertEqual(self.assert_complete(self.peer, "from/archive", "1"),
                         self.image.digest)

    def test_a_tag_moves_only_when_told_to(self):
        newer = ForeignImage(self.folder / "newer", [{"etc/": None, "etc/conf": b"two\n"}])
        newer.push(self.peer, "shop/one:2")
        self.copy(self.name, f"{self.peer.host}/two:1")
        two = f"{self.peer.host}/shop/one:2"
        result = self.lithify("copy", two, f"{self.peer.host}/two:1", status=3)
        self.assert_golden("copy-moves", result.stderr, self.peer)
        self.assertEqual(self.document(self.peer, "two", "1")[0], self.image.digest)
        self.copy(two, f"{self.peer.host}/two:1", "--move")
        self.assertEqual(self.document(self.peer, "two", "1")[0], newer.digest)

    def test_pull_into_the_store_and_look_at_it_offline(self):
        out = self.lithify("pull", self.name).stdout
        self.assertIn(self.image.digest, out)
        self.peer.stop()
        self.assertIn(self.image.digest,
                      self.lithify("inspect", self.name, "--offline").stdout)
        listed = self.lithify("inspect", self.name, "/etc", "--platform", "linux/arm64",
                              "--offline").stdout
        self.assertIn("etc/conf", listed)
        self.lithify("cache", "prune", "--yes")
        self.assertIn(self.name, self.lithify("cache", "ls").stdout)
        self.copy(f"store:{self.name}", "oci:lay")
        self.assertIn("app", files_of(self.folder / "lay"))

    def test_pull_into_a_directory(self):
        self.lithify("pull", f"docker://{self.name}", "here")
        out = self.run_program("skopeo", "inspect", "--raw", f"oci:{self.folder}/here")
        self.assertEqual(digest(out.encode()), self.image.digest)

    def test_pull_by_digest(self):
        name = f"{self.peer.host}/shop/one@{self.image.digest}"
        self.assertIn(self.image.digest, self.lithify("pull", name, "here").stdout)
        wrong = f"{self.peer.host}/shop/one@sha256:{'0' * 64}"
        result = self.lithify("pull", wrong, "there", status=2)
        self.assert_golden("pull-missing", result.stderr, self.peer)
        self.assertFalse((self.folder / "there").exists())

    def test_as_json(self):
        document = json.loads(self.copy(self.name, f"{self.peer.host}/two:1", "--json"))
        self.assertEqual((document["schema"], document["digest"]),
                         ("lithify.copy/1", self.image.digest))


@needs("docker-registry", "skopeo")
class Referrers(RegistryScenario):
    """docker-registry 2 has no API for them: they are found by a tag."""

    def setUp(self):
        super().setUp()
        self.peer = self.registry()
        self.image = ForeignImage(self.folder / "foreign", [SMALL])
        self.image.push(self.peer, "shop/one:1")

    def send(self, method, path, data=b"", kind="application/octet-stream"):
        url = path if "://" in path else f"http://{self.peer.host}/v2/{path}"
        request = urllib.request.Request(url, data=data, method=method,
                                         headers={"Content-Type": kind})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        return opener.open(request).headers

    def put_blob(self, data, repository="shop/one"):
        place = self.send("POST", f"{repository}/blobs/uploads/")["Location"]
        self.send("PUT", f"{place}&digest={urllib.parse.quote(digest(data))}", data)
        return {"digest": digest(data), "size": len(data)}

    def attach(self, kind, content):
        """A manifest with a subject, and the tag that lists it."""
        subject = json.loads((self.image.layout / "index.json").read_text())["manifests"][0]
        manifest = json.dumps({
            "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": kind,
            "config": {"mediaType": "application/vnd.oci.empty.v1+json",
                       **self.put_blob(b"{}")},
            "layers": [{"mediaType": "text/plain", **self.put_blob(content)}],
            "subject": {key: subject[key] for key in ("mediaType", "digest", "size")},
            "annotations": {"made": "by hand"}}).encode()
        name = digest(manifest)
        self.send("PUT", f"shop/one/manifests/{name}", manifest, MANIFEST)
        index = "application/vnd.oci.image.index.v1+json"
        self.send("PUT", f"shop/one/manifests/{self.image.digest.replace(':', '-')}",
                  json.dumps({"schemaVersion": 2, "mediaType": index, "manifests": [
                      {"mediaType": MANIFEST, "digest": name, "size": len(manifest),
                       "artifactType": kind, "annotations": {"made": "by hand"}}]}).encode(),
                  index)
        return name

    def test_they_come_along_when_asked_for(self):
        attached = self.attach("text/x-report", b"all is well\n")
        other = self.registry("other")
        source = f"{self.peer.host}/shop/one:1"
        self.lithify("copy", source, f"{other.host}/plain:1")
        self.assertEqual(self.tags(other, "plain"), ["1"])
        document = json.loads(self.lithify("copy", source, f"{other.host}/full:1",
                                           "--referrers", "--json").stdout)
        self.assertEqual(document["referrers"], 1)
        tag = self.image.digest.replace(":", "-")
        self.assertEqual(self.tags(other, "full"), ["1", tag])
        listed = self.document(other, "full", tag)[1]["manifests"]
        self.assertEqual([(one["digest"], one["artifactType"], one["annotations"])
                          for one in listed],
                         [(attached, "text/x-report", {"made": "by hand"})])
        self.assertEqual(self.assert_complete(other, "full", attached), attached)
        self.lithify("copy", source, f"{other.host}/full:1", "--referrers")
        self.assertEqual(len(self.document(other, "full", tag)[1]["manifests"]), 1)

    def test_none_are_no_error(self):
        document = json.loads(self.lithify(
            "copy", f"{self.peer.host}/shop/one:1", f"{self.peer.host}/two:1", "--referrers",
            "--json").stdout)
        self.assertEqual(document["referrers"], 0)


if __name__ == "__main__":
    unittest.main()
