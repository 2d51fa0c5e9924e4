#!/usr/bin/env python3
"""The checks find what they are for, and leave good code alone. Each case is a small tree."""

import pathlib
import tempfile
import unittest

import definitions_check
import includes_check
import layers_check
import ledger_check
import marks_check
import names_check
import size_check

LAYERS = "base:\ntensor: base\nengine: tensor base\ncli: *\n"


def problems(check, files: dict[str, str]) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        always = {"layers.txt": LAYERS, **dict.fromkeys(size_check.LONGER, "")}
        for module in ("base", "tensor", "engine", "cli"):
            (root / "src" / module).mkdir(parents=True)
        for name, text in {**always, **files}.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return check.problems(root)


class LayersCheck(unittest.TestCase):
    def test_granted_edges_pass(self):
        files = {
            "src/engine/a.cc": '#include <vector>\n#include "engine/a.h"\n#include "base/x.h"\n'
            '#include "engine/internal/y.h"\n#include "switchyard/chip.h"\n',
            "src/cli/main.cc": '#include "engine/a.h"\n#include "tensor/t.h"\n',
            "src/base/a_test.cc": '#include "tests/support/files.h"\n#include <gtest/gtest.h>\n',
            "chips/fast/a.cc": '#include <switchyard/chip.h>\n#include "kernel.h"\n#include "../host_memory/m.h"\n',
            "chips/fast/fast_test.cc": '#include "ops/reference/linear.h"\n',
        }
        self.assertEqual(problems(layers_check, files), [])

    def test_forbidden_edges_fail(self):
        cases = {
            "src/base/up.cc": '#include "engine/a.h"\n',
            "src/base/angle.cc": "  #  include <tensor/t.h>\n",
            "src/engine/inside.cc": '#include "tensor/internal/t.h"\n',
            "src/engine/relative.cc": '#include "sibling.h"\n',
            "src/engine/dots.cc": '#include "../base/x.h"\n',
            "src/engine/support.cc": '#include "tests/support/files.h"\n',
            "src/engine/chip.cc": '#include "chips/fast/kernel.h"\n',
            "src/unknown/a.cc": "",
            "chips/fast/up.cc": '#include "base/error.h"\n',
            "chips/fast/other.cc": '#include "../slow/kernel.h"\n',
            "conformance/deep.cc": '#include "engine/a.h"\n',
            "include/switchyard/up.h": '#include "base/error.h"\n',
        }
        for name, text in cases.items():
            with self.subTest(name):
                found = problems(layers_check, {name: text})
                self.assertEqual(len(found), 1, found)
                self.assertIn(name, found[0])

    def test_layers_file_is_checked(self):
        self.assertIn("no line of its own", problems(layers_check, {"layers.txt": "base: lost\n"})[0])
        mutual = problems(layers_check, {"layers.txt": "base: tensor\ntensor: base\n"})
        self.assertIn("granted each other", mutual[0])
        gone = problems(layers_check, {"layers.txt": "base:\nplanner: base\n"})
        self.assertEqual(gone, ["layers.txt: there is no src/planner/"])


class DefinitionsCheck(unittest.TestCase):
    def test_one_name_for_two_classes_fails(self):
        files = {
            "src/net/a.cc": "namespace x::net {\nclass Exchange final : public Base {\n};\n}\n",
            "src/net/b.h": "namespace x {\nnamespace net {\nstruct Exchange {\n  int a;\n};\n}\n}\n",
        }
        found = problems(definitions_check, files)
        self.assertEqual(len(found), 1, found)
        self.assertIn("x::net::Exchange", found[0])

    def test_what_others_cannot_see_passes(self):
        files = {
            "src/net/a.cc": "namespace x {\nnamespace {\nclass Exchange {};\n}\nclass One { struct Part {}; };\n}\n",
            "src/net/b.cc": "namespace x {\nnamespace {\nclass Exchange {};\n}\nclass Two { struct Part {}; };\n}\n",
            "src/base/c.h": 'namespace y {\nclass Exchange;\n// class Said {\nauto t = "class Said {";\n}\n',
            "src/base/d.h": "namespace y {\nclass Exchange {};\nvoid f() { struct Said {}; }\nclass Said {};\n}\n",
            "chips/one/a.cc": "namespace z {\nclass Device {};\n}\n",
            "chips/two/a.cc": "namespace z {\nclass Device {};\n}\n",
        }
        self.assertEqual(problems(definitions_check, files), [])


