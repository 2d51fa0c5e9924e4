#!/usr/bin/env python3
"""Fails when docs/bring_up.md tells other sizes than chips have that were made with the kit.

The last row of its ledger is chips/example as it is; every row keeps to its goal; and the kit's size is
right. Lines of tests, of the pretended vendor's library (sdk/) and of templates do not count.
"""

import pathlib
import re

import source_tree

DOCUMENT = pathlib.Path("docs") / "bring_up.md"
ROW = re.compile(r"^\|[^|]+\| *([\d,]+) *\| *([\d,]*) *\|")
KIT = re.compile(r"^The kit itself has ([\d,]+) lines")


def number(text: str) -> int:
    return int(text.replace(",", ""))


def lines_of(folder: pathlib.Path) -> int:
    files = [path for path in folder.glob("*") if path.suffix in source_tree.CODE and "_test" not in path.stem]
    return sum(len(source_tree.lines(path)) for path in files)


def problems(root: pathlib.Path) -> list[str]:
    text = source_tree.lines(root / DOCUMENT)
    rows = [match for line in text if (match := ROW.match(line))]
    kit = [match for line in text if (match := KIT.match(line))]
    if not rows or not kit:
        return [f"{DOCUMENT}: no ledger, or no size of the kit"]
    found = [
        f"{DOCUMENT}: {match.group(1)} lines are more than the goal of {match.group(2)}"
        for match in rows
        if match.group(2) and number(match.group(1)) > number(match.group(2))
    ]
    for folder, told in (("chips/example", rows[-1]), ("chips/kit", kit[0])):
        count = lines_of(root / folder)
        if count != number(told.group(1)):
            found.append(f"{DOCUMENT}: {folder} has {count} lines, not {told.group(1)}")
    return found


if __name__ == "__main__":
    source_tree.run(problems)
