#!/usr/bin/env python3
"""Holds our logits and greedy texts against llama.cpp's on the same weight file.

    tests/peers/compare_answers.py [MODEL.gguf] [--chip cpu] [--build build/release]

Without MODEL the default model of `switchyard run` is taken from the cache (run `switchyard pull`
first). Our side is the program switchyard_logits (logits.cc), llama.cpp lives in an environment of
its own (peer_environment.py), and all token ids come from llama.cpp's tokenizer, so that only the
arithmetic differs. Exit code 1 if a bound is exceeded. What is compared:

greedy      20 prompts (data/certification/prompts.json: English, Chinese, code; through the model's
            chat template or raw), 64 tokens each, or up to the model's end token. Each prompt must
            give the same tokens; or, at the first difference, both programs must have their two best logits
            within 0.05 of each other. Three files with the same weights stand behind the rows: the
            given one, one widened to float32 (both programs on that same file), and ours on the
            given one against llama.cpp on the widened one. For scale, llama.cpp is held against
            itself too: given against widened, and with flash attention against without. On many
            weight types it rounds activations to 8 bits, which moves logits by more than 0.05, so
            that its own texts part where neither is wrong.
logits      all positions of data/certification/passages/*.txt (ours, in eight languages, code,
            tables, a conversation; at least 2,000). Mean, 99th percentile and maximum of KL(p || q) in nats
            over the whole vocabulary, share of positions with the same best token, perplexity:
              llama.cpp || ours               mean < 5e-3
              our float32 reference || ours   mean < 2e-3
              llama.cpp f32 || our reference  mean < 1e-5; llama.cpp on the weights widened to
                                              float32: it shows that the reference is right
              llama.cpp f32 || llama.cpp      for scale: what the peer's own arithmetic costs
            llama.cpp and our chip keep an f16 KV cache, the two float32 sides an f32 one.
rounding    where the distance to llama.cpp on the given file comes from. Our reference chip with the
            option activations=ggml rounds activations as llama.cpp does and is otherwise exact: it
            lies as far from the truth as llama.cpp. But rounding to 8 bits is chaotic: a sum that is
            added up otherwise moves a few codes by one, and some layers on all of them differ. So
            either program, changed by no more than an f16 instead of an f32 KV cache, lies as far
            from itself as from the other.

What llama.cpp gave for a file is kept under build/peers, so a second run only computes our side.
"""

import argparse
import dataclasses
import hashlib
import json
import pathlib
import subprocess
import sys
import time

import peer_environment

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TEXTS = ROOT / "data" / "certification"
GREEDY_TOKENS = 64
NEAR_TIE = 0.05
LEAST_POSITIONS = 2000
CONTEXT = 1024
BOUND_PEER = 5e-3
BOUND_REFERENCE = 2e-3
BOUND_TRUTH = 1e-5


@dataclasses.dataclass(frozen=True)
class Way:
    """How llama.cpp computes."""

    name: str
    widened: bool  # the weights as float32
    kv_f32: bool
    flash_attention: bool


AS_SHIPPED = Way("peer", widened=False, kv_f32=False, flash_attention=True)
PLAIN_ATTENTION = Way("peer_plain_attention", widened=False, kv_f32=False, flash_attention=False)
F32_CACHE = Way("peer_f32_cache", widened=False, kv_f32=True, flash_attention=False)
EXACT = Way("peer_f32", widened=True, kv_f32=True, flash_attention=False)


@dataclasses.dataclass
class Divergence:
    mean: float
    p99: float
    most: float
    same_best: float  # share of positions


class Table:
    """Rows of what was compared, what came out, and the bound it had to keep."""

    def __init__(self):
        self.rows = []
        self.failed = False

    def add(self, what: str, value: str, bound: str = "", kept: bool | None = None) -> None:
        verdict = "" if kept is None else "ok" if kept else "EXCEEDED"
        self.failed |= kept is False
        self.rows.append((what, value, bound, verdict))

    def show(self) -> None:
        heads = ("comparison", "result", "bound", "verdict")
        widths = [max(len(row[i]) for row in [heads, *self.rows]) for i in range(4)]
        for row in [heads, tuple("-" * width for width in widths), *self.rows]:
            print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |")


