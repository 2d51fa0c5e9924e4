#!/usr/bin/env python3
"""Fails on marks of unfinished work in what we ship: what is missing belongs into an issue."""

import pathlib
import re

import source_tree

FOLDERS = ["src", "chips", "include", "conformance"]
MARK = re.compile(r"\b(TODO|FIXME|XXX|HACK|TBD)\b|\b(?:[Ss]tub|STUB)(?:s|bed|S)?\b")


def problems(root: pathlib.Path) -> list[str]:
    return [
        f"{path.relative_to(root)}:{number}: '{match.group(0)}' marks unfinished work"
        for path in source_tree.files(root, FOLDERS)
        for number, line in enumerate(source_tree.lines(path), 1)
        if (match := MARK.search(line))
    ]


if __name__ == "__main__":
    source_tree.run(problems)
