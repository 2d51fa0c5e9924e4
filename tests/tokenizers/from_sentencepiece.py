#!/usr/bin/env python3
"""Writes the tokenizer.json of a SentencePiece unigram model.

    python3 tests/tokenizers/from_sentencepiece.py SENTENCEPIECE.model tokenizer.json

Needs nothing but Python: of the model's protocol buffer (sentencepiece_model.proto) it reads the
pieces and the compiled character map. Spaces are treated as SentencePiece treats them: transformers'
converter would also strip line ends, and put no mark before a text that begins with one.
"""
import base64
import json
import struct
import sys

UNKNOWN, CONTROL, USER_DEFINED = 2, 3, 4  # SentencePiece.Type


def fields(data):
    """The (number, value) pairs of a protocol buffer message."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = varint()
        kind = key & 7
        if kind == 0:
            yield key >> 3, varint()
            continue
        size = {1: 8, 5: 4}[kind] if kind != 2 else varint()
        yield key >> 3, data[at:at + size]
        at += size


def main():
    source, target = sys.argv[1:]
    pieces, charsmap = [], b""
    with open(source, "rb") as file:
        model = file.read()
    for number, value in fields(model):
        if number == 1:  # pieces
            piece = dict(fields(value))
            pieces.append((piece[1].decode(), struct.unpack("<f", piece.get(2, bytes(4)))[0], piece.get(3, 1)))
        elif number == 3:  # normalizer_spec
            charsmap = dict(fields(value)).get(2, b"")

    normalizers = [
        {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
        {"type": "Replace", "pattern": {"Regex": r"\A | \z"}, "content": ""},
        {"type": "Prepend", "prepend": "\u2581"},
        {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"},
    ]
    if charsmap:
        normalizers.insert(0, {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(charsmap).decode()})
    decoder = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": index, "content": name, "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False, "special": kind != USER_DEFINED}
            for index, (name, _, kind) in enumerate(pieces) if kind in (UNKNOWN, CONTROL, USER_DEFINED)
        ],
        "normalizer": {"type": "Sequence", "normalizers": normalizers},
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": decoder,
        "model": {
            "type": "Unigram",
            "unk_id": next(index for index, piece in enumerate(pieces) if piece[2] == UNKNOWN),
            "vocab": [[name, score] for name, score, _ in pieces],
            "byte_fallback": False,
        },
    }
    with open(target, "w", encoding="utf-8") as file:
        json.dump(tokenizer, file, ensure_ascii=False)


if __name__ == "__main__":
    main()
