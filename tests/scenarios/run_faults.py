"""A project whose build runs commands, and what may be left of it when it was disturbed:
nothing. Used by run_faults_test.py and run_faults_long.py."""
import hashlib
import os
import pathlib
import random
import shutil
import signal
import subprocess
import time

from support import LITHIFY, Scenario

# BUSYBOX has a name of its own, by which processes of commands are found.
PROJECT = """\
lithify: 1
project: disturbed
sources:
  files: {local: files}
image:
  from: scratch
  steps:
    - {copy: ., from: files, to: /}
    - run: "for i in 1 2 3 4 5 6; do echo $i > /srv/$i; done; BUSYBOX sleep 0.05"
    - run: "BUSYBOX cat /srv/* > /all; BUSYBOX rm -r /srv; BUSYBOX sleep 0.05"
      mounts: [{cache: c, at: /c}, {from: files, at: /src}, {tmp: /tmp}]
    - run: "BUSYBOX sleep 0.05; echo x > /c/n; echo done > /done"
      mounts: [{cache: c, at: /c, share: locked}]
outputs: [{oci: out}]
"""


class Faults(Scenario):
    def setUp(self):
        super().setUp()
        self.name = f"busybox-{os.getpid()}"
        self.project = self.folder / "project"
        (self.project / "files/bin").mkdir(parents=True)
        (self.project / "files/srv").mkdir()
        busybox = self.project / "files/bin" / self.name
        shutil.copyfile(shutil.which("busybox"), busybox)
        busybox.chmod(0o755)
        (self.project / "files/bin/sh").symlink_to(self.name)
        for i in range(50):
            (self.project / f"files/srv/f{i}").write_text(f"{i}\n" * 100)
        self.write("project/lithify.yaml", PROJECT.replace("BUSYBOX", f"/bin/{self.name}"))
        started = time.monotonic()
        self.expected = self.build(self.project, store=self.folder / "calm")
        self.duration = time.monotonic() - started

    def start(self, store, *args):
        env = {"PATH": os.environ["PATH"], "LITHIFY_STORE": str(store)}
        return subprocess.Popen([LITHIFY, "build", "-q", *args], cwd=self.project, env=env,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def running(self):
        """Processes of commands of ours, by what they execute, and of sandboxes, by what
        they see."""
        outside = os.readlink("/proc/self/ns/mnt")
        found = []
        for process in pathlib.Path("/proc").iterdir():
            if not process.name.isdigit():
                continue
            try:
                words = (process / "cmdline").read_bytes()
                inside = os.readlink(process / "ns/mnt") != outside
                mounts = (process / "mountinfo").read_text() if inside else ""
            except OSError:
                continue
            if self.name.encode() in words or str(self.folder) in mounts:
                found.append(f"{process.name}: {words!r}")
        return found

    def check_nothing_runs(self, store, patience=5.0):
        until = time.monotonic() + patience
        while self.running() and time.monotonic() < until:
            time.sleep(0.01)
        self.assertEqual(self.running(), [])
        self.assertNotIn(str(store), pathlib.Path("/proc/mounts").read_text())

    def check_store(self, store):
        if not (store / "blobs/sha256").is_dir():
            return
        for blob in (store / "blobs/sha256").iterdir():
            found = hashlib.sha256(blob.read_bytes()).hexdigest()
            self.assertEqual(found, blob.name, f"a lying blob in {store}")
        for root in (store / "roots").glob("*"):
            if root.is_dir() and root.suffix != ".part":
                self.assertTrue((root / "stamp").is_file(), f"half a root: {root}")

    def left(self, store):
        return sorted(entry.name for entry in (store / "work").glob("*"))

    def disturb(self, rounds, number):
        """Sends the signal at random moments of builds that begin cold or warm."""
        rng = random.Random(rounds)
        store = self.folder / "store"
        disturbed = 0
        for i in range(rounds):
            if i % 5 == 0:
                subprocess.run(["rm", "-rf", store], check=True)
            process = self.start(store, *(["--no-cache"] if i % 2 else []))
            time.sleep(rng.random() * self.duration)
            process.send_signal(number)
            status = process.wait(timeout=60)
            disturbed += status in (130, -number)
            with self.subTest(round=i):
                self.assertIn(status, (0, 130, -number))
                self.check_nothing_runs(store)
                self.check_store(store)
                if number == signal.SIGINT and status == 130:
                    self.assertEqual(self.left(store), [])
                if i % 10 == 9:
                    self.assertEqual(self.build(self.project, store=store), self.expected)
                    self.assertEqual(self.left(store), [])
        self.assertGreater(disturbed, rounds // 4)
        self.assertEqual(self.build(self.project, store=store), self.expected)
