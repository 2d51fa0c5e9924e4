#!/usr/bin/env python3
"""Fails on a source of more than 700 lines or a header of more than 350.

A table that a committed script writes ("Written by tools/..." in its first line) may be longer.
"""

import pathlib
import re

import source_tree

FOLDERS = ["src", "include", "chips", "conformance", "tests", "bench", "tools"]
LIMITS = {".h": 350, ".cc": 700, ".c": 700, ".py": 700}
WRITTEN_BY = re.compile(r"^(?://|#|/\*) Written by ((?:tools|tests)/\S+\.py)")
# Longer on purpose, with the reason.
LONGER = {
    "include/switchyard/chip.h": "a chip sees one header, and its comments are its specification",
    "tests/plugins/frozen/chip_v1.h": "a copy of it as version 1 was frozen",
}


def problems(root: pathlib.Path) -> list[str]:
    found = []
    for path in source_tree.files(root, FOLDERS, set(LIMITS)):
        name = str(path.relative_to(root))
        lines = source_tree.lines(path)
        count = len(lines)
        maker = WRITTEN_BY.match(lines[0]) if lines else None
        if maker and (root / maker.group(1)).exists():
            continue
        if count > LIMITS[path.suffix] and name not in LONGER:
            found.append(f"{name}: {count} lines, the limit is {LIMITS[path.suffix]}; split it")
    return found + [f"size_check.py: {name} is gone" for name in LONGER if not (root / name).exists()]


if __name__ == "__main__":
    source_tree.run(problems)
