"""Tests of images: what passes, what fails and how it is told, and what is not pushed."""
import json
import os
import pathlib
import re
import shutil
import unittest
import xml.etree.ElementTree

import sandbox_container_test as containers
from registry_scenario import RegistryScenario
from support import LITHIFY, STORE, TOP, AnotherUser, Scenario, needs, needs_root

GOLDEN = TOP / "tests/golden/tests"

IMAGE = """\
lithify: 1
project: web
sources:
  debian: {apt: {suites: [bookworm], components: [main]}}
image:
  from: scratch
  platforms: [linux/amd64]
  steps:
    - {packages: [dash, coreutils, base-passwd], from: debian, drop: [docs, man, locales]}
    - {symlink: /bin/sh, target: dash}
    - {file: /etc/motd, text: "hello world\\n", mode: "0640", owner: "0:33"}
    - {dir: /srv/app, owner: "33:33"}
  config: {env: {MODE: release}, user: www-data, workdir: /srv/app, ports: [80]}
  outputs: [{oci: out}]
  tests:
"""

PASSING = """\
    - name: runs as the configuration says
      run: id -un; pwd; echo $MODE; echo problem >&2; exit 3
      expect:
        exit: 3
        stdout: "www-data\\n/srv/app\\nrelease\\n"
        stderr: {contains: prob, matches: "^problem"}
    - {run: [cat, /etc/motd], user: "0:0", cwd: /, expect: {stdout: {contains: [hello, world]}}}
    - {run: "echo $MODE > mine; cat mine", env: {MODE: debug}, expect: {stdout: {equals: "debug\\n"}}}
    - {run: "! cat mine 2>/dev/null"}
    - files:
        /etc/motd: {type: file, mode: "0640", owner: "0:33", text: {equals: "hello world\\n"}}
        /srv/app: {type: dir, owner: "33:33"}
        /bin/sh: {type: symlink, text: dash}
        /usr/bin/dash: {elf: dynamic, mode: "0755"}
    - {absent: [/usr/share/doc/**/README*, /bin/bash, "**/*.pyc"]}
    - {size: {max: 100MiB}}
    - {structure-test: structure.yaml}
"""

STRUCTURE = """\
schemaVersion: 2.0.0
globalEnvVars: [{key: PLACE, value: /srv/app/made}]
commandTests:
  - name: finds what set-up made
    setup: [[/bin/sh, -c, "echo made > $PLACE"]]
    command: /bin/sh
    envVars: [{key: SEEN, value: "$MODE at ${PLACE}"}]
    args: [-c, "cat $PLACE; echo $SEEN; echo more >&2"]
    teardown: [[rm, /srv/app/made]]
    expectedOutput: ["^made", "release at /srv/app/made"]
    excludedOutput: [moon]
    expectedError: [mor+e]
fileExistenceTests:
  - {name: a message, path: /etc/motd, shouldExist: true, permissions: "-rw-r-----", uid: 0, gid: 33}
  - {name: no bash, path: /bin/bash, shouldExist: false}
fileContentTests:
  - {name: its text, path: /etc/motd, expectedContents: ["hel+o"], excludedContents: [moon]}
metadataTest:
  env: [{key: MODE, value: rel.*, isRegex: true}]
  exposedPorts: ["80"]
  unexposedPorts: ["22"]
  workdir: /srv/app
  user: www-data
"""

FAILING = """\
    - name: exits well
      run: echo first; echo second >&2; exit 3
    - name: says little
      run: "yes | head -n 200000; kill -9 $$"
      expect: {stdout: {equals: short}, stderr: {contains: never}}
    - {run: [/bin/none]}
    - {run: "true", user: nobody-here}
    - {name: hangs, run: sleep 60, timeout: 1s}
    - name: files
      files:
        /etc/motd: {mode: "0644", owner: "0:0", text: {contains: moon}}
        /etc/none: {}
        /bin/sh: {type: file}
        /usr/bin/dash: {elf: static}
    - {absent: [/usr/bin/d*]}
    - {size: {max: 1KiB}}
    - {run: "true"}
    - {structure-test: failing.yaml}
"""

FAILING_STRUCTURE = """\
schemaVersion: 2.0.0
commandTests:
  - name: cannot be set up
    setup: [[/bin/sh, -c, "echo why >&2; exit 4"]]
    command: "true"
metadataTest:
  env: [{key: MODE, value: debug}]
  exposedPorts: ["443"]
"""


