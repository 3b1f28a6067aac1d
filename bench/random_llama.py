"""Llamas of any size with random weights, to measure engines with."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from adastar_core.models import canary
from adastar_core.models.source import resolve_model


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


def write_word_llama(
    directory: Path, texts: Sequence[str], *, ending: float = 6.0, vocabulary: int = 4096
) -> Path:
    """Write a model of 4 layers of width 256 whose tokens are pieces of words, learnt from ``texts``; return its directory.

    Args:
        directory: Where to; it must not exist.
        texts: What the tokenizer learns from.
        ending: How much larger the output weights of EOS are than those of other tokens: responses end here and there.
        vocabulary: Tokens.
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
    config = LlamaConfig(
        vocab_size=len(fast),
        hidden_size=256,
        intermediate_size=768,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=2048,
        tie_word_embeddings=False,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    torch.manual_seed(0)
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        model.lm_head.weight[2] *= ending
    model.save_pretrained(directory)
    fast.save_pretrained(directory)
    return directory
