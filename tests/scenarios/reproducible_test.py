"""One build file and lock, one digest: on any machine, for any user, in any weather.

The short matrix varies one thing at a time; reproducible_long.py varies everything together.
"""
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import unittest

from support import LITHIFY, Scenario, have, needs, needs_root

BUILD_FILE = """\
lithify: 1
project: varied
platforms: [linux/amd64, linux/arm64]
sources:
  here: {local: files}
  app: {archive: app.tar.gz, strip: 1}
images:
  base:
    from: scratch
    steps:
      - {dir: /tmp, mode: "1777"}
      - users: [{name: app, uid: 1000, home: /home/app, create-home: true}]
      - {copy: ., from: here, to: /srv/files}
  app:
    from: image:base
    steps:
      - {copy: ., from: app, to: /opt/app, owner: app}
      - {file: /etc/motd, text: "hello $(platform.arch)\\n", expand: true}
      - {symlink: /opt/link, target: app}
      - {remove: [/srv/files/b*]}
    config: {entrypoint: [/opt/app/run], env: {A: b}}
"""


class Reproducible(Scenario):
    def setUp(self):
        super().setUp()
        self.project = self.make_project(self.folder / "project", range(200))
        self.expected = self.build(self.project, store=self.folder / "store")

    def make_project(self, where, order):
        """The same files, made in another order, so that directories list differently."""
        files = where / "files"
        files.mkdir(parents=True)
        for i in order:
            name = f"{'abc'[i % 3]}{i:03}-\u00fc" if i % 7 == 0 else f"{'abc'[i % 3]}{i:03}"
            (files / f"dir{i % 5}").mkdir(exist_ok=True)
            path = files / (f"dir{i % 5}/{name}" if i % 2 else name)
            path.write_text(f"content {i}\n" * (i * 37 % 991))
            path.chmod(0o755 if i % 11 == 0 else 0o644)
        (files / "empty").mkdir()
        (files / "link").symlink_to("dir1")
        archive = self.folder / "app.tar.gz"
        if not archive.exists():
            app = self.folder / "app-1.0"
            app.mkdir()
            (app / "run").write_text("#!/bin/sh\n")
            (app / "run").chmod(0o755)
            subprocess.run(["tar", "-C", self.folder, "-czf", archive, "--mtime=@1700000000",
                            "app-1.0"], check=True)
        shutil.copy(archive, where)
        (where / "lithify.yaml").write_text(BUILD_FILE)
        return where

    def same(self, **kwargs):
        project = kwargs.pop("project", self.project)
        args = kwargs.pop("args", [])
        store = kwargs.pop("store", pathlib.Path(tempfile.mkdtemp(dir=self.folder)))
        self.assertEqual(self.build(project, *args, store=store, **kwargs), self.expected)

    def test_time_zone_locale_and_home(self):
        for env in ({"TZ": "Asia/Tokyo"}, {"TZ": "GMT+12"}, {"LC_ALL": "C.UTF-8"},
                    {"LANG": "et_EE.UTF-8", "LC_ALL": "tr_TR.UTF-8"}, {"LC_ALL": "C"},
                    {"HOME": "/nonexistent"}, {"USER": "nobody", "LOGNAME": "x"}):
            with self.subTest(env=env):
                self.same(env=env)

    def test_umask(self):
        for mask in (0o000, 0o077, 0o027):
            with self.subTest(umask=oct(mask)):
                before = os.umask(mask)
                try:
                    self.same(project=self.make_project(self.folder / f"umask{mask}",
                                                        range(200)))
                finally:
                    os.umask(before)

    def test_job_count(self):
        for jobs in (1, 2, 5, 16):
            with self.subTest(jobs=jobs):
                self.same(args=["-j", jobs])

    def test_checkout_path_and_directory_order(self):
        order = list(range(200))
        for seed in (1, 2):
            random.Random(seed).shuffle(order)
            with self.subTest(seed=seed):
                self.same(project=self.make_project(
                    self.folder / f"deep/er/\u00e9 path {seed}", order))

    def test_warm_cold_and_no_cache(self):
        self.same(store=self.folder / "store")
        self.same(store=self.folder / "store", args=["--no-cache"])
        self.same()

    def test_touched_files(self):
        for path in (self.project / "files").rglob("*"):
            os.utime(path, (0, random.randrange(2**31)), follow_symlinks=False)
        self.same(store=self.folder / "store")

    def test_order_of_images_on_the_command_line(self):
        store = self.folder / "ordered"
        first = self.build(self.project, "app", store=store)
        second = self.build(self.project, "base", store=store)
        self.assertEqual({**first, **second}, self.expected)

    @needs_root()
    def test_another_user(self):
        # The user needs a way in: the scratch folder is the test's own.
        for folder in (self.folder, self.project):
            folder.chmod(0o755)
        store = self.folder / "nobody"
        store.mkdir()
        shutil.chown(store, "nobody")
        shutil.chown(self.project, "nobody")
        program = self.folder / "lithify"
        shutil.copy(LITHIFY, program)
        program.chmod(0o755)
        out = self.run_program("setpriv", "--reuid=nobody", "--regid=nogroup",
                               "--clear-groups", "env", "-i", "PATH=/usr/bin:/bin",
                               f"LITHIFY_STORE={store}", program, "build", "-q",
                               cwd=self.project)
        self.assertEqual(dict(line.split(" ") for line in out.splitlines()), self.expected)

    @needs("unshare", "mount")
    @needs_root()
    def test_tmpfs(self):
        script = ('mount -t tmpfs none "$1" && cp -a "$2/." "$1/" && cd "$1" && '
                  'LITHIFY_STORE="$1/store" "$3" build -q')
        place = self.folder / "tmpfs"
        place.mkdir()
        out = self.run_program("unshare", "--mount", "sh", "-c", script, "sh", place,
                               self.project, LITHIFY)
        self.assertEqual(dict(line.split(" ") for line in out.splitlines()), self.expected)

    @unittest.skipUnless(have("disorderfs") and os.path.exists("/dev/fuse"), "no disorderfs")
    @needs_root()
    def test_shuffled_directory_reads(self):
        mounted = self.folder / "shuffled"
        mounted.mkdir()
        self.run_program("disorderfs", "--shuffle-dirents=yes", self.project, mounted)
        try:
            self.same(project=mounted)
        finally:
            subprocess.run(["fusermount", "-u", mounted], check=True)


if __name__ == "__main__":
    unittest.main()
