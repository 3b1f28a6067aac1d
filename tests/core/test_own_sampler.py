"""Samplers of the user's own: from a file or a package, with as much of the protocol as they need."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from adastar_core.config import files
from adastar_core.errors import ConfigError
from adastar_core.planning.plan import plan_of
from adastar_core.records import Observation
from adastar_core.samplers import Allocating, Reading, Remembering, Revising, Sampler, Stamps, Statistics
from adastar_core.samplers.catalogue import open_sampler
from adastar_core.samplers.custom import CustomSettings
from adastar_core.selection import Budget, Visit
from tests.support.samplers import COUNT, POOL, halves, opened, parse, visits_of

ORACLE = Path(__file__).parents[2] / "bench" / "oracle.py"

ORDER_ALONE = """
class Hardest:
    def __init__(self, statistics, seed, observation_ids):
        self.statistics = statistics

    def order(self, iteration):
        return iter(self.statistics.win_rate().argsort(kind="stable").tolist())

class Twice(Hardest):
    def budget(self, position, judged):
        from adastar_core.selection import Budget
        return Budget(2)

class Longest(Hardest):
    def read(self, questions):
        self.lengths = [len(question) for question in questions]

    def order(self, iteration):
        return iter(sorted(range(len(self.lengths)), key=self.lengths.__getitem__, reverse=True))

def Unfinished(*_):
    return {}

class Counting(Hardest):
    recalled = 0

    def recall(self, stamps):
        self.recalled += len(stamps.positions)

    def order(self, iteration):
        count = len(self.statistics.win_rate())
        first = self.recalled - count // 2
        return iter([(first + place) % count for place in range(count)])
