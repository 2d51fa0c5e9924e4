#!/usr/bin/env python3
"""Holds the embeddings that we serve against llama.cpp's on the same weight file.

    tests/peers/compare_embeddings.py [--program build/release/bin/switchyard] [MODEL]

MODEL is what `switchyard serve` takes; the default model if it is left out. Both get the same token ids. llama.cpp
gives the final hidden state of each token, on the file as it is and on its weights widened to float32; what they are
pooled to, the last or the mean, is computed here. Ours come over HTTP: of the file as it is, and of a copy whose
pooling_type says mean. Prints the cosine and the largest difference of each text; exit code 1 if a cosine with the
float32 side is below 0.9999, or with the other below 0.995, since it rounds activations to 8 bits. llama.cpp lives in
an environment of its own (peer_environment.py).
"""

import argparse
import http.client
import json
import pathlib
import re
import subprocess
import sys

import peer_environment

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEXTS = ["Hello", "The capital of France is Paris.", "Die Katze sitzt auf dem Dach.", "def f(x):\n    return x + 1",
         "今天天气很好。", "word " * 200]


def with_mean_pooling(source):
    """A copy of a GGUF file whose pooling_type is 1."""
    import gguf
    reader = gguf.GGUFReader(source)
    architecture = reader.fields["general.architecture"].contents()
    (ROOT / "build" / "peers").mkdir(parents=True, exist_ok=True)
    target = ROOT / "build" / "peers" / f"mean_{pathlib.Path(source).name}"
    writer = gguf.GGUFWriter(str(target), architecture)
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name in ("general.architecture", f"{architecture}.pooling_type"):
            continue
        kinds = field.types
        writer.add_key_value(name, field.contents(), kinds[0], kinds[-1] if len(kinds) > 1 else None)
    writer.add_uint32(f"{architecture}.pooling_type", 1)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return str(target)


def ours(program, path, tokens):
    child = subprocess.Popen([program, "serve", path, "--chip", "cpu", "--port", "0", "--context", "1024",
                              "--served-model-name", "m", "--no-request-log"], stdout=subprocess.PIPE, text=True)
    try:
        port = int(re.search(r":(\d+)/v1", child.stdout.readline()).group(1))
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        link.request("POST", "/v1/embeddings", json.dumps({"model": "m", "input": tokens}))
        answer = json.loads(link.getresponse().read())
        return [one["embedding"] for one in answer["data"]]
    finally:
        child.terminate()
        child.wait()


def theirs(path, texts):
    """The token ids of each text, and the hidden states of its tokens [tokens, hidden], fed one by one."""
    import llama_cpp_model
    import numpy as np
    c = llama_cpp_model.c
    model = llama_cpp_model.Model(path)
    context = llama_cpp_model.Context(model, 1024, 2, flash_attention=False, kv_f32=True)
    c.llama_set_embeddings(context.handle, True)
    width = c.llama_model_n_embd(model.handle)
    told = []
    for text in texts:
        ids = model.tokenize(text, True, True)
        context.clear()
        states = []
        for token in ids:
            context.evaluate([token])
            pointer = c.llama_get_embeddings_ith(context.handle, -1)
            states.append(np.ctypeslib.as_array(pointer, (width,)).astype(np.float64))
        told.append((ids, np.array(states)))
    context.close()
    model.close()
    return told


def main():
    peer_environment.enter()
    import llama_cpp_model
    import numpy as np
    parser = argparse.ArgumentParser()
    parser.add_argument("model", nargs="?", default="smollm2")
    parser.add_argument("--program", default=str(ROOT / "build/release/bin/switchyard"))
    options = parser.parse_args()
    llama_cpp_model.start()
    pulled = subprocess.run([options.program, "pull", options.model], capture_output=True, text=True, check=True)
    path = pulled.stdout.strip().splitlines()[-1]
    mean = with_mean_pooling(path)
    widened = str(ROOT / "build" / "peers" / f"f32_{pathlib.Path(path).name}")
    llama_cpp_model.quantise(path, widened, "f32", 2)
    failed = False
    peers = [("f32", 0.9999, theirs(widened, TEXTS)), ("as it is", 0.995, theirs(path, TEXTS))]
    tokens = [ids for ids, _ in peers[0][2]]
    for pooling, vectors in (("last", ours(options.program, path, tokens)), ("mean", ours(options.program, mean, tokens))):
        for name, bound, told in peers:
            for (ids, states), vector in zip(told, vectors, strict=True):
                other = states[-1] if pooling == "last" else states.mean(axis=0)
                other = other / np.linalg.norm(other)
                cosine = float(np.dot(other, vector))
                failed |= not cosine >= bound
                print(f"{pooling}  {len(ids):4} tokens  llama.cpp {name:8}  cosine {cosine:.7f}  largest difference "
                      f"{np.max(np.abs(other - np.array(vector))):.2e}  {'ok' if cosine >= bound else 'EXCEEDED'}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
