#!/usr/bin/env python3
"""Whether what `switchyard new-chip` writes builds and reaches the tier "runtime", in a source tree and apart.

    new_chip_test.py PROGRAM SOURCE_TREE CXX_COMPILER
"""

import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

PROGRAM, SOURCE, COMPILER = "", pathlib.Path(), ""

# Of the source tree, as much as chips are built from.
TREE = """\
cmake_minimum_required(VERSION 3.25)
project(tree LANGUAGES CXX)
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(SWITCHYARD_TESTS OFF)
include(cmake/SwitchyardTargets.cmake)
add_subdirectory(chips)
"""


def switchyard(*arguments, folder):
    return subprocess.run([PROGRAM, *arguments], cwd=folder, capture_output=True, text=True)


class NewChip(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)

    def write(self, *arguments):
        result = switchyard("new-chip", *arguments, folder=self.folder)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def build(self, source):
        options = [f"-DCMAKE_CXX_COMPILER={COMPILER}", "-DCMAKE_CXX_FLAGS=-Werror -O1"]
        for command in (["-S", source, "-B", source / "build", *options], ["--build", source / "build", "-j2"]):
            done = subprocess.run(["cmake", *command], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def assert_reaches_runtime(self, plugin):
        result = switchyard("conform", "--no-speed", str(plugin), folder=self.folder)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertRegex(result.stdout, r"(?m)^  runtime +reached")
        self.assertRegex(result.stdout, r"(?m)^  linear only +not reached")
        self.assertRegex(result.stdout, r", 0 failed,")

    def test_a_plugin_apart(self):
        said = self.write("toy_npu")
        self.build(self.folder / "toy_npu")
        plugin = re.search(r"switchyard conform (\S+)", said).group(1)
        self.assert_reaches_runtime(self.folder / plugin)
        again = switchyard("new-chip", "toy_npu", folder=self.folder)
        self.assertEqual(again.returncode, 1)
        self.assertIn("exists already", again.stderr)

    def test_a_plugin_in_the_source_tree(self):
        (self.folder / "CMakeLists.txt").write_text(TREE)
        (self.folder / "chips").mkdir()
        for name in ("include", "cmake", "chips/kit"):
            (self.folder / name).symlink_to(SOURCE / name)
        (self.folder / "chips" / "CMakeLists.txt").write_text("add_subdirectory(kit)\n")
        self.write("toy_npu")
        self.build(self.folder)
        self.assert_reaches_runtime(self.folder / "build" / "chips" / "switchyard_chip_toy_npu.so")

    def test_names_that_are_none(self):
        for name in ("Toy", "2nd", "a-b", "../x", "", "x" * 33):
            with self.subTest(name):
                result = switchyard("new-chip", name, folder=self.folder)
                self.assertNotEqual(result.returncode, 0)
                self.assertIn("lower-case", result.stderr)
        self.assertEqual(list(self.folder.iterdir()), [])


if __name__ == "__main__":
    PROGRAM, SOURCE, COMPILER = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
    unittest.main(argv=sys.argv[:1])
