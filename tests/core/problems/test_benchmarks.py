"""The six benchmarks: schemas, prompts, and exemplars that are right, evenly spread and of the paper's number."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from adastar_core.errors import DataError
from adastar_core.problems.anli_r1 import ANLIR1Settings
from adastar_core.problems.arc_challenge import ARCChallengeSettings
from adastar_core.problems.catalogue import BenchmarkSettings, open_benchmark
from adastar_core.problems.cladder import CLadderSettings
from adastar_core.problems.commonsense_qa import CommonsenseQASettings
from adastar_core.problems.few_shot import FewShotProblem
from adastar_core.problems.gsm8k import GSM8KSettings
from adastar_core.problems.prompts import worked
from adastar_core.problems.rows import Row
from adastar_core.problems.svamp import SVAMPSettings
from adastar_core.records import FinishReason, Outcome, Split

SETTINGS: list[type[BenchmarkSettings]] = [
    ARCChallengeSettings,
    CommonsenseQASettings,
    CLadderSettings,
    ANLIR1Settings,
    GSM8KSettings,
    SVAMPSettings,
]
SHOTS = {"arc_challenge": 6, "commonsense_qa": 7, "cladder": 8, "anli_r1": 8, "gsm8k": 8, "svamp": 8}
OPTIONS = {"label": ["A", "B", "C"], "text": ["ice", "air", "tea"]}
LISTED = [{"label": label, "text": text} for label, text in zip("ABC", OPTIONS["text"], strict=True)]
ROWS: list[tuple[type[BenchmarkSettings], dict[str, object], tuple[str, str, str]]] = [
    (
        ARCChallengeSettings,
        {"id": "M1", "question": "Cold?", "choices": OPTIONS, "answerKey": "A"},
        ("M1", "Cold?", "A"),
    ),
    (
        ARCChallengeSettings,
        {
            "id": "M2",
            "question": "Cold?",
            "choices": {"label": ["1", "2"], "text": ["ice", "tea"]},
            "answerKey": "1",
        },
        ("M2", "Cold?", "1"),
    ),
    (
        CommonsenseQASettings,
        {
            "id": "c",
            "question": {"stem": "Hot?", "choices": LISTED, "question_concept": "x"},
            "answerKey": "C",
        },
        ("c", "Hot?", "C"),
    ),
    (
        CommonsenseQASettings,
        {"id": "c", "question": "Hot?", "question_concept": "x", "choices": OPTIONS, "answerKey": "C"},
        ("c", "Hot?", "C"),
    ),
    (CLadderSettings, {"id": 7, "question": "Does it?", "answer": "no", "rung": 2}, ("7", "Does it?", "no")),
    (
        CLadderSettings,
        {"id": 7, "prompt": "World. Does it?", "label": "Yes", "rung": 1, "reasoning": "r"},
        ("7", "World. Does it?", "yes"),
    ),
    (
        CLadderSettings,
        {
            "question_id": 8,
            "background": "World.",
            "given_info": "Given.",
            "question": "Does it?",
            "answer": "yes",
        },
        ("8", "World. Given. Does it?", "yes"),
    ),
    (
        ANLIR1Settings,
        {"uid": "u", "premise": "P.", "hypothesis": "H.", "label": 0, "reason": ""},
        ("u", "P. H.", "0"),
    ),
    (ANLIR1Settings, {"uid": "u", "context": "P.", "hypothesis": "H.", "label": "c"}, ("u", "P. H.", "2")),
    (
        GSM8KSettings,
        {"question": "How many?", "answer": "a <<1+1=2>>2\nb <<2*3=6>>6\n#### 1,080"},
        ("", "How many?", "1,080"),
    ),
    (
        SVAMPSettings,
        {
            "ID": "s",
            "Body": "B.",
            "question": "Q?",
            "answer": "5",
            "question_concat": "B. Q?",
            "Type": "Addition",
        },
        ("s", "B. Q?", "5"),
    ),
    (
        SVAMPSettings,
        {"ID": "s", "Body": "B.", "Question": "Q?", "Answer": 5.0, "Equation": ""},
        ("s", "B. Q?", "5.0"),
    ),
]


@pytest.fixture(params=SETTINGS, ids=lambda settings: settings().type)
def problem(request: pytest.FixtureRequest) -> FewShotProblem:
    return open_benchmark(request.param())


@pytest.mark.parametrize(("settings", "values", "expected"), ROWS)
def test_the_authors_schema_and_the_hubs_are_read(
    settings: type[BenchmarkSettings], values: dict[str, object], expected: tuple[str, str, str]
) -> None:
    problem = open_benchmark(settings())
    one = problem.reader([row := Row("f", 1, values)])(row)
    assert (one.observation_id, one.question, one.answer) == expected
    assert problem.verifier.verify(one, problem.reference(one), FinishReason.EOS).outcome is Outcome.RIGHT


@pytest.mark.parametrize(
    ("settings", "values"),
    [
        (ARCChallengeSettings, {"id": "M1", "question": "Cold?", "choices": OPTIONS, "answerKey": "D"}),
        (CLadderSettings, {"id": 7, "question": "Does it?", "answer": "perhaps"}),
        (ANLIR1Settings, {"uid": "u", "premise": "P.", "hypothesis": "H.", "label": 3}),
        (ANLIR1Settings, {"uid": "u", "premise": "P.", "hypothesis": "H.", "label": -1}),
        (GSM8KSettings, {"question": "How many?", "answer": "6"}),
        (GSM8KSettings, {"question": "How many?", "answer": "#### six"}),
        (SVAMPSettings, {"ID": "s", "question_concat": "Q?", "answer": "five"}),
        (SVAMPSettings, {"ID": "s", "answer": "5"}),
    ],
)
def test_rows_without_a_usable_answer_are_named(
    settings: type[BenchmarkSettings], values: dict[str, object]
) -> None:
    with pytest.raises(DataError, match="f, row 12: "):
        open_benchmark(settings()).reader([row := Row("f", 12, values)])(row)


def test_exemplars_are_of_the_papers_number_and_evenly_spread(problem: FewShotProblem) -> None:
    answers = Counter(one.observation.answer for one in problem.exemplars)
    assert answers.total() == SHOTS[problem.name]
    choices = problem.exemplars[0].observation.choices
    if problem.name not in ("gsm8k", "svamp"):
        labels = [choice.label for choice in choices] or ["yes", "no"]
        assert set(answers) == set(labels)
        assert max(answers.values()) - min(answers.values()) <= 1


def test_exemplars_are_right_by_the_problems_own_verifier(problem: FewShotProblem) -> None:
    for one in problem.exemplars:
        response = worked(problem.verifier, one).split("A:", 1)[1]
        verdict = problem.verifier.verify(one.observation, response, FinishReason.EOS)
        assert verdict.outcome is Outcome.RIGHT, response


def test_the_arithmetic_of_exemplars_is_right(problem: FewShotProblem) -> None:
    checked = 0
    for one in problem.exemplars:
        for left, right in re.findall(
            r"(?<![\w|=)\]*])(\(*\d[\d.+*/() -]*[\d)]) = (-?\d[\d.]*)", one.rationale
        ):
            if left.count("(") == left.count(")") and re.search(r"\d\)?\s*[-+*/]\s*[(\d]", left):
                checked += 1
                assert _value(left) == pytest.approx(float(right.rstrip(".")), abs=0.005), (left, right)
    assert checked >= {"gsm8k": 14, "svamp": 14, "cladder": 4}.get(problem.name, 0)


def _value(text: str) -> float:
    """Evaluate sums, products and brackets by descent, so that no test evaluates text as code either."""
    tokens = re.findall(r"\d+\.?\d*|[-+*/()]", text)

    def factor() -> float:
        token = tokens.pop(0)
        if token == "(":
            value = total()
            tokens.pop(0)
            return value
        return -factor() if token == "-" else float(token)

    def product() -> float:
        value = factor()
        while tokens and tokens[0] in "*/":
            value = value * factor() if tokens.pop(0) == "*" else value / factor()
        return value

    def total() -> float:
        value = product()
        while tokens and tokens[0] in "+-":
            value += product() if tokens.pop(0) == "+" else -product()
        return value

    return total()


def test_one_format_in_generation_training_and_hints(problem: FewShotProblem) -> None:
    one = problem.exemplars[0].observation
    asked = problem.training_prompt(one)
    assert asked.startswith(f"Q: {one.question}\n")
    assert asked.endswith("A:")
    assert all(f"({choice.label}) {choice.text}\n" in asked for choice in one.choices)
    prompt, hinted = problem.prompt(one), problem.hinted_prompt(one)
    assert prompt.endswith(asked)
    assert prompt.count("\n\nQ:") == SHOTS[problem.name]
    assert hinted.count("\n\nQ:") == SHOTS[problem.name]
    assert hinted.replace(f"{one.question} ({one.answer})\n", f"{one.question}\n").endswith(asked)
    for exemplar in problem.exemplars:
        assert f"{exemplar.observation.question} ({exemplar.observation.answer})\n" in hinted
        assert f"{exemplar.observation.question} (" not in prompt


def test_shots_can_be_fewer(problem: FewShotProblem) -> None:
    settings = type(problem.settings)(shots=0)
    none = open_benchmark(settings)  # type: ignore[arg-type]
    one = problem.exemplars[0].observation
    assert none.prompt(one) == none.training_prompt(one) == problem.training_prompt(one)


def test_repeated_test_questions_are_counted_reported_and_dropped(tmp_path: Path) -> None:
    def row(name: str, question: str) -> str:
        return json.dumps({"id": name, "question": question, "choices": OPTIONS, "answerKey": "A"}) + "\n"

    story = "A red ball rolls down a very long and steep hill until it stops at the foot. What slows the ball down in the end?"
    (tmp_path / "train.jsonl").write_text(
        "".join(row(f"t{i}", f"Question number {i} is about topic {i * i}?") for i in range(40))
        + row("same", story.upper())
        + row("near", story.replace("red", "blue")),
        "utf-8",
    )
    (tmp_path / "test.jsonl").write_text(row("x", story), "utf-8")
    problem = open_benchmark(ARCChallengeSettings(path=str(tmp_path)))
    assert (problem.overlap.exact, problem.overlap.near) == (1, 1)
    assert any("1 training questions word for word and 1 nearly" in note for note in problem.notes)
    kept = [one.observation_id for split in (Split.TRAIN, Split.VALIDATION) for one in problem.load(split)]
    assert {"same", "near"} <= set(kept)
    dropping = open_benchmark(ARCChallengeSettings(path=str(tmp_path), drop_overlap=True))
    kept = [one.observation_id for split in (Split.TRAIN, Split.VALIDATION) for one in dropping.load(split)]
    assert sorted(kept) == sorted(f"t{i}" for i in range(40))
