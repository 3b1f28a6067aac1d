"""What a configuration would do: beta_t per iteration, and its expected and largest cost."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from adastar_core import compute
from adastar_core.config import RunConfig
from adastar_core.generators.catalogue import check_engine
from adastar_core.models.formats import in_format
from adastar_core.models.source import parameter_count, positions_of
from adastar_core.models.vocabulary import Vocabulary
from adastar_core.planning.forecast import Assumptions, Forecast, forecast
from adastar_core.planning.texts import Texts, longest_text, measure_texts
from adastar_core.problems.catalogue import open_problem
from adastar_core.problems.chat import prompted
from adastar_core.records import Split
from adastar_core.runs.answers import answer_kind
from adastar_core.runs.asking import LONGEST_ANSWER, check_asking
from adastar_core.runs.guessing import check_guessing, options_of
from adastar_core.runs.lengths import check_room
from adastar_core.runs.numerics import formats_line
from adastar_core.runs.preview import Preview, preview
from adastar_core.runs.stored import root_of, start_of
from adastar_core.runs.warnings import data_warnings
from adastar_core.verifiers.batch import close_verifier

if TYPE_CHECKING:
    from adastar_core.planning.footprint import GenerationMemory, TrainingMemory
    from adastar_core.planning.needs import Needs


@dataclass(frozen=True, slots=True)
class PlannedIteration:
    """One iteration as planned: ``attempts`` and ``flops`` are upper bounds, ``expected`` rests on assumptions."""

    iteration: int
    beta: int
    attempts: int
    flops: int
    expected: Forecast
    expected_flops: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A run as planned, for N training observations and P parameters.

    ``options`` are among how many answers a guess is, 0 where they are open. ``longest_text`` are tokens of prompt and rationale together, of which the model has ``positions`` (``None``: no limit);
    ``rationale_tokens`` is the assumed mean. ``formats`` says in which number formats it computes. ``training`` is the memory of each training process, ``generation`` that of the generator on transformers;
    ``needs`` compares them with this machine's, where it computes.
    """

    sizes: Mapping[Split, int]
    parameters: int
    texts: Texts
    options: int
    longest_text: int
    positions: int | None
    rationale_tokens: float
    iterations: tuple[PlannedIteration, ...]
    training: "TrainingMemory"
    generation: "GenerationMemory"
    needs: "Needs | None"
    cache_bytes_per_token: int
    formats: str
    preview: Preview
    data_notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def observations(self) -> int:
        return self.sizes[Split.TRAIN]

    @property
    def pflops(self) -> float:
        """Return the upper bound of the whole run's compute in 10^15 operations."""
        return float(Fraction(sum(planned.flops for planned in self.iterations), 10**15))

    @property
    def expected_pflops(self) -> float:
        return float(Fraction(sum(planned.expected_flops for planned in self.iterations), 10**15))


def plan_of(config: RunConfig, assumptions: Assumptions | None = None, *, on_gpu: bool = False) -> Plan:
    """Return the plan of ``config``. Reads the data and the tokenizer; writes nothing and loads no weights.

    The bound takes every observation of the pool with all K attempts at the longest prompt and the longest
    rationale allowed, and training on as many such texts as the iteration may accept. With ``on_gpu``,
    ``dtype: auto`` means what it does on a GPU.
    """
    from adastar_core.planning import footprint
    from adastar_core.planning.needs import Needs

    check_engine(config.generator)
    model = start_of(config)
    problem = prompted(open_problem(config.problem), config.prompt, model, date.today())
    answer_kind(config, problem)
    splits = {split: problem.load(split) for split in Split}
    observations, vocabulary = splits[Split.TRAIN], Vocabulary.of(model)
    check_guessing(config, observations)
    check_asking(config, problem, observations)
    config.sampler.check(config.seed, observations)
    notes = (*problem.notes, *check_room(config, problem, splits, model))
    texts = measure_texts(problem, observations, vocabulary, seed=config.seed, hints=config.rationalize)
    assumed = assumptions or Assumptions()
    root = root_of(config)
    generator = in_format(config.generator, root, on_gpu=on_gpu)
    trainer = in_format(config.trainer, root, on_gpu=on_gpu)
    longest = longest_text(config, texts.longest_training_prompt)
    needs = Needs(model, trainer, generator, texts.longest_prompt, longest, on_gpu)
    shape = compute.ModelShape(parameter_count(model), 0, 0, _adapter_parameters(config, model))
    options = Counter(options_of(observations)).most_common(1)[0][0]
    iterations = tuple(
        _plan_iteration(config, number, len(observations), shape, texts, assumed, options)
        for number in range(1, config.iterations + 1)
    )
    shown = preview(config, problem, observations, vocabulary)
    close_verifier(problem.verifier)
    return Plan(
        {split: len(rows) for split, rows in splits.items()},
        shape.parameters,
        texts,
        options,
        texts.longest_prompt + config.generator.max_new_tokens,
        positions_of(model),
        assumed.rationale_tokens or config.generator.max_new_tokens / 2,
        iterations,
        needs.training(),
        needs.generation(),
        needs if config.compute.backend == "local" else None,
        footprint.cache_bytes_per_token(model, generator),
        formats_line(generator, trainer, root, on_gpu=on_gpu),
        shown,
        notes,
        data_warnings(config, splits),
    )


def _plan_iteration(
    config: RunConfig,
    iteration: int,
    observations: int,
    shape: compute.ModelShape,
    texts: Texts,
    assumptions: Assumptions,
    options: int,
) -> PlannedIteration:
    attempts_each = config.attempts_at_most()
    beta = config.beta(iteration)
    rules = replace(config.rules(), attempts=attempts_each)
    if config.sampler.most_attempts is not None:  # it may want several right ones of an observation
        rules = replace(rules, until_correct=False)
    visits = rules.visits(observations, 0, beta)  # as many as there can be: nothing is accepted
    attempts = 0 if config.rationales == "reference" else visits * attempts_each
    accepted = rules.accepted_at_most(observations, beta)
    if config.schedule.train_on == "beta":
        accepted = min(beta, accepted)
    examples = max(accepted, beta) if config.trainer.on_exhausted == "repeat" else accepted
    read, generated = attempts * texts.longest_prompt, attempts * config.generator.max_new_tokens
    if config.filter.consistent:
        read, generated = read + read + generated, generated + attempts * LONGEST_ANSWER
    if config.filter.needed:
        read, generated = read + attempts * texts.longest_prompt, generated + attempts * LONGEST_ANSWER
    bound = compute.generation_flops(shape.parameters, read, generated)
    bound += compute.training_flops(
        shape.parameters,
        examples * longest_text(config, texts.longest_training_prompt),
        shape.adapter_parameters,
    )
    expected = forecast(config, iteration, observations, texts, assumptions, attempts_each, options)
    expected_flops = expected.tokens.flops(shape.parameters, shape.adapter_parameters)
    return PlannedIteration(iteration, beta, attempts, bound, expected, expected_flops)


def _adapter_parameters(config: RunConfig, model: Path) -> int:
    """Return the parameters of the adapter that is trained; 0 where all of the model's are."""
    if config.trainer.lora.rank is None:
        return 0
    from adastar_core.trainers.lora import trained_parameters  # slow to load

    return trained_parameters(model, config.trainer)
