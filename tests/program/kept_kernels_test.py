#!/usr/bin/env python3
"""Whether a chip that compiles its kernels does so once: a second start of the program finds them.

    kept_kernels_test.py PROGRAM CHIP

Exit status 77, saying so, without a device of the chip.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

SKIPPED = 77


def main():
    program, chip = sys.argv[1:]
    with tempfile.TemporaryDirectory() as cache:
        kernels = pathlib.Path(cache) / "switchyard" / "kernels" / chip

        def conform():
            return subprocess.run([program, "conform", chip, "--filter", "add/f32/same_twice"],
                                  env={**os.environ, "XDG_CACHE_HOME": cache}, capture_output=True,
                                  text=True, timeout=600)

        first = conform()
        if "there is no OpenCL device" in first.stderr or "there is no chip" in first.stderr:
            print(f"skipped: {first.stderr.strip()}")
            return SKIPPED
        if first.returncode != 0:
            print(first.stdout, first.stderr, sep=os.linesep)
            return 1
        kept = {path.name: path.stat().st_mtime_ns for path in kernels.glob("*")}
        print(f"{len(kept)} files in {kernels}")
        if not kept:
            return 1
        second = conform()
        again = {path.name: path.stat().st_mtime_ns for path in kernels.glob("*")}
        if second.returncode != 0 or again != kept:
            print("the second start made other files", second.stderr, again, kept, sep=os.linesep)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
