"""Compare the speed of generation with a plain ``model.generate`` that pads to a fixed length.

All contenders sample the same prompts with the same model, batch size and longest rationale, in turns. A token counts if
it belongs to a response: EOS counts, tokens that a batch computes after it do not. With ``--gsm8k FOLDER`` the prompts are
GSM8K's questions after eight worked examples, and the model has random weights and word pieces as tokens:

    OMP_NUM_THREADS=1 python bench/generation.py --json generation.json
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from random_llama import write_word_llama
from rich.console import Console
from rich.table import Table
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from adastar_core.config import GeneratorSettings
from adastar_core.generators import Decoding
from adastar_core.generators.precision import number_format
from adastar_core.generators.transformers import open_transformers
from adastar_core.machine.quiet import no_progress_bars
from adastar_core.models.source import resolve_model
from adastar_core.problems.arithmetic import Arithmetic, ArithmeticSettings
from adastar_core.problems.catalogue import open_problem
from adastar_core.problems.gsm8k import GSM8KSettings
from adastar_core.records import GenerationRequest, Split
from adastar_core.streams import rationale_key

PLAIN = "model.generate, fixed length"
Contender = Callable[[list[GenerationRequest]], int]


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


def main() -> None:
    """Measure, print a table, and write it as JSON where asked to."""
    options = _options()
    torch.set_num_threads(1)
    requests = _gsm8k(options) if options.gsm8k else _requests(options.requests)
    with no_progress_bars(), tempfile.TemporaryDirectory() as folder:
        if options.gsm8k:
            options.model = write_word_llama(Path(folder) / "model", [one.prompt for one in requests])
        contenders = _contenders(options)
    timings = _measure(contenders, requests, options.rounds)
    Console().print(_table(timings, options))
    if options.json:
        options.json.write_text(json.dumps([asdict(timing) for timing in timings], indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="tiny-adder", help="packaged name, directory or hub name")
    parser.add_argument("--gsm8k", type=Path, help="folder with GSM8K's files")
    parser.add_argument("--requests", type=int, default=1024, help="attempts of one round")
    parser.add_argument("--batch-size", type=int, default=256, help="attempts at once")
    parser.add_argument(
        "--padded-length", type=int, default=64, help="fixed prompt length of the plain contender"
    )
    parser.add_argument("--max-new-tokens", type=int, default=80, help="longest rationale")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each contender")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    return parser.parse_args()


def _requests(count: int) -> list[GenerationRequest]:
    problem = Arithmetic(ArithmeticSettings(train=count))
    return [
        GenerationRequest(place, 1, False, problem.prompt(row), rationale_key(0, 1, row.observation_id, 1))
        for place, row in enumerate(problem.load(Split.TRAIN))
    ]


def _gsm8k(options: argparse.Namespace) -> list[GenerationRequest]:
    problem = open_problem(GSM8KSettings(path=str(options.gsm8k)))
    rows = problem.load(Split.TRAIN)[: options.requests]
    requests = [
        GenerationRequest(place, 1, False, problem.prompt(row), rationale_key(0, 1, row.observation_id, 1))
        for place, row in enumerate(rows)
    ]
    return sorted(requests, key=lambda one: len(one.prompt))  # as the sampling stage does


def _batches(requests: list[GenerationRequest], size: int) -> list[list[GenerationRequest]]:
    return [requests[start : start + size] for start in range(0, len(requests), size)]


def _contenders(options: argparse.Namespace) -> dict[str, Contender]:
    return {
        PLAIN: plain_generate(options, {"padding": "max_length", "max_length": options.padded_length}),
        "model.generate, longest prompt": plain_generate(options, {"padding": "longest"}),
        "this project's": _ours(options, greedy=False),
        "this project's, greedy": _ours(options, greedy=True),
    }


def _ours(options: argparse.Namespace, *, greedy: bool) -> Contender:
    generator = open_transformers(resolve_model(str(options.model)), GeneratorSettings())
    decoding = Decoding(greedy, temperature=1.0, top_p=1.0, max_new_tokens=options.max_new_tokens)

    def run(requests: list[GenerationRequest]) -> int:
        batches = _batches(requests, options.batch_size)
        return sum(
            attempt.generated_tokens for batch in batches for attempt in generator.generate(batch, decoding)
        )

    return run


def plain_generate(options: argparse.Namespace, padding: dict[str, str | int]) -> Contender:
    """Return transformers' own ``generate``, one batch after the other.

    Args:
        options: ``model``, ``batch_size``, ``max_new_tokens`` and ``dtype``; without the last, the device decides.
        padding: How the tokenizer pads prompts.
    """
    directory = resolve_model(str(options.model))
    tokenizer = AutoTokenizer.from_pretrained(directory, padding_side="left")
    dtype = number_format(
        getattr(options, "dtype", "auto"), torch.device("cuda" if torch.cuda.is_available() else "cpu")
    )
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=dtype)
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    eos = tokenizer.eos_token_id
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    how = GenerationConfig(
        do_sample=True,
        temperature=1.0,
        top_p=1.0,
        top_k=0,
        max_new_tokens=options.max_new_tokens,
        eos_token_id=eos,
        pad_token_id=tokenizer.pad_token_id,
    )

    def run(requests: list[GenerationRequest]) -> int:
        tokens = 0
        for batch in _batches(requests, options.batch_size):
            prompts = tokenizer([request.prompt for request in batch], return_tensors="pt", **padding)
            prompts = prompts.to(model.device)
            texts = model.generate(**prompts, generation_config=how)
            ended = (texts[:, prompts["input_ids"].shape[1] :] == eos).cumsum(-1)
            tokens += int((ended == 0).sum() + ended.any(-1).sum())
        return tokens

    return run


def _measure(
    contenders: dict[str, Contender], requests: list[GenerationRequest], rounds: int
) -> list[Timing]:
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    tokens: dict[str, int] = {}
    for contender in contenders.values():
        contender(requests[:8])
    for _ in range(rounds):
        for name, contender in contenders.items():
            wall, processor = time.perf_counter(), time.process_time()
            tokens[name] = contender(requests)
            seconds[name].append((time.perf_counter() - wall, time.process_time() - processor))
    return _timings(tokens, seconds)


def _timings(tokens: dict[str, int], seconds: dict[str, list[tuple[float, float]]]) -> list[Timing]:
    medians = {
        name: (statistics.median(wall for wall, _ in each), statistics.median(used for _, used in each))
        for name, each in seconds.items()
    }
    plain = tokens[PLAIN] / medians[PLAIN][1]
    return [
        Timing(
            generator=name,
            tokens=tokens[name],
            wall_seconds=wall,
            processor_seconds=processor,
            tokens_per_second=tokens[name] / wall,
            tokens_per_processor_second=tokens[name] / processor,
            ratio_to_plain=tokens[name] / processor / plain,
        )
        for name, (wall, processor) in medians.items()
    ]


def _table(timings: list[Timing], options: argparse.Namespace) -> Table:
    title = f"{options.model}: {options.requests} attempts, {options.batch_size} at once"
    table = Table("generator", "tokens", "seconds", "tokens/s", "tokens/processor s", "x plain", title=title)
    for one in timings:
        table.add_row(
            one.generator,
            f"{one.tokens:,}",
            f"{one.wall_seconds:.2f}",
            f"{one.tokens_per_second:,.0f}",
            f"{one.tokens_per_processor_second:,.0f}",
            f"{one.ratio_to_plain:.2f}",
        )
    return table


if __name__ == "__main__":
    main()
