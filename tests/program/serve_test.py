#!/usr/bin/env python3
"""Drives `switchyard serve` as clients do, on the real default model.

    serve_test.py PROGRAM

Without a network and without the model in the cache the tests are skipped, saying so. What needs no model
is in tests/server.
"""

import concurrent.futures
import http.client
import json
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = ""
MODEL = "smollm2"


def setUpModule():
    pulled = subprocess.run([PROGRAM, "pull", MODEL], stdin=subprocess.DEVNULL, capture_output=True,
                            text=True, timeout=300)
    if pulled.returncode != 0:
        raise unittest.SkipTest(f"the default model cannot be had: {pulled.stderr.strip()}")


class Serve(unittest.TestCase):
    def start(self, *arguments):
        self.log = tempfile.TemporaryFile("w+")
        self.server = subprocess.Popen(
            [PROGRAM, "serve", MODEL, "--chip", "cpu", "--port", "0", "--context", "1024", *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.server.stdout.readline()
        self.assertRegex(line, r"^Serving smollm2 at http://127\.0\.0\.1:\d+/v1\n$", self.errors())
        self.port = int(re.search(r":(\d+)/", line).group(1))
        self.assertTrue(self.server.stdout.readline().startswith("curl http://"))

    def tearDown(self):
        if self.server.poll() is None:
            self.server.kill()
        self.server.wait()
        self.server.stdout.close()
        self.log.close()

    def errors(self):
        self.log.seek(0)
        return self.log.read()

    def open(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=240)
        self.addCleanup(connection.close)
        connection.request(method, path, None if body is None else json.dumps(body), headers or {})
        return connection.getresponse()

    def chat(self, **fields):
        body = {"model": MODEL, "messages": [{"role": "user", "content": "Name three colours."}]}
        answer = self.open("POST", "/v1/chat/completions", {**body, **fields})
        self.assertEqual(answer.status, 200)
        return json.loads(answer.read())

    def metric(self, name):
        text = self.open("GET", "/metrics").read().decode()
        return float(re.search(rf"^{re.escape(name)}{{.*}} (\S+)$", text, re.MULTILINE).group(1))

    def test_texts_do_not_depend_on_what_else_runs(self):
        self.start()
        asked = [dict(seed=seed, temperature=1, max_tokens=12) for seed in range(6)]
        alone = [self.chat(**fields)["choices"][0]["message"]["content"] for fields in asked]
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            together = list(pool.map(lambda f: self.chat(**f)["choices"][0]["message"]["content"], asked))
        self.assertEqual(alone, together)
        several = self.chat(**asked[2], n=2)["choices"]
        self.assertEqual(several[0]["message"]["content"], alone[2])
        self.assertNotEqual(several[1]["message"]["content"], alone[2])
        self.assertGreater(self.metric("vllm:prefix_cache_hits_total"), 0)

    def test_a_client_that_goes_frees_its_place(self):
        self.start("--max-running", "2")
        links = []
        for _ in range(4):
            answer = http.client.HTTPConnection("127.0.0.1", self.port, timeout=240)
            answer.request("POST", "/v1/completions", json.dumps(
                {"model": MODEL, "prompt": "Once", "max_tokens": 900, "ignore_eos": True}))
            links.append(answer)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.metric("vllm:num_requests_running") == 0:
            time.sleep(0.05)
        for link in links:
            link.close()
        left = -1
        while time.monotonic() < deadline and left != 0:
            left = self.metric("vllm:num_requests_running") + self.metric("vllm:num_requests_waiting")
            time.sleep(0.05)
        self.assertEqual(left, 0)
        self.assertEqual(self.chat(max_tokens=2)["usage"]["completion_tokens"], 2)

    def test_sigterm_lets_what_runs_finish(self):
        self.start()
        stream = self.open("POST", "/v1/completions", {
            "model": MODEL, "prompt": "Once", "max_tokens": 60, "ignore_eos": True, "stream": True})
        self.assertEqual(stream.status, 200)
        self.server.send_signal(signal.SIGTERM)
        rest = stream.read().decode()
        self.assertTrue(rest.endswith("data: [DONE]\n\n"))
        self.assertIn('"finish_reason":"length"', rest)
        self.assertEqual(self.server.wait(60), 0)
        self.assertIn("stopping", self.errors())
        self.assertNotIn("Once", self.errors())

    def test_a_drain_ends_in_time(self):
        self.start("--drain-seconds", "1")
        stream = self.open("POST", "/v1/completions", {
            "model": MODEL, "prompt": "Once", "max_tokens": 1000, "ignore_eos": True, "stream": True})
        self.server.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        refused = self.open("POST", "/v1/completions", {"model": MODEL, "prompt": "a"})
        self.assertEqual((refused.status, refused.getheader("Retry-After")), (503, "1"))
        self.assertEqual(self.open("GET", "/ready").status, 503)
        self.assertEqual(self.server.wait(60), 0)
        with self.assertRaises((http.client.IncompleteRead, ConnectionError)):
            stream.read()

    def test_a_lost_chip_costs_no_request_and_changes_no_text(self):
        known = subprocess.run([PROGRAM, "chips"], capture_output=True, text=True, timeout=300).stdout
        if "PoCL" not in known and "pthread" not in known:
            self.skipTest("no OpenCL device of a processor is here")
        self.start("--chip", "opencl", "--chip-option", "opencl:lose_device_after=5")
        asked = [dict(temperature=0, max_tokens=12, messages=[{"role": "user", "content": f"Say {word}."}])
                 for word in ("red", "green", "blue", "white", "black", "brown", "grey", "pink")]
        text = lambda fields: self.chat(**fields)["choices"][0]["message"]["content"]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            through_the_loss = list(pool.map(text, asked))
        # Only one chip's pages are left to be had.
        self.assertEqual(self.metric("switchyard_kv_pages"), 16 * 1024 / 32)
        self.assertEqual([text(fields) for fields in asked], through_the_loss)

    def test_options_are_for_one_of_several_chips(self):
        refused = subprocess.run([PROGRAM, "serve", MODEL, "--chip", "cpu", "--chip", "cpu", "--chip-option",
                                  "threads=1"], capture_output=True, text=True, timeout=60)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("Write CHIP:threads=1", refused.stderr)
        self.start()

    def test_keys_come_from_a_file(self):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write("# ours\nsk-right\n")
            file.flush()
            self.start("--api-key-file", file.name)
            self.assertEqual(self.open("GET", "/v1/models").status, 401)
            right = self.open("GET", "/v1/models", headers={"Authorization": "Bearer sk-right"})
            self.assertEqual(json.loads(right.read())["data"][0]["max_model_len"], 1024)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main()
