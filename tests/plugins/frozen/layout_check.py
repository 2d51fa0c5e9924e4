#!/usr/bin/env python3
"""That chip.h only grew since version 1 was frozen: every line of code of the frozen header is there,
in order, and structs, enums and the table have gained lines at their ends alone."""

import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]


def blocks(path: pathlib.Path) -> dict[str, list[str]]:
    """Statements of each struct and enum by its name (an enum's: its first value), in order."""
    text = re.sub(r"/\*.*?\*/", " ", path.read_text(), flags=re.S)
    found = {}
    for kind, body, name in re.findall(r"(struct|enum)\s*\w*\s*\{(.*?)\}\s*(\w*)\s*;", text, flags=re.S):
        parts = [" ".join(part.split()) for part in body.split("," if kind == "enum" else ";")]
        parts = [part for part in parts if part]
        found[name or parts[0].split()[0]] = parts
    for name, value in re.findall(r"#define (SY_\w+) +(\S.*)", text):
        found[f"#define {name}"] = [value.strip()]
    return found


def main() -> int:
    frozen = blocks(HERE / "chip_v1.h")
    today = blocks(ROOT / "include" / "switchyard" / "chip.h")
    problems = []
    for name, parts in frozen.items():
        now = today.get(name)
        if name == "#define SY_INTERFACE_VERSION":
            continue
        if now is None:
            problems.append(f"{name} of version 1 is gone")
            continue
        # The count of operations moves with each that is appended.
        parts = [part for part in parts if part != "SY_OP_KIND_COUNT"]
        if now[: len(parts)] != parts:
            changed = next(i for i, part in enumerate(parts) if i >= len(now) or now[i] != part)
            problems.append(f"{name}: '{parts[changed]}' of version 1 was moved or changed")
    for problem in problems:
        print(f"include/switchyard/chip.h: {problem}; version 1 is frozen, so only append", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
