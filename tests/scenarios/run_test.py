"""Commands: what a step makes is the same for everyone, and nothing is left of a failure."""
import os
import pathlib
import shutil
import signal
import subprocess
import time
import unittest

from support import LITHIFY, AnotherUser, Scenario, files_of, needs, needs_root

COMPILED = """\
lithify: 1
project: compiled
sources:
  debian: {apt: {suites: [bookworm], components: [main]}}
  src: {local: src}
stages:
  build:
    from: scratch
    steps:
      - {packages: [gcc, libc6-dev, dash, coreutils, base-passwd], from: debian}
      - {symlink: /bin/sh, target: dash}
      - run: |
          mkdir /out
          gcc -O2 -static -o /out/hello /src/hello.c
          /out/hello
        mounts: [{from: src, at: /src}, {tmp: /tmp}]
        outputs: [/out]
image:
  from: scratch
  platforms: [linux/amd64]
  steps: [{copy: out/hello, from: build, to: /hello}]
  config: {entrypoint: [/hello]}
  outputs: [{oci: out}]
"""
PROGRAM = '#include <stdio.h>\nint main(void) { puts("made by a step"); return 0; }\n'

SHELL = """\
lithify: 1
project: shell
sources:
  debian: {apt: {suites: [bookworm], components: [main]}}
image:
  from: scratch
  platforms: [linux/amd64]
  steps:
    - {packages: [dash, coreutils, base-passwd], from: debian}
    - {symlink: /bin/sh, target: dash}
    - STEP
  outputs: [{oci: out}]
"""


BUSYBOX = """\
lithify: 1
project: inside
sources:
  bb: {local: bb}
image:
  from: scratch
  platforms: [linux/ARCHITECTURE]
  steps:
    - {copy: ., from: bb, to: /bin}
    - {run: "echo made > /made; echo user > /bin/user"}
  outputs: [{oci: out}]
""".replace("ARCHITECTURE", {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine])


