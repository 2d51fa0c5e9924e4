#!/usr/bin/env python3
"""Fails on headers that do not themselves include what they name of the standard library and of fmt.

The build proves that each header compiles on its own, but with those two precompiled, since they
would take most of its time; whether a header includes them it cannot see.
"""

import pathlib
import re

import source_tree

# Who declares what, among all that our headers use.
DECLARED_BY = {
    "algorithm": "min ranges::transform",
    "array": "array",
    "atomic": "atomic memory_order_relaxed",
    "bit": "bit_cast bit_ceil",
    "chrono": "chrono",
    "condition_variable": "condition_variable",
    "cstddef": "byte size_t",
    "cstdint": "int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t uint64_t",
    "cstdio": "FILE",
    "cstring": "memcpy",
    "deque": "deque",
    "exception": "exception",
    "expected": "expected unexpected",
    "filesystem": "filesystem",
    "functional": "equal_to function hash less",
    "initializer_list": "initializer_list",
    "limits": "numeric_limits",
    "list": "list",
    "map": "map",
    "memory": "enable_shared_from_this make_shared make_unique shared_ptr unique_ptr weak_ptr",
    "mutex": "lock_guard mutex once_flag",
    "optional": "nullopt optional",
    "set": "set",
    "span": "span",
    "string": "string",
    "string_view": "string_view",
    "system_error": "error_code",
    "thread": "thread",
    "type_traits": "is_trivially_destructible_v",
    "unordered_map": "unordered_map",
    "utility": "exchange forward move pair",
    "variant": "get_if variant",
    "vector": "vector",
}
HEADER_OF = {name: header for header, names in DECLARED_BY.items() for name in names.split()}
# Declared by several headers, each of which also declares the type that they are of.
OF_THEIR_ARGUMENT = {"get"}
NOT_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)
INCLUDE = re.compile(r"^#include <(?:(fmt)/)?([^>]+)>", re.MULTILINE)
# Names without std:: are C's.
NAME = re.compile(r"\bstd::(\w+(?:::\w+)?)|(?<![\w:.>])(u?int(?:8|16|32|64|ptr)_t|size_t|assert)\b(?!:)|\b(fmt)::")


def needed(text: str) -> dict[str, str]:
    """The headers that the text needs, each with a name that needs it; a name that is not known
    stands for itself."""
    headers = {}
    for standard, plain, library in NAME.findall(NOT_CODE.sub("", text)):
        name = standard or plain or library
        if library:
            headers.setdefault(library, f"{library}::")
        elif (outer := name.split("::")[0]) not in OF_THEIR_ARGUMENT:
            header = HEADER_OF.get(name) or HEADER_OF.get(outer)
            headers.setdefault(header or name, f"std::{name}" if standard else name)
    return headers


def problems(root: pathlib.Path) -> list[str]:
    found = []
    for path in source_tree.files(root, ["src"], {".h"}):
        text = path.read_text(encoding="utf-8")
        included = {library or header for library, header in INCLUDE.findall(text)}
        for header, name in needed(text).items():
            if header not in DECLARED_BY and header != "fmt":
                found.append(f"{path.relative_to(root)}: which header declares {name}? Tell {pathlib.Path(__file__).name}")
            elif header not in included:
                found.append(f"{path.relative_to(root)}: names {name} and does not include <{header}>")
    return found


if __name__ == "__main__":
    source_tree.run(problems)
