"""Build the base model that ships with the package: a tiny Llama that adds short numbers well and long ones badly.

It is pre-trained on true scratchpads of random additions from the training split, and stopped early on purpose, so that
self-improvement has room. A tenth of the texts show the sum in the prompt, so that the model can use hints.

    python scripts/build_tiny_adder.py            # rebuild adastar_core/models/tiny-adder
    python scripts/build_tiny_adder.py --check    # rebuild elsewhere and compare byte for byte

The same machine and library versions give the same bytes: one thread, one seed, no dropout.
"""

import argparse
import hashlib
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from adastar_core.machine.quiet import no_progress_bars
from adastar_core.problems.arithmetic import Addition
from adastar_core.records import Split
from adastar_core.streams import rng

TARGET = Path(__file__).parents[1] / "adastar_core" / "models" / "tiny-adder"
SEED = 0
MAX_DIGITS = 6
STEPS = 240
BATCH = 64
PEAK_RATE = 3e-3
WARMUP_STEPS = 50
DECAY_SHARE = 0.4
LAST_RATE_SHARE = 0.02
HINTED_SHARE = 0.1
PAD, EOS, BOS, UNKNOWN = "<pad>", "</s>", "<s>", "<unk>"
IGNORED_LABEL = -100


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer with one token per character: printable ASCII and newline."""
    characters = ["\n", *(chr(code) for code in range(32, 127))]
    vocabulary = {token: place for place, token in enumerate([PAD, EOS, BOS, UNKNOWN, *characters])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=EOS,
        bos_token=BOS,
        unk_token=UNKNOWN,
        model_max_length=2048,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def build_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    torch.manual_seed(SEED)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=1,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        attention_dropout=0.0,
        **special_ids(tokenizer),
    )
    return LlamaForCausalLM(config)


def special_ids(tokenizer: PreTrainedTokenizerFast) -> dict[str, int]:
    return {name: getattr(tokenizer, name) for name in ("pad_token_id", "eos_token_id", "bos_token_id")}


def texts() -> Iterator[tuple[str, str]]:
    """Yield endless prompts and scratchpads of the training split, with 1 to MAX_DIGITS digits equally often."""
    random = rng(SEED, "tiny-adder texts")
    while True:
        digits = int(random.integers(1, MAX_DIGITS + 1))
        low = 0 if digits == 1 else 10 ** (digits - 1)
        a, b = (int(number) for number in random.integers(low, 10**digits, size=2))
        addition = Addition(a, b)
        if addition.split is Split.TRAIN:
            hint = f"={a + b}" if random.random() < HINTED_SHARE else ""
            yield f"{addition.question}{hint}\n", addition.rationale


def learning_rate(step: int, steps: int) -> float:
    """Return the rate of step ``step`` (from 0) of ``steps``: linear warm-up, plateau, linear decay."""
    left = (steps - step) / (DECAY_SHARE * steps)
    return PEAK_RATE * min((step + 1) / WARMUP_STEPS, 1) * max(LAST_RATE_SHARE, min(left, 1))


def pretrain(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, source: Iterator[tuple[str, str]], steps: int
) -> None:
    """Train on new texts in each step; only scratchpad and EOS count in the loss."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_RATE, betas=(0.9, 0.98), weight_decay=0.01)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = learning_rate(step, steps)
        tokens, labels = tensors(list(islice(source, BATCH)), tokenizer)
        loss = model(input_ids=tokens, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if (step + 1) % 40 == 0:
            print(f"step {step + 1} of {steps}: loss {loss.item():.3f}", flush=True)


def tensors(
    rows: list[tuple[str, str]], tokenizer: PreTrainedTokenizerFast
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return right-padded tokens and labels, [rows, width]; prompts and padding are masked in the labels."""
    prompts = [tokenizer(prompt).input_ids for prompt, _ in rows]
    scratchpads = [[*tokenizer(scratchpad).input_ids, tokenizer.eos_token_id] for _, scratchpad in rows]
    width = max(len(prompt) + len(rest) for prompt, rest in zip(prompts, scratchpads, strict=True))
    tokens = torch.full((len(rows), width), tokenizer.pad_token_id)
    labels = torch.full((len(rows), width), IGNORED_LABEL)
    for place, (prompt, rest) in enumerate(zip(prompts, scratchpads, strict=True)):
        end = len(prompt) + len(rest)
        tokens[place, :end] = torch.tensor(prompt + rest)
        labels[place, len(prompt) : end] = torch.tensor(rest)
    return tokens, labels


def build(directory: Path, source: Iterator[tuple[str, str]], steps: int) -> None:
    tokenizer = build_tokenizer()
    model = build_model(tokenizer)
    pretrain(model, tokenizer, source, steps)
    model.generation_config = GenerationConfig.from_dict(special_ids(tokenizer))
    with no_progress_bars():
        model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    for path in directory.iterdir():
        path.chmod(0o644)


def digests(directory: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(directory.iterdir())}


def check(target: Path, source: Iterator[tuple[str, str]], steps: int) -> int:
    """Rebuild into a temporary directory; return 0 if every file equals the shipped one, else 1."""
    with tempfile.TemporaryDirectory() as temporary:
        build(Path(temporary), source, steps)
        rebuilt, shipped = digests(Path(temporary)), digests(target)
    different = sorted(name for name in rebuilt | shipped if rebuilt.get(name) != shipped.get(name))
    print(f"different from {target}: {', '.join(different)}" if different else "the same bytes")
    return int(bool(different))


def main(description: str | None, target: Path, source: Iterator[tuple[str, str]], steps: int) -> int:
    """Build or check the model of this folder, pre-trained on prompts and rationales for so many steps."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="compare a fresh build with the shipped files")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    if arguments.check:
        return check(target, source, steps)
    build(target, source, steps)
    return 0


if __name__ == "__main__":
    sys.exit(main(__doc__, TARGET, texts(), STEPS))
