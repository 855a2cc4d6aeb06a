"""The program as a process: streams that are closed or full, signals, operands, JSON, and
what a store gives back."""
import json
import os
import resource
import signal
import stat
import subprocess
import time
import unittest

from support import LITHIFY, Scenario, needs_root, unwrapped

HEAD = "lithify: 1\nproject: demo\n"
FILE = HEAD + "image:\n  from: scratch\n  steps:\n    - {file: /etc/x, text: hello}\n"
LOCAL = HEAD + ("sources:\n  here: {local: .}\nimage:\n  from: scratch\n  steps:\n"
                "    - {copy: ., from: here, to: /srv}\n")


class Process(Scenario):
    """One project with one file, and a store of its own."""

    def setUp(self):
        super().setUp()
        self.store = self.folder / "store"
        self.project = self.folder / "project"
        self.write("project/lithify.yaml", FILE)

    def environment(self):
        return {"PATH": os.environ["PATH"], "LITHIFY_STORE": str(self.store)}

    def shell(self, script, status=0, **kwargs):
        """A script that calls `L`, which is lithify."""
        result = subprocess.run(
            ["bash", "-c", f'L() {{ "{LITHIFY}" "$@"; }}\n{script}'], cwd=self.project,
            env=self.environment(), text=True, stdin=subprocess.DEVNULL,
            capture_output=True, check=False, **kwargs)
        self.assertEqual(result.returncode, status, result.stdout + result.stderr)
        return result

    def full_device(self):
        """/dev/full's twin: nothing may happen to the real one."""
        path = self.folder / "full"
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 7))
        return path


class Streams(Process):
    def test_a_closed_standard_error(self):
        self.shell("L build 2>&-")
        self.shell("L build --locked 2>&-")
        self.write("project/lithify.yaml", FILE + "nonsense: 1\n")
        self.shell("L build 2>&-", status=2)

    @needs_root()
    def test_a_full_standard_error(self):
        full = self.full_device()
        self.shell(f"L build 2>{full}")
        self.shell(f"L version --nonsense 2>{full}", status=2)

    def test_a_reader_of_errors_that_goes_away(self):
        self.shell("L build -v 2> >(true); exit $?")

    def test_everything_closed(self):
        self.shell("L build <&- >&- 2>&-", status=7)
        self.assertEqual(sorted(p.name for p in (self.store / "names").iterdir()), ["demo"])
        self.shell("L build -q")

    def test_a_reader_that_has_enough(self):
        result = self.shell('set -o pipefail; L schema | head -c 1 >head', status=141)
        self.assertEqual(result.stderr, "")

    @needs_root()
    def test_a_full_standard_output(self):
        result = self.shell(f"L version >{self.full_device()}", status=7)
        self.assertIn("writing to standard output: No space left on device", result.stderr)
        self.assertNotIn("LITHIFY_STORE", result.stderr)

    @needs_root()
    def test_no_further_thread(self):
        def limited():
            os.setgid(65534)
            os.setuid(65534)
            resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))

        os.chmod(self.folder, 0o755)
        os.chmod(self.project, 0o777)
        self.store.mkdir(mode=0o777)
        self.store.chmod(0o777)
        for command, status in (("version", 0), ("schema", 0), ("check", 7), ("build", 7)):
            result = subprocess.run([LITHIFY, command], cwd=self.project, text=True,
                                    env=self.environment(), capture_output=True,
                                    preexec_fn=limited, check=False)
            self.assertEqual(result.returncode, status, result.stderr)
            if status:
                self.assertIn("no further thread can be started", result.stderr)
                self.assertIn("ulimit -u", result.stderr)


