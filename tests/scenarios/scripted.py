"""What the scenarios about maintainer scripts share."""

# What Debian calls essential, which scripts need not say that they want.
ESSENTIAL = [
    "base-files", "base-passwd", "bash", "bsdutils", "coreutils", "dash", "debianutils",
    "diffutils", "dpkg", "findutils", "grep", "gzip", "hostname", "init-system-helpers",
    "libc-bin", "login", "ncurses-base", "ncurses-bin", "perl-base", "sed",
    "sysvinit-utils", "tar", "usr-is-merged", "util-linux"]


def machine_build_file(packages, more="", step=""):
    """An image of Debian 12 whose packages' scripts run."""
    return f"""lithify: 1
project: scripted
sources:
  debian: {{apt: {{suites: [bookworm], components: [main]}}}}
image:
  from: scratch
  platforms: [linux/amd64]
  steps:
    - packages: [{', '.join(packages)}]
      from: debian
      scripts: run
      {step}
  {more}
"""
