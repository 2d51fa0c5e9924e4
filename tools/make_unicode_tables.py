#!/usr/bin/env python3
"""Writes src/model/internal/unicode/tables.cc from the Unicode Character Database 16.0.

    pip install unicodedata2==16.0.0
    npm install --prefix FOLDER @unicode/unicode-{8,9,14,16}.0.0
    python3 tools/make_unicode_tables.py FOLDER

Run from the repository root. Unicode 16 is what Hugging Face's regular expressions see, 8 and 9 are
what its older components see, and 14 is what Debian 12's PCRE2 sees. Python itself only
compares: where its database has a code point, str's methods must agree with the tables.
"""
import json
import subprocess
import sys
import unicodedata

import unicodedata2 as ucd

assert ucd.unidata_version == "16.0.0"

CATEGORIES = ["Cc", "Cf", "Cn", "Co", "Cs", "Ll", "Lm", "Lo", "Lt", "Lu", "Mc", "Me", "Mn", "Nd",
              "Nl", "No", "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "Sc", "Sk", "Sm", "So", "Zl",
              "Zp", "Zs"]
LONG_NAMES = dict(zip(CATEGORIES, """Control Format Unassigned Private_Use Surrogate Lowercase_Letter
Modifier_Letter Other_Letter Titlecase_Letter Uppercase_Letter Spacing_Mark Enclosing_Mark
Nonspacing_Mark Decimal_Number Letter_Number Other_Number Connector_Punctuation Dash_Punctuation
Close_Punctuation Final_Punctuation Initial_Punctuation Other_Punctuation Open_Punctuation
Currency_Symbol Modifier_Symbol Math_Symbol Other_Symbol Line_Separator Paragraph_Separator
Space_Separator""".split()))
# In the order of Property in tables.h.
BINARY_PROPERTIES = ["Lowercase", "Uppercase", "Case_Ignorable", "XID_Start", "XID_Continue"]
POINTS = range(0x110000)
SURROGATES = range(0xD800, 0xE000)
HANGUL = range(0xAC00, 0xD7A4)


class Database:
    """What npm's packages hold: each property as a file of an ES module."""

    def __init__(self, folder):
        self.folder = folder

    def read(self, version, *paths):
        """The arrays of code points, or of pairs where the property maps code points."""
        names = [f"@unicode/unicode-{version}.0.0/{path}/code-points.mjs" for path in paths]
        script = ("const read = async (name) => (await import(name)).default;"
                  f"Promise.all({json.dumps(names)}.map(read))"
                  ".then((all) => process.stdout.write(JSON.stringify(all.map((one) => [...one]))));")
        result = subprocess.run(["node", "--input-type=module", "-e", script], cwd=self.folder,
                                check=True, capture_output=True)
        return json.loads(result.stdout)

    def categories(self, version):
        by_point = ["Cn"] * 0x110000
        wanted = [name for name in CATEGORIES if name != "Cn"]
        sets = self.read(version, *(f"General_Category/{LONG_NAMES[name]}" for name in wanted))
        for name, points in zip(wanted, sets):
            for point in points:
                by_point[point] = name
        return by_point

    def mapping(self, *paths):
        """{point: list of points}; of two paths the first has precedence."""
        merged = {}
        for pairs in reversed(self.read(16, *paths)):
            merged |= {point: to if isinstance(to, list) else [to] for point, to in pairs}
        return merged


def runs(values):
    """[first, last, value] over all code points."""
    result = []
    for point, value in enumerate(values):
        if result and result[-1][2] == value:
            result[-1][1] = point
        else:
            result.append([point, point, value])
    return result


def utf8_length(point):
    return 1 if point < 0x80 else 2 if point < 0x800 else 3 if point < 0x10000 else 4


def utf8(points):
    return '"' + "".join(f"\\x{byte:02x}" for byte in "".join(map(chr, points)).encode()) + '"'


def array(kind, name, items):
    lines, line = [], " "
    for item in items:
        if len(line) + len(item) + 2 > 100:
            lines.append(line)
            line = " "
        line += " " + item + ","
    lines.append(line)
    body = "\n".join(lines)
    return f"constexpr {kind} {name}[] = {{\n{body}\n}};\n"


def point_runs(categories, properties):
    def facts(point):
        c = chr(point)
        bits = sum(1 << i for i, points in enumerate(properties) if point in points)
        if ucd.digit(c, None) is not None:
            bits |= 1 << len(properties)
        if ucd.numeric(c, None) is not None:
            bits |= 2 << len(properties)
        return CATEGORIES.index(categories[point]), bits

    return [f"{{{first},{category},{bits}}}"
            for first, _, (category, bits) in runs([facts(point) for point in POINTS])]


def differences(older, newer):
    """Ranges in which a code point had another category."""
    changed = [None if old == new else old for old, new in zip(older, newer)]
    return [f"{{{first},{last},{CATEGORIES.index(old)}}}"
            for first, last, old in runs(changed) if old is not None]


def decompositions(assigned):
    pool, canonical, compatible = [], [], []
    for form, entries in (("NFD", canonical), ("NFKD", compatible)):
        for point in POINTS:
            if point in HANGUL or point not in assigned:
                continue
            text = [ord(c) for c in ucd.normalize(form, chr(point))]
            same = [ord(c) for c in ucd.normalize("NFD", chr(point))] if form == "NFKD" else [point]
            if text == same:
                continue
            entries.append(f"{{{point},{len(pool)},{len(text)}}}")
            pool += text
    return pool, canonical, compatible


