#!/usr/bin/env python3
"""Certifies the default model as a user does, and verifies what comes of it.

    certify_test.py PROGRAM

Keys and certificates lie in a temporary folder. Without the model, which `switchyard pull` brings, the
tests are skipped, saying so.
"""

import glob
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
import urllib.request
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import default_model  # noqa: E402
from sanitized import SANITIZED  # noqa: E402

PROGRAM = ""
MODEL = default_model.NAME
SIGNATURE_CHECK = pathlib.Path(__file__).with_name("verify_signature.py")
SHORT = ["--positions", "64" if SANITIZED else "300", "--long-context", "128" if SANITIZED else "160",
         "--soak-steps", "8" if SANITIZED else "40", "--no-efficiency"]


class Certify(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        default_model.pull(PROGRAM)
        cls.folder = tempfile.TemporaryDirectory()
        cls.home = pathlib.Path(cls.folder.name)
        cls.path = cls.home / "certificate.json"
        cls.made = cls.switchyard("certify", MODEL, "--chip", "cpu", "--chip-option", "threads=1", "--against",
                                  "cpu", "--out", cls.path, *SHORT)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def switchyard(cls, *arguments):
        return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True,
                              env={**os.environ, "XDG_CONFIG_HOME": str(cls.home / "config")})

    def verify(self, *arguments):
        return self.switchyard("certify", "verify", *arguments)

    def test_an_honest_chip_is_certified(self):
        self.assertEqual(self.made.returncode, 0, self.made.stderr)
        self.assertIn("are as good as those of 'cpu'", self.made.stdout)
        certificate = json.loads(self.path.read_text())["certificate"]
        self.assertTrue(certificate["verdict"]["is_equivalent"])
        self.assertEqual(certificate["fingerprint"]["b"]["options"], ["threads=1"])
        xml.etree.ElementTree.parse(self.path.with_suffix(".html"))

    def test_it_holds_here(self):
        held = self.verify(self.path)
        self.assertEqual(held.returncode, 0, held.stdout + held.stderr)
        self.assertIn("The certificate holds.", held.stdout)

    def serve(self, *arguments):
        """What a server says of its model and its metrics, or why it does not start."""
        command = [PROGRAM, "serve", MODEL, "--port", "0", "--context", "256", "--certificate", *arguments]
        environment = {**os.environ, "XDG_CONFIG_HOME": str(self.home / "config")}
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env=environment) as server:
            line = server.stdout.readline()
            if not line:
                return server.stderr.read()
            address = line.split()[-1]
            read = lambda path: urllib.request.urlopen(address.removesuffix("/v1") + path).read().decode()
            told = json.loads(read("/v1/models"))["data"][0]["switchyard"]["certificates"], read("/metrics")
            server.terminate()
            server.communicate()
        return told

    def test_a_server_tells_that_it_is_in_force(self):
        (told,), metrics = self.serve(self.path, "--chip", "cpu", "--threads", "1")
        self.assertEqual((told["chip"], told["in_force"], told["against"]), ("cpu", True, "cpu"))
        self.assertRegex(metrics, r"(?m)^switchyard_certified{.*} 1$")
        refused = self.serve(self.path, "--chip", "cpu", "--threads", "2")
        self.assertIn("does not hold for chip 'cpu': B: units has changed: then 1, now 2", refused)
        self.assertIn("and reference:0 serves", self.serve(self.path, "--chip", "reference"))

    def test_another_program_can_check_the_signature(self):
        if not shutil.which("openssl"):
            self.skipTest("the openssl tool is not installed")
        checked = subprocess.run([sys.executable, SIGNATURE_CHECK, self.path], capture_output=True, text=True)
        self.assertEqual(checked.returncode, 0, checked.stderr)

    def test_a_changed_certificate_does_not_hold(self):
        changed = self.home / "changed.json"
        changed.write_text(self.path.read_text().replace('"units": 1', '"units": 2', 1))
        held = self.verify("--elsewhere", changed)
        self.assertEqual(held.returncode, 1)
        self.assertIn("the signature is wrong", held.stderr)

    def test_a_strangers_certificate_is_trusted_only_if_told(self):
        stranger = {**os.environ, "XDG_CONFIG_HOME": str(self.home / "stranger")}
        run = lambda *more: subprocess.run([PROGRAM, "certify", "verify", self.path, *more], capture_output=True,
                                           text=True, env=stranger)
        self.assertEqual(run().returncode, 1)
        self.assertIn("is not among the 0 trusted here", run().stderr)
        key = self.home / "config" / "switchyard" / "certify.pub.pem"
        self.assertEqual(run("--trust", key).returncode, 0)

    def test_by_a_wrong_clock_it_does_not_hold_and_both_times_are_said(self):
        fake = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
        if not fake:
            self.skipTest("clocks cannot be set wrong: libfaketime is not installed")
        if SANITIZED:
            self.skipTest("clocks cannot be set wrong: libfaketime and a sanitizer do not go together")
        for clock, words in (("+91d", "it expired at"), ("-1d", "it is not valid before")):
            held = subprocess.run([PROGRAM, "certify", "verify", self.path], capture_output=True, text=True,
                                  env={**os.environ, "XDG_CONFIG_HOME": str(self.home / "config"),
                                       "LD_PRELOAD": fake[0], "FAKETIME": clock, "FAKETIME_DONT_FAKE_MONOTONIC": "1"})
            self.assertEqual(held.returncode, 1)
            self.assertRegex(held.stderr, words + r" \S+; here it is \d{4}-")

    def test_another_plugin_makes_it_invalid(self):
        chips = self.home / "chips"
        chips.mkdir()
        plugin = pathlib.Path(PROGRAM).resolve().parent.parent / "chips" / "switchyard_chip_cpu.so"
        (chips / plugin.name).write_bytes(plugin.read_bytes() + b"\0")
        held = subprocess.run([PROGRAM, "certify", "verify", self.path], capture_output=True, text=True,
                              env={**os.environ, "XDG_CONFIG_HOME": str(self.home / "config"),
                                   "SWITCHYARD_CHIP_PATH": str(chips)})
        self.assertEqual(held.returncode, 1)
        self.assertIn("plugin sha256", held.stderr)

    def test_a_faulty_chip_is_refused_and_its_operation_named(self):
        refused = self.switchyard("certify", MODEL, "--chip", "null", "--device", "1", "--chip-option",
                                  "compute=nothing", "--against", "cpu", "--out", self.home / "refused.json", *SHORT)
        self.assertEqual(refused.returncode, 1, refused.stdout)
        self.assertIn("Refused:", refused.stdout)
        held = self.verify("--elsewhere", self.home / "refused.json")
        self.assertEqual(held.returncode, 1)

    def test_what_is_missing_or_wrong_is_said(self):
        for arguments, words in {
            (MODEL,): "needs a MODEL and --chip NAME",
            (MODEL, "--chip", "cpu", "--operands", "f8"): "--operands is 'f8'",
            (MODEL, "--chip", "cpu", "--soak-steps", "0"): "--soak-steps is 0",
            ("verify", "/no/such.json"): "/no/such.json",
        }.items():
            with self.subTest(arguments):
                result = self.switchyard("certify", *arguments)
                self.assertEqual(result.returncode, 1)
                self.assertIn(words, result.stderr)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main()
