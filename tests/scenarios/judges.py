"""Judges of signatures and SBOMs: each says whether it accepts, and in what words."""
import json
import os
import pathlib
import subprocess
import typing

from support import peer


class Verdict(typing.NamedTuple):
    accepted: bool
    words: str


def ask(words, home, **environment):
    done = subprocess.run(
        [str(word) for word in words], text=True, stdin=subprocess.DEVNULL, cwd=home,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=120,
        env={"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home),
             **environment})
    return Verdict(done.returncode == 0, done.stdout)


TRUSTED_ROOT = {
    "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    "tlogs": [], "ctlogs": [], "certificateAuthorities": [], "timestampAuthorities": []}


class Cosign:
    """cosign2 or cosign3 of the peers, without any log."""

    def __init__(self, name, home):
        self.name, self.home = name, home

    def verify(self, key, image, annotations=()):
        wanted = [word for one in annotations for word in ("-a", one)]
        return self._ask("verify", key, *wanted, image)

    def verify_attestation(self, key, image, kind):
        """Of bundles. cosign 2 reads them, too, but not without somebody to trust beside
        the key: nobody is enough."""
        words = ["--type", kind]
        if self.name == "cosign2":
            nobody = pathlib.Path(self.home) / "trusted_root.json"
            nobody.write_text(json.dumps(TRUSTED_ROOT))
            words += ["--new-bundle-format", "--trusted-root", nobody]
        return self._ask("verify-attestation", key, *words, image)

    def verify_envelope(self, key, image, kind):
        """An attestation as cosign 2 makes it, below the tag sha256-….att."""
        return self._ask("verify-attestation", key, "--type", kind, image)

    def _ask(self, command, key, *words):
        return ask([peer(self.name), command, "--insecure-ignore-tlog=true",
                    "--allow-http-registry", "--key", key, *words], self.home)


class Policy:
    """skopeo and podman with a policy.json that rejects what `key` did not sign.

    `identity` is how the name in a signature is compared: None for the default, which is
    matchRepoDigestOrExact.
    """

    def __init__(self, name, home, host, key, identity=None):
        self.name, self.home = name, pathlib.Path(home)
        rule = {"type": "sigstoreSigned", "keyPath": str(key)}
        if identity:
            rule["signedIdentity"] = identity
        self.policy = self.home / "policy.json"
        self.policy.write_text(json.dumps({
            "default": [{"type": "reject"}], "transports": {"docker": {host: [rule]}}}))
        registries = self.home / ".config/containers/registries.d"
        registries.mkdir(parents=True, exist_ok=True)
        (registries / "signed.yaml").write_text(json.dumps(
            {"docker": {host: {"use-sigstore-attachments": True}}}))
        self.registries = registries

    def pull(self, image, *flags):
        if self.name == "podman":
            place = self.home / "podman"
            return ask([peer("podman"), "--root", place / "root", "--runroot",
                        place / "run", "--tmpdir", place / "tmp", "--storage-driver",
                        "vfs", "--cgroup-manager", "cgroupfs", "pull", "--tls-verify=false",
                        "--signature-policy", self.policy, *flags, image], self.home)
        out = self.home / "pulled"
        done = ask([peer("skopeo"), "--policy", self.policy, "--registries.d",
                    self.registries, *flags, "copy", "--src-tls-verify=false",
                    f"docker://{image}", f"dir:{out}"], self.home)
        subprocess.run(["rm", "-rf", str(out)], check=True)
        return done

    def pull_all(self, image):
        """skopeo: the images of every platform."""
        out = self.home / "pulled"
        done = ask([peer("skopeo"), "--policy", self.policy, "--registries.d",
                    self.registries, "copy", "--all", "--remove-signatures",
                    "--src-tls-verify=false", f"docker://{image}", f"oci:{out}"], self.home)
        subprocess.run(["rm", "-rf", str(out)], check=True)
        return done


# A key that is known by its hint alone, for all time, and no log and no authority.
NPM = """
const fs = require('fs');
const {bundleFromJSON} = require('@sigstore/bundle');
const {Verifier, toSignedEntity, toTrustMaterial} = require('@sigstore/verify');
const [keyFile, hint, bundleFile] = process.argv.slice(1);
const key = require('crypto').createPublicKey(fs.readFileSync(keyFile));
const trust = toTrustMaterial(
    {mediaType: '', tlogs: [], ctlogs: [], certificateAuthorities: [],
     timestampAuthorities: []},
    (wanted) => {
      if (wanted !== hint) throw new Error('no key ' + wanted);
      return {publicKey: key, validFor: () => true};
    });
const verifier = new Verifier(trust, {tlogThreshold: 0, ctlogThreshold: 0,
                                      timestampThreshold: 0});
const bundle = bundleFromJSON(JSON.parse(fs.readFileSync(bundleFile, 'utf8')));
verifier.verify(toSignedEntity(bundle));
"""


class Npm:
    """@sigstore/verify with a managed key: the envelope, not what the statement says."""

    name = "npm"

    def __init__(self, home):
        self.home = pathlib.Path(home)

    def verify(self, key, hint, bundle):
        file = self.home / "bundle.json"
        file.write_bytes(bundle)
        return ask([peer("sigstore-node"), "-e", NPM, key, hint, file], self.home)


def referrers_by_oras(home, image):
    """[{"digest", "artifactType", …}] as `oras discover` finds them."""
    found = ask([peer("oras"), "discover", "--plain-http", "--format", "json", image], home)
    if not found.accepted:
        raise AssertionError(found.words)
    document = json.loads(found.words)
    return document.get("referrers") or document.get("manifests") or []


# ---- SBOMs -------------------------------------------------------------------------------

SPDX = """
import sys
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document
found = validate_full_spdx_document(parse_file(sys.argv[1]))
print("\\n".join(one.validation_message for one in found))
sys.exit(bool(found))
"""
CYCLONEDX = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
found = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1]).read())
print("" if found is None else found.data.message)
sys.exit(found is not None)
"""


def judge_spdx(home, file):
    """spdx_tools' verdict on a file that ends in .spdx.json. Needs the peer sbom-python."""
    return ask([peer("sbom-python"), "-c", SPDX, file], home)


def judge_cyclonedx(home, file):
    """CycloneDX's own library, with the schema of 1.6. Needs the peer sbom-python."""
    return ask([peer("sbom-python"), "-c", CYCLONEDX, file], home)
