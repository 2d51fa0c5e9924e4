#!/usr/bin/env python3
"""`switchyard serve --deterministic` on a chip whose results depend on the batch: the null chip's fake card with
that planted, over HTTP, on a model so small that it needs nothing to be fetched.

    deterministic_test.py PROGRAM
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "server"))
import tiny_model  # noqa: E402

PROGRAM = ""


class Deterministic(unittest.TestCase):
    def texts(self, *arguments):
        """What six prompts get alone and together, and what the server says of it."""
        with tempfile.TemporaryDirectory() as folder:
            tiny_model.make(folder)
            command = [PROGRAM, "serve", folder, "--chip", "null", "--device", "1", "--chip-option",
                       "fault=batch_variant", "--chip-option", "delay_us=500", "--port", "0", "--context", "256",
                       "--no-request-log"]
            with subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                  text=True) as server:
                self.addCleanup(server.kill)
                address = re.search(r"http://\S+", server.stdout.readline()).group(0)

                def ask(prompts):
                    body = {"model": folder, "prompt": prompts, "seed": 7, "max_tokens": 24, "temperature": 0.8,
                            "return_token_ids": True}
                    asked = urllib.request.Request(f"{address}/completions", json.dumps(body).encode())
                    answer = json.loads(urllib.request.urlopen(asked, timeout=120).read())
                    return [choice["token_ids"] for choice in answer["choices"]]

                prompts = ["A text. " * (1 + i) for i in range(6)]
                alone = [ids for prompt in prompts for ids in ask([prompt])]
                # Of one request, so that they are sure to meet.
                together = ask(prompts)
                models = json.loads(urllib.request.urlopen(f"{address}/models").read())
                server.terminate()
        return alone, together, models["data"][0]["switchyard"]["deterministic"]

    def test_texts_depend_on_what_else_runs_only_without_it(self):
        alone, together, is_told = self.texts()
        self.assertNotEqual(alone, together)
        self.assertFalse(is_told)
        alone, together, is_told = self.texts("--deterministic")
        self.assertEqual(alone, together)
        self.assertTrue(is_told)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main()
