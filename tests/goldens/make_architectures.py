#!/usr/bin/env python3
"""Makes the golden files of tests/model/architectures_test.cc: for each architecture a tiny random
model as it would be published, and the logits that PyTorch transformers computes from that file in
float32 on the CPU.

    pip install torch transformers safetensors gguf
    python tests/goldens/make_architectures.py [NAME ...]

Each folder of tests/goldens/architectures/ is a Hugging Face folder, or holds model.gguf, and has
expected.safetensors: for sequence i, `tokens.i` [length] I32 and `logits.i` [length, vocabulary] F32.
Logits are those of one pass over the sequence; before they are written, the script checks that
transformers' own step-by-step decoding with a cache gives the same.
"""

import json
import math
import shutil
import sys
import zlib
from pathlib import Path

import gguf
import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file

FOLDER = Path(__file__).parent / "architectures"
VOCABULARY = 197
LENGTHS = (27, 10, 1)

SMALL = dict(vocab_size=VOCABULARY, hidden_size=48, intermediate_size=72, num_hidden_layers=3,
             num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=128,
             bos_token_id=1, eos_token_id=2, pad_token_id=0, tie_word_embeddings=False)


def randomise(model, unit_offset_norms):
    """Weights large enough that every part of the model shows in the logits."""
    tied = model.config.tie_word_embeddings
    for name, tensor in model.named_parameters():
        if name.endswith("norm.weight") or "layernorm" in name:
            tensor.data = 0.3 * torch.randn_like(tensor) + (0 if unit_offset_norms else 1)
        elif name.endswith(".bias"):
            tensor.data = 0.3 * torch.randn_like(tensor)
        elif "embed_tokens" in name:
            scale = 1 / math.sqrt(tensor.shape[-1]) if tied else 1
            tensor.data = torch.randn_like(tensor) * scale
        elif "q_proj" in name or "k_proj" in name:
            tensor.data = torch.randn_like(tensor) * 1.5 / math.sqrt(tensor.shape[-1])
        else:
            tensor.data = torch.randn_like(tensor) / math.sqrt(tensor.shape[-1])


def expected_logits(model):
    """tokens.i and logits.i, with transformers checked against itself."""
    generator = torch.Generator().manual_seed(7)
    result = {}
    for i, length in enumerate(LENGTHS):
        tokens = torch.randint(3, model.config.get_text_config().vocab_size, (1, length),
                               generator=generator)
        with torch.no_grad():
            logits = model(tokens, use_cache=False).logits[0]
            cache = None
            for position in range(length):
                step = model(tokens[:, position:position + 1], past_key_values=cache,
                             use_cache=True)
                cache = step.past_key_values
                difference = (step.logits[0, 0] - logits[position]).abs().max().item()
                assert difference < 1e-4, f"transformers disagrees with itself by {difference}"
        result[f"tokens.{i}"] = tokens[0].to(torch.int32)
        result[f"logits.{i}"] = logits.float().contiguous()
    return result


def make_hugging_face(name, model_class, config, dtype=torch.bfloat16, shard_size="5GB",
                      edit=None, reload=False):
    """`edit(config_json, tensors)` may rewrite what is saved, as older or wrapped files have it;
    with `reload`, transformers must give the same from what was rewritten."""
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    torch.manual_seed(zlib.crc32(name.encode()))
    model = model_class(config).eval()
    randomise(model, unit_offset_norms="Gemma" in model_class.__name__)
    model.to(dtype).save_pretrained(folder, max_shard_size=shard_size)
    model = model_class.from_pretrained(folder, dtype=torch.float32,
                                        attn_implementation="eager").eval()
    expected = expected_logits(model)
    if edit is not None:
        config_json = json.loads((folder / "config.json").read_text())
        tensors = load_file(folder / "model.safetensors")
        config_json, tensors = edit(config_json, tensors)
        (folder / "config.json").write_text(json.dumps(config_json, indent=2) + "\n")
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    if reload:
        model = model_class.from_pretrained(folder, dtype=torch.float32,
                                            attn_implementation="eager").eval()
        again = expected_logits(model)
        assert all(torch.equal(expected[key], again[key]) for key in expected), name
    save_file(expected, folder / "expected.safetensors")
    report(name, expected)


