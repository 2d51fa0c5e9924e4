"""What a long time of requests is made of: clients that ask at random and leave at random, and how a process's memory is
judged afterwards. A leak grows in every minute, so the median minute tells it; what is met late for the first time, such
as a larger batch, makes a step now and then, and all of those together must stay small.
"""

import argparse
import http.client
import json
import os
import random
import statistics
import threading
import time

MOST_KIB_A_MINUTE = 64
MOST_SHARE = 0.02


def options_of(description, clients, pause):
    """A parser of what every soak is told."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--clients", type=int, default=clients)
    parser.add_argument("--pause", type=float, default=pause, help="seconds between a client's requests, on average")
    return parser


class Client(threading.Thread):
    """Asks `server` for its `model` at its `port`, and cancels, until it is told to end. Everything that can differ is
    random."""

    def __init__(self, server, seed, pause):
        super().__init__(daemon=True)
        self.server, self.chance, self.pause = server, random.Random(seed), pause
        self.counts = {"whole": 0, "cancelled": 0, "refused": 0, "failed": 0}
        self.over = threading.Event()

    def request(self):
        chance = self.chance
        words = " ".join(chance.choice(["red", "green", "sun", "42", "über", "the"]) for _ in range(chance.randint(1, 150)))
        body = {"model": self.server.model, "max_tokens": chance.randint(1, 60), "temperature": 1, "stream":
                chance.random() < 0.6, "n": chance.choice([1, 1, 1, 2, 4])}
        kind = chance.random()
        if kind < 0.1:
            return "/v1/embeddings", {"model": self.server.model, "input": [words] * chance.randint(1, 8)}
        if kind < 0.4:
            return "/v1/completions", {**body, "prompt": words, "logprobs": chance.choice([None, 2])}
        return "/v1/chat/completions", {**body, "messages": [{"role": "user", "content": words}]}

    def ask(self):
        path, body = self.request()
        leaves = self.chance.random() < 0.4
        link = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=300)
        try:
            link.request("POST", path, json.dumps(body))
            if leaves:
                if self.over.wait(self.chance.random() * 2):
                    return "cancelled"
                if self.chance.random() < 0.5 and body.get("stream"):
                    link.getresponse().read(self.chance.randint(1, 2000))
                return "cancelled"
            answer = link.getresponse()
            text = answer.read()
            if answer.status in (429, 503):
                return "refused"
            whole = text.endswith(b"data: [DONE]\n\n") if body.get("stream") else text.endswith(b"}")
            return "whole" if answer.status == 200 and whole else "failed"
        finally:
            link.close()

    def run(self):
        while not self.over.is_set():
            self.counts[self.ask()] += 1
            self.over.wait(self.chance.random() * 2 * self.pause)


def footprint(process):
    """Resident KiB, open files, threads."""
    status = process.joinpath("status").read_text(encoding="utf-8")
    field = {line.split(":")[0]: line.split()[1] for line in status.splitlines() if ":\t" in line and line.split()[1:]}
    return int(field["VmRSS"]), len(os.listdir(process / "fd")), int(field["Threads"])


def growth(points):
    """The median minute's KiB, and the share by which all of the time made it larger."""
    steps = [(after[1] - before[1]) / (after[0] - before[0])
             for before, after in zip(points, points[1:]) if after[0] > before[0] + 0.1]
    return (statistics.median(steps), points[-1][1] / points[0][1] - 1) if steps else (0.0, 0.0)


def is_flat(by_minute, in_all):
    return by_minute <= MOST_KIB_A_MINUTE and in_all <= MOST_SHARE


def pace(minutes, line):
    """Calls line(minute) at the beginning and each minute until the time is over."""
    began = time.monotonic()
    while (minute := (time.monotonic() - began) / 60) < minutes:
        line(minute)
        time.sleep(max(0.0, min(60, (minutes - minute) * 60)))


def end(clients):
    """How many requests ended in which way."""
    for client in clients:
        client.over.set()
    for client in clients:
        client.join(timeout=300)
    return counts(clients)


def counts(clients):
    return {name: sum(client.counts[name] for client in clients) for name in ("whole", "cancelled", "refused", "failed")}