class Interrupted(Process):
    def interrupt(self, *outputs):
        """Ctrl-C while the first output is being written to a slow file system: a fifo."""
        files = self.project / "files"
        files.mkdir()
        (files / "big").write_bytes(os.urandom(150_000_000))
        self.write("project/lithify.yaml", HEAD + (
            "sources:\n  files: {local: files}\nimage:\n  from: scratch\n  steps:\n"
            "    - {copy: ., from: files, to: /files}\n"))
        self.lithify("build", "-q", cwd=self.project)
        flags = [word for output in outputs for word in ("--output", output)]
        process = subprocess.Popen([LITHIFY, "build", "--progress", "plain", *flags],
                                   cwd=self.project, env=self.environment(), text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(1000):
            if list(self.project.glob("out*")) or process.poll() is not None:
                break
            time.sleep(0.002)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def test_archives_stop(self):
        for kind in ("docker-archive", "oci-archive", "tar"):
            with self.subTest(kind=kind):
                subprocess.run(["rm", "-rf", self.project / "files"], check=True)
                code, out, err = self.interrupt(f"{kind}=out/image.tar", "tar=out2/x.tar")
                self.assertEqual(code, 130, err)
                self.assertEqual(out, "")
                self.assertIn("stopping in order", err)
                self.assertNotIn("warning", err)
                self.assertNotIn("failed", err)
                self.assertIn("stopped", err)
                self.assertEqual(list(self.project.glob("out*")), [])


class Operands(Process):
    def refused(self, *args):
        result = self.lithify(*args, cwd=self.project, status=2)
        self.assertEqual(result.stdout, "")
        self.assertIn("= help:", result.stderr)
        return result.stderr

    def test_what_nobody_would_look_at_is_refused(self):
        self.assertIn("no use for `foo`", self.refused("schema", "foo"))
        self.assertIn("no use for `foo`", self.refused("version", "foo"))
        self.assertIn("no use for `lock`", self.refused("help", "build", "lock"))
        self.assertIn("--all is for", self.refused("cache", "ls", "--all"))
        self.assertIn("cache rm foo", self.refused("cache", "prune", "foo"))
        self.assertIn("--check does not", self.refused("lock", "--update", "--check"))
        self.assertIn("lithify -C . build", self.refused("build", "."))
        self.assertIn("needs a value",
                      self.lithify("build", "--metadata-file", "", status=2).stderr)
        self.assertIn("takes two images", self.refused("diff"))
        self.assertIn("not built yet", self.refused("report"))

    def test_check_looks_at_the_files_that_are_named(self):
        self.write("project/other.yaml", FILE + "nonsense: 1\n")
        self.assertIn("lithify.yaml is good: 1 image",
                      self.lithify("check", cwd=self.project).stderr)
        result = self.lithify("check", "other.yaml", "lithify.yaml", cwd=self.project,
                              status=2)
        self.assertIn("other.yaml:7:1", result.stderr)
        self.assertIn("lithify.yaml is good", result.stderr)

    def test_a_directory_to_go_to(self):
        result = self.lithify("-C", "nowhere", "build", status=2)
        self.assertIn("there is no directory `nowhere`", result.stderr)
        self.lithify("-C", "project", "-C", "..", "-C", "project", "check")

    def test_the_other_ending(self):
        (self.project / "lithify.yaml").rename(self.project / "lithify.yml")
        self.assertIn("-f lithify.yml", self.refused("build"))

    def test_platforms_that_are_none(self):
        self.assertIn("did you mean `linux/arm64`?",
                      self.refused("build", "--platform", "linux/arn64"))
        self.assertIn("for linux alone", self.refused("build", "--platform", "windows/amd64"))
        self.write("project/lithify.yaml", FILE + "platforms: [linux/amd46]\n")
        error = self.refused("check")
        self.assertIn("lithify.yaml:7:13", error)
        self.assertIn("did you mean `linux/amd64`?", error)

    def test_an_output_over_the_build_file(self):
        before = (self.project / "lithify.yaml").read_bytes()
        self.assertIn("would replace lithify.yaml",
                      self.refused("build", "--output", "tar=lithify.yaml"))
        self.assertEqual((self.project / "lithify.yaml").read_bytes(), before)

    def test_inspect_for_one_platform(self):
        self.build(self.project, "--platform", "linux/amd64,linux/arm64")
        shown = self.lithify("inspect", "demo", "--platform", "linux/arm64").stdout
        self.assertIn("linux/arm64", shown)
        self.assertNotIn("linux/amd64", shown)
        self.assertIn("in 1 layer\n", shown)
        self.refused("inspect", "demo", "--platform", "linux/386")


class Json(Process):
    def test_progress_is_json_lines_only(self):
        self.write("project/lithify.yaml", FILE + "    - {file: /etc/x, text: again}\n")
        result = self.lithify("build", "--progress", "json", cwd=self.project)
        lines = [json.loads(line) for line in result.stderr.splitlines()]
        self.assertEqual(lines[0], {"schema": "lithify.progress/1"})
        self.assertEqual([line for line in lines if "schema" in line], lines[:1])
        problems = [line for line in lines if line.get("event") == "problem"]
        self.assertEqual([p["severity"] for p in problems], ["warning"])
        self.assertTrue(any(line.get("event") == "message" and
                            line["text"].startswith("built  demo") for line in lines))
        self.write("project/lithify.yaml", FILE + "nonsense: 1\n")
        result = self.lithify("build", "--progress", "json", cwd=self.project, status=2)
        problem = json.loads(result.stderr.splitlines()[-1])
        self.assertEqual((problem["event"], problem["severity"]), ("problem", "error"))
        self.assertEqual(problem["place"]["line"], 7)

    def test_errors_are_a_document(self):
        self.write("project/lithify.yaml", FILE + "nonsense: 1\nfurther: 2\n")
        for command in ("build", "lock", "plan"):
            result = self.lithify(command, "--json", cwd=self.project, status=2)
            document = json.loads(result.stdout)
            self.assertEqual(document["schema"], "lithify.error/1")
            self.assertEqual(document["exit"], 2)
            self.assertEqual(document["code"], "L0021")
            self.assertEqual(document["place"], {"file": "lithify.yaml", "line": 7,
                                                 "column": 1, "length": 8})
            self.assertEqual(len(document["further"]), 1)
            self.assertIn("error[L0021]", result.stderr)
        document = json.loads(self.lithify("inspect", "--json", "nothing", status=2).stdout)
        self.assertEqual(document["kind"], "not-found")

    def test_check_and_lock_have_documents(self):
        document = json.loads(self.lithify("check", "--json", cwd=self.project).stdout)
        self.assertEqual(document, {"schema": "lithify.check/1", "files": [
            {"file": "lithify.yaml", "good": True, "images": ["demo"], "problems": []}]})
        document = json.loads(self.lithify("lock", "--check", "--json", cwd=self.project,
                                           status=5).stdout)
        self.assertEqual((document["schema"], document["kind"]), ("lithify.error/1", "stale"))
        written = json.loads(self.lithify("lock", "--json", cwd=self.project).stdout)
        self.assertEqual((written["schema"], written["written"]), ("lithify.lock/1", True))
        again = json.loads(self.lithify("lock", "--check", "--json", cwd=self.project).stdout)
        self.assertEqual((again["schema"], again["written"]), ("lithify.lock/1", False))

    def test_equal_images_have_equal_documents(self):
        first = self.lithify("build", "--json", "--metadata-file", "a.json",
                             cwd=self.project).stdout
        second = self.lithify("build", "--json", "--metadata-file", "b.json",
                              cwd=self.project).stdout
        self.assertEqual(first, second)
        self.assertEqual((self.project / "a.json").read_text(),
                         (self.project / "b.json").read_text())

    def test_a_page_for_github(self):
        page = self.folder / "page.md"
        page.write_text("before\n")
        self.lithify("build", "-q", cwd=self.project, env={"GITHUB_STEP_SUMMARY": str(page)})
        self.assertRegex(page.read_text(), r"^before\n```\nbuilt  demo .*\ntime .*\ncache .*\n```\n$")
        result = self.lithify("build", cwd=self.project,
                              env={"GITHUB_STEP_SUMMARY": str(self.folder / "no/page")})
        self.assertIn("warning: opening", result.stderr)

    def test_a_warning_is_told_once(self):
        self.write("project/lithify.yaml", FILE + "    - {file: /etc/x, text: again}\n" +
                   "platforms: [linux/amd64, linux/arm64]\n")
        result = self.lithify("build", "--platform", "linux/arm64", cwd=self.project)
        self.assertEqual(result.stderr.count("warning"), 1, result.stderr)


class Accounts(Process):
    def test_a_build_of_nothing_is_all_from_cache(self):
        self.write("project/files/a", "x")
        self.write("project/lithify.yaml", HEAD + (
            "sources:\n  files: {local: files}\nimage:\n  from: scratch\n  steps:\n"
            "    - {copy: ., from: files, to: /files}\n    - {file: /etc/x, text: y}\n"))
        first = self.lithify("build", cwd=self.project).stderr
        self.assertIn("cache  0 of 3 steps", first)
        time.sleep(2.1)  # until then files count as young, and are read
        self.lithify("build", cwd=self.project)
        again = self.lithify("build", "--progress", "plain", cwd=self.project).stderr
        self.assertIn("cache  3 of 3 steps", again)
        self.assertIn("(3 from cache)", again)
        plan = self.lithify("plan", cwd=self.project).stdout
        self.assertIn("and 3 from cache", plan)
        self.assertNotIn("runs", plan)
        self.write("project/files/a", "changed")
        plan = self.lithify("plan", cwd=self.project).stdout
        self.assertIn("runs      copy . to /files", plan)
        self.assertIn("cache  1 of 3 steps", self.lithify("build", cwd=self.project).stderr)

    def test_where_arguments_came_from(self):
        self.write("project/lithify.yaml", HEAD + (
            "args:\n  a: {default: one}\n  b: {default: two, env: DEMO_B}\n  c: {}\n"
            "image:\n  from: scratch\n  steps:\n"
            "    - {file: /etc/x, text: $(args.a) $(args.b) $(args.c)}\n"))
        plan = self.lithify("plan", "--arg", "c=3", cwd=self.project,
                            env={"DEMO_B": "second"}).stdout
        self.assertRegex(plan, r"args\.a +one from the default at lithify\.yaml:4")
        self.assertRegex(plan, r"args\.b +second from the environment variable DEMO_B")
        self.assertRegex(plan, r"args\.c +3 from --arg")


class LocalSources(Process):
    def test_results_are_no_inputs(self):
        self.write("project/a", "x")
        self.write("project/lithify.yaml", LOCAL)
        self.lithify("lock", cwd=self.project)
        elsewhere = self.build(self.project, "--output", f"tar={self.folder}/x.tar")
        outputs = "outputs:\n  - {tar: \"out [1]*.tar\"}\n  - {oci: out}\n  - {rootfs: r/root}\n"
        self.write("project/lithify.yaml", LOCAL + outputs)
        flags = ("--output", "docker-archive=d.tar", "--metadata-file", "m.json")
        first = self.build(self.project, *flags)
        self.assertEqual(self.build(self.project, *flags), first)
        self.assertEqual(self.build(self.project, *flags), first)
        files = self.lithify("inspect", "demo", "srv").stdout
        self.assertEqual(sorted(line.split("/", 1)[1] for line in files.splitlines()),
                         ["srv", "srv/a", "srv/lithify.yaml"])
        self.write("project/lithify.yaml", LOCAL)
        for left in ("out [1]*.tar", "out", "r", "d.tar", "m.json"):
            subprocess.run(["rm", "-rf", self.project / left], check=True)
        self.assertEqual(self.build(self.project, "--output", "oci=here"), elsewhere)

    def test_a_missing_source_is_told_first(self):
        self.write("project/lithify.yaml", LOCAL.replace("local: .", "local: gone"))
        for command in ("build", "check", "plan"):
            result = self.lithify(command, cwd=self.project, status=2)
            self.assertIn("source `here` is not there", result.stderr)
            self.assertIn("lithify.yaml:4:", result.stderr)


class Settings(Process):
    def test_garbage_in_the_settings(self):
        self.write("config/lithify/config.toml", "# mine\napt-miror = \"http://localhost\"\n")
        self.write("project/lithify.yaml", HEAD + (
            "sources:\n  debian: {apt: {suites: [bookworm]}}\nimage:\n  from: scratch\n"
            "  steps:\n    - {packages: [bash], from: debian}\n"))
        result = self.lithify("build", cwd=self.project, status=2,
                              env={"XDG_CONFIG_HOME": str(self.folder / "config"),
                                   "LITHIFY_APT_MIRROR": ""})
        self.assertIn("config.toml:2:1", result.stderr)
        self.assertIn("apt-miror", result.stderr)


class Outputs(Process):
    @needs_root()
    def test_a_full_disk(self):
        self.write("project/files/big", "x" * 3_000_000)
        self.write("project/lithify.yaml", HEAD + (
            "sources:\n  files: {local: files}\nimage:\n  from: scratch\n  steps:\n"
            "    - {copy: ., from: files, to: /files}\n"
            "  layering: {compression: none}\n"))
        self.lithify("build", cwd=self.project)
        place = self.folder / "small"
        place.mkdir()
        self.run_program("mount", "-t", "tmpfs", "-o", "size=1m", "none", place)
        try:
            for output in ("tar=a/x.tar", "oci-archive=a/x.tar", "docker-archive=a/x.tar",
                           "oci=a/layout", "oci=layout"):
                kind, _, path = output.partition("=")
                result = self.lithify("build", "--output", f"{kind}={place}/{path}",
                                      cwd=self.project, status=7)
                self.assertIn(str(place), result.stderr)
                self.assertIn("No space left", unwrapped(result.stderr))
                if kind != "oci":
                    self.assertRegex(result.stderr, r"has 3\d{6} bytes")
                self.assertIn("--output", result.stderr)
                self.assertEqual(list(place.iterdir()), [])
        finally:
            subprocess.run(["umount", place], check=True)

    def test_parallel_builds_of_one_root_file_system(self):
        self.write("project/lithify.yaml", FILE + "".join(
            f"    - {{file: /etc/f{i}, text: t{i}}}\n" for i in range(200)) + "  layering: {strategy: single}\n")
        self.lithify("build", cwd=self.project)
        for _ in range(4):
            processes = [subprocess.Popen(
                [LITHIFY, "build", "-q", "--output", "rootfs=root"], cwd=self.project,
                env=self.environment(), text=True, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE) for _ in range(6)]
            for process in processes:
                _, err = process.communicate(timeout=120)
                self.assertEqual(process.returncode, 0, err)
            self.assertEqual(len(list((self.project / "root/etc").iterdir())), 201)
        self.assertEqual([p.name for p in self.project.glob(".root*")],
                         [".root.lithify-rootfs"])


class Cache(Process):
    def names(self):
        return sorted(p.name for p in (self.store / "names").iterdir())

    def test_everything_goes(self):
        self.build(self.project)
        (self.store / "partial").mkdir(exist_ok=True)
        (self.store / "partial/half").write_bytes(b"x" * 1000)
        (self.store / "cache.sqlite.damaged").write_bytes(b"x" * 1000)
        held = sum(p.stat().st_size for p in (self.store / "blobs/sha256").iterdir())
        freed = json.loads(self.lithify("cache", "prune", "--all", "--json").stdout)["freed"]
        self.assertGreaterEqual(freed, held + 2000)
        self.assertEqual(self.names(), [])
        left = [p for p in self.store.rglob("*") if p.is_file()]
        self.assertEqual([p.name for p in left], ["lease"])
        self.assertEqual(self.lithify("cache", "ls").stdout, "")
        self.build(self.project)

    def test_what_is_shared_frees_nothing(self):
        self.build(self.project, "--output", "oci=out")
        blobs = list((self.store / "blobs/sha256").iterdir())
        alone = sum(p.stat().st_size for p in blobs if p.stat().st_nlink == 1)
        rest = sum(p.stat().st_size for p in self.store.glob("cache.sqlite*")
                   if p.name.endswith(("sqlite", "-wal")))
        freed = json.loads(self.lithify("cache", "prune", "--all", "--json").stdout)["freed"]
        self.assertEqual(freed, alone + rest)

    def test_records_of_what_is_gone(self):
        import sqlite3
        self.write("project/files/a", "x")
        self.write("project/lithify.yaml", HEAD + (
            "sources:\n  files: {local: files}\nimage:\n  from: scratch\n  steps:\n"
            "    - {copy: ., from: files, to: /files}\n    - {file: /etc/x, text: y}\n"))
        self.build(self.project)
        time.sleep(2.1)
        self.build(self.project)

        def rows():
            with sqlite3.connect(self.store / "cache.sqlite") as database:
                return [database.execute(f"SELECT count(*) FROM {t}").fetchone()[0]
                        for t in ("steps", "files", "layers")]

        self.assertEqual(rows(), [2, 1, 2])
        self.lithify("cache", "prune")
        self.assertEqual(rows(), [1, 1, 2])  # that a copy was performed is forgotten
        for blob in (self.store / "blobs/sha256").iterdir():
            blob.unlink()
        (self.project / "files").rename(self.project / "elsewhere")
        self.lithify("cache", "prune")
        self.assertEqual(rows(), [0, 0, 0])
        self.assertEqual(self.names(), [])

    def test_one_name(self):
        self.build(self.project)
        self.lithify("cache", "rm", "nobody", status=2)
        self.lithify("cache", "rm", "demo")
        self.assertEqual(self.names(), [])
        self.lithify("cache", "rm", status=2)

    def test_a_damaged_name(self):
        self.build(self.project)
        (self.store / "names/broken").write_text("{oops")
        result = self.lithify("cache", "ls")
        self.assertIn("demo", result.stdout)
        self.assertIn("warning", result.stderr)
        self.assertNotIn("parse error", result.stderr)
        self.lithify("cache", "prune")
        self.assertEqual(self.names(), ["demo"])
        (self.store / "names/demo").write_text("")
        self.build(self.project)
        self.assertIn("demo", self.lithify("cache", "ls").stdout)


if __name__ == "__main__":
    unittest.main()