def legacy_rope(config_json, tensors):
    """config.json as transformers 4 wrote it: rope_theta and rope_scaling at the top."""
    rope = config_json.pop("rope_parameters")
    config_json["rope_theta"] = rope.pop("rope_theta")
    config_json["rope_scaling"] = rope
    config_json["torch_dtype"] = config_json.pop("dtype")
    return config_json, tensors


def wrapped_gemma3(config_json, tensors):
    """The text part of a Gemma3ForConditionalGeneration, as transformers 4 wrote it, with one tensor
    of a vision tower beside it."""
    parameters = config_json.pop("rope_parameters")
    layer_types = config_json.pop("layer_types")
    config_json["sliding_window_pattern"] = layer_types.index("full_attention") + 1
    config_json["rope_theta"] = parameters["full_attention"]["rope_theta"]
    config_json["rope_local_base_freq"] = parameters["sliding_attention"]["rope_theta"]
    config_json["rope_scaling"] = {"rope_type": "linear",
                                   "factor": parameters["full_attention"]["factor"]}
    config_json["model_type"] = "gemma3_text"
    del config_json["architectures"]
    wrapped = {"architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3",
               "text_config": config_json, "vision_config": {"model_type": "siglip_vision_model"},
               "torch_dtype": "bfloat16", "eos_token_id": [1, 106]}
    tensors = {"language_model." + name: tensor for name, tensor in tensors.items()
               if name != "lm_head.weight"}
    tensors["vision_tower.vision_model.post_layernorm.weight"] = torch.ones(4)
    return wrapped, tensors


# ---- GGUF: the names, orders and metadata that llama.cpp's converter writes -----------------------

GGUF_NAMES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm", "input_layernorm": "attn_norm", "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down", "pre_feedforward_layernorm": "ffn_norm",
    "post_feedforward_layernorm": "post_ffw_norm", "mlp.gate": "ffn_gate_inp",
}


