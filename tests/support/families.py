"""Tiny random models of many families, built from their configurations, whose scores really depend on the text."""

from pathlib import Path

import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM, PreTrainedModel

from tests.support.tiny_llama import CHARACTERS, SPECIAL, write_tokenizer

WINDOW = 6
"""Tokens that a layer with a sliding window sees."""
_COMMON: dict[str, object] = {
    "vocab_size": len(SPECIAL) + len(CHARACTERS),
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "tie_word_embeddings": False,
}
_GPT = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128, "n_inner": 48, "rotary_dim": 4}
_MOE = {"num_local_experts": 4, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
_LATENT = {"q_lora_rank": 8, "kv_lora_rank": 8, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 8}
_SSM = {"mamba_d_state": 8, "mamba_n_heads": 8, "mamba_d_head": 8, "mamba_n_groups": 1, "mamba_chunk_size": 8}
_DELTA = {
    "layer_types": ["linear_attention", "full_attention"],
    "linear_num_value_heads": 4,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "head_dim": 16,
}
_LOCAL = {"sliding_window": WINDOW, "layer_types": ["sliding_attention", "full_attention"]}

SHARED_CACHE: dict[str, dict[str, object]] = {
    "llama": {},
    "mistral": {"sliding_window": WINDOW},
    "mixtral": {"sliding_window": None, **_MOE},
    "qwen2": {},
    "qwen3": {},
    "qwen2_moe": {"shared_expert_intermediate_size": 16, **_MOE},
    "qwen3_moe": _MOE,
    "gemma": {},
    "gemma2": {"query_pre_attn_scalar": 8, **_LOCAL},
    "gemma3_text": {"query_pre_attn_scalar": 8, **_LOCAL},
    "gemma3": {
        "text_config": {**_COMMON, **_LOCAL, "query_pre_attn_scalar": 8},
        "vision_config": {
            "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
            "image_size": 28, "patch_size": 14,
        },
        "mm_tokens_per_image": 4, "image_token_index": 80, "boi_token_index": 78, "eoi_token_index": 79,
    },
    "qwen3_5": {"text_config": {**_COMMON, **_DELTA}},
    "gpt2": _GPT,
    "gpt_neo": {"num_layers": 2, "num_heads": 4, "attention_types": [[["global", "local"], 1]], "window_size": WINDOW},
    "gptj": _GPT,
    "gpt_neox": {},
    "gpt_oss": {**_MOE, **_LOCAL},
    "bloom": {"n_layer": 2, "n_head": 4},
    "opt": {"ffn_dim": 48, "word_embed_proj_dim": 32},
    "mpt": {"d_model": 32, "n_heads": 4, "n_layers": 2, "max_seq_len": 128},
    "falcon": {"alibi": True, "multi_query": False, "parallel_attn": False},
    "phi": {},
    "phi3": {"sliding_window": WINDOW, "original_max_position_embeddings": 128},
    "stablelm": {},
    "starcoder2": {"sliding_window": WINDOW},
    "olmo2": {},
    "cohere2": _LOCAL,
    "granite": {},
    "deepseek_v3": {
        **_LATENT, **_MOE, "num_key_value_heads": 4, "n_routed_experts": 4, "n_group": 1, "topk_group": 1,
        "first_k_dense_replace": 1,
    },
    "smollm3": {},
    "exaone4": _LOCAL,
    "modernbert-decoder": {"local_attention": WINDOW, "global_attn_every_n_layers": 2},
    "llama4_text": {},
    "jamba": {
        **_MOE, "num_hidden_layers": 4, "attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 2,
        "mamba_d_state": 4, "mamba_dt_rank": 4, "use_mamba_kernels": False,
    },
    "falcon_h1": {**_SSM, "mamba_n_heads": 4, "mamba_d_ssm": 32},
    "lfm2": {"layer_types": ["conv", "full_attention"], "conv_L_cache": 3, "block_multiple_of": 8},
    "bamba": {**_SSM, "attn_layer_indices": [1]},
    "granitemoehybrid": {**_SSM, **_MOE, "layer_types": ["mamba", "attention"], "shared_intermediate_size": 16},
    "qwen3_next": {**_DELTA, **_MOE, "shared_expert_intermediate_size": 16},
    "olmo_hybrid": _DELTA,
}  # fmt: skip
"""Families that our loop serves, with what differs from ``_COMMON``."""

SHARED_PREFIX = {
    "llama", "mixtral", "qwen2", "qwen3", "qwen2_moe", "qwen3_moe", "gemma", "gpt2", "gpt_neox", "opt", "phi", "olmo2",
    "granite", "smollm3",
}  # fmt: skip
"""Those that attend to what prompts share for all rows at once, on a CPU."""

READ_AGAIN: dict[str, dict[str, object]] = {
    "mamba": {"state_size": 4, "time_step_rank": 4},
    "mamba2": {"state_size": 8, "num_heads": 8, "n_groups": 1, "chunk_size": 8},
    "falcon_mamba": {"state_size": 4, "time_step_rank": 4},
    "recurrent_gemma": {
        "lru_width": 32, "attention_window_size": WINDOW, "num_hidden_layers": 3,
        "block_types": ["recurrent", "recurrent", "attention"],
    },
    "rwkv": {"attention_hidden_size": 32, "context_length": 128},
    "zamba2": {
        "num_hidden_layers": 4, "layers_block_type": ["mamba", "hybrid", "mamba", "hybrid"], "mamba_d_state": 8,
        "mamba_ngroups": 1, "n_mamba_heads": 8, "mamba_headdim": 8, "chunk_size": 8, "num_mem_blocks": 1,
        "attention_head_dim": 16, "use_mamba_kernels": False,
    },
    "minimax": {**_MOE, "layer_types": ["linear_attention", "full_attention"], "block_size": 8},
    "openai-gpt": _GPT,
}  # fmt: skip
"""Families whose state our loop's cache does not hold, or holds only roughly."""


def build(family: str, seed: int = 0) -> PreTrainedModel:
    """Return a model with its family's own first weights, in which a text changes the scores little."""
    own = SHARED_CACHE.get(family) or READ_AGAIN.get(family) or {}
    values = own if "text_config" in own else _COMMON | own
    if family == "falcon":  # its width is a property
        del values["head_dim"]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(CONFIG_MAPPING[family](**values))
    assert isinstance(model, PreTrainedModel)
    return model.eval()


def sharpened(model: PreTrainedModel, seed: int = 1) -> PreTrainedModel:
    """Return the model with weights so large that scores depend on the text as a trained model's do."""
    chance = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim > 1 and "norm" not in name and "A_log" not in name:
                weight.copy_(torch.randn(weight.shape, generator=chance) * 1.5 * weight[0].numel() ** -0.5)
    return model


def write_family(family: str, directory: Path) -> Path:
    """Write a complete model directory of a family with sharp weights and a character tokenizer; return it."""
    sharpened(build(family)).save_pretrained(directory)
    write_tokenizer(directory)
    return directory
