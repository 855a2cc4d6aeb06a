"""77 steps as people write them, on toolchains that packages install: each gives the same
twice under variation, in whoever's sandbox, and whoever runs it."""
import unittest

from step_corpus import STEPS, TOOLCHAINS, write_project
from support import AnotherUser, Scenario, needs, needs_root

# For comparing sandboxes: one of each kind of toolchain.
FEW = ("shell", "archives", "go", "erlang")


class Corpus(Scenario):
    def image(self, chain, *args, status=0):
        out = self.lithify("build", "-q", *args, f"all-{chain}", status=status).stdout
        return out.split()[-1] if out else ""

    def test_each_step_gives_the_same_twice_under_variation(self):
        self.assertGreaterEqual(len(STEPS), 60)
        write_project(self, TOOLCHAINS)
        for chain in TOOLCHAINS:
            with self.subTest(chain):
                self.image(chain, *(f"--rebuild-check={name}" for name, owner, _, _ in STEPS
                                    if owner == chain))

    @needs("bwrap", "runc")
    def test_another_program_s_sandbox_gives_the_same(self):
        write_project(self, FEW)
        for chain in FEW:
            ours = self.image(chain)
            for program in ("bwrap", "runc"):
                with self.subTest(chain, sandbox=program):
                    self.assertEqual(self.image(chain, "--no-cache", "--sandbox", program),
                                     ours)

    @needs_root()
    def test_a_user_gets_the_same(self):
        write_project(self, FEW)
        ours = {chain: self.image(chain) for chain in FEW}
        user = AnotherUser(self, self.folder, TZ="Asia/Kathmandu")
        for chain in FEW:
            with self.subTest(chain):
                theirs = user.run("./lithify", "build", "-q", "--locked", f"all-{chain}")
                self.assertEqual(theirs.split()[-1], ours[chain])


if __name__ == "__main__":
    unittest.main()