class Project(Scenario):
    def project(self, tests, extra=""):
        folder = self.folder / "project"
        folder.mkdir(exist_ok=True)
        (folder / "lithify.yaml").write_text(IMAGE + tests + extra)
        (folder / "structure.yaml").write_text(STRUCTURE)
        (folder / "failing.yaml").write_text(FAILING_STRUCTURE)
        return folder

    def assert_golden(self, name, text):
        golden = GOLDEN / name
        if os.environ.get("LITHIFY_ACCEPT"):
            golden.parent.mkdir(exist_ok=True)
            golden.write_text(text)
        self.assertEqual(text, golden.read_text())


class Tests(Project):
    def test_every_kind_passes_once_and_is_then_known(self):
        folder = self.project(PASSING)
        store = self.folder / "store"
        first = self.lithify("build", cwd=folder, store=store)
        self.assertIn("tests  12 passed\n", first.stderr)
        self.assertRegex(first.stderr, r"time .* · tests \d")
        again = self.lithify("build", "--locked", cwd=folder, store=store)
        self.assertEqual(again.stdout, first.stdout)
        self.assertIn("tests  12 passed · 12 known from before\n", again.stderr)
        anew = self.lithify("build", "--no-cache", "--jobs", 3, cwd=folder, store=store)
        self.assertIn("tests  12 passed\n", anew.stderr)
        self.assertEqual(self.left(store), [])

    def test_a_new_date_runs_nothing_again_and_new_content_all(self):
        folder = self.project('    - {run: "true"}\n    - {files: {/etc/motd: {}}}\n')
        store = self.folder / "store"
        # Younger than all packages, whose times it does not change then.
        self.lithify("build", cwd=folder, store=store,
                     env={"SOURCE_DATE_EPOCH": "1900000000"})
        later = self.lithify("build", cwd=folder, store=store,
                             env={"SOURCE_DATE_EPOCH": "1900000001"})
        self.assertIn("tests  2 passed · 2 known from before\n", later.stderr)
        text = (folder / "lithify.yaml").read_text()
        (folder / "lithify.yaml").write_text(text.replace("hello world", "hello moon"))
        changed = self.lithify("build", cwd=folder, store=store)
        self.assertIn("tests  2 passed\n", changed.stderr)

    def test_failures_are_told_with_what_was_expected_and_found(self):
        folder = self.project(FAILING)
        result = self.lithify("build", "--junit", "junit.xml", cwd=folder, status=3,
                              env={"COLUMNS": "100"})
        self.assertEqual(result.stdout, "")
        self.assertFalse((folder / "out").exists())
        told = result.stderr[result.stderr.index("error: "):]
        told = re.sub(r"found \d{7,} bytes", "found N bytes", told)
        self.assert_golden("failures.txt", re.sub(" · .*", "", told))
        suites = xml.etree.ElementTree.parse(folder / "junit.xml").getroot()
        self.assertEqual((suites.tag, suites.get("tests"), suites.get("failures"),
                          suites.get("skipped")), ("testsuites", "11", "10", "0"))
        [suite] = suites
        self.assertEqual(suite.get("name"), "web")
        cases = {case.get("name"): case for case in suite}
        self.assertEqual(cases["exits well"].find("failure").get("message"),
                         "the exit status: expected 0, found 3")
        self.assertEqual(cases["exits well"].find("system-out").text, "first")
        self.assertEqual(cases["exits well"].find("system-err").text, "second")
        self.assertIsNone(cases["run true"].find("failure"))
        self.assertEqual(cases["configuration"].get("file"), "failing.yaml")
        self.assertEqual(self.left(), [])
        skipped = self.lithify("build", "--skip-tests", cwd=folder)
        self.assertIn("tests  11 not run\n", skipped.stderr)
        self.assertTrue((folder / "out/index.json").exists())

    def test_the_command_tells_each_test(self):
        folder = self.project(PASSING.replace("exit: 3", "exit: 4"))
        result = self.lithify("test", cwd=folder, status=3)
        lines = result.stdout.splitlines()
        self.assertEqual(lines[0], "failed   web  runs as the configuration says")
        self.assertEqual(lines[1], "passed   web  run cat /etc/motd")
        self.assertEqual(len(lines), 12)
        self.assertIn("the exit status: expected 4, found 3", result.stderr)
        self.assertIn("tests  11 passed, 1 failed", result.stderr)
        self.assertFalse((folder / "out").exists())
        document = json.loads(self.lithify("test", "--json", cwd=folder, status=3).stdout)
        self.assertEqual(document["schema"], "lithify.test/1")
        self.assertEqual((document["passed"], document["failed"]), (11, 1))
        [image] = document["images"]
        self.assertEqual(image["platform"], "linux/amd64")
        failed = image["tests"][0]
        self.assertEqual(failed["result"], "failed")
        self.assertEqual(failed["place"]["line"], 16)
        self.assertEqual(failed["findings"], [
            {"expected": "4", "found": "3", "subject": "the exit status",
             "place": {"column": 7, "file": "lithify.yaml", "line": 16}}])
        self.assertEqual(failed["stderr"], "problem")
        self.assertTrue(all(test["remembered"] for test in image["tests"][1:]))
        self.assertEqual(self.lithify("test", "web", "--skip-tests", cwd=folder,
                                      status=2).stdout, "")

    def test_an_image_that_is_there_is_held_to_a_file(self):
        folder = self.project("    []\n")
        self.lithify("build", "--output", "oci-archive=web.tar", cwd=folder)
        result = self.lithify("test", "--structure", "structure.yaml", "out", cwd=folder)
        self.assertEqual(result.stdout.splitlines(), [
            f"passed   out  {name}" for name in ("finds what set-up made", "a message",
                                                 "no bash", "its text", "configuration")])
        result = self.lithify("test", "--structure", "structure.yaml", "--structure",
                              "failing.yaml", "web.tar", "--no-cache", cwd=folder, status=3)
        self.assertIn("--> failing.yaml:3:5", result.stderr)
        self.assertIn("tests  5 passed, 2 failed\n", result.stderr)
        self.lithify("test", "--structure", "structure.yaml", cwd=folder, status=2)
        self.lithify("test", "--structure", "none.yaml", "out", cwd=folder, status=2)
        (folder / "failing.yaml").write_text("schemaVersion: 1.0.0\n")
        wrong = self.lithify("test", "--structure", "failing.yaml", "out", cwd=folder,
                             status=2)
        self.assertIn("--> failing.yaml:1:", wrong.stderr)

    def test_an_image_without_tests_is_no_failure(self):
        folder = self.project("    []\n")
        result = self.lithify("test", "--junit", "junit.xml", cwd=folder)
        self.assertEqual(result.stdout, "")
        self.assertIn("no image has tests", result.stderr)
        xml.etree.ElementTree.parse(folder / "junit.xml")

    def test_a_command_has_no_network_and_nothing_of_the_caller(self):
        folder = self.project('    - {run: "env | sort; cat /proc/net/dev | grep -c :", '
                              'user: "0", expect: {stdout: {equals: never}}}\n')
        (folder / "lithify.yaml").write_text(
            (folder / "lithify.yaml").read_text().replace("coreutils,", "coreutils, grep,"))
        result = self.lithify("test", cwd=folder, status=3, env={"CANARY": "seen-outside"})
        self.assertNotIn("seen-outside", result.stderr)
        self.assertIn("HOME=/root", result.stderr)
        self.assertIn("MODE=release", result.stderr)
        self.assertIn("PATH=", result.stderr)
        self.assertNotIn("SOURCE_DATE_EPOCH", result.stderr)

    @needs_root()
    def test_a_user_gets_the_same_results(self):
        folder = self.project(PASSING + FAILING)
        ours = self.lithify("test", cwd=folder, status=3).stdout
        user = AnotherUser(self, folder)
        level = user.run("./lithify", "doctor")
        if "L3" not in level:
            self.skipTest("this user has no range of ids")
        theirs = user.run("sh", "-c", "./lithify test; echo $?")
        self.assertEqual(theirs, ours + "3\n")
        self.assertEqual(self.left(user.place / ".cache/lithify"), [])


