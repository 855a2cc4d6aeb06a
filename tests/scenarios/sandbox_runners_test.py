"""Whose sandbox runs a command does not show in the image: ours, bubblewrap's, an OCI
runtime's."""
import json
import shutil
import unittest

from support import Scenario, have, needs

PROJECT = """\
lithify: 1
project: runners
sources:
  files: {local: files}
image:
  from: scratch
  steps:
    - {copy: ., from: files, to: /}
    - run: |
        echo $HOME $LC_ALL $TZ > /env
        for i in 1 2 3; do echo $i > /srv/$i; done
        busybox ln /srv/1 /srv/one; busybox rm /srv/f1; busybox mv /srv/dir /srv/moved
        busybox ls /proc/self /dev/null /sys > /dev/null
        busybox hostname > /host
    - run: |
        busybox cat /src/srv/f2 > /copied; echo x > /cache/x; echo y > /tmp/y
        busybox cat /run/token | busybox wc -c > /size
        echo bad > /src/srv/f2 2>/dev/null && exit 1
        busybox rm -r /srv/moved; busybox mkdir /srv/moved; busybox chmod 4755 /srv/3
      mounts:
        - {from: files, at: /src}
        - {cache: c, at: /cache}
        - {tmp: /tmp}
        - {secret: token, at: /run/token}
  outputs: [{oci: out}]
"""


@needs("busybox")
class Runners(Scenario):
    def setUp(self):
        super().setUp()
        (self.folder / "files/bin").mkdir(parents=True)
        shutil.copyfile(shutil.which("busybox"), self.folder / "files/bin/busybox")
        (self.folder / "files/bin/busybox").chmod(0o755)
        (self.folder / "files/bin/sh").symlink_to("busybox")
        for name in ("f1", "f2", "dir/in"):
            self.write(f"files/srv/{name}", name)
        self.write("token", "a secret")
        self.write("lithify.yaml", PROJECT)

    def made_by(self, runner):
        if runner != "own" and not have(runner):
            self.skipTest(f"not installed: {runner}")
        result = self.lithify("build", "--sandbox", runner, "--secret", "id=token,src=token",
                              "--provenance", f"{runner}.json",
                              store=self.folder / f"store-{runner}", status=None)
        if runner == "crun" and "cgroup" in result.stderr and result.returncode != 0:
            self.skipTest("crun refuses this machine's control groups: " +
                          next(line for line in result.stderr.splitlines()
                               if "cgroup" in line).strip())
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(list((self.folder / f"store-{runner}/work").iterdir()), [])
        return result

    def same_as_ours(self, runner):
        ours = self.made_by("own")
        self.assertIn("run    in sandbox L", ours.stderr)
        theirs = self.made_by(runner)
        self.assertEqual(theirs.stdout, ours.stdout)
        self.assertIn(f"run    in sandbox {runner} · cache-dependent: c\n", theirs.stderr)
        told = json.loads((self.folder / f"{runner}.json").read_text())
        facts = told["buildDefinition"]["internalParameters"]
        self.assertEqual(facts["sandbox"], runner)

    def test_bubblewrap(self):
        self.same_as_ours("bwrap")

    def test_runc(self):
        self.same_as_ours("runc")

    def test_crun(self):
        self.same_as_ours("crun")

    def test_copied_roots(self):
        ours = self.made_by("own")
        copied = self.lithify("build", "--secret", "id=token,src=token",
                              store=self.folder / "store", env={"LITHIFY_ROOTS": "copy"})
        self.assertEqual(copied.stdout, ours.stdout)
        self.assertFalse((self.folder / "store/roots").exists())

    def test_the_choice_is_no_part_of_a_key(self):
        store = self.folder / "store"
        secret = ["--secret", "id=token,src=token"]
        first = self.lithify("build", *secret, store=store)
        # Nothing is run again, so that nobody needs to be installed.
        again = self.lithify("build", *secret, "--sandbox", "runc", store=store,
                             env={"PATH": "/nowhere"})
        self.assertEqual(again.stdout, first.stdout)

    def test_what_is_no_sandbox_is_told(self):
        result = self.lithify("build", "--sandbox", "docker", status=2)
        self.assertIn("own, bwrap, crun or runc", result.stderr)

    def test_one_that_is_not_installed_is_told(self):
        result = self.lithify("build", "--sandbox", "runc", "--secret", "id=token,src=token",
                              store=self.folder / "store", env={"PATH": "/nowhere"}, status=7)
        self.assertIn("runc is not installed", result.stderr)


if __name__ == "__main__":
    unittest.main()
