"""The real model that tests ask, brought from the network or found in the cache."""

import subprocess
import unittest

NAME = "smollm2"


def pull(program):
    """Where its file lies. Skips what follows, saying so, where the model cannot be had."""
    pulled = subprocess.run([program, "pull", NAME], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            timeout=600)
    if pulled.returncode != 0:
        raise unittest.SkipTest(f"the default model cannot be had: {pulled.stderr.strip()}")
    return pulled.stdout.split()[-1]
