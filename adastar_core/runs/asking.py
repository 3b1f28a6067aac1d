"""Where a declaration's answer begins, for the rules of the filter that ask the model for its answer again."""

from collections.abc import Sequence

from adastar_core.config import RunConfig
from adastar_core.errors import ConfigError
from adastar_core.problems import Problem
from adastar_core.records import FinishReason, Observation

LONGEST_ANSWER = 64
"""Tokens of an answer that is asked for again; it ends with its line."""


def lead_of(problem: Problem, observation: Observation) -> str | None:
    """Return the words that declare an answer, up to it; ``None`` where the verifier does not say where it begins."""
    declared = problem.verifier.declare(observation)
    span = problem.verifier.verify(observation, declared, FinishReason.EOS).span
    return None if span is None else before_answer(declared, span)


def before_answer(response: str, span: tuple[int, int]) -> str:
    """Return a response up to its answer, without the spaces there, which the tokens of answers begin with."""
    return response[: span[0]].rstrip(" \t")


def check_asking(config: RunConfig, problem: Problem, train: Sequence[Observation]) -> None:
    """Refuse to ask a model again where the verifier cannot tell what comes before its answer.

    Raises:
        ConfigError: Names the rule and the verifier.
    """
    if config.filter.asks and lead_of(problem, train[0]) is None:
        rule = "consistent" if config.filter.consistent else "needed"
        raise ConfigError(
            f"filter.{rule} (true) needs to know where in a response its answer stands, and the verifier "
            f"{problem.verifier.version} does not say it. Set it to false, or use one of the program's verifiers."
        )
