"""A problem of the user's own: what it must give, what it has by default, and what is refused at load."""

from pathlib import Path

import pytest

from adastar_core.config import RunConfig
from adastar_core.config.files import resolve
from adastar_core.errors import ConfigError, DataError
from adastar_core.problems.catalogue import open_problem
from adastar_core.problems.custom import CustomProblem
from adastar_core.records import FinishReason, Observation, Outcome, Split
from tests.support.own_parts import install_parts, write_parts

HEAD = "from adastar_core.problems.custom import OwnProblem\nfrom adastar_core.records import Choice, Observation\n"
ROWS = "[{'question': f'{n} and 1?', 'answer': n + 1} for n in range(60)]"


def opened(file: Path, name: str = "Mine", *overrides: str) -> CustomProblem:
    values = {"problem": {"type": "custom", "path": f"{file}:{name}"}}
    problem = open_problem(resolve(values, overrides).problem)
    assert isinstance(problem, CustomProblem)
    return problem


def mine(folder: Path, body: str, *overrides: str) -> CustomProblem:
    """Return the problem that is a class with this body."""
    file = folder / "mine.py"
    file.write_text(f"{HEAD}class Mine(OwnProblem):\n{body}", "utf-8")
    return opened(file, "Mine", *overrides)


def test_rows_and_a_prompt_are_enough(tmp_path: Path) -> None:
    problem = opened(write_parts(tmp_path), "Sums", "problem.options={count: 80}")
    splits = {split: problem.load(split) for split in Split}
    assert sum(map(len, splits.values())) == len(problem.everything()) == 80
    assert all(splits.values())
    row = splits[Split.TRAIN][0]
    prompt = f"{row.question}\n"
    assert problem.prompt(row) == problem.training_prompt(row) == problem.evaluation_prompt(row, 3) == prompt
    assert problem.hinted_prompt(row) == f"{row.question} ({row.answer})\n"
    assert problem.reference(row) == f"#### {row.answer}"
    assert problem.rationale_is_correct(row, "x") is None
    assert (problem.stop, problem.notes, problem.verifier.version) == ((), (), "last-line/1")
    assert row.difficulty in "123"
    again = opened(write_parts(tmp_path), "Sums", "problem.options={count: 80}")
    assert {split: again.load(split) for split in Split} == splits


def test_the_default_prompt_is_that_of_the_built_in_problems(tmp_path: Path) -> None:
    problem = mine(tmp_path, f"    def rows(self): return {ROWS}")
    row = problem.load(Split.TRAIN)[0]
    assert problem.prompt(row) == f"Q: {row.question}\nA:"
    assert problem.hinted_prompt(row) == f"Q: {row.question} ({row.answer})\nA:"
    assert problem.reference(row) == f"\n#### {row.answer}"
    assert problem.verifier.version == "number/3"


def test_the_configuration_may_name_another_verifier(tmp_path: Path) -> None:
    file = write_parts(tmp_path)
    body = f"    def rows(self): return {ROWS}"
    assert mine(tmp_path, body, "problem.verifier=exact").verifier.version == "exact/3"
    assert mine(tmp_path, body, f"problem.verifier={file}:LastLine").verifier.version == "last-line/1"


def test_parts_of_the_users_own_are_not_carved(tmp_path: Path) -> None:
    body = (
        "    verifier = 'choice'\n"
        "    def load(self, split):\n"
        "        return [{'question': f'{split} {n}?', 'choices': ('ice', 'tea'), 'answer': 'tea', 'id': f'{split}{n}'}\n"
        "                for n in range(5)]"
    )
    problem = mine(tmp_path, body)
    for split in Split:
        rows = problem.load(split)
        assert [row.observation_id for row in rows] == [f"{split}{n}" for n in range(5)]
        verdict = problem.verifier.verify(rows[0], problem.reference(rows[0]), FinishReason.EOS)
        assert (rows[0].answer, verdict.outcome) == ("B", Outcome.RIGHT)


def test_observations_are_taken_as_they_are(tmp_path: Path) -> None:
    body = (
        "    verifier = 'exact'\n"
        "    def rows(self):\n"
        "        return [Observation(str(n), f'  keep {n} \\n', 'an  answer') for n in range(40)]"
    )
    row = mine(tmp_path, body).load(Split.TRAIN)[0]
    assert row == Observation(row.observation_id, f"  keep {row.observation_id} \n", "an  answer")


