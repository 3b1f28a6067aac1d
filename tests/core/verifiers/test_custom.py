"""A verifier of the user's own: what it may say, what it raises, and what is refused."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from adastar_core import cli
from adastar_core.config.files import resolve
from adastar_core.errors import ConfigError, DataError
from adastar_core.problems.catalogue import open_problem
from adastar_core.problems.custom import CustomProblem, CustomProblemSettings
from adastar_core.records import FinishReason, Observation, Outcome, Split, Verdict
from adastar_core.verifiers import Response
from adastar_core.verifiers.batch import close_verifier, verify_all
from adastar_core.verifiers.catalogue import adopt_verifier, open_verifier, parse_verifier
from adastar_core.verifiers.custom import CustomVerifier, CustomVerifierSettings, OwnVerifier
from adastar_core.verifiers.number import NumberVerifier
from tests.support.own_parts import install_parts, write_parts

ROW = Observation("x", "How many?", "5")
EOS, LENGTH = FinishReason.EOS, FinishReason.LENGTH


class Says:
    """Says the value under the response's name."""

    version = "says/1"
    values: dict[str, object] = {  # noqa: RUF012
        "yes": True,
        "no": False,
        "none": None,
        "right": Outcome.RIGHT,
        "verdict": Verdict(Outcome.WRONG, "6", "a look", "is too large", "another/7"),
        "five": 5,
    }

    def verify(self, observation: Observation, response: str, finish_reason: FinishReason) -> object:
        return self.values[response]


@pytest.mark.parametrize(
    ("response", "finish", "outcome", "reason"),
    [
        ("yes", EOS, "right", "verifier says"),
        ("no", EOS, "wrong", "verifier says"),
        ("none", EOS, "undecided", "does not decide"),
        ("right", EOS, "right", "verifier says"),
        ("verdict", EOS, "wrong", "is too large"),
        ("five", EOS, "undecided", "returned a int"),
        ("absent", EOS, "undecided", "failed (KeyError: 'absent')"),
        ("yes", LENGTH, "undecided", "cut at the length limit"),
        ("no", LENGTH, "undecided", "cut at the length limit"),
        ("right", LENGTH, "right", "verifier says"),
    ],
)
def test_what_it_says_becomes_a_verdict(
    response: str, finish: FinishReason, outcome: str, reason: str
) -> None:
    verdict = adopt_verifier(Says(), "here").verify(ROW, response, finish)
    assert (verdict.outcome, verdict.verifier) == (outcome, "says/1")
    assert reason in verdict.reason


def test_many_are_judged_together_where_it_can_and_one_by_one_where_that_fails() -> None:
    class Together(Says):
        closed = False

        def verify_all(self, responses: Sequence[Response]) -> list[object]:
            return [self.values[response] for _, response, _ in responses]

        def close(self) -> None:
            self.closed = True

    own = Together()
    verifier = adopt_verifier(own, "here")
    well: list[Response] = [(ROW, "yes", EOS), (ROW, "no", LENGTH), (ROW, "verdict", EOS)]
    assert [one.outcome for one in verify_all(verifier, well)] == ["right", "undecided", "wrong"]
    one_fails = verify_all(verifier, [*well, (ROW, "absent", EOS)])
    assert [one.outcome for one in one_fails] == ["right", "undecided", "wrong", "undecided"]
    assert "KeyError" in one_fails[3].reason
    close_verifier(verifier)
    assert own.closed


def test_how_it_declares_a_reference_is_its_own_affair() -> None:
    class Boxes(Says):
        def declare(self, observation: Observation) -> str:
            return f" [{observation.answer}]"

    assert adopt_verifier(Says(), "here").declare(ROW) == "\n#### 5"
    assert adopt_verifier(Boxes(), "here").declare(ROW) == " [5]"


def test_a_built_in_one_may_be_given_as_an_object() -> None:
    built_in = NumberVerifier(fall_back=True)
    assert adopt_verifier(built_in, "here") is built_in


class Named(NumberVerifier):
    """Judges as another verifier, under its name."""


