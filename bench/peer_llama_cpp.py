#!/usr/bin/env python3
"""Prefill and decode speed of llama.cpp on this machine.

    bench/peer_llama_cpp.py MODEL.gguf... [--threads 1,2] [--prefill 512] [--decode 128]
                            [--repetitions 3] [--json]

Prefill is one llama_decode of N tokens (n_ubatch 512, logits of the last token), decode N single
tokens from an empty context, as llama-bench counts them. Weights are repacked (llama.cpp's
default), the KV cache is f16. Flash attention is measured on and off and the better one stands.
A sample during which other processes used more than 0.10 core is taken again, up to a limit; if
it never got quiet, the quietest samples stand and the line is marked with "busy".
"""

import argparse
import json
import pathlib
import random
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "peers"))
import peer_environment  # noqa: E402
from machine_load import LoadMeter, cpu_name  # noqa: E402

BUSY_CORES = 0.10


class PeerBench:
    """One model loaded by llama.cpp, timed at one thread count, with both attention paths."""

    def __init__(self, path: str, threads: int, prefill: int, decode: int):
        import llama_cpp_model

        llama_cpp_model.start()
        self._model = llama_cpp_model.Model(path)
        self._contexts = {
            flash: llama_cpp_model.Context(self._model, max(prefill, decode, 32), threads, flash)
            for flash in (True, False)
        }
        draw = random.Random(1)
        count = max(prefill, decode)
        self._tokens = [draw.randrange(256, self._model.vocab_size - 256) for _ in range(count)]
        self._prefill = prefill
        self._decode = decode

    def close(self) -> None:
        for context in self._contexts.values():
            context.close()
        self._model.close()

    def warm_up(self) -> None:
        for context in self._contexts.values():
            context.clear()
            context.evaluate(self._tokens[: self._prefill])
            context.clear()
            for token in self._tokens[:4]:
                context.evaluate([token])

    def sample(self, kind: str, flash: bool) -> tuple[float, float]:
        """(tokens/s, cores used by others) of one run; kind is prefill or decode."""
        context = self._contexts[flash]
        context.clear()
        with LoadMeter() as load:
            start = time.perf_counter()
            if kind == "prefill":
                context.evaluate(self._tokens[: self._prefill])
                count = self._prefill
            else:
                for token in self._tokens[: self._decode]:
                    context.evaluate([token])
                count = self._decode
            seconds = time.perf_counter() - start
        return count / seconds, load.other_cores


def quiet_sample(take, patience: int):
    """Calls take() -> (rate, other_cores) until quiet; returns the quietest of the tries."""
    best = None
    for attempt in range(patience):
        if attempt:
            time.sleep(min(5.0, 0.5 * 2**attempt))
        rate, other = take()
        if best is None or other < best[1]:
            best = (rate, other)
        if other <= BUSY_CORES:
            break
    return best


def summarise(samples: list[tuple[float, float]]) -> dict:
    rates = [rate for rate, _ in samples]
    return {
        "tokens_per_s": statistics.median(rates),
        "samples": rates,
        "other_cores": max(other for _, other in samples),
    }


def measure(path: str, threads: int, arguments) -> dict:
    bench = PeerBench(path, threads, arguments.prefill, arguments.decode)
    bench.warm_up()
    result = {"model": path, "threads": threads}
    for kind in ("prefill", "decode"):
        kept: dict[bool, list] = {True: [], False: []}
        for _ in range(arguments.repetitions):
            for flash in kept:
                kept[flash].append(
                    quiet_sample(lambda: bench.sample(kind, flash), arguments.patience)
                )
        ways = {flash: summarise(samples) for flash, samples in kept.items()}
        flash = max(ways, key=lambda way: ways[way]["tokens_per_s"])
        result[kind] = dict(ways[flash], flash_attention=flash)
        result[kind]["other_way_tokens_per_s"] = ways[not flash]["tokens_per_s"]
    bench.close()
    return result


def line(result: dict) -> str:
    text = f"{pathlib.Path(result['model']).name:44} t={result['threads']}"
    for kind in ("prefill", "decode"):
        part = result[kind]
        spread = f"{min(part['samples']):.1f}-{max(part['samples']):.1f}"
        text += (
            f"  {kind} {part['tokens_per_s']:8.1f} tok/s ({spread}; flash attention"
            f" {'on' if part['flash_attention'] else 'off'},"
            f" else {part['other_way_tokens_per_s']:.1f})"
        )
        if part["other_cores"] > BUSY_CORES:
            text += f" BUSY {part['other_cores']:.2f}"
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--prefill", type=int, default=512)
    parser.add_argument("--decode", type=int, default=128)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--patience", type=int, default=8, help="tries for a quiet sample")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    peer_environment.enter()

    import llama_cpp_model

    llama_cpp_model.start()
    if not arguments.json:
        print(f"{llama_cpp_model.version()} on {cpu_name()}\n{llama_cpp_model.system_line()}", flush=True)
    results = []
    for path in arguments.models:
        for threads in (int(word) for word in arguments.threads.split(",")):
            results.append(measure(path, threads, arguments))
            if not arguments.json:
                print(line(results[-1]), flush=True)
    if arguments.json:
        print(json.dumps({"peer": llama_cpp_model.version(), "cpu": cpu_name(), "results": results}, indent=1))


if __name__ == "__main__":
    main()
