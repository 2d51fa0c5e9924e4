"""Writes unicode_classes.cc and unicode_cases.cc of src/model/internal/jinja: the character
classes and case mappings that Python's str methods use, taken from the running Python. Run from
the repository root:

    python3 tools/make_python_case_tables.py
"""

import sys
import textwrap
import unicodedata

CLASSES = ["alpha", "decimal", "digit", "numeric", "lower", "upper", "title", "printable",
           "identifier_start", "identifier_part", "case_ignorable"]


def classes_of(code):
    c = chr(code)
    if 0xD800 <= code <= 0xDFFF:
        return 0
    facts = [c.isalpha(), c.isdecimal(), c.isdigit(), c.isnumeric(), c.islower(), c.isupper(),
             unicodedata.category(c) == "Lt", c.isprintable(), c.isidentifier(),
             ("a" + c).isidentifier(),
             # A final sigma looks past characters that carry no case of their own.
             ("A" + c + "Σ").lower()[-1] == "ς" and ("AΣ" + c).lower()[1] == "ς"]
    return sum(1 << i for i, fact in enumerate(facts) if fact)


def class_runs():
    runs = []
    for code in range(0x110000):
        bits = classes_of(code)
        if not runs or runs[-1][1] != bits:
            runs.append((code, bits))
    return runs


def case_ranges(convert):
    """Runs (first, last, stride, delta) of one-to-one mappings; the rest as (code, text)."""
    singles, many = [], []
    for code in range(0x110000):
        if 0xD800 <= code <= 0xDFFF:
            continue
        mapped = convert(chr(code))
        if mapped == chr(code):
            continue
        if len(mapped) == 1:
            singles.append((code, ord(mapped) - code))
        else:
            many.append((code, mapped))
    ranges = []
    for code, delta in singles:
        if ranges:
            first, last, stride, d = ranges[-1]
            if d == delta and ((first == last and code - last in (1, 2)) or
                               (first != last and code - last == stride)):
                ranges[-1] = (first, code, code - last, d)
                continue
        ranges.append((code, code, 1, delta))
    return ranges, many


def rows(items):
    return textwrap.wrap(" ".join(items), 98, initial_indent="    ", subsequent_indent="    ",
                         break_long_words=False, break_on_hyphens=False)


def utf8(text):
    return '"' + "".join("\\x%02x" % b for b in text.encode()) + '"'


def write(path, body):
    lines = [
        "// Written by tools/make_python_case_tables.py from Unicode %s as Python %d.%d has it; not by"
        % (unicodedata.unidata_version, *sys.version_info[:2]),
        "// hand. Each table is sorted by code point.",
        '#include "model/internal/jinja/unicode_tables.h"', "",
        "namespace switchyard::model::jinja {", "namespace {", "", "// clang-format off"]
    lines += body + ["", "}  // namespace switchyard::model::jinja", ""]
    with open("src/model/internal/jinja/" + path, "w") as file:
        file.write("\n".join(lines))


def main():
    out = ["constexpr ClassRun kClassRuns[] = {"]
    out += rows(["{%d,%d}," % run for run in class_runs()])
    out += ["};", "// clang-format on", "", "}  // namespace", "",
            "std::span<const ClassRun> ClassRuns() { return kClassRuns; }"]
    write("unicode_classes.cc", out)

    out = []
    names = []
    for name, convert in [("Lower", str.lower), ("Upper", str.upper),
                          ("Title", str.title), ("Fold", str.casefold)]:
        ranges, many = case_ranges(convert)
        out += ["constexpr CaseRange k%sRanges[] = {" % name]
        out += rows(["{%d,%d,%d,%d}," % r for r in ranges])
        out += ["};", "constexpr CaseExpansion k%sExpansions[] = {" % name]
        out += rows(["{%d,%s}," % (code, utf8(text)) for code, text in many])
        out += ["};", ""]
        names.append(name)
    out += ["// clang-format on", "", "}  // namespace", ""]
    for name in names:
        out += ["const CaseMapping& %sMapping() {" % name,
                "  static constexpr CaseMapping kMapping{k%sRanges, k%sExpansions};" % (name, name),
                "  return kMapping;", "}"]
    write("unicode_cases.cc", out)


main()
