"""A build cache in a registry: machines that share nothing but docker-registry, and what
happens when it lies, forgets or is not there."""
import base64
import json
import threading
import time
import unittest
import urllib.request

from registry import Registry, free_port
from support import Scenario, needs
from tiny_archive import TinyArchive


class CacheRegistry(Registry):
    """What it keeps, looked at from behind."""

    @property
    def root(self):
        return self.data / "docker/registry/v2"

    def tags(self, repository):
        tags = self.root / "repositories" / repository / "_manifests/tags"
        return sorted(p.name for p in tags.iterdir()) if tags.exists() else []

    def digest_of(self, repository, tag):
        link = self.root / "repositories" / repository / "_manifests/tags" / tag
        return (link / "current/link").read_text()

    def blob(self, digest):
        name = digest.split(":")[1]
        return self.root / "blobs/sha256" / name[:2] / name / "data"

    def blobs(self):
        return list((self.root / "blobs").rglob("data"))

    def size(self):
        return sum(p.stat().st_size for p in self.blobs())

    def manifest(self, repository, tag):
        return json.loads(self.blob(self.digest_of(repository, tag)).read_text())


class Cached(Scenario):
    """Machine A is self.a, and so on: a store each, and the same project."""

    def setUp(self):
        super().setUp()
        self.registry = CacheRegistry(self.folder / "registry").start()
        self.addCleanup(self.registry.stop)
        self.cache = f"{self.registry.host}/acme/cache"
        self.a, self.b, self.c = (self.folder / f"store-{name}" for name in "abc")

    def archive(self):
        """A Debian archive with some packages, and a project that installs them."""
        archive = TinyArchive(self.folder / "debian")
        for number in range(4):
            files = {f"usr/share/p{number}/{i}": f"file {i} of {number}\n" * 50
                     for i in range(20)}
            archive.add(f"p{number}", files=files)
        archive.publish()
        archive.__enter__()
        self.addCleanup(archive.__exit__)
        self.project(archive, ["p0", "p1", "p2"])
        return archive

    def project(self, archive, packages, text="hello"):
        self.write("site/index.html", "a page\n")
        self.write("lithify.yaml", "lithify: 1\nproject: p\nplatforms: [linux/amd64]\n"
                   "sources:\n" + archive.source() + "  site: {local: site}\n"
                   "image:\n  from: scratch\n  steps:\n"
                   f"    - {{packages: [{', '.join(packages)}], from: tiny, layer: debian}}\n"
                   f"    - {{file: /etc/motd, text: {text}, layer: site}}\n"
                   "    - {copy: ., from: site, to: /srv, layer: site}\n")

    def cached(self, store, *args, status=0, **kwargs):
        """lithify build with progress as JSON; (digest, events)."""
        result = self.lithify("build", *args, "--progress", "json", store=store,
                              status=status, **kwargs)
        events = [json.loads(line) for line in result.stderr.splitlines()]
        events = [e for e in events if "event" in e]  # not the line with the schema
        return result.stdout.split()[-1] if result.stdout else None, events

    def done(self, events):
        """Labels of what was really performed."""
        labels = {e["id"]: e["label"] for e in events if e["event"] == "started"}
        return sorted(labels[e["id"]] for e in events
                      if e["event"] == "ended" and e["outcome"] == "done")

    def warnings(self, events):
        return [e["message"] for e in events
                if e["event"] == "problem" and "not encrypted" not in e["message"]]


