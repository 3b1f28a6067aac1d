"""Compare the speed of generation with a plain ``model.generate`` that pads to a fixed length.

All contenders sample the same prompts with the same model, batch size and longest rationale, in turns. A token counts if
it belongs to a response: EOS counts, tokens that a batch computes after it do not. With ``--gsm8k FOLDER`` the prompts are
GSM8K's questions after eight worked examples, and the model has random weights and word pieces as tokens:

    OMP_NUM_THREADS=1 python bench/generation.py --json generation.json
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from common import arithmetic, in_turns, run, save, show
from common import gsm8k as gsm8k_requests
from random_llama import write_word_llama
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from adastar_core.config import GeneratorSettings
from adastar_core.generators import Decoding, Generator
from adastar_core.generators.precision import number_format
from adastar_core.generators.transformers import open_transformers
from adastar_core.machine.quiet import no_progress_bars
from adastar_core.models.source import resolve_model
from adastar_core.records import GenerationRequest

PLAIN = "model.generate, fixed length"
Contender = Callable[[], int]
"""Generates for all requests and returns how many tokens belong to responses."""


@dataclass(frozen=True)
class Timing:
    """Medians of all rounds. The ratio compares processor time, which other work on the machine disturbs less."""

    generator: str
    tokens: int
    wall_seconds: float
    processor_seconds: float
    tokens_per_second: float
    tokens_per_processor_second: float
    ratio_to_plain: float


@dataclass(frozen=True)
class Sampling:
    """How all contenders sample; ``dtype`` ``auto`` leaves the number format to the device."""

    batch_size: int
    max_new_tokens: int
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    temperature: float = 1.0
    top_p: float = 1.0

    def batches(self, requests: list[GenerationRequest]) -> Iterator[list[GenerationRequest]]:
        for start in range(0, len(requests), self.batch_size):
            yield requests[start : start + self.batch_size]


def main(
    *,
    model: str = "tiny-adder",
    gsm8k: Path | None = None,
    requests: int = 1024,
    batch_size: int = 256,
    padded_length: int = 64,
    max_new_tokens: int = 80,
    rounds: int = 3,
    json: Path | None = None,
) -> None:
    """Measure, print a table, and write it as JSON where asked to.

    Args:
        model: Packaged name, directory or hub name.
        gsm8k: Folder with GSM8K's files.
        requests: Attempts of one round.
        batch_size: Attempts at once.
        padded_length: Fixed prompt length of the plain contender.
        max_new_tokens: Longest rationale.
        rounds: Rounds of each contender.
        json: Where to write the figures.
    """
    torch.set_num_threads(1)
    wanted = gsm8k_requests(gsm8k, requests, exemplars=True) if gsm8k else arithmetic(requests)
    if gsm8k:
        wanted.sort(key=lambda request: len(request.prompt))  # as the sampling stage does
    how = Sampling(batch_size, max_new_tokens)
    with no_progress_bars(), tempfile.TemporaryDirectory() as folder:
        words = [request.prompt for request in wanted]
        directory = write_word_llama(Path(folder) / "model", words) if gsm8k else resolve_model(model)
        generator = open_transformers(directory, GeneratorSettings())

        def contenders(some: list[GenerationRequest]) -> dict[str, Contender]:
            return {
                PLAIN: plain_generate(directory, some, how, padding="max_length", max_length=padded_length),
                "model.generate, longest prompt": plain_generate(directory, some, how, padding="longest"),
                "this project's": project_generate(generator, some, how),
                "this project's, greedy": project_generate(generator, some, how, greedy=True),
            }

        in_turns(contenders(wanted[:8]), 1)  # warm up
        found = in_turns(contenders(wanted), rounds)
    plain = found[PLAIN].result / found[PLAIN].processor
    timings = []
    for name, turns in found.items():
        speed, speed_of_processor = turns.result / turns.wall, turns.result / turns.processor
        seconds = turns.wall, turns.processor
        timings.append(
            Timing(name, turns.result, *seconds, speed, speed_of_processor, speed_of_processor / plain)
        )
    show(f"{directory.name}: {requests} attempts, {batch_size} at once", timings)
    save(json, timings)


def project_generate(
    generator: Generator, requests: list[GenerationRequest], how: Sampling, *, greedy: bool = False
) -> Contender:
    decoding = Decoding(greedy, how.temperature, how.top_p, max_new_tokens=how.max_new_tokens)

    def generate() -> int:
        attempts = (
            attempt for batch in how.batches(requests) for attempt in generator.generate(batch, decoding)
        )
        return sum(attempt.generated_tokens for attempt in attempts)

    return generate


def plain_generate(
    directory: Path, requests: list[GenerationRequest], how: Sampling, **padding: str | int
) -> Contender:
    """Return transformers' own ``generate``, one batch after the other; ``padding`` is how the tokenizer pads prompts."""
    tokenizer = AutoTokenizer.from_pretrained(directory, padding_side="left")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = AutoModelForCausalLM.from_pretrained(
        directory, dtype=number_format(how.dtype, directory, device)
    ).to(device)
    eos = tokenizer.eos_token_id
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    config = GenerationConfig(
        do_sample=True,
        temperature=how.temperature,
        top_p=how.top_p,
        top_k=0,
        max_new_tokens=how.max_new_tokens,
        eos_token_id=eos,
        pad_token_id=tokenizer.pad_token_id,
    )

    def generate() -> int:
        tokens = 0
        for batch in how.batches(requests):
            prompts = tokenizer([request.prompt for request in batch], return_tensors="pt", **padding)
            prompts = prompts.to(model.device)
            texts = model.generate(**prompts, generation_config=config)
            ended = (texts[:, prompts["input_ids"].shape[1] :] == eos).cumsum(-1)
            tokens += int((ended == 0).sum() + ended.any(-1).sum())
        return tokens

    return generate


if __name__ == "__main__":
    run(main, __doc__)
