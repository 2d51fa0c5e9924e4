#!/usr/bin/env python3
"""Drives `switchyard serve` as clients do, on the real default model.

    serve_test.py PROGRAM

Without a network and without the model in the cache the tests are skipped, saying so. What needs no model
is in tests/server.
"""

import concurrent.futures
import http.client
import http.server
import json
import os
import pty
import queue
import re
import select
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import served_model

PROGRAM = ""
MODEL = served_model.MODEL


def setUpModule():
    served_model.pull(PROGRAM)


class Serve(served_model.Served):
    def by_chip(self, name):
        text = self.open("GET", "/metrics").read().decode()
        lines = re.findall(rf'^{re.escape(name)}{{.*chip="([^"]+)".*}} (\S+)$', text, re.MULTILINE)
        return {chip: float(value) for chip, value in lines}

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
        rest = stream.read().decode()
        self.assertIn('"error":{', rest)
        self.assertNotIn("[DONE]", rest)

    def events(self, path, body, headers=None):
        """The payloads of a stream, [DONE] left out."""
        answer = self.open("POST", path, {"model": MODEL, "stream": True, "return_token_ids": True, **body})
        lines = answer.read().decode().split("\n\n")
        self.assertEqual(answer.status, 200, lines)
        self.seed = int(answer.getheader("x-switchyard-seed"))
        return [json.loads(line[6:]) for line in lines if line.startswith("data: {")]

    def test_an_answer_goes_on_from_any_of_its_tokens(self):
        self.start()
        chat = {"messages": [{"role": "user", "content": "Count from one to ten in words, with emojis."}]}
        text = {"prompt": "The capital of France is", "ignore_eos": True}
        cases = [
            ("/v1/chat/completions", {**chat, "max_tokens": 14, "temperature": 1, "n": 2}),
            ("/v1/chat/completions", {**chat, "max_tokens": 12, "stop": ["three", "\n\n\n"], "temperature": 0}),
            ("/v1/completions", {**text, "max_tokens": 12, "presence_penalty": 1, "min_p": 0.05,
                                 "frequency_penalty": 1, "logit_bias": {"260": 5}, "logprobs": 1}),
            ("/v1/chat/completions", {**chat, "max_tokens": 12, "temperature": 1,
                                      "response_format": {"type": "json_object"}}),
        ]
        for path, body in cases:
            whole = self.events(path, body)
            body = {**body, "seed": self.seed}
            prompt = next(c.get("prompt_token_ids") or c["choices"][0].get("prompt_token_ids") for c in whole)
            of = {}  # by choice: events with tokens, and the finish
            for event in whole:
                for choice in event["choices"]:
                    of.setdefault(choice["index"], []).append(choice)
            said = lambda c: c.get("text") or c.get("delta", {}).get("content") or ""
            ids = lambda parts: [t for c in parts for t in c.get("token_ids") or []]
            steps = max(len(parts) for parts in of.values())
            for cut in range(1, steps + 1):
                # One choice is cut here, the other at its end.
                given = {i: parts[:cut if i == 0 else len(parts)] for i, parts in of.items()}
                resume = {"id": "cmpl-kept", "created": 7, "prompt_token_ids": prompt, "choices": [
                    {"index": i, "token_ids": ids(parts), "finished": bool(parts[-1]["finish_reason"])}
                    for i, parts in given.items()]}
                rest = self.events(path, {**body, "switchyard": {"version": 1, "resume": resume}})
                for i, parts in of.items():
                    more = [c for e in rest for c in e["choices"] if c["index"] == i]
                    label = (path, cut, i)
                    self.assertEqual("".join(map(said, given[i] + more)), "".join(map(said, parts)), label)
                    self.assertEqual(ids(given[i] + more), ids(parts), label)
                    self.assertEqual([c["finish_reason"] for c in given[i] + more if c["finish_reason"]],
                                     [parts[-1]["finish_reason"]], label)
                    offsets = lambda cs: [o for c in cs for o in (c.get("logprobs") or {}).get("text_offset", [])]
                    self.assertEqual(offsets(given[i] + more), offsets(parts), label)
                self.assertTrue(all((e["id"], e["created"]) == ("cmpl-kept", 7) for e in rest))

    def test_what_a_drain_cuts_goes_on_elsewhere(self):
        self.start("--drain-seconds", "1")
        body = {"prompt": "Once", "max_tokens": 400, "ignore_eos": True, "temperature": 1}
        stream = self.open("POST", "/v1/completions", {
            "model": MODEL, "stream": True, "switchyard": {"version": 1}, **body})
        self.server.send_signal(signal.SIGTERM)
        parts = [json.loads(line[6:]) for line in stream.read().decode().split("\n\n") if line]
        self.assertEqual(self.server.wait(60), 0)
        word = parts.pop()
        self.assertEqual(word["error"]["code"], "switchyard_hand_back")
        said = "".join(c["text"] for part in parts for c in part["choices"])
        self.log.close()
        self.server.stdout.close()
        self.start()
        resume = word["switchyard"]["hand_back"]
        tokens = len(resume["choices"][0]["token_ids"])
        # A few tokens more are enough.
        body = {**body, "seed": word["switchyard"]["seed"], "max_tokens": min(400, tokens + 20)}
        rest = self.events("/v1/completions", {**body, "switchyard": {"version": 1, "resume": resume}})
        whole = self.events("/v1/completions", body)
        text = lambda events: "".join(c["text"] for e in events for c in e["choices"])
        self.assertEqual(said + text(rest), text(whole))

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
        # Metrics and the log say so.
        up, lost, moved = (self.by_chip(f"switchyard_{name}") for name in
                           ("chip_up", "chip_lost_total", "requests_moved_total"))
        self.assertEqual((up["cpu"], up["opencl"]), (1, 0))
        self.assertEqual((lost["cpu"], lost["opencl"]), (0, 1))
        self.assertGreater(moved["opencl"], 0)
        line = next(line for line in self.errors().splitlines() if 'msg="chip lost"' in line)
        self.assertRegex(line, r"^time=\S+ level=error .* chip=opencl replica=1 requests=[1-9]\d* why=")

    def test_options_are_for_one_of_several_chips(self):
        refused = subprocess.run([PROGRAM, "serve", MODEL, "--chip", "cpu", "--chip", "cpu", "--chip-option",
                                  "threads=1"], capture_output=True, text=True, timeout=60)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("Write CHIP:threads=1", refused.stderr)
        self.start()

    def test_a_configuration_is_read_and_the_command_line_wins(self):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write('served-model-name = "from the file"\nmax_running = 2\ncontext = 4096\n')
            file.flush()
            self.start("--config", file.name, "--served-model-name", MODEL)
            self.assertEqual(json.loads(self.open("GET", "/v1/models").read())["data"][0]["id"], MODEL)
            self.assertEqual(self.metric("switchyard_kv_pages"), 2 * 1024 / 32)
            file.write("prot = 1\n")
            file.flush()
            refused = subprocess.run([PROGRAM, "serve", "--config", file.name], capture_output=True, text=True,
                                     timeout=60)
        self.assertEqual(refused.returncode, 1)
        self.assertIn(f"{file.name}:4: there is no option 'prot'; did you mean 'port'?", refused.stderr)

    def test_keys_come_from_a_file(self):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write("# ours\nsk-right\n")
            file.flush()
            self.start("--api-key-file", file.name)
            self.assertEqual(self.open("GET", "/v1/models").status, 401)
            right = self.open("GET", "/v1/models", headers={"Authorization": "Bearer sk-right"})
            self.assertEqual(json.loads(right.read())["data"][0]["max_model_len"], 1024)


    def test_keys_are_read_again_on_sighup(self):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write("sk-old name=us\n")
            file.flush()
            self.start("--api-key-file", file.name, "--log-format", "json")
            ask = lambda key: self.open("GET", "/v1/models", headers={"Authorization": f"Bearer {key}"}).status
            self.assertEqual((ask("sk-old"), ask("sk-new")), (200, 401))
            file.seek(0)
            file.write("sk-new name=us\n")
            file.flush()
            self.server.send_signal(signal.SIGHUP)
            self.wait_for_log("reloaded")
            self.assertEqual((ask("sk-old"), ask("sk-new")), (401, 200))
            file.seek(0)
            file.write("sk-new limit=1\n")
            file.flush()
            self.server.send_signal(signal.SIGHUP)
            self.wait_for_log("not reloaded")
            self.assertEqual(ask("sk-new"), 200)
        records = [json.loads(line) for line in self.errors().splitlines()]
        self.assertTrue(all({"time", "level", "msg"} <= set(record) for record in records))
        self.assertEqual([record["key"] for record in records if record["msg"] == "request"
                          and record["status"] == 200], ["us"] * 3)
        self.assertNotIn("sk-", self.errors())

    def wait_for_log(self, words):
        deadline = time.monotonic() + 60
        while words not in self.errors():
            self.assertLess(time.monotonic(), deadline, self.errors())
            time.sleep(0.05)

    def test_traces_reach_a_collector(self):
        bodies = queue.Queue()

        class Collector(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                text = self.rfile.read(int(self.headers["Content-Length"]))
                bodies.put((self.path, self.headers["Content-Type"], json.loads(text)))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector) as collector:
            threading.Thread(target=collector.serve_forever, daemon=True).start()
            self.start("--otlp-endpoint", f"http://127.0.0.1:{collector.server_port}")
            trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
            body = {"model": MODEL, "max_tokens": 4, "ignore_eos": True,
                    "messages": [{"role": "user", "content": "A secret."}]}
            for flags in ("00", "01"):
                answer = self.open("POST", "/v1/chat/completions", body,
                                   {"traceparent": f"00-{trace}-{parent}-{flags}"})
                identity = json.loads(answer.read())["id"]
            path, kind, sent = bodies.get(timeout=60)
            collector.shutdown()
        self.assertEqual((path, kind), ("/v1/traces", "application/json"))
        self.assertNotIn("secret", json.dumps(sent))
        (resource,) = sent["resourceSpans"]
        names = {a["key"]: a["value"] for a in resource["resource"]["attributes"]}
        self.assertEqual(names["service.name"], {"stringValue": "switchyard"})
        spans = resource["scopeSpans"][0]["spans"]
        self.assertEqual({span["traceId"] for span in spans}, {trace})
        whole = spans[0]
        self.assertEqual((whole["name"], whole["kind"], whole["parentSpanId"]), (f"chat {MODEL}", 2, parent))
        attributes = {a["key"]: a["value"] for a in whole["attributes"]}
        self.assertEqual(attributes["gen_ai.usage.output_tokens"], {"intValue": "4"})
        self.assertEqual(attributes["gen_ai.response.id"], {"stringValue": identity})
        self.assertEqual(attributes["gen_ai.response.finish_reasons"],
                         {"arrayValue": {"values": [{"stringValue": "length"}]}})
        for span in spans:
            self.assertRegex(span["spanId"], "^[0-9a-f]{16}$")
            self.assertLessEqual(int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"]))
        inner = {span["name"]: span for span in spans[1:]}
        self.assertLessEqual({"prefill", "decode"}, set(inner))
        self.assertEqual(inner["decode"]["parentSpanId"], whole["spanId"])

    def test_https_with_a_certificate_that_is_replaced(self):
        if not shutil.which("openssl"):
            self.skipTest("openssl is not here to make certificates")
        with tempfile.TemporaryDirectory() as folder:
            def certify(name):
                subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                                "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext",
                                "subjectAltName=IP:127.0.0.1", "-keyout", f"{folder}/key.pem", "-out",
                                f"{folder}/cert.pem"], check=True, capture_output=True)

            def connect():
                trusted = ssl.create_default_context(cafile=f"{folder}/cert.pem")
                link = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=240, context=trusted)
                self.addCleanup(link.close)
                return link

            certify("first")
            self.start("--tls-cert", f"{folder}/cert.pem", "--tls-key", f"{folder}/key.pem", scheme="https")
            link = connect()
            link.request("POST", "/v1/completions", json.dumps(
                {"model": MODEL, "prompt": "Once", "max_tokens": 200, "ignore_eos": True, "stream": True}))
            stream = link.getresponse()
            self.assertIn(b"data: ", stream.readline())
            certify("second")
            self.server.send_signal(signal.SIGHUP)
            self.wait_for_log("reloaded")
            new = connect()
            new.request("GET", "/metrics")
            self.assertEqual(dict(new.sock.getpeercert()["subject"][0])["commonName"], "second")
            end = re.search(r"(?m)^switchyard_tls_certificate_end_seconds (\d+)$", new.getresponse().read().decode())
            self.assertAlmostEqual(int(end.group(1)), time.time() + 2 * 86400, delta=300)
            rest = stream.read().decode()
            self.assertTrue(rest.endswith("data: [DONE]\n\n"))
            self.assertIn('"finish_reason":"length"', rest)