class Ours:
    """The program switchyard_logits on one chip."""

    def __init__(self, build: pathlib.Path, model: str, work: pathlib.Path, options: list[str]):
        self.build = build
        self.program = build / "bin" / "switchyard_logits"
        if not self.program.exists():
            sys.exit(f"{self.program} is missing: build the target switchyard_logits first.")
        self.model = model
        self.work = work
        self.options = options

    def _run(self, sequences: list[list[int]], output: pathlib.Path, more: list[str]) -> None:
        tokens = self.work / "tokens.txt"
        tokens.write_text("".join(" ".join(map(str, ids)) + "\n" for ids in sequences))
        subprocess.run(
            [str(self.program), self.model, "--tokens", str(tokens), "--out", str(output)]
            + ["--context", str(CONTEXT), *self.options, *more],
            check=True,
        )

    def logits(self, sequences: list[list[int]], vocabulary: int, name: str):
        """[positions, vocabulary], the sequences' positions one after the other."""
        import numpy as np

        output = self.work / f"{name}.f32"
        self._run(sequences, output, [])
        return np.memmap(output, dtype=np.float32, mode="r").reshape(-1, vocabulary)

    def on(self, model: str) -> "Ours":
        """The same with another file."""
        return Ours(self.build, model, self.work, self.options)

    def with_options(self, *options: str) -> "Ours":
        """The same with other options."""
        return Ours(self.build, self.model, self.work, list(options))

    def greedy(self, prompts: list[list[int]]) -> list[dict]:
        """For each prompt: tokens, and for each token the gap to the second best logit."""
        output = self.work / "greedy.jsonl"
        self._run(prompts, output, ["--greedy", str(GREEDY_TOKENS)])
        return [json.loads(text) for text in output.read_text().splitlines()]


class Peer:
    """llama.cpp's answers; computed once for a model file, tokens and version, then read back."""

    def __init__(self, path: str, work: pathlib.Path, threads: int):
        self.path = path
        self.work = work
        self.threads = threads

    def _kept(self, name: str, sequences, extension: str) -> pathlib.Path:
        import llama_cpp_model

        stat = pathlib.Path(self.path).stat()
        key = repr((self.path, stat.st_size, stat.st_mtime_ns, sequences, llama_cpp_model.version()))
        digest = hashlib.sha256(key.encode()).hexdigest()[:12]
        return self.work / f"{name}-{digest}.{extension}"

    def logits(self, sequences, way: Way):
        """[positions, vocabulary]"""
        import numpy as np

        kept = self._kept(way.name, sequences, "npy")
        if not kept.exists():
            partial = self.work / "partial.npy"
            np.save(partial, peer_logits(self._file(way), sequences, way, self.threads))
            partial.replace(kept)
        return np.load(kept, mmap_mode="r")

    def greedy(self, prompts, way: Way) -> list[dict]:
        kept = self._kept(f"{way.name}_greedy", prompts, "json")
        if not kept.exists():
            kept.write_text(json.dumps(peer_greedy(self._file(way), prompts, way, self.threads)))
        return json.loads(kept.read_text())

    def _file(self, way: Way) -> str:
        return self.widened() if way.widened else self.path

    def widened(self) -> str:
        """The model file with its weights as float32."""
        import llama_cpp_model

        path = self.work / (pathlib.Path(self.path).stem + ".F32.gguf")
        if path.exists() and path.stat().st_mtime >= pathlib.Path(self.path).stat().st_mtime:
            return str(path)
        llama_cpp_model.quantise(self.path, str(path), "f32", self.threads)
        return str(path)


def peer_logits(path: str, sequences, way: Way, threads: int):
    import llama_cpp_model
    import numpy as np

    model = llama_cpp_model.Model(path)
    context = llama_cpp_model.Context(model, CONTEXT, threads, way.flash_attention, way.kv_f32)
    rows = np.empty((sum(map(len, sequences)), model.vocab_size), dtype=np.float32)
    row = 0
    for ids in sequences:
        context.clear()
        context.evaluate(ids, all_logits=True)
        for i in range(len(ids)):
            rows[row] = context.logits(i)
            row += 1
    context.close()
    model.close()
    return rows


def peer_greedy(path: str, prompts: list[list[int]], way: Way, threads: int) -> list[dict]:
    import llama_cpp_model
    import numpy as np

    model = llama_cpp_model.Model(path)
    context = llama_cpp_model.Context(model, CONTEXT, threads, way.flash_attention, way.kv_f32)
    answers = []
    for prompt in prompts:
        context.clear()
        answer = {"tokens": [], "gaps": []}
        following = prompt
        for _ in range(GREEDY_TOKENS):
            context.evaluate(following)
            logits = context.logits()
            best = int(np.argmax(logits))
            answer["gaps"].append(float(logits[best] - np.partition(logits, -2)[-2]))
            answer["tokens"].append(best)
            following = [best]
        answers.append(answer)
    context.close()
    model.close()
    return answers


