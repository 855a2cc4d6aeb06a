"""Every example and a local project, under variations drawn together rather than one at a
time: time zone, locale, umask, user, HOME, path, jobs, directory order, file system, cold and
warm store, and every build of the program that lies in build/ (release, debug, clang)."""
import os
import random
import shutil
import subprocess
import unittest

import reproducible_test
from support import TOP, Scenario, have

ROUNDS = int(os.environ.get("LITHIFY_VARIATIONS", "24"))
EXAMPLES = ("debian-minimal", "nginx-site", "python-app")


def programs():
    return sorted(p for p in TOP.glob("build/*/lithify") if os.access(p, os.X_OK))


class Matrix(Scenario):
    def setUp(self):
        super().setUp()
        self.rng = random.Random(1980)

    def vary(self, project, expected, round_):
        rng = self.rng
        where = self.folder / rng.choice(("a", "deep/er/path", "sp ace", "\u00fc")) / str(round_)
        shutil.copytree(project, where, symlinks=True)
        store = rng.choice((self.store, where / "cold"))
        env = {"TZ": rng.choice(("UTC", "Asia/Tokyo", "GMT+12", "America/St_Johns")),
               "LC_ALL": rng.choice(("C", "C.UTF-8", "tr_TR.UTF-8")),
               "HOME": rng.choice((str(where), "/nonexistent")),
               "COLUMNS": str(rng.randrange(20, 200)),
               "LITHIFY_STORE": str(store)}
        if not store.exists():
            # Downloads come along, results do not.
            shutil.copytree(self.store / "blobs", store / "blobs")
        program = rng.choice(programs())
        command = [program, "build", "-q", "--locked", "-j", rng.choice(("1", "2", "3", "16"))]
        if rng.random() < 0.5:
            command.append("--no-cache")
        if os.geteuid() == 0 and rng.random() < 0.4 and store != self.store:
            subprocess.run(["chown", "-R", "nobody", where], check=True)
            for folder in (self.folder, where.parent, where.parent.parent):
                if self.folder in (folder, *folder.parents):
                    folder.chmod(0o755)
            copy = where / "program"
            shutil.copy(program, copy)
            copy.chmod(0o755)
            command[0] = copy
            command = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups",
                       *command]
        out = self.run_program(*command, cwd=where, umask=rng.choice((0, 0o22, 0o77)),
                               env={"PATH": os.environ["PATH"], **env})
        with self.subTest(round=round_, command=[str(c) for c in command], env=env):
            self.assertEqual(dict(line.split(" ") for line in out.splitlines()), expected)
        shutil.rmtree(where, ignore_errors=True)

    def test_examples(self):
        for example in EXAMPLES:
            project = self.example(example)
            expected = self.build(project)
            for round_ in range(ROUNDS // len(EXAMPLES)):
                self.vary(project, expected, f"{example}-{round_}")

    def test_local_project(self):
        short = reproducible_test.Reproducible("test_umask")
        short.folder = self.folder
        project = short.make_project(self.folder / "local", range(200))
        expected = self.build(project)
        for round_ in range(ROUNDS):
            self.vary(project, expected, round_)

    @unittest.skipUnless(have("mkfs.ext4") and os.geteuid() == 0, "needs root and mkfs.ext4")
    def test_ext4_and_tmpfs(self):
        short = reproducible_test.Reproducible("test_umask")
        short.folder = self.folder
        project = short.make_project(self.folder / "local", range(200))
        expected = self.build(project)
        image = self.folder / "disk"
        subprocess.run(["truncate", "-s", "200M", image], check=True)
        self.run_program("mkfs.ext4", "-q", "-b", "1024", image)
        for args in (["-t", "tmpfs", "none"], ["-o", "loop", image]):
            place = self.folder / "mounted"
            place.mkdir(exist_ok=True)
            mounted = subprocess.run(["mount", *args, place], check=False)
            if mounted.returncode != 0:
                self.skipTest("cannot mount here")
            try:
                shutil.copytree(project, place / "project", symlinks=True)
                self.assertEqual(self.build(place / "project", store=place / "store"), expected)
            finally:
                subprocess.run(["umount", place], check=True)



if __name__ == "__main__":
    unittest.main()
