#!/usr/bin/env python3
"""What the gateway's prefix locality is worth, and that it never makes anything slower: two members
behind a gateway that remembers where beginnings went, and two behind one that does not.

    bench/prefix_locality.py MODEL.gguf [--streams 4] [--loads conversations,quarter,hot,cold]
                             [--rounds 5] [--json FILE]

Both fleets are up all the while and get the same requests by turns, round after round; they differ
in `prefixes` of [policy] alone. A closed loop of --streams streams; each round asks other prompts
than the one before.

  conversations  each of 6 turns, one after another: every turn repeats all that was said before it,
                 behind one of 4 system prompts
  shared         one of 8 beginnings of 512 tokens, then some of its own
  quarter        one request in four begins with the same 512 tokens, the others share nothing
  hot            all begin with the same 512 tokens, so that affinity alone would send all to one member
  cold           nothing is shared

TTFT, tokens/s, their ratios and what came from a cache are medians of the rounds; a ratio above 1 says
that locality is better, and behind it stand the least and the largest. A turn that others disturbed is
taken again, up to --patience times; after that its round is left out, or marked where few are left.
"""

import argparse
import datetime
import json
import pathlib
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from compare_servers import BUSY_CORES, FIGURES, ROOT, Prompts, Server, at, free_port, run  # noqa: E402
from machine_load import cpu_name  # noqa: E402

LOADS = ("conversations", "shared", "quarter", "hot", "cold")
TURNS = 6


