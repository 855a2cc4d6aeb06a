"""Another processor's programs through qemu-user: for every user, and maintainer scripts."""
import os
import subprocess
import unittest

import foreign_platform_test as short
from emulation import FOREIGN, needs_emulation
from support import AnotherUser, Scenario, config_of, files_of, needs, needs_root

PROJECT = f"""\
lithify: 1
project: scripted
sources:
  debian: {{apt: {{suites: [bookworm], components: [main]}}}}
image:
  from: scratch
  platforms: [linux/{FOREIGN[0]}]
  steps:
    - packages: [adduser, debconf, ca-certificates, fontconfig, tzdata]
      from: debian
      scripts: run
    - run: adduser --quiet --system --group web
  tests:
    - {{run: "uname -m", expect: {{stdout: "{FOREIGN[1]}\\n"}}}}
    - {{run: "test -z \\"$(dpkg --audit; dpkg --verify)\\""}}
    - {{run: "dpkg --print-architecture", expect: {{stdout: "{FOREIGN[0]}\\n"}}}}
    - {{run: id -un, user: web, expect: {{stdout: "web\\n"}}}}
    - {{files: {{/etc/ssl/certs/ca-certificates.crt: {{mode: "0644"}}}}}}
outputs: [{{oci: out}}]
"""


@needs_emulation()
class ForeignScripts(Scenario):
    def setUp(self):
        super().setUp()
        self.write("lithify.yaml", PROJECT)

    def test_a_system_is_installed_twice_with_the_same_bytes(self):
        result = self.lithify("build", "--no-cache", "--rebuild-check")
        self.assertIn("check  2 commands performed twice, with equal results", result.stderr)
        self.assertIn("tests  5 passed", result.stderr)
        self.assertEqual(config_of(self.folder / "out")["architecture"], FOREIGN[0])
        files = files_of(self.folder / "out")
        for made in ("etc/ld.so.cache", "etc/shadow", "var/cache/debconf/config.dat"):
            self.assertIn(made, files)
        for gone in ("usr/sbin/policy-rc.d", "var/log/dpkg.log", "etc/passwd-"):
            self.assertNotIn(gone, files)

    @needs_root()
    def test_a_user_installs_the_same(self):
        ours = self.build(self.folder)
        user = AnotherUser(self, self.folder, TZ="Asia/Tokyo")
        theirs = user.run("sh", "-c", "umask 077; exec ./lithify build --locked")
        self.assertEqual(dict([theirs.split()]), ours)


class Everywhere(short.ForeignProject):
    """Whoever builds it, and in whatever sandbox."""

    @needs("bwrap", "runc")
    def test_another_program_s_sandbox_gives_the_same(self):
        file = short.project(FOREIGN[0])
        clock = slice(file.index("      - run: date"), file.index("  here:"))  # is our own
        self.write("lithify.yaml", file.replace(file[clock], ""))
        ours = self.build(self.folder)
        for program in ("bwrap", "runc"):
            self.assertEqual(self.build(self.folder, "--no-cache", "--sandbox", program), ours)

    @needs_root()
    def test_users_get_the_same(self):
        ours = self.build(self.folder)
        user = AnotherUser(self, self.folder, TZ="Asia/Tokyo")
        theirs = user.run("sh", "-c", "umask 077; exec ./lithify build --locked --no-cache")
        self.assertEqual(dict([theirs.split()]), ours)

    @needs_root()
    def test_a_user_with_a_single_id_gets_the_same(self):
        ours = self.build(self.folder)
        place = self.downloads()
        self.run_program("chown", "-R", "60123:60123", place)
        ran = subprocess.run(
            ["setpriv", "--reuid", "60123", "--regid", "60123", "--clear-groups", "env", "-i",
             f"PATH={os.environ['PATH']}", f"HOME={place}", f"LITHIFY_STORE={place}",
             "./lithify", "build", "--locked", "--offline"],
            cwd=place, text=True, capture_output=True, check=False)
        self.assertIn("in sandbox L2", ran.stderr)
        self.assertEqual(dict([ran.stdout.split()]), ours)


if __name__ == "__main__":
    unittest.main()
