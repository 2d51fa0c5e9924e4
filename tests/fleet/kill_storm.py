#!/usr/bin/env python3
"""Kills members at random while many answers are in progress, and counts what clients noticed.

    kill_storm.py PROGRAM [--streams 1000] [--members 3] [--at-once 16] [--every 3] [--slower 1] [--seed 1]

Each request has a fixed seed, and its answer is compared byte for byte with the one that an
undisturbed member gave before. A killed member (SIGKILL) comes back on its port after a second.
Every third kill is a stop (SIGSTOP) instead: the member says nothing, and goes on two seconds later.
--slower 10 gives all ten times as long, where a sanitizer makes members so slow.
Exit 0 only if no answer was lost, cut, doubled, altered or given up with an error in its stream.
"""

import argparse
import collections
import random
import re
import signal
import sys
import threading
import time

from fleet import Gateway, Member, ask, entry
from token_exact_test import CASES

KINDS = [name for name in CASES if name != "echo"]


def head(slower):
    return f"""[timeouts]
connect_seconds = {slower}
first_token_seconds = {20 * slower}
stall_seconds = {3 * slower}
total_seconds = {600 * slower}
[retry]
attempts = 64
[breaker]
open_seconds = 0.2
longest_seconds = 1
[watch]
every_seconds = {0.2 * slower}
timeout_seconds = {0.5 * slower}
"""


def requests():
    """Twice each kind, streamed and whole."""
    made = []
    for name in KINDS:
        for seed in (1, 2):
            for stream in (True, True, False):
                path, body = CASES[name]
                body = {**body, "seed": seed, "stream": stream}
                if stream:
                    body["stream_options"] = {"include_usage": True}
                made.append((name, path, body))
    return made


class Storm:
    def __init__(self, options):
        self.options = options
        self.members = [Member(options.program) for _ in range(options.members)]
        self.gateway = Gateway(options.program,
                               [entry(f"m{i}", member.port) for i, member in enumerate(self.members)],
                               head(options.slower))
        self.random = random.Random(options.seed)
        self.requests = requests()
        self.expected = {}
        self.counts = collections.Counter()
        self.levels = collections.Counter()
        self.moved = []
        self.faults = []
        self.seconds = []
        self.lock = threading.Lock()
        self.left = options.streams
        self.is_over = False

    def learn(self):
        for i, (_, path, body) in enumerate(self.requests):
            reply = ask(self.members[-1].port, path, body, timeout=120 * self.options.slower)
            assert reply.status == 200, reply.body
            self.expected[i] = reply.normal()

    def client(self, number):
        chooser = random.Random(self.options.seed * 1000 + number)
        while True:
            with self.lock:
                if self.left == 0:
                    return
                self.left -= 1
            i = chooser.randrange(len(self.requests))
            name, path, body = self.requests[i]
            began = time.monotonic()
            try:
                reply = ask(self.gateway.port, path, body, timeout=120 * self.options.slower)
                if reply.status != 200:
                    fault = f"lost: HTTP {reply.status} {reply.body[:300]}"
                elif body["stream"] and (errors := [chunk for chunk in reply.chunks if "error" in chunk]):
                    fault = f"given up: {errors}"
                elif reply.normal() != self.expected[i]:
                    fault = f"altered: {reply.normal()} instead of {self.expected[i]}"
                else:
                    fault = None
                moves = reply.headers.get("x-switchyard-handover", "").split("; ") + reply.comments
            except OSError as error:
                fault, moves = f"lost: {error!r}", []
            with self.lock:
                self.seconds.append(time.monotonic() - began)
                self.counts[fault.split(":")[0] if fault else "identical"] += 1
                levels = re.findall(r"level=(\d)", " ".join(moves))
                self.levels.update(levels)
                self.counts["answers that moved"] += bool(levels)
                if fault:
                    self.faults.append(f"{name} (stream {body['stream']}): {fault}")

    def killer(self):
        turn = 0
        while not self.is_over:
            time.sleep(self.random.uniform(0.5, 1.5) * self.options.every * self.options.slower)
            i = self.random.randrange(len(self.members))
            member = self.members[i]
            turn += 1
            if turn % 3 == 0:
                member.signal(signal.SIGSTOP)
                self.counts["stops"] += 1
                time.sleep(2 * self.options.slower)
                member.signal(signal.SIGCONT)
                continue
            member.close()
            self.counts["kills"] += 1
            time.sleep(1)
            self.members[i] = Member(self.options.program, port=member.port)

    def run(self):
        self.learn()
        began = time.monotonic()
        clients = [threading.Thread(target=self.client, args=(i,)) for i in range(self.options.at_once)]
        killer = threading.Thread(target=self.killer)
        killer.start()
        for one in clients:
            one.start()
        for one in clients:
            one.join()
        elapsed = time.monotonic() - began
        self.is_over = True
        killer.join()
        seconds = sorted(self.seconds)
        print(f"{len(seconds)} answers of {len(KINDS)} kinds from {self.options.members} members in {elapsed:.0f} s, "
              f"{self.options.at_once} at once; {self.counts['kills']} kills, {self.counts['stops']} stops")
        print(f"identical {self.counts['identical']}, lost {self.counts['lost']}, "
              f"altered {self.counts['altered']}, given up with a word {self.counts['given up']}; "
              f"{self.counts['answers that moved']} answers moved, by level {dict(sorted(self.levels.items()))}")
        print(f"seconds an answer: median {seconds[len(seconds) // 2]:.2f}, "
              f"99 % {seconds[len(seconds) * 99 // 100]:.2f}, most {seconds[-1]:.2f}")
        for fault in self.faults[:5]:
            print(fault[:3000])
        return 0 if self.counts["identical"] == self.options.streams else 1

    def close(self):
        self.gateway.close()
        for member in self.members:
            member.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program")
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--members", type=int, default=3)
    parser.add_argument("--at-once", type=int, default=16)
    parser.add_argument("--every", type=float, default=3, help="seconds between two kills, about")
    parser.add_argument("--slower", type=float, default=1, help="how many times as long all may take")
    parser.add_argument("--seed", type=int, default=1)
    storm = Storm(parser.parse_args())
    try:
        return storm.run()
    finally:
        storm.close()


if __name__ == "__main__":
    sys.exit(main())
