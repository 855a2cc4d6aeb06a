"""Pushing into a real registry: what is sent, what is not, and who can read it."""
import json
import subprocess
import unittest

from registry_scenario import RegistryScenario, count, digest, noise, uploads
from support import LITHIFY, manifest_of, needs, needs_root

ONE = '  - {repo: "%s/shop/demo", tags: {"1.0": once, latest: move}}\n'


@needs("docker-registry")
class Push(RegistryScenario):
    def setUp(self):
        super().setUp()
        self.peer = self.registry()
        self.folder_of_project = self.project({"a": noise(100_000, 1), "b": "small"},
                                              ONE % self.peer.host)

    def push(self, *args, **kwargs):
        """lithify push; returns {repository: digest} and what the registry was asked."""
        self.peer.forget()
        kwargs.setdefault("cwd", self.folder_of_project)
        out = self.lithify("push", *args, **kwargs).stdout
        return dict(line.split("@") for line in out.splitlines()), self.peer.requests()

    def change(self, path, content, version=None):
        (self.folder_of_project / "files" / path).write_text(content)
        if version:
            build_file = self.folder_of_project / "lithify.yaml"
            build_file.write_text(build_file.read_text().replace("1.0", version))

    def test_the_first_push_sends_everything_and_the_tags_last(self):
        pushed, requests = self.push()
        expected = self.build(self.folder_of_project, "--output", "oci=out")["demo"]
        self.assertEqual(pushed, {f"{self.peer.host}/shop/demo": expected})
        manifest = manifest_of(self.folder_of_project / "out")
        blobs = [one["digest"] for one in [manifest["config"], *manifest["layers"]]]
        self.assertEqual(uploads(requests), sorted(blobs))
        writes = [one for one in requests if one.startswith("PUT") and "/manifests/" in one]
        self.assertEqual(writes, [f"PUT /v2/shop/demo/manifests/{name} 201"
                                  for name in (expected, "1.0", "latest")])
        self.assertEqual(count(requests, "GET"), 0)
        for tag in ("1.0", "latest"):
            self.assertEqual(self.assert_complete(self.peer, "shop/demo", tag), expected)

    def test_an_unchanged_image_costs_one_question_for_each_tag(self):
        self.push()
        _, requests = self.push()
        self.assertEqual(requests, ["HEAD /v2/shop/demo/manifests/1.0 200",
                                    "HEAD /v2/shop/demo/manifests/latest 200"])

    def test_only_the_layer_that_changed_is_sent(self):
        self.push()
        self.change("b", "changed", "1.1")
        pushed, requests = self.push()
        expected = self.assert_complete(self.peer, "shop/demo", "1.1")
        self.assertEqual(list(pushed.values()), [expected])
        manifest = self.document(self.peer, "shop/demo", "1.1")[1]
        self.assertEqual(uploads(requests), sorted([manifest["config"]["digest"],
                                                    manifest["layers"][1]["digest"]]))
        self.assertEqual(self.document(self.peer, "shop/demo", "latest")[0], expected)

    def test_a_tag_that_is_once_never_changes(self):
        before = self.push()[0]
        self.change("b", "changed")
        self.peer.forget()
        result = self.lithify("push", cwd=self.folder_of_project, status=3)
        self.assertEqual(result.stdout, "")
        self.assert_golden("once", result.stderr, self.peer)
        self.assertEqual(self.peer.requests(), ["HEAD /v2/shop/demo/manifests/1.0 200"])
        for tag in ("1.0", "latest"):
            self.assertEqual([self.document(self.peer, "shop/demo", tag)[0]],
                             list(before.values()))
        result = self.lithify("push", "--json", cwd=self.folder_of_project, status=3)
        self.assertEqual(json.loads(result.stdout)["code"], "L0503")

    def test_one_refusal_keeps_all_targets_and_images_from_being_pushed(self):
        self.push()
        other = self.registry("other")
        build_file = self.folder_of_project / "lithify.yaml"
        build_file.write_text(
            build_file.read_text().replace("push:\n", 'push:\n  - {repo: "%s/first", '
                                           'tags: {new: once, latest: move}}\n' % other.host))
        self.change("b", "changed")
        self.lithify("push", cwd=self.folder_of_project, status=3)
        self.assertEqual(other.requests(), ["HEAD /v2/first/manifests/new 404",
                                            "HEAD /v2/first/manifests/latest 404"])

    def test_several_targets_and_tags_of_the_command_line(self):
        other = self.registry("other")
        build_file = self.folder_of_project / "lithify.yaml"
        build_file.write_text(
            build_file.read_text().replace(
                "image:\n", "args:\n  release: {default: false, type: bool}\nimage:\n")
            + '  - {repo: "%s/mirror", tags: {v1: once}}\n' % other.host
            + '  - {repo: "%s/never", tags: {v1: once}, when: {arg: {release: true}}}\n'
            % other.host)
        result = self.lithify("push", "--tag", f"{other.host}/mirror:extra",
                              cwd=self.folder_of_project)
        self.assertEqual(len(result.stdout.splitlines()), 3)
        self.assertEqual(self.tags(other, "mirror"), ["extra", "v1"])
        self.assertEqual(count(other.requests(), "HEAD", "/never/"), 0)
        digests = {self.assert_complete(self.peer, "shop/demo", "1.0"),
                   self.assert_complete(other, "mirror", "v1"),
                   self.assert_complete(other, "mirror", "extra")}
        self.assertEqual(len(digests), 1)
        self.change("b", "changed")
        build_file.write_text(build_file.read_text().replace("1.0", "1.1").replace("v1", "v2"))
        result = self.lithify("push", "--tag", f"{other.host}/mirror:extra",
                              cwd=self.folder_of_project, status=3)
        self.assertIn("`extra`", result.stderr)
        self.assertEqual(self.tags(other, "mirror"), ["extra", "v1"])

    def test_several_machines_push_the_same_at_once(self):
        command = [LITHIFY, "push", "-q"]
        racers = []
        for number in range(4):
            machine = self.project({"a": noise(2_000_000, 1), "b": "small"},
                                   ONE % self.peer.host, where=f"machine{number}")
            racers.append(subprocess.Popen(
                command, cwd=machine, text=True, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                env={"PATH": "/usr/bin:/bin", **self.environment,
                     "LITHIFY_STORE": str(self.folder / f"store{number}")}))
        ends = [(racer.communicate(timeout=60), racer.returncode) for racer in racers]
        self.assertEqual([code for _, code in ends], [0] * 4, ends)
        self.assertEqual(len({out for (out, _), _ in ends}), 1)
        self.assert_complete(self.peer, "shop/demo", "1.0")

    def test_some_platforms_are_no_release(self):
        demo = self.project({"a": "a\n"}, ONE % self.peer.host,
                            platforms="linux/amd64, linux/arm64")
        result = self.lithify("push", "--platform", "linux/amd64", cwd=demo, status=2)
        self.assert_golden("some-platforms", result.stderr, self.peer)
        self.assertEqual(self.peer.requests(), [])

    def test_build_with_push_does_both(self):
        metadata = self.folder / "metadata.json"
        built = self.build(self.folder_of_project, "--push", "--output", "oci=out",
                           "--metadata-file", metadata)
        self.assertEqual(built["demo"], self.assert_complete(self.peer, "shop/demo", "1.0"))
        self.assertTrue((self.folder_of_project / "out/index.json").exists())
        self.assertIn(built["demo"], metadata.read_text())

    def test_a_dry_run_sends_nothing(self):
        self.peer.forget()
        result = self.lithify("push", "--dry-run", "-q", cwd=self.folder_of_project)
        self.assertEqual(result.stdout, "")
        self.assert_golden("dry-run", result.stderr, self.peer)
        self.assertEqual({one.split()[0] for one in self.peer.requests()}, {"HEAD"})
        self.assertFalse(self.peer.data.exists())
        self.push()
        result = self.lithify("build", "--push", "--dry-run", cwd=self.folder_of_project)
        self.assertIn("names it already", result.stderr)

    def test_two_machines_make_the_index_of_one(self):
        both = "linux/amd64, linux/arm64"
        everything = self.project({"a": noise(50_000, 2)}, ONE % self.peer.host,
                                  platforms=both)
        whole = self.push(cwd=everything)[0][f"{self.peer.host}/shop/demo"]
        parts = []
        target = self.registry("target")
        for number, platform in enumerate(both.split(", ")):
            machine = self.project({"a": noise(50_000, 2)},
                                   '  - {repo: "%s/shop/demo", tags: {"1.0": once}}\n'
                                   % target.host, platforms=both, where=f"machine{number}")
            out = self.lithify("push", "--platform", platform, "--push-by-digest",
                               cwd=machine, store=self.folder / f"store{number}").stdout
            parts.append(out.strip())
        with self.assertRaises(Exception):
            self.tags(target, "shop/demo")
        out = self.lithify("join", *parts, "--tag", f"{target.host}/shop/demo:1.0").stdout
        self.assertEqual(out, f"{target.host}/shop/demo:1.0 {whole}\n")
        path = "shop/demo/manifests/1.0"
        self.assertEqual(self.get(self.peer, path), self.get(target, path))
        self.assertEqual(self.assert_complete(target, "shop/demo", "1.0"), whole)
        result = self.lithify("join", parts[0], parts[0], "--tag",
                              f"{target.host}/shop/demo:twice", status=2)
        self.assert_golden("join-twice", result.stderr, target)

    def test_tag_gives_further_names(self):
        pushed = self.push()[0][f"{self.peer.host}/shop/demo"]
        name = f"{self.peer.host}/shop/demo"
        self.peer.forget()
        out = self.lithify("tag", f"{name}:1.0", "stable", "9").stdout
        self.assertEqual(out, f"{name}:stable {pushed}\n{name}:9 {pushed}\n")
        self.assertEqual(uploads(self.peer.requests()), [])
        self.change("b", "changed", "1.1")
        newer = self.push()[0][name]
        result = self.lithify("tag", f"{name}:1.1", "stable", status=3)
        self.assert_golden("tag-moves", result.stderr, self.peer)
        self.lithify("tag", f"{name}:1.1", "stable", "--expect", newer, status=3)
        self.lithify("tag", f"{name}:1.1", "stable", "--expect", pushed)
        self.lithify("tag", f"{name}:1.1", "9", "--move")
        for tag in ("stable", "9"):
            self.assertEqual(self.document(self.peer, "shop/demo", tag)[0], newer)

    def test_nothing_says_where_to(self):
        (self.folder_of_project / "lithify.yaml").write_text(
            (self.folder_of_project / "lithify.yaml").read_text().split("push:")[0])
        result = self.lithify("push", cwd=self.folder_of_project, status=2)
        self.assert_golden("no-target", result.stderr, self.peer)


