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
    "algorithm": "clamp fill max min ranges::copy ranges::find ranges::sort ranges::transform sort",
    "array": "array to_array",
    "atomic": "atomic atomic_bool memory_order_acquire memory_order_relaxed memory_order_release",
    "bit": "bit_cast bit_ceil bit_floor bit_width countl_zero countr_zero endian has_single_bit popcount",
    "cassert": "assert",
    "charconv": "from_chars to_chars",
    "chrono": "chrono",
    "cmath": "ceil exp floor isfinite isnan lround sqrt",
    "compare": "strong_ordering",
    "condition_variable": "condition_variable condition_variable_any",
    "coroutine": "coroutine_handle",
    "cstddef": "byte max_align_t nullptr_t ptrdiff_t size_t",
    "cstdint": "int8_t int16_t int32_t int64_t intptr_t uint8_t uint16_t uint32_t uint64_t uintptr_t",
    "cstdio": "FILE fclose fopen fputs",
    "cstdlib": "abort free getenv malloc",
    "cstring": "memchr memcmp memcpy memmove memset strlen",
    "deque": "deque",
    "exception": "current_exception exception exception_ptr",
    "expected": "expected unexpected",
    "filesystem": "filesystem",
    "fstream": "fstream ifstream ofstream",
    "functional": "equal_to function greater hash less move_only_function ref",
    "future": "future promise",
    "initializer_list": "initializer_list",
    "iosfwd": "istream ostream",
    "iterator": "back_inserter input_iterator_tag",
    "limits": "numeric_limits",
    "list": "list",
    "map": "map multimap",
    "memory": "enable_shared_from_this make_shared make_unique shared_ptr unique_ptr weak_ptr",
    "mutex": "lock_guard mutex once_flag call_once scoped_lock unique_lock",
    "numeric": "accumulate",
    "optional": "nullopt optional",
    "queue": "priority_queue queue",
    "random": "mt19937 mt19937_64",
    "set": "multiset set",
    "shared_mutex": "shared_lock shared_mutex",
    "span": "dynamic_extent span",
    "sstream": "istringstream ostringstream stringstream",
    "stop_token": "stop_source stop_token",
    "string": "string to_string",
    "string_view": "string_view",
    "system_error": "error_code errc",
    "thread": "jthread this_thread thread",
    "tuple": "tie tuple",
    "type_traits": "decay_t invoke_result_t is_same_v is_trivially_copyable_v is_trivially_destructible_v "
    "remove_cvref_t",
    "typeindex": "type_index",
    "unordered_map": "unordered_map",
    "unordered_set": "unordered_set",
    "utility": "as_const exchange forward in_range make_pair move pair swap to_underlying",
    "variant": "get_if holds_alternative monostate variant visit",
    "vector": "vector",
}
HEADER_OF = {name: header for header, names in DECLARED_BY.items() for name in names.split()}
# Declared by several headers, each of which also declares the type that they are of.
OF_THEIR_ARGUMENT = {"begin", "data", "empty", "end", "get", "size"}
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
