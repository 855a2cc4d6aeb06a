"""Caches of commands between machines: a fresh store is warm after an import, whoever
builds, and nobody's archive does more than fill caches."""
import io
import json
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import tarfile
import time
import unittest

from support import LITHIFY, AnotherUser, Scenario, needs, needs_root, unwrapped

PROJECT = """\
lithify: 1
project: warm
sources:
  files: {local: files}
image:
  from: scratch
  platforms: [linux/amd64]
  steps:
    - {copy: ., from: files, to: /bin}
    - run: |
        : VERSION
        echo run >> /c/runs
        [ -e /c/objects/kept.o ] || { busybox sleep 0.2; busybox mkdir /c/objects
          echo compiled > /c/objects/kept.o; echo wh > /c/.wh.odd
          busybox ln /c/objects/kept.o /c/again; busybox ln -s objects /c/link; }
        PRIVATE
        busybox wc -l < /c/runs > /runs
        busybox stat -c %y /c/objects/kept.o > /made
      mounts: [{cache: objects, at: /c}, {cache: empty, at: /d}]
"""
PRIVATE = """busybox mkdir -p /c/private; echo x > /c/private/x
        busybox chown -R 33:44 /c/private; busybox chmod 700 /c/private"""
ALONE = 60_001  # a user without subordinate ids


class CacheTravel(Scenario):
    def setUp(self):
        super().setUp()
        os.chmod(self.folder, 0o755)
        self.store = self.folder / "first"
        (self.folder / "files").mkdir()
        shutil.copyfile(shutil.which("busybox"), self.folder / "files/busybox")
        (self.folder / "files/busybox").chmod(0o755)
        (self.folder / "files/sh").symlink_to("busybox")
        self.say("first")

    def say(self, version, private=""):
        text = PROJECT.replace("VERSION", version).replace("PRIVATE", private)
        self.write("lithify.yaml", text)

    def made(self, store=None, **kwargs):
        """What the step has written: how often it ran, and when its object was made."""
        target = self.folder / "flat.tar"
        self.lithify("build", "--output", f"tar={target}", store=store, **kwargs)
        with tarfile.open(target) as tar:
            return [tar.extractfile(name).read().decode().strip() for name in ("runs", "made")]

    def data(self, store=None, cache="objects"):
        homes = [i.parent for i in (pathlib.Path(store or self.store) / "caches").glob("*/id")
                 if i.read_text() == cache]
        self.assertEqual(len(homes), 1)
        return homes[0] / "data"

    def told(self, *args, status=0, **kwargs):
        """What a command writes to standard error, however it wraps it."""
        return unwrapped(self.lithify("cache", *args, status=status, **kwargs).stderr)

    def left(self, store=None):
        work = pathlib.Path(store or self.store) / "work"
        return sorted(p.name for p in work.iterdir()) if work.exists() else []


