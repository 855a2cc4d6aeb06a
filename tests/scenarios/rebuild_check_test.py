"""rebuild-check: commands that are not reproducible are found, with the cause, and only
those."""
import json
import os
import pathlib
import unittest

from registry_scenario import RegistryScenario
from support import STORE, Scenario, needs, unwrapped

BASE = """\
lithify: 1
project: checked
sources:
  debian: {apt: {suites: [bookworm], components: [main]}}
stages:
  base:
    from: scratch
    steps:
      - packages: [dash, coreutils, base-passwd, tar, gzip, python3-minimal]
        from: debian
        drop: [docs, man, locales]
      - {symlink: /bin/sh, target: dash}
image:
  from: base
  platforms: [linux/amd64]
  POLICY
  steps:
STEPS
"""

# A command, what its error must say, and of which file.
OFFENDERS = {
    "date in a file": ("date > /made", "the time of day", "made"),
    "a year in a name": ("touch /log-$(date +%Y)", "the time of day", "log-"),
    "random": ("head -c 16 /dev/urandom > /made", "chance", "made"),
    "a random name": ("mktemp /cache.XXXXXX", "chance", "cache."),
    "process id": ("sh -c 'echo $$' > /made", "process ids", "made"),
    "nproc": ("nproc > /made", "the number of processors", "made"),
    "readdir": ("mkdir /d; cd /d; touch a b c d e f g; ls -U > /made",
                "the order of names in directories", "made"),
    "uid map": ("cat /proc/self/uid_map > /made", "the machine's user ids", "made"),
    "path": ("cut -d' ' -f4 /proc/self/mountinfo | head -n 1 > /made",
             "the machine's work directory", "made"),
    "pointer": ("head -c 12 /proc/self/maps > /made", "addresses in memory", "made"),
    "pycache": ("mkdir /m; echo x=1 > /m/a.py; cd /m; python3 -c 'import a'",
                "the time of a file that the step made", "m/__pycache__/a.cpython"),
    "gzip": ("echo text > /f; gzip -k /f", "the time of a file that the step made", "f.gz"),
    "tar": ("mkdir /d; cd /d; touch a b c d e f g; tar -cf /made.tar --mtime=@0 .",
            "the order of names in directories", "made.tar"),
    "tar of times": ("mkdir /d; touch /d/a; tar -czf /made.tar.gz --sort=name /d",
                     "the time of a file that the step made", "made.tar.gz"),
}

CLEAN = """\
    - run: |
        mkdir /d; cd /d; touch a b c
        tar --sort=name --mtime=@$SOURCE_DATE_EPOCH --owner=0 --group=0 --numeric-owner \\
          -cf /sorted.tar .
        gzip -kn /sorted.tar
        ls > /names
        date -d @$SOURCE_DATE_EPOCH > /built
        python3 -c 'print(sorted({"a", "b"}))' > /set
        echo ${HOSTNAME:-none} $(id) $(pwd) > /who
    - run: date > /date; date +%N >> /date; python3 -c 'import time; print(time.time())' > /py
      clock: epoch
    - run: nproc > /n
      limits: {cpus: 1}
"""


def step(command, more=()):
    lines = [f"    - run: {json.dumps(command)}", *(f"      {line}" for line in more)]
    return "\n".join(lines) + "\n"


