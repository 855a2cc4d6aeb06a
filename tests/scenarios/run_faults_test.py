"""Commands that are killed, interrupted, or run out of disk or memory leave nothing."""
import os
import shutil
import signal
import subprocess
import unittest

from run_faults import Faults
from support import LITHIFY, needs, needs_root, unwrapped

ROUNDS = int(os.environ.get("LITHIFY_FAULTS", "20"))


@needs("busybox")
class RunFaults(Faults):
    def test_ctrl_c(self):
        self.disturb(ROUNDS, signal.SIGINT)

    def test_kill(self):
        self.disturb(ROUNDS, signal.SIGKILL)

    def with_step(self, script, limits=""):
        place = self.project / "lithify.yaml"
        step = f"    - run: \"{script}\"\n{limits}outputs:"
        place.write_text(place.read_text().replace("outputs:", step))

    def test_memory(self):
        self.with_step("x=0123456789abcdef; while true; do x=$x$x; done",
                       "      limits: {memory: 64MiB}\n")
        store = self.folder / "store"
        result = self.lithify("build", cwd=self.project, store=store, status=1)
        self.assertIn("needed more memory than it may have", result.stderr)
        self.assertIn("limits: {memory:", result.stderr)
        self.check_nothing_runs(store)
        self.check_store(store)
        self.assertEqual(self.left(store), [])

    @needs_root()
    def test_giving_files_away_where_there_is_one_owner(self):
        """A user without subordinate ids: the command says which file, we say why."""
        user = 60_001
        self.with_step(f"/bin/{self.name} chown 33:33 /srv/1 || /bin/{self.name} chown 33 /bin")
        program = self.folder / "lithify"
        shutil.copy(LITHIFY, program)
        self.run_program("chown", "-R", f"{user}:{user}", self.folder)
        result = subprocess.run(
            ["setpriv", "--reuid", str(user), "--regid", str(user), "--clear-groups",
             program, "build"], cwd=self.project, text=True, capture_output=True, check=False,
            env={"PATH": os.environ["PATH"], "LITHIFY_STORE": str(self.folder / "store")})
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("chown: /bin", result.stderr)
        self.assertIn("all files are 0:0's", result.stderr)
        self.assertEqual(self.left(self.folder / "store"), [])

    @needs_root()
    def test_full_disk(self):
        calm = (self.project / "lithify.yaml").read_text()
        self.with_step(f"/bin/{self.name} dd if=/dev/zero of=/large bs=1M count=64")
        place = self.folder / "small"
        place.mkdir()
        self.run_program("mount", "-t", "tmpfs", "-o", "size=24m", "none", place)
        try:
            result = self.lithify("build", "--output", f"oci={self.folder}/out",
                                  cwd=self.project, store=place / "store", status=None)
            # The command fails, or what it says cannot be written down.
            self.assertIn(result.returncode, (1, 7))
            self.assertIn("No space left", unwrapped(result.stderr))
            self.check_nothing_runs(place / "store")
            self.check_store(place / "store")
            self.assertEqual(self.left(place / "store"), [])
            (self.project / "lithify.yaml").write_text(calm)
            self.assertEqual(self.build(self.project, store=place / "store"), self.expected)
        finally:
            subprocess.run(["umount", place], check=True)


if __name__ == "__main__":
    unittest.main()
