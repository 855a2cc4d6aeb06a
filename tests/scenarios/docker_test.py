"""docker load takes our docker archive and docker run starts it, where a daemon can be
started for the test."""
import os
import subprocess
import time
import unittest

from support import Scenario, needs, needs_root


@needs("dockerd", "docker")
@needs_root()
class Docker(Scenario):
    def setUp(self):
        super().setUp()
        place = self.folder / "docker"
        place.mkdir()
        self.socket = f"unix://{place}/socket"
        self.log = open(place / "log", "w")
        self.daemon = subprocess.Popen(
            ["dockerd", "--iptables=false", "--ip6tables=false", "--bridge=none",
             "--storage-driver=vfs", f"--data-root={place}/data", f"--exec-root={place}/exec",
             f"--pidfile={place}/pid", "-H", self.socket],
            stdout=self.log, stderr=subprocess.STDOUT)
        self.addCleanup(self.stop)
        for _ in range(150):
            if self.docker("info").returncode == 0:
                return
            if self.daemon.poll() is not None:
                break
            time.sleep(0.2)
        self.skipTest("dockerd does not start here")

    def stop(self):
        self.daemon.terminate()
        self.daemon.wait(timeout=60)
        self.log.close()

    def docker(self, *args):
        return subprocess.run(["docker", *map(str, args)], text=True, capture_output=True,
                              check=False, env={**os.environ, "DOCKER_HOST": self.socket})

    def test_load_and_run(self):
        project = self.example("hello")
        subprocess.run(["gcc", "-static", "-O2", "-o", "hello", "hello.c"], cwd=project,
                       check=True)
        self.build(project, "--output", "docker-archive=hello.tar")
        loaded = self.docker("load", "-i", project / "hello.tar")
        self.assertEqual(loaded.returncode, 0, loaded.stderr)
        self.assertIn("Loaded image: hello:latest", loaded.stdout)
        ran = self.docker("run", "--rm", "--network", "none", "hello:latest")
        self.assertEqual((ran.returncode, ran.stdout),
                         (0, "hello from an image made of one file\n"), ran.stderr)

    def test_load_debian(self):
        project = self.example("debian-minimal")
        self.build(project, "--output", "docker-archive=debian.tar")
        loaded = self.docker("load", "-i", project / "debian.tar")
        self.assertEqual(loaded.returncode, 0, loaded.stderr)
        ran = self.docker("run", "--rm", "--network", "none", "debian-minimal:latest", "bash",
                          "-c", ". /etc/os-release; echo $ID")
        self.assertEqual((ran.returncode, ran.stdout), (0, "debian\n"), ran.stderr)


if __name__ == "__main__":
    unittest.main()