class Beginnings(Prompts):
    """Requests that begin alike, in several ways."""

    def requests(self, kind, count, rate):
        if kind == "shared":
            return super().requests(kind, count, rate)
        if kind == "conversations":
            return self.conversations(count)
        beginning = self.piece(512, 512)
        made = []
        for number in range(count):
            is_alike = kind == "hot" or (kind == "quarter" and number % 4 == 0)
            prompt = (beginning if is_alike else self.piece(512, 512)) + self.piece(16, 48)
            made.append((0.0, prompt, self.draw.randint(16, 48)))
        return made

    def conversations(self, count):
        """The next turn of one comes after that of all others, so that the one before has ended."""
        systems = [self.piece(192, 256) for _ in range(4)]
        said = [self.draw.choice(systems) for _ in range(max(1, count // TURNS))]
        made = []
        for _ in range(TURNS):
            for i, before in enumerate(said):
                said[i] = before + self.piece(48, 112)
                answer = self.draw.randint(16, 48)
                made.append((0.0, said[i], answer))
                said[i] = said[i] + self.piece(answer, answer)
        return made


class Fleet:
    """Two members and a gateway before them."""

    def __init__(self, arguments, folder, name, keeps_prefixes):
        self.name = name
        program = str(arguments.build / "bin" / "switchyard")
        self.members = []
        config = f"[listen]\nport = {free_port()}\n[policy]\nprefixes = {json.dumps(keeps_prefixes)}\n"
        for i in range(2):
            port = free_port()
            pages = arguments.streams * -(-arguments.context // 32)
            self.members.append(Server(f"{name}-{i}", [
                program, "serve", str(arguments.model), "--chip", "cpu", "--threads", str(arguments.threads),
                "--port", str(port), "--context", str(arguments.context), "--max-running", str(arguments.streams),
                "--kv-pages", str(pages), "--served-model-name", "m", "--no-request-log"], port))  # fmt: skip
            config += f'[[member]]\nname = "m{i}"\nurl = "http://127.0.0.1:{port}"\nmodels = ["m"]\n'
        file = folder / f"{name}.toml"
        file.write_text(config)
        self.port = int(config.split("port = ")[1].split()[0])
        self.gateway = Server(name, [program, "gateway", "--config", str(file), "--log-level", "error"], self.port)
        while self.gateway.ask("GET", "/metrics")[1].count(b',state="ready"} 1') < len(self.members):
            time.sleep(0.05)

    def cpu_s(self):
        return sum(server.cpu_s() for server in (self.gateway, *self.members))

    def begun(self):
        """Requests that each member was sent."""
        text = self.gateway.ask("GET", "/metrics")[1].decode()
        return [
            int(next(line for line in text.splitlines() if line.startswith("switchyard_gateway_member_attempts_total")
                     and f'member="m{i}"' in line).rsplit(" ", 1)[1])
            for i in range(len(self.members))
        ]  # fmt: skip

    def stop(self):
        for server in (self.gateway, *self.members):
            server.stop()


def measure(arguments, fleets, prompts, load):
    samples = {fleet.name: [] for fleet in fleets}
    for turn in range(arguments.rounds):
        for fleet in fleets if turn % 2 == 0 else reversed(fleets):
            for attempt in range(arguments.patience):
                prompts.draw.seed(f"{arguments.seed} {load} {turn} {attempt}")
                requests = prompts.requests(load, arguments.requests * arguments.streams, 0)
                before = fleet.begun()
                sample = run(arguments, fleet, requests, arguments.streams)
                sent = [b - a for a, b in zip(before, fleet.begun())]
                sample["largest_share"] = max(sent) / sum(sent)
                if sample["other_cores"] <= BUSY_CORES:
                    break
            samples[fleet.name].append(sample)
    return samples


def line(load, samples):
    """Of the rounds in which nobody disturbed either; of all, and marked, where those are fewer than three."""
    rounds = list(zip(*samples.values()))
    quiet = [pair for pair in rounds if all(sample["other_cores"] <= BUSY_CORES for sample in pair)]
    told = quiet if len(quiet) >= 3 else rounds
    cells = [f"{load}, {len(told)} of {len(rounds)} rounds" + ("" if told is quiet else " BUSY")]
    for path, is_more_better in (FIGURES[name] for name in ("TTFT p50 ms", "TTFT p99 ms", "tokens/s")):
        pairs = [tuple(at(sample, path) for sample in pair) for pair in told]
        ratios = [a / b if is_more_better else b / a for a, b in pairs]
        middle = [statistics.median(values) for values in zip(*pairs)]
        cells.append(f"{middle[0]:.0f} / {middle[1]:.0f} = {statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})")
    for name in ("cached_share", "largest_share"):
        cells.append(" / ".join(f"{statistics.median(values):.0%}" for values in zip(*([s[name] for s in pair] for pair in told))))
    return "| " + " | ".join(cells) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--streams", type=int, default=4)
    parser.add_argument("--loads", default=",".join(LOADS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="of each member")
    parser.add_argument("--context", type=int, default=1536, help="tokens for each stream")
    parser.add_argument("--requests", type=int, default=12, help="of each stream in a turn")
    parser.add_argument("--patience", type=int, default=2, help="tries for a quiet turn")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release")
    parser.add_argument("--json", type=pathlib.Path, help="write all samples there")
    arguments = parser.parse_args()
    loads = [load for load in LOADS if load in arguments.loads.split(",")]
    print(f"{datetime.date.today()}, {cpu_name()}: two members with {arguments.threads} thread each, {arguments.streams}"
          f" streams, {arguments.model.name}, {arguments.rounds} rounds\n", flush=True)  # fmt: skip
    names = ["load", *(f"{name}: with / without" for name in ("TTFT p50 ms", "TTFT p99 ms", "tokens/s")),
             "cached tokens", "requests at the busier member"]  # fmt: skip
    print("| " + " | ".join(names) + " |\n" + "|---" * len(names) + "|", flush=True)
    text = "\n".join(path.read_text() for path in sorted((ROOT / "data/certification/passages").iterdir()))
    results, fleets = {}, []
    with tempfile.TemporaryDirectory() as folder:
        try:
            for name, keeps_prefixes in (("with", True), ("without", False)):
                fleets.append(Fleet(arguments, pathlib.Path(folder), name, keeps_prefixes))
            tokens = json.loads(fleets[0].members[0].ask("POST", "/tokenize", {"prompt": text})[1])["tokens"]
            prompts = Beginnings(tokens, arguments.seed)
            for fleet in fleets:  # caches and what is known of paces as they are after a while
                run(arguments, fleet, prompts.requests("cold", 2 * arguments.streams, 0), arguments.streams)
            for load in loads:
                results[load] = measure(arguments, fleets, prompts, load)
                print(line(load, results[load]), flush=True)
                if arguments.json:
                    arguments.json.write_text(json.dumps(results, indent=1))
        finally:
            for fleet in fleets:
                fleet.stop()


if __name__ == "__main__":
    main()
