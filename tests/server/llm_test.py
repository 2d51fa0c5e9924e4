#!/usr/bin/env python3
"""A public client as its users have it: `llm` (PyPI, https://llm.datasette.io) told of our server by its own
configuration file.

    llm_test.py SERVER BUILD_FOLDER

As openai_python_test.py.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import client_environment
import openai_python_test
import served

SERVER = None
MODELS = """
- {{model_id: ours, model_name: {model}, api_base: "{url}", api_key_name: ours}}
- {{model_id: ours-text, model_name: {model}, api_base: "{url}", api_key_name: ours, completion: true}}
"""


class Llm(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        pathlib.Path(self.folder.name, "extra-openai-models.yaml").write_text(
            MODELS.format(model=SERVER.model, url=SERVER.base_url), encoding="utf-8")
        pathlib.Path(self.folder.name, "keys.json").write_text(json.dumps({"ours": SERVER.key}), encoding="utf-8")

    def llm(self, *arguments, ok=True):
        program = pathlib.Path(sys.executable).with_name("llm")
        result = subprocess.run(
            [program, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300, check=False,
            env={**os.environ, "LLM_USER_PATH": self.folder.name})
        self.assertEqual(result.returncode == 0, ok, result.stderr)
        return (result.stdout if ok else result.stderr).strip()

    def say(self, *arguments):
        text = self.llm("-m", "ours", "Name three colours.", "-o", "max_tokens", "24", *arguments)
        if served.is_scripted(SERVER):
            self.assertEqual(text, openai_python_test.ANSWER[:24].strip())
        return text

    def test_streams_and_not(self):
        greedy = ("-o", "temperature", "0")
        self.assertEqual(self.say(*greedy), self.say(*greedy, "--no-stream"))
        seeded = ("-o", "temperature", "1", "-o", "seed", "5", "-o", "top_p", "0.9", "-o", "presence_penalty", "0.5")
        self.assertEqual(self.say(*seeded), self.say(*seeded, "--no-stream", "-s", ""))

    def test_goes_on_with_a_conversation(self):
        self.say("-s", "Be brief.")
        self.assertTrue(self.llm("-c", "And one more?", "-o", "max_tokens", "16"))
        self.assertIn("And one more?", self.llm("logs", "-c"))

    def test_completes_text(self):
        self.assertTrue(self.llm("-m", "ours-text", "The sun is", "-o", "max_tokens", "8"))

    def test_shows_what_the_server_says_is_wrong(self):
        self.assertIn("max_tokens", self.llm("-m", "ours", "Hello", "-o", "max_tokens", "0", ok=False))


if __name__ == "__main__":
    client_environment.enter(sys.argv[2])
    SERVER = served.start(sys.argv[1], "sk-right")
    program = unittest.main(argv=sys.argv[:1], exit=False)
    ended = SERVER.stop()
    sys.exit(not program.result.wasSuccessful() or ended != 0)
