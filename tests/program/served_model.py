"""`switchyard serve` on the real default model, for tests that ask it over HTTP. A test's program is
`served_model.PROGRAM`.
"""

import http.client
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from default_model import NAME as MODEL, pull  # noqa: E402, F401

PROGRAM = ""


class Served(unittest.TestCase):
    def start(self, *arguments, scheme="http"):
        self.log = tempfile.TemporaryFile("w+")
        self.server = subprocess.Popen(
            [PROGRAM, "serve", MODEL, "--chip", "cpu", "--port", "0", "--context", "1024", *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.server.stdout.readline()
        self.assertRegex(line, rf"^Serving smollm2 at {scheme}://127\.0\.0\.1:\d+/v1\n$", self.errors())
        self.port = int(re.search(r":(\d+)/", line).group(1))
        self.assertTrue(self.server.stdout.readline().startswith(f"curl {scheme}://"))

    server = None

    def tearDown(self):
        if self.server is None:
            return  # skipped before it began
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