@needs("docker-registry", "gpg", "dpkg-deb")
class RegistryCache(Cached):
    def test_an_empty_machine_does_nothing_again(self):
        self.archive()
        expected, events = self.cached(self.a, "--cache-to", self.cache)
        self.assertEqual(self.warnings(events), [])
        tags = self.registry.tags("acme/cache")
        self.assertEqual(len(tags), 3 + 1 + 2)  # unpacked, installed, layers
        self.assertTrue(all(t.startswith("k1-") and len(t) == 43 for t in tags))

        digest, events = self.cached(self.b, "--cache-from", self.cache)
        self.assertEqual(digest, expected)
        self.assertEqual(self.warnings(events), [])
        done = self.done(events)
        self.assertFalse([d for d in done if "unpack" in d or "packages" in d
                          or "fetch" in d or "layer" in d], done)
        # The whole root file system needs what is in the files, too.
        self.lithify("build", "--cache-from", self.cache, "--output", "rootfs=root",
                     store=self.b)
        self.assertEqual((self.folder / "root/usr/share/p1/3").read_text(),
                         "file 3 of 1\n" * 50)

    def test_the_same_artifacts_from_everywhere(self):
        self.archive()
        self.cached(self.a, "--cache-to", self.cache)
        other = CacheRegistry(self.folder / "other").start()
        self.addCleanup(other.stop)
        self.cached(self.b, "--cache-to", f"{other.host}/x/y", "--jobs", "1",
                    env={"TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8"})
        kept = [{tag: r.digest_of(name, tag) for tag in r.tags(name)}
                for r, name in ((self.registry, "acme/cache"), (other, "x/y"))]
        self.assertEqual(*kept)

    def test_a_warm_machine_fills_an_empty_cache_and_the_next_sends_nothing(self):
        self.archive()
        expected, _ = self.cached(self.a)
        self.cached(self.a, "--cache-to", self.cache)
        self.assertEqual(len(self.registry.tags("acme/cache")), 6)
        size = self.registry.size()
        self.registry.forget()
        self.cached(self.a, "--cache-to", self.cache)
        methods = {r.split()[0] for r in self.registry.requests()}
        self.assertEqual(methods - {"GET", "HEAD"}, set())
        self.assertEqual(self.registry.size(), size)
        self.assertEqual(self.cached(self.b, "--cache-from", self.cache)[0], expected)

    def test_a_changed_list_of_packages_reads_what_it_needs(self):
        archive = self.archive()
        self.cached(self.a, "--cache-to", self.cache)
        self.project(archive, ["p0", "p1", "p2", "p3"])
        expected, _ = self.cached(self.c)
        archive.requests.clear()
        digest, events = self.cached(self.b, "--cache-from", self.cache,
                                     "--cache-to", self.cache)
        self.assertEqual(digest, expected)
        self.assertEqual([d for d in self.done(events) if d.startswith("unpack")],
                         ["unpack p3"])
        self.assertEqual([p for p in archive.requests if p.endswith(".deb")],
                         ["/pool/p3_1.0_amd64.deb"])

    def test_plan_knows_what_the_cache_has(self):
        self.archive()
        self.cached(self.a, "--cache-to", self.cache)
        plan = json.loads(self.lithify("plan", "--json", "--cache-from", self.cache,
                                       store=self.b).stdout)
        states = {s["label"]: s["state"] for s in plan["steps"]}
        self.assertEqual({states[l] for l in states if l.startswith("unpack")}, {"cached"})
        self.assertEqual(plan["download"], 0)
        self.assertEqual(plan["settings"]["cache from"], self.cache)

    def test_two_machines_fill_it_at_once(self):
        self.archive()
        self.lithify("lock", store=self.c)
        found = []

        def machine(store):
            found.append(self.cached(store, "--cache-to", self.cache))

        threads = [threading.Thread(target=machine, args=(s,)) for s in (self.a, self.b)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(found[0][0], found[1][0])
        for _, events in found:
            self.assertEqual(self.warnings(events), [])
        self.assertEqual(self.cached(self.c, "--cache-from", self.cache)[0], found[0][0])

    def test_a_push_to_the_same_registry_sends_no_layer_again(self):
        self.archive()
        self.cached(self.a, "--cache-to", self.cache)
        self.registry.forget()
        self.lithify("push", "--cache-from", self.cache, "--tag",
                     f"{self.registry.host}/acme/app:1", store=self.b)
        posts = [r for r in self.registry.requests() if r.startswith("POST")]
        mounts = [r for r in posts if "mount=" in r and r.endswith(" 201")]
        self.assertEqual(len(mounts), 2)
        self.assertEqual(len(posts), 3)  # and the configuration


@needs("docker-registry", "gpg", "dpkg-deb")
class UnreliableCache(Cached):
    """Whatever a cache does, the build has its own digest and exit code 0."""

    def filled(self):
        self.archive()
        return self.cached(self.a, "--cache-to", self.cache)[0]

    def test_nobody_is_there(self):
        self.archive()
        nowhere = f"127.0.0.1:{free_port()}/acme/cache"
        start = time.monotonic()
        digest, events = self.cached(self.b, "--cache-from", nowhere, "--cache-to", nowhere)
        self.assertLess(time.monotonic() - start, 30)
        self.assertEqual(self.warnings(events),
                         [f"the cache {nowhere} cannot be reached, going on without it"])
        _, events = self.cached(self.c, "--cache-to", nowhere)
        self.assertEqual(self.warnings(events),
                         [f"the cache {nowhere} cannot be written to"])
        self.assertEqual(digest, self.cached(self.a)[0])

    @needs("htpasswd")
    def test_a_password_is_shown_or_missed(self):
        self.archive()
        secret = CacheRegistry(self.folder / "secret", users={"ann": "pass"}).start()
        self.addCleanup(secret.stop)
        name = f"{secret.host}/acme/cache"
        expected, events = self.cached(self.a, "--cache-from", name, "--cache-to", name)
        self.assertEqual(self.warnings(events),
                         [f"the cache {name} cannot be reached, going on without it"])
        auth = {"auths": {secret.host: {"auth": base64.b64encode(b"ann:pass").decode()}}}
        env = {"DOCKER_AUTH_CONFIG": json.dumps(auth)}
        _, events = self.cached(self.a, "--cache-to", name, env=env)
        self.assertEqual(self.warnings(events), [])
        self.assertEqual(len(secret.tags("acme/cache")), 6)
        digest, events = self.cached(self.b, "--cache-from", name, env=env)
        self.assertEqual((digest, self.warnings(events)), (expected, []))

    def test_offline_asks_nobody(self):
        expected = self.filled()
        self.registry.forget()
        digest, events = self.cached(self.a, "--offline", "--cache-from", self.cache,
                                     "--cache-to", self.cache)
        self.assertEqual(digest, expected)
        self.assertEqual(self.registry.requests(), [])
        self.assertEqual(self.warnings(events),
                         [f"--offline forbids writing to the cache {self.cache}"])

    def test_no_cache_finds_what_is_not_reproducible(self):
        expected = self.filled()
        digest, events = self.cached(self.a, "--no-cache", "--cache-from", self.cache,
                                     "--cache-to", self.cache)
        self.assertEqual((digest, self.warnings(events)), (expected, []))
        # Somebody else's result under one of our keys.
        tags = self.registry.tags("acme/cache")
        manifests = {tag: self.registry.manifest("acme/cache", tag) for tag in tags}
        trees = [t for t in tags if "tree" in manifests[t]["layers"][0]["mediaType"]]
        victim, other = manifests[trees[0]], manifests[trees[1]]
        key = victim["annotations"]["dev.lithify.key"]
        other["annotations"]["dev.lithify.key"] = key
        self.put(trees[0], other)
        digest, events = self.cached(self.a, "--no-cache", "--cache-to", self.cache)
        self.assertEqual(digest, expected)
        self.assertEqual(len(self.warnings(events)), 1)
        self.assertIn("is not reproducible", self.warnings(events)[0])

    def put(self, tag, manifest):
        request = urllib.request.Request(
            f"http://{self.registry.host}/v2/acme/cache/manifests/{tag}", method="PUT",
            data=json.dumps(manifest).encode(),
            headers={"Content-Type": "application/vnd.oci.image.manifest.v1+json"})
        with urllib.request.urlopen(request) as answer:
            self.assertEqual(answer.status, 201)

    def test_blobs_are_damaged(self):
        expected = self.filled()
        for blob in self.registry.blobs():
            data = blob.read_bytes()
            if not data.startswith(b"{"):  # documents are checked by the server
                blob.write_bytes(bytes([data[0] ^ 1]) + data[1:])
        digest, events = self.cached(self.b, "--cache-from", self.cache)
        self.assertEqual(digest, expected)
        self.assertEqual(self.warnings(events),
                         [f"the cache {self.cache} holds something wrong, "
                          "which is not used"])

    def test_contents_are_gone_when_they_are_wanted(self):
        """Trees and layers are there, but the flat root needs blobs that are not."""
        expected = self.filled()
        for tag in self.registry.tags("acme/cache"):
            for layer in self.registry.manifest("acme/cache", tag)["layers"]:
                if "blob" in layer["mediaType"]:
                    self.registry.blob(layer["digest"]).unlink(missing_ok=True)
        digest, events = self.cached(self.b, "--cache-from", self.cache, "--output",
                                     "rootfs=root")
        self.assertEqual(digest, expected)
        self.assertEqual(self.warnings(events),
                         ["a cache does not have what it promised, building without it"])
        self.assertEqual((self.folder / "root/usr/share/p2/7").read_text(),
                         "file 7 of 2\n" * 50)

    def test_references_that_are_no_repository(self):
        self.archive()
        for text, why in {f"{self.cache}:latest": "takes a repository, not one of its tags",
                          f"{self.cache}@sha256:{'0' * 64}": "not one of its digests",
                          "acme/UPPER": "lower"}.items():
            with self.subTest(text):
                result = self.lithify("build", "--cache-from", text, status=2)
                self.assertIn(why, result.stderr)


@needs("docker-registry")
class RegistryCacheMeasured(Cached):
    """A real web server from Debian's archive: what the cache saves an empty machine."""

    def test_nginx(self):
        project = self.example("nginx-site")
        self.lithify("lock", cwd=project)
        measured = {}

        def timed(name, store, *args):
            start = time.monotonic()
            digest, events = self.cached(store, *args, cwd=project)
            took = time.monotonic() - start
            size = sum(p.stat().st_size for p in store.rglob("*") if p.is_file())
            measured[name] = f"{took:6.2f} s, store {size / 1e6:6.1f} MB"
            return digest, events

        expected, _ = timed("A, empty, alone", self.a)
        timed("A, sends it all", self.a, "--cache-to", self.cache)
        measured["registry"] = f"{self.registry.size() / 1e6:6.1f} MB, " \
                               f"{len(self.registry.tags('acme/cache'))} tags"
        digest, events = timed("B, empty, from cache", self.b, "--cache-from", self.cache)
        timed("B, again", self.b, "--cache-from", self.cache)
        self.assertEqual(digest, expected)
        self.assertFalse([d for d in self.done(events) if d.startswith(("unpack", "packages"))])
        for name, text in measured.items():
            print(f"  {name:<22}{text}")


if __name__ == "__main__":
    unittest.main()
