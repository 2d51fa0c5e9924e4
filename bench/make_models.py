#!/usr/bin/env python3
"""Makes the model files that the benchmarks run: real and synthetic weights, four weight types.

    bench/make_models.py [--source SmolLM2.gguf] [--out build/bench_models] [--only TEXT]

SmolLM2-135M-Instruct in Q4_0, Q8_0, Q4_K_M and BF16 is requantised from the default model's file
by llama.cpp's own recipes, with the fallback types that its 576 columns force (speed only: a file
quantised twice says nothing about quality). synthetic-1.5B has the shapes of Qwen2.5-1.5B, tied
embeddings and random weights, and is made once in BF16 and then quantised by the same recipes.
A file that exists is kept.
"""

import argparse
import os
import pathlib
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "peers"))
import peer_environment  # noqa: E402

TYPES = ["bf16", "q4_0", "q8_0", "q4_k_m"]
REAL = "SmolLM2-135M-Instruct"
SYNTHETIC = "synthetic-1.5B"

HIDDEN = 1536
LAYERS = 28
HEADS = 12
KV_HEADS = 2
HEAD_DIM = 128
FFN = 8960
VOCAB = 151936
# The spread of the weights; with RMSNorm before every block, activations then stay near 1.
SPREAD = 0.02


def vocabulary() -> tuple[list[str], list[int], list[str]]:
    """A byte-level BPE vocabulary that is valid and tiny: bytes, a few merges, then unused names."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    shown = {byte: chr(byte) for byte in printable}
    for byte in range(256):
        if byte not in shown:
            shown[byte] = chr(256 + len(shown) - len(printable))
    tokens = [shown[byte] for byte in range(256)]
    merges = ["t h", "th e", "i n", "a n", "o n", "e r"]
    tokens += [merge.replace(" ", "") for merge in merges]
    kinds = [1] * len(tokens)  # normal
    tokens += ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    kinds += [3] * 3  # control
    unused = VOCAB - len(tokens)
    tokens += [f"<unused{i}>" for i in range(unused)]
    kinds += [5] * unused
    return tokens, kinds, merges


def make_synthetic(path: pathlib.Path) -> None:
    import gguf
    import numpy as np

    writer = gguf.GGUFWriter(str(path), "qwen2")
    writer.add_name(SYNTHETIC)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_BF16)
    writer.add_context_length(32768)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FFN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_freq_base(1e6)
    writer.add_layer_norm_rms_eps(1e-6)
    tokens, kinds, merges = vocabulary()
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    end = tokens.index("<|endoftext|>")
    writer.add_eos_token_id(end)
    writer.add_bos_token_id(end)
    writer.add_add_bos_token(False)

    # Every matrix is a window into one pool of normal numbers, repeated so that the largest matrix
    # fits behind any offset: drawing 1.5 billion numbers would take most of a minute, and views of
    # the pool cost no memory.
    random = np.random.default_rng(20251)
    numbers = random.standard_normal(1 << 25, dtype=np.float32) * np.float32(SPREAD)
    period = numbers.size
    pool = np.tile((numbers.view(np.uint32) >> 16).astype(np.uint16), VOCAB * HIDDEN // period + 2)
    offset = 0

    def matrix(name: str, rows: int, columns: int) -> None:  # [rows, columns], bf16
        nonlocal offset
        offset = (offset + 7_368_787) % period  # a prime step, so that layers differ
        values = pool[offset : offset + rows * columns]
        writer.add_tensor(
            name,
            values.reshape(rows, columns).view(np.uint8),
            raw_dtype=gguf.GGMLQuantizationType.BF16,
        )

    def vector(name: str, count: int, mean: float) -> None:  # [count], f32
        values = random.standard_normal(count, dtype=np.float32) * np.float32(SPREAD)
        writer.add_tensor(name, values + np.float32(mean))

    matrix("token_embd.weight", VOCAB, HIDDEN)
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        vector(block + "attn_norm.weight", HIDDEN, 1.0)
        matrix(block + "attn_q.weight", HEADS * HEAD_DIM, HIDDEN)
        matrix(block + "attn_k.weight", KV_HEADS * HEAD_DIM, HIDDEN)
        matrix(block + "attn_v.weight", KV_HEADS * HEAD_DIM, HIDDEN)
        vector(block + "attn_q.bias", HEADS * HEAD_DIM, 0.0)
        vector(block + "attn_k.bias", KV_HEADS * HEAD_DIM, 0.0)
        vector(block + "attn_v.bias", KV_HEADS * HEAD_DIM, 0.0)
        matrix(block + "attn_output.weight", HIDDEN, HEADS * HEAD_DIM)
        vector(block + "ffn_norm.weight", HIDDEN, 1.0)
        matrix(block + "ffn_gate.weight", FFN, HIDDEN)
        matrix(block + "ffn_up.weight", FFN, HIDDEN)
        matrix(block + "ffn_down.weight", HIDDEN, FFN)
    vector("output_norm.weight", HIDDEN, 1.0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def file_name(model: str, kind: str) -> str:
    return f"{model}.{kind.upper()}.gguf"


def make(target: pathlib.Path, produce) -> None:
    if target.exists():
        return
    start = time.monotonic()
    partial = target.with_suffix(".partial")
    produce(partial)
    os.replace(partial, target)
    print(f"{target}  {target.stat().st_size / 1e6:.1f} MB  {time.monotonic() - start:.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--source", help="the default model's file; without it SmolLM2 is left out")
    parser.add_argument("--out", default=str(ROOT / "build" / "bench_models"))
    parser.add_argument("--only", default="", help="only files whose name holds this text")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    peer_environment.enter()

    import llama_cpp_model

    llama_cpp_model.start()
    out = pathlib.Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    base = out / file_name(SYNTHETIC, "bf16")
    if arguments.only.lower() in base.name.lower() or arguments.only.lower() in SYNTHETIC.lower():
        make(base, make_synthetic)
    for kind in TYPES:
        for model, source in ((REAL, arguments.source), (SYNTHETIC, str(base))):
            target = out / file_name(model, kind)
            if source and arguments.only.lower() in target.name.lower():
                make(
                    target,
                    lambda partial: llama_cpp_model.quantise(
                        source, str(partial), kind, arguments.threads
                    ),
                )


if __name__ == "__main__":
    main()
