"""What the scenarios with judges share: a pushed image, openssl's keys, verdicts of lithify
and of the judges about one twin."""
import json
import typing

from attachments import Attachments, Key
from judges import Cosign, Npm, Policy, Verdict
from registry_scenario import RegistryScenario


class Twin(typing.NamedTuple):
    """Something attached that is not what it should be.

    make: attaches it; may return how to undo what is not attached. check: what lithify
    names. accepted_by: the judges that accept it all the same, each with the reason; the
    others reject it. key: the name of the key that is trusted.
    """

    name: str
    make: typing.Callable
    check: str
    accepted_by: dict = {}
    key: str = "mine"


class JudgeScenario(RegistryScenario):
    platforms = "linux/amd64"

    def setUp(self):
        super().setUp()
        self.server = self.registry()
        self.repository = "team/app"
        self.name = f"{self.server.host}/{self.repository}"
        self.ref = f"{self.name}:1"
        self.project({"a": "one\n"}, platforms=self.platforms)
        self.digest = self.push(self.ref)
        self.keys = {}
        self.at = Attachments(self.server, self.repository, self.digest)

    def push(self, ref, *args, **kwargs):
        return self.lithify("push", "--tag", ref, "-q", *args, cwd=self.folder / "project",
                            **kwargs).stdout.strip().split("@")[1]

    def key(self, name="mine", kind=None):
        if name not in self.keys:
            self.keys[name] = Key(self.folder, name, kind or "p256")
        return self.keys[name]

    def sign(self, name="mine", *args, ref=None, **kwargs):
        return self.lithify("sign", "--key", self.key(name).private, *args, ref or self.ref,
                            **kwargs)

    def verify(self, name="mine", *args, ref=None, **kwargs):
        return self.lithify("verify", "--key", self.key(name).public, *args,
                            ref or self.ref, "-q", **kwargs)

    def children(self):
        """Digests of the images of an index."""
        return [one["digest"] for one in json.loads(self.at.get(self.digest))["manifests"]]

    def cosign(self, name):
        return Cosign(name, self.home)

    def policy(self, name, key="mine", identity=None):
        return Policy(name, self.home, self.server.host, self.key(key).public, identity)

    def npm(self, bundle, key="mine"):
        return Npm(self.home).verify(self.key(key).public, self.key(key).hint, bundle)

    # ---- verdicts ------------------------------------------------------------------------

    def assert_accepted(self, verdict, accepted=True):
        self.assertEqual(verdict.accepted, accepted, verdict.words)

    def lithify_rejects(self, check, *args, key="mine", ref=None):
        """With exit code 4, and a line of the report for the check that failed."""
        result = self.verify(key, *args, ref=ref, status=4)
        self.assertIn(f"✗ {check}: ", result.stdout)

    def judge_twins(self, twins, judges, *verify_args):
        """judges: {name: function of a key's name to a verdict}. Each twin is put where the
        true thing was; at the end the true thing is accepted again, by all."""
        for twin in twins:
            undo = None
            with self.subTest(twin.name):
                self.at.clear()
                undo = twin.make(self)
                self.lithify_rejects(twin.check, *verify_args, key=twin.key)
                for name, judge in judges.items():
                    verdict = judge(twin.key)
                    self.assertEqual(verdict.accepted, name in twin.accepted_by,
                                     f"{name} {twin.accepted_by.get(name)}\n{verdict.words}")
            if undo:
                undo()


__all__ = ["JudgeScenario", "Twin", "Verdict"]
