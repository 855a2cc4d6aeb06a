"""Kill -9 at random moments of a build, 200 times: the store stays valid, and the next
build gives the digest of a build that nobody disturbed."""
import hashlib
import os
import random
import subprocess
import time
import unittest

from support import LITHIFY, Scenario

ROUNDS = int(os.environ.get("LITHIFY_KILLS", "200"))


class Kill(Scenario):
    def setUp(self):
        super().setUp()
        self.project = self.folder / "project"
        files = self.project / "files"
        files.mkdir(parents=True)
        rng = random.Random(4)
        for i in range(400):
            (files / f"f{i:03}").write_bytes(rng.randbytes(rng.randrange(40_000)))
        subprocess.run(["tar", "-C", files, "-czf", self.project / "a.tar.gz", "."], check=True)
        (self.project / "lithify.yaml").write_text(
            "lithify: 1\nproject: killed\n"
            "sources:\n  files: {local: files}\n  a: {archive: a.tar.gz}\n"
            "image:\n  from: scratch\n  steps:\n"
            "    - {copy: ., from: files, to: /files}\n"
            "    - {copy: ., from: a, to: /archive}\n"
            "outputs:\n  - {oci: out/layout}\n  - {docker-archive: out/image.tar}\n")
        (self.project / "out").mkdir()
        started = time.monotonic()
        self.expected = self.build(self.project, store=self.folder / "calm")
        self.duration = time.monotonic() - started

    def check_store(self, store):
        for blob in (store / "blobs/sha256").iterdir():
            found = hashlib.sha256(blob.read_bytes()).hexdigest()
            self.assertEqual(found, blob.name, f"a lying blob in {store}")

    def test_kill_at_random_moments(self):
        rng = random.Random(7)
        store = self.folder / "store"
        env = {"PATH": os.environ["PATH"], "LITHIFY_STORE": str(store)}
        killed = 0
        for i in range(ROUNDS):
            if i % 10 == 0:  # from cold and from warm
                subprocess.run(["rm", "-rf", store], check=True)
            process = subprocess.Popen([LITHIFY, "build", "-q"], cwd=self.project, env=env,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(rng.random() * self.duration)
            process.kill()
            killed += process.wait() == -9
            if (store / "blobs/sha256").is_dir():
                self.check_store(store)
            if i % 5 == 4:
                with self.subTest(round=i):
                    self.assertEqual(self.build(self.project, store=store), self.expected)
                    self.check_store(store)
                    left = list((store / "tmp").iterdir())
                    self.assertLessEqual(len(left), 1, f"left behind: {left}")
        self.assertGreater(killed, ROUNDS // 4, "the builds were over before they were killed")
        self.assertEqual(self.build(self.project, store=store), self.expected)


if __name__ == "__main__":
    unittest.main()
