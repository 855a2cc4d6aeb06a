"""What the scenarios about maintainer scripts share."""


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
