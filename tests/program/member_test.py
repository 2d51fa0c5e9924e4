#!/usr/bin/env python3
"""What a gateway asks of `switchyard serve`, on the real default model: docs/member_protocol.md.

    member_test.py PROGRAM

Without a network and without the model in the cache the tests are skipped, saying so.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
import unittest

import served_model
from served_model import MODEL


def setUpModule():
    served_model.pull(served_model.PROGRAM)


class Member(served_model.Served):
    def start_member(self, *arguments, **options):
        keys = tempfile.NamedTemporaryFile("w", suffix=".txt")
        self.addCleanup(keys.close)
        keys.write("mk-gateway name=west\n")
        keys.flush()
        self.start("--member-key-file", keys.name, *arguments, **options)

    def member(self, method, path, body=None):
        answer = self.open(method, f"/switchyard/v1/{path}", body, {"Authorization": "Bearer mk-gateway"})
        return answer.status, json.loads(answer.read())

    def state(self):
        status, state = self.member("GET", "state")
        self.assertEqual(status, 200)
        return state

    def test_a_gateway_sees_how_busy_it_is(self):
        self.start_member()
        self.assertEqual(self.open("GET", "/switchyard/v1/state").status, 401)
        with open(served_model.pull(served_model.PROGRAM), "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        state = self.state()
        self.assertEqual((state["version"], state["model"]["id"], state["model"]["sha256"]), (1, MODEL, digest))
        self.assertEqual(state["kv_pages"], {"total": 16 * 1024 // 32, "in_use": 0, "cached": 0})
        body = {"model": MODEL, "prompt": "word " * 100, "max_tokens": 800, "ignore_eos": True, "stream": True}
        stream = self.open("POST", "/v1/completions", body)
        for _ in range(20):
            stream.readline()
        busy = self.state()
        (replica,) = busy["replicas"]
        for counts in (busy, replica):
            self.assertEqual((counts["running"], counts["waiting"], counts["prefill_tokens"]), (1, 0, 0))
            self.assertGreaterEqual(counts["kv_pages"]["in_use"], 3)
            self.assertGreater(counts["recent"]["computed_tokens_per_s"],
                               counts["recent"]["completion_tokens_per_s"])
            self.assertGreater(counts["recent"]["completion_tokens_per_s"], 0)
        self.assertEqual((replica["chip"], replica["proof"], replica["lost"]), ("cpu", "run on silicon", False))
        self.assertGreater(replica["ceiling_share"], 0)
        stream.close()
        self.chat(max_tokens=2)
        self.chat(max_tokens=2)
        self.assertGreater(self.state()["since_start"]["cached_prompt_tokens"], 0)

    def test_a_gateway_drains_it_and_brings_it_back(self):
        self.start_member()
        body = {"model": MODEL, "prompt": "Once", "max_tokens": 900, "ignore_eos": True, "temperature": 1}
        stream = self.open("POST", "/v1/completions", {**body, "stream": True, "switchyard": {"version": 1}})
        self.assertEqual(stream.status, 200)
        status, drain = self.member("POST", "drain", {"mode": "hand_back", "seconds": 0.5})
        self.assertEqual((status, drain["draining"], drain["in_flight"]), (200, True, 1))
        refused = self.open("POST", "/v1/completions", {"model": MODEL, "prompt": "a"})
        self.assertEqual((refused.status, refused.getheader("Retry-After")), (503, "1"))
        parts = [json.loads(line[6:]) for line in stream.read().decode().split("\n\n") if line]
        word = parts.pop()
        self.assertEqual(word["error"]["code"], "switchyard_hand_back")
        said = "".join(c["text"] for part in parts for c in part["choices"])
        self.assertEqual(self.state()["drain"]["in_flight"], 0)
        self.assertEqual(self.member("POST", "undrain")[1]["draining"], False)
        # It goes on where it was begun.
        resume = word["switchyard"]["hand_back"]
        tokens = len(resume["choices"][0]["token_ids"])
        body = {**body, "seed": word["switchyard"]["seed"], "max_tokens": tokens + 10}
        ask = lambda body: json.loads(self.open("POST", "/v1/completions", body).read())["choices"][0]["text"]
        rest = ask({**body, "switchyard": {"version": 1, "resume": resume}})
        self.assertEqual(said + rest, ask(body))

    def test_it_says_whether_texts_depend_on_what_else_runs(self):
        self.start_member("--deterministic")
        told = self.state()["deterministic"]
        self.assertTrue(told["is_deterministic"])
        self.assertIn("do not depend on the batch, and KV pages", told["why"])
        (model,) = json.loads(self.open("GET", "/v1/models").read())["data"]
        self.assertEqual(model["switchyard"]["deterministic"], True)
        refused = subprocess.run([served_model.PROGRAM, "serve", MODEL, "--chip", "cpu", "--chip", "reference",
                                  "--deterministic"], capture_output=True, text=True, timeout=120)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("'cpu' and 'reference' do not compute alike", refused.stderr)


if __name__ == "__main__":
    served_model.PROGRAM = sys.argv.pop(1)
    unittest.main()
