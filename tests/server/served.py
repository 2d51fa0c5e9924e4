"""Starts a server for one suite, and asks it plainly."""

import http.client
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import unittest

import tiny_model

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import default_model  # noqa: E402
from sanitized import SANITIZED  # noqa: E402

SKIPPED = 77


class Server:
    """What a running server can be asked; `port` and `key` are the subclass's to set."""

    key = None

    @property
    def base_url(self):
        return f"http://127.0.0.1:{self.port}/v1"

    def ask(self, method, path, body=None, headers=None):
        """Status, headers and body of one exchange."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            text = body if body is None or isinstance(body, (bytes, str)) else json.dumps(body)
            connection.request(method, path, text, headers or {})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode()
        finally:
            connection.close()

    def metric(self, name):
        text = self.ask("GET", "/metrics")[2]
        line = next(line for line in text.splitlines() if line.startswith(name + "{"))
        return float(line.rsplit(" ", 1)[1])


class Served(Server):
    """tests/server/scripted_server.cc in a child process."""

    model = "scripted"

    def __init__(self, program, key=None):
        self.key = key
        self.child = subprocess.Popen([program, *([key] if key else [])], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True)
        self.port = int(self.child.stdout.readline())

    def stop(self):
        self.child.stdin.close()
        return self.child.wait(timeout=30)


class ServedModel(Server):
    """`switchyard serve` on the default model, which is brought if it is not there, or on a tiny one."""

    model = default_model.NAME

    def __init__(self, program, *arguments, key=None, tiny=False):
        source = self.model
        if tiny:
            self.folder = tempfile.TemporaryDirectory()
            tiny_model.make(self.folder.name)
            source, self.model = self.folder.name, "tiny"
            arguments = ("--served-model-name", self.model, *arguments)
        else:
            try:
                default_model.pull(program)
            except unittest.SkipTest as why:
                skip(why)
        self.key = key
        self.log = tempfile.TemporaryFile("w+")
        keys = []
        if key:
            self.keys = tempfile.NamedTemporaryFile("w", suffix=".txt")
            self.keys.write(key + "\n")
            self.keys.flush()
            keys = ["--api-key-file", self.keys.name]
        chip = os.environ.get("SWITCHYARD_TEST_CHIP", "cpu")
        self.child = subprocess.Popen(
            [program, "serve", source, "--chip", chip, "--port", "0", "--context", "1024", *keys,
             *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.child.stdout.readline()
        found = re.search(r":(\d+)/v1$", line.strip())
        if not found:
            sys.exit(f"the server did not start: {line}{self.errors()}")
        self.port = int(found.group(1))

    def errors(self):
        self.log.seek(0)
        return self.log.read()

    def stop(self):
        return end(self.child)


class BehindGateway(Server):
    """A server with our gateway before it, which asks clients for the key."""

    def __init__(self, gateway, program, key=None):
        self.key = key
        self.folder = tempfile.TemporaryDirectory()
        folder = pathlib.Path(self.folder.name)
        keys = ""
        if key:
            (folder / "keys").write_text(key + "\n")
            keys = 'api_key_file = "keys"'
        (folder / "member").write_text("mk-1\n")
        if is_of_model(program):
            server = ServedModel(program, "--member-key-file", str(folder / "member"))
            kind = 'kind = "switchyard"\nmember_key_file = "member"'
        else:
            server, kind = Served(program), 'kind = "openai"'
        self.server, self.model = server, server.model
        patience = "[timeouts]\nfirst_token_seconds = 600\nstall_seconds = 600\ntotal_seconds = 3600" if SANITIZED else ""
        (folder / "fleet.toml").write_text(f"""
[listen]
port = 0
{keys}
{patience}
[[member]]
name = "the-server"
url = "http://127.0.0.1:{server.port}"
{kind}
""")
        self.log = tempfile.TemporaryFile("w+")
        self.child = subprocess.Popen([gateway, "gateway", "--config", folder / "fleet.toml"],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.child.stdout.readline()
        found = re.search(r":(\d+)/v1$", line.strip())
        if not found:
            self.log.seek(0)
            sys.exit(f"the gateway did not start: {line}{self.log.read()}")
        self.port = int(found.group(1))
        deadline = time.monotonic() + 30
        while self.ask("GET", "/ready")[0] != 200 and time.monotonic() < deadline:
            time.sleep(0.05)

    def stop(self):
        ended = end(self.child)
        return self.server.stop() or ended


def end(child):
    """Asks a program to stop, and leaves none behind that does not."""
    child.terminate()
    try:
        return child.wait(timeout=120)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        raise


def start(program, key=None):
    """The scripted server or the model's, as the program's name says; behind the gateway that
    SWITCHYARD_TEST_GATEWAY names, if it names one."""
    if gateway := os.environ.get("SWITCHYARD_TEST_GATEWAY"):
        return BehindGateway(gateway, program, key)
    return ServedModel(program, key=key) if is_of_model(program) else Served(program, key)


def is_of_model(program):
    return os.path.basename(program) == "switchyard"


def is_scripted(server):
    return isinstance(getattr(server, "server", server), Served)


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIPPED)