@needs("docker-registry")
class Pushes(RegistryScenario, Project):
    def setUp(self):
        super().setUp()
        self.peer = self.registry()
        self.store = pathlib.Path(STORE)

    def of(self, tests):
        return Project.project(self, tests, "push:\n  - {repo: %s/web, tags: {v1: once}}\n"
                               % self.peer.host)

    def writes(self):
        return [one for one in self.peer.requests() if not one.startswith(("GET", "HEAD"))]

    def test_what_fails_its_tests_is_not_pushed(self):
        folder = self.of('    - {name: never, run: "exit 1"}\n')
        for words in (["push"], ["build", "--push"]):
            result = self.lithify(*words, cwd=folder, status=3)
            self.assertIn("the test `never` of `web` failed", result.stderr)
            self.assertEqual(self.writes(), [])

    def test_what_was_not_tested_is_not_pushed(self):
        folder = self.of('    - {name: fine, run: "true"}\n')
        result = self.lithify("push", "--skip-tests", cwd=folder, status=3)
        self.assertIn("its test `fine` was not run", result.stderr)
        self.assertEqual(self.writes(), [])
        self.assertIn("tests  1 passed", self.lithify("push", cwd=folder).stderr)
        self.assertNotEqual(self.writes(), [])
        pushed = self.lithify("test", "--structure", "structure.yaml",
                              f"{self.peer.host}/web:v1", cwd=folder,
                              store=self.folder / "store")
        self.assertIn("tests  5 passed\n", pushed.stderr)

    def test_a_waiver_is_told_and_lets_the_push_go_on(self):
        folder = self.of('    - {name: late, run: "exit 1", waiver: {reason: comes in 2.0}}\n')
        result = self.lithify("push", "--junit", "junit.xml", cwd=folder)
        self.assertIn("warning: the test `late` of `web` failed", result.stderr)
        self.assertIn("waived: comes in 2.0", result.stderr)
        self.assertIn("tests  1 waived", result.stderr)
        self.assertNotEqual(self.writes(), [])
        [suite] = xml.etree.ElementTree.parse(folder / "junit.xml").getroot()
        self.assertEqual(suite[0].find("skipped").get("message"), "waived: comes in 2.0")
        self.lithify("push", "--skip-tests", cwd=folder)


