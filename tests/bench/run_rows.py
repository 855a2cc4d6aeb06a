"""The table `run` of tests/bench/run: what a command costs before and after it does
something, on a base of 15,000 files and 200 MB."""
import os
import random
import shutil
import statistics
import subprocess

FILES = 15_000
BYTES = 200_000_000
STEPS = 20


def make_base(options, work):
    """An OCI layout of the files, with busybox to run; made once."""
    folder = work / "run-base"
    mark = folder / "whole"
    if mark.exists():
        return folder / "base"
    shutil.rmtree(folder, ignore_errors=True)
    files = folder / "files"
    rng = random.Random(1)
    size = BYTES // FILES
    for i in range(FILES):
        place = files / f"usr/share/d{i // 50}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"f{i}").write_bytes(rng.randbytes(size // 8) * 8)
    (files / "bin").mkdir()
    shutil.copyfile(shutil.which("busybox"), files / "bin/busybox")
    (files / "bin/busybox").chmod(0o755)
    (folder / "lithify.yaml").write_text(
        "lithify: 1\nproject: base\nsources:\n  files: {local: files}\nimage:\n"
        "  from: scratch\n  steps: [{copy: ., from: files, to: /}]\n"
        "outputs: [{oci: base}]\n")
    subprocess.run([options.build / "lithify", "-C", folder, "build", "-q"], check=True,
                   stdout=subprocess.DEVNULL,
                   env={**os.environ, "LITHIFY_STORE": str(work / "run-base-store")})
    mark.write_text("whole\n")
    return folder / "base"


class Project:
    """Commands that do nothing, on that base. `fresh` makes them new ones."""

    def __init__(self, options, work, name, steps):
        self.folder, self.steps, self.round = work / name, steps, 0
        self.folder.mkdir(exist_ok=True)
        self.base = make_base(options, work)
        self.store = work / "run-store"
        self.env = {"LITHIFY_STORE": str(self.store)}
        self.build = f"{options.build}/lithify -C {self.folder} build -q"
        self.fresh()
        subprocess.run(self.build, shell=True, check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, **self.env})

    def fresh(self):
        self.round += 1
        steps = "".join(
            f"    - {{run: [/bin/busybox, 'true'], env: {{N: '{self.round}-{os.getpid()}-"
            f"{step}'}}}}\n" for step in range(self.steps))
        (self.folder / "lithify.yaml").write_text(
            f"lithify: 1\nproject: bench\nsources:\n  base: {{layout: {self.base}}}\n"
            f"image:\n  from: base\n  steps:\n{steps}")

    def without_roots(self):
        """Moved away, not removed: ext4 is slow to make files where it just removed some."""
        self.fresh()
        if (self.store / "roots").exists():
            (self.store / "roots").rename(self.store / f"old-{self.round}-{os.getpid()}")


def run_rows(row, options, work):
    one, many = Project(options, work, "run-1", 1), Project(options, work, "run-20", 1 + STEPS)
    hundred = Project(options, work, "run-100", 100)
    files, copy = work / "run-base/files", work / "run-copies"
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    return [
        row("true", "true"),
        row("one command, base ready", one.build, one.fresh, env=one.env),
        row(f"{1 + STEPS} commands, base ready", many.build, many.fresh, env=many.env),
        row("cp -r of the base's files", f"cp -r {files} {copy}/$(mktemp -u XXXXXX)"),
        row("one command, base to be laid out", one.build, one.without_roots, env=one.env),
        row("one command, base copied", one.build, one.fresh,
            env={**one.env, "LITHIFY_ROOTS": "copy"}),
        row("100 commands, nothing changed", hundred.build, env=hundred.env),
    ]


# Of a command, in seconds, with a warm page cache on two cores.
TARGETS = {"start": 0.006, "overlay": 0.3, "copy": 1.2, "remembered": 0.03}


def report_run(table):
    """What the rows say about one command, and what is wanted."""
    seconds = {row.name: statistics.median(row.seconds) for row in table}
    first = seconds.get("one command, base ready")
    many = seconds.get(f"{1 + STEPS} commands, base ready")
    copy = seconds.get("cp -r of the base's files")
    if None in (first, many, copy, seconds.get("true")):
        return
    each = (many - first) / STEPS - seconds["true"]
    print(f"start of a command: {each * 1000:.1f} ms over a bare `true` "
          f"(at most {TARGETS['start'] * 1000:.0f} wanted)")
    for name, what in (("one command, base to be laid out", "overlay"),
                       ("one command, base copied", "copy")):
        if name in seconds:
            ready = seconds[name] - first
            print(f"base of {FILES} files ready, {what}: {ready:.2f} s, "
                  f"{ready / copy:.2f} of `cp -r` (at most {TARGETS[what]} s wanted)")
    remembered = seconds.get("100 commands, nothing changed")
    if remembered is not None:
        print(f"100 remembered commands: {remembered * 1000:.0f} ms "
              f"(at most {TARGETS['remembered'] * 1000:.0f} wanted)")
    print(flush=True)