class Ask(unittest.TestCase):
    """`make run`: the server asks itself, over HTTP."""

    COMMAND = ["serve", MODEL, "--chip", "cpu", "--context", "512", "--no-request-log", "--ask"]

    def test_without_a_terminal_it_answers_and_stops(self):
        asked = subprocess.run([PROGRAM, *self.COMMAND, "What is the capital of France?"],
                               stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240)
        self.assertEqual(asked.returncode, 0, asked.stderr)
        first, line, answer = asked.stdout.split("\n", 2)
        self.assertRegex(first, r"^Serving smollm2 at http://127\.0\.0\.1:\d+/v1$")
        # The line is for a shell, whatever the question holds.
        words = shlex.split(line)
        self.assertEqual(words[0], "curl")
        body = json.loads(words[words.index("-d") + 1])
        self.assertEqual(body["messages"][0]["content"], "What is the capital of France?")
        self.assertIn("Paris", answer)
        self.assertRegex(asked.stderr, r"(?m)^\[prefill \d+ tokens, \d+ tokens/s \| decode \d+ tokens, "
                                       r"\d+ tokens/s = [\d.]+ GB/s, \d+ % of the measured [\d.]+ GB/s \| "
                                       r"cpu \(.+\) \| weights .*q4_1")
        self.assertIn("this was all", asked.stderr)

    def test_a_taken_port_is_no_reason_to_give_up_unless_it_was_chosen(self):
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                taken.bind(("127.0.0.1", 8080))
                taken.listen()
            except OSError:
                pass  # somebody else has it, which serves as well
            asked = subprocess.run([PROGRAM, *self.COMMAND, "Hello"], stdin=subprocess.DEVNULL,
                                   capture_output=True, text=True, timeout=240)
            self.assertEqual(asked.returncode, 0, asked.stderr)
            self.assertRegex(asked.stderr, r"port 8080 is taken; this is port \d+")
            self.assertNotIn(":8080/", asked.stdout)
            chosen = subprocess.run([PROGRAM, *self.COMMAND, "Hello", "--port", "8080"],
                                    stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240)
            self.assertEqual(chosen.returncode, 1)
            self.assertIn("cannot listen on 127.0.0.1 port 8080", chosen.stderr)

    def test_with_a_terminal_it_serves_on_until_told_to_stop(self):
        controller, terminal = pty.openpty()
        server = subprocess.Popen([PROGRAM, *self.COMMAND, "Hello"], stdin=terminal, stdout=terminal,
                                  stderr=terminal)
        os.close(terminal)
        seen = ""
        deadline = time.monotonic() + 240
        while "serving until Ctrl-C" not in seen:
            self.assertLess(time.monotonic(), deadline, seen)
            if select.select([controller], [], [], 1)[0]:
                seen += os.read(controller, 4096).decode(errors="replace")
        port = int(re.search(r"http://127\.0\.0\.1:(\d+)/v1", seen).group(1))
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/ready")
        self.assertEqual(connection.getresponse().status, 200)
        connection.close()
        server.send_signal(signal.SIGINT)
        # The rest must be read, or the program could not end its output.
        try:
            while os.read(controller, 4096):
                pass
        except OSError:
            pass
        self.assertEqual(server.wait(60), 0)
        os.close(controller)


if __name__ == "__main__":
    PROGRAM = served_model.PROGRAM = sys.argv.pop(1)
    unittest.main()