@needs("runc")
@needs_root()
@unittest.skipUnless(containers.PROFILE.exists(), "podman's profile is not installed")
class InContainers(Scenario):
    """Where there is only chroot, and where there is nothing."""

    def setUp(self):
        super().setUp()
        os.chmod(self.folder, 0o755)
        rootfs = containers.make_rootfs(self.folder, "w")
        os.chmod(rootfs / "tmp", 0o1777)
        work = rootfs / "w"
        os.chmod(work, 0o777)
        shutil.copy(LITHIFY, work / "lithify")
        shutil.copy("/bin/busybox", work / "busybox")
        (work / "lithify.yaml").write_text("""\
lithify: 1
project: small
sources: {here: {local: ., include: [busybox]}}
image:
  from: scratch
  platforms: [linux/amd64]
  steps: [{copy: busybox, from: here, to: /bin/busybox, mode: "0755"}]
  tests:
    - {run: [/bin/busybox, echo, hello], expect: {stdout: "hello\\n"}}
    - name: fails
      run: [/bin/busybox, sh, -c, "echo out; echo err >&2; exit 7"]
      user: "12:34"
      expect: {exit: 8}
    - {files: {/bin/busybox: {elf: static}}}
""")

    def contain(self, *words, **container):
        return containers.SandboxInContainers.contain(
            self, "/usr/bin/env", "-C", "/w", "LITHIFY_STORE=/tmp/store", "HOME=/tmp",
            "COLUMNS=100", "./lithify", *words, **container)

    def test_commands_run_where_there_is_only_chroot(self):
        docker = containers.DOCKER
        result = self.contain("test", capabilities=docker,
                              seccomp=containers.docker_filter(docker))
        self.assertEqual(result.stdout, "passed   small  run /bin/busybox echo hello\n"
                         "failed   small  fails\n"
                         "passed   small  files /bin/busybox\n", result.stderr)
        self.assertIn("the exit status: expected 8, found 7", result.stderr)
        self.assertEqual(result.returncode, 3)

    def test_where_there_is_nothing_tests_of_commands_are_not_run(self):
        docker = containers.DOCKER
        found = {"uid": 5001, "capabilities": docker,
                 "seccomp": containers.docker_filter(docker)}
        result = self.contain("test", **found)
        self.assertEqual(result.stdout, "skipped  small  run /bin/busybox echo hello\n"
                         "skipped  small  fails\n"
                         "passed   small  files /bin/busybox\n", result.stderr)
        self.assertIn("2 tests of `small` were not run", result.stderr)
        self.assertEqual(result.returncode, 7)
        built = self.contain("build", **found)
        self.assertEqual(built.returncode, 0, built.stderr)
        self.assertIn("tests  1 passed, 2 not run", built.stderr)


if __name__ == "__main__":
    unittest.main()
