"""A Llama with random weights and a character tokenizer: the smallest real model directory."""

from pathlib import Path

CHARACTERS = "0123456789+-*/=#?.,:;()[] \nabcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")


def write_tokenizer(directory: Path, *, eos: bool = True, bos_prefix: bool = False) -> None:
    """Write a character tokenizer; ``bos_prefix`` makes it start every text with BOS, as Llama's does."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {token: number for number, token in enumerate((*SPECIAL, *CHARACTERS))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = decoders.Fuse()
    if bos_prefix:
        tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    names = {"bos_token": "<s>", "pad_token": "<pad>", "unk_token": "<unk>"} | (
        {"eos_token": "</s>"} if eos else {}
    )
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(directory)


def write_model(
    directory: Path, *, seed: int = 0, tied: bool = True, shard_size: str = "1GB", hidden: int = 32
) -> None:
    """Write random weights and the configuration."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=len(SPECIAL) + len(CHARACTERS),
                hidden_size=hidden,
                intermediate_size=2 * hidden,
                num_hidden_layers=2,
                num_attention_heads=4,
                num_key_value_heads=4,
                max_position_embeddings=256,
                tie_word_embeddings=tied,
                pad_token_id=0,
                bos_token_id=1,
                eos_token_id=2,
            )
        )
    model.save_pretrained(directory, max_shard_size=shard_size)


def write_tiny_llama(directory: Path, *, seed: int = 0, tied: bool = True, hidden: int = 32) -> Path:
    """Write a complete model directory and return it."""
    write_model(directory, seed=seed, tied=tied, hidden=hidden)
    write_tokenizer(directory)
    return directory
