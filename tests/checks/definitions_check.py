#!/usr/bin/env python3
"""Fails where two files define a class of one name in one namespace.

The program holds them both, the linker keeps one function of each, and neither compiler nor
sanitizer says a word. Tests count with the module that they are built with; plugins, which hide
their symbols, each for themselves.
"""

import collections
import pathlib
import re

import source_tree

TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/|R"(?P<mark>[^(\s]*)\(.*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])'"""
    r"""|\#[^\n]*(?:\\\n[^\n]*)*|namespace(?P<space>\s[\w:\s]*)?(?=\{)|(?:class|struct|union)\s+(?P<type>\w+)"""
    r"""(?:\s+final)?\s*(?::[^:;{}()][^;{}()]*)?(?=\{)|(?P<brace>[{}])""",
    re.DOTALL,
)

# Two answers to one question, of which a build takes one.
ALTERNATIVES = {"switchyard::cpu::SWITCHYARD_CPU_ISA::TileRegisters"}


def definitions(text: str):
    """The qualified names of the classes that a file defines for other files to see."""
    scopes = []  # of each open brace: a namespace's name, "" for one without, None for anything else
    opened = None
    for token in TOKEN.finditer(text):
        if token.group("brace") == "{":
            scopes.append(opened)
            opened = None
        elif token.group("brace") == "}":
            if scopes:
                scopes.pop()
        elif token.group(0).startswith("namespace"):
            opened = (token.group("space") or "").strip()
        elif token.group("type") and all(scopes):
            yield "::".join([*scopes, token.group("type")])


def problems(root: pathlib.Path) -> list[str]:
    programs = {"src": "src", "conformance": "src"}
    places = collections.defaultdict(list)
    for path in source_tree.files(root, ["src", "conformance", "chips"], source_tree.CODE):
        name = path.relative_to(root)
        program = programs.get(name.parts[0], "/".join(name.parts[:2]))
        for defined in definitions(path.read_text(encoding="utf-8", errors="replace")):
            places[program, defined].append(str(name))
    return [
        f"{files[1]}: {defined} is also defined in {files[0]}"
        for (_, defined), files in sorted(places.items())
        if len(set(files)) > 1 and defined not in ALTERNATIVES
    ]


if __name__ == "__main__":
    source_tree.run(problems)
