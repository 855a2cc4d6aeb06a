"""77 steps as people write them, on toolchains that packages install: each gives the same
twice under variation, in whoever's sandbox, at each level, and whoever runs it."""
import os
import pathlib
import shutil
import subprocess
import unittest

import sandbox_container_test as containers
from step_corpus import SCRIPTED, STEPS, TOOLCHAINS, write_project
from support import LITHIFY, STORE, AnotherUser, Scenario, needs, needs_root

# For comparing programs that make sandboxes.
FEW = ("shell", "archives", "go", "erlang")
# For comparing levels and people: one of each kind of toolchain that is not of gigabytes.
SAMPLE = ("bash-functions", "sqlite-database", "tar-gzip", "squashfs", "nasm", "c-cmake-ninja",
          "go-build", "rust-rustc", "python-wheel", "python-bytecode", "node-pack", "erlang",
          "cross-arm64", "java-jar", "java-classes")
CHAINS = [chain for chain in TOOLCHAINS
          if any(name in SAMPLE and owner == chain for name, owner, _, _ in STEPS)]
# The README's rows of CI in which commands run, one for each level.
FIRST_ROWS = {level: (name, container)
              for name, level, container in reversed(containers.ROWS) if level != "L0"}


class Corpus(Scenario):
    """A store of its own, so that what is laid out for one toolchain can go before the
    next: all of them would be twelve gigabytes."""

    def setUp(self):
        super().setUp()
        self.folder.chmod(0o755)
        self.store = pathlib.Path(STORE + "-corpus")
        self.addCleanup(self.forget_roots)

    def forget_roots(self):
        shutil.rmtree(self.store / "roots", ignore_errors=True)

    def image(self, chain, *args):
        try:
            return self.lithify("build", "-q", *args, f"all-{chain}").stdout.split()[-1]
        finally:
            self.forget_roots()

    def test_each_step_gives_the_same_twice_under_variation(self):
        self.assertGreaterEqual(len(STEPS), 60)
        write_project(self, TOOLCHAINS)
        for chain in TOOLCHAINS:
            with self.subTest(chain):
                self.image(chain, *(f"--rebuild-check={name}" for name, owner, _, _ in STEPS
                                    if owner == chain))

    @needs("bwrap", "runc", "crun")
    def test_another_program_s_sandbox_gives_the_same(self):
        write_project(self, FEW)
        for chain in FEW:
            ours = self.image(chain)
            for program in ("bwrap", "runc", "crun"):
                with self.subTest(chain, sandbox=program):
                    ran = self.lithify("build", "-q", "--no-cache", "--sandbox", program,
                                       f"all-{chain}", status=None)
                    self.forget_roots()
                    if "cgroups in hybrid mode not supported" in ran.stderr:
                        self.skipTest(f"{program} wants cgroup version 2 alone")
                    self.assertEqual(ran.stdout.split()[-1:], [ours], ran.stderr)


@needs_root()
class CorpusElsewhere(Corpus):
    """A sample of the steps where others run them; our own results are the measure."""
    test_each_step_gives_the_same_twice_under_variation = None
    test_another_program_s_sandbox_gives_the_same = None

    def setUp(self):
        super().setUp()
        self.assertGreaterEqual(len({owner for name, owner, _, _ in STEPS
                                     if name in SAMPLE}), 10)
        write_project(self, CHAINS, SAMPLE)
        self.ours = {chain: self.image(chain) for chain in CHAINS}

    def chains(self, level):
        """With a single owner there are no maintainer scripts, and those of Java want a
        /proc."""
        return [chain for chain in CHAINS
                if not (level == "L2" and chain in SCRIPTED or level == "L1" and chain == "java")]

    def downloads(self, place, uid):
        """The archives, and no result of any step; for a user who may read them."""
        place.mkdir(parents=True, exist_ok=True)
        self.run_program("cp", "-al", self.store / "blobs", place)
        for folder in (place, *(path for path in place.rglob("*") if path.is_dir())):
            os.chown(folder, uid, uid)

    def hand_out(self, place, uid):
        self.downloads(place, uid)
        for name in ("src", "lithify.yaml", "lithify.lock"):
            self.run_program("cp", "-r", self.folder / name, place)
            self.run_program("chown", "-R", f"{uid}:{uid}", place / name)
        shutil.copy(LITHIFY, place / "lithify")

    @needs("runc")
    @unittest.skipUnless(containers.PROFILE.exists(), "podman's profile is not installed")
    def test_each_row_of_the_readme_gives_the_same(self):
        ci = containers.SandboxInContainers()
        ci.folder = self.folder
        rootfs = containers.make_rootfs(self.folder)
        for level, (name, container) in FIRST_ROWS.items():
            place = rootfs / "w"
            self.hand_out(place, container.get("uid", 0))
            for chain in self.chains(level):
                with self.subTest(chain, row=name):
                    ran = ci.contain("/usr/bin/env", "-C", "/w", "LITHIFY_STORE=/w",
                                     "/w/lithify", "build", "--locked", "--offline",
                                     f"all-{chain}", **container)
                    self.assertIn(f"in sandbox {level}", ran.stderr)
                    self.assertEqual(ran.stdout.split()[-1], self.ours[chain])
                shutil.rmtree(place / "roots", ignore_errors=True)
            shutil.rmtree(place)

    def test_a_user_gets_the_same(self):
        user = AnotherUser(self, self.folder, TZ="Asia/Kathmandu")
        store = user.place / "store"
        self.downloads(store, user.place.stat().st_uid)
        user.environment["LITHIFY_STORE"] = str(store)
        for chain in CHAINS:
            with self.subTest(chain):
                theirs = user.run("sh", "-c", "umask 077; exec ./lithify build -q --locked "
                                  f"--offline all-{chain}")
                self.assertEqual(theirs.split()[-1], self.ours[chain])
            shutil.rmtree(store / "roots", ignore_errors=True)

    def test_a_user_with_a_single_id_gets_the_same(self):
        place = self.folder / "alone"
        self.hand_out(place, 60125)
        for chain in self.chains("L2"):
            with self.subTest(chain):
                ran = subprocess.run(
                    ["setpriv", "--reuid", "60125", "--regid", "60125", "--clear-groups",
                     "env", "-i", f"PATH={os.environ['PATH']}", f"LITHIFY_STORE={place}",
                     "./lithify", "build", "--locked", "--offline", f"all-{chain}"],
                    cwd=place, text=True, capture_output=True, check=False)
                self.assertIn("in sandbox L2", ran.stderr)
                self.assertEqual(ran.stdout.split()[-1], self.ours[chain])
            shutil.rmtree(place / "roots", ignore_errors=True)


if __name__ == "__main__":
    unittest.main()
