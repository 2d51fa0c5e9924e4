#!/usr/bin/env python3
"""Fails on an #include that the layers do not grant.

src/: layers.txt says, module by module, what each may include besides itself and the chip
interface. An internal/ folder belongs to its module alone. Includes name their module, as in
"base/error.h"; tests may include "tests/support/..." as well.

chips/: a chip sees include/switchyard/, its own folder, chips/kit/ and chips/host_memory/; nothing of src/, but
for the reference, whose truth lives in ops/, the fakes made from it, and the chips that need no
vendor's compiler (simt, opencl), which take the rules of operations from there. A chip's tests may use the
modules below model/ for the truth that they compare with.

conformance/: drives chips through the interface, so it sees the modules below model/ only.
"""

import pathlib
import re

import source_tree

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')
INTERFACE = "switchyard"
BELOW_MODEL = {"base", "tensor", "ops", "device"}
SHARED_BY_CHIPS = {"host_memory", "kit"}
CHIPS_ON_MODULES = {"host_memory", "reference", "null", "simt", "opencl"}
THEY_MAY_INCLUDE = {"base", "tensor", "ops"}


def grants(root: pathlib.Path) -> tuple[dict[str, set[str]], list[str]]:
    table: dict[str, set[str]] = {}
    problems = []
    for number, line in enumerate(source_tree.lines(root / "layers.txt"), 1):
        line = line.split("#", 1)[0].strip()
        if not line:
            continue
        module, colon, rest = line.partition(":")
        if not colon or module in table:
            problems.append(f"layers.txt:{number}: expected one line 'module: module module ...'")
            continue
        table[module.strip()] = set(rest.split())
    for module, may in table.items():
        if "*" in may:
            table[module] = set(table) - {module}
    for module, may in table.items():
        if not (root / "src" / module).is_dir():
            problems.append(f"layers.txt: there is no src/{module}/")
        for other in sorted(may - set(table)):
            problems.append(f"layers.txt: {module} is granted {other}, which has no line of its own")
        for other in sorted(may & set(table)):
            if module in table[other]:
                problems.append(f"layers.txt: {module} and {other} are granted each other")
    return table, problems


def includes(path: pathlib.Path):
    for number, line in enumerate(source_tree.lines(path), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1) == '"', match.group(2)


def is_test(path: pathlib.Path) -> bool:
    return "_test" in path.stem or path.stem.endswith("_bench")


def check_modules(root: pathlib.Path, table: dict[str, set[str]]) -> list[str]:
    problems = []
    for path in source_tree.files(root, ["src"], source_tree.CODE):
        name = path.relative_to(root)
        module = name.parts[1]
        if module not in table:
            problems.append(f"{name}: layers.txt has no line for {module}/")
            continue
        for number, quoted, target in includes(path):
            first = target.split("/", 1)[0]
            place = f"{name}:{number}"
            if first == INTERFACE and "/" in target:
                continue
            if first == "chips" or "../" in target:
                problems.append(f'{place}: "{target}" leaves src/')
            elif first in table and "/" in target:
                if first != module and first not in table[module]:
                    problems.append(f'{place}: {module} may not include "{target}"; see layers.txt')
                elif first != module and target.startswith(f"{first}/internal/"):
                    problems.append(f'{place}: "{target}" belongs to {first} alone')
            elif quoted and not (is_test(path) and target.startswith("tests/support/")):
                problems.append(f'{place}: "{target}" does not begin with a module of src/')
    return problems


def check_outside(root: pathlib.Path, table: dict[str, set[str]]) -> list[str]:
    problems = []
    for path in source_tree.files(root, ["chips", "conformance", "include"], source_tree.CODE):
        name = path.relative_to(root)
        own = name.parts[:2] if name.parts[0] == "chips" else name.parts[:1]
        may = BELOW_MODEL if name.parts[0] == "conformance" or is_test(path) else set()
        if name.parts[0] == "chips" and own[-1] in CHIPS_ON_MODULES:
            may = THEY_MAY_INCLUDE
        for number, quoted, target in includes(path):
            place = f"{name}:{number}"
            parts = pathlib.PurePosixPath(target).parts
            if parts[0] in table and len(parts) > 1 and parts[0] not in may:
                # A chip's own folder may be called like a module.
                if not (root / pathlib.Path(*own) / target).exists():
                    problems.append(f'{place}: {name.parts[0]}/ may not include "{target}"')
            elif parts[0] == "chips" and (name.parts[0] != "chips" or parts[1] not in SHARED_BY_CHIPS | {own[-1]}):
                problems.append(f'{place}: "{target}" belongs to another chip')
            elif quoted and ".." in parts:
                resolved = (path.parent / target).resolve()
                shared = [(root / "chips" / name).resolve() for name in SHARED_BY_CHIPS]
                allowed = [*shared, (root / pathlib.Path(*own)).resolve()]
                if not any(resolved.is_relative_to(folder) for folder in allowed):
                    problems.append(f'{place}: "{target}" leaves {"/".join(own)}/')
    return problems


def problems(root: pathlib.Path) -> list[str]:
    table, found = grants(root)
    return found + check_modules(root, table) + check_outside(root, table)


if __name__ == "__main__":
    source_tree.run(problems)
