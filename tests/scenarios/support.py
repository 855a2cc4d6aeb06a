"""What the scenarios share: running lithify, reading images with other people's tools.

Every scenario is a unittest program; `python3 tests/scenarios/hello_test.py` runs one by
hand with build/release/lithify. Servers and scratch folders belong to one test and are
gone with it.
"""
import fcntl
import hashlib
import io
import json
import os
import pathlib
import pwd
import secrets
import shutil
import subprocess
import tarfile
import tempfile
import unittest

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
LITHIFY = os.environ.get("LITHIFY", str(TOP / "build/release/lithify"))
STORE = os.environ.get("LITHIFY_TEST_STORE", str(TOP / "build/release/test-store"))
EXAMPLES = TOP / "examples"
PEERS = pathlib.Path(os.environ.get("LITHIFY_PEERS") or pathlib.Path(
    os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "lithify-peers")


def have(program):
    return shutil.which(program) is not None


def needs(*programs):
    """Skips a test, with the reason, where a judge is not installed."""
    missing = [p for p in programs if not have(p)]
    return unittest.skipIf(missing, "not installed: " + ", ".join(missing))


def peer(name):
    """A judge that tests/scenarios/peers brought, or None."""
    program = PEERS / "bin" / name
    return str(program) if program.exists() else None


def needs_peers(*names):
    """Skips a test, with the reason, where a judge was not brought."""
    missing = [name for name in names if not peer(name)]
    return unittest.skipIf(missing, "run tests/scenarios/peers for: " + ", ".join(missing))


def needs_root():
    return unittest.skipUnless(os.geteuid() == 0, "needs root")


def unwrapped(text):
    """What was told, in one line: where it is broken depends on the length of names."""
    return " ".join(text.split())


def scratch_folder():
    """An empty folder whose name may stand in an image reference: podman takes oci:PATH
    for one, and what tempfile makes of the letters and "_" is not always one."""
    folder = pathlib.Path(tempfile.gettempdir()) / f"lithify-scenario-{secrets.token_hex(4)}"
    folder.mkdir(mode=0o700)
    return folder


class Scenario(unittest.TestCase):
    """One test in an empty folder, with a store shared by all."""

    maxDiff = None

    def setUp(self):
        self.folder = scratch_folder()
        self.addCleanup(self._remove)
        self.store = pathlib.Path(STORE)

    def _remove(self):
        subprocess.run(["chmod", "-R", "u+rwX", str(self.folder)], check=False,
                       stderr=subprocess.DEVNULL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def left(self, store=None):
        """What lies in the store's work and belongs to no program that runs: the store
        may be in use by other tests."""
        work = pathlib.Path(store or self.store) / "work"
        return sorted(entry.name for entry in (work.iterdir() if work.exists() else [])
                      if not self._is_held(entry) and entry.exists())

    @staticmethod
    def _is_held(entry):
        lock = entry if entry.suffix == ".lock" else entry.with_name(entry.name + ".lock")
        try:
            with open(lock, "rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except FileNotFoundError:
            pass
        return False

    def example(self, name, to=None):
        """A fresh copy of an example project."""
        target = self.folder / (to or name)
        shutil.copytree(EXAMPLES / name, target,
                        ignore=shutil.ignore_patterns("lithify.lock", "out"))
        return target

    def write(self, path, text, mode=None):
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        if mode is not None:
            target.chmod(mode)
        return target

    def lithify(self, *args, cwd=None, env=None, status=0, store=None, program=None):
        """Runs lithify; fails unless it exits with `status`. None: any status."""
        environment = {k: v for k, v in os.environ.items()
                       if k in ("PATH", "HOME", "LITHIFY_APT_MIRROR", "http_proxy",
                                "https_proxy", "no_proxy", "TMPDIR")}
        environment["LITHIFY_STORE"] = str(store or self.store)
        environment.update(env or {})
        result = subprocess.run([program or LITHIFY, *map(str, args)],
                                cwd=cwd or self.folder, env=environment, text=True,
                                stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if status is not None and result.returncode != status:
            self.fail(f"lithify {' '.join(map(str, args))} exited with {result.returncode}, "
                      f"not {status}\n--- stdout\n{result.stdout}\n--- stderr\n{result.stderr}")
        return result

    def build(self, cwd, *args, **kwargs):
        """lithify build; returns {image name: digest} from its stdout."""
        out = self.lithify("build", *args, cwd=cwd, **kwargs).stdout
        return dict(line.split(" ") for line in out.splitlines())

    def run_program(self, *args, **kwargs):
        result = subprocess.run([str(a) for a in args], text=True, capture_output=True,
                                check=False, **kwargs)
        if result.returncode != 0:
            self.fail(f"{' '.join(map(str, args))} exited with {result.returncode}\n"
                      f"{result.stdout}\n{result.stderr}")
        return result.stdout


    # ---- running images with other people's runtimes -------------------------------------

    def bundle(self, layout, architecture="amd64"):
        """umoci's idea of an image, as a runtime bundle. umoci 0.4 knows gzip layers only,
        so skopeo converts; diff ids, and with them all files, stay what they are."""
        place = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        self.run_program("skopeo", "copy", "--insecure-policy", "--override-arch",
                         architecture, "--dest-compress-format", "gzip",
                         f"oci:{layout}", f"oci:{place}/gzip:image")
        rootless = [] if os.geteuid() == 0 else ["--rootless"]
        self.run_program("umoci", "unpack", *rootless, "--image", f"{place}/gzip:image",
                         place / "bundle")
        return place / "bundle"

    def start_bundle(self, bundle, args=None, tmpfs=()):
        """Starts a bundle with runc, on the host's network; returns (container, process)."""
        spec_file = bundle / "config.json"
        spec = json.loads(spec_file.read_text())
        spec["process"]["terminal"] = False
        if args:
            spec["process"]["args"] = list(args)
        spec["process"].pop("rlimits", None)
        spec["linux"]["namespaces"] = [n for n in spec["linux"]["namespaces"]
                                       if n["type"] != "network"]
        for place in tmpfs:
            spec["mounts"].append({"destination": place, "type": "tmpfs", "source": "tmpfs",
                                   "options": ["mode=1777"]})
        spec_file.write_text(json.dumps(spec))
        name = f"lithify-{bundle.parent.name}"
        process = subprocess.Popen(["runc", "run", name], cwd=bundle, text=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT)
        return name, process

    def run_bundle(self, bundle, args=None):
        _, process = self.start_bundle(bundle, args)
        out = process.communicate(timeout=120)[0]
        self.assertEqual(process.returncode, 0, out)
        return out

    def podman_run(self, layout, *args):
        return self.podman_run_image(f"oci:{layout}", *args)

    def podman_run_image(self, image, *args, flags=()):
        """podman's stdout. vfs, no network and low limits work inside containers too."""
        return self.run_program(
            "podman", "--root", self.folder / "podman", "--runroot", self.folder / "run",
            "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs",
            *(["--runtime", "runc"] if have("runc") else []), "run", "--rm", "--network",
            "none", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", *flags,
            image, *args)


# ---- reading an OCI layout without any code of ours ---------------------------------------


class AnotherUser:
    """A user of this machine with a range of ids, and a copy of a project, with the program
    and a store of his own, in his home. For root."""

    NAME = "lithify-run"

    def __init__(self, scenario, folder, **environment):
        try:
            home = pwd.getpwnam(self.NAME).pw_dir
        except KeyError:
            scenario.run_program("useradd", "--create-home", self.NAME)
            home = pwd.getpwnam(self.NAME).pw_dir
        self.scenario = scenario
        self.place = pathlib.Path(tempfile.mkdtemp(dir=home)) / "project"
        scenario.addCleanup(shutil.rmtree, self.place.parent, ignore_errors=True)
        shutil.copytree(folder, self.place, ignore=shutil.ignore_patterns("out", "root"))
        shutil.copy(LITHIFY, self.place / "lithify")
        scenario.run_program("chown", "-R", self.NAME, self.place.parent)
        kept = {k: os.environ[k] for k in ("PATH", "LITHIFY_APT_MIRROR") if k in os.environ}
        self.environment = {**kept, "HOME": str(self.place), **environment}

    def run(self, *words):
        """What the program writes to standard output; a failure fails the test."""
        return self.scenario.run_program(
            "setpriv", "--reuid", self.NAME, "--regid", self.NAME, "--init-groups", "env", "-i",
            *(f"{name}={value}" for name, value in self.environment.items()), *words,
            cwd=self.place)


def blob(layout, digest):
    algorithm, value = digest.split(":")
    data = (pathlib.Path(layout) / "blobs" / algorithm / value).read_bytes()
    found = hashlib.new(algorithm, data).hexdigest()
    if found != value:
        raise AssertionError(f"blob {digest} has digest {found}")
    return data


def manifest_of(layout, architecture=None):
    """The manifest of the one image in a layout, or of one architecture of its index."""
    index = json.loads((pathlib.Path(layout) / "index.json").read_text())
    descriptor = index["manifests"][-1]
    document = json.loads(blob(layout, descriptor["digest"]))
    while "manifests" in document:
        chosen = [m for m in document["manifests"]
                  if architecture in (None, m["platform"]["architecture"])]
        document = json.loads(blob(layout, chosen[0]["digest"]))
    return document


def config_of(layout, architecture=None):
    return json.loads(blob(layout, manifest_of(layout, architecture)["config"]["digest"]))


def layer_tar(layout, descriptor):
    data = blob(layout, descriptor["digest"])
    kind = descriptor["mediaType"].rpartition("+")[2]
    if kind == "zstd":
        data = subprocess.run(["zstd", "-dcq"], input=data, stdout=subprocess.PIPE,
                              check=True).stdout
    elif kind == "gzip":
        data = subprocess.run(["gzip", "-dcq"], input=data, stdout=subprocess.PIPE,
                              check=True).stdout
    return data


def layer_members(layout, descriptor):
    with tarfile.open(fileobj=io.BytesIO(layer_tar(layout, descriptor))) as tar:
        return tar.getmembers()


def files_of(layout, architecture=None):
    """The image's file system by Python's tarfile: path -> fact about it. Whiteouts apply."""
    files = {}
    for descriptor in manifest_of(layout, architecture)["layers"]:
        layer = {}
        with tarfile.open(fileobj=io.BytesIO(layer_tar(layout, descriptor))) as tar:
            for member in tar:
                path = member.name.rstrip("/")
                folder, _, name = path.rpartition("/")
                if name == ".wh..wh..opq":
                    for gone in [p for p in files if p.startswith(folder + "/")]:
                        del files[gone]
                elif name.startswith(".wh."):
                    victim = (folder + "/" if folder else "") + name[4:]
                    for gone in [p for p in files
                                 if p == victim or p.startswith(victim + "/")]:
                        del files[gone]
                else:
                    layer[path] = fact(tar, member, layer)
        files.update(layer)
    return files


def fact(tar, member, layer):
    common = (oct(member.mode), member.uid, member.gid, member.mtime)
    if member.islnk():
        return layer[member.linkname]
    if member.isreg():
        return ("file", *common, hashlib.sha256(tar.extractfile(member).read()).hexdigest())
    if member.issym():
        return ("symlink", member.uid, member.gid, member.mtime, member.linkname)
    if member.isdir():
        return ("dir", *common)
    return ("other", *common)
