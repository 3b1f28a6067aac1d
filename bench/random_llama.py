"""A Llama with random weights of any size, with the packaged model's tokenizer: something to measure engines with."""

import shutil
from pathlib import Path

import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from adastar_core.generators import canary
from adastar_core.model_source import resolve_model


def write_random_llama(
    directory: Path, *, hidden: int = 768, layers: int = 12, intermediate: int = 2304, seed: int = 0
) -> Path:
    """Write a complete model directory and return it; the default has 92 million parameters."""
    tokenizer_dir = resolve_model("tiny-adder")
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_dir)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=intermediate,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 64,
        num_key_value_heads=hidden // 64,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(seed)
    model = LlamaForCausalLM(config)
    model.save_pretrained(directory)
    for path in tokenizer_dir.glob("token*"):
        shutil.copy(path, directory)
    canary.record(canary.canary_of(model), directory)
    return directory
