#!/usr/bin/env python3
"""Hostile clients beside honest ones: nothing crashes, nothing leaks, and the honest get their answers.

    hostile_test.py SERVER BUILD_FOLDER [REQUESTS] [--default-model]

SERVER is the scripted server, or `switchyard` itself, which then serves a tiny model, or the default one, with so few
pages that they run out. 600 requests unless told otherwise. Prints how many of each kind there were and how they ended.
Seeded, though threads make the order differ.
"""

import collections
import concurrent.futures
import json
import os
import pathlib
import random
import socket
import struct
import sys
import threading
import time

import served

SERVER = None
WARM_UP = 0.2  # of the requests, before memory is looked at for the first time
RSS_GROWTH_MIB = 32
ODD_TEXTS = ["", "\0", "\ud800", "é" * 500, "😀" * 300, "\u202e\u0300" * 200, "<|im_end|>" * 50, "\\" * 999, " " * 3000]
ODD_VALUES = [None, True, -1, 0, 1e308, -1e-308, 2**63, -2**63, 1.5, "", "x", [], {}, [None], {"a": {}}, [[]]]
FIELDS = ["model", "messages", "prompt", "input", "n", "stop", "seed", "temperature", "top_p", "logit_bias", "logprobs",
          "top_logprobs", "max_tokens", "stream", "stream_options", "best_of", "echo", "min_tokens", "bad_words",
          "allowed_token_ids", "priority", "dimensions", "encoding_format", "tools", "response_format", "user"]


def connect():
    return socket.create_connection(("127.0.0.1", SERVER.port), timeout=60)


def head(path, length, method="POST"):
    return f"{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n".encode()


def post(body, path="/v1/chat/completions"):
    data = body if isinstance(body, bytes) else json.dumps(body).encode("utf-8", "surrogatepass")
    return head(path, len(data)) + data


def chat(**fields):
    return {"model": SERVER.model, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8, **fields}


def read_all(link):
    got = b""
    try:
        while part := link.recv(65536):
            got += part
    except (ConnectionError, TimeoutError):
        pass
    return got


def exchange(data, half_close=False):
    """The status of the first answer, or "closed". The connection is closed by us."""
    with connect() as link:
        try:
            link.sendall(data)
            if half_close:
                link.shutdown(socket.SHUT_WR)
            got = link.recv(65536)
        except ConnectionError:
            return "closed"
        if not got:
            return "closed"
        assert got.startswith(b"HTTP/1.1 "), got[:60]
        return got[9:12].decode()


# The kinds. Each takes a random.Random and tells how it ended.

def broken_json(chance):
    body = bytearray(json.dumps(chat(stream=chance.random() < 0.3)).encode())
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(body))
        if chance.random() < 0.5:
            body[at] = chance.randrange(256)
        else:
            del body[at:at + chance.randint(1, 9)]
    return exchange(post(bytes(body)))


def no_json(chance):
    return exchange(post(chance.choice([b"", b"[" * 100000, b'{"a":' * 50000, b"null", b"1e999", b"\xff\xfe",
                                        b"\0" * 99, b'"' + b"a" * 9999])))


def broken_http(chance):
    if chance.random() < 0.5:
        return exchange(chance.randbytes(chance.randint(1, 400)), half_close=True)
    text = bytearray(post(chat()))
    text[chance.randrange(60)] = chance.randrange(256)
    return exchange(bytes(text[:len(text) - chance.randrange(40)]), half_close=True)


def strange_http(chance):
    return exchange(chance.choice([
        b"GET /health HTTP/1.1\r\nHost: a\r\nA: " + b"a" * 100000 + b"\r\n\r\n",
        head("/v1/completions", 1 << 40), head("/v1/completions", -5),
        head("/" + "a" * 20000, 0, "GET"), head("/v1/chat/completions", 0, "DELETE"),
        b"POST /v1/completions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"]),
        half_close=True)


def odd_fields(chance):
    body = chance.choice([chat(), {"model": SERVER.model, "prompt": "a", "max_tokens": 4}, {"model": SERVER.model}])
    for field in chance.sample(FIELDS, chance.randint(1, 3)):
        body[field] = chance.choice(ODD_VALUES + ODD_TEXTS)
    body.setdefault("max_tokens", 4)
    return exchange(post(body, chance.choice(["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/tokenize",
                                              "/detokenize"])))


