"""Commands that go wrong, and what is told then: the cause, the place, what to type next."""
import json
import os
import shutil
import signal
import subprocess
import time
import unittest

from support import LITHIFY, Scenario, needs, unwrapped

PROJECT = """\
lithify: 1
project: mistaken
sources:
  bb: {local: bb}
stages:
  base:
    from: scratch
    steps: [{copy: ., from: bb, to: /bin}]
image:
  from: base
  platforms: [linux/ARCHITECTURE]
  steps:
    - STEP
  outputs: [{oci: out}]
"""


@needs("busybox")
class Mistakes(Scenario):
    def setUp(self):
        super().setUp()
        self.store = self.folder / "store"
        (self.folder / "bb").mkdir()
        shutil.copy(shutil.which("busybox"), self.folder / "bb/busybox")
        for name in ("sh", "cat", "echo", "env", "wget", "sleep", "touch", "kill", "printf"):
            (self.folder / "bb" / name).symlink_to("busybox")

    def step(self, *steps):
        machine = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
        self.write("lithify.yaml", PROJECT.replace("ARCHITECTURE", machine).replace(
            "STEP", "\n    - ".join(steps)))

    def told(self, *args, status=1, **kwargs):
        """What `build` says, in one line."""
        return unwrapped(self.lithify("build", *args, status=status, **kwargs).stderr)

    def test_what_wants_the_network_is_told_how_to_have_it(self):
        self.step('{run: "wget http://name.invalid/"}')
        told = self.told()
        self.assertIn("commands have no network", told)
        self.assertIn("`network: pinned`", told)

    def test_offline_means_pinned_commands_too(self):
        self.step('{run: "cat /proc/net/dev > /out", network: pinned, outputs: [/out]}')
        told = self.told("--offline", status=6)
        self.assertIn("wants the network, and its result is not in the store", told)
        self.assertEqual(list((self.store / "logs").glob("*")), [])
        self.step('{run: "echo always > /out", network: pinned, outputs: [/out]}')
        self.lithify("build")
        self.lithify("build", "--offline")

    def test_a_lock_without_a_pin_is_stale_for_everybody(self):
        self.step('{run: "echo always > /out", network: pinned, outputs: [/out]}')
        self.assertIn("`lithify build` and commit the lock", self.told("--locked", status=5))
        said = self.lithify("lock").stderr
        self.assertIn("the next `lithify build` adds what 1 command", said)
        self.lithify("lock", "--check", status=5)
        self.lithify("build", "--locked", status=5)
        self.lithify("build")
        self.lithify("lock", "--check")
        self.lithify("build", "--locked")

    def test_a_pin_that_is_not_met_is_told_by_file(self):
        cat = '{run: "cat /in/a > /out", network: pinned, outputs: [/out], ' \
              'mounts: [{from: in, at: /in}]}'
        self.write("in/a", "first\n")
        self.step(cat)
        file = self.folder / "lithify.yaml"
        file.write_text(file.read_text().replace("sources:", "sources:\n  in: {local: in}"))
        self.lithify("build")
        first = (self.folder / "lithify.lock").read_text()
        self.write("in/a", "second\n")
        told = self.told(status=4)
        self.assertIn("made something else than the lock says", told)
        self.assertIn("/out: its content at byte 0 differs", told)
        self.assertIn("`lithify lock --update image`", told)
        self.assertEqual((self.folder / "lithify.lock").read_text(), first)
        self.lithify("lock", "--update", "image")
        self.lithify("build")
        self.lithify("build", "--locked")
        self.assertNotEqual((self.folder / "lithify.lock").read_text(), first)

    def test_another_command_is_another_question(self):
        self.step('{run: "echo 1 > /out", network: pinned, outputs: [/out]}')
        self.lithify("build")
        self.step('{run: "echo 2 > /out", network: pinned, outputs: [/out]}')
        self.assertIn("were locked for another command", self.told("--locked", status=5))
        self.lithify("lock", "--check", status=5)
        self.lithify("build")
        self.lithify("lock", "--check")
        self.lithify("build", "--locked")

    def test_a_missing_output_is_a_failed_step(self):
        self.step('{run: "echo told", outputs: [/out]}')
        told = self.told()
        self.assertIn("did not make its output /out", told)
        self.assertIn("all it wrote is in", told)

    def test_what_no_image_may_hold_is_a_failed_step(self):
        shutil.copy(shutil.which("busybox"), self.folder / "bb/mknod")
        self.step('{run: "mknod /left p"}')
        self.assertIn("the step left the fifo /left", self.told())
        key = "-----BEGIN OPENSSH PRIVATE KEY-----"
        self.step("{dir: /etc/ssh}",
                  f"{{run: 'echo {key} > /etc/ssh/ssh_host_rsa_key'}}")
        self.assertIn("the step made the private key /etc/ssh/ssh_host_rsa_key", self.told())

    def test_what_is_no_image_is_told_what_it_may_be(self):
        self.step('{run: "echo 1 > /out"}')
        self.assertIn("`--rebuild-check=mistaken/1`",
                      self.told("--rebuild-check", "mistaken/1", status=2))
        there = self.lithify("test", "out/mistaken", status=2)
        self.assertIn("`lithify test --structure FILE out/mistaken`", there.stderr)
        there = self.lithify("push", "out/mistaken", status=2)
        self.assertIn("`lithify copy out/mistaken REGISTRY/NAME`", there.stderr)
        self.build(self.folder, "--rebuild-check=mistaken/1")

    def test_limits_and_signals_are_named(self):
        self.step('{run: "while true; do true; done", limits: {time: 1s}}')
        told = self.told()
        self.assertIn("needed more than the 1 second of processor time", told)
        self.assertIn("raise `limits: {time: …}`", told)
        self.step('{run: "kill -SEGV $$"}')
        self.assertIn("was ended by signal 11 (Segmentation fault)", self.told())

    def test_what_is_full_is_told(self):
        self.step('{run: "cat /bin/busybox > /t/a", mounts: [{tmp: /t, size: 64KiB}]}')
        told = self.told()
        self.assertIn("or a `tmp` mount", told)
        self.assertIn("`lithify cache prune` makes room", told)

    def test_all_that_failed_is_told(self):
        steps = "run: [/bin/sh, -c, 'sleep %d; exit %d']"
        text = PROJECT.replace("platforms: [linux/ARCHITECTURE]\n  ", "")
        text = text[:text.index("image:")]
        for number, seconds in ((3, 4), (4, 1)):  # the later step fails first
            text += f"  s{number}: {{from: base, steps: [{{{steps % (seconds, number)}}}]}}\n"
        text += ("image:\n  from: scratch\n  steps: [{copy: a, from: s3, to: /a}, "
                 "{copy: a, from: s4, to: /b}]\n")
        self.write("lithify.yaml", text)
        told = self.told("--jobs", "4")
        self.assertIn("ended with exit status 3", told)
        self.assertIn("also: `s4: run sleep 1; exit 4` ended with exit status 4", told)

    def test_the_way_to_look_around_works_as_it_is_told(self):
        self.step('{run: "touch /x"}', '{run: "echo left > /mine; exit 1"}')
        told = self.told()
        self.assertIn("`lithify shell mistaken:mistaken/2 --after`", told)
        seen = self.lithify("shell", "mistaken:mistaken/2", "--after", "--", "/bin/cat", "/mine")
        self.assertEqual(seen.stdout, "left\n")

    def test_variables_are_taken_away(self):
        names = ("HOME", "LC_ALL", "PATH", "SOURCE_DATE_EPOCH", "TZ")
        env = ", ".join(f"{name}: null" for name in names)
        self.step(f"{{run: [/bin/env], env: {{{env}, KEPT: here}}}}")
        said = self.lithify("build", "-v").stderr
        self.assertIn("KEPT=here\n", said)
        for name in names:
            self.assertNotIn(f"{name}=", said)

    def test_lines_are_lines(self):
        self.step("{run: \"printf 'one\\ntwo'\"}")
        said = self.lithify("build", "-v", "--progress", "plain").stderr
        self.assertIn("       one\n       two\n", said)

    def test_secrets_are_masked_where_a_command_prints_them(self):
        self.write("token", "very-secret-canary\n")
        mount = "mounts: [{secret: token, at: /run/token}, {secret: token, env: TOKEN}]"
        self.step('{run: "cat /run/token; echo is $TOKEN; false", ' + mount + "}")
        result = self.lithify("build", "-vv", "--secret", "id=token,src=token", status=1)
        self.assertNotIn("canary", result.stderr)
        self.assertIn("is ***", result.stderr)
        [log] = (self.store / "logs").iterdir()
        self.assertEqual(log.read_text(), "***\nis ***\n")

    def test_a_misspelt_secret_is_told_first(self):
        self.write("token", "value")
        self.step('{run: "true", mounts: [{secret: token, at: /t}]}')
        told = self.told("--secret", "id=tokken,src=token", status=2)
        self.assertIn("no command uses the secret `tokken`", told)
        self.assertIn("did you mean `token`?", told)

    def test_what_failed_can_be_kept_and_goes_with_prune(self):
        self.step('{run: "touch /mine; exit 1"}')
        self.lithify("build", "--keep-failed", status=1)
        self.assertEqual(len(list((self.store / "work").glob("step-*"))), 1)
        self.lithify("cache", "prune", "--yes")
        self.assertEqual(len(list((self.store / "work").glob("step-*"))), 1)
        self.lithify("cache", "prune", "--all", "--yes")
        self.assertEqual(list((self.store / "work").glob("*")), [])

    def test_a_cache_is_removed_by_its_name(self):
        self.step('{run: "touch /c/x", mounts: [{cache: mine, at: /c}]}')
        self.lithify("build")
        self.assertIn("mine  cache of commands", self.lithify("cache", "ls").stdout)
        told = self.lithify("cache", "rm", "mnie", status=2).stderr
        self.assertIn("did you mean `mine`?", told)
        self.lithify("cache", "rm", "mine")
        self.assertNotIn("cache of commands", self.lithify("cache", "ls").stdout)
        self.assertIn("mistaken", self.lithify("cache", "ls").stdout)

    def test_a_cache_in_use_is_not_removed(self):
        self.step('{run: "touch /c/x; sleep 600", mounts: [{cache: mine, at: /c}]}')
        build = subprocess.Popen([LITHIFY, "build", "-q"], cwd=self.folder,
                                 env={**os.environ, "LITHIFY_STORE": str(self.store)},
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for _ in range(600):
                if list(self.store.glob("caches/*/data/x")):
                    break
                time.sleep(0.05)
            self.lithify("cache", "rm", "mine", status=7)
            self.assertEqual(len(list(self.store.glob("caches/*/data/x"))), 1)
        finally:
            build.send_signal(signal.SIGINT)
            self.assertEqual(build.wait(30), 130)
        self.lithify("cache", "rm", "mine", "mine")
        self.assertEqual(list(self.store.glob("caches/*")), [])

    def test_only_what_ran_is_told_to_have_run(self):
        self.step('{run: "touch /x"}')
        self.assertIn("run    in sandbox L", self.lithify("build").stderr)
        self.assertIn("run    nothing: all was remembered", self.lithify("build").stderr)
        os.utime(self.folder / "bb/busybox")  # which is read again
        self.assertIn("run    nothing: all was remembered", self.lithify("build").stderr)

    def test_an_expectation_without_the_last_newline(self):
        self.step('{run: "true"}')
        text = (self.folder / "lithify.yaml").read_text()
        self.write("lithify.yaml", text + "  tests: [{run: [/bin/echo, hello], "
                   "expect: {stdout: hello}}]\n")
        result = self.lithify("build", status=3)
        self.assertIn("only the newline at the end", unwrapped(result.stderr))

    def test_doctor_has_a_document(self):
        found = json.loads(self.lithify("doctor", "--json").stdout)
        self.assertEqual(found["schema"], "lithify.doctor/1")
        self.assertRegex(found["sandbox"]["level"], "^L[1-4]$")
        self.assertIsInstance(found["emulated"], list)


if __name__ == "__main__":
    unittest.main()
