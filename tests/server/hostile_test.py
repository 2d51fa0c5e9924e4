#!/usr/bin/env python3
"""A few hundred hostile clients, after which the server must be as before.

    hostile_test.py SCRIPTED_SERVER [BUILD_FOLDER]

Seeded, so that a failure can be repeated.
"""

import json
import random
import socket
import struct
import sys
import threading
import time
import unittest

import served

SERVER = None
CHAT = json.dumps({"model": "scripted", "stream": True, "n": 3,
                   "messages": [{"role": "user", "content": "Hello"}]}).encode()


def connect():
    link = socket.create_connection(("127.0.0.1", SERVER.port), timeout=20)
    return link


def post(body, path="/v1/chat/completions", length=None):
    return (f"POST {path} HTTP/1.1\r\nHost: a\r\n"
            f"Content-Length: {len(body) if length is None else length}\r\n\r\n").encode() + body


def read_all(link):
    got = b""
    try:
        while part := link.recv(65536):
            got += part
    except (ConnectionError, TimeoutError):
        pass
    return got


class Hostile(unittest.TestCase):
    def tearDown(self):
        self.assertEqual(SERVER.ask("GET", "/health")[0], 200)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and SERVER.metric("vllm:num_requests_running") != 0:
            time.sleep(0.05)
        self.assertEqual(SERVER.metric("vllm:num_requests_running"), 0)
        self.assertEqual(SERVER.metric("vllm:num_requests_waiting"), 0)
        status, _, text = SERVER.ask("POST", "/v1/completions",
                                     {"model": "scripted", "prompt": "a", "max_tokens": 3})
        self.assertEqual((status, json.loads(text)["choices"][0]["text"]), (200, "One"))

    def test_broken_json(self):
        chance = random.Random(1)
        for _ in range(150):
            body = bytearray(CHAT)
            for _ in range(chance.randint(1, 6)):
                at = chance.randrange(len(body))
                if chance.random() < 0.5:
                    body[at] = chance.randrange(256)
                else:
                    del body[at:at + chance.randint(1, 9)]
            status, _, text = SERVER.ask("POST", "/v1/chat/completions", bytes(body))
            self.assertIn(status, (200, 400, 404), body)
            if status != 200:
                self.assertEqual(set(json.loads(text)["error"]), {"message", "type", "param", "code"})
        for body in (b"", b"[" * 100000, b'{"a":' * 50000, b"null", b"1e999", b"\xff\xfe", b"\x00" * 99,
                     json.dumps({"model": "scripted", "messages": [{}] * 9000}).encode()):
            self.assertEqual(SERVER.ask("POST", "/v1/chat/completions", body)[0], 400, body[:40])

    def test_broken_http(self):
        chance = random.Random(2)
        for i in range(80):
            with connect() as link:
                text = bytearray(post(CHAT)[:-i] if i % 2 else chance.randbytes(200))
                if i % 2:
                    text[chance.randrange(60)] = chance.randrange(256)
                link.sendall(text)
                link.shutdown(socket.SHUT_WR)
                answer = read_all(link)
                if answer:
                    self.assertTrue(answer.startswith(b"HTTP/1.1 "), answer[:40])

    def test_huge(self):
        with connect() as link:
            try:
                link.sendall(b"GET /health HTTP/1.1\r\nA: " + b"a" * (1 << 20))
            except ConnectionError:
                pass
            self.assertTrue(read_all(link)[:12] in (b"", b"HTTP/1.1 431"))
        with connect() as link:
            link.sendall(post(b"", length=1 << 40))
            self.assertEqual(read_all(link)[:12], b"HTTP/1.1 413")

    def test_slow(self):
        links = [connect() for _ in range(60)]
        began = time.monotonic()
        for i, link in enumerate(links):
            link.sendall(post(CHAT)[:10 if i % 2 else -10])
        for link in links:
            read_all(link)
            link.close()
        self.assertLess(time.monotonic() - began, 15)

    def test_streams_that_are_left(self):
        chance = random.Random(3)

        def leave(seed):
            with connect() as link:
                link.sendall(post(CHAT))
                how = seed % 4
                if how > 0:
                    link.recv(chance.choice([1, 100, 5000]))
                if how == 1:
                    link.shutdown(socket.SHUT_WR)
                if how == 2:
                    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        threads = [threading.Thread(target=leave, args=(i,)) for i in range(160)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def test_pipelined(self):
        with connect() as link:
            body = json.dumps({"model": "scripted", "prompt": "a", "max_tokens": 2}).encode()
            last = post(body, "/v1/completions").replace(b"Host: a", b"Host: a\r\nConnection: close")
            link.sendall(post(body, "/v1/completions") * 40 + last)
            self.assertEqual(read_all(link).count(b"HTTP/1.1 200 OK"), 41)


if __name__ == "__main__":
    SERVER = served.Served(sys.argv[1])
    program = unittest.main(argv=sys.argv[:1], exit=False)
    ended = SERVER.stop()
    sys.exit(not program.result.wasSuccessful() or ended != 0)
