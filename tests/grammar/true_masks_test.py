#!/usr/bin/env python3
"""Holds the masks of grammars against brute force, over the default model's vocabulary.

    true_masks_test.py PROGRAM TRUE_MASKS

Without a network and without the model in the cache the test is skipped, saying so.
"""

import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import default_model  # noqa: E402

PROGRAM = TRUE_MASKS = MODEL_FILE = ""


def setUpModule():
    global MODEL_FILE
    MODEL_FILE = default_model.pull(PROGRAM)


class TrueMasks(unittest.TestCase):
    def test_every_token_by_itself_agrees(self):
        checked = subprocess.run([TRUE_MASKS, MODEL_FILE], capture_output=True, text=True,
                                 timeout=300)
        self.assertEqual(checked.returncode, 0, checked.stderr)
        self.assertIn("masks of 49152 tokens are true", checked.stdout)


if __name__ == "__main__":
    PROGRAM, TRUE_MASKS = sys.argv[1:3]
    del sys.argv[1:]
    unittest.main()