@needs("busybox")
class Travel(CacheTravel):
    def test_a_fresh_machine_is_warm(self):
        runs, when = self.made()
        self.assertEqual(runs, "1")
        told = self.told("export", "caches.tar.zst")
        self.assertRegex(told, r"exported 2 caches, \d+ B in 5 files, to caches.tar.zst ")
        self.assertEqual(stat.S_IMODE((self.folder / "caches.tar.zst").stat().st_mode), 0o600)
        self.say("second")
        fresh = self.folder / "fresh"
        told = self.told("import", "caches.tar.zst", store=fresh)
        self.assertRegex(told, r"imported 2 caches, \d+ B in 5 files")
        self.assertEqual(self.made(fresh), ["2", when])
        self.assertEqual(self.made(self.folder / "cold")[0], "1")
        self.assertEqual(self.left(fresh), [])

    def test_through_a_pipe_and_by_name(self):
        self.made()
        fresh = self.folder / "fresh"
        subprocess.run(
            f'"{LITHIFY}" -q cache export - --cache objects | '
            f'"{LITHIFY}" -q --cache-dir "{fresh}" cache import -', shell=True, check=True,
            env={"PATH": os.environ["PATH"], "LITHIFY_STORE": str(self.store)})
        [cache] = json.loads(self.lithify("cache", "ls", "--json",
                                          store=fresh).stdout)["caches"]
        self.assertEqual((cache["id"], cache["files"], cache["here"]), ("objects", 5, True))
        listed = self.lithify("cache", "ls", store=fresh).stdout
        self.assertRegex(listed, r"^objects  cache of commands, \d+ B in 5 files\n$")

    def test_equal_caches_are_equal_bytes(self):
        self.made()
        first = json.loads(self.lithify("cache", "export", "a", "--json").stdout)
        fresh = self.folder / "fresh"
        told = json.loads(self.lithify("cache", "import", "a", "--json", store=fresh).stdout)
        self.assertEqual(told["caches"], first["caches"])
        self.assertEqual(told["schema"], "lithify.cache-import/1")
        again = json.loads(self.lithify("cache", "export", "b", "--json", "-j7",
                                        store=fresh, env={"TZ": "Asia/Tokyo"}).stdout)
        self.assertEqual(again["digest"], first["digest"])
        self.assertEqual((self.folder / "a").read_bytes(), (self.folder / "b").read_bytes())
        self.say("second")
        self.made()
        self.lithify("cache", "export", "c")
        self.assertNotEqual((self.folder / "a").read_bytes(),
                            (self.folder / "c").read_bytes())

    @needs("zstd", "bsdtar")
    def test_others_can_read_it(self):
        self.made()
        self.lithify("cache", "export", "a.tar.zst")
        self.run_program("zstd", "-tq", "a.tar.zst", cwd=self.folder)
        expected = ["lithify-caches.json", "caches/empty/", "caches/objects/"] + [
            "caches/objects/" + name for name in
            (".wh.odd", "again", "link", "objects/", "objects/kept.o", "runs")]
        for tar in ("tar", "bsdtar"):
            with self.subTest(tar):
                names = self.run_program(tar, "-tf", "a.tar.zst", cwd=self.folder)
                self.assertEqual(names.splitlines(), expected)
                place = self.folder / tar
                place.mkdir()
                self.run_program(tar, "-xpf", "a.tar.zst", "-C", place, cwd=self.folder)
                theirs = place / "caches/objects"
                for path in ("objects/kept.o", "link", "objects", "."):
                    self.assertEqual((theirs / path).lstat().st_mtime_ns,
                                     (self.data() / path).lstat().st_mtime_ns, path)
                self.assertTrue((theirs / "again").samefile(theirs / "objects/kept.o"))

    def test_a_command_that_uses_a_cache_is_waited_for(self):
        self.made()
        self.lithify("cache", "export", "a")
        self.say("third", "echo > /c/mine; busybox sleep 2; [ -e /c/mine ]")
        build = subprocess.Popen([LITHIFY, "-q", "build"], cwd=self.folder, env={
            "PATH": os.environ["PATH"], "LITHIFY_STORE": str(self.store)},
            stdout=subprocess.DEVNULL)
        until = time.monotonic() + 20
        while not (self.data() / "mine").exists() and time.monotonic() < until:
            time.sleep(0.05)
        told = self.told("import", "a")
        self.assertEqual(build.wait(), 0)
        self.assertIn("waiting for a command that uses the cache empty", told)
        self.assertFalse((self.data() / "mine").exists())
        self.assertEqual((self.data() / "runs").read_text(), "run\n")

    def begin_import(self, whole):
        """One that has unpacked a part and waits for the rest."""
        importing = subprocess.Popen(
            [LITHIFY, "cache", "import", "-"], stdin=subprocess.PIPE, stderr=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "LITHIFY_STORE": str(self.store)})
        importing.stdin.write(whole[:-9])
        importing.stdin.flush()
        until = time.monotonic() + 20
        while not self.left() and time.monotonic() < until:
            time.sleep(0.05)
        importing.stderr = io.TextIOWrapper(importing.stderr)
        return importing

    def test_an_import_is_stopped_and_leaves_everything_as_it_was(self):
        self.made()
        (self.data() / "large").write_bytes(os.urandom(9 << 20))
        self.lithify("cache", "export", "a")
        self.say("second")
        self.made()
        whole = (self.folder / "a").read_bytes()
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number):
                importing = self.begin_import(whole)
                self.assertNotEqual(self.left(), [])
                importing.send_signal(number)
                told = importing.stderr.read()
                self.assertEqual(importing.wait(), 128 + number, told)
                self.assertIn("stopped", told)
                importing.stdin.close()
                importing.stderr.close()
                self.assertEqual((self.data() / "runs").read_text(), "run\nrun\n")
                self.assertEqual(self.left(), [])

    def test_what_a_killed_import_left_goes_with_the_next(self):
        self.made()
        (self.data() / "large").write_bytes(os.urandom(9 << 20))
        self.lithify("cache", "export", "a")
        whole = (self.folder / "a").read_bytes()
        importing = self.begin_import(whole)
        importing.kill()
        importing.wait()
        importing.stdin.close()
        importing.stderr.close()
        self.assertNotEqual(self.left(), [])
        self.lithify("cache", "import", "a")
        self.assertEqual(self.left(), [])

    @needs_root()
    @needs("mount")
    def test_a_full_disk(self):
        self.made()
        (self.data() / "large").write_bytes(os.urandom(6 << 20))
        self.lithify("cache", "export", "a")
        place = self.folder / "small"
        place.mkdir()
        self.run_program("mount", "-t", "tmpfs", "-o", "size=4m", "none", place)
        try:
            store = place / "store"
            told = self.told("import", "a", store=store, status=7)
            self.assertIn("No space left", told)
            self.assertEqual(self.left(store), [])
            self.assertEqual(list(store.glob("caches/*")), [])
            told = self.told("export", place / "out", status=7)
            self.assertIn("No space left", told)
            self.assertEqual(sorted(p.name for p in place.iterdir()), ["store"])
        finally:
            subprocess.run(["umount", place], check=True)

    def test_mistakes(self):
        self.made()
        told = self.told("export", "a", "--cache", "object", status=2)
        self.assertIn("the store has no cache `object`", told)
        self.assertIn("= note: it has empty, objects", told)
        self.assertIn("= help: did you mean `objects`?", told)
        self.assertFalse((self.folder / "a").exists())
        self.lithify("cache", "export", "a", "--cache", "objects")
        told = self.told("import", "a", "--cache", "empty", status=2)
        self.assertIn("a has no cache `empty` = note: it has objects", told)
        told = self.told("import", "nowhere", status=2)
        self.assertIn("opening nowhere: No such file", told)
        self.assertIn("a first job has none", told)
        told = self.told("import", ".", status=2)
        self.assertIn(". is a directory", told)
        told = self.told("import", "lithify.yaml", status=2)
        self.assertIn("lithify.yaml is no archive", told)
        self.lithify("build", "--output", "oci-archive=image.tar")
        told = self.told("import", "image.tar", status=2)
        self.assertIn("its first member is `blobs/`", told)
        told = self.told("export", status=2)
        self.assertIn("takes one archive", told)
        told = self.told("import", "a", "b", status=2)
        self.assertIn("takes one archive", told)
        told = self.told("ls", "--cache", "objects", status=2)
        self.assertIn("--cache is for", told)
        told = self.lithify("cache", "export", "-", "--json", status=2)
        self.assertEqual(json.loads(told.stdout)["exit"], 2)
        self.lithify("cache", "export", "none", store=self.folder / "empty")
        told = self.told("import", "none", store=self.folder / "empty")
        self.assertIn("imported no caches", told)


