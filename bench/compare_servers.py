#!/usr/bin/env python3
"""Our server beside llama.cpp's on the same file and cores, in one run.

    bench/compare_servers.py MODEL.gguf [--streams 1,16] [--prompts short,long,shared,open]
                             [--rounds 3] [--threads 2] [--flash-attention on] [--json FILE]

Both servers run all the while and get the same requests by turns, round after round: prompts as the
same token ids, greedy, the same max_tokens, end tokens ignored, as many slots as there are streams,
and the same context in all; beyond that llama.cpp keeps earlier prompts in up to 8 GiB of memory,
and ours in the pages of 16 contexts where there are fewer streams. Every round asks other prompts
than the one before.

  short   16 to 48 tokens in, 32 to 96 out         } a closed loop: each stream asks
  long    384 to 640 in, 32 to 64 out              } its next request when an answer
  shared  one of 8 prefixes of 512 tokens, then    } has ended
          16 to 48 of its own, 16 to 48 out        }
  open    as short, but Poisson arrivals at --rate requests/s (by default 0.7 of what the slower
          server did in `short` with as many streams)

tokens/s are those generated while every stream was busy, ITL the time between two pieces of an
answer, TTFT from the request to the first piece. Every ratio is above 1 where we are better. A round
that was disturbed (other processes used more than 0.10 core) is taken again, up to --patience times,
else marked. The ceilings are what `switchyard chips` measured: "compute" is the multiply-adds of
prompts that were not cached and of generated tokens against 8-bit arithmetic; "memory" is the weights
once for each step of as many tokens as there are streams. They are remembered for a week: where
the machine was busy then, `switchyard chips --fresh` measures them again. bench/serve, which sends
the requests, tells its own share of the cores.
"""

import argparse
import datetime
import http.client
import json
import os
import pathlib
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import peer_server  # noqa: E402
from machine_load import TICK_S, all_busy_s, cpu_name, process_fields  # noqa: E402

BUSY_CORES = 0.10
KINDS = ("short", "long", "shared", "open")