"""


def own(folder: Path, name: str, past: Sequence[Stamps] = ()) -> Sampler:
    (folder / "own.py").write_text(ORDER_ALONE)
    settings = parse({"type": "custom", "path": f"{folder / 'own.py'}:{name}"})
    return opened(settings, Statistics.empty(COUNT), past)


def test_a_sampler_of_your_own_needs_an_order_alone(tmp_path: Path) -> None:
    """Every visit is stamped, in the statistics that it was made with."""
    sampler = own(tmp_path, "Hardest")
    visits = visits_of(sampler, 1)
    assert sampler.observe(1, visits, 0.5) == len(visits)
    solved = {visit.position for visit in visits if visit.correct == visit.attempts}
    assert solved
    assert set(list(sampler.order(2))[-len(solved) :]) == solved
    assert not isinstance(sampler, Allocating | Remembering)


def test_the_default_for_observe_keeps_what_else_a_sampler_has(tmp_path: Path) -> None:
    sampler = own(tmp_path, "Twice")
    assert isinstance(sampler, Allocating)
    assert sampler.budget(0, []) == Budget(2)
    sampler = own(tmp_path, "Counting", [halves(1, even=1, odd=0, attempts=2)])
    assert next(iter(sampler.order(2))) == COUNT - COUNT // 2
    sampler.observe(2, [Visit(4, 2, 1, (1,), first_try=True)], 0.5)
    assert next(iter(sampler.order(3))) == COUNT - COUNT // 2 + 1


def test_a_sampler_of_your_own_may_read_the_questions(tmp_path: Path) -> None:
    """They are there when it is checked before a run, as in the run."""
    sampler = own(tmp_path, "Longest")
    assert isinstance(sampler, Reading)
    longest = max(range(COUNT), key=lambda position: len(POOL[position].question))
    assert next(iter(sampler.order(1))) == longest
    settings = CustomSettings(path=f"{tmp_path / 'own.py'}:Longest")
    settings.check(0, POOL)
    (tmp_path / "own.py").write_text(ORDER_ALONE.replace("len(question)", "int(question)"))
    with pytest.raises(ConfigError, match=r"(?s)read failed .*ValueError"):
        settings.check(0, POOL)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return None", "order failed .*not iterable"),
        ("return [0] * 3", "position 0 twice"),
        ("return [0, 1]", "left out 1 of 3 positions, the first is 2"),
        ("return [0, 1, 3]", "position 3, not one of 0 to 2"),
        ("return [-1, 0, 1]", "position -1"),
        ("return [0.0, 1.0, 2.0]", "order failed .*float"),
        ("yield 1; raise KeyError('mid')", "order failed .*KeyError: 'mid'.*own.py, line 6"),
        ("self.asked += 1; return [[0, 1, 2], [2, 1, 0]][self.asked % 2]", "two different orders"),
    ],
)
def test_what_a_sampler_of_your_own_orders_is_checked_before_a_run(
    tmp_path: Path, body: str, words: str
) -> None:
    text = f"class Own:\n asked = 0\n def __init__(self, *_): ...\n\n def order(self, iteration):\n  {body}\n"
    (tmp_path / "own.py").write_text(text)
    settings = CustomSettings(path=f"{tmp_path / 'own.py'}:Own")
    with pytest.raises(ConfigError, match=rf"(?s)sampler\.path.*{words}"):
        settings.check(0, POOL[:3])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return None", "revised failed .*not iterable\\)\\. It must give"),
        ("return range(200)", "position 0, which is visited already"),
        ("return [150, 150]", "position 150 twice"),
        ("return [150]", "left out 71 of 200 positions, the first is 128"),
        ("visits.clear()", "revised failed .*clear.*own.py, line 6"),
        ("return np.random.permutation(range(128, 200))", "revised returned two different orders"),
    ],
)
def test_a_revision_is_checked_before_a_run(tmp_path: Path, body: str, words: str) -> None:
    text = "import numpy as np\nclass Own:\n def __init__(self, *_): ...\n def order(self, iteration): return range(200)\n"
    (tmp_path / "own.py").write_text(f"{text} def revised(self, iteration, visits):\n  {body}\n")
    settings = CustomSettings(path=f"{tmp_path / 'own.py'}:Own")
    with pytest.raises(ConfigError, match=rf"(?s)sampler\.path.*{words}"):
        settings.check(0, POOL)


def test_an_iteration_keeps_the_revision_that_it_began_with(tmp_path: Path) -> None:
    """Whatever the sampler says when it is asked again."""
    text = (
        "class Own:\n asked = 0\n def __init__(self, *_): ...\n def order(self, iteration): return range(4)\n"
    )
    revised = " def revised(self, iteration, visits):\n  self.asked += 1\n  return [[2, 3], [3, 2]][self.asked % 2]\n"
    (tmp_path / "own.py").write_text(text + revised)
    sampler = CustomSettings(path=f"{tmp_path / 'own.py'}:Own").open(Statistics.empty(4), 0, list("abcd"))
    assert isinstance(sampler, Revising)
    visits = [Visit(p, 1, 1, (1,), first_try=True) for p in (0, 1)]
    assert list(sampler.revised(1, visits)) == list(sampler.revised(1, visits)) == [3, 2]


def test_numbers_of_numpy_are_positions_and_stamps(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "import numpy as np\nclass Own:\n def __init__(self, *_): ...\n"
        " def order(self, iteration): return np.arange(3)\n"
        " def observe(self, iteration, visits, alpha): return np.int64([0, 1, 9][iteration])\n"
    )
    sampler = CustomSettings(path=f"{tmp_path / 'own.py'}:Own").open(Statistics.empty(3), 0, ["a", "b", "c"])
    assert [type(position) for position in sampler.order(1)] == [int] * 3
    visits = [Visit(0, 1, 1, (1,), first_try=True)]
    assert type(sampler.observe(1, visits, 0.5)) is int
    with pytest.raises(ConfigError, match="observe returned 9, not one of 0 to 1"):
        sampler.observe(2, visits, 0.5)


@pytest.mark.parametrize(
    ("body", "words"),
    [("(self): ...", "cannot be called"), ("(self, *_): open('/no')", "FileNotFound.*line 2")],
)
def test_what_its_constructor_raises_is_told_with_its_line(tmp_path: Path, body: str, words: str) -> None:
    (tmp_path / "own.py").write_text(f"class Own:\n def __init__{body}\n")
    with pytest.raises(ConfigError, match=words):
        CustomSettings(path=f"{tmp_path / 'own.py'}:Own").open(Statistics.empty(1), 0, ["a"])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return 2", "budget returned a int, not an"),
        ("return judged[7]", "budget failed .*IndexError.*line 4"),
    ],
)
def test_what_a_sampler_of_your_own_allots_is_checked(tmp_path: Path, body: str, words: str) -> None:
    (tmp_path / "own.py").write_text(
        f"class Own:\n def __init__(self, *_): ...\n def budget(self, position, judged):\n  {body}\n"
        " def order(self, iteration): return iter(range(3))\n"
    )
    sampler = CustomSettings(path=f"{tmp_path / 'own.py'}:Own").open(Statistics.empty(3), 0, ["a", "b", "c"])
    assert isinstance(sampler, Allocating)
    with pytest.raises(ConfigError, match=words):
        sampler.budget(0, [])


def test_an_edit_of_equal_size_within_a_second_is_seen(tmp_path: Path) -> None:
    """Python's cached bytecode would be taken for it."""
    file, stamp = tmp_path / "own.py", 1_700_000_000
    for text in (ORDER_ALONE, ORDER_ALONE.replace("Hardest", "Easiest")):
        file.write_text(text)
        os.utime(file, (stamp, stamp))
        name = "Hardest" if text == ORDER_ALONE else "Easiest"
        settings = parse({"type": "custom", "path": f"{file}:{name}"})
        assert sorted(opened(settings, Statistics.empty(2)).order(1)) == [0, 1]


