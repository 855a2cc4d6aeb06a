"""1,000 times Ctrl-C and 200 times kill -9 at random moments of a build that runs commands:
no process, no mount, no half root; the store stays valid, and the digest the same."""
import os
import signal
import unittest

from run_faults import Faults
from support import needs

ROUNDS = int(os.environ.get("LITHIFY_FAULTS", "1000"))


@needs("busybox")
class RunFaultsLong(Faults):
    def test_ctrl_c(self):
        self.disturb(ROUNDS, signal.SIGINT)

    def test_kill(self):
        self.disturb(ROUNDS // 5, signal.SIGKILL)


if __name__ == "__main__":
    unittest.main()