class Server:
    """One of the two, on a port of its own."""

    def __init__(self, name: str, command: list[str], port: int):
        self.name, self.port = name, port
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, text=True
        )
        deadline = time.monotonic() + 120
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.log.seek(0)
                self.stop()
                sys.exit(f"{' '.join(command)} did not start:\n{self.log.read()[-2000:]}")
            time.sleep(0.1)

    def ask(self, method: str, path: str, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def is_ready(self) -> bool:
        try:
            return self.ask("GET", "/health")[0] == 200
        except OSError:
            return False

    def cpu_s(self) -> float:
        words = process_fields(self.process.pid)
        return (int(words[11]) + int(words[12])) * TICK_S

    def peak_mib(self) -> int:
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) // 1024

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_ours(arguments, streams: int) -> Server:
    port = free_port()
    pages = max(streams, 16) * -(-arguments.context // 32)
    command = [
        str(arguments.build / "bin" / "switchyard"), "serve", str(arguments.model), "--chip", "cpu",
        "--threads", str(arguments.threads), "--port", str(port), "--context", str(arguments.context),
        "--max-running", str(streams), "--kv-pages", str(pages), "--served-model-name", "m",
        "--no-request-log", *arguments.our_option,
    ]  # fmt: skip
    return Server("ours", command, port)


def start_peer(arguments, streams: int) -> Server:
    port = free_port()
    command = [
        str(arguments.peer), "-m", str(arguments.model), "--host", "127.0.0.1", "--port", str(port),
        "-np", str(streams), "-c", str(arguments.context * streams), "-t", str(arguments.threads),
        "-tb", str(arguments.threads), "-fa", arguments.flash_attention, "--cont-batching",
        "--cache-prompt", "--cache-reuse", "256", *arguments.peer_option,
    ]  # fmt: skip
    return Server("llama.cpp", command, port)


class Prompts:
    """Requests drawn from running text, the same for both servers and new in each round."""

    def __init__(self, corpus: list[int], seed: int):
        self.corpus = corpus
        self.draw = random.Random(seed)

    def piece(self, low: int, high: int) -> list[int]:
        size = self.draw.randint(low, high)
        # Four tokens from anywhere first, so that no two prompts begin alike by chance.
        size -= 4
        at = self.draw.randrange(len(self.corpus) - size)
        return self.draw.sample(self.corpus, 4) + self.corpus[at : at + size]

    def requests(self, kind: str, count: int, rate: float) -> list[tuple[float, list[int], int]]:
        """(seconds, tokens, tokens to generate) of each."""
        prefixes = [self.piece(512, 512) for _ in range(8)]
        made, at_s = [], 0.0
        for _ in range(count):
            if kind == "long":
                made.append((0.0, self.piece(384, 640), self.draw.randint(32, 64)))
            elif kind == "shared":
                prompt = self.draw.choice(prefixes) + self.piece(16, 48)
                made.append((0.0, prompt, self.draw.randint(16, 48)))
            else:
                made.append((at_s, self.piece(16, 48), self.draw.randint(32, 96)))
                if kind == "open":
                    at_s += self.draw.expovariate(rate)
        return made


def body(prompt: list[int], tokens: int) -> str:
    return json.dumps(
        {"model": "m", "prompt": prompt, "max_tokens": tokens, "ignore_eos": True, "temperature": 0,
         "stream": True, "stream_options": {"include_usage": True}, "cache_prompt": True},
        separators=(",", ":"),
    )  # fmt: skip


def quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def run(arguments, server: Server, requests, streams: int) -> dict:
    lines = "\n".join(f"{at:.6f}\t{body(prompt, tokens)}" for at, prompt, tokens in requests) + "\n"
    before, before_server = all_busy_s(), server.cpu_s()
    done = subprocess.run(
        [str(arguments.build / "bin" / "switchyard_serve_load"), str(server.port), str(streams)],
        input=lines, capture_output=True, text=True,
    )  # fmt: skip
    everybody, served = all_busy_s() - before, server.cpu_s() - before_server
    if done.returncode != 0:
        sys.exit(f"{server.name}: {done.stderr.strip()}")
    times = json.loads(done.stdout)
    answers, wall_s = times["answers"], times["wall_s"]
    for (_, _, wanted), answer in zip(requests, answers):
        if answer["completion_tokens"] != wanted:
            sys.exit(f"{server.name} answered {answer['completion_tokens']} tokens where {wanted} were asked for")
    # While every stream was busy: until the last request was taken.
    end_s = max(answer["sent_s"] for answer in answers) if streams else wall_s
    if streams == 1 or end_s <= 0:
        end_s = wall_s
    generated = 0.0
    for answer in answers:
        # A piece may hold several tokens, such as those of one character.
        within = sum(1 for at in answer["text_s"] if at <= end_s)
        generated += answer["completion_tokens"] * within / max(1, len(answer["text_s"]))
    gaps = [b - a for answer in answers for a, b in zip(answer["text_s"], answer["text_s"][1:])]
    first = [answer["text_s"][0] - answer["sent_s"] for answer in answers]
    computed = sum(a["prompt_tokens"] - a["cached_tokens"] + a["completion_tokens"] for a in answers)
    return {
        "tokens_per_s": generated / end_s,
        "requests_per_s": len(answers) / wall_s,
        "computed_per_s": computed / wall_s,
        "generated_per_s": sum(a["completion_tokens"] for a in answers) / wall_s,
        "ttft_ms": {"p50": 1e3 * quantile(first, 0.5), "p99": 1e3 * quantile(first, 0.99)},
        "itl_ms": {"p50": 1e3 * quantile(gaps, 0.5), "p99": 1e3 * quantile(gaps, 0.99)},
        "cached_share": sum(a["cached_tokens"] for a in answers) / sum(a["prompt_tokens"] for a in answers),
        "generator_cores": times["cpu_s"] / wall_s,
        "other_cores": max(0.0, everybody - served - times["cpu_s"]) / wall_s,
        "wall_s": wall_s,
    }


FIGURES = {  # name: (path, whether more is better)
    "tokens/s": (("tokens_per_s",), True),
    "TTFT p50 ms": (("ttft_ms", "p50"), False),
    "TTFT p99 ms": (("ttft_ms", "p99"), False),
    "ITL p50 ms": (("itl_ms", "p50"), False),
    "ITL p99 ms": (("itl_ms", "p99"), False),
}


def at(sample: dict, path: tuple[str, ...]) -> float:
    value = sample
    for name in path:
        value = value[name]
    return value


class Machine:
    """What the model's size and the ceilings make of a rate."""

    def __init__(self, arguments):
        program = str(arguments.build / "bin" / "switchyard")
        ask = lambda *words: json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)  # noqa: E731
        facts = ask(program, "inspect", str(arguments.model), "--json")
        chips = ask(program, "chips", "--json", "--chip-option", f"threads={arguments.threads}")
        self.ceiling = next(chip for chip in chips if chip["chip"] == "cpu")["devices"][0]["ceiling"]
        self.flop = 2.0 * facts["parameters"]
        self.weight_bytes = facts["weight_bytes"]

    def shares(self, sample: dict, streams: int) -> dict:
        compute = sample["computed_per_s"] * self.flop / (self.ceiling["gflop_s"]["i8"] * 1e9)
        memory = sample["generated_per_s"] / streams * self.weight_bytes / (self.ceiling["memory_gb_s"] * 1e9)
        return {"compute": compute, "memory": memory}