class Commands(Scenario):
    def shell(self, step):
        self.write("lithify.yaml", SHELL.replace("STEP", step))

    @needs("skopeo", "umoci", "runc")
    def test_a_program_compiled_in_a_stage_runs(self):
        self.write("lithify.yaml", COMPILED)
        self.write("src/hello.c", PROGRAM)
        result = self.lithify("build", "--no-cache")
        self.assertIn("run    in sandbox L", result.stderr)
        self.assertEqual(list(files_of(self.folder / "out")), ["hello"])
        again = self.lithify("build", "--locked")
        self.assertEqual(again.stdout, result.stdout)
        bundle = self.bundle(self.folder / "out")
        self.assertIn("made by a step",
                      self.run_program(bundle / "rootfs/hello"))

    @needs_root()
    def test_a_user_gets_the_same_bytes(self):
        self.write("lithify.yaml", COMPILED)
        self.write("src/hello.c", PROGRAM)
        ours = self.build(self.folder)
        theirs = AnotherUser(self, self.folder).run("./lithify", "build", "--locked")
        self.assertEqual(dict(line.split(" ") for line in theirs.splitlines()), ours)

    @needs_root()
    @needs("unshare", "newuidmap", "busybox")
    def test_root_of_a_namespace_gets_the_same_bytes(self):
        """With one id, and with the two ranges of `podman unshare`."""
        self.write("lithify.yaml", BUSYBOX)
        (self.folder / "bb").mkdir()
        shutil.copy(shutil.which("busybox"), self.folder / "bb/sh")
        ours = self.build(self.folder)
        user = AnotherUser(self, self.folder)
        for level, ids in {"L2": ["--map-root-user"],
                           "L3": ["--map-root-user", "--map-auto"]}.items():
            with self.subTest(level):
                inside = ["unshare", "--user", *ids, "./lithify"]
                self.assertIn(f"sandbox   {level},", user.run(*inside, "doctor"))
                theirs = user.run(*inside, "build", "--locked", "--no-cache")
                self.assertEqual(dict(line.split(" ") for line in theirs.splitlines()), ours)

    def test_a_failure_says_what_and_leaves_nothing(self):
        self.shell('{run: "echo first; echo second >&2; exit 3"}')
        result = self.lithify("build", status=1)
        self.assertIn("ended with exit status 3", result.stderr)
        self.assertIn("second", result.stderr)
        self.assertIn(str(self.store / "logs"), result.stderr)
        self.assertFalse((self.folder / "out").exists())
        self.assertEqual(self.left(), [])

    def test_the_files_of_a_failure_can_be_kept(self):
        self.shell('{run: "echo here > /mine; exit 1"}')
        store = self.folder / "store"
        result = self.lithify("build", "--keep-failed", status=1, store=store)
        [root] = [pathlib.Path(line.split("its files are in ")[1].strip())
                  for line in result.stderr.replace("\n           ", " ").splitlines()
                  if "its files are in" in line]
        self.assertEqual((root / "mine").read_text(), "here\n")

    def test_a_command_has_no_network_and_no_environment(self):
        self.shell('{run: "env | sort > /seen; cat /proc/net/dev >> /seen"}')
        self.lithify("build", env={"CANARY": "seen-outside"})
        seen = self.run_program("tar", "--extract", "--to-stdout", "--file",
                                self.tar_of_last_layer(), "seen")
        self.assertNotIn("seen-outside", seen)
        devices = [line.split(":")[0].strip() for line in seen.splitlines() if ":" in line
                   and "|" not in line]
        self.assertEqual([d for d in devices if d and "=" not in d], ["lo"])

    def tar_of_last_layer(self):
        target = self.folder / "flat.tar"
        self.lithify("build", "--locked", "--output", f"tar={target}")
        return target

    def test_prune_takes_what_commands_left(self):
        self.shell('{run: "echo told; echo kept > /c/f", mounts: [{cache: c, at: /c}]}')
        store = self.folder / "store"
        self.lithify("build", store=store)
        self.lithify("cache", "prune", "--yes", store=store)
        self.assertEqual(len(list((store / "caches").glob("*/data/f"))), 1)
        self.lithify("cache", "prune", "--all", "--yes", store=store)
        self.assertEqual(list((store / "caches").iterdir()), [])
        self.assertEqual(list((store / "logs").iterdir()), [])

    def test_a_secret_is_in_nothing_that_is_kept(self):
        self.shell('{run: "wc -c < /run/token > /done", '
                   'mounts: [{secret: token, at: /run/token}]}')
        store = self.folder / "store"
        self.write("token", "very-secret-canary")
        missing = self.lithify("build", status=2, store=store)
        self.assertIn("--secret id=token", missing.stderr)
        self.lithify("build", "--secret", "id=token,src=token", store=store)
        found = subprocess.run(["grep", "-r", "-l", "very-secret-canary", str(store),
                                str(self.folder / "out")], text=True, capture_output=True,
                               check=False)
        self.assertEqual(found.stdout, "")

    def test_ctrl_c_ends_the_command_and_leaves_nothing(self):
        self.shell('{run: "echo started; sleep 987654"}')
        store = self.folder / "store"
        env = {**os.environ, "LITHIFY_STORE": str(store)}
        process = subprocess.Popen([LITHIFY, "build", "--progress", "plain", "-vv"],
                                   cwd=self.folder, env=env, text=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        logs = store / "logs"
        for _ in range(600):
            if logs.exists() and any(log.stat().st_size for log in logs.iterdir()):
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=30), 130)
        running = subprocess.run(["pgrep", "-f", "sleep 987654"], capture_output=True,
                                 check=False)
        self.assertEqual(running.returncode, 1)
        self.assertEqual(self.left(store), [])
        self.assertNotIn(str(store), pathlib.Path("/proc/mounts").read_text())


if __name__ == "__main__":
    unittest.main()