def test_a_path_to_a_file_may_begin_at_the_home_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.py").write_text(ORDER_ALONE)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert list(
        opened(parse({"type": "custom", "path": "~/own.py:Hardest"}), Statistics.empty(2)).order(1)
    ) == [0, 1]


def test_a_sampler_of_an_installed_package_is_named_by_its_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package's files lie as pip leaves them."""
    (tmp_path / "harder.py").write_text(ORDER_ALONE)
    metadata = tmp_path / "harder-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: harder\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[adastar.samplers]\nhardest = harder:Hardest\n")
    monkeypatch.syspath_prepend(tmp_path)
    sampler = opened(parse({"type": "custom", "path": "hardest"}), Statistics.empty(COUNT))
    assert list(sampler.order(1)) == list(range(COUNT))
    with pytest.raises(ConfigError, match=r"'hardesst' is no entry point of adastar.samplers .*\bhardest\b"):
        opened(parse({"type": "custom", "path": "hardesst"}), Statistics.empty(COUNT))


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("nosuch.module:Sampler", "nosuch"),
        ("{folder}/nosuch.py:Sampler", "nosuch.py"),
        ("{folder}/own.py:Forwards", "has no 'Forwards'"),
        ("{folder}/own.py:Unfinished", r"no order\(iteration\)"),
    ],
)
def test_a_sampler_that_cannot_be_used_is_refused(tmp_path: Path, path: str, words: str) -> None:
    (tmp_path / "own.py").write_text(ORDER_ALONE)
    with pytest.raises(ConfigError, match=words):
        opened(parse({"type": "custom", "path": path.format(folder=tmp_path)}), Statistics.empty(3))


def test_a_dry_run_refuses_what_a_run_would(tmp_path: Path) -> None:
    config = files.resolve(
        files.load_preset("quickstart"), ["method=custom", f"sampler.path={tmp_path}/own.py:Own"]
    )
    with pytest.raises(ConfigError, match=r"sampler\.path"):
        plan_of(config)


@pytest.mark.parametrize(("more", "less"), [("234+567", "1234567+7654321"), ("3 4 7 -> 25", "1 2 3 4 -> 10")])
def test_the_oracle_of_the_comparisons_knows_additions_and_puzzles(more: str, less: str) -> None:
    """It takes what the packaged model solves more often than what it rarely or never solves."""
    settings = parse({"type": "custom", "path": f"{ORACLE}:Oracle"})
    pool = [Observation(f"{place}", question, "") for place, question in enumerate([more, less] * 100)]
    sampler = open_sampler(settings, 0, pool, Statistics.empty(len(pool)), lambda: ())
    first = list(sampler.order(1))[:50]
    assert sum(position % 2 == 0 for position in first) > 30
