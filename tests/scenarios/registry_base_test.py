"""Bases from a real registry: locked, read only where a step reads them, and given back
without their bytes passing by."""
import json
import shutil
import unittest

from foreign_image import ForeignImage
from registry import Registry
from registry_scenario import RegistryScenario, count, noise, uploads
from support import config_of, files_of, manifest_of, needs, scratch_folder

PASSWD = b"root:x:0:0:root:/root:/bin/sh\n"
SMALL = {"etc/": None, "etc/passwd": PASSWD, "etc/group": b"root:x:0:\n", "tmp/": None}


def source(registry, name, **more):
    extra = "".join(f", {key}: {value}" for key, value in more.items())
    return f'  base: {{image: "{registry.host}/{name}"{extra}}}\n'


class BaseScenario(RegistryScenario):
    def on_base(self, registry, name, *, files=None, **kwargs):
        return self.project(files if files is not None else {"app": "mine\n"}, base="base",
                            sources=source(registry, name), **kwargs)

    def lock(self, folder):
        return (folder / "lithify.lock").read_text()


@needs("docker-registry", "skopeo")
class BigBase(BaseScenario):
    """A base of 105 MB that nobody wants to carry."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.shared = scratch_folder()
        cls.addClassCleanup(shutil.rmtree, cls.shared)
        image = ForeignImage(cls.shared / "big",
                             [{"usr/": None, "usr/noise": noise(105_000_000, 7)}, SMALL],
                             config={"Env": ["PATH=/bin"], "Cmd": ["/bin/sh"]}, squeeze=0)
        cls.image = image
        cls.peer = Registry(cls.shared / "registry").start()
        cls.addClassCleanup(cls.peer.stop)
        image.push(cls.peer, "library/big:1")

    def setUp(self):
        super().setUp()
        self.peer.forget()

    def fetched(self, registry):
        return [layer for layer in self.image.layer_digests
                if count(registry.requests(), "GET", layer)]

    def store_size(self):
        return sum(f.stat().st_size for f in self.store.rglob("*") if f.is_file())

    def test_adding_files_fetches_nothing_and_a_push_mounts(self):
        project = self.on_base(self.peer, "library/big:1",
                               push='  - {repo: "%s/app", tags: {v1: once}}\n'
                               % self.peer.host)
        built = self.build(project, "--push")["demo"]
        requests = self.peer.requests()
        self.assertEqual(self.fetched(self.peer), [])
        for layer in self.image.layer_digests:
            mounts = [one for one in requests if one.startswith("POST")
                      and layer.replace(":", "%3A") in one]
            self.assertEqual(len(mounts), 1, requests)
            self.assertIn("from=library%2Fbig", mounts[0])
            self.assertTrue(mounts[0].endswith(" 201"))
        manifest = self.document(self.peer, "app", "v1")[1]
        self.assertEqual([layer["digest"] for layer in manifest["layers"][:2]],
                         self.image.layer_digests)
        self.assertEqual(uploads(requests), sorted([manifest["config"]["digest"],
                                                    manifest["layers"][2]["digest"]]))
        self.assertEqual(self.assert_complete(self.peer, "app", "v1"), built)
        self.assertLess(self.store_size(), 5_000_000)

    def test_a_push_into_the_repository_of_the_base_sends_no_base_layer(self):
        project = self.on_base(self.peer, "library/big:1",
                               push='  - {repo: "%s/library/big", tags: {mine: once}}\n'
                               % self.peer.host)
        self.lithify("push", cwd=project)
        requests = self.peer.requests()
        self.assertEqual(self.fetched(self.peer), [])
        self.assertEqual(count(requests, "POST", "mount="), 0)
        self.assertEqual(len(uploads(requests)), 2)

    def test_a_rebuild_asks_nothing(self):
        project = self.on_base(self.peer, "library/big:1")
        built = self.build(project)
        self.peer.forget()
        self.assertEqual(self.build(project, "--locked"), built)
        self.assertEqual(self.build(project, "--offline"), built)
        self.assertEqual(self.peer.requests(), [])

    def test_a_push_to_another_registry_streams(self):
        other = self.registry("other")
        project = self.on_base(self.peer, "library/big:1",
                               push='  - {repo: "%s/app", tags: {v1: once}}\n' % other.host)
        built = self.build(project, "--push")["demo"]
        self.assertEqual(self.fetched(self.peer), self.image.layer_digests)
        for layer in self.image.layer_digests:
            self.assertEqual(count(self.peer.requests(), "GET", layer), 1)
        self.assertEqual(self.assert_complete(other, "app", "v1"), built)

    def test_an_output_of_it_is_complete(self):
        project = self.on_base(self.peer, "library/big:1")
        self.build(project, "--output", "oci=out")
        self.run_program("skopeo", "copy", "-q", "--insecure-policy",
                         f"oci:{project}/out", f"dir:{self.folder}/copy")
        files = files_of(project / "out")
        self.assertEqual({"usr/noise", "etc/passwd", "srv/app"} - set(files), set())
        config = config_of(project / "out")["config"]
        self.assertEqual((config["Env"], config["Cmd"]), (["PATH=/bin"], ["/bin/sh"]))
        self.peer.forget()
        self.build(project, "--output", "oci-archive=image.tar", "--offline")
        self.assertEqual(self.peer.requests(), [])


@needs("docker-registry", "skopeo")
class SmallBase(BaseScenario):
    def setUp(self):
        super().setUp()
        self.peer = self.registry()

    def base(self, name, *layers, tag="library/small:1", flags=(), **kwargs):
        image = ForeignImage(self.folder / f"foreign-{name}", layers or [SMALL], **kwargs)
        image.push(self.peer, tag, *flags)
        return image

    def test_the_lock_holds_the_digest(self):
        image = self.base("one")
        project = self.on_base(self.peer, "library/small:1")
        self.lithify("lock", cwd=project)
        self.assertIn(image.digest, self.lock(project))
        self.assertIn(f"{self.peer.host}/library/small:1", self.lock(project))

    def test_a_tag_that_moved_changes_nothing_until_update(self):
        old = self.base("one")
        project = self.on_base(self.peer, "library/small:1")
        built = self.build(project)
        lock = self.lock(project)
        new = self.base("two", {**SMALL, "etc/new": b"new\n"})
        self.assertEqual(self.build(project, "--locked"), built)
        self.lithify("push", "--tag", f"{self.peer.host}/app:old", cwd=project,
                     store=self.folder / "empty")
        self.assertEqual(self.document(self.peer, "app", "old")[0], built["demo"])
        self.assertEqual(self.lock(project), lock)
        self.lithify("lock", "--check", cwd=project)
        self.lithify("lock", "--update", cwd=project)
        self.assertIn(new.digest, self.lock(project))
        self.assertNotIn(old.digest, self.lock(project))
        self.assertNotEqual(self.build(project, "--output", "oci=out"), built)
        self.assertIn("etc/new", files_of(project / "out"))

    def test_steps_that_read_the_base_fetch_it(self):
        image = self.base("one", SMALL, {"opt/": None, "opt/unwanted": b"x"})
        steps = ("    - users: [{name: app, uid: 1000}]\n"
                 "    - {remove: [/opt/unwanted]}\n")
        project = self.on_base(self.peer, "library/small:1", steps=steps)
        built = self.build(project, "--output", "oci=out")
        files = files_of(project / "out")
        self.assertNotIn("opt/unwanted", files)
        self.assertIn("opt", files)
        self.peer.forget()
        self.assertEqual(self.build(project, "--no-cache", store=self.folder / "other"), built)
        for layer in image.layer_digests:
            self.assertEqual(count(self.peer.requests(), "GET", layer), 1)
        root = self.folder / "root"
        self.build(project, "--output", f"rootfs={root}")
        self.assertEqual((root / "etc/passwd").read_bytes().splitlines()[0] + b"\n", PASSWD)
        self.assertIn("app:*:1000", (root / "etc/passwd").read_text())

    def test_offline_after_one_build(self):
        self.base("one")
        steps = "    - users: [{name: app, uid: 1000}]\n"
        project = self.on_base(self.peer, "library/small:1", steps=steps)
        built = self.build(project)
        self.peer.stop()
        self.assertEqual(self.build(project, "--offline", "--no-cache"), built)
        self.assertEqual(self.build(project, "--locked", "--no-cache"), built)
        result = self.lithify("build", "--offline", cwd=project, store=self.folder / "empty",
                              status=6)
        self.assert_golden("base-offline", result.stderr, self.peer)

    def test_a_base_with_a_docker_manifest(self):
        self.base("one", flags=["--format", "v2s2"], platforms=("amd64", "arm64"))
        self.assertEqual(self.document(self.peer, "library/small", "1")[1]["mediaType"],
                         "application/vnd.docker.distribution.manifest.list.v2+json")
        project = self.on_base(self.peer, "library/small:1",
                               push='  - {repo: "%s/app", tags: {v1: once}}\n'
                               % self.peer.host,
                               steps="    - users: [{name: app, uid: 1000}]\n")
        self.build(project, "--push", "--output", "oci=out")
        manifest = manifest_of(project / "out")
        self.assertEqual([layer["mediaType"].split(".")[1] for layer in manifest["layers"]],
                         ["oci"] * len(manifest["layers"]))
        self.assert_complete(self.peer, "app", "v1")
        self.run_program("skopeo", "copy", "-q", "--insecure-policy",
                         f"oci:{project}/out", f"dir:{self.folder}/copy")

    def test_a_base_of_several_platforms(self):
        image = self.base("one", platforms=("amd64", "arm64", "s390x"))
        project = self.on_base(self.peer, "library/small:1",
                               platforms="linux/amd64, linux/arm64")
        self.peer.forget()
        self.build(project, "--output", "oci=out")
        reads = [one for one in self.peer.requests() if one.startswith("GET")]
        # The index by its tag, two manifests, two configurations, the layer they share.
        self.assertEqual((len(reads), len(set(reads))), (6, 6), reads)
        for architecture in ("amd64", "arm64"):
            manifest = manifest_of(project / "out", architecture)
            self.assertEqual(manifest["layers"][0]["digest"], image.layer_digests[0])
            self.assertEqual(config_of(project / "out", architecture)["architecture"],
                             architecture)
        project = self.on_base(self.peer, "library/small:1", platforms="linux/riscv64")
        result = self.lithify("build", cwd=project, status=2)
        self.assert_golden("base-platform", result.stderr, self.peer)

    def test_a_base_by_digest(self):
        image = self.base("one")
        self.base("two", {**SMALL, "etc/new": b"new\n"})
        project = self.on_base(self.peer, f"library/small:1@{image.digest}")
        self.build(project, "--output", "oci=out")
        self.assertNotIn("etc/new", files_of(project / "out"))

    def test_a_base_that_is_not_there(self):
        project = self.on_base(self.peer, "library/nothing:1")
        result = self.lithify("build", cwd=project, status=2)
        self.assert_golden("base-missing", result.stderr, self.peer)
        self.assertFalse((project / "lithify.lock").exists())

    def test_a_layer_that_is_gone_or_wrong(self):
        image = self.base("one")
        project = self.on_base(self.peer, "library/small:1",
                               steps="    - users: [{name: app, uid: 1000}]\n")
        self.lithify("lock", cwd=project)
        name = image.layer_digests[0].split(":")[1]
        data = self.peer.data / f"docker/registry/v2/blobs/sha256/{name[:2]}/{name}/data"
        good = data.read_bytes()
        data.write_bytes(good[:-1] + b"?")
        result = self.lithify("build", cwd=project, status=4)
        self.assert_golden("base-wrong-bytes", result.stderr, self.peer)
        data.unlink()
        result = self.lithify("build", cwd=project, status=6)
        self.assert_golden("base-layer-gone", result.stderr, self.peer)
        data.write_bytes(good)
        self.build(project)

    def test_a_mirror_is_asked_first_and_may_be_gone(self):
        image = self.base("one")
        mirror = self.registry("mirror")
        image.push(mirror, "copies/library/small:1")
        conf = self.write("registries.conf", f"""
