"""Llamas of any size with random weights, to measure engines with."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from adastar_core.models import canary
from adastar_core.models.source import resolve_model

SHAPES = {
    "3b": (3072, 28, 8192),
    "1b": (2048, 16, 8192),
    "92m": (768, 12, 2304),
    "3m": (256, 4, 640),
    "word": (256, 4, 768),
}
"""Width, layers and width of the feed-forward part of a Llama with about as many parameters."""


def random_llama(shape: str, vocabulary: int, *, seed: int = 0, **changes: object) -> LlamaForCausalLM:
    """Return a Llama of one of the ``SHAPES``; ``changes`` are further values of its configuration."""
    hidden, layers, intermediate = SHAPES[shape]
    values = {
        "num_attention_heads": hidden // 64,
        "max_position_embeddings": 2048,
        "tie_word_embeddings": True,
    }
    torch.manual_seed(seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=hidden,
            num_hidden_layers=layers,
            intermediate_size=intermediate,
            **values | changes,
        )
    )


def write_random_llama(
    directory: Path,
    shape: str = "92m",
    *,
    seed: int = 0,
    vocabulary: int | None = None,
    device: str = "cpu",
    dtype: str = "float32",
    **changes: object,
) -> Path:
    """Write a model directory with the tiny model's tokenizer; ``vocabulary`` may exceed the tokenizer's.

    On a GPU as the ``device`` billions of weights are drawn in seconds.
    """
    tokenizer_dir = resolve_model("tiny-adder")
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_dir)
    special = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    with torch.device(device):
        model = random_llama(shape, vocabulary or len(tokenizer), seed=seed, **special, **changes)
    model.to(getattr(torch, dtype)).save_pretrained(directory)
    for path in tokenizer_dir.glob("token*"):
        shutil.copy(path, directory)
    canary.record(canary.canary_of(model), directory)
    return directory


def write_word_llama(
    directory: Path, texts: Sequence[str], *, ending: float = 6.0, vocabulary: int = 4096
) -> Path:
    """Write a small model whose tokens are pieces of words, learnt from ``texts``; return its directory.

    EOS has output weights ``ending`` times as large, so that responses end here and there.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<pad>", "<s>", "</s>"]
    tokenizer.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=special, show_progress=False)
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>"
    )
    special_ids = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    model = random_llama("word", len(fast), tie_word_embeddings=False, **special_ids)
    with torch.no_grad():
        model.lm_head.weight[2] *= ending
    model.save_pretrained(directory)
    fast.save_pretrained(directory)
    return directory
