#!/usr/bin/env python3
"""Runs small conformance cases under Oclgrind, which watches each access of each work-item.

usage: watch_kernels.py SWITCHYARD_CONFORMANCE OPENCL_PLUGIN

Fails if a case fails, or if Oclgrind finds an access outside of memory, a race between work-items, a
barrier that not all of them reach, or a value that was never written. Exit status 77 if it is not
installed.
"""

import os
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
# Every operation, and formats of each kind. A simulated work-item is some thousand times slower than
# a real one.
CASES = [
    "rms_norm/f32/zero_row", "add/f16/in_place", "scale/f32/in_place", "rope/bf16/halves/in_place",
    "gated_activation/f32/silu/strided", "row_gather/f32/strided", "copy/f16/to bf16/strided",
    "embedding/f32/iq4_nl/shapes", "linear/f32/q4_1/T1_N7_K256", "linear/f32/q6_k/T1_N7_K256",
    "linear/f16/f32/T3_N2_K7", "linear/f32/mxfp4/T2_N16_K96", "linear/f32/iq4_xs/T1_N1_K256",
    "batched_linear/f32/f32/shapes", "grouped_linear/f32/f32/x_each", "top_k/f32/strided",
    "router_top_k/f32/softmax/bias/renormalise", "combine/f32/strided", "attention/f32/fused_rows",
    "attention/f32/pages_f32/growing",
]


def main():
    conformance, plugin = sys.argv[1:]
    if not shutil.which("oclgrind"):
        print("skipped: oclgrind is not installed")
        return SKIPPED
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            log = os.path.join(folder, "log")
            # Its own compiler's optimisations bring instructions that it does not know.
            ran = subprocess.run(
                ["oclgrind", "--data-races", "--uninitialized", "--check-api", "--log", log,
                 "--build-options", "-cl-opt-disable", conformance, plugin,
                 "--option", "row_lanes=8", "--option", "linear_lanes=32",
                 "--option", "rows_of_lane=1", "--filter", case],
                capture_output=True, text=True, env={**os.environ, "TMPDIR": folder})
            found = ""
            if os.path.exists(log):
                with open(log) as file:
                    found = file.read().strip()
                os.remove(log)
            last = (ran.stdout.strip().splitlines() or ["(nothing)"])[-1]
            print(f"{case}: {last}")
            if ran.returncode != 0 or found:
                failures += 1
                print(ran.stdout, ran.stderr, found[:4000], sep="\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
