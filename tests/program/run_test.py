#!/usr/bin/env python3
"""Drives the program `switchyard` as a user does, on the real default model.

    run_test.py PROGRAM

The model comes into the usual cache by `switchyard pull`; without a network and without the model in the
cache the tests are skipped, saying so.
"""

import json
import os
import pathlib
import pty
import re
import select
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import default_model  # noqa: E402

PROGRAM = ""
MODEL = default_model.NAME
PROMPT = "Name three colours."


def switchyard(*arguments, stdin=subprocess.DEVNULL, env=None):
    return subprocess.run([PROGRAM, *arguments], stdin=stdin, capture_output=True, text=True,
                          timeout=300, env={**os.environ, **(env or {})})


def setUpModule():
    default_model.pull(PROGRAM)


class Run(unittest.TestCase):
    def answer(self, *arguments):
        result = switchyard("run", MODEL, *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def test_without_a_terminal_it_answers_the_default_question(self):
        result = self.answer("-n", "24")
        self.assertIn("switchyard do in a power grid", result.stderr)
        self.assertGreater(len(result.stdout.split()), 5)

    def test_the_last_line_tells_speed_chip_types_and_share(self):
        line = self.answer("-p", PROMPT, "-n", "16").stderr.strip().splitlines()[-1]
        self.assertRegex(line, r"^\[prefill \d+ tokens, \d+ tokens/s \| decode \d+ tokens, "
                               r"\d+ tokens/s = [\d.]+ GB/s, \d+ % of the measured [\d.]+ GB/s \| "
                               r"cpu \(.+\) \| weights .*q4_1")

    def test_greedy_knows_a_fact(self):
        result = self.answer("-p", "What is the capital of France?", "--temperature", "0", "-n", "16")
        self.assertIn("Paris", result.stdout)

    def test_the_same_seed_gives_the_same_text_on_any_number_of_threads(self):
        sample = ["-p", "Tell me a story.", "--temperature", "1", "--seed", "7", "-n", "48"]
        one = self.answer(*sample, "--threads", "1").stdout
        self.assertEqual(one, self.answer(*sample, "--threads", "2").stdout)
        other = [*sample[:5], "8", *sample[6:]]
        self.assertNotEqual(one, self.answer(*other).stdout)

    def test_a_stop_string_is_never_shown(self):
        whole = self.answer("-p", PROMPT, "--temperature", "0", "-n", "24").stdout
        stop = whole.split()[2]
        cut = self.answer("-p", PROMPT, "--temperature", "0", "-n", "24", "--stop", stop).stdout
        self.assertNotIn(stop, cut)
        self.assertTrue(whole.startswith(cut.strip()))

    def test_the_prompt_may_come_from_a_file(self):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write(PROMPT)
            file.flush()
            from_file = self.answer("-f", file.name, "--temperature", "0", "-n", "12").stdout
        self.assertEqual(from_file, self.answer("-p", PROMPT, "--temperature", "0", "-n", "12").stdout)

    def test_no_fallback_is_satisfied_by_the_default_chip(self):
        self.answer("-p", PROMPT, "-n", "4", "--no-fallback")

    def test_a_fallback_is_reported_and_changes_nothing_but_speed(self):
        fast = self.answer("-p", PROMPT, "--temperature", "0", "-n", "6", "--chip", "reference")
        split = self.answer("-p", PROMPT, "--temperature", "0", "-n", "6", "--chip", "null",
                            "--device", "1", "--chip-option", "unsupported=rms_norm,rope")
        self.assertEqual(fast.stdout, split.stdout)
        self.assertIn("operations run on 'reference' because 'null' lacks them", split.stderr)
        refused = switchyard("run", MODEL, "-p", PROMPT, "--chip", "null", "--device", "1",
                             "--chip-option", "unsupported=rope", "--no-fallback")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("falling back is not allowed", refused.stderr)

    def test_errors_say_what_and_what_to_do(self):
        for arguments, words in [
            (("--chip", "abacus"), "there is no chip 'abacus'"),
            (("--temperature", "-1"), "temperature is -1"),
            (("--context", "1000000"), "this model was made for"),
            (("--kv-type", "q3"), "--kv-type is 'q3'"),
            (("--chip-option", "threads"), "not of the form name=value"),
        ]:
            with self.subTest(arguments=arguments):
                result = switchyard("run", MODEL, "-p", PROMPT, *arguments)
                self.assertEqual(result.returncode, 1, result.stdout)
                self.assertTrue(result.stderr.startswith("switchyard: error: "), result.stderr)
                self.assertIn(words, result.stderr)

    def test_a_prompt_longer_than_the_context_is_an_error(self):
        result = switchyard("run", MODEL, "-p", "word " * 300, "--context", "128")
        self.assertEqual(result.returncode, 1)
        self.assertIn("the context", result.stderr)

    def test_a_missing_model_is_named(self):
        result = switchyard("run", "/nonexistent/model.gguf")
        self.assertEqual(result.returncode, 1)
        self.assertIn("/nonexistent/model.gguf", result.stderr)


class Chat(unittest.TestCase):
    def test_a_conversation_in_a_terminal(self):
        controller, terminal = pty.openpty()
        chat = subprocess.Popen([PROGRAM, "run", MODEL, "--temperature", "0", "-n", "12"],
                                stdin=terminal, stdout=terminal, stderr=terminal)
        os.close(terminal)
        seen = ""

        def wait_for(pattern):
            nonlocal seen
            deadline = time.monotonic() + 120
            while not re.search(pattern, seen):
                self.assertLess(time.monotonic(), deadline, seen)
                if select.select([controller], [], [], 1)[0]:
                    seen += os.read(controller, 4096).decode(errors="replace")
            seen = seen[re.search(pattern, seen).end():]

        wait_for(r"\n> ")
        os.write(controller, b"What is the capital of France?\n")
        wait_for("Paris")
        wait_for(r"\n> ")
        os.write(controller, b"/reset\n")
        wait_for(r"\n> ")
        os.write(controller, b"/exit\n")
        self.assertEqual(chat.wait(timeout=60), 0)
        os.close(controller)


class Others(unittest.TestCase):
    def test_chips_tells_ceilings_and_proof(self):
        result = switchyard("chips", "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        chips = {chip["chip"]: chip for chip in json.loads(result.stdout)}
        cpu = chips["cpu"]["devices"][0]
        self.assertEqual(cpu["proof"], "run on silicon")
        self.assertGreater(cpu["ceiling"]["memory_gb_s"], 0)
        self.assertGreater(cpu["ceiling"]["gflop_s"]["f32"], 0)
        self.assertIn("reference", chips)

    def test_inspect_counts_the_default_model(self):
        result = switchyard("inspect", MODEL, "--context", "2048", "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        model = json.loads(result.stdout)
        self.assertEqual(model["architecture"], "llama")
        self.assertEqual(model["layers"], 30)
        self.assertEqual(round(model["parameters"] / 1e6), 135)
        # 30 layers, 3 key/value heads of 64, keys and values, 2 bytes.
        self.assertEqual(model["kv_bytes_per_token"], 30 * 3 * 64 * 2 * 2)
        verdicts = {chip["chip"]: chip for chip in model["chips"]}
        self.assertTrue(verdicts["cpu"]["complete"] and verdicts["cpu"]["fits"])
        self.assertIn("runs every operation in f32", verdicts["cpu"]["verdict"])
        # It computes in nothing else, as it would be run.
        if "example" in verdicts:
            self.assertIn(" in f16", verdicts["example"]["verdict"])

    def test_bench_prints_json(self):
        result = switchyard("bench", MODEL, "--prefill", "32", "--decode", "8", "--batch", "1,2",
                            "--repetitions", "1", "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        bench = json.loads(result.stdout)
        self.assertEqual([case["batch"] for case in bench["decode"]], [1, 2])
        for case in bench["prefill"] + bench["decode"]:
            self.assertGreater(case["tokens_per_s"], 0)
            self.assertGreater(case["share_of_ceiling"], 0)

    def test_usage_errors_exit_with_2(self):
        for arguments in [(), ("run",), ("walk",), ("run", MODEL, "--nonsense")]:
            with self.subTest(arguments=arguments):
                self.assertEqual(switchyard(*arguments).returncode, 2)

    def test_a_truncated_file_is_named_with_the_fix(self):
        listed = json.loads(switchyard("inspect", MODEL, "--json").stdout)
        whole = pathlib.Path(listed["path"]).read_bytes()
        with tempfile.NamedTemporaryFile(suffix=".gguf") as file:
            file.write(whole[:len(whole) // 2])
            file.flush()
            result = switchyard("inspect", file.name)
        self.assertEqual(result.returncode, 1)
        self.assertIn(file.name, result.stderr)
        self.assertRegex(result.stderr, "incomplete|fetch|truncated")


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main(verbosity=2)