def divergence(p, q) -> Divergence:
    """Of KL(p || q) over rows of logits, in double precision."""
    import numpy as np

    kl = np.empty(len(p))
    same = 0
    for i in range(len(p)):
        a = p[i].astype(np.float64)
        b = q[i].astype(np.float64)
        a -= a.max()
        b -= b.max()
        log_a = a - np.log(np.exp(a).sum())
        log_b = b - np.log(np.exp(b).sum())
        kl[i] = np.sum(np.exp(log_a) * (log_a - log_b))
        same += int(np.argmax(a) == np.argmax(b))
    return Divergence(float(kl.mean()), float(np.percentile(kl, 99)), float(kl.max()), same / len(p))


def perplexity(rows, sequences) -> float:
    import numpy as np

    total, count, start = 0.0, 0, 0
    for ids in sequences:
        for i, following in enumerate(ids[1:]):
            row = rows[start + i].astype(np.float64)
            top = row.max()
            total += top + np.log(np.exp(row - top).sum()) - row[following]
            count += 1
        start += len(ids)
    return float(np.exp(total / count))


def partings(model, entries, mine: list[dict], theirs: list[dict]) -> tuple[int, int, list[str]]:
    """How many texts are equal, how many part at a near tie, and a sentence for each that parts."""
    equal, near = 0, 0
    sentences = []
    for entry, a, b in zip(entries, mine, theirs):
        ends = [i for i, token in enumerate(b["tokens"]) if model.ends_text(token)]
        length = ends[0] + 1 if ends else GREEDY_TOKENS
        first = next((i for i in range(length) if a["tokens"][i] != b["tokens"][i]), None)
        if first is None:
            equal += 1
            continue
        gaps = (a["gaps"][first], b["gaps"][first])
        near += max(gaps) <= NEAR_TIE
        words = [model.piece(side["tokens"][first]).decode(errors="replace") for side in (a, b)]
        sentences.append(
            f"{entry['name']}: token {first + 1} of {length}, {words[0]!r} and {words[1]!r},"
            f" {gaps[0]:.4f} and {gaps[1]:.4f} above the second best"
        )
    return equal, near, sentences


def compare_greedy(table: Table, model, ours: Ours, peer: Peer) -> None:
    entries = json.loads((TEXTS / "prompts.json").read_text())
    template = model.chat_template()
    prompts = []
    for entry in entries:
        text = entry["raw"] if "raw" in entry else template([{"role": "user", "content": entry["chat"]}])
        prompts.append(model.tokenize(text, add_special="raw" in entry, parse_special=True))
    mine = ours.greedy(prompts)
    theirs = peer.greedy(prompts, AS_SHIPPED)
    truth = peer.greedy(prompts, EXACT)
    for what, a, b, is_bound in (
        ("ours and llama.cpp, the given file", mine, theirs, True),
        ("ours and llama.cpp, the f32 file", ours.on(peer.widened()).greedy(prompts), truth, True),
        ("ours, the given file, and llama.cpp, the f32 file", mine, truth, True),
        ("llama.cpp, the given file and the f32 file", theirs, truth, False),
        (
            "llama.cpp, the given file, with and without flash attention",
            theirs, peer.greedy(prompts, PLAIN_ATTENTION), False,
        ),
    ):  # fmt: skip
        equal, near, sentences = partings(model, entries, a, b)
        apart = len(entries) - equal - near
        print(f"greedy, {what}: {len(sentences)} of {len(entries)} texts part")
        for sentence in sentences:
            print("  " + sentence)
        table.add(
            f"greedy, {what}",
            f"{equal} equal, {near} part at a near tie, {apart} otherwise",
            f"ties within {NEAR_TIE}" if is_bound else "",
            apart == 0 if is_bound else None,
        )


def passages_of(model) -> list[list[int]]:
    texts = [path.read_text() for path in sorted((TEXTS / "passages").glob("*.txt"))]
    return [model.tokenize(text, add_special=False, parse_special=True) for text in texts]


def timed(name: str, produce):
    """What `produce` gives; says how long it took."""
    start = time.monotonic()
    rows = produce()
    print(f"  {name}: {len(rows)} positions in {time.monotonic() - start:.0f} s", flush=True)
    return rows


def add_divergence(table: Table, what: str, p, q, bound: float | None = None) -> None:
    d = divergence(p, q)
    table.add(
        f"KL {what}",
        f"mean {d.mean:.2e}, p99 {d.p99:.2e}, max {d.most:.2e}; same best token {d.same_best:.2%}",
        f"mean < {bound:g}" if bound else "",
        d.mean < bound if bound else None,
    )


