#!/usr/bin/env python3
"""Fails on names that conventions forbid.

Chip, vendor and instruction-set names belong under chips/, in chip profiles and rules (data/), in
docs, tests and benchmarks; code that is neutral does not know which chips exist. Files are
snake_case .h, .cc, .c or .py. Words that say nothing are not part of a file's or a type's name.
"""

import pathlib
import re

import source_tree

NEUTRAL = ["src", "include", "conformance", "cmake", "deploy"]
# Where chips of all makers are asked for by their resources.
CHIPS_BY_NAME = pathlib.PurePath("deploy/kubernetes")
EVERYTHING = ["src", "include", "conformance", "chips", "tests", "bench", "tools"]

# Whole words of the text, names taken apart (kAvx512 holds "avx").
CHIP_WORDS = {
    # makers and their chips
    "nvidia", "amd", "epyc", "radeon", "intel", "xeon", "gaudi", "habana", "huawei",
    "ascend", "cambricon", "mlu", "hygon", "dcu", "kunlun", "kunlunxin", "biren", "metax", "iluvatar",
    "enflame", "mthreads", "sophgo", "tenstorrent", "groq", "cerebras", "graphcore", "qualcomm",
    # their software
    "cuda", "cublas", "cudnn", "cutlass", "nccl", "rocm", "hipblas", "rocblas", "cann", "aclnn",
    "hccl", "cnnl", "xpu", "musa", "muxi", "maca", "oneapi", "onednn", "sycl", "openvino",
    # instruction sets
    "avx", "amx", "vnni", "neon", "sve", "aarch", "riscv", "altivec", "immintrin",
}  # fmt: skip
CHIP_PHRASE = re.compile(
    r"moore[ -]?threads|\bt-head\b|(?<![0-9a-z\\])x86|(?<![0-9a-z])arm64|(?<![0-9a-z])s?sse[234]", re.IGNORECASE
)

EMPTY_WORDS = {
    "manager", "helper", "helpers", "util", "utils", "utility", "misc", "impl", "common", "data",
    "info", "do", "process", "handler",
}  # fmt: skip
FILE_NAME = re.compile(r"^[a-z][a-z0-9_]*\.(h|cc|c|py)$")
WRONG_SUFFIXES = {".hpp", ".hh", ".hxx", ".cpp", ".cxx", ".C", ".inl", ".inc"}
TYPE = re.compile(r"^\s*(?:typedef\s+)?(?:class|struct|enum(?:\s+class)?|union|concept|using)\s+([A-Za-z_]\w*)")


def chip_names(line: str) -> list[str]:
    found = [word for word in source_tree.words(line) if word in CHIP_WORDS]
    return found + [match.group(0) for match in CHIP_PHRASE.finditer(line)]


def problems(root: pathlib.Path) -> list[str]:
    found = []
    for path in source_tree.files(root, NEUTRAL):
        name = path.relative_to(root)
        if name.is_relative_to(CHIPS_BY_NAME):
            continue
        for word in chip_names(str(name)):
            found.append(f"{name}: a neutral file is named after a chip ({word})")
        for number, line in enumerate(source_tree.lines(path), 1):
            for word in chip_names(line):
                found.append(f"{name}:{number}: neutral code names a chip ({word})")
    for path in source_tree.files(root, EVERYTHING):
        name = path.relative_to(root)
        if path.suffix in WRONG_SUFFIXES:
            found.append(f"{name}: sources end in .h, .cc or .c")
        if path.suffix not in source_tree.CODE | {".py"}:
            continue
        if not FILE_NAME.match(path.name):
            found.append(f"{name}: file names are snake_case")
        for word in EMPTY_WORDS & set(source_tree.words(path.stem)):
            found.append(f"{name}: '{word}' says nothing in a file's name")
        if path.suffix in source_tree.CODE:
            for number, line in enumerate(source_tree.lines(path), 1):
                match = TYPE.match(line)
                for word in EMPTY_WORDS & set(source_tree.words(match.group(1)) if match else ()):
                    found.append(f"{name}:{number}: '{word}' says nothing in a type's name ({match.group(1)})")
    return found


if __name__ == "__main__":
    source_tree.run(problems)