def huge_fields(chance):
    return exchange(post(*chance.choice([
        (chat(stop=["a"] * 5000), "/v1/chat/completions"), (chat(logit_bias={str(i): 1 for i in range(5000)}),),
        (chat(messages=[{"role": "user", "content": "a"}] * 9000),), (chat(user="u" * 500000),),
        ({"model": SERVER.model, "prompt": "a" * 900000}, "/v1/completions"),
        ({"model": SERVER.model, "prompt": [1] * 200000}, "/v1/completions"),
        ({"model": SERVER.model, "input": ["a"] * 5000}, "/v1/embeddings"),
        (chat(n=128, max_tokens=10**9),), (chat(bad_words=["b"] * 1000),)])))


def unicode_texts(chance):
    text = chance.choice(ODD_TEXTS) + "".join(chr(chance.randrange(1, 0x110000)) for _ in range(20))
    data = json.dumps({"model": SERVER.model, "prompt": text, "max_tokens": 4},
                      ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
    return exchange(post(data, "/v1/completions"))


def slow(chance):
    data = post(chat())
    with connect() as link:
        for at in range(0, chance.randint(10, len(data) - 1), 40):
            link.sendall(data[at:at + 40])
            time.sleep(chance.random() * 0.1)
    return "left"


def half_closed(chance):
    return exchange(post(chat(stream=chance.random() < 0.5)), half_close=True)


def left_stream(chance):
    with connect() as link:
        link.sendall(post(chat(stream=True, n=chance.randint(1, 4), max_tokens=200, ignore_eos=True)))
        if chance.random() < 0.8:
            link.recv(chance.choice([1, 100, 5000]))
        if chance.random() < 0.5:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
    return "left"


def unread_stream(chance):
    with connect() as link:
        link.sendall(post(chat(stream=True, n=3, max_tokens=60, logprobs=True, top_logprobs=20)))
        time.sleep(chance.random())
    return "left"


def flood(chance):
    body = post({"model": SERVER.model, "prompt": "a", "max_tokens": 1}, "/v1/completions")
    links = []
    try:
        for _ in range(30):
            links.append(connect())
            links[-1].sendall(body)
        return collections.Counter(link.recv(12)[9:12].decode() or "closed" for link in links[:5]).most_common(1)[0][0]
    except ConnectionError:
        return "closed"
    finally:
        for link in links:
            link.close()


def pipelined(chance):
    with connect() as link:
        one = post({"model": SERVER.model, "prompt": "a", "max_tokens": 1}, "/v1/completions")
        link.sendall(one * 9 + one.replace(b"Host: a", b"Host: a\r\nConnection: close"))
        return "200" if read_all(link).count(b"HTTP/1.1 200") == 10 else "partly"


def exhausting(chance):
    """More than the pages hold, and then gone."""
    with connect() as link:
        link.sendall(post({"model": SERVER.model, "prompt": "word " * chance.randint(100, 400), "n": 8,
                           "max_tokens": 500, "ignore_eos": True, "stream": True}, "/v1/completions"))
        time.sleep(chance.random() * 2)
    return "left"


def embeddings(chance):
    with connect() as link:
        link.sendall(post({"model": SERVER.model, "input": ["word " * chance.randint(1, 50)] * chance.randint(1, 200)},
                          "/v1/embeddings"))
        time.sleep(chance.random() * 0.5)
    return "left"


KINDS = [(broken_json, 20), (no_json, 8), (broken_http, 16), (strange_http, 10), (odd_fields, 20), (huge_fields, 4),
         (unicode_texts, 6), (slow, 4), (half_closed, 4), (left_stream, 6), (unread_stream, 3), (flood, 1),
         (pipelined, 1), (exhausting, 1), (embeddings, 1)]
# What may be told; 503 and 429 are for too many at once.
ALLOWED = {"200", "400", "401", "404", "405", "408", "413", "414", "429", "431", "501", "503", "505", "closed", "left",
           "partly"}


class Honest(threading.Thread):
    """Asks the same again and again, and wants the same answers."""

    def __init__(self, seed):
        super().__init__()
        self.asked = [chat(seed=seed * 10 + i, temperature=1, max_tokens=6 + i) for i in range(4)]
        self.expected = [self.ask(body) for body in self.asked]
        self.answers = 0
        self.wrong = []
        self.over = False

    def ask(self, body):
        while True:
            status, _, text = SERVER.ask("POST", "/v1/chat/completions", body)
            if status not in (429, 503):
                break
            time.sleep(0.2)
        assert status == 200, (status, text)
        return json.loads(text)["choices"][0]["message"]["content"]

    def run(self):
        while not self.over:
            for body, expected in zip(self.asked, self.expected):
                try:
                    got = self.ask(body)
                except (OSError, AssertionError) as error:
                    got = repr(error)
                self.answers += 1
                if got != expected:
                    self.wrong.append((body["seed"], expected, got))
            time.sleep(0.3)


def footprint():
    """Resident MiB, and open files."""
    process = pathlib.Path(f"/proc/{SERVER.child.pid}")
    pages = int(process.joinpath("statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20, len(os.listdir(process / "fd"))


def settle():
    """Waits until nothing runs; what of it is left."""
    names = ["vllm:num_requests_running", "vllm:num_requests_waiting"]
    if isinstance(SERVER, served.ServedModel):
        names.append("vllm:kv_cache_usage_perc")
    deadline = time.monotonic() + 120
    while True:
        left = {name: SERVER.metric(name) for name in names}
        if not any(left.values()) or time.monotonic() > deadline:
            time.sleep(1)  # connections that just ended
            return {name: value for name, value in left.items() if value}
        time.sleep(0.2)


def attack(count):
    outcomes = collections.defaultdict(collections.Counter)
    faults = []

    def one(number):
        chance = random.Random(number)
        kind = chance.choices([k for k, _ in KINDS], [weight for _, weight in KINDS])[0]
        try:
            outcome = kind(chance)
        except OSError as error:
            outcome = "closed" if isinstance(error, ConnectionError) else repr(error)
        outcomes[kind.__name__][outcome] += 1
        if outcome not in ALLOWED:
            faults.append((number, kind.__name__, outcome))

    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        warm_up = int(count * WARM_UP)
        list(pool.map(one, range(warm_up)))
        first = footprint()
        list(pool.map(one, range(warm_up, count)))
    return outcomes, faults, first


def main(count):
    honest = [Honest(seed) for seed in range(3)]
    for client in honest:
        client.start()
    began = time.monotonic()
    outcomes, faults, first = attack(count)
    seconds = time.monotonic() - began
    for client in honest:
        client.over = True
    for client in honest:
        client.join()
    left = settle()
    last = footprint()
    print(f"{'kind':16} {'requests':>8}  how they ended")
    for kind in sorted(outcomes):
        told = ", ".join(f"{outcome} {number}" for outcome, number in outcomes[kind].most_common())
        print(f"{kind:16} {sum(outcomes[kind].values()):8}  {told}")
    total = sum(sum(counts.values()) for counts in outcomes.values())
    answers = sum(client.answers for client in honest)
    wrong = [fault for client in honest for fault in client.wrong]
    print(f"{total} hostile requests in {seconds:.0f} s; {answers} honest answers, {len(wrong)} of them wrong")
    print(f"resident {first[0]:.1f} MiB after the first {WARM_UP:.0%}, {last[0]:.1f} MiB at the end; "
          f"open files {first[1]} and {last[1]}; left over: {left or 'nothing'}")
    for fault in faults[:20] + wrong[:20]:
        print(f"fault: {fault}")
    return bool(faults or wrong or left or SERVER.child.poll() is not None or last[1] > first[1] + 8
                or (last[0] > first[0] + RSS_GROWTH_MIB and not served.SANITIZED))  # memory is then the sanitizer's


if __name__ == "__main__":
    if sys.argv[1].endswith("switchyard"):
        SERVER = served.ServedModel(sys.argv[1], "--kv-pages", "48", "--max-running", "8", "--max-waiting", "64",
                                    "--no-request-log", tiny=sys.argv[-1] != "--default-model")
    else:
        SERVER = served.Served(sys.argv[1])
    failed = main(int(sys.argv[3]) if len(sys.argv) > 3 else 600)
    ended = SERVER.stop()
    print(f"the server ended with {ended}")
    sys.exit(failed or ended != 0)