@needs("docker-registry")
class Readers(RegistryScenario):
    """What others make of what was pushed."""

    def setUp(self):
        super().setUp()
        self.peer = self.registry()
        self.image = f"{self.peer.host}/shop/demo:1.0"

    def push(self):
        return self.build(self.project({"a": "hello\n"}, ONE % self.peer.host,
                                       platforms="linux/amd64, linux/arm64"), "--push")["demo"]

    @needs("skopeo")
    def test_skopeo_inspects_and_copies(self):
        pushed = self.push()
        raw = self.run_program("skopeo", "inspect", "--raw", "--tls-verify=false",
                               f"docker://{self.image}")
        self.assertEqual(digest(raw.encode()), pushed)
        platforms = {m["platform"]["architecture"] for m in json.loads(raw)["manifests"]}
        self.assertEqual(platforms, {"amd64", "arm64"})
        told = json.loads(self.run_program("skopeo", "inspect", "--tls-verify=false",
                                           "--override-arch", "arm64",
                                           f"docker://{self.image}"))
        self.assertEqual(told["Architecture"], "arm64")
        self.run_program("skopeo", "copy", "--all", "--insecure-policy",
                         "--src-tls-verify=false", f"docker://{self.image}",
                         f"oci:{self.folder}/copied:x")
        self.assertIn(pushed, self.lithify("inspect", self.folder / "copied").stdout)

    @needs("podman", "gcc")
    @needs_root()
    def test_podman_pulls_and_runs(self):
        project = self.example("hello")
        self.run_program("gcc", "-static", "-O2", "-o", "hello", "hello.c", cwd=project)
        self.lithify("build", "--push", "--tag", self.image, cwd=project)
        out = self.podman_run_image(self.image, flags=["--tls-verify=false", "-q"])
        self.assertEqual(out, "hello from an image made of one file\n")

    def test_lithify_inspects_a_reference(self):
        pushed = self.push()
        out = self.lithify("inspect", self.image).stdout
        self.assertIn(pushed, out)
        self.assertIn("linux/arm64", out)
        files = self.lithify("inspect", self.image, "/", "--platform", "linux/amd64").stdout
        self.assertIn("srv/a", files)


if __name__ == "__main__":
    unittest.main()