def gguf_tensors(model, architecture):
    """GGUF name -> float32 array, from a transformers model's parameters."""
    config = model.config
    gemma = architecture.startswith("gemma")
    result = {}
    for name, tensor in model.state_dict().items():
        value = tensor.float().numpy()
        if name == "lm_head.weight":
            if not config.tie_word_embeddings:
                result["output.weight"] = value
            continue
        if name == "model.embed_tokens.weight":
            result["token_embd.weight"] = value
            continue
        if gemma and "norm" in name:
            value = value + 1
        if name == "model.norm.weight":
            result["output_norm.weight"] = value
            continue
        _, _, layer, rest = name.split(".", 3)
        if ".experts." in rest:
            if rest.endswith("gate_up_proj"):
                half = value.shape[1] // 2
                result[f"blk.{layer}.ffn_gate_exps.weight"] = value[:, :half]
                result[f"blk.{layer}.ffn_up_exps.weight"] = value[:, half:]
            else:
                assert rest.endswith("down_proj"), rest
                result[f"blk.{layer}.ffn_down_exps.weight"] = value
            continue
        base, kind = rest.rsplit(".", 1)
        if base == "post_attention_layernorm":
            target = "post_attention_norm" if gemma else "ffn_norm"
        else:
            target = GGUF_NAMES[base]
        if architecture == "llama" and target in ("attn_q", "attn_k"):
            # Rotary pairs are adjacent in this format: rows (i, i + d/2) of a head become
            # (2i, 2i + 1).
            heads = (config.num_attention_heads if target == "attn_q"
                     else config.num_key_value_heads)
            shape = value.shape
            value = value.reshape(heads, 2, shape[0] // heads // 2, -1).swapaxes(1, 2)
            value = value.reshape(shape)
        result[f"blk.{layer}.{target}.{kind}"] = value
    return result


def make_gguf(name, model_class, config, architecture, matrix_type, metadata, extra=None):
    """The model's matrices are rounded to `matrix_type` before transformers sees them."""
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    torch.manual_seed(zlib.crc32(name.encode()))
    config._attn_implementation = "eager"
    model = model_class(config).eval()
    randomise(model, unit_offset_norms="Gemma" in model_class.__name__)

    def stored_type(tensor):
        return (matrix_type if tensor.ndim > 1 and tensor.shape[-1] % 32 == 0
                else gguf.GGMLQuantizationType.F32)

    with torch.no_grad():
        for tensor in model.parameters():
            kind = stored_type(tensor)
            if kind != gguf.GGMLQuantizationType.F32:
                packed = gguf.quants.quantize(tensor.numpy(), kind)
                tensor.copy_(torch.from_numpy(gguf.quants.dequantize(packed, kind)))
    expected = expected_logits(model)

    writer = gguf.GGUFWriter(folder / "model.gguf", architecture)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    writer.add_tokenizer_model("no_vocab")  # so that llama.cpp opens it too
    metadata(writer)
    for tensor_name, value in gguf_tensors(model, architecture).items():
        kind = stored_type(value)
        value = np.ascontiguousarray(value)
        if kind == gguf.GGMLQuantizationType.F32:
            writer.add_tensor(tensor_name, value)
        else:
            writer.add_tensor(tensor_name, gguf.quants.quantize(value, kind), raw_dtype=kind)
    for tensor_name, value in (extra or {}).items():
        writer.add_tensor(tensor_name, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    save_file(expected, folder / "expected.safetensors")
    report(name, expected)


def llama3_factors(head_dim, rope):
    """rope_freqs.weight: what each rotary frequency is divided by (Llama 3.1's scaling)."""
    factors = []
    for i in range(0, head_dim, 2):
        wavelength = 2 * math.pi * rope["rope_theta"] ** (i / head_dim)
        low = rope["original_max_position_embeddings"] / rope["low_freq_factor"]
        high = rope["original_max_position_embeddings"] / rope["high_freq_factor"]
        if wavelength < high:
            factors.append(1.0)
        elif wavelength > low:
            factors.append(rope["factor"])
        else:
            smooth = ((rope["original_max_position_embeddings"] / wavelength
                       - rope["low_freq_factor"])
                      / (rope["high_freq_factor"] - rope["low_freq_factor"]))
            factors.append(1 / ((1 - smooth) / rope["factor"] + smooth))
    return np.array(factors, dtype=np.float32)


def report(name, expected):
    size = sum(path.stat().st_size for path in (FOLDER / name).iterdir())
    logits = expected["logits.0"]
    print(f"{name}: {size / 1e3:.0f} kB, logits of spread {logits.std():.2f}, "
          f"greatest {logits.abs().max():.2f}")


LLAMA3_ROPE = dict(rope_type="llama3", rope_theta=10000.0, factor=4.0, low_freq_factor=1.0,
                   high_freq_factor=4.0, original_max_position_embeddings=32)
YARN_ROPE = dict(rope_type="yarn", rope_theta=10000.0, factor=4.0,
                 original_max_position_embeddings=32)
GEMMA2 = {**SMALL, **dict(hidden_size=40, intermediate_size=56, num_hidden_layers=4, head_dim=16,
                          num_key_value_heads=1, sliding_window=7, attn_logit_softcapping=5.0,
                          final_logit_softcapping=4.0, query_pre_attn_scalar=24,
                          tie_word_embeddings=True)}
GEMMA3 = {**SMALL, **dict(hidden_size=40, intermediate_size=56, num_hidden_layers=4, head_dim=16,
                          num_key_value_heads=1, sliding_window=5, query_pre_attn_scalar=24,
                          tie_word_embeddings=True,
                          layer_types=["sliding_attention", "sliding_attention", "full_attention",
                                       "sliding_attention"],
                          rope_parameters={
                              "full_attention": dict(rope_type="linear", rope_theta=1e6,
                                                     factor=8.0),
                              "sliding_attention": dict(rope_type="default", rope_theta=10000.0)})}
QWEN3_MOE = {**SMALL, **dict(head_dim=16, num_experts=8, num_experts_per_tok=3,
                             moe_intermediate_size=24, decoder_sparse_step=1,
                             rope_theta=1e6)}


def llama_gguf_metadata(writer):
    writer.add_rope_dimension_count(16)
    writer.add_rope_freq_base(LLAMA3_ROPE["rope_theta"])


def mixtral_gguf_metadata(writer):
    writer.add_rope_dimension_count(16)
    writer.add_rope_freq_base(1e6)
    writer.add_expert_count(4)
    writer.add_expert_used_count(2)


def qwen2_gguf_metadata(writer):
    writer.add_rope_freq_base(YARN_ROPE["rope_theta"])
    writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
    writer.add_rope_scaling_factor(YARN_ROPE["factor"])
    writer.add_rope_scaling_orig_ctx_len(YARN_ROPE["original_max_position_embeddings"])


def qwen3_moe_gguf_metadata(writer):
    writer.add_key_length(16)
    writer.add_value_length(16)
    writer.add_rope_freq_base(1e6)
    writer.add_expert_count(8)
    writer.add_expert_used_count(3)
    writer.add_expert_feed_forward_length(32)


def gemma2_gguf_metadata(writer):
    writer.add_key_length(16)
    writer.add_value_length(16)
    writer.add_attn_logit_softcapping(5.0)
    writer.add_final_logit_softcapping(4.0)
    writer.add_sliding_window(7)


def gemma3_gguf_metadata(writer):
    writer.add_key_length(16)
    writer.add_value_length(16)
    writer.add_rope_freq_base(1e6)
    writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
    writer.add_rope_scaling_factor(8.0)
    writer.add_sliding_window(5)


def recipes():
    t = transformers
    hf = make_hugging_face
    wide = {**SMALL, **dict(hidden_size=64, intermediate_size=96, vocab_size=192)}
    q8 = gguf.GGMLQuantizationType.Q8_0
    f16 = gguf.GGMLQuantizationType.F16
    bf16 = gguf.GGMLQuantizationType.BF16
    return {
        "llama": lambda n: hf(n, t.LlamaForCausalLM, t.LlamaConfig(
            **{**SMALL, **dict(num_hidden_layers=2, hidden_size=36, num_attention_heads=6,
                               num_key_value_heads=3, intermediate_size=53)},
            rms_norm_eps=1e-5, rope_theta=5e5), dtype=torch.float32),
        "llama3": lambda n: hf(n, t.LlamaForCausalLM, t.LlamaConfig(
            **{**SMALL, **dict(head_dim=16, tie_word_embeddings=True, attention_bias=True,
                               mlp_bias=True)}, rope_parameters=LLAMA3_ROPE), dtype=torch.float16),
        "mistral": lambda n: hf(n, t.MistralForCausalLM, t.MistralConfig(
            **{**SMALL, **dict(sliding_window=6, head_dim=20)}), shard_size="60KB"),
        "qwen2": lambda n: hf(n, t.Qwen2ForCausalLM, t.Qwen2Config(
            **{**SMALL, **dict(tie_word_embeddings=True)}, rope_parameters=YARN_ROPE),
            edit=legacy_rope, reload=True),
        "qwen2_window": lambda n: hf(n, t.Qwen2ForCausalLM, t.Qwen2Config(
            **SMALL, use_sliding_window=True, sliding_window=5, max_window_layers=1,
            rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=3.0))),
        "qwen3": lambda n: hf(n, t.Qwen3ForCausalLM, t.Qwen3Config(
            **{**SMALL, **dict(head_dim=20)}, rope_theta=1e6)),
        "gemma2": lambda n: hf(n, t.Gemma2ForCausalLM, t.Gemma2Config(**GEMMA2)),
        "gemma3": lambda n: hf(n, t.Gemma3ForCausalLM, t.Gemma3TextConfig(**GEMMA3)),
        "gemma3_wrapped": lambda n: hf(n, t.Gemma3ForCausalLM, t.Gemma3TextConfig(**GEMMA3),
                                       edit=wrapped_gemma3),
        "mixtral": lambda n: hf(n, t.MixtralForCausalLM, t.MixtralConfig(
            **{**SMALL, **dict(intermediate_size=40, num_hidden_layers=2)}, num_local_experts=4,
            num_experts_per_tok=2), dtype=torch.float16),
        # The mixtures are of F16, which chips multiply as it is: a chip that rounds activations to
        # multiply BF16 picks another expert where two nearly tie, which says nothing of the model.
        "qwen3_moe": lambda n: hf(n, t.Qwen3MoeForCausalLM, t.Qwen3MoeConfig(
            **QWEN3_MOE, norm_topk_prob=False, mlp_only_layers=[1]),
            dtype=torch.float16),
        "qwen3_moe_renormalised": lambda n: hf(n, t.Qwen3MoeForCausalLM, t.Qwen3MoeConfig(
            **{**QWEN3_MOE, **dict(num_hidden_layers=2)}, norm_topk_prob=True),
            dtype=torch.float16),
        "llama_gguf": lambda n: make_gguf(n, t.LlamaForCausalLM, t.LlamaConfig(
            **wide, rope_parameters=LLAMA3_ROPE), "llama", q8, llama_gguf_metadata,
            {"rope_freqs.weight": llama3_factors(16, LLAMA3_ROPE)}),
        "mixtral_gguf": lambda n: make_gguf(n, t.MixtralForCausalLM, t.MixtralConfig(
            **{**wide, **dict(intermediate_size=32, num_hidden_layers=2)}, num_local_experts=4,
            num_experts_per_tok=2, sliding_window=None), "llama", q8, mixtral_gguf_metadata),
        "qwen2_gguf": lambda n: make_gguf(n, t.Qwen2ForCausalLM, t.Qwen2Config(
            **wide, rope_parameters=YARN_ROPE), "qwen2", q8, qwen2_gguf_metadata),
        "qwen3_moe_gguf": lambda n: make_gguf(n, t.Qwen3MoeForCausalLM, t.Qwen3MoeConfig(
            **{**wide, **dict(head_dim=16, num_experts=8, num_experts_per_tok=3,
                              moe_intermediate_size=32, num_hidden_layers=2)},
            norm_topk_prob=True, rope_theta=1e6), "qwen3moe", q8, qwen3_moe_gguf_metadata),
        "gemma2_gguf": lambda n: make_gguf(n, t.Gemma2ForCausalLM, t.Gemma2Config(
            **{**GEMMA2, **dict(query_pre_attn_scalar=16, hidden_size=32,
                                intermediate_size=64)}), "gemma2", f16, gemma2_gguf_metadata),
        "gemma3_gguf": lambda n: make_gguf(n, t.Gemma3ForCausalLM, t.Gemma3TextConfig(
            **{**GEMMA3, **dict(query_pre_attn_scalar=16, hidden_size=32, intermediate_size=64,
                                num_hidden_layers=7,
                                layer_types=["sliding_attention"] * 5 + ["full_attention"]
                                + ["sliding_attention"])}), "gemma3", bf16, gemma3_gguf_metadata),
    }


def main():
    chosen = sys.argv[1:] or list(recipes())
    torch.set_num_threads(1)
    for name in chosen:
        recipes()[name](name)


if __name__ == "__main__":
    main()
