"""Options and classes of real questions: each is read in every phrase, and never beside another one."""

import random
from itertools import product
from pathlib import Path

import pytest

from adastar_core.problems.catalogue import BenchmarkSettings, open_benchmark
from adastar_core.problems.few_shot import FewShotProblem
from adastar_core.records import FinishReason, Observation, Outcome, Split
from adastar_core.verifiers.tidy import folded, tidy
from tests.core.problems.test_benchmarks import SETTINGS

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
WITH_OPTIONS = [one for one in SETTINGS if one().type in ("arc_challenge", "commonsense_qa", "anli_r1")]
QUESTIONS = 250

LABELS = (
    "({L})",
    "{L}",
    "{L}.",
    "**{L}**",
    "option {L}",
    "option ({L})",
    "\\textbf{{({L})}}",
    "$\\text{{{L}}}$",
    '"{L}"',
)
BOTH = ("({L}) {T}", "{L}. {T}", "{L}) {T}", "{L}: {T}", "**{L}. {T}**", "{T} ({L})", "({L}), that is, {T}")
LEADS = ("The answer is {}", "Answer: {}", "#### {}", "So the correct answer is {}", "The answer is:\n\n{}")
CLOSINGS = (
    "",
    ".",
    "!",
    ". I hope this helps!",
    "\n\nThank you.",
    ", because the text says so.",
    "\nExplanation: it follows.",
)
REMARKS = (
    ". ({M}) is wrong.",
    ", not ({M}).",
    ". The other options are incorrect.",
    ". Option {M} is incorrect because it is.",
)
BESIDE = (
    "({L}) {U}",
    "{L}. {U}",
    "{L}: {U}",
    "{L} {U}",
    "{L} = {U}",
    "{U} ({L})",
    "({L}), i.e. {U}",
    "**{L}**: **{U}**",
)
SEVERAL = (
    " or ({M})",
    " and ({M})",
    ", ({M})",
    "/({M})",
    " as well as ({M})",
    ". No, ({M})",
    ". Or ({M})",
    " ({M})",
)

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the benchmarks' data is not beside the repository")


@pytest.fixture(scope="module", params=WITH_OPTIONS, ids=lambda settings: settings().type)
def problem(request: pytest.FixtureRequest) -> FewShotProblem:
    settings: BenchmarkSettings = request.param(path=str(DATA / request.param().type))
    return open_benchmark(settings)


def cases(problem: FewShotProblem) -> list[tuple[Observation, dict[str, str]]]:
    """Return questions, each with its answer's label and text, L and T, and those of another option, M and U."""
    generator = random.Random(0)
    observations = [one for split in Split for one in problem.load(split)]
    found = []
    for one in generator.sample(observations, QUESTIONS):
        texts = {choice.label: choice.text.rstrip(".") for choice in one.choices}
        if len({folded(tidy(text)) for text in texts.values()}) == len(texts):
            other = generator.choice([label for label in texts if label != one.answer])
            found.append((one, {"L": one.answer, "T": texts[one.answer], "M": other, "U": texts[other]}))
    return found


def outcome(problem: FewShotProblem, one: Observation, response: str) -> Outcome:
    return problem.verifier.verify(one, f"Some steps.\n{response}", FinishReason.EOS).outcome


def test_an_option_is_read_in_every_phrase(problem: FewShotProblem) -> None:
    generator = random.Random(1)
    phrases = list(product(LEADS, (*LABELS, *BOTH, "{T}"), (*CLOSINGS, *REMARKS)))
    for one, words in cases(problem):
        for lead, form, closing in generator.sample(phrases, 20):
            if "{T}" in form and words["T"].endswith("?"):
                continue
            response = lead.format(form.format(**words)) + closing.format(**words)
            assert outcome(problem, one, response) is Outcome.RIGHT, response


def test_a_label_beside_another_options_text_is_never_right(problem: FewShotProblem) -> None:
    for one, words in cases(problem):
        for lead, form in product(LEADS, BESIDE):
            response = lead.format(form.format(**words))
            assert outcome(problem, one, response) is not Outcome.RIGHT, response


def test_an_option_and_another_one_are_never_right(problem: FewShotProblem) -> None:
    generator = random.Random(2)
    phrases = list(product(LEADS, (*LABELS, *BOTH, "{T}"), ("", "."), SEVERAL))
    for one, words in cases(problem):
        for lead, form, closing, other in generator.sample(phrases, 20):
            response = lead.format(form.format(**words)) + closing + other.format(**words)
            assert outcome(problem, one, response) is not Outcome.RIGHT, response
