"""lithify shell: looking around at a step, with a terminal and without."""
import os
import pty
import select
import time
import unittest

from support import LITHIFY, Scenario

PROJECT = """\
lithify: 1
project: looked
sources:
  debian: {apt: {suites: [bookworm], components: [main]}}
  src: {local: src}
stages:
  build:
    from: scratch
    steps:
      - {packages: [dash, coreutils, base-passwd], from: debian, drop: [docs, man, locales]}
      - {symlink: /bin/sh, target: dash}
      - {dir: /srv}
      - run: echo one > /one
      - run: |
          cat /src/text > /two
          echo left > /left
          exit 5
        name: broken
        env: {MODE: debug}
        cwd: /srv
        user: daemon:daemon
        mounts: [{from: src, at: /src}, {tmp: /scratch}]
image:
  from: build
  platforms: [linux/amd64]
  config: {env: {HELLO: world}, workdir: /etc, user: "1:1"}
"""


class Terminal:
    """The program at the other end of a terminal."""

    def __init__(self, argv, cwd, env):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(cwd)
            os.execve(argv[0], argv, env)
        self.seen = ""

    def wait_for(self, text, seconds=120):
        end = time.monotonic() + seconds
        while text not in self.seen:
            if time.monotonic() > end:
                raise AssertionError(f"no {text!r} in {self.seen!r}")
            if select.select([self.fd], [], [], 1)[0]:
                try:
                    self.seen += os.read(self.fd, 4096).decode(errors="replace")
                except OSError:
                    break
        if text not in self.seen:
            raise AssertionError(f"ended without {text!r}: {self.seen!r}")
        self.seen = self.seen.split(text, 1)[1]

    def type(self, line):
        os.write(self.fd, line.encode() + b"\n")

    def status(self):
        while True:
            try:
                if not os.read(self.fd, 4096):
                    break
            except OSError:
                break
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.fd)
        return status


class Shell(Scenario):
    def setUp(self):
        super().setUp()
        self.write("lithify.yaml", PROJECT)
        self.write("src/text", "from a mount\n")

    def inside(self, what, *argv, flags=(), status=0):
        return self.lithify("shell", *flags, what, "--", *argv, status=status)

    def script(self, what, text, **kwargs):
        return self.inside(what, "sh", "-c", text, **kwargs)

    def test_a_step_is_seen_as_its_command_would_see_it(self):
        result = self.script("looked:build/2",
                             "cat /one /src/text; ls /two; pwd; id; echo $MODE $HOME; "
                             "touch /scratch/x && echo tmp")
        out = result.stdout
        self.assertIn("one\nfrom a mount\n", out)
        self.assertIn("/srv\nuid=1(daemon) gid=1(daemon)", out)
        self.assertIn("debug /usr/sbin", out)
        self.assertTrue(out.endswith("tmp\n"))
        self.assertIn("/two", result.stderr)  # ls: it is not there yet
        self.assertIn("before its command", result.stderr)
        self.assertIn("echo left > /left", result.stderr)

    def test_the_status_comes_through(self):
        self.script("looked:build/1", "exit 7", status=7)
        self.script("looked:build/1", "kill -9 $$", status=137)

    def test_after_a_failure_it_shows_what_was_left(self):
        self.write("lithify.yaml", PROJECT.replace("user: daemon:daemon", 'user: "0:0"'))
        result = self.script("looked:build/broken", "cat /left /two", flags=["--after"])
        self.assertEqual(result.stdout, "left\nfrom a mount\n")
        self.assertIn("its command ended with exit status 5", result.stderr)

    def test_nothing_is_kept(self):
        self.write("lithify.yaml", PROJECT.replace("exit 5", "exit 0")
                   .replace("user: daemon:daemon", 'user: "0:0"'))
        before = self.build(self.folder)
        self.script("looked:build/2", "echo changed > /one; touch /new")
        self.script("looked:build/2", "cat /one; test ! -e /new")
        self.assertEqual(self.build(self.folder, "--no-cache"), before)

    def test_a_finished_image_is_seen_as_configured(self):
        self.write("lithify.yaml", PROJECT.replace("exit 5", "exit 0")
                   .replace("user: daemon:daemon", 'user: "0:0"'))
        out = self.script("looked", "echo $HELLO; pwd; id -u; cat /left").stdout
        self.assertEqual(out, "world\n/etc\n1\nleft\n")

    def test_a_terminal_has_a_shell(self):
        environment = {"PATH": os.environ["PATH"], "TERM": "xterm",
                       "HOME": os.environ.get("HOME", "/"),
                       "LITHIFY_STORE": str(self.store)}
        shell = Terminal([LITHIFY, "shell", "looked:build/1"], self.folder, environment)
        shell.wait_for("`exit` leaves")
        shell.wait_for("# ")
        shell.type("echo $((40 + 2)) $TERM; test -t 0 && echo tty")
        shell.wait_for("42 xterm")
        shell.wait_for("tty")
        shell.wait_for("# ")
        shell.type("sleep 60")
        time.sleep(0.5)
        os.write(shell.fd, b"\x03")  # Ctrl-C ends what runs, not the shell
        shell.wait_for("# ")
        shell.type("exit 3")
        self.assertEqual(shell.status(), 3)

    def test_what_is_not_there_is_told(self):
        result = self.lithify("shell", "looked:build/9", status=2)
        self.assertIn("the `run` steps are: build/1, build/2", result.stderr)
        result = self.lithify("shell", "nothing:build/1", status=2)
        self.assertIn("nothing", result.stderr)
        result = self.lithify("shell", status=2)
        self.assertIn("lithify shell IMAGE:STEP", result.stderr)
        self.write("lithify.yaml", "lithify: 1\nproject: bare\nimage:\n  from: scratch\n"
                   "  steps: [{dir: /srv}]\n")
        result = self.lithify("shell", "bare", status=2)
        self.assertIn("there is no shell", result.stderr)
        self.assertIn("-- PROGRAM", result.stderr)


if __name__ == "__main__":
    unittest.main()