def measure(arguments, machine: Machine, servers: list[Server], prompts: Prompts, kind: str, streams: int,
            rate: float) -> dict:  # fmt: skip
    count = max(arguments.least_requests, arguments.requests * streams)
    samples: dict[str, list[dict]] = {server.name: [] for server in servers}
    for round_number in range(arguments.rounds):
        for server in servers if round_number % 2 == 0 else reversed(servers):
            for attempt in range(arguments.patience):
                # A repetition asks what was not asked before, else it would find all in the cache.
                prompts.draw.seed(f"{arguments.seed} {kind} {streams} {round_number} {attempt}")
                requests = prompts.requests(kind, count, rate)
                sample = run(arguments, server, requests, 0 if kind == "open" else streams)
                if sample["other_cores"] <= BUSY_CORES:
                    break
            samples[server.name].append(sample)
    result = {"kind": kind, "streams": streams, "requests": count, "rate": rate, "samples": samples}
    for name, (path, more) in FIGURES.items():
        mine, peer = (statistics.median(at(s, path) for s in samples[server.name]) for server in servers)
        result[name] = {"ours": mine, "llama.cpp": peer, "ratio": mine / peer if more else peer / mine}
    for server in servers:
        middle = sorted(samples[server.name], key=lambda s: s["tokens_per_s"])[len(samples[server.name]) // 2]
        result[f"{server.name} share"] = machine.shares(middle, streams)
        result[f"{server.name} cached"] = middle["cached_share"]
    every = [sample for list_ in samples.values() for sample in list_]
    result["generator_cores"] = max(sample["generator_cores"] for sample in every)
    result["other_cores"] = max(sample["other_cores"] for sample in every)
    return result


def line(result: dict) -> str:
    cells = [f"{result['streams']} {result['kind']}"]
    for name in FIGURES:
        figure = result[name]
        cells.append(f"{figure['ours']:.1f} / {figure['llama.cpp']:.1f} = {figure['ratio']:.2f}")
    share = result["ours share"]
    cells.append(f"{share['compute']:.0%} / {share['memory']:.0%}")
    cells.append(f"{result['ours cached']:.0%} / {result['llama.cpp cached']:.0%}")
    busy = f", BUSY {result['other_cores']:.2f}" if result["other_cores"] > BUSY_CORES else ""
    cells.append(f"{result['generator_cores']:.2f}{busy}")
    return "| " + " | ".join(cells) + " |"


def heads() -> str:
    names = ["streams, prompts", *(f"{name}: ours / llama.cpp" for name in FIGURES)]
    names += ["our share of compute / memory", "cached: ours / llama.cpp", "generator's cores"]
    return "| " + " | ".join(names) + " |\n" + "|---" * len(names) + "|"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--streams", default="1,4,16,64")
    parser.add_argument("--prompts", default=",".join(KINDS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--context", type=int, default=1024, help="tokens for each stream")
    parser.add_argument("--rate", type=float, default=0, help="requests/s of `open`")
    parser.add_argument("--flash-attention", choices=("on", "off"), default="on", help="of llama.cpp")
    parser.add_argument("--requests", type=int, default=4, help="of each stream in a turn")
    parser.add_argument("--least-requests", type=int, default=12, help="in a turn")
    parser.add_argument("--patience", type=int, default=3, help="tries for a quiet turn")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release")
    parser.add_argument("--our-option", action="append", default=[], help="more for switchyard serve")
    parser.add_argument("--peer-option", action="append", default=[], help="more for llama-server")
    parser.add_argument("--json", type=pathlib.Path, help="write all samples there")
    arguments = parser.parse_args()
    if not (arguments.build / "bin" / "switchyard_serve_load").exists():
        parser.error(f"no switchyard_serve_load in '{arguments.build}/bin': build with -DSWITCHYARD_TESTS=ON")
    # With one request of each stream none is taken while all are busy, and nothing could be counted.
    for name, least in (("rounds", 1), ("patience", 1), ("requests", 2)):
        if getattr(arguments, name) < least:
            parser.error(f"--{name} is {getattr(arguments, name)}: it must be at least {least}")
    arguments.peer = peer_server.program()
    kinds = [kind for kind in KINDS if kind in arguments.prompts.split(",")]
    machine = Machine(arguments)
    revision = subprocess.run(
        ["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True
    ).stdout.strip()
    heading = (
        f"{datetime.date.today()}, {cpu_name()}, {arguments.threads} threads: switchyard {revision or 'unknown'}"
        f" beside {peer_server.version(arguments.peer)}, flash attention {arguments.flash_attention};"
        f" {arguments.model.name}"
    )
    print(f"{heading}\n\n{heads()}", flush=True)
    text = "\n".join(path.read_text() for path in sorted((ROOT / "data/certification/passages").iterdir()))
    results = []
    for streams in (int(word) for word in arguments.streams.split(",")):
        servers = [start_ours(arguments, streams)]
        try:
            servers.append(start_peer(arguments, streams))
            tokens = json.loads(servers[0].ask("POST", "/tokenize", {"prompt": text})[1])["tokens"]
            prompts = Prompts(tokens, arguments.seed)
            for server in servers:  # pages, plans and caches as they are after a while
                run(arguments, server, prompts.requests("long", streams, 1), streams)
                run(arguments, server, prompts.requests("short", 2 * streams, 1), streams)
            slower = 0.0
            for kind in kinds:
                rate = arguments.rate or 0.7 * slower or 1.0
                results.append(measure(arguments, machine, servers, prompts, kind, streams, rate))
                results[-1]["peak_mib"] = {server.name: server.peak_mib() for server in servers}
                if kind == "short":
                    slower = min(
                        statistics.median(s["requests_per_s"] for s in list_)
                        for list_ in results[-1]["samples"].values()
                    )
                print(line(results[-1]), flush=True)
                if arguments.json:
                    arguments.json.write_text(json.dumps({"heading": heading, "results": results}, indent=1))
        finally:
            for server in servers:
                server.stop()


if __name__ == "__main__":
    main()
