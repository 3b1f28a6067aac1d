"""A plan as text: a table, its assumptions, its memory and its time."""

from rich.box import SIMPLE_HEAD
from rich.table import Table

from adastar_core import compute
from adastar_core.config import RunConfig
from adastar_core.machine.units import duration, flops, flops_unit, number, size
from adastar_core.planning.cards import CARDS, Load, decoding_load
from adastar_core.planning.forecast import Assumptions
from adastar_core.planning.needs import memory_warnings
from adastar_core.planning.plan import Plan
from adastar_core.planning.texts import LOOKED_AT

_GIB = 2**30
_TOO_LARGE = (
    "raise trainer.processes, lower trainer.micro_batch_size, or set gradient_checkpointing or lora.rank"
)


def plan_table(plan: Plan) -> Table:
    """Return a row per iteration: what it wants, expects and takes at most. FLOPs are those of generation and training."""
    factor, unit = flops_unit(max(planned.flops for planned in plan.iterations) / 1e15)
    title = f"{plan.observations:,} training observations, {plan.parameters:,} parameters"
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    counted = ("t", "beta", "visits", "attempts", "at most", "tokens made", "tokens trained")
    for heading in (*counted, unit, "at most"):
        table.add_column(heading, justify="right", overflow="fold")
    for planned in plan.iterations:
        expected = planned.expected
        counts = (planned.beta, expected.observations, expected.attempts, planned.attempts)
        tokens = (expected.tokens.generated_tokens, expected.tokens.train_tokens)
        costs = (planned.expected_flops, planned.flops)
        table.add_row(
            str(planned.iteration),
            *(f"{count:,}" for count in (*counts, *tokens)),
            *(number(cost / 1e15 * factor) for cost in costs),
        )
    return table


def warning_lines(plan: Plan, card: str | None, runs: int = 1) -> list[str]:
    """Return what will not go as configured, a paragraph each: data, and this machine's memory unless a card is named.

    ``runs`` share the memory.
    """
    here = () if plan.needs is None or card else memory_warnings(plan.needs, runs)
    return [*plan.warnings, *here]


def plan_lines(plan: Plan, config: RunConfig, assumptions: Assumptions, card: str | None) -> list[str]:
    """Return the lines under the table: assumptions, lengths, memory, and time if a card is named."""
    positions = "no limit" if plan.positions is None else f"the model's {plan.positions:,} positions"
    lines = [
        *plan.data_notes,
        f"Expected, if {assumptions.acceptance:.3g} of the visited observations give an accepted rationale and rationales have "
        f"{plan.rationale_tokens:,.0f} tokens: {flops(plan.expected_pflops)}; at most {flops(plan.pflops)}. Evaluation is "
        "not counted.",
        f"The longest prompt has {plan.texts.longest_prompt:,} tokens; with generator.max_new_tokens "
        f"({config.generator.max_new_tokens:,}) that is {plan.longest_text:,} of {positions}.",
        *_sampled(plan),
        plan.formats,
        *_memory_lines(plan, config),
    ]
    return lines if card is None else [*lines, *_card_lines(plan, config, card)]


def _sampled(plan: Plan) -> list[str]:
    """Return which texts were measured, where not all were."""
    if plan.texts.sampled == plan.observations:
        return []
    found = (
        f"; the longest prompt is that of the {LOOKED_AT:,} with most bytes"
        if plan.observations > LOOKED_AT
        else ""
    )
    return [
        f"Mean lengths of prompts are those of {plan.texts.sampled:,} of the {plan.observations:,} questions, drawn by the seed{found}."
    ]


def _memory_lines(plan: Plan, config: RunConfig) -> list[str]:
    training, generation, processes = plan.training, plan.generation, config.trainer.processes
    who = "Training" if processes == 1 else f"Each of {processes} training processes"
    return [
        f"{who} needs at most {size(training.total)}: weights {size(training.weights)}, AdamW's moments "
        f"{size(training.moments)}, gradients and activations {size(training.passing)}.",
        f"Generation with transformers needs at most {size(generation.total)} for {config.generator.batch_size} attempts at once: "
        f"weights {size(generation.weights)}, keys and values {size(generation.cache)}, work {size(generation.working)}. vLLM "
        f"holds the weights and {size(plan.cache_bytes_per_token)} for each token that its cache has room for.",
    ]


def _card_lines(plan: Plan, config: RunConfig, name: str) -> list[str]:
    """Return whether the run fits on such cards, and its time at their peak."""
    card, parallel, processes = CARDS[name], config.generator.vllm, config.trainer.processes
    engines = parallel.data_parallel * parallel.tensor_parallel
    generation, training = _loads(plan, config)
    times = generation.seconds(card, engines), training.seconds(card, processes)
    room = card.memory_gib * _GIB * parallel.utilization * parallel.tensor_parallel - plan.generation.weights
    texts = max(room, 0) / plan.cache_bytes_per_token / plan.longest_text
    verdict = "fits" if plan.training.total <= card.memory_gib * _GIB else f"does not fit ({_TOO_LARGE})"
    return [
        f"On {name} ({card.memory_gib:g} GiB, {card.tflops:g} TFLOP/s, {card.gigabytes_per_second:,g} GB/s, by its maker's "
        f"figures) training {verdict}, and a vLLM engine has room for {texts:,.0f} of the longest texts.",
        f"At least {duration(sum(times))}: generation {duration(times[0])} on {engines}, bound by {generation.bound_by(card)}; "
        f"training {duration(times[1])} on {processes}.",
    ]


def _loads(plan: Plan, config: RunConfig) -> tuple[Load, Load]:
    """Return the work of generation and of training in the whole run, as expected."""
    every = [planned.expected.tokens for planned in plan.iterations]
    generated = sum(tokens.generated_tokens for tokens in every)
    read = sum(tokens.prompt_tokens for tokens in every)
    generation_flops = compute.generation_flops(plan.parameters, read, generated)
    generation = decoding_load(
        generation_flops,
        generated,
        config.generator.batch_size,
        plan.generation.weights,
        plan.texts.prompt + plan.rationale_tokens / 2,
        plan.cache_bytes_per_token,
    )
    return generation, Load(sum(planned.expected_flops for planned in plan.iterations) - generation_flops, 0)
