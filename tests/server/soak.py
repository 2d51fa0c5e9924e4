#!/usr/bin/env python3
"""A long time of requests that come and go at random: memory stays flat, and no page, file or request is lost.

    soak.py SWITCHYARD [--minutes 30] [--clients 4] [--pause 0.5] [--tiny]

Serves the default model, or a tiny one, with few pages, so that requests are preempted. Two of five requests are cancelled at a
random moment. Prints a line a minute, then how the resident memory grew after the first fifth of the time. A leak grows
in every minute, so the median minute tells it; what is met late for the first time, such as a larger batch, makes a step
now and then, and all of those together must stay small.
"""

import argparse
import http.client
import json
import os
import pathlib
import random
import statistics
import sys
import threading
import time

import served

MOST_KIB_A_MINUTE = 64
MOST_SHARE = 0.02


class Client(threading.Thread):
    """Asks and cancels until it is told to end. Everything that can differ is random."""

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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--pause", type=float, default=0.5, help="seconds between a client's requests, on average")
    parser.add_argument("--tiny", action="store_true", help="many more requests in the same time")
    options = parser.parse_args()
    server = served.ServedModel(options.program, "--kv-pages", "40", "--max-running", "8", "--no-request-log",
                                "--threads", "1", tiny=options.tiny)
    process = pathlib.Path(f"/proc/{server.child.pid}")
    clients = [Client(server, seed, options.pause) for seed in range(options.clients)]
    for client in clients:
        client.start()
    began = time.monotonic()
    samples = []
    print("minute  resident KiB  files  threads  whole  cancelled  refused  failed  preempted  tokens  programs", flush=True)

    def line(minute):
        kib, files, threads = footprint(process)
        samples.append((minute, kib, files))
        counts = [sum(client.counts[name] for client in clients) for name in ("whole", "cancelled", "refused", "failed")]
        print(f"{minute:6.1f}  {kib:12}  {files:5}  {threads:7}  {counts[0]:5}  {counts[1]:9}  {counts[2]:7}  {counts[3]:6}"
              f"  {server.metric('vllm:num_preemptions_total'):9.0f}  {server.metric('vllm:generation_tokens_total'):6.0f}"
              f"  {server.metric('switchyard_planned_programs'):8.0f}",
              flush=True)

    while (minute := (time.monotonic() - began) / 60) < options.minutes:
        line(minute)
        time.sleep(max(0.0, min(60, (options.minutes - minute) * 60)))
    for client in clients:
        client.over.set()
    for client in clients:
        client.join(timeout=300)
    deadline = time.monotonic() + 60
    left = {}
    while time.monotonic() < deadline:
        left = {name: server.metric(name) for name in ("vllm:num_requests_running", "vllm:num_requests_waiting",
                                                       "vllm:kv_cache_usage_perc")}
        if not any(left.values()):
            break
        time.sleep(0.5)
    time.sleep(1)
    line((time.monotonic() - began) / 60)
    by_minute, in_all = growth([(minute, kib) for minute, kib, _ in samples if minute >= options.minutes / 5])
    failed = sum(client.counts["failed"] for client in clients)
    print(f"after the first fifth resident memory grew by {by_minute:.1f} KiB in the median minute and by {in_all:.2%} "
          f"in all; left in use: {left}; open files {samples[0][2]} at first, {samples[-1][2]} at the end")
    ended = server.stop()
    print(f"the server ended with {ended}")
    return bool(failed or any(left.values()) or ended != 0 or by_minute > MOST_KIB_A_MINUTE
                or in_all > MOST_SHARE or samples[-1][2] > samples[0][2] + 4)


if __name__ == "__main__":
    sys.exit(main())
