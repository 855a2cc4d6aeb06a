"""apt-get -s is the oracle: what `lithify lock` chooses for an empty root, apt-get chooses.

Both use the apt sources of this machine, whose Debian suites give the suites of the build
file. EXPLAINED holds the lists that differ, and why.
"""
import pathlib
import re
import subprocess
import unittest

from support import Scenario, needs

LISTS = [
    "bash", "coreutils", "nginx", "python3", "python3-numpy", "default-jdk-headless",
    "postgresql", "build-essential", "libreoffice-core", "git", "curl", "openssh-server",
    "systemd", "perl", "ruby", "nodejs", "gcc", "vim", "emacs-nox", "apache2",
    "mariadb-server", "php", "texlive-base", "xfce4", "docker.io",
    "bash coreutils ca-certificates tzdata", "python3 python3-pip python3-venv",
    "g++ cmake ninja-build libssl-dev", "ffmpeg imagemagick", "rustc cargo", "golang",
    "postfix", "redis-server", "haproxy", "samba", "php-fpm php-mysql nginx",
    "python3-scipy python3-pandas python3-matplotlib", "r-base", "qemu-system-x86",
    "gnome-core", "kde-plasma-desktop", "libreoffice",
]
EXPLAINED = {  # (list, recommends): the reason
    ("libreoffice", True): "openjdk-17-jre wants libgtk2.0-0 | libgtk-3-0; apt looks at it "
                           "before a recommended package has brought GTK 3, we after",
}


def machine_suites():
    """The Debian suites that apt knows here: of this machine's own release."""
    release = pathlib.Path("/etc/os-release").read_text()
    name = re.search(r"^VERSION_CODENAME=(\w+)", release, re.M).group(1)
    policy = subprocess.run(["apt-cache", "policy"], text=True, capture_output=True,
                            check=True).stdout
    return [suite for suite in (name, f"{name}-updates", f"{name}-security")
            if f"n={suite}," in policy]


@needs("apt-get")
class AptCompare(Scenario):
    def setUp(self):
        super().setUp()
        self.suites = machine_suites()
        if not self.suites:
            self.skipTest("apt knows no suites here: apt-get update")
        self.write("status", "")
        for cache in ("cache", "lists"):
            (self.folder / cache).mkdir()

    def apt(self, packages, recommends):
        options = {"Dir::State::status": self.folder / "status",
                   "Dir::State::extended_states": self.folder / "extended",
                   "Dir::Cache": self.folder / "cache",
                   "Debug::NoLocking": "true",
                   "APT::Install-Recommends": str(recommends).lower()}
        flags = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
        out = self.run_program("apt-get", *flags, "-s", "install", *packages)
        found = re.findall(r"^Inst (\S+) \((\S+) ", out, re.M)
        return {f"{name.split(':')[0]}={version}" for name, version in found}

    def ours(self, packages, recommends):
        self.write("lithify.yaml", f"""lithify: 1
project: compare
sources:
  debian: {{apt: {{suites: [{', '.join(self.suites)}], components: [main]}}}}
image:
  from: scratch
  steps:
    - packages: [{', '.join(packages)}]
      from: debian
      recommends: {str(recommends).lower()}
""")
        (self.folder / "lithify.lock").unlink(missing_ok=True)
        self.lithify("lock")
        lock = (self.folder / "lithify.lock").read_text()
        found = re.findall(r'- name: (\S+)\n(?:    .*\n)*?    version: "?([^"\n]+)"?\n', lock)
        return {f"{name}={version}" for name, version in found}

    def compare(self, recommends):
        for packages in LISTS:
            with self.subTest(packages=packages, recommends=recommends):
                expected = self.apt(packages.split(), recommends)
                chosen = self.ours(packages.split(), recommends)
                if (packages, recommends) in EXPLAINED:
                    self.assertNotEqual(chosen, expected, "no longer needs an explanation")
                else:
                    self.assertEqual(sorted(chosen - expected), [], "only ours")
                    self.assertEqual(sorted(expected - chosen), [], "only apt's")

    def test_without_recommends(self):
        self.compare(False)

    def test_with_recommends(self):
        self.compare(True)


if __name__ == "__main__":
    unittest.main()