def compare_logits(table: Table, model, ours: Ours, reference: Ours, peer: Peer) -> None:
    sequences = passages_of(model)
    positions = sum(map(len, sequences))
    enough = positions >= LEAST_POSITIONS
    table.add("positions", f"{positions} in {len(sequences)} passages", f">= {LEAST_POSITIONS}", enough)

    theirs = timed("llama.cpp", lambda: peer.logits(sequences, AS_SHIPPED))
    truth = timed("llama.cpp f32", lambda: peer.logits(sequences, EXACT))
    mine = timed("ours", lambda: ours.logits(sequences, model.vocab_size, "ours"))
    exact = timed("our reference", lambda: reference.logits(sequences, model.vocab_size, "reference"))

    add_divergence(table, "llama.cpp || ours", theirs, mine, BOUND_PEER)
    add_divergence(table, "our f32 reference || ours", exact, mine, BOUND_REFERENCE)
    add_divergence(table, "llama.cpp f32 || our f32 reference", truth, exact, BOUND_TRUTH)
    add_divergence(table, "llama.cpp f32 || ours", truth, mine)
    add_divergence(table, "llama.cpp f32 || llama.cpp", truth, theirs)
    names = (("ours", mine), ("llama.cpp", theirs), ("our f32 reference", exact), ("llama.cpp f32", truth))
    table.add("perplexity", ", ".join(f"{name} {perplexity(rows, sequences):.4f}" for name, rows in names))


def compare_rounding(table: Table, model, ours: Ours, peer: Peer) -> None:
    rounding = ["--chip", "reference", "--chip-option", "activations=ggml", "--kv-type"]
    sequences = passages_of(model)
    truth = timed("llama.cpp f32", lambda: peer.logits(sequences, EXACT))
    theirs = timed("llama.cpp, f16 cache", lambda: peer.logits(sequences, PLAIN_ATTENTION))
    theirs_f32 = timed("llama.cpp, f32 cache", lambda: peer.logits(sequences, F32_CACHE))
    mine, mine_f32 = (
        timed(
            f"our reference rounding likewise, {kind} cache",
            lambda: ours.with_options(*rounding, kind).logits(sequences, model.vocab_size, f"rounding_{kind}"),
        )
        for kind in ("f16", "f32")
    )
    add_divergence(table, "llama.cpp f32 || llama.cpp, f32 cache", truth, theirs_f32)
    add_divergence(table, "llama.cpp f32 || our reference rounding likewise, f32 cache", truth, mine_f32)
    add_divergence(table, "llama.cpp || our reference rounding likewise, f32 caches", theirs_f32, mine_f32)
    add_divergence(table, "llama.cpp, f32 cache || f16 cache", theirs_f32, theirs)
    add_divergence(table, "our reference rounding likewise, f32 cache || f16 cache", mine_f32, mine)


def default_model(build: pathlib.Path) -> str:
    """Asks our program where the default model lies, fetching it if it is not there yet."""
    found = subprocess.run([str(build / "bin" / "switchyard"), "pull", "smollm2"], capture_output=True, text=True)
    path = found.stdout.strip().splitlines()[-1] if found.stdout.strip() else ""
    if found.returncode != 0 or not pathlib.Path(path).exists():
        sys.exit(f"The default model could not be found; give a path. {found.stderr.strip()}")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model", nargs="?")
    parser.add_argument("--chip", default="cpu")
    parser.add_argument("--reference", default="reference", help="the chip that computes in float32")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build" / "peers")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", choices=["greedy", "logits", "rounding"])
    arguments = parser.parse_args()
    peer_environment.enter()

    import llama_cpp_model

    llama_cpp_model.start()
    arguments.work.mkdir(parents=True, exist_ok=True)
    arguments.model = arguments.model or default_model(arguments.build)
    threads = ["--threads", str(arguments.threads)]
    peer = Peer(arguments.model, arguments.work, arguments.threads)
    ours = Ours(arguments.build, arguments.model, arguments.work, ["--chip", arguments.chip, *threads])
    reference = ours.with_options("--chip", arguments.reference, "--kv-type", "f32")
    model = llama_cpp_model.Model(arguments.model)
    print(f"{arguments.model}: chip {arguments.chip} against {llama_cpp_model.version()}")
    table = Table()
    if arguments.only in (None, "greedy"):
        compare_greedy(table, model, ours, peer)
    if arguments.only in (None, "logits"):
        compare_logits(table, model, ours, reference, peer)
    if arguments.only in (None, "rounding"):
        compare_rounding(table, model, ours, peer)
    table.show()
    sys.exit(1 if table.failed else 0)


if __name__ == "__main__":
    main()
