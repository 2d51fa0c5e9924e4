"""llama.cpp through its C interface: load, evaluate tokens, read logits, tokenize, quantise.

Only what the comparisons need. Runs inside the peer environment (peer_environment.py).
"""

import ctypes
import importlib.metadata

import jinja2
import numpy as np
from llama_cpp import llama_cpp as c

# Kept for the life of the process: llama.cpp holds the pointer.
_SILENT = c.llama_log_callback(lambda level, text, user: None)

FILE_TYPES = {
    "f32": c.LLAMA_FTYPE_ALL_F32,
    "bf16": c.LLAMA_FTYPE_MOSTLY_BF16,
    "f16": c.LLAMA_FTYPE_MOSTLY_F16,
    "q4_0": c.LLAMA_FTYPE_MOSTLY_Q4_0,
    "q8_0": c.LLAMA_FTYPE_MOSTLY_Q8_0,
    "q4_k_m": c.LLAMA_FTYPE_MOSTLY_Q4_K_M,
}


def start() -> None:
    c.llama_log_set(_SILENT, None)
    c.llama_backend_init()


def version() -> str:
    return "llama-cpp-python " + importlib.metadata.version("llama-cpp-python")


def system_line() -> str:
    """What the library was built with and found: instruction sets, OpenMP, repacking."""
    return c.llama_print_system_info().decode()


def quantise(source: str, target: str, file_type: str, threads: int) -> None:
    """Rewrites a GGUF file with llama.cpp's own recipe for the file type, from any weight type."""
    parameters = c.llama_model_quantize_default_params()
    parameters.nthread = threads
    parameters.ftype = FILE_TYPES[file_type]
    parameters.allow_requantize = True
    status = c.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(parameters))
    if status != 0:
        raise RuntimeError(f"llama.cpp refused to quantise {source} to {file_type} (status {status})")


class Model:
    def __init__(self, path: str):
        self.handle = c.llama_model_load_from_file(path.encode(), c.llama_model_default_params())
        if not self.handle:
            raise RuntimeError(f"llama.cpp cannot load {path}")
        self.vocab = c.llama_model_get_vocab(self.handle)
        self.vocab_size = c.llama_vocab_n_tokens(self.vocab)

    def close(self) -> None:
        c.llama_model_free(self.handle)

    def tokenize(self, text: str, add_special: bool, parse_special: bool) -> list[int]:
        raw = text.encode()
        room = len(raw) + 8
        tokens = (c.llama_token * room)()
        count = c.llama_tokenize(self.vocab, raw, len(raw), tokens, room, add_special, parse_special)
        if count < 0:
            raise RuntimeError("llama.cpp cannot tokenize the text")
        return list(tokens[:count])

    def piece(self, token: int) -> bytes:
        buffer = ctypes.create_string_buffer(512)
        count = c.llama_token_to_piece(self.vocab, token, buffer, len(buffer), 0, True)
        return buffer.raw[: max(count, 0)]

    def chat_template(self):
        """The file's own template, as a function from messages to the prompt's text."""
        buffer = ctypes.create_string_buffer(1 << 16)
        count = c.llama_model_meta_val_str(self.handle, b"tokenizer.chat_template", buffer, len(buffer))
        if count < 0:
            raise RuntimeError("the model file has no chat template")
        template = jinja2.Environment(trim_blocks=True, lstrip_blocks=True).from_string(buffer.value.decode())
        return lambda messages: template.render(messages=messages, add_generation_prompt=True)

    def ends_text(self, token: int) -> bool:
        return bool(c.llama_vocab_is_eog(self.vocab, token))


class Context:
    """One sequence from position 0. The KV cache is f16 unless asked to be f32."""

    def __init__(self, model: Model, size: int, threads: int, flash_attention: bool, kv_f32: bool = False):
        parameters = c.llama_context_default_params()
        parameters.n_ctx = size
        parameters.n_batch = size
        parameters.n_ubatch = 512
        parameters.n_seq_max = 1
        parameters.n_threads = threads
        parameters.n_threads_batch = threads
        parameters.no_perf = True
        parameters.flash_attn_type = (
            c.LLAMA_FLASH_ATTN_TYPE_ENABLED if flash_attention else c.LLAMA_FLASH_ATTN_TYPE_DISABLED
        )
        if kv_f32:
            parameters.type_k = parameters.type_v = 0  # GGML_TYPE_F32
        self.model = model
        self.size = size
        self.handle = c.llama_init_from_model(model.handle, parameters)
        if not self.handle:
            raise RuntimeError("llama.cpp cannot make a context")
        self.batch = c.llama_batch_init(size, 0, 1)
        self.position = 0

    def close(self) -> None:
        c.llama_batch_free(self.batch)
        c.llama_free(self.handle)

    def clear(self) -> None:
        c.llama_memory_clear(c.llama_get_memory(self.handle), True)
        self.position = 0

    def evaluate(self, tokens: list[int], all_logits: bool = False) -> None:
        """Appends the tokens; blocks until their logits (of the last, or of all) are there."""
        batch = self.batch
        batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            batch.token[i] = token
            batch.pos[i] = self.position + i
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = 0
            batch.logits[i] = all_logits or i + 1 == len(tokens)
        status = c.llama_decode(self.handle, batch)
        if status != 0:
            raise RuntimeError(f"llama_decode failed (status {status})")
        c.llama_synchronize(self.handle)
        self.position += len(tokens)

    def logits(self, index: int = -1) -> np.ndarray:
        """[vocab] of the index-th token of the last evaluate() (a copy)."""
        pointer = c.llama_get_logits_ith(self.handle, index)
        return np.ctypeslib.as_array(pointer, shape=(self.model.vocab_size,)).copy()