[[registry]]
location = "{self.peer.host}"
[[registry.mirror]]
location = "{mirror.host}/copies"
""")
        env = {"CONTAINERS_REGISTRIES_CONF": str(conf)}
        steps = "    - users: [{name: app, uid: 1000}]\n"
        project = self.on_base(self.peer, "library/small:1", steps=steps)
        self.peer.forget()
        built = self.build(project, env=env)
        self.assertEqual(self.peer.requests(), [])
        self.assertEqual(count(mirror.requests(), "GET", image.layer_digests[0]), 1)
        self.assertIn(f"{self.peer.host}/library/small:1", self.lock(project))
        mirror.stop()
        self.assertEqual(self.build(project, "--locked", env=env, store=self.folder / "other"),
                         built)

    def test_files_are_copied_out_of_an_image(self):
        self.base("one", {"usr/": None, "usr/bin/": None, "usr/bin/tool": b"tool",
                          "bin": "-> usr/bin"})
        project = self.project({}, sources=source(self.peer, "library/small:1"),
                               steps="    - {copy: /bin/tool, from: base, into: /x}\n")
        self.build(project, "--output", "oci=out")
        self.assertEqual(set(files_of(project / "out")), {"x", "x/tool"})


if __name__ == "__main__":
    unittest.main()