class IncludesCheck(unittest.TestCase):
    def test_what_is_named_must_be_included(self):
        for text in (
            "std::vector<int> list;",
            "void f(std::chrono::seconds);",
            "std::size_t n;",
            "std::int64_t n;",
            "uint8_t byte;",
            "fmt::format_string<> text;",
            "std::unheard_of x;",
            "#include <map>\nstd::unordered_map<int, int> x;",
        ):
            with self.subTest(text):
                self.assertEqual(len(problems(includes_check, {"src/base/a.h": text + "\n"})), 1)

    def test_what_is_included_or_not_named_passes(self):
        text = (
            "#include <fmt/format.h>\n#include <cstddef>\n#include <map>\n// a std::vector\n"
            'auto s = "std::string";\nstd::map<std::size_t, int> m;\nint a = m.size_t();\n'
        )
        self.assertEqual(problems(includes_check, {"src/base/a.h": text}), [])
        self.assertEqual(problems(includes_check, {"src/base/a.cc": "std::vector<int> list;\n"}), [])


class NamesCheck(unittest.TestCase):
    def test_neutral_code_must_not_name_chips(self):
        for text in (
            "// fast on NVIDIA cards",
            "int cuda_count;",
            "bool kHasAvx512 = true;",
            "#if defined(__x86_64__)",
            "// for Moore Threads",
            "#include <immintrin.h>",
        ):
            with self.subTest(text):
                self.assertEqual(len(problems(names_check, {"src/base/a.cc": text})), 1)
                self.assertEqual(problems(names_check, {"chips/fast/a.cc": text}), [])
        self.assertEqual(len(problems(names_check, {"src/base/ascend_queue.h": ""})), 1)

    def test_ordinary_words_pass(self):
        text = "// intelligent, descending, an SSE stream, 0x86, intelligence, armed, the head, \"\\x86\"\n"
        self.assertEqual(problems(names_check, {"src/base/a.cc": text}), [])

    def test_empty_words_fail(self):
        for name, text in {
            "src/base/string_utils.h": "",
            "chips/fast/common.h": "",
            "src/base/a.h": "class BufferManager {\n",
            "src/base/b.h": "enum class ErrorInfo {\n",
            "src/base/c.h": "using ModelData = int;\n",
        }.items():
            with self.subTest(name):
                self.assertEqual(len(problems(names_check, {name: text})), 1)
        fine = "struct Metadata {\nstruct Domain {\nclass Processor;\n"
        self.assertEqual(problems(names_check, {"src/base/metadata.h": fine}), [])

    def test_file_names(self):
        for name in ("src/base/KvCache.h", "src/base/a.cpp", "src/base/a-b.cc"):
            with self.subTest(name):
                self.assertEqual(len(problems(names_check, {name: ""})), 1)


class SizeCheck(unittest.TestCase):
    def test_limits(self):
        self.assertEqual(problems(size_check, {"src/base/a.cc": "\n" * 700}), [])
        self.assertEqual(len(problems(size_check, {"src/base/a.cc": "\n" * 701})), 1)
        self.assertEqual(problems(size_check, {"src/base/a.h": "\n" * 350}), [])
        self.assertEqual(len(problems(size_check, {"src/base/a.h": "\n" * 351})), 1)

    def test_a_written_table_may_be_long_if_its_script_exists(self):
        table = "// Written by tools/make_table.py; not by hand.\n" + "\n" * 900
        self.assertEqual(len(problems(size_check, {"src/base/t.cc": table})), 1)
        files = {"src/base/t.cc": table, "tools/make_table.py": ""}
        self.assertEqual(problems(size_check, files), [])


class MarksCheck(unittest.TestCase):
    def test_marks(self):
        for text in ("// TODO: later", "/* FIXME */", "// XXX", "// a stub for now", "int stubbed;"):
            with self.subTest(text):
                self.assertEqual(len(problems(marks_check, {"src/base/a.cc": text})), 1)
        fine = "// IQ2_XXS, stubborn, Todor\n"
        self.assertEqual(problems(marks_check, {"src/base/a.cc": fine}), [])


class LedgerCheck(unittest.TestCase):
    FILES = {
        "docs/bring_up.md": "| 1 | 900 | | 2 |\n| 2 | 3 | 1,500 | 2 |\nThe kit itself has 1 lines of C++.\n",
        "chips/example/a.cc": "\n\n",
        "chips/example/a.h": "\n",
        "chips/example/sdk/vendor.cc": "\n" * 50,
        "chips/kit/k.cc": "\n",
        "chips/kit/k_test.cc": "\n" * 9,
    }

    def test_a_true_ledger(self):
        self.assertEqual(problems(ledger_check, self.FILES), [])

    def test_false_ones(self):
        for changed in ({"chips/example/b.cc": "\n"}, {"chips/kit/l.h": "\n"},
                        {"docs/bring_up.md": self.FILES["docs/bring_up.md"].replace("1,500", "2")},
                        {"docs/bring_up.md": "no table"}):
            with self.subTest(changed):
                self.assertEqual(len(problems(ledger_check, {**self.FILES, **changed})), 1)


if __name__ == "__main__":
    unittest.main()
