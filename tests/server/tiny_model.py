"""A model so small that a whole engine runs on little: one of the golden ones, with a tokenizer of single bytes, as
tests/support/loaded_model.h makes it, a chat template, and a longer context."""

import json
import pathlib
import shutil

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "goldens" / "architectures" / "llama"
TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"


def letters():
    """The bytes' letters in byte-level vocabularies: printable ones are themselves, others follow from U+0100 on."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = (byte for byte in range(256) if byte not in printable)
    return {**{byte: chr(byte) for byte in printable}, **{byte: chr(256 + i) for i, byte in enumerate(others)}}


def make(folder):
    folder = pathlib.Path(folder)
    shutil.copy(GOLDEN / "model.safetensors", folder)
    config = json.loads((GOLDEN / "config.json").read_text(encoding="utf-8"))
    config["max_position_embeddings"] = 1024
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "tokenizer.json").write_text(json.dumps({
        "version": "1.0", "added_tokens": [], "decoder": {"type": "ByteLevel"},
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False},
        "model": {"type": "BPE", "merges": [], "vocab": {letter: byte for byte, letter in letters().items()}}}),
        encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": TEMPLATE}), encoding="utf-8")