def test_limits_and_overlap_are_the_projects(tmp_path: Path) -> None:
    body = (
        "    def load(self, split):\n"
        "        return [{'question': f'How much is {n} and 1?', 'answer': n + 1} for n in range(20)]"
    )
    problem = mine(tmp_path, body, "problem.test_limit=7")
    assert len(problem.load(Split.TEST)) == 7
    assert "The test part repeats 20 training questions word for word" in " ".join(problem.notes)


def test_an_installed_package_registers_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_parts(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    config = resolve({"problem": {"type": "custom", "path": "own-sums", "options": {"count": 50}}})
    assert len(open_problem(config.problem).everything()) == 50
    assert RunConfig.of_identity(config.identity()).problem == config.problem


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (f"    def rows(self): return {ROWS}[:0]", ["train", "no observations"]),
        (f"    def rows(self): return {ROWS}[:3]", ["no observations", "share"]),
        (
            f"    def rows(self): return [*{ROWS}, {{'question': 'x', 'answer': 'y'}}]",
            ["row 61", "one number"],
        ),
        (f"    def rows(self): return [*{ROWS}, {{'question': 'x'}}]", ["row 61", "'answer' is missing"]),
        (f"    def rows(self): return [*{ROWS}, {{'question': '\\0', 'answer': 1}}]", ["row 61", "stored"]),
        (f"    def rows(self): return [*{ROWS}, 5]", ["row 61", "a int"]),
        ("    def rows(self): return [Observation('x', 'y', 5)]", ["row 1", "answer is not text"]),
        ("    def rows(self): return [{'question': 'x', 'answer': 1, 'id': 'a'}] * 2", ["row 2", "'a'"]),
        ("    def rows(self): return 5", ["load failed", "not iterable"]),
        ("    def rows(self):\n        yield {}['x']", ["load failed", "KeyError", "mine.py, line 5"]),
        ("    def load(self, split): return None", ["returned None for train"]),
    ],
)
def test_data_that_cannot_be_used_are_refused_at_load(tmp_path: Path, body: str, words: list[str]) -> None:
    problem = mine(tmp_path, body)
    with pytest.raises(DataError) as refused:
        problem.load(Split.TRAIN)
    assert all(word in str(refused.value) for word in words), refused.value


def test_a_reference_that_the_users_verifier_finds_wrong_is_refused(tmp_path: Path) -> None:
    body = (
        "    class Never:\n"
        "        version = 'never/1'\n"
        "        def verify(self, observation, response, finish_reason): return 1 / 0\n"
        f"    verifier = Never()\n    def rows(self): return {ROWS}"
    )
    with pytest.raises(DataError, match=r"60 of 60 .*never/1.*undecided.*ZeroDivisionError"):
        mine(tmp_path, body).load(Split.TRAIN)


@pytest.mark.parametrize("method", ["prompt", "training_prompt"])
@pytest.mark.parametrize(
    ("value", "words"), [("5", "returned a int"), ("observation.absent", "absent.*line 6")]
)
def test_a_prompt_that_is_none_is_named(tmp_path: Path, method: str, value: str, words: str) -> None:
    body = f"    def rows(self): return {ROWS}\n    def {method}(self, observation):\n        return {value}"
    problem = mine(tmp_path, body)
    with pytest.raises(DataError, match=rf"{method} .*{words}"):
        getattr(problem, method)(problem.load(Split.TRAIN)[0])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "has no 'Mine'"),
        ("import absent_package", "cannot be imported"),
        ("Mine = 5", "is a int"),
        ("def Mine(): return []", "makes a list"),
        (f"{HEAD}class Mine(OwnProblem): pass", "has no data"),
        (f"{HEAD}class Mine(OwnProblem):\n    rows = list\n    verifier = 'nmber'", "'nmber'.*number"),
        (
            f"{HEAD}class Mine(OwnProblem):\n    rows = list\n    verifier = object()",
            "verifier makes a object",
        ),
        (f"{HEAD}class Mine(OwnProblem):\n    def __init__(self, needed): ...", "cannot be called"),
    ],
)
def test_what_is_no_problem_is_refused(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "mine.py").write_text(content)
    with pytest.raises(ConfigError, match=rf"problem\.path.*{words}"):
        opened(tmp_path / "mine.py")


def test_an_entry_point_that_is_not_installed_is_named() -> None:
    with pytest.raises(ConfigError, match=r"problem\.path = 'absent' is no entry point of adastar\.problems"):
        open_problem(resolve({"problem": {"type": "custom", "path": "absent"}}).problem)
