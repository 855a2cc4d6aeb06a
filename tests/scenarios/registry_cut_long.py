"""Two hundred images through a proxy that cuts connections, and a server that goes away for
good."""
import unittest

from registry_cut import CutScenario
from support import needs


@needs("docker-registry")
class Cut(CutScenario):
    def test_two_hundred_images(self):
        self.rounds(200, seed=23)

    def test_nobody_is_there(self):
        peer = self.registry()
        demo = self.project({"a": "a\n"}, '  - {repo: "%s/demo", tags: {v1: once}}\n'
                            % peer.host)
        self.build(demo)
        peer.stop()
        result = self.lithify("push", "-q", cwd=demo, status=6)
        self.assert_golden("nobody-there", result.stderr, peer)


if __name__ == "__main__":
    unittest.main()
