"""All the real data at hand: every reference answer is right as a model would write it, every corruption wrong."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from adastar_core.problems.catalogue import BenchmarkSettings, open_benchmark
from adastar_core.problems.few_shot import FewShotProblem
from adastar_core.records import FinishReason, Observation, Outcome, Split
from tests.core.problems.test_benchmarks import SETTINGS
from tests.core.verifiers.generated import sections

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
FORMATS = (
    "Some steps.\n#### {}",
    "So the answer is {}.",
    "Answer: {}",
    "Hence $\\boxed{{{}}}$.",
    "The answer is **{}**.",
)
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the benchmarks' data is not beside the repository")


@pytest.fixture(scope="module", params=SETTINGS, ids=lambda settings: settings().type)
def problem(request: pytest.FixtureRequest) -> FewShotProblem:
    settings: BenchmarkSettings = request.param(path=str(DATA / request.param().type))
    return open_benchmark(settings)


def everything(problem: FewShotProblem) -> list[Observation]:
    return [one for split in Split for one in problem.load(split)]


def corruptions(observation: Observation) -> list[str]:
    """Return every answer that differs in one digit, or is another label."""
    answer = observation.answer
    if observation.choices:
        return [choice.label for choice in observation.choices if choice.label != answer]
    if answer in ("yes", "no"):
        return ["no" if answer == "yes" else "yes"]
    return [
        answer[:i] + digit + answer[i + 1 :]
        for i, c in enumerate(answer)
        if c.isdigit()
        for digit in "0123456789"
        if digit != c
    ]


def reshaped(observation: Observation) -> list[str]:
    """Return numbers of other sizes and signs that are made of the same digits."""
    answer = observation.answer
    if observation.choices or not answer.replace(",", "").isdigit() or not int(answer.replace(",", "")):
        return []
    return [
        f"-{answer}",
        f"{answer}0",
        f"{answer}.5",
        f"1/{answer}1",
        f"{answer} thousand",
        f"{answer}/7",
        f"{answer}x",
    ]


def declared(number: int, answer: str) -> str:
    """Return one of the plain wordings with ``answer`` in place, each in turn."""
    texts = sections("any")[0].texts
    return f"Some steps.\n{texts[number % len(texts)].replace('<v>', answer)}"


def outcomes(problem: FewShotProblem, pairs: list[tuple[Observation, str]]) -> Counter[Outcome]:
    return Counter(
        problem.verifier.verify(one, response, FinishReason.EOS).outcome for one, response in pairs
    )


def test_every_reference_answer_is_right(problem: FewShotProblem) -> None:
    observations = everything(problem)
    for pattern in FORMATS:
        found = outcomes(problem, [(one, pattern.format(one.answer)) for one in observations])
        assert found == {Outcome.RIGHT: len(observations)}, pattern
    found = outcomes(problem, [(one, f" Some steps.{problem.reference(one)}") for one in observations])
    assert found == {Outcome.RIGHT: len(observations)}


def test_every_reference_answer_is_right_in_every_plain_wording(problem: FewShotProblem) -> None:
    pairs = [
        (one, declared(3 * number + turn, one.answer))
        for number, one in enumerate(everything(problem))
        for turn in range(3)
    ]
    assert outcomes(problem, pairs) == {Outcome.RIGHT: len(pairs)}


def test_no_corruption_is_right_in_any_plain_wording(problem: FewShotProblem) -> None:
    pairs = [
        (one, declared(number, other))
        for number, one in enumerate(everything(problem))
        for other in [*corruptions(one)[number % 2 :: 4], *reshaped(one)]
    ]
    assert outcomes(problem, pairs)[Outcome.RIGHT] == 0


def test_no_reference_answer_is_right_once_it_is_taken_back(problem: FewShotProblem) -> None:
    retractions = (
        " Wait, that is not right.",
        "\n\nHmm, I misread it.",
        " No, that cannot be.",
        "\nThe answer is unknown.",
    )
    pairs = [
        (one, declared(number, one.answer) + retractions[number % len(retractions)])
        for number, one in enumerate(everything(problem))
    ]
    assert outcomes(problem, pairs)[Outcome.RIGHT] == 0


def test_every_corruption_is_wrong(problem: FewShotProblem) -> None:
    pairs = [
        (one, f" Some steps.{problem.reference(replace(one, answer=other))}")
        for one in everything(problem)
        for other in corruptions(one)
    ]
    assert outcomes(problem, pairs) == {Outcome.WRONG: len(pairs)}


def test_an_options_text_is_right_and_never_another_option(problem: FewShotProblem) -> None:
    observations = [one for one in everything(problem) if one.choices]
    named = [(one, next(c.text for c in one.choices if c.label == one.answer)) for one in observations]
    unique = [(one, text) for one, text in named if sum(c.text == text for c in one.choices) == 1]
    twice = [(one, text) for one, text in named if sum(c.text == text for c in one.choices) > 1]
    assert outcomes(problem, [(one, f"The answer is {text}.") for one, text in unique]) == Counter(
        {Outcome.RIGHT: len(unique)}
    )
    both = outcomes(problem, [(one, f"The answer is {text} ({one.answer}).") for one, text in named])
    assert both == Counter({Outcome.RIGHT: len(named)})
    assert outcomes(problem, [(one, f"The answer is {text}.") for one, text in twice]) == Counter(
        {Outcome.UNDECIDED: len(twice)}
    )
