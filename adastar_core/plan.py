"""What a configuration would do: the planned beta_t per iteration and an upper bound of the compute."""

from dataclasses import dataclass
from fractions import Fraction

from rich.table import Table

from adastar_core import compute
from adastar_core.config import RunConfig
from adastar_core.model_source import parameter_count, resolve_model
from adastar_core.problems.catalogue import open_problem
from adastar_core.problems.chat import prompted
from adastar_core.records import Split
from adastar_core.samplers.boundary import BoundarySettings
from adastar_core.samplers.dart import DartSettings


@dataclass(frozen=True, slots=True)
class PlannedIteration:
    """One iteration as planned: ``attempts`` and ``flops`` are upper bounds."""

    iteration: int
    steps: int
    beta: int
    attempts: int
    flops: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A run as planned, for ``observations`` training observations and a model of ``parameters``."""

    observations: int
    parameters: int
    iterations: tuple[PlannedIteration, ...]

    @property
    def pflops(self) -> float:
        """Return the upper bound of the whole run's compute in 10^15 floating point operations."""
        return float(Fraction(sum(one.flops for one in self.iterations), 10**15))


def plan_of(config: RunConfig) -> Plan:
    """Return the plan of ``config``. Reads the data and the tokenizer; writes nothing and loads no weights.

    The bound takes every observation of the pool with all K attempts at the longest prompt and the longest
    rationale allowed, and training on as many such texts as the iteration may accept.
    """
    from transformers import AutoTokenizer

    model = resolve_model(config.model)
    problem = prompted(open_problem(config.problem), config.prompt, model)
    observations = problem.load(Split.TRAIN)
    parameters = parameter_count(model)
    tokenizer = AutoTokenizer.from_pretrained(model)
    render = problem.hinted_prompt if config.rationalize else problem.prompt
    longest = max(len(tokenizer(render(one)).input_ids) for one in observations)
    iterations = tuple(
        _plan_iteration(config, iteration, len(observations), parameters, longest)
        for iteration in range(1, config.iterations + 1)
    )
    return Plan(len(observations), parameters, iterations)


def _plan_iteration(
    config: RunConfig, iteration: int, observations: int, parameters: int, longest_prompt: int
) -> PlannedIteration:
    attempts_each = attempts_at_most(config)
    attempts = 0 if config.rationales == "reference" else observations * attempts_each
    beta = config.beta(iteration)
    per_observation = 1 if config.attempt_mode == "until_correct" else config.attempts
    if config.sampler.type in ("dart", "boundary"):
        per_observation = attempts_each
    per_observation = min(per_observation, config.cut_off or per_observation)
    accepted = observations * per_observation
    if config.schedule.visit == "until_beta":
        accepted = min(beta + per_observation - 1, accepted)
    elif config.schedule.train_on == "beta":
        accepted = min(beta, accepted)
    examples = max(accepted, beta) if config.trainer.on_exhausted == "repeat" else accepted
    longest_text = min(config.trainer.max_length, longest_prompt + config.generator.max_new_tokens + 1)
    flops = compute.generation_flops(
        parameters, attempts * longest_prompt, attempts * config.generator.max_new_tokens
    ) + compute.training_flops(parameters, examples * longest_text)
    return PlannedIteration(iteration, config.steps(iteration), beta, attempts, flops)


def attempts_at_most(config: RunConfig) -> int:
    """Return the most attempts that one observation gets in an iteration."""
    match config.sampler:
        case DartSettings(attempts=attempts) | BoundarySettings(attempts=attempts):
            return attempts
        case _:
            return config.attempts


def plan_table(plan: Plan) -> Table:
    """Return the plan as a table for the terminal."""
    table = Table(title=f"{plan.observations:,} training observations, {plan.parameters:,} parameters")
    for heading in ("t", "steps", "beta (accepted wanted)", "attempts at most", "PFLOPs at most"):
        table.add_column(heading, justify="right")
    for one in plan.iterations:
        cells = (
            one.iteration,
            f"{one.steps:,}",
            f"{one.beta:,}",
            f"{one.attempts:,}",
            f"{one.flops / 1e15:.4g}",
        )
        table.add_row(*map(str, cells))
    return table
