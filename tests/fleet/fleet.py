"""A fleet on this machine for tests: real members (`switchyard serve`), a real gateway, and between
them a cutter that breaks connections where a test says. Everything listens on the loopback only.
"""

import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from default_model import NAME as MODEL, pull  # noqa: E402, F401
from sanitized import SANITIZED  # noqa: E402


class Process:
    """A program of ours that says in its first line where it serves."""

    def __init__(self, *arguments):
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=self.log, text=True)
        line = self.process.stdout.readline()
        found = re.search(r"https?://[\d.]+:(\d+)", line)
        if not found:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{' '.join(arguments)} does not serve: {line}{self.errors()}")
        self.port = int(found.group(1))

    def errors(self):
        self.log.seek(0)
        return self.log.read()

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()


class Member(Process):
    def __init__(self, program, *arguments, port=0):
        super().__init__(program, "serve", MODEL, "--chip", "cpu", "--port", str(port), "--context",
                         "1024", *arguments)


class Gateway(Process):
    """`members` are tables of fleet.toml; `head` stands before them, behind [listen]. Has heard of all of
    them. `tls`: for clients of one that listens so."""

    def __init__(self, program, members, head="", tls=None):
        self.tls = tls
        self.folder = tempfile.TemporaryDirectory()
        self.config = os.path.join(self.folder.name, "fleet.toml")
        self.write(members, head)
        super().__init__(program, "gateway", "--config", self.config)
        wait_until(lambda: get(self.port, "/metrics", tls=self.tls).body.count(b',state="ready"} 1') == len(members))

    def write(self, members, head=""):
        text = "[listen]\nport = 0\nrequest_log = '-'\n"
        if SANITIZED:
            text += "drain_seconds = 600\n"
        text += head + "\n"
        if SANITIZED and "[timeouts]" not in head:
            text += "[timeouts]\nfirst_token_seconds = 600\nstall_seconds = 600\n"
        for member in members:
            text += "[[member]]\n"
            for key, value in member.items():
                text += f"{key} = {json.dumps(value)}\n"
        with open(self.config, "w") as file:
            file.write(text)

    def close(self):
        super().close()
        self.folder.cleanup()


def entry(name, port, **fields):
    """A member's table, on one kind of chip."""
    return {"name": name, "url": f"http://127.0.0.1:{port}", "chip": "cpu", "maker": name,
            "models": [MODEL], **fields}


class Cut:
    """What cutters that share it do next: break one answer, whoever gives it."""

    def __init__(self):
        self.after = None  # events of data
        self.inside = 0    # bytes of the event behind them that are still passed on
        self.done = 0
        self.lock = threading.Lock()

    def set(self, after, inside=0):
        with self.lock:
            self.after = after
            self.inside = inside


class Cutter:
    """Stands before a member and passes bytes on, until it is to cut; `refuses` breaks every
    connection at once."""

    def __init__(self, port, cut=None):
        self.target = port
        self.cut = cut or Cut()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.refuses = False
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def close(self):
        self.listener.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.refuses:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                client.close()
                continue
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            member = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            client.close()
            return
        for one in (client, member):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        back = threading.Thread(target=self.answer, args=(member, client), daemon=True)
        back.start()
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                member.sendall(data)
        with contextlib.suppress(OSError):
            member.shutdown(socket.SHUT_WR)

    def answer(self, member, client):
        events = 0
        with contextlib.suppress(OSError):
            while data := member.recv(65536):
                after, inside = self.cut.after, self.cut.inside
                if after is not None:
                    begin = 0
                    while True:
                        # Events lie in chunks of the transfer coding; each has a mark of its own.
                        at = data.find(b"data: ", begin)
                        if at < 0:
                            break
                        events += 1
                        if events > after:
                            with self.cut.lock:
                                if self.cut.after is None:
                                    break  # another one was faster
                                self.cut.after = None
                                self.cut.done += 1
                            # Without the head of the chunk that the event lies in.
                            head = data.rfind(b"\r\n", 0, max(0, at - 2))
                            head = data.rfind(b"\n", 0, max(0, at - 2)) + 1 if head < 0 else head + 2
                            client.sendall(data[:at + inside] if inside else data[:head])
                            # While another thread reads, closing alone would tell nobody.
                            for one in (client, member):
                                one.shutdown(socket.SHUT_RDWR)
                            return
                        begin = at + 6
                client.sendall(data)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_WR)


class Reply:
    """What a client saw of one answer."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def comments(self):
        return [line for line in self.body.decode().split("\n") if line.startswith(":")]

    @property
    def data(self):
        """The data of each event, [DONE] too."""
        return [part[len("data: "):] for part in self.body.decode().split("\n\n") if part.startswith("data: ")]

    @property
    def chunks(self):
        return [json.loads(data) for data in self.data if data != "[DONE]"]

    def normal(self):
        """The bytes without comments, and without what differs between any two answers: ids, times, and
        which of several choices is told of first."""
        parts = [part for part in self.body.decode().split("\n\n") if not part.startswith(":")]
        choice = re.compile(r'"choices":\[\{"index":(\d+)')
        parts.sort(key=lambda part: int(found.group(1)) if (found := choice.search(part)) else 1 << 30)
        text = "\n\n".join(parts)
        text = re.sub(r'"id":"(chatcmpl|cmpl)-[0-9a-f]+"', '"id":"ID"', text)
        text = re.sub(r'"id":"call_[0-9A-Za-z]+"', '"id":"CALL"', text)
        text = re.sub(r'"created":\d+', '"created":0', text)
        return re.sub(r'"cached_tokens":\d+', '"cached_tokens":0', text)

    def ids(self):
        return set(re.findall(r'"id":"((?:chatcmpl|cmpl)-[0-9a-f]+)"', self.body.decode()))


def connect(host, port, timeout, tls=None):
    """`tls`: an ssl.SSLContext."""
    if tls is None:
        return http.client.HTTPConnection(host, port, timeout=timeout)
    return http.client.HTTPSConnection(host, port, timeout=timeout, context=tls)


def ask(port, path, body, headers=None, timeout=1200 if SANITIZED else 120, host="127.0.0.1", tls=None):
    connection = connect(host, port, timeout, tls)
    try:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json", **(headers or {})})
        answer = connection.getresponse()
        return Reply(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


def get(port, path, headers=None, host="127.0.0.1", tls=None):
    connection = connect(host, port, 30, tls)
    try:
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        return Reply(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


def ask_and(act, events, port, path, body, host="127.0.0.1", headers=None, tls=None):
    """Asks for a stream; once so many events have come, `act` is called with the name of the member that
    answers. What it returns is a context, left at the end of the answer."""
    connection = connect(host, port, 120, tls)
    try:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json", **(headers or {})})
        answer = connection.getresponse()
        lines, heard = [], 0
        with contextlib.ExitStack() as acts:
            for line in answer:
                lines.append(line)
                heard += line.startswith(b"data: ")
                if heard == events and line.startswith(b"data: "):
                    acts.enter_context(act(answer.headers["x-switchyard-member"]))
        return Reply(answer.status, dict(answer.getheaders()), b"".join(lines))
    finally:
        connection.close()


def wait_until(what, seconds=30):
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            raise AssertionError("it did not come about in time")
        time.sleep(0.02)
