"""Pushes and pulls through a proxy that cuts connections: what both lengths share."""
import shutil

from registry_peers import Proxy
from registry_scenario import RegistryScenario, digest, noise
from support import blob, manifest_of


class CutScenario(RegistryScenario):
    def rounds(self, count, seed):
        """Images of 1–2 MB with different data, there and back, one connection in ten cut."""
        peer = self.registry()
        proxy = Proxy(peer, share=0.1, seed=seed)
        self.addCleanup(proxy.stop)
        for number in range(count):
            size = 1_000_000 + 1_000_000 * number // count
            data = noise(size, seed * 1000 + number)
            demo = self.project({"data": data}, '  - {repo: "%s/demo", tags: {v%d: once}}\n'
                                % (proxy.host, number))
            pushed = self.lithify("push", "-q", cwd=demo).stdout.strip().split("@")[1]
            self.assertEqual(self.assert_complete(peer, "demo", f"v{number}"), pushed)
            layout, other = self.folder / "pulled", self.folder / "other"
            self.lithify("pull", "-q", f"{proxy.host}/demo:v{number}", layout, store=other)
            manifest = manifest_of(layout)
            for one in [manifest["config"], *manifest["layers"]]:
                self.assertEqual(digest(blob(layout, one["digest"])), one["digest"])
            shutil.rmtree(layout)
            shutil.rmtree(other)
        self.assertGreater(proxy.cut, count // 10)
