#!/usr/bin/env python3
"""Whether a chip answers a prompt as the reference does, token for token, with nothing on another chip.

    same_answer_test.py PROGRAM CHIP

Exit status 77, saying so, without the default model or without a device of the chip.
"""

import os
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import default_model  # noqa: E402

MODEL = default_model.NAME
SKIPPED = 77


def main():
    program, chip = sys.argv[1:]

    def switchyard(*arguments):
        return subprocess.run([program, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=600)

    try:
        default_model.pull(program)
    except unittest.SkipTest as why:
        print(f"skipped: {why}")
        return SKIPPED
    ask = ["run", MODEL, "-p", "What is the capital of France?", "--temperature", "0", "-n", "12"]
    answer = switchyard(*ask, "--chip", chip, "--no-fallback")
    if "there is no device 0" in answer.stderr or "there is no chip" in answer.stderr:
        print(f"skipped: {answer.stderr.strip()}")
        return SKIPPED
    truth = switchyard(*ask, "--chip", "reference")
    print(f"{chip}: {answer.stdout.strip()!r}\nreference: {truth.stdout.strip()!r}")
    if answer.returncode != 0 or truth.returncode != 0:
        print(answer.stderr, truth.stderr, sep=os.linesep)
        return 1
    if "Paris" not in truth.stdout:
        print("the reference itself does not know")
        return 1
    return 0 if answer.stdout == truth.stdout else 1


if __name__ == "__main__":
    sys.exit(main())
