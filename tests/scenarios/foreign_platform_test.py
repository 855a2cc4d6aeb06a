"""Images for another processor than the machine's: their commands run through qemu-user."""
import json
import pathlib
import shutil
import subprocess
import unittest

import sandbox_container_test as containers
from emulation import BINFMT, FOREIGN, OWN, PACKAGED, needs_emulation, registered, unregister
from support import (LITHIFY, Scenario, config_of, layer_tar, manifest_of, needs,
                     needs_root, unwrapped)

PROJECT = """\
lithify: 1
project: foreign
epoch: 2001-09-09T01:46:40Z
sources:
  debian: {apt: {suites: [bookworm], components: [main]}}
PLATFORMS
stages:
  tools:
    from: scratch
    steps:
      - packages: [gcc, libc6-dev, dash, coreutils, base-passwd, python3-minimal]
        from: debian
        drop: [docs, man, locales]
      - {symlink: /bin/sh, target: dash}
  built:
    from: tools
    steps:
      - file: /src/hello.c
        text: |
          #include <stdio.h>
          #include <time.h>
          int main(void) { printf("%lld\\n", (long long)time(0)); }
      - run: |
          mkdir /out
          uname -m > /out/machine
          gcc -O2 -static -o /out/hello /src/hello.c
          python3 -c 'import os, platform; print(platform.machine(), os.getuid())' > /out/python
      - run: date +%s.%N > /out/date; /out/hello > /out/told; python3 -c 'import time;
          print(int(time.time()))' >> /out/told
        clock: epoch
  here:
    from: tools
    platform: build
    steps:
      - run: mkdir /made; uname -m > /made/by; echo $FOR > /made/for
        env: {FOR: $(platform.arch)}
image:
  from: scratch
  steps:
    - {copy: out, from: built, to: /}
    - {copy: made, from: here, to: /made}
  config: {entrypoint: [/hello]}
  tests:
    - {files: {/hello: {elf: static}}}
    - {run: [/hello], expect: {stdout: {matches: "^[0-9]{10}\\n$"}}}
outputs: [{oci: out}]
"""


def project(*architectures):
    return PROJECT.replace("PLATFORMS", "platforms: [" + ", ".join(
        f"linux/{one}" for one in architectures) + "]")


@needs_emulation()
class ForeignProject(Scenario):
    """What is built; foreign_platform_long.py has it too."""

    def setUp(self):
        super().setUp()
        self.folder.chmod(0o755)
        self.write("lithify.yaml", project(OWN[0], FOREIGN[0]))

    def texts(self, architecture):
        """What the image has, by tar; its program is looked at by file(1)."""
        root = self.folder / architecture
        root.mkdir()
        for layer in manifest_of(self.folder / "out", architecture)["layers"]:
            subprocess.run(["tar", "-x", "-C", root], check=True,
                           input=layer_tar(self.folder / "out", layer))
        return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*")
                if path.is_file() and path.name != "hello"}

    def downloads(self):
        """A place with the project and the archives, and no result of any step."""
        place = self.folder / "place"
        place.mkdir()
        for name in ("lithify.yaml", "lithify.lock"):
            shutil.copy(self.folder / name, place)
        shutil.copy(LITHIFY, place / "lithify")
        self.run_program("cp", "-r", self.store / "blobs", place)
        return place