@needs("busybox")
class Hostile(CacheTravel):
    """Archives by Python's tarfile, as an attacker would make them."""

    def setUp(self):
        super().setUp()
        self.made()
        self.canary = self.write("canary", "untouched")

    def archive(self, *members, index='{"caches":[{"id":"objects"}],"format":1}'):
        target = self.folder / "evil.tar"
        with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
            for name, kind, what in (("lithify-caches.json", tarfile.REGTYPE, index),
                                     ("caches/objects", tarfile.DIRTYPE, "")) + members:
                member = tarfile.TarInfo(name)
                member.type = kind
                member.mode = 0o6777
                if kind == tarfile.REGTYPE:
                    member.size = len(what)
                else:
                    member.linkname = what
                tar.addfile(member, io.BytesIO(what.encode()))
        return target

    def refused(self, *members, **kwargs):
        target = self.archive(*members, **kwargs)
        told = self.told("import", target, status=2)
        self.assertEqual(self.canary.read_text(), "untouched")
        self.assertEqual((self.data() / "runs").read_text(), "run\n")
        self.assertEqual(self.left(), [])
        return told

    def test_what_leads_out_is_refused(self):
        file, link, hard = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
        there = "caches/objects/"
        outside = str(self.canary)
        self.assertIn("no clean name", self.refused((there + "../../../../canary", file, "x")))
        self.assertIn("no clean name", self.refused((outside, file, "x")))
        self.assertIn("in no cache", self.refused(("caches/other/x", file, "x")))
        self.assertIn("no directory", self.refused((there + "a", link, str(self.folder)),
                                                   (there + "a/canary", file, "x")))
        self.assertIn("clean name", self.refused((there + "a", hard, outside)))
        self.assertIn("to no file", self.refused((there + "a", link, outside),
                                                 (there + "b", hard, there + "a")))
        self.assertIn("order", self.refused((there + "b", file, ""), (there + "a", file, "")))
        self.assertIn("a device", self.refused((there + "a", tarfile.CHRTYPE, "")))
        self.assertIn("a pipe", self.refused((there + "a", tarfile.FIFOTYPE, "")))
        self.assertIn("not the name", self.refused(
            index='{"caches":[{"id":"../../x"}],"format":1}'))
        self.assertIn("newer lithify", self.refused(index='{"format":2}'))

    def test_modes_of_other_users_are_left_out(self):
        # What Python pads to a record of 10 kB is a tar all the same.
        target = self.archive(("caches/objects/a", tarfile.REGTYPE, "x"),
                              ("caches/objects/b", tarfile.SYMTYPE, "/etc/passwd"))
        self.lithify("cache", "import", target)
        self.assertEqual(stat.S_IMODE((self.data() / "a").stat().st_mode), 0o777)
        self.assertEqual(os.readlink(self.data() / "b"), "/etc/passwd")
        self.assertEqual(stat.S_IMODE(self.data().stat().st_mode), 0o2777)

    def test_what_was_cut_off_or_damaged_changes_nothing(self):
        self.lithify("cache", "export", "a")
        whole = (self.folder / "a").read_bytes()
        for size in (0, 1, 100, len(whole) // 2, len(whole) - 1):
            (self.folder / "cut").write_bytes(whole[:size])
            self.lithify("cache", "import", "cut", status=2)
            self.assertEqual((self.data() / "runs").read_text(), "run\n")
        self.assertEqual(self.left(), [])


@needs("busybox")
@needs_root()
class Users(CacheTravel):
    """Root's, a user's with a range of ids, and a user's who has one id."""

    def alone(self, *words):
        """As the user who has one id."""
        place = self.folder / "alone"
        if not place.exists():
            place.mkdir()
            shutil.copytree(self.folder / "files", place / "files", symlinks=True)
            shutil.copy(LITHIFY, place / "lithify")
        shutil.copy(self.folder / "lithify.yaml", place)
        if (self.folder / "a").exists():
            shutil.copy(self.folder / "a", place)
        self.run_program("chown", "-R", f"{ALONE}:{ALONE}", place)
        return self.run_program(
            "setpriv", "--reuid", ALONE, "--regid", ALONE, "--clear-groups", "sh", "-c",
            "exec 2>&1; " + " ".join(words), cwd=place, env={"PATH": os.environ["PATH"],
                                                       "LITHIFY_STORE": str(place / "store")})

    def another(self):
        shutil.rmtree(self.store, ignore_errors=True)
        user = AnotherUser(self, self.folder)
        user.environment["LITHIFY_STORE"] = str(user.place / "store")
        return user

    def test_a_user_gives_what_belongs_to_others_to_root_and_back(self):
        self.say("first", PRIVATE)
        user = self.another()
        user.run("./lithify", "-q", "build")
        listed = user.run("./lithify", "-q", "cache", "ls")
        self.assertIn("objects  cache of commands, ", listed)
        self.assertIn(" in 6 files", listed)
        user.run("./lithify", "-q", "cache", "export", "b")
        shutil.copy(user.place / "b", self.folder / "a")
        self.lithify("cache", "import", "a")
        private = (self.data() / "private/x").stat()
        root = self.data().stat()
        self.assertEqual((private.st_uid - root.st_uid, private.st_gid - root.st_gid),
                         (33, 44))
        self.lithify("cache", "export", "c")
        self.assertEqual((self.folder / "c").read_bytes(), (self.folder / "a").read_bytes())
        self.say("second", PRIVATE)
        self.assertEqual(self.made()[0], "2")
        # An import of his in the place of what is not his, twice, and all of it goes.
        user.run("./lithify", "-q", "cache", "import", "b")
        user.run("./lithify", "-q", "cache", "import", "b")
        self.assertEqual(self.left(user.place / "store"), [])
        user.run("./lithify", "-q", "cache", "export", "c")
        self.assertEqual((user.place / "c").read_bytes(), (user.place / "b").read_bytes())
        user.run("./lithify", "-q", "cache", "prune", "--all", "--yes")
        self.assertEqual(list((user.place / "store/caches").iterdir()), [])

    def test_a_user_without_ids_gets_all_as_his_own(self):
        self.say("first", PRIVATE)
        self.made()
        self.lithify("cache", "export", "a")
        told = self.alone("./lithify", "cache", "import", "a")
        self.assertIn("2 files of the cache objects: the sandbox here does not have",
                      told)
        self.say("second")
        self.alone("./lithify", "build", "--output", "tar=flat.tar")
        with tarfile.open(self.folder / "alone/flat.tar") as tar:
            self.assertEqual(tar.extractfile("runs").read(), b"2\n")
        closed = self.folder / "alone/store/caches"
        self.run_program("sh", "-c", f"chmod 0 {closed}/*/data/objects {closed}/*/data/runs")
        self.alone("./lithify", "cache", "export", "b")
        names = self.run_program("tar", "-tvf", self.folder / "alone/b")
        self.assertRegex(names, r"d--------- 0/0 .* caches/objects/objects/\n")
        self.assertRegex(names, r"caches/objects/objects/kept.o link to")

    def test_a_stopped_import_of_a_user_leaves_nothing(self):
        self.made()
        (self.data() / "large").write_bytes(os.urandom(9 << 20))
        self.lithify("cache", "export", "a")
        told = self.alone(
            "mkfifo pipe; { head -c 9000000 a; exec sleep 60; } > pipe & other=$!; "
            "./lithify cache import - < pipe & "
            "sleep 1; ls store/work; kill -INT $!; wait $!; echo code $?; ls store/work; "
            "ls store/caches; kill $other")
        before, after = told.split("code 130")
        self.assertIn("step-", before)
        self.assertIn("stopped", before)
        self.assertNotIn("step-", after)
        self.assertIn("No such file", after)


if __name__ == "__main__":
    unittest.main()