@pytest.mark.parametrize(
    ("own", "words"),
    [
        (5, "makes a int"),
        (Says, "makes a type"),
        (type("No", (), {"version": "no/1"})(), "lacks version or verify"),
        (type("No", (Says,), {"version": 5})(), "version 5"),
        (type("No", (Says,), {"version": " "})(), "version ' '"),
        (type("No", (Says,), {"version": "a\0"})(), "version"),
        (type("No", (Says,), {"version": "math/9"})(), "built-in"),
        (Named(), "built-in"),
    ],
)
def test_what_is_no_verifier_is_refused(own: object, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        adopt_verifier(own, "here")


def table(folder: Path, *overrides: str) -> list[str]:
    rows = [{"question": f"{n} and 1?", "answer": str(n + 1)} for n in range(60)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return ["problem=table", f"problem.path={folder / 'rows.jsonl'}", *overrides]


@pytest.mark.parametrize("spelling", ["verifier={file}:LastLine", "verifier.path={file}:LastLine"])
def test_a_table_names_it_by_file(tmp_path: Path, spelling: str) -> None:
    key = f"problem.{spelling.format(file=write_parts(tmp_path))}"
    config = resolve({}, table(tmp_path, key))
    problem = open_problem(config.problem)
    row = problem.load(Split.TRAIN)[0]
    assert problem.verifier.verify(row, problem.reference(row), EOS).outcome is Outcome.RIGHT
    assert type(config).of_identity(config.identity()).sha256() == config.sha256()
    with pytest.raises(ConfigError, match="fall_back"):
        open_problem(resolve({}, table(tmp_path, key, "problem.fall_back=true")).problem)


def test_options_reach_it_and_references_are_read_by_it(tmp_path: Path) -> None:
    file = write_parts(tmp_path)
    named = parse_verifier(f"{{path: '{file}:LastLine', options: {{marker: '=='}}}}")
    assert open_verifier(named).verify(ROW, "so == 5", EOS).outcome is Outcome.RIGHT
    keys = [f"problem.verifier.path={file}:LastLine", "problem.verifier.options={marker: =>}"]
    with pytest.raises(
        Exception, match=r"60 of 60 reference answers are not right by the verifier last-line/1"
    ):
        open_problem(resolve({}, table(tmp_path, *keys)).problem).load(Split.TRAIN)


def test_an_entry_point_is_named_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_parts(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    named = parse_verifier("own-last-line")
    assert named == CustomVerifierSettings(path="own-last-line")
    assert open_verifier(named).version == "last-line/1"
    problem = open_problem(resolve({}, table(tmp_path, "problem.verifier=own-last-line")).problem)
    assert problem.verifier.version == "last-line/1"


@pytest.mark.parametrize("text", ["nmber", "{path: [}", "{}", "{path: x, more: 1}", ""])
def test_an_unknown_name_lists_what_there_is(text: str) -> None:
    with pytest.raises(ConfigError, match=r"number, choice.*import path"):
        parse_verifier(text)


@pytest.mark.parametrize(("problem", "key"), [("table", "verifier={}:LastLine"), ("custom", "path={}:Sums")])
def test_responses_are_judged_by_it(tmp_path: Path, problem: str, key: str) -> None:
    row = {"question": "1+4", "answer": 5}
    lines = [json.dumps({"row": row, "response": text}) for text in ("#### 5", "#### 6", "boom")]
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    arguments = ["judge", "--problem", problem, str(tmp_path / "in.jsonl"), "--output", str(tmp_path / "out")]
    assert cli.main([*arguments, "--set", key.format(write_parts(tmp_path))]) == 0
    written = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert [one["verdict"] for one in written] == ["right", "wrong", "undecided"]
    assert written[2]["reason"] == "the verifier failed (ArithmeticError: boom)"


def test_numpy_booleans_are_right_or_wrong_and_a_bad_declaration_is_told() -> None:
    class Own:
        version = "own/1"

        def verify(self, _: Observation, response: str, __: FinishReason) -> object:
            return np.bool_(response == "4")

        def declare(self, observation: Observation) -> object:
            return {}[observation.answer] if observation.answer == "4" else 5

    verifier = CustomVerifier(cast("OwnVerifier", Own()))
    four = Observation(observation_id="a", question="2+2", answer="4")
    assert verifier.verify(four, "4", FinishReason.EOS).outcome is Outcome.RIGHT
    assert verifier.verify(four, "5", FinishReason.EOS).outcome is Outcome.WRONG
    with pytest.raises(
        DataError, match=r"a: declare of the verifier own/1 failed \(KeyError: '4'\) at .*, line \d+"
    ):
        verifier.declare(four)
    with pytest.raises(DataError, match=r"returned a int\. Return text"):
        verifier.declare(replace(four, answer="5"))


@pytest.mark.parametrize("stop", ["END", None, [1], [""]])
def test_stop_strings_of_a_problem_are_texts(tmp_path: Path, stop: object) -> None:
    (tmp_path / "mine.py").write_text(
        "from adastar_core.problems.custom import OwnProblem\nclass Mine(OwnProblem):\n"
        f" stop = {stop!r}\n def rows(self): return []\n"
    )
    with pytest.raises(ConfigError, match=r"has the stop .*Give a tuple of texts"):
        CustomProblem(CustomProblemSettings(path=f"{tmp_path / 'mine.py'}:Mine"))


def test_a_numpy_boolean_says_whether_a_rationale_is_right(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import numpy as np\nfrom adastar_core.problems.custom import OwnProblem\nclass Mine(OwnProblem):\n"
        " def rows(self): return []\n def rationale_is_correct(self, *_): return np.True_\n"
    )
    problem = CustomProblem(CustomProblemSettings(path=f"{tmp_path / 'mine.py'}:Mine"))
    assert problem.rationale_is_correct(ROW, "5") is True
