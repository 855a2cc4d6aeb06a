"""Images built again by somebody else, somewhere else: equal, or it is told why not."""
import base64
import hashlib
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import unittest

from judges import Cosign
from registry_scenario import RegistryScenario
from support import (EXAMPLES, LITHIFY, Scenario, blob, manifest_of, needs, needs_peers,
                     needs_root, unwrapped)
from tiny_archive import TinyArchive

PASSWORD = {"COSIGN_PASSWORD": "a passphrase"}


def dependency(provenance, role):
    return next(one for one in provenance["buildDefinition"]["resolvedDependencies"]
                if one.get("annotations", {}).get("dev.lithify.role") == role)


def edit(path, role, change):
    """The text that provenance has embedded, changed, and its digest with it."""
    provenance = json.loads(path.read_text())
    one = dependency(provenance, role)
    text = change(base64.b64decode(one["content"]).decode())
    one["content"] = base64.b64encode(text.encode()).decode()
    one["digest"]["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    path.write_text(json.dumps(provenance))


@needs_root()
@needs("docker-registry", "useradd", "su", "git")
class AnotherPerson(RegistryScenario):
    """Published by root, built again by a user of this machine who knows the registry and a
    public key."""

    def setUp(self):
        super().setUp()
        self.folder.chmod(0o755)
        self.user = f"lithify{os.getpid()}"
        self.run_program("useradd", "--create-home", "--home-dir", self.folder / "theirs",
                         self.user)
        self.addCleanup(subprocess.run, ["userdel", self.user], check=False,
                        capture_output=True)
        self.program = self.folder / "lithify"
        shutil.copy(LITHIFY, self.program)
        self.program.chmod(0o755)
        self.lithify("key", "generate", "builder", env=PASSWORD)
        (self.folder / "builder.pub").chmod(0o644)
        self.server = self.registry()
        self.environment.update({name: os.environ[name] for name in (
            "http_proxy", "https_proxy", "no_proxy") if name in os.environ})

    def them(self, *args, status=0, cwd="."):
        """Runs lithify as the other user, in another time zone, with another umask."""
        words = " ".join(shlex.quote(str(a)) for a in (self.program, *args))
        environment = {k: v for k, v in os.environ.items() if "proxy" in k.lower()
                       or k == "LITHIFY_APT_MIRROR"}
        environment.update(PASSWORD)
        given = " ".join(f"{k}={shlex.quote(v)}" for k, v in environment.items())
        result = subprocess.run(
            ["su", "-s", "/bin/sh", "-", self.user, "-c",
             f"umask 077; cd {shlex.quote(str(cwd))}; env TZ=Asia/Kathmandu LC_ALL=C {given} "
             f"{words}"], text=True, capture_output=True, check=False)
        if status is not None and result.returncode != status:
            self.fail(f"{words} exited with {result.returncode}, not {status}\n"
                      f"{result.stdout}\n{result.stderr}")
        return result

    def publish(self, name, project):
        """Pushed, signed, and with its provenance."""
        ref = f"{self.server.host}/team/{name}:1"
        with open(project / "lithify.yaml", "a", encoding="utf-8") as file:
            file.write(f"sign: {{key: {self.folder}/builder.key, attest: [provenance]}}\n")
        out = self.lithify("push", "--tag", ref, "-q", cwd=project, env=PASSWORD).stdout
        return ref, out.strip().split("@")[1]

    def reproduces(self, ref, digest, *args):
        out = self.them("reproduce", "-q", "--key", self.folder / "builder.pub", *args, ref)
        self.assertEqual(out.stdout, f"reproduced  {ref}  {digest}\n")
        self.assertNotIn("NOT VERIFIED", out.stderr)

    def test_an_example_without_sources_of_its_own(self):
        ref, digest = self.publish("debian-minimal", self.example("debian-minimal"))
        self.reproduces(ref, digest)

    def test_an_example_for_two_platforms_from_its_commit(self):
        """Nobody gives them the sources: the commit is in the provenance."""
        project = self.example("python-app")
        (project / "lithify.yaml").write_text(
            (project / "lithify.yaml").read_text().replace("[linux/amd64, linux/arm64]",
                                                           "[linux/arm64, linux/amd64]"))
        git = ["git", "-C", project, "-c", "user.name=x", "-c", "user.email=x@example.org"]
        self.run_program("git", "init", "-q", project)
        self.run_program(*git, "add", ".")
        self.run_program(*git, "commit", "-qm", "sources")
        bare = self.folder / "shop.git"
        self.run_program("git", "clone", "-q", "--bare", project, bare)
        self.run_program("chown", "-R", self.user, bare)  # git trusts its owner
        self.run_program(*git, "remote", "add", "origin", f"file://{bare}")
        ref, digest = self.publish("python-app", project)
        self.reproduces(ref, digest)
        # An address that nobody vouches for is not followed to files of this machine.
        unknown = self.them("reproduce", "-q", ref, status=2)
        self.assertIn("NOT VERIFIED", unknown.stderr)
        self.assertIn("which is not fetched", unwrapped(unknown.stderr))

    def test_an_example_whose_sources_they_have(self):
        project = self.example("nginx-site")
        ref, digest = self.publish("nginx-site", project)
        theirs = self.folder / "theirs/somewhere/else"
        shutil.copytree(EXAMPLES / "nginx-site", theirs)
        self.run_program("chown", "-R", self.user, self.folder / "theirs")
        missing = self.them("reproduce", "-q", "--key", self.folder / "builder.pub", ref,
                            status=2)
        self.assertIn("`--source DIR`", missing.stderr)
        self.reproduces(ref, digest, "--source", theirs)
        self.assertEqual(list(pathlib.Path(self.folder / "theirs/.cache").glob("*again*")), [])

    def test_they_say_so_and_are_counted(self):
        project = self.project({"a": "one\n"})
        ref, digest = self.publish("said", project)
        theirs = self.folder / "theirs"
        shutil.copytree(project / "files", theirs / "files")
        self.run_program("chown", "-R", self.user, theirs)
        self.them("key", "generate", "own")
        self.lithify("verify", "-q", "--reproduced-by", theirs / "own.pub", ref, status=4)
        self.reproduces(ref, digest, "--source", theirs, "--attest", "--key",
                        theirs / "own.key")
        self.lithify("verify", "-q", "--reproduced-by", theirs / "own.pub", ref)
        self.lithify("verify", "-q", "--key", "builder.pub", "--reproduced-by",
                     theirs / "own.pub", ref)
        self.lithify("verify", "-q", "--reproduced-by", theirs / "own.pub", "--reproduced-by",
                     "builder.pub", "--threshold", "2", ref, status=4)
        self.lithify("verify", "-q", "--key", theirs / "own.pub", ref, status=4)
        again = self.them("reproduce", "--key", self.folder / "builder.pub", "--source", theirs,
                          "--attest", "--key", theirs / "own.key", ref)
        self.assertIn("was attested already", again.stderr)
        # What differs is not said to be equal.
        (theirs / "files/a").write_text("two\n")
        self.them("key", "generate", "other")
        self.them("reproduce", "-q", "--key", self.folder / "builder.pub", "--source", theirs,
                  "--attest", "--key", theirs / "other.key", ref, status=4)
        self.lithify("verify", "-q", "--reproduced-by", theirs / "other.pub", ref, status=4)

    def test_a_stranger_s_provenance_is_not_followed(self):
        ref, digest = self.publish("strange", self.project({"a": "one\n"}))
        self.lithify("key", "generate", "stranger", env=PASSWORD)
        (self.folder / "stranger.pub").chmod(0o644)
        out = self.them("reproduce", "-q", "--key", self.folder / "stranger.pub", ref, status=4)
        self.assertIn("can be believed", out.stderr)
        self.assertEqual(out.stdout, "")
        self.assertNotIn(digest, out.stdout)

    @needs_peers("cosign2", "cosign3")
    def test_cosign_accepts_the_provenance(self):
        project = self.project({"a": "one\n"}, platforms="linux/amd64, linux/arm64")
        ref, digest = self.publish("judged", project)
        images = [one["digest"] for one in self.document(
            self.server, "team/judged", digest)[1]["manifests"]]
        for name in ("cosign2", "cosign3"):
            cosign = Cosign(name, self.home)
            for image in (ref, *(f"{ref.rpartition(':')[0]}@{one}" for one in images)):
                with self.subTest(judge=name, image=image):
                    verdict = cosign.verify_attestation(self.folder / "builder.pub", image,
                                                        "slsaprovenance1")
                    self.assertTrue(verdict.accepted, verdict.words)
                    wrong = cosign.verify_attestation(self.folder / "builder.pub", image,
                                                      "spdxjson")
                    self.assertFalse(wrong.accepted, wrong.words)


class Causes(Scenario):
    """One planted difference each; the cause is named, and what is not the cause is not."""

    CAUSES = ("clock", "package", "encoder", "base", "mode", "source", "times", "epoch",
              "settings", "writer", "unknown")

    def setUp(self):
        super().setUp()
        self.store = self.folder / "store"

    def project(self, text, files):
        folder = self.folder / "project"
        folder.mkdir(exist_ok=True)
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(content)
        (folder / "lithify.yaml").write_text("lithify: 1\nplatforms: [linux/amd64]\n" + text)
        return folder

    def make(self, project, name, *args):
        self.build(project, "-q", "--provenance", self.folder / f"{name}.json", "--output",
                   f"oci={self.folder}/{name}", *args)
        return self.folder / name

    def causes(self, image, provenance, *args):
        """{cause: text of its lines}; the exit code is 4."""
        words = ("reproduce", "-q", "--provenance", self.folder / f"{provenance}.json", *args,
                 image)
        out = self.lithify(*words, status=4).stdout
        self.assertTrue(out.startswith(f"not reproduced  {image}  sha256:"), out)
        found, current = {}, None
        for line in out.splitlines():
            word = line.split(":")[0]
            current = word if word in self.CAUSES else current
            if current:
                found[current] = found.get(current, "") + line + "\n"
        document = json.loads(self.lithify(*words, "--json", status=4).stdout)
        self.assertFalse(document["equal"])
        self.assertEqual({one["cause"]["kind"] for one in document["differences"]}, set(found))
        return found

    def test_a_clock_in_a_file(self):
        project = self.project(
            "sources: {site: {local: site}}\n"
            "image: {from: scratch, steps: [{copy: ., from: site, to: /srv}]}\n",
            {"site/index.html": "<p>hello</p>\n" * 9000,
             "site/build-info": "built 2026-11-26T20:01:14Z by make\n"})
        image = self.make(project, "first")
        out = self.lithify("reproduce", "-q", "--provenance", self.folder / "first.json",
                           "--source", project, image).stdout
        self.assertTrue(out.startswith("reproduced"), out)
        (project / "site/build-info").write_text("built 2026-11-26T20:03:15Z by make\n")
        found = self.causes(image, "first", "--source", project)
        self.assertEqual(set(found), {"clock"})
        self.assertIn("layer 1, /srv/build-info: content at byte 21: 2026-11-26T20:01:14, "
                      "2026-11-26T20:03:15\n", found["clock"])

    @needs("dpkg-deb", "gpg", "gpgv")
    def test_a_changed_package(self):
        archive = TinyArchive(self.folder)
        archive.add("tool", "1.0", {"usr/share/tool/data": "one\n",
                                    "usr/share/tool/same": "\n"}, md5sums=True)
        archive.add("other", "1.0")
        archive.publish()
        with archive:
            project = self.project(
                f"sources:\n{archive.source()}image: {{from: scratch, steps: "
                "[{packages: [tool, other], from: tiny}]}\n", {})
            image = self.make(project, "first")
            archive.add("tool", "1.1", {"usr/share/tool/data": "two\n",
                                        "usr/share/tool/same": "\n"}, md5sums=True)
            archive.publish()
            self.lithify("lock", "--update", "-q", cwd=project)
            self.make(project, "second")
            found = self.causes(image, "second")
        self.assertEqual(set(found), {"package"}, found)
        self.assertIn("the package tool is 1.0 in the first, 1.1 in the second",
                      found["package"])
        self.assertIn("/usr/share/tool/data: content at byte 0: \"one", found["package"])
        self.assertNotIn("other", found["package"])

    @needs("zstd")
    def test_another_encoder(self):
        project = self.project(
            "image: {from: scratch, steps: [{file: /srv/a, text: \"" + "lithify " * 2000 +
            "\"}]}\n", {})
        image = self.make(project, "first")
        manifest = manifest_of(image)
        layer = manifest["layers"][0]
        tar = subprocess.run(["zstd", "-dcq"], input=blob(image, layer["digest"]),
                             stdout=subprocess.PIPE, check=True).stdout
        packed = subprocess.run(["zstd", "-19", "-cq"], input=tar, stdout=subprocess.PIPE,
                                check=True).stdout

        def put(data):
            digest = hashlib.sha256(data).hexdigest()
            (image / "blobs/sha256" / digest).write_bytes(data)
            return {"digest": f"sha256:{digest}", "size": len(data)}

        layer.update(put(packed))
        index = json.loads((image / "index.json").read_text())
        index["manifests"][0].update(put(json.dumps(manifest).encode()))
        (image / "index.json").write_text(json.dumps(index))
        edit(self.folder / "first.json", "lock",
             lambda text: "\n".join("  zstd: zstd-9.9.9" if line.startswith("  zstd: ") else line
                                    for line in text.split("\n")))
        found = self.causes(image, "first")
        self.assertEqual(set(found), {"encoder"})
        self.assertIn("the lock says zstd-9.9.9", found["encoder"])
        self.assertIn("layer 1: the compressed bytes", found["encoder"])

    def test_a_moved_base(self):
        def base(content):
            folder = self.folder / "base-project"
            folder.mkdir(exist_ok=True)
            (folder / "lithify.yaml").write_text(
                "lithify: 1\nproject: base\nplatforms: [linux/amd64]\nimage: {from: scratch, "
                f"steps: [{{file: /etc/base, text: \"{content}\"}}]}}\n")
            self.build(folder, "-q", "--output", f"oci={self.folder}/project/base")

        project = self.project(
            "sources: {base: {layout: base}}\n"
            "image: {from: base, steps: [{file: /srv/a, text: x}]}\n", {})
        base("one")
        image = self.make(project, "first")
        base("two")
        self.lithify("lock", "--update", "-q", cwd=project)
        self.make(project, "second")
        found = self.causes(image, "second", "--source", project)
        self.assertEqual(set(found), {"base"})
        self.assertIn("the base moved", found["base"])
        self.assertIn("layer 1, /etc/base: content at byte 0: \"one\", \"two\"", found["base"])
        # With the lock that it was built with it comes out the same.
        out = self.lithify("reproduce", "-q", "--provenance", self.folder / "first.json",
                           "--source", project, image).stdout
        self.assertTrue(out.startswith("reproduced"), out)

    def test_one_flipped_mode_bit(self):
        project = self.project(
            "sources: {site: {local: site, modes: keep}}\n"
            "image: {from: scratch, steps: [{copy: ., from: site, to: /srv}]}\n",
            {"site/a": "a\n", "site/b": "b\n"})
        (project / "site/a").chmod(0o644)
        (project / "site/b").chmod(0o644)
        image = self.make(project, "first")
        (project / "site/b").chmod(0o664)
        found = self.causes(image, "first", "--source", project)
        self.assertEqual(set(found), {"mode"})
        self.assertIn("layer 1, /srv/b: mode: `0644`, `0664`\n", found["mode"])

    def test_a_layout_says_itself_how_it_was_made(self):
        """Provenance in the layout, by a key; tests of the image are not needed for it."""
        project = self.project(
            "image:\n  from: scratch\n  steps: [{file: /srv/a, text: x}]\n"
            "  tests: [{structure-test: tests.yaml}]\n",
            {"tests.yaml": "schemaVersion: 2.0.0\nfileExistenceTests:\n"
                           "  - {name: a, path: /srv/a, shouldExist: true}\n"})
        image = self.make(project, "first")
        for name in ("builder", "own"):
            self.lithify("key", "generate", name, env=PASSWORD)
        self.lithify("attest", "-q", "--key", "builder.key", "--type", "provenance",
                     "--predicate", "first.json", image, env=PASSWORD)
        out = self.lithify("reproduce", "-q", "--key", "builder.pub", "--attest", "--key",
                           "own.key", image, env=PASSWORD)
        self.assertTrue(out.stdout.startswith("reproduced"), out.stdout)
        self.lithify("verify", "-q", "--reproduced-by", "own.pub", image)
        self.lithify("verify", "-q", "--reproduced-by", "builder.pub", image, status=4)
        self.lithify("reproduce", "-q", "--key", "own.pub", image, status=4)

    def test_a_recorded_build_file_reads_nothing_beside_its_sources(self):
        secret = self.folder / "secret"
        secret.mkdir()
        (secret / "word").write_text("hunter2\n")
        project = self.project(
            "sources: {site: {local: site}}\n"
            "image: {from: scratch, steps: [{copy: ., from: site, to: /srv}]}\n",
            {"site/a": "a\n"})
        image = self.make(project, "first")
        (project / "trap").symlink_to(secret)
        for where in (str(secret), "../secret", "trap"):
            with self.subTest(where=where):
                shutil.copy(self.folder / "first.json", self.folder / "evil.json")
                edit(self.folder / "evil.json", "build-file",
                     lambda text, where=where: text.replace("local: site", f"local: {where}"))
                out = self.lithify("reproduce", "-q", "--provenance", self.folder / "evil.json",
                                   "--source", project, image, status=2)
                self.assertIn("is outside of", unwrapped(out.stderr))
                self.assertNotIn("hunter2", out.stdout + out.stderr)
        out = self.lithify("reproduce", "-q", "--provenance", self.folder / "evil.json",
                           "--source", f"site={project}/site", image)
        self.assertTrue(out.stdout.startswith("reproduced"))


@needs("git")
class Twice(Scenario):
    def setUp(self):
        super().setUp()
        self.store = self.folder / "store"
        self.project = self.folder / "project"
        (self.project / "site").mkdir(parents=True)
        (self.project / "site/a").write_text("a\n")
        (self.project / "lithify.yaml").write_text(
            "lithify: 1\nproject: demo\nplatforms: [linux/amd64, linux/arm64]\n"
            "sources: {site: {local: site}}\n"
            "image: {from: scratch, steps: [{copy: ., from: site, to: /srv}]}\n")
        self.run_program("git", "init", "-q", self.project)

    def test_what_is_reproducible_is_said_to_be(self):
        out = self.lithify("build", "--twice", cwd=self.project)
        digest = out.stdout.split()[1]
        self.assertIn(f"twice  demo  {digest}  both times", out.stderr)
        self.assertEqual([p.name for p in self.folder.iterdir() if "again" in p.name], [])

    def test_a_program_that_looks_at_its_surroundings_is_found_out(self):
        """git is the program that this build runs, for the epoch; this one writes down how."""
        where = self.folder / "bin"
        where.mkdir()
        site = self.project / "site"
        (where / "git").write_text(
            "#!/bin/sh\ncase \"$*\" in *log*) echo \"$TZ $(umask) $LC_ALL\" > "
            f"{site}/b;; esac\nexec {shutil.which('git')} \"$@\"\n")
        (where / "git").chmod(0o755)
        (site / "b").write_text("\n")
        path = f"{where}:{os.environ['PATH']}"
        result = self.lithify("build", "--twice", "-q", "-j", "1", cwd=self.project, status=4,
                              env={"PATH": path, "TZ": "UTC", "LC_ALL": "C.UTF-8"})
        self.assertIn("not reproducible: demo", result.stderr)
        self.assertIn("/srv/b", result.stderr)
        self.assertEqual((site / "b").read_text().split(), ["Pacific/Kiritimati", "0077", "C"])


class Diff(Scenario):
    def test_two_images_are_compared_and_json_says_the_same(self):
        self.store = self.folder / "store"
        project = self.folder / "project"
        project.mkdir()
        for name, text in (("a", "one"), ("b", "two")):
            (project / "lithify.yaml").write_text(
                "lithify: 1\nproject: demo\nplatforms: [linux/amd64]\nimage: {from: scratch, "
                f"steps: [{{file: /srv/a, text: {text}}}], config: {{env: {{N: {text}}}}}}}\n")
            self.build(project, "-q", "--output", f"oci={self.folder}/{name}")
        out = self.lithify("diff", "a", "b", status=4).stdout
        self.assertIn("configuration: config.Env[0]: `N=one`, `N=two`", out)
        self.assertIn("layer 1, /srv/a: content at byte 0: \"one\", \"two\"", out)
        document = json.loads(self.lithify("diff", "--json", "a", "b", status=4).stdout)
        self.assertEqual(document["schema"], "lithify.diff/1")
        self.assertEqual(len(document["differences"]), 2)
        self.assertTrue(self.lithify("diff", "a", "a").stdout.startswith("equal  sha256:"))


if __name__ == "__main__":
    unittest.main()