class ForeignPlatform(ForeignProject):
    def test_commands_run_as_on_the_processor_itself(self):
        result = self.lithify("build", "--no-cache")
        self.assertIn("tests  4 passed", result.stderr)
        self.assertRegex(result.stderr, f"run    in sandbox L. · emulated: linux/{FOREIGN[0]}\n")
        for architecture, machine in (OWN, FOREIGN):
            self.assertEqual(config_of(self.folder / "out", architecture)["architecture"],
                             architecture)
            self.assertEqual(self.texts(architecture), {
                "machine": f"{machine}\n", "python": f"{machine} 0\n",
                "date": "1000000000.000000000\n", "told": "1000000000\n1000000000\n",
                "made/by": f"{OWN[1]}\n", "made/for": f"{architecture}\n"})

    @needs("file")
    def test_compilers_make_its_programs(self):
        self.lithify("build")
        self.texts(FOREIGN[0])
        kind = self.run_program("file", "-b", self.folder / FOREIGN[0] / "hello")
        self.assertIn("aarch64" if FOREIGN[0] == "arm64" else "x86-64", kind)
        self.assertIn("statically linked", kind)

    @needs("podman")
    @needs_root()
    def test_podman_runs_the_image(self):
        self.lithify("build")
        for architecture, _ in (OWN, FOREIGN):
            said = self.podman_run_image(f"oci:{self.folder}/out",
                                         flags=["--arch", architecture])
            self.assertRegex(said, "^[0-9]{10}\n$")

    def test_twice_under_variation_gives_the_same(self):
        digest = self.build(self.folder)
        checked = self.lithify("build", "--rebuild-check")
        self.assertIn("commands performed twice, with equal results", checked.stderr)
        self.assertEqual(dict([checked.stdout.split()]), digest)

    def test_provenance_and_doctor_name_what_was_emulated(self):
        facts = self.folder / "facts.json"
        self.lithify("build", "--provenance", facts)
        told = json.loads(facts.read_text())["buildDefinition"]["internalParameters"]
        self.assertEqual(told["emulated"], ["linux/" + FOREIGN[0]])
        self.assertRegex(self.lithify("doctor").stdout, f"(?m)^emulated .*{FOREIGN[0]}")

    def test_what_is_another_thing_each_time_is_found(self):
        file = project(FOREIGN[0]).replace("{copy: made, from: here, to: /made}",
                                           "{run: COMMAND}")
        file = file.replace("{copy: out, from: built, to: /}", "dir: /x")
        file = file.replace("image:\n  from: scratch", "image:\n  from: tools")
        file = file[:file.index("  tests:")]
        causes = {"date": "the time of day", "sh -c 'echo $$'": "process ids",
                  "ls -U /usr/bin": "the order of names in directories"}
        for command, cause in causes.items():
            with self.subTest(command):
                self.write("lithify.yaml", file.replace("COMMAND", f"{command} > /made"))
                words = unwrapped(self.lithify("build", "--rebuild-check", status=4).stderr)
                self.assertIn(f"cause: {cause}", words)

    def test_a_test_that_fails_on_it_alone_is_told(self):
        self.write("lithify.yaml", project(OWN[0], FOREIGN[0]).replace(
            "outputs:", "    - {files: {/machine: {text: {contains: " + OWN[1] + "}}}}\n"
            "outputs:"))
        result = self.lithify("build", status=3)
        self.assertIn(FOREIGN[1], result.stderr)

    @needs("runc")
    @needs_root()
    @unittest.skipUnless(containers.PROFILE.exists(), "podman's profile is not installed")
    def test_docker_by_default_gives_the_same(self):
        """Where nobody sees what is registered with the kernel."""
        ours = self.build(self.folder)
        ci = containers.SandboxInContainers()
        ci.folder = self.folder
        rootfs = containers.make_rootfs(self.folder)
        self.downloads().rename(rootfs / "w")
        ran = ci.contain("/usr/bin/env", "-C", "/w", "LITHIFY_STORE=/w", "/w/lithify",
                         "build", "--locked", "--offline", capabilities=containers.DOCKER,
                         seccomp=containers.docker_filter(containers.DOCKER))
        self.assertIn("in sandbox L1", ran.stderr)
        self.assertEqual(dict([ran.stdout.split()]), ours)


class NotRegistered(Scenario):
    """What is said, and that it is the cure."""

    def setUp(self):
        super().setUp()
        found = [(name, qemu) for name, qemu in (("riscv64", "riscv64"), ("s390x", "s390x"),
                                                 ("ppc64le", "ppc64le"))
                 if not registered(f"qemu-{qemu}")]
        if not found:
            self.skipTest("each interpreter of qemu's is registered")
        self.name, self.qemu = found[0][0], "qemu-" + found[0][1]
        self.write("lithify.yaml", f"""\
lithify: 1
project: foreign
image:
  from: scratch
  platforms: [linux/{self.name}]
  steps: [{{run: [/none]}}]
""")

    def refused(self):
        result = self.lithify("build", status=7)
        self.assertIn(f"programs for linux/{self.name} do not run on this machine, which "
                      f"is {OWN[1]}", result.stderr)
        self.assertIn(f"no {self.qemu} is registered with binfmt_misc", result.stderr)
        return unwrapped(result.stderr.split("= help:")[1])

    def test_it_is_said_what_to_type(self):
        installed = (PACKAGED / f"{self.qemu}.conf").exists()
        self.assertIn("binfmt_misc/register" if installed
                      else "sudo apt-get install qemu-user-static", self.refused())

    @needs_root()
    def test_typing_it_helps(self):
        if not (PACKAGED / f"{self.qemu}.conf").exists():
            self.skipTest("not installed: qemu-user-static")
        cure = self.refused().removeprefix("sudo ")
        if "binfmt_misc" not in pathlib.Path("/proc/filesystems").read_text():
            self.skipTest("this kernel has no binfmt_misc")
        self.run_program("sh", "-c", cure)
        self.addCleanup(unregister, self.qemu)
        self.assertTrue((BINFMT / self.qemu).exists())
        self.assertIn("there is no /none where the step runs",
                      self.lithify("build", status=2).stderr)


if __name__ == "__main__":
    unittest.main()
