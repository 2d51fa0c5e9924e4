#!/usr/bin/env python3
"""Our prefill and decode speed beside llama.cpp's, on this machine, in one run.

    bench/compare_with_llama_cpp.py [--models build/bench_models] [--only TEXT] [--threads 1,2]
                                    [--rounds 3] [--chip cpu] [--json FILE]

For each model file and thread count the two programs take turns, round after round: ours by
`switchyard bench --json`, one repetition after its own warm-up, then llama.cpp's with flash attention
on and off, of which the faster one stands (see peer_llama_cpp.py). Medians over the rounds. A round
in which other processes used more than 0.10 core is repeated, up to --patience times; what never got
quiet is marked "busy". The share is of the machine's own ceiling as our chip measured it: memory
bandwidth for decode, arithmetic for prefill. bench/make_models.py makes the model files.
"""

import argparse
import datetime
import json
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "peers"))
import peer_environment  # noqa: E402
from machine_load import LoadMeter, cpu_name  # noqa: E402
from peer_llama_cpp import BUSY_CORES, PeerBench, quiet_sample, summarise  # noqa: E402

KINDS = ("prefill", "decode")
TARGETS = {"prefill": 0.8, "decode": 1.0}


class OurBench:
    """Runs `switchyard bench`; keeps what else it said of the last run."""

    def __init__(self, arguments, model: pathlib.Path, threads: int):
        self.command = [
            str(arguments.build / "bin" / "switchyard"), "bench", str(model),
            "--chip", arguments.chip, "--threads", str(threads),
            "--prefill", str(arguments.prefill), "--decode", str(arguments.decode),
            "--batch", "1", "--repetitions", "1", "--json",
        ]  # fmt: skip
        self.last: dict = {}
        self.shares: dict[str, list[float]] = {kind: [] for kind in KINDS}

    def sample(self) -> tuple[dict[str, float], float]:
        with LoadMeter() as load:
            done = subprocess.run(self.command, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(self.command)} failed: {done.stderr.strip()}")
        self.last = json.loads(done.stdout)
        for kind in KINDS:
            share = self.last[kind][0].get("share_of_ceiling")
            if share is not None:
                self.shares[kind].append(share)
        return {kind: self.last[kind][0]["tokens_per_s"] for kind in KINDS}, load.other_cores

    def share(self, kind: str) -> float | None:
        return statistics.median(self.shares[kind]) if self.shares[kind] else None


def compare(arguments, model: pathlib.Path, threads: int) -> dict:
    ours = OurBench(arguments, model, threads)
    peer = PeerBench(str(model), threads, arguments.prefill, arguments.decode)
    ours.sample()  # warms the page cache and measures the ceilings, which are then remembered
    peer.warm_up()
    ours.shares = {kind: [] for kind in KINDS}
    mine: dict[str, list] = {kind: [] for kind in KINDS}
    theirs: dict[tuple[str, bool], list] = {(kind, flash): [] for kind in KINDS for flash in (True, False)}
    for _ in range(arguments.rounds):
        rates, other = quiet_sample(ours.sample, arguments.patience)
        for kind in KINDS:
            mine[kind].append((rates[kind], other))
        for kind, flash in theirs:
            theirs[kind, flash].append(
                quiet_sample(lambda: peer.sample(kind, flash), arguments.patience)
            )
    peer.close()
    result = {
        "model": model.name,
        "threads": threads,
        "weights": ours.last.get("weights", ""),
        "architecture": ours.last.get("architecture", ""),
        "ceiling": ours.last.get("ceiling", {}),
    }
    for kind in KINDS:
        my, on, off = summarise(mine[kind]), summarise(theirs[kind, True]), summarise(theirs[kind, False])
        best = max((on, off), key=lambda way: way["tokens_per_s"])
        result[kind] = {
            "ours": my,
            "llama_cpp": best,
            "llama_cpp_flash_attention": best is on,
            "ratio": my["tokens_per_s"] / best["tokens_per_s"],
            "share_of_ceiling": ours.share(kind),
            "other_cores": max(my["other_cores"], best["other_cores"]),
        }
    return result


def cell(part: dict) -> list[str]:
    share = part["share_of_ceiling"]
    busy = f" (busy {part['other_cores']:.2f})" if part["other_cores"] > BUSY_CORES else ""
    return [
        f"{part['ours']['tokens_per_s']:.1f}",
        f"{part['llama_cpp']['tokens_per_s']:.1f}",
        f"{part['ratio']:.2f}{busy}",
        f"{share:.0%}" if share is not None else "",
    ]


def line(result: dict) -> str:
    text = f"{result['model']:36} t={result['threads']}"
    for kind in KINDS:
        mine, peer, ratio, share = cell(result[kind])
        text += f"  {kind} {mine:>7} / {peer:>7} = {ratio} ({share or 'no'} of ceiling)"
    return text


def table(results: list[dict], arguments) -> str:
    p, d = f"prefill {arguments.prefill}", f"decode {arguments.decode}"
    heads = ["model", "threads"]
    heads += [f"{p}: ours tok/s", "llama.cpp", "ratio", "of ceiling"]
    heads += [f"{d}: ours tok/s", "llama.cpp", "ratio", "of ceiling"]
    rows = [heads, ["---"] * len(heads)]
    for result in results:
        name = result["model"].removesuffix(".gguf")
        rows.append([name, str(result["threads"]), *cell(result["prefill"]), *cell(result["decode"])])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--models", type=pathlib.Path, default=ROOT / "build" / "bench_models")
    parser.add_argument("--only", default="", help="only files whose name holds this text")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release")
    parser.add_argument("--chip", default="cpu")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--prefill", type=int, default=512)
    parser.add_argument("--decode", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--patience", type=int, default=6, help="tries for a quiet sample")
    parser.add_argument("--json", type=pathlib.Path, help="write all samples there")
    arguments = parser.parse_args()
    peer_environment.enter()

    import llama_cpp_model

    llama_cpp_model.start()
    models = sorted(path for path in arguments.models.glob("*.gguf") if arguments.only.lower() in path.name.lower())
    if not models:
        sys.exit(f"No model file in {arguments.models}; bench/make_models.py makes them.")
    revision = subprocess.run(
        ["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True
    )
    heading = (
        f"{datetime.date.today()}, {cpu_name()}: switchyard {revision.stdout.strip() or 'unknown'}"
        f" (chip {arguments.chip}) beside {llama_cpp_model.version()}"
    )
    system = llama_cpp_model.system_line()
    tiles = "uses" if "AMX_INT8 = 1" in system else "does not use"
    print(f"{heading}\n{system}\nllama.cpp {tiles} tile registers (AMX)", flush=True)
    results = []
    for model in models:
        for threads in (int(word) for word in arguments.threads.split(",")):
            results.append(compare(arguments, model, threads))
            print(line(results[-1]), flush=True)
            if arguments.json:
                arguments.json.write_text(json.dumps({"heading": heading, "results": results}, indent=1))
    print(f"\n{heading}; {results[-1]['architecture']}\n\n{table(results, arguments)}\n")
    for kind, target in TARGETS.items():
        below = [f"{r['model']} t={r['threads']}" for r in results if r[kind]["ratio"] < target]
        print(f"{kind} at least {target} of llama.cpp's: {len(results) - len(below)} of {len(results)}"
              + (f"; below: {', '.join(below)}" if below else ""))  # fmt: skip


if __name__ == "__main__":
    main()
