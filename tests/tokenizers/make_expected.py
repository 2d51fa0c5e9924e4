#!/usr/bin/env python3
"""Runs Hugging Face's `tokenizers` over the corpus and writes what it gives, as hashes.

    pip install tokenizers==0.23.3 gguf
    python3 tests/tokenizers/make_expected.py CORPUS VOCABULARIES SMOLLM2.gguf [BERT.gguf]

CORPUS is make_corpus.py's output, VOCABULARIES the folder that get_vocabularies.sh fills. The files
land in tests/tokenizers/expected/. With `--show NAME LINE` before these, prints one text's tokens.

A file has a header of "key value" lines, an empty line, and for each text eight hexadecimal digits
for its ids and four for the text that decoding them gives: the FNV-1a hash of the ids as
little-endian 32-bit numbers, and that of the UTF-8 bytes with its upper half folded into the lower.
Texts are encoded as `bytes.decode(errors="replace")` without the tokens that stand around a text,
with special tokens in the text recognised, and decoded with special tokens kept.
"""
import hashlib
import os
import struct
import sys

import tokenizers
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers

FETCHED = ["deepseek_v3", "gemma3", "gptoss", "kyoto_unigram", "llama2", "llama3_1", "mistral_nemo", "qwen3"]


def gguf_fields(path):
    import gguf
    return {name: field.contents() for name, field in gguf.GGUFReader(path).fields.items()
            if name.startswith("tokenizer.ggml.")}


def smollm2(path):
    """The published tokenizer.json: byte-level BPE behind individual digits and GPT-2's pattern."""
    fields = gguf_fields(path)
    tokens = fields["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token, kind
                                  in zip(tokens, fields["tokenizer.ggml.token_type"]) if kind == 3])
    return tokenizer


def bert(path):
    """BERT's uncased tokenizer, from names in which U+2581 begins a word."""
    tokens = gguf_fields(path)["tokenizer.ggml.tokens"]

    def name(token):
        if token.startswith("\u2581"):
            return token[1:]
        return token if token.startswith("[") and token.endswith("]") and len(token) > 2 else "##" + token

    tokenizer = Tokenizer(models.WordPiece(vocab={name(token): i for i, token in enumerate(tokens)},
                                           unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token
                                  in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")])
    return tokenizer


def fnv1a(data):
    value = 0x811C9DC5
    for byte in data:
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def read_corpus(path):
    data = open(path, "rb").read()
    texts, at = [], 0
    while at < len(data):
        size, = struct.unpack_from("<I", data, at)
        texts.append(data[at + 4:at + 4 + size])
        at += 4 + size
    return texts, hashlib.sha256(data).hexdigest()


def main():
    arguments = sys.argv[1:]
    show = None
    if arguments[0] == "--show":
        show = (arguments[1], int(arguments[2]))
        arguments = arguments[3:]
    corpus, vocabularies, smollm2_path, *bert_path = arguments
    texts, corpus_hash = read_corpus(corpus)
    makers = {"smollm2": lambda: smollm2(smollm2_path)}
    for name in FETCHED:
        makers[name] = lambda name=name: Tokenizer.from_file(f"{vocabularies}/{name}/tokenizer.json")
    if bert_path:
        makers["bert"] = lambda: bert(bert_path[0])

    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "expected")
    os.makedirs(folder, exist_ok=True)
    for name, make in makers.items():
        if show and show[0] != name:
            continue
        tokenizer = make()
        if show:
            text = texts[show[1]].decode("utf-8", "replace")
            ids = tokenizer.encode(text, add_special_tokens=False).ids
            print(repr(text), ids, [tokenizer.id_to_token(i) for i in ids],
                  repr(tokenizer.decode(ids, skip_special_tokens=False)), sep="\n")
            continue
        every, lines = hashlib.sha256(), []
        count = 0
        for text in texts:
            ids = tokenizer.encode(text.decode("utf-8", "replace"), add_special_tokens=False).ids
            packed = struct.pack(f"<{len(ids)}I", *ids)
            every.update(packed)
            count += len(ids)
            back = fnv1a(tokenizer.decode(ids, skip_special_tokens=False).encode())
            lines.append(f"{fnv1a(packed):08x}{back >> 16 ^ back & 0xFFFF:04x}")
        with open(f"{folder}/{name}.txt", "w") as out:
            out.write(f"tokenizers {tokenizers.__version__}\ncorpus_sha256 {corpus_hash}\ntexts {len(texts)}\n"
                      f"ids {count}\nids_sha256 {every.hexdigest()}\n\n")
            for i in range(0, len(lines), 8):
                out.write("".join(lines[i:i + 8]) + "\n")
        print(name, count)


if __name__ == "__main__":
    main()
