#!/usr/bin/env python3
"""Writes src/model/internal/tokenizer/unicode_tables.cc from the Unicode Character Database.

Needs `pip install unicodedata2==16.0.0`: Unicode 16 is what Hugging Face's regular expressions see.
Run from the repository root:  python3 tools/make_unicode_tables.py
"""
import unicodedata  # the database of Debian 12's Python, 14.0, which is also that of its PCRE2
import unicodedata2 as ucd

assert ucd.unidata_version == "16.0.0" and unicodedata.unidata_version == "14.0.0"

CATEGORIES = ["Cc", "Cf", "Cn", "Co", "Cs", "Ll", "Lm", "Lo", "Lt", "Lu", "Mc", "Me", "Mn", "Nd",
              "Nl", "No", "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "Sc", "Sk", "Sm", "So", "Zl",
              "Zp", "Zs"]
POINTS = range(0x110000)
HANGUL = range(0xAC00, 0xD7A4)


def runs(value_of):
    """(first, last, value) over all code points."""
    result = []
    for point in POINTS:
        value = value_of(point)
        if result and result[-1][2] == value:
            result[-1][1] = point
        else:
            result.append([point, point, value])
    return result


def utf8_length(point):
    return 1 if point < 0x80 else 2 if point < 0x800 else 3 if point < 0x10000 else 4


def array(kind, name, items):
    lines, line = [], " "
    for item in items:
        if len(line) + len(item) + 2 > 100:
            lines.append(line)
            line = " "
        line += " " + item + ","
    lines.append(line)
    body = "\n".join(lines)
    return (f"constexpr {kind} {name}Values[] = {{\n{body}\n}};\n", name, kind)


def decomposition(form, point):
    text = [ord(c) for c in ucd.normalize(form, chr(point))]
    return None if text == [point] else text


def main():
    categories = [f"{{0x{a:X}, Category::k{v}}}"
                  for a, _, v in runs(lambda p: ucd.category(chr(p)))]
    combining = [f"{{0x{a:X}, 0x{b:X}, {v}}}"
                 for a, b, v in runs(lambda p: ucd.combining(chr(p))) if v]

    pool, canonical, compatible = [], [], []
    for form, entries in (("NFD", canonical), ("NFKD", compatible)):
        for point in POINTS:
            if point in HANGUL or 0xD800 <= point < 0xE000:
                continue
            text = decomposition(form, point)
            if text is None or (form == "NFKD" and text == decomposition("NFD", point)):
                continue
            entries.append(f"{{0x{point:X}, {len(pool)}, {len(text)}}}")
            pool += text

    pairs = []
    for point in POINTS:
        parts = ucd.decomposition(chr(point)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            first, second = (int(part, 16) for part in parts)
            if ucd.normalize("NFC", chr(first) + chr(second)) == chr(point):
                pairs.append((first, second, point))
    compositions = [f"{{0x{a:X}, 0x{b:X}, 0x{c:X}}}" for a, b, c in sorted(pairs)]

    # One code point to one; U+0130 alone becomes two and is treated in unicode.cc.
    lower = []
    for point in POINTS:
        if 0xD800 <= point < 0xE000 or point == 0x130:
            continue
        mapped = SIMPLE_LOWER.get(point, chr(point).lower())
        assert len(mapped) == 1
        if ord(mapped) != point:
            lower.append(f"{{0x{point:X}, 0x{ord(mapped):X}}}")

    # Code points whose category is younger than PCRE2's database, each with an older one that has
    # the same category and the same length in UTF-8.
    stand_ins = {}
    for point in POINTS:
        old = unicodedata.category(chr(point))
        if old == ucd.category(chr(point)) and old != "Cn":
            stand_ins.setdefault((old, utf8_length(point)), point)
    stand_ins[("Lo", 4)] = 0x10000  # Linear B: no letter that a pattern names
    han = 0x20000

    def stand_in(point):
        old, new = unicodedata.category(chr(point)), ucd.category(chr(point))
        if old == new:
            return None
        if ucd.name(chr(point), "").startswith("CJK UNIFIED IDEOGRAPH"):
            return han
        return stand_ins[(new, utf8_length(point))]

    younger = runs(stand_in)
    younger.append([0x180E, 0x180E, 0x200B])  # PCRE2 counts U+180E as a space; Unicode does not
    reclassified = [f"{{0x{a:X}, 0x{b:X}, 0x{v:X}}}" for a, b, v in sorted(
        entry for entry in younger if entry[2] is not None)]

    arrays = [
        array("CategoryRun", "kCategoryRuns", categories),
        array("CombiningRange", "kCombiningRanges", combining),
        array("Decomposition", "kCanonicalDecompositions", canonical),
        array("Decomposition", "kCompatibilityDecompositions", compatible),
        array("char32_t", "kDecompositionPool", [f"0x{p:X}" for p in pool]),
        array("Composition", "kCompositions", compositions),
        array("CaseMapping", "kLowercase", lower),
        array("Reclassified", "kReclassified", reclassified),
    ]
    with open("src/model/internal/tokenizer/unicode_tables.cc", "w") as out:
        out.write("// Written by tools/make_unicode_tables.py from the Unicode Character Database 16.0; not by hand.\n"
                  "// clang-format off\n"
                  '#include "model/internal/tokenizer/unicode_tables.h"\n\n'
                  "namespace switchyard::model::tokenization {\nnamespace {\n\n")
        out.write("\n".join(text for text, _, _ in arrays))
        out.write("\n}  // namespace\n\n")
        for _, name, kind in arrays:
            out.write(f"const std::span<const {kind}> {name} = {name}Values;\n")
        out.write("\n}  // namespace switchyard::model::tokenization\n")


# Lowercase pairs younger than Python's own database (Unicode 15 and 16).
SIMPLE_LOWER = {0x1C89: "\u1c8a", 0xA7CB: "\u0264", 0xA7CC: "\ua7cd", 0xA7DA: "\ua7db",
                0xA7DC: "\u019b"}
SIMPLE_LOWER |= {point: chr(point + 0x20) for point in range(0x10D50, 0x10D66)}

if __name__ == "__main__":
    main()
