"""Maintainer scripts of another processor's packages: dpkg and perl run through qemu-user."""
import unittest

from emulation import FOREIGN, needs_emulation
from support import AnotherUser, Scenario, config_of, files_of, needs_root

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


if __name__ == "__main__":
    unittest.main()
