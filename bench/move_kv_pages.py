#!/usr/bin/env python3
"""The first token of a prompt that a server computes, beside one whose KV pages it gets from another server.

    bench/move_kv_pages.py PROGRAM [--words 900] [--rounds 8]

Two servers of the default model on this machine, which share its cores and speak over loopback, so what a
network costs comes on top. By turns, with new words each time: the second server computes a prompt; the first one
computes another, and the second gets its pages by an export and an import before it is asked.
"""

import argparse
import pathlib
import random
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "program"))
import kv_pages_test  # noqa: E402

WORDS = "red green blue house tree river stone cloud bread water light paper".split()


def spread(seconds):
    middle, least, most = (f"{1000 * s:.0f}" for s in (statistics.median(seconds), min(seconds), max(seconds)))
    return f"{middle} ms ({least} to {most})"


class Stopwatch:
    def __enter__(self):
        self.begin = time.perf_counter()
        return self

    def __exit__(self, *_):
        self.s = time.perf_counter() - self.begin


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--words", type=int, default=900)
    parser.add_argument("--rounds", type=int, default=8)
    arguments = parser.parse_args()
    kv_pages_test.PROGRAM = arguments.program
    first, second = kv_pages_test.Member(), kv_pages_test.Member()
    draw = random.Random(1)
    times = {"computed": [], "moved": [], "export": [], "import": []}

    def ask(server, prompt):
        with Stopwatch() as watch:
            answer = server.complete(prompt=prompt, max_tokens=1, temperature=0)
        return watch.s, answer

    for _ in range(arguments.rounds):
        computed, moved = (" ".join(draw.choices(WORDS, k=arguments.words)) for _ in range(2))
        times["computed"].append(ask(second, computed)[0])
        tokens = ask(first, moved)[1]["choices"][0]["prompt_token_ids"]
        with Stopwatch() as export:
            status, _, pages = first.export(tokens)
        assert status == 200, pages
        with Stopwatch() as taken:
            status, answer = second.take(pages)
        assert status == 200, answer
        seconds, answer = ask(second, moved)
        assert answer["usage"]["prompt_tokens_details"]["cached_tokens"] == answer_cached(tokens), answer
        for name, one in (("moved", export.s + taken.s + seconds), ("export", export.s), ("import", taken.s)):
            times[name].append(one)
    print(f"{len(tokens)} tokens, {len(pages) / 2**20:.1f} MiB of pages")
    for name, seconds in times.items():
        print(f"{name:9} {spread(seconds)}")
    print(f"computed / moved: {statistics.median(times['computed']) / statistics.median(times['moved']):.1f}")
    first.stop()
    second.stop()


def answer_cached(tokens):
    """Whole pages of 32 tokens, but never the last token."""
    return (len(tokens) - 1) // 32 * 32


if __name__ == "__main__":
    main()
