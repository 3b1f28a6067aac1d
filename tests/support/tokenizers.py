"""One small tokenizer of every kind that models come with, each with a tiny Llama with random weights."""

import json
from collections.abc import Callable
from pathlib import Path

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

SPECIAL = ("<pad>", "<s>", "</s>", "<unk>", "<|turn|>", "<|end|>", "<|stray|>")
TEXTS = [
    "Q: How many apples are 12 + 30?\nA: There are 42 apples.\n\nThe answer is 42.\n\nQ: And 7 + 8?\nA: 7 + 8 = 15",
    "so\n#### 42\nthen  two spaces, déjà vu, 日本 and \ttabs; 1000 - 7 = 993; 56.",
] * 3
LETTERS = sorted({letter for text in TEXTS for letter in text})
UNKNOWN_IDS = 5
"""Ids that the model has and the tokenizer does not, as where a vocabulary was rounded up."""
CHAT = (
    "{% for m in messages %}<|turn|>{{ m['role'] }}\n{{ m['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|turn|>assistant\n{% endif %}"
)


def _byte_level() -> Tokenizer:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    return _trained(
        made, trainers.BpeTrainer(vocab_size=400, special_tokens=list(SPECIAL), initial_alphabet=alphabet)
    )


def _sentence_piece(scheme: str | None) -> Tokenizer:
    """Llama 2's kind; ``None`` is its older form, a normalizer in place of the pre-tokenizer."""
    pieces = [f"<0x{byte:02X}>" for byte in range(256)]
    made = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    if scheme is not None:
        made.normalizer = None
        made.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme=scheme, split=False)
    made = _trained(made, trainers.BpeTrainer(vocab_size=380, special_tokens=[*SPECIAL, *pieces]))
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    made.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return made


def _word_piece() -> Tokenizer:
    made = Tokenizer(models.WordPiece(unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece(cleanup=False)
    # The trainer would number the pieces inside words in a hash map's order, another one each time.
    pieces = [f"##{letter}" for letter in LETTERS if not letter.isspace()]
    made = _trained(made, trainers.WordPieceTrainer(vocab_size=200, special_tokens=[*SPECIAL, *pieces]))
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    return made


def _characters() -> Tokenizer:
    made = Tokenizer(
        models.WordLevel({token: n for n, token in enumerate((*SPECIAL, *LETTERS))}, unk_token="<unk>")
    )
    made.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    made.decoder = decoders.Fuse()
    return made


def _trained(made: Tokenizer, trainer: trainers.Trainer) -> Tokenizer:
    """Return the trained tokenizer; the trainer's other "special" tokens are pieces like any other."""
    made.train_from_iterator(TEXTS, trainer)
    values = json.loads(made.to_str())
    values["added_tokens"] = values["added_tokens"][: len(SPECIAL)]
    return Tokenizer.from_str(json.dumps(values))


KINDS: dict[str, Callable[[], Tokenizer]] = {
    "byte-level BPE": _byte_level,
    "SentencePiece, first": lambda: _sentence_piece("first"),
    "SentencePiece, always": lambda: _sentence_piece("always"),
    "SentencePiece, legacy": lambda: _sentence_piece(None),
    "WordPiece": _word_piece,
    "characters": _characters,
}


def write_kind(directory: Path, kind: str, **config: object) -> Path:
    """Write a tokenizer of this kind and a random model; ``config`` are further values of ``tokenizer_config.json``."""
    import torch

    made = KINDS[kind]()
    made.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    names = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    PreTrainedTokenizerFast(tokenizer_object=made, **names).save_pretrained(directory)
    path = directory / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"chat_template": CHAT} | config))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        shape = LlamaConfig(
            vocab_size=made.get_vocab_size() + UNKNOWN_IDS,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=512,
            initializer_range=0.3,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
        )
        LlamaForCausalLM(shape).save_pretrained(directory)
    return directory
