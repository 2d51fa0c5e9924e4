#!/usr/bin/env python3
"""Compiles the SIMT chips' kernels with compilers of other vendors' languages.

usage: compile_kernels.py SIMT_TEXT COMPILER

SIMT_TEXT is the program switchyard_simt_text, which prints the kernels; COMPILER is one of
  cuda     clang to PTX, without the CUDA kit
  hip      clang to GCN assembly, without the HIP kit
  nvrtc    NVIDIA's run-time compiler, a shared library
  hiprtc   AMD's run-time compiler, a shared library
Exit status: 0 all kernels compile, 1 some do not, 77 the compiler is not installed.
"""

import ctypes
import ctypes.util
import glob
import os
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
FORMATS = [0, 1, 2, *range(100, 113)]
# Groups as on the kind of device that each language is for: (LANES, ROWS_OF_LANE).
GROUPS = [(32, 1), (128, 1)]
KERNELS = {
    "rows": ["elementwise", "rms_norm", "copy_rows", "rope", "kv_store", "combine", "top_k",
             "router_top_k", "attention"],
    "blocks": ["embedding", "linear_1", "linear_8", "grouped_linear"],
    "ceiling": ["read_stream", "multiply_add_chains"],
}


def variants():
    for lanes, rows in GROUPS:
        yield "rows", [f"LANES={lanes}", "FAST_FMA=1"]
        yield "ceiling", [f"LANES={lanes}", "FAST_FMA=1"]
    for index, number in enumerate(FORMATS):
        lanes, rows = GROUPS[index % len(GROUPS)]
        yield "blocks", [f"LANES={lanes}", "FAST_FMA=1", f"ROWS_OF_LANE={rows}",
                         f"WEIGHT_FORMAT={number}"]


def find_clang():
    for name in ["clang++-19", "clang++-18", "clang++-17", "clang++-16", "clang++"]:
        if shutil.which(name):
            return name
    return None


def compile_with_clang(text, defines, arguments, marks):
    """The assembly's text; fails unless it has all of `marks`."""
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "kernels.cu")
        with open(source, "w") as file:
            file.write(text)
        made = subprocess.run([find_clang(), *arguments, "-O2", "-S", "-o", "-", source, "-Werror",
                               "-Wno-pass-failed", "-Wno-unused-function",
                               *["-D" + define for define in defines]],
                              capture_output=True, text=True)
    if made.returncode != 0:
        return made.stderr[:3000]
    missing = [mark for mark in marks if mark not in made.stdout]
    return f"the assembly lacks {missing}" if missing else ""


def cuda(text, defines, kernels):
    return compile_with_clang(
        text, defines,
        ["-x", "cuda", "--cuda-device-only", "--cuda-gpu-arch=sm_80", "-nocudainc", "-nocudalib"],
        [f".entry {kernel}(" for kernel in kernels])


def hip(text, defines, kernels):
    return compile_with_clang(
        text, defines,
        ["-x", "hip", "--cuda-device-only", "--offload-arch=gfx90a", "-nogpuinc", "-nogpulib"],
        [f"\n{kernel}:" for kernel in kernels])


def find_library(patterns):
    folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib", "/usr/local/cuda/lib64", "/opt/rocm/lib",
               *[os.path.join(folder, "nvidia", "cuda_nvrtc", "lib") for folder in sys.path]]
    for folder in folders:
        for pattern in patterns:
            for found in sorted(glob.glob(os.path.join(folder, pattern))):
                return found
    return None


def compile_at_run_time(library, prefix, text, options):
    """What nvrtc and hiprtc have in common: all but the prefix of their names."""
    handle = ctypes.CDLL(library)

    def call(name, *arguments):
        return getattr(handle, prefix + name)(*arguments)

    program = ctypes.c_void_p()
    result = call("CreateProgram", ctypes.byref(program), text.encode(), b"kernels", 0, None, None)
    if result != 0:
        return f"CreateProgram gives {result}"
    strings = (ctypes.c_char_p * len(options))(*[option.encode() for option in options])
    result = call("CompileProgram", program, len(options), strings)
    if result == 0:
        return ""
    size = ctypes.c_size_t()
    call("GetProgramLogSize", program, ctypes.byref(size))
    log = ctypes.create_string_buffer(max(size.value, 1))
    call("GetProgramLog", program, log)
    return f"CompileProgram gives {result}: {log.value.decode(errors='replace')[:3000]}"


def in_child(library, prefix, text, options):
    """In a process of its own: such libraries abort."""
    child = os.fork()
    if child == 0:
        problem = compile_at_run_time(library, prefix, text, options)
        if problem:
            print(problem, file=sys.stderr)
        sys.stderr.flush()
        os._exit(1 if problem else 0)
    _, status = os.waitpid(child, 0)
    return "" if status == 0 else f"the compiler's process ended with {status}"


def nvrtc(text, defines, _kernels):
    return in_child(find_library(["libnvrtc.so*"]), "nvrtc", text,
                    ["--gpu-architecture=compute_80", *["-D" + define for define in defines]])


def hiprtc(text, defines, _kernels):
    return in_child(find_library(["libhiprtc.so*", "libamdhip64.so*"]), "hiprtc", text,
                    ["--gpu-architecture=gfx90a", *["-D" + define for define in defines]])


COMPILERS = {
    "cuda": (cuda, find_clang),
    "hip": (hip, find_clang),
    "nvrtc": (nvrtc, lambda: find_library(["libnvrtc.so*"])),
    "hiprtc": (hiprtc, lambda: find_library(["libhiprtc.so*", "libamdhip64.so*"])),
}


def main():
    program, name = sys.argv[1:]
    compiler, find = COMPILERS[name]
    if not find():
        print(f"skipped: no compiler for {name} is installed")
        return SKIPPED
    texts = {which: subprocess.run([program, which], capture_output=True, text=True,
                                   check=True).stdout for which in KERNELS}
    failures = 0
    count = 0
    for which, defines in variants():
        count += 1
        problem = compiler(texts[which], defines, KERNELS[which])
        if problem:
            failures += 1
            print(f"{which} with {' '.join(defines)}: {problem}")
    print(f"{count - failures} of {count} compile as {name}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