class RebuildCheck(Scenario):
    def project(self, steps, policy=""):
        self.write("lithify.yaml",
                   BASE.replace("STEPS", steps).replace("POLICY", policy or "description: x"))

    def check(self, *args, status=0, **kwargs):
        return self.lithify("build", "--rebuild-check", *args, status=status, **kwargs)

    def test_each_offender_is_found_with_its_cause(self):
        for name, (command, cause, path) in OFFENDERS.items():
            with self.subTest(name):
                if name == "nproc" and len(os.sched_getaffinity(0)) < 2:
                    self.skipTest("one processor cannot be fewer")
                if name == "uid map" and os.geteuid() != 0:
                    self.skipTest("a user may have no other map")
                self.project(step(command, ["normalise: {pycache: false}"]))
                words = unwrapped(self.check(status=4).stderr)
                self.assertIn("is not reproducible", words)
                self.assertIn(f"/{path}", words)
                self.assertIn(f"cause: {cause}", words)
                self.assertIn("= help:", words)

    def test_what_differs_enters_no_cache(self):
        self.project(step("date > /made"))
        self.check(status=4)
        self.check(status=4)
        plan = self.lithify("plan").stdout
        self.assertNotIn("cached  date", plan)

    def test_clean_commands_pass_and_give_the_same_image(self):
        self.project(CLEAN)
        digest = self.build(self.folder)
        checked = self.check()
        self.assertEqual(dict([checked.stdout.split()]), digest)
        self.assertIn("check  3 commands performed twice, with equal results",
                      checked.stderr)

    def test_results_that_are_remembered_are_performed_again(self):
        self.project(step("date > /made"))
        self.lithify("build")
        result = self.check(status=4)
        self.assertIn("cause: the time of day", unwrapped(result.stderr))

    def test_one_step_can_be_named(self):
        self.project(step("date > /one") + step("echo two > /two", ["name: second"]))
        for name in ("checked/2", "second"):
            result = self.lithify("build", f"--rebuild-check={name}")
            self.assertIn("check  1 command performed twice", result.stderr)
        self.lithify("build", "--rebuild-check=checked/1", status=4)
        result = self.lithify("build", "--rebuild-check=other/1", status=2)
        self.assertIn("the `run` steps are: checked/1, checked/2", result.stderr)

    def test_a_command_that_fails_the_second_time_is_told(self):
        self.project(step("test $(date +%s) -lt $(($(stat -c %Y /proc) + 86400))"))
        words = unwrapped(self.check(status=4).stderr)
        self.assertIn("it fails when it is run once more", words)
        self.assertIn("cause: the time of day", words)

    def test_what_a_cache_holds_is_a_cause_and_stays_as_it_was(self):
        cache = [f"mounts: [{{cache: {self.folder.name}, at: /c}}]"]
        self.project(step("echo warm > /c/x", cache))
        self.lithify("build")
        command = "if [ -e /c/x ]; then echo warm; else echo cold; fi > /made; echo 1 >> /c/n"
        self.project(step(command, cache))
        self.lithify("build")
        words = unwrapped(self.check(status=4).stderr)
        self.assertIn("cause: what is in cache mounts", words)
        self.project(step('test "$(cat /c/n)" = 1', cache))
        self.lithify("build")

    def test_what_happens_today_alone_is_of_the_time(self):
        day = "[ $(date +%s) -gt 1700000000 ] && [ $(date +%s) -lt 1900000000 ]"
        self.project(step(f"if {day}; then touch /today-$(date +%s); fi"))
        words = unwrapped(self.check(status=4).stderr)
        self.assertIn("cause: the time of day", words)
        self.assertNotIn("against :", words)

    def test_the_policy_always_checks_what_was_not_checked(self):
        fresh = step(f"echo {self.folder.name} > /made")
        self.project(fresh)
        self.lithify("build")
        self.project(fresh, "policy: {rebuild-check: always}")
        self.assertIn("check  1 command performed twice", self.lithify("build").stderr)
        self.assertIn("check  no command had to be performed twice",
                      self.lithify("build").stderr)
        self.project(step("date > /made"), "policy: {rebuild-check: always}")
        self.lithify("build", status=4)


@needs("docker-registry")
class OnPush(RegistryScenario):
    def setUp(self):
        super().setUp()
        self.store = pathlib.Path(STORE)
        self.environment = {}

    def project(self, command):
        host = self.registry().host
        policy = ("policy: {rebuild-check: on-push}\n"
                  f"  push: [{{repo: {host}/app, tags: {{one: once}}}}]")
        self.write("lithify.yaml",
                   BASE.replace("STEPS", step(command)).replace("POLICY", policy))

    def test_a_push_checks_first(self):
        self.project("date > /made")
        self.lithify("build")
        result = self.lithify("push", status=4)
        self.assertIn("cause: the time of day", unwrapped(result.stderr))

    def test_what_is_clean_is_pushed(self):
        self.project(f"echo {self.folder.name} > /made")
        self.assertNotIn("check  ", self.lithify("build").stderr)
        self.assertIn("check  1 command performed twice", self.lithify("push").stderr)


if __name__ == "__main__":
    unittest.main()