def compositions(assigned):
    pairs = []
    for point in sorted(assigned):
        parts = ucd.decomposition(chr(point)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            first, second = (int(part, 16) for part in parts)
            if ucd.normalize("NFC", chr(first) + chr(second)) == chr(point):
                pairs.append((first, second, point))
    return [f"{{{a},{b},{c}}}" for a, b, c in sorted(pairs)]


def case_arrays(name, mapping):
    """Ranges (first, last, stride, delta) of one-to-one mappings, and the others as texts."""
    ranges, many = [], []
    for point, to in sorted(mapping.items()):
        if len(to) > 1:
            many.append(f"{{{point},{utf8(to)}}}")
            continue
        delta = to[0] - point
        if delta == 0:
            continue
        if ranges:
            first, last, stride, known = ranges[-1]
            step = point - last
            if known == delta and (step in (1, 2) if first == last else step == stride):
                ranges[-1] = (first, point, step, delta)
                continue
        ranges.append((point, point, 1, delta))
    return [array("CaseRange", f"k{name}Ranges", ["{%d,%d,%d,%d}" % r for r in ranges]),
            array("CaseExpansion", f"k{name}Expansions", many)]


def reclassified(older, newer):
    """Code points whose category is younger than PCRE2's database, each with an older one that has
    the same category and the same length in UTF-8."""
    stand_ins = {}
    for point in POINTS:
        if older[point] == newer[point] != "Cn":
            stand_ins.setdefault((older[point], utf8_length(point)), point)
    stand_ins[("Lo", 4)] = 0x10000  # Linear B: no letter that a pattern names
    han = 0x20000

    def stand_in(point):
        if older[point] == newer[point]:
            return None
        if ucd.name(chr(point), "").startswith("CJK UNIFIED IDEOGRAPH"):
            return han
        return stand_ins[(newer[point], utf8_length(point))]

    younger = runs([stand_in(point) for point in POINTS])
    younger.append([0x180E, 0x180E, 0x200B])  # PCRE2 counts U+180E as a space; Unicode does not
    return [f"{{{first},{last},{value}}}"
            for first, last, value in sorted(entry for entry in younger if entry[2] is not None)]


def compare_with_python(cases):
    """str's methods, where Python's own database is not older than the code point."""
    lower, upper, title, fold = cases
    for point in POINTS:
        c = chr(point)
        if point in SURROGATES or unicodedata.category(c) != ucd.category(c):
            continue
        for mapping, method in ((lower, str.lower), (upper, str.upper), (title, str.title), (fold, str.casefold)):
            mapped = "".join(map(chr, mapping.get(point, [point])))
            younger = any(unicodedata.category(m) == "Cn" for m in mapped)
            assert mapped == method(c) or younger, (hex(point), method)


def main():
    database = Database(sys.argv[1])
    categories = database.categories(16)
    assert all(categories[point] == ucd.category(chr(point)) for point in POINTS)
    properties = [set(points) for points in
                  database.read(16, *(f"Binary_Property/{name}" for name in BINARY_PROPERTIES))]
    cases = [database.mapping(f"Special_Casing/{name}", f"Simple_Case_Mapping/{name}")
             for name in ("Lowercase", "Uppercase", "Titlecase")]
    cases.append(database.mapping("Case_Folding/F", "Case_Folding/C"))
    # A letter without a titlecase of its own takes its uppercase, and so do special casings.
    cases[2] = cases[1] | cases[2]
    compare_with_python(cases)
    categories9 = database.categories(9)
    # Hugging Face's normalization forms are those of Unicode 9; no later version changed what was
    # assigned by then.
    assigned = {point for point in POINTS if categories9[point] not in ("Cn", "Cs")}
    pool, canonical, compatible = decompositions(assigned)
    classes = [ucd.combining(chr(point)) if point in assigned else 0 for point in POINTS]
    combining = [f"{{{first},{last},{value}}}" for first, last, value in runs(classes) if value]

    arrays = [
        ("PointRun", "PointRuns", point_runs(categories, properties)),
        ("CategoryRange", "CategoriesIn8", differences(database.categories(8), categories)),
        ("CategoryRange", "CategoriesIn9", differences(categories9, categories)),
        ("CombiningRange", "CombiningRanges", combining),
        ("Decomposition", "CanonicalDecompositions", canonical),
        ("Decomposition", "CompatibilityDecompositions", compatible),
        ("char32_t", "DecompositionPool", [str(point) for point in pool]),
        ("Composition", "Compositions", compositions(assigned)),
        ("Reclassified", "Reclassified", reclassified(database.categories(14), categories)),
    ]
    out = ["// Written by tools/make_unicode_tables.py from the Unicode Character Database 16.0; not by hand.",
           "// clang-format off", '#include "model/internal/unicode/tables.h"', "",
           "namespace switchyard::model::unicode {", "namespace {", ""]
    for kind, name, items in arrays:
        out.append(array(kind, f"k{name}Values", items))
    case_names = ["Lower", "Upper", "Title", "Fold"]
    for name, mapping in zip(case_names, cases):
        out += case_arrays(name, mapping)
    out += ["}  // namespace", ""]
    for kind, name, _ in arrays:
        out.append(f"const std::span<const {kind}> k{name} = k{name}Values;")
    for name in case_names:
        out.append(f"const CaseMapping k{name}Mapping = {{k{name}Ranges, k{name}Expansions}};")
    out += ["", "}  // namespace switchyard::model::unicode", ""]
    with open("src/model/internal/unicode/tables.cc", "w") as file:
        file.write("\n".join(out))


if __name__ == "__main__":
    main()
