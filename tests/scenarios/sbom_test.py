"""SBOMs of real images, held against the images themselves, and judged by other people's
validators and by cosign. LITHIFY_SBOM_PYTHON names a python that has spdx-tools and
cyclonedx-python-lib[json-validation], else it is the one of tests/scenarios/peers; without
one those judges are skipped."""
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import unittest

from registry import Registry
from support import Scenario, files_of, layer_tar, manifest_of, needs, peer

PASSWORD = {"COSIGN_PASSWORD": "a passphrase"}
JUDGES = os.environ.get("LITHIFY_SBOM_PYTHON") or peer("sbom-python") or sys.executable
SPDX_JUDGE = """
import sys
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document
document = parse_file(sys.argv[1])
wrong = [str(one) for one in validate_full_spdx_document(document)]
print(len(document.packages), len(document.files))
sys.exit("\\n".join(wrong[:20]) or 0)
"""
CYCLONEDX_JUDGE = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1]).read())
sys.exit(repr(wrong) if wrong else 0)
"""


def has_judge(module):
    return subprocess.run([JUDGES, "-c", f"import {module}"], capture_output=True,
                          check=False).returncode == 0


def database_of(layout):
    """(name, architecture, version) of every package that dpkg's database in the image
    has, read without any code of ours."""
    text = {}
    for descriptor in manifest_of(layout)["layers"]:
        with tarfile.open(fileobj=io.BytesIO(layer_tar(layout, descriptor))) as tar:
            for member in tar:
                name = member.name
                if member.isreg() and (name == "var/lib/dpkg/status" or (
                        name.startswith("var/lib/dpkg/status.d/")
                        and not name.endswith(".md5sums"))):
                    text[name] = tar.extractfile(member).read().decode()
    found = set()
    for paragraph in "\n\n".join(text.values()).split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines()
                      if re.match(r"(Package|Architecture|Version): ", line))
        if fields:
            found.add((fields["Package"], fields["Architecture"], fields["Version"]))
    return found


def purls(document):
    """The same out of an SBOM."""
    found = set()
    texts = re.findall(r'"(pkg:deb/[^"]*)"', json.dumps(document))
    for text in texts:
        name, version, architecture = re.match(
            r"pkg:deb/debian/([^@]+)@([^?]+)\?arch=([^&]+)", text).groups()
        found.add(tuple(re.sub("%(..)", lambda m: chr(int(m.group(1), 16)), one)
                        for one in (name, architecture, version)))
    return found


def spdx_files(document):
    """path -> (sha256, who owns it)"""
    owners = {one: package["name"] for package in document["packages"]
              for one in package.get("hasFiles", [])}
    return {file["fileName"][2:]: (
        {one["algorithm"]: one["checksumValue"] for one in file["checksums"]}["SHA256"],
        owners[file["SPDXID"]]) for file in document["files"]}


def cyclonedx_files(document):
    return {file["name"][1:]: (file["hashes"][0]["content"], component["name"])
            for component in document["components"]
            for file in component.get("components", [])}


class Sbom(Scenario):
    def made(self, name):
        """(project, SPDX, CycloneDX), with the image in its folder `image`."""
        project = self.example(name)
        self.build(project, "--output", "oci=image", "--output", "sbom=it.spdx.json",
                   "--output", "sbom=it.cdx.json")
        return (project, json.loads((project / "it.spdx.json").read_text()),
                json.loads((project / "it.cdx.json").read_text()))

    def judge(self, project):
        if has_judge("spdx_tools"):
            self.run_program(JUDGES, "-c", SPDX_JUDGE, project / "it.spdx.json")
        if has_judge("cyclonedx"):
            self.run_program(JUDGES, "-c", CYCLONEDX_JUDGE, project / "it.cdx.json")

    def check(self, name):
        project, spdx, cyclonedx = self.made(name)
        layout = project / "image"
        database = database_of(layout)
        self.assertGreater(len(database), 10)
        self.assertEqual(purls(spdx), database)
        self.assertEqual(purls(cyclonedx), database)
        image = {path: known[-1] for path, known in files_of(layout).items()
                 if known[0] == "file"}
        for files in (spdx_files(spdx), cyclonedx_files(cyclonedx)):
            self.assertEqual({path: of[0] for path, of in files.items()}, image)
            self.assertTrue(all(of[1] for of in files.values()))
        self.judge(project)
        return project, spdx_files(spdx), spdx

    def test_debian_minimal_lists_what_is_in_it(self):
        _, files, spdx = self.check("debian-minimal")
        self.assertEqual(files["usr/bin/bash" if "usr/bin/bash" in files else "bin/bash"][1],
                         "bash")
        self.assertEqual(files["etc/hostname"][1], "file /etc/hostname")
        licences = {one["name"]: one["licenseDeclared"] for one in spdx["packages"]}
        self.assertIn("GPL-3.0-or-later", licences["bash"])
        self.assertEqual(licences["libc6"], "NOASSERTION")

    def test_nginx_site_lists_what_is_in_it(self):
        _, files, _ = self.check("nginx-site")
        self.assertEqual(files["srv/www/index.html"][1], "copy . to /srv/www")
        self.assertEqual(files["etc/nginx/nginx.conf"][1], "file /etc/nginx/nginx.conf")
        self.assertEqual(files["usr/sbin/nginx"][1], "nginx")

    def test_two_builds_under_variation_have_one_sbom(self):
        first, _, _ = self.made("debian-minimal")
        other = self.example("debian-minimal", to="some where else")
        shutil.copy(first / "lithify.lock", other)
        os.umask(os.umask(0o077))
        self.build(other, "--output", "sbom=it.spdx.json", "--output", "sbom=it.cdx.json",
                   "-j", "1", store=self.folder / "fresh",
                   env={"TZ": "Asia/Tokyo", "LC_ALL": "C", "HOME": str(self.folder)})
        for form in ("spdx", "cdx"):
            self.assertEqual((first / f"it.{form}.json").read_bytes(),
                             (other / f"it.{form}.json").read_bytes())

    def test_it_is_printed_of_a_build_file_and_of_what_that_has_made(self):
        project, _, _ = self.made("debian-minimal")
        spdx = (project / "it.spdx.json").read_text()
        self.assertEqual(self.lithify("sbom", cwd=project).stdout, spdx + "\n")
        self.assertEqual(self.lithify("sbom", "debian-minimal", cwd=project).stdout,
                         spdx + "\n")
        self.assertEqual(self.lithify("sbom", "./image", "--format", "cyclonedx",
                                      cwd=project).stdout,
                         (project / "it.cdx.json").read_text() + "\n")
        elsewhere = self.lithify("sbom", project / "image", cwd=self.folder, status=2)
        self.assertIn("no build file here makes that image", elsewhere.stderr)
        self.assertIn("is no form of an SBOM",
                      self.lithify("sbom", "--format", "swid", cwd=project,
                                   status=2).stderr)


class SbomOfBase(Scenario):
    def base(self, *layers):
        """A layout with an image of these layers, each a map of names to texts."""
        blobs = self.folder / "base/blobs/sha256"
        blobs.mkdir(parents=True)

        def put(data, kind):
            name = hashlib.sha256(data).hexdigest()
            (blobs / name).write_bytes(data)
            return {"mediaType": f"application/vnd.oci.image.{kind}",
                    "digest": "sha256:" + name, "size": len(data)}

        def tar_of(files):
            out = io.BytesIO()
            with tarfile.open(fileobj=out, mode="w") as tar:
                for name, text in files.items():
                    info = tarfile.TarInfo(name)
                    info.size = len(text)
                    tar.addfile(info, io.BytesIO(text.encode()))
            return out.getvalue()
        parts = [put(tar_of(files), "layer.v1.tar") for files in layers]
        config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {
            "type": "layers", "diff_ids": [part["digest"] for part in parts]}}
        manifest = {"schemaVersion": 2,
                    "mediaType": "application/vnd.oci.image.manifest.v1+json",
                    "config": put(json.dumps(config).encode(), "config.v1+json"),
                    "layers": parts}
        root = put(json.dumps(manifest).encode(), "manifest.v1+json")
        root["annotations"] = {"org.opencontainers.image.ref.name": "base"}
        self.write("base/oci-layout", '{"imageLayoutVersion":"1.0.0"}')
        self.write("base/index.json",
                   json.dumps({"schemaVersion": 2, "manifests": [root]}))

    def test_packages_and_files_of_a_base_are_listed_too(self):
        status = ("Package: tool\nStatus: install ok installed\nArchitecture: all\n"
                  "Version: 1:2.0+b1\n\n")
        self.base({"usr/bin/tool": "#!", "usr/bin/other": "old",
                   "var/lib/dpkg/status": status,
                   "var/lib/dpkg/info/tool.list": "/.\n/usr/bin/tool\n"},
                  {"usr/bin/.wh.other": "", "etc/own": "x"})
        self.write("project/lithify.yaml", "lithify: 1\nproject: p\n"
                   "platforms: [linux/amd64]\n"
                   "sources: {base: {layout: ../base}}\nimage:\n  from: base\n  steps:\n"
                   "    - {file: /etc/mine, text: y}\n"
                   "    - {attrs: [/usr/bin/tool, /etc/mine], mode: '0700'}\n")
        document = json.loads(self.lithify("sbom", cwd=self.folder / "project").stdout)
        self.assertEqual(purls(document), {("tool", "all", "1:2.0+b1")})
        files = spdx_files(document)
        self.assertEqual(files["usr/bin/tool"][1], "tool")
        self.assertEqual(files["etc/mine"][1], "file /etc/mine")
        self.assertRegex(files["etc/own"][1], r"base.*@sha256:")
        self.assertNotIn("usr/bin/other", files)


@needs("docker-registry")
class SbomOfPush(Scenario):
    def setUp(self):
        super().setUp()
        self.server = Registry(self.folder / "registry")
        self.addCleanup(self.server.stop)
        self.server.start()
        self.ref = f"{self.server.host}/team/app:1"
        self.project = self.folder / "project"
        self.write("project/lithify.yaml", "lithify: 1\nproject: app\n"
                   "platforms: [linux/amd64, linux/arm64]\nimage:\n  from: scratch\n"
                   "  steps:\n    - {file: /etc/arch, text: $(platform.arch), expand: true}\n"
                   "sign: {key: mine.key, attest: [sbom-spdx, sbom-cyclonedx], "
                   "mirror-att: true}\n")
        self.lithify("key", "generate", "mine", cwd=self.project, env=PASSWORD)

    def push(self, **kwargs):
        return self.lithify("push", "--tag", self.ref, cwd=self.project, env=PASSWORD,
                            **kwargs)

    def test_a_push_attests_each_platform_once(self):
        told = self.push().stderr
        self.assertIn("attested sbom-spdx and sbom-cyclonedx", told)
        for platform in ("linux/amd64", "linux/arm64"):
            for form in ("spdx", "cyclonedx"):
                words = ("--format", form, "--platform", platform)
                attached = self.lithify("sbom", self.ref, *words, cwd=self.folder).stdout
                self.assertEqual(attached, self.lithify("sbom", *words, cwd=self.project)
                                 .stdout)
        self.server.forget()
        self.assertIn("as it was", self.push().stderr)
        self.assertEqual({one.split()[0] for one in self.server.requests()} -
                         {"GET", "HEAD"}, set())

    def test_a_plan_says_who_would_sign_what(self):
        plan = self.lithify("plan", cwd=self.project).stdout
        self.assertIn("signs what is pushed with\n"
                      "  app  mine.key  attests sbom-spdx and sbom-cyclonedx\n", plan)
        image = json.loads(self.lithify("plan", "--json", cwd=self.project).stdout)["images"][0]
        self.assertEqual(image["sign"], {"attest": ["sbom-spdx", "sbom-cyclonedx"],
                                         "keys": ["mine.key"]})

    def test_where_none_is_attached_that_is_said(self):
        self.lithify("push", "--tag", self.ref, "--no-sign", cwd=self.project)
        refused = self.lithify("sbom", self.ref, cwd=self.folder, status=2).stderr
        self.assertIn("no SBOM of this form is attached", refused)
        self.assertIn("attest: [sbom-spdx]", refused)

    @needs("cosign")
    def test_cosign_believes_the_attestations(self):
        self.push()
        index = json.loads(self.run_program(
            "curl", "-sf", "--noproxy", "*", "-H",
            "Accept: application/vnd.oci.image.index.v1+json",
            f"http://{self.server.host}/v2/team/app/manifests/1"))
        environment = {**os.environ, "HOME": str(self.folder)}
        for manifest in index["manifests"]:
            for kind, form in (("spdxjson", "spdx"), ("cyclonedx", "cyclonedx")):
                words = ["verify-attestation", "--insecure-ignore-tlog=true",
                         "--allow-http-registry", "--type", kind]
                image = f"{self.ref[:-2]}@{manifest['digest']}"
                self.run_program("cosign", *words, "--key", "mine.pub", image,
                                 cwd=self.project, env=environment)
                wrong = subprocess.run(
                    ["cosign", *words[:-1], "openvex", "--key", "mine.pub", image],
                    cwd=self.project, env=environment, capture_output=True, check=False)
                self.assertNotEqual(wrong.returncode, 0)
                self.lithify("verify", "--key", "mine.pub", "--type", form, image, "-q",
                             cwd=self.project)


if __name__ == "__main__":
    unittest.main()
