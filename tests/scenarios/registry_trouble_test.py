"""Registries in trouble, and what stands before them: nothing is lost, nothing half-made is
seen, and whoever must help is told how."""
import shutil
import signal
import subprocess
import time
import unittest

from registry_cut import CutScenario
from registry_peers import Nginx, Proxy
from registry_scenario import RegistryScenario, count, noise
from support import LITHIFY, needs, scratch_folder

BIG = 50_000_000
TARGET = '  - {repo: "%s/shop/demo", tags: {"1.0": once, latest: move}}\n'


@needs("docker-registry")
class Interrupted(RegistryScenario):
    """A push of 50 MB that takes a second, and something happens half-way."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.shared = scratch_folder()
        cls.addClassCleanup(shutil.rmtree, cls.shared)
        cls.data = noise(BIG, 5)

    def setUp(self):
        super().setUp()
        self.store = self.shared  # the layer is packed once
        self.peer = self.registry()
        self.proxy = Proxy(self.peer, rate=50_000_000)
        self.addCleanup(self.proxy.stop)
        self.demo = self.project({"big": self.data, "b": "b\n"}, TARGET % self.proxy.host)
        self.build(self.demo)

    def start(self):
        process = subprocess.Popen(
            [LITHIFY, "push", "--progress", "plain"], cwd=self.demo, text=True,
            env={"PATH": "/usr/bin:/bin", **self.environment, "LITHIFY_STORE": str(self.store)},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.kill)
        for _ in range(4000):
            if self.proxy.passed > BIG // 3 or process.poll() is not None:
                break
            time.sleep(0.002)
        self.assertIsNone(process.poll())
        return process

    def finish(self, process, status=0):
        out, err = process.communicate(timeout=100)
        self.assertEqual(process.returncode, status, err)
        return out, err

    def assert_pushed(self, out):
        digest = out.strip().split("@")[1]
        for tag in ("1.0", "latest"):
            self.assertEqual(self.assert_complete(self.peer, "shop/demo", tag), digest)

    def test_a_server_that_sleeps(self):
        process = self.start()
        self.peer.pause()
        time.sleep(0.8)
        self.assertIsNone(process.poll())
        self.peer.resume()
        self.assert_pushed(self.finish(process)[0])

    def test_a_server_that_is_started_again(self):
        process = self.start()
        self.peer.kill()
        time.sleep(0.3)
        self.peer.start()
        self.assert_pushed(self.finish(process)[0])

    def test_ctrl_c_leaves_the_tags_where_they_were(self):
        small = self.project({"b": "b\n"}, TARGET.replace("1.0", "0.9") % self.proxy.host,
                             where="small")
        before = self.lithify("push", cwd=small).stdout.strip().split("@")[1]
        self.proxy.passed = 0
        process = self.start()
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = self.finish(process, 130)
        self.assertLess(time.monotonic() - start, 2)
        self.assertEqual(out, "")
        self.assertIn("stopped", err)
        self.assertNotIn("error", err)
        self.assertEqual(self.tags(self.peer, "shop/demo"), ["0.9", "latest"])
        self.assertEqual(self.document(self.peer, "shop/demo", "latest")[0], before)
        self.assert_pushed(self.lithify("push", cwd=self.demo).stdout)


@needs("docker-registry")
class Limits(RegistryScenario):
    def test_a_registry_that_only_reads_says_so(self):
        peer = self.registry(readonly=True)
        demo = self.project({"a": "a\n"}, TARGET % peer.host)
        result = self.lithify("push", "-q", cwd=demo, status=None)
        self.assert_golden("read-only", result.stderr, peer)
        self.assertNotEqual(result.returncode, 0)

    def test_no_proxy_is_asked_for_this_machine(self):
        peer = self.registry()
        demo = self.project({"a": "a\n"}, TARGET % peer.host)
        nowhere = "http://localhost:1"
        self.lithify("push", cwd=demo, env={"http_proxy": nowhere, "https_proxy": nowhere,
                                            "all_proxy": nowhere, "no_proxy": ""})
        self.assert_complete(peer, "shop/demo", "1.0")

    def test_chunks_when_they_are_asked_for(self):
        peer = self.registry()
        demo = self.project({"a": noise(1_000_000, 3)}, TARGET % peer.host)
        self.lithify("push", "--chunk-size", "256k", cwd=demo)
        self.assert_complete(peer, "shop/demo", "1.0")

    @needs("nginx")
    def test_a_proxy_that_limits_bodies(self):
        peer = self.registry()
        proxy = Nginx(self.folder / "nginx", peer, "1m").start()
        self.addCleanup(proxy.stop)
        demo = self.project({"a": noise(3_500_000, 3), "b": noise(900_000, 4)},
                            TARGET % proxy.host)
        self.lithify("push", cwd=demo)
        self.assert_complete(peer, "shop/demo", "1.0")
        self.assertGreaterEqual(count(peer.requests(), "PATCH"), 4)
        self.lithify("pull", f"{proxy.host}/shop/demo:1.0", "here")

    @needs("nginx")
    def test_a_limit_below_every_chunk(self):
        peer = self.registry()
        proxy = Nginx(self.folder / "nginx", peer, "100k").start()
        self.addCleanup(proxy.stop)
        demo = self.project({"a": noise(1_000_000, 3)}, TARGET % proxy.host)
        result = self.lithify("push", "-q", cwd=demo, status=None)
        self.assert_golden("body-limit", result.stderr, proxy)
        self.assertNotEqual(result.returncode, 0)
        self.lithify("push", "--chunk-size", "64k", cwd=demo)
        self.assert_complete(peer, "shop/demo", "1.0")


@needs("docker-registry")
class Cut(CutScenario):
    def test_thirty_images_through_a_proxy_that_cuts_connections(self):
        self.rounds(30, seed=11)


if __name__ == "__main__":
    unittest.main()
