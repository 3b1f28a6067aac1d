"""What defines each method, read from what its runs left in the store. Responses come from a script."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import pytest
from sqlalchemy import Engine, text

from adastar_core import stages
from adastar_core.config import files
from adastar_core.config.methods import METHODS, OWN, MethodName
from adastar_core.records import GenerationRequest, Split
from adastar_core.report.build import report_of
from adastar_core.runs.opening import open_workspace
from adastar_core.runs.workspace import Workspace
from adastar_core.samplers.revising import FIRST_REVISION
from adastar_core.stages.calibrate import calibrate
from adastar_core.streams import rng
from tests.support.runs import run_iteration, small_config
from tests.support.scripted import ScriptedGenerator

POOL = 40
TINY = (f"problem.train={POOL}", "problem.validation=4", "problem.test=4", "schedule.first_steps=1")


@contextmanager
def opened(engine: Engine, home: Path, method: str, *overrides: str) -> Iterator[Workspace]:
    config = small_config(engine, home, f"method={method}", *TINY, *overrides)
    with open_workspace(config, f"{method}-{len(overrides)}") as workspace:
        yield workspace


def run(workspace: Workspace, iterations: int = 2, *, restarted: bool = False) -> ScriptedGenerator:
    """Run with responses of which about half are right; ``restarted`` has the sampler rebuilt from the store in every wave."""

    def script(one: GenerationRequest) -> str:
        if restarted:
            workspace.forget_sampler()
        right = rng(one.stream, "right").random() < 0.5
        answer = workspace.train[one.position].answer
        return f"step {one.stream % 3}\n#### {answer if right else -1}"

    generator = ScriptedGenerator(script)
    workspace.generators.use(generator)
    for iteration in range(1, iterations + 1):
        run_iteration(workspace, iteration)
    return generator


def rows(workspace: Workspace, query: str) -> list[tuple[object, ...]]:
    with workspace.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query), {"run": workspace.run_id})]


def column(workspace: Workspace, query: str) -> list[object]:
    return [row[0] for row in rows(workspace, query)]


PARENTS = "SELECT parent_iteration FROM checkpoints WHERE run_id = :run AND iteration > 0 ORDER BY iteration"
VISITED = "SELECT m FROM iterations WHERE run_id = :run ORDER BY iteration"
COUNTS = (
    "SELECT beta, accepted, examples FROM iterations JOIN checkpoints USING (run_id, iteration) WHERE run_id = :run "
    "ORDER BY iteration"
)
TRAINED_EACH = "SELECT count(*) FROM training_examples WHERE run_id = :run GROUP BY iteration, position ORDER BY count(*)"
ATTEMPTS_EACH = "SELECT count(*) FROM rollouts WHERE run_id = :run GROUP BY iteration, position"


OWN_PATH = "sampler.path=bench/oracle.py:Oracle"
KNOWN = [name for name in METHODS if name != OWN]


@pytest.mark.parametrize("name", METHODS)
def test_a_method_named_on_the_command_line_replaces_the_preset_s_values(name: str) -> None:
    for preset in ("quickstart", "paper-arc_challenge-llama"):
        more = [OWN_PATH] if name == OWN else []
        config = files.resolve(files.load_preset(preset), [f"method={name}", *more])
        assert config.method_title() == name


def test_every_name_that_a_configuration_may_give_has_its_settings() -> None:
    assert set(METHODS) == set(get_args(MethodName))


def test_values_given_with_a_method_are_kept_and_show_in_its_title() -> None:
    config = files.resolve({"method": "rest-em", "attempts": 32})
    assert (config.attempts, config.cut_off) == (32, 3)
    assert config.method_title() == "rest-em (attempts=32)"
    assert files.resolve({}, ["attempts=4", "method=rest-em"]).attempts == 4
    assert files.resolve({"attempts": 4}, ["method=rest-em"]).attempts == 11
    for other in ("sampler=thompson", "sampler.type=thompson"):
        config = files.resolve({}, ["method=adastar", other])
        assert config.method_title() == "adastar (sampler.type=thompson)"


@pytest.mark.parametrize(
    "name",
    [name for name in KNOWN if files.resolve({}, [f"method={name}"]).schedule.visit == "until_beta"],
)
def test_lazy_methods_stop_at_beta_and_start_from_the_last_checkpoint(
    database: Engine, tmp_path: Path, name: str
) -> None:
    with opened(database, tmp_path, name) as workspace:
        run(workspace)
        assert all(m < POOL for m in column(workspace, VISITED))
        left_out = (
            "SELECT jsonb_array_length(left_out) FROM iterations WHERE run_id = :run ORDER BY iteration"
        )
        for (beta, accepted, trained), left in zip(
            rows(workspace, COUNTS), column(workspace, left_out), strict=True
        ):
            assert beta <= accepted == trained + left
            assert name == "adastar-thin" or not left
        assert column(workspace, PARENTS) == [0, 1]
        stamped = column(
            workspace, "SELECT stamped < m FROM iterations WHERE run_id = :run ORDER BY iteration"
        )
        assert stamped == [name in ("adastar", "adastar-no-win-rate", "adastar-flipped", "adastar-thin")] * 2
        ahead = list(workspace.sampler(3).order(3))
        workspace.forget_sampler()
        assert list(workspace.sampler(3).order(3)) == ahead


def test_an_order_that_learns_within_an_iteration_survives_a_restart(
    database: Engine, tmp_path: Path
) -> None:
    """More than 128 visits an iteration, so that the order is revised."""
    sizes = ("problem.train=400", "schedule.first_steps=20")
    visits = "SELECT iteration, rank, position, attempts, correct FROM observation_events WHERE run_id = :run ORDER BY 1, 2"
    found = []
    for number, restarted in enumerate((False, True)):
        more = ("cut_off=9",) * number  # another name for the run; no observation has as many
        with opened(database, tmp_path, "frontier", *sizes, *more) as workspace:
            run(workspace, restarted=restarted)
            assert all(int(str(m)) > FIRST_REVISION for m in column(workspace, VISITED))
            found.append(rows(workspace, visits))
    assert found[0] == found[1]


def test_hs_star_spends_on_the_boundary_what_the_others_left(database: Engine, tmp_path: Path) -> None:
    with opened(database, tmp_path, "hs-star", "sampler.low=0.5", "sampler.high=0.5") as workspace:
        run(workspace, iterations=3)
        each = "SELECT attempts, attempts > 2 FROM observation_events WHERE run_id = :run AND iteration = "
        visits = [rows(workspace, f"{each}{iteration}") for iteration in (1, 2)]
        shares = [sum(bool(more) for _, more in one) / len(one) for one in visits]
        assert 0 < shares[0] < 1
        assert {attempts for attempts, _ in visits[0]} == {2, 4}
        assert {attempts for attempts, _ in visits[1]} == {2, 2 + int(2 / shares[0])}


def test_dart_makes_attempts_until_its_right_ones_are_there(database: Engine, tmp_path: Path) -> None:
    settings = ("sampler.wanted=2", "sampler.attempts=5")
    right_each = (
        "SELECT count(*) FILTER (WHERE outcome = 'right'), count(*), max(attempt) FILTER (WHERE outcome = 'right') "
        "FROM verdicts JOIN observation_events USING (run_id, iteration, position) "
        "WHERE run_id = :run AND iteration = 1 GROUP BY position"
    )
    for name in ("dart-uniform", "dart-prop2diff"):
        with opened(database, tmp_path, name, *settings) as workspace:
            run(workspace, iterations=1)
            for right, made, last in rows(workspace, right_each):
                assert made == 5 if right < 2 else (right, made) == (2, last)


def test_random_lazy_is_adastar_but_for_the_order() -> None:
    adastar, control = (dict(METHODS[name].settings) for name in ("adastar", "random-lazy"))
    assert adastar.pop("sampler") != control.pop("sampler")
    assert adastar == control


@pytest.mark.parametrize(
    ("name", "parents", "full"),
    [
        ("star", [0, 0], False),
        ("star-acc", [0, 1], False),
        ("star-full", [0, 0], True),
        ("star-acc-full", [0, 1], True),
    ],
)
def test_star_visits_all_and_trains_on_beta_or_on_all(
    database: Engine, tmp_path: Path, name: str, parents: list[int], full: bool
) -> None:
    with opened(database, tmp_path, name, "rationalize=true") as workspace:
        run(workspace)
        assert column(workspace, VISITED) == [POOL] * 2
        assert column(workspace, PARENTS) == parents
        for beta, accepted, trained in rows(workspace, COUNTS):
            assert accepted > beta
            assert trained == (accepted if full else beta)
        trained_in_all = "SELECT sum(times_trained) FROM observation_statistics WHERE run_id = :run"
        examples = "SELECT count(*) FROM training_examples WHERE run_id = :run"
        assert column(workspace, trained_in_all) == column(workspace, examples)
        hinted = "SELECT count(*) FROM rollouts WHERE run_id = :run AND hinted AND attempt = 2"
        assert column(workspace, hinted) != [0]


def test_k_samples_are_all_made_and_all_right_ones_trained(database: Engine, tmp_path: Path) -> None:
    with opened(database, tmp_path, "star-acc-full-k") as workspace:
        run(workspace)
        assert set(column(workspace, ATTEMPTS_EACH)) == {5}
        right = "SELECT count(*) FROM verdicts WHERE run_id = :run AND outcome = 'right'"
        assert column(workspace, right) == column(
            workspace, "SELECT count(*) FROM training_examples WHERE run_id = :run"
        )
        assert column(workspace, PARENTS) == [0, 1]


def test_rest_em_never_trains_more_than_its_cut_off_and_starts_from_the_base(
    database: Engine, tmp_path: Path
) -> None:
    with opened(database, tmp_path, "rest-em") as workspace:
        run(workspace)
        assert set(column(workspace, ATTEMPTS_EACH)) == {11}
        assert column(workspace, TRAINED_EACH)[-1] == 3
        assert column(workspace, PARENTS) == [0, 0]
        assert column(workspace, "SELECT count(*) FROM rollouts WHERE run_id = :run AND hinted") == [0]


@pytest.mark.parametrize(("name", "fewest"), [("b-star", 5), ("b-star-k", 1)])
def test_b_star_samples_with_the_best_balance_at_a_fixed_k_and_its_variant_with_any(
    database: Engine, tmp_path: Path, name: str, fewest: int
) -> None:
    with opened(database, tmp_path, name, "exploration.observations=4") as workspace:
        run(workspace)
        (chosen, again) = rows(
            workspace, "SELECT attempts, score FROM controls WHERE run_id = :run ORDER BY 1"
        )
        assert fewest <= chosen[0] <= again[0] <= 5
        made = "SELECT max(attempt) FROM rollouts WHERE run_id = :run GROUP BY iteration ORDER BY 1"
        assert sorted(column(workspace, made)) == [chosen[0], again[0]]
        temperatures = "SELECT temperature FROM controls WHERE run_id = :run ORDER BY iteration"
        used = [workspace.sampling_decoding(iteration).temperature for iteration in (1, 2)]
        assert column(workspace, temperatures) == used
        probe = "SELECT generated_tokens > 0 FROM compute WHERE run_id = :run AND stage = 'generate probe'"
        assert column(workspace, probe) == [True, True]
        assert calibrate(workspace, 1) == workspace.control(1)


def test_sft_trains_on_every_reference_answer_and_generates_nothing(database: Engine, tmp_path: Path) -> None:
    with opened(database, tmp_path, "sft") as workspace:
        run(workspace)
        answers = {f"#### {observation.answer}" for observation in workspace.train}
        assert set(column(workspace, "SELECT response FROM rollouts WHERE run_id = :run")) == answers
        assert [trained for _, _, trained in rows(workspace, COUNTS)] == [POOL] * 2
        spent = "SELECT sum(flops) FROM compute WHERE run_id = :run AND stage LIKE 'generate%'"
        assert column(workspace, spent) == [0]
        assert column(workspace, "SELECT sum(rationales_checked) FROM iterations WHERE run_id = :run") == [0]


def evaluated(workspace: Workspace) -> Sequence[GenerationRequest]:
    generator = ScriptedGenerator(lambda one: f"#### {workspace.data[Split.TEST][one.position].answer}")
    workspace.generators.use(generator)
    assert stages.evaluate(workspace, 0, Split.TEST).accuracy.share == 1
    return [request for batch in generator.batches for request in batch]


def test_eight_worked_examples_stand_before_the_question(database: Engine, tmp_path: Path) -> None:
    with opened(database, tmp_path, "sft-8cot") as workspace:
        requests = evaluated(workspace)
        assert [request.prompt.count("####") for request in requests] == [8] * 4
        assert all(
            request.prompt.endswith(f"\n{workspace.data[Split.TEST][request.position].question}\n")
            for request in requests
        )
        questions = {observation.question for observation in workspace.data[Split.TEST]}
        assert not any(line in questions for request in requests for line in request.prompt.splitlines()[:-1])


def test_self_consistency_takes_the_majority_of_five_samples(database: Engine, tmp_path: Path) -> None:
    with opened(database, tmp_path, "sft-5sc") as workspace:
        requests = evaluated(workspace)
        assert len(requests) == 5 * 4
        assert len({request.stream for request in requests}) == 5 * 4
        (cost,) = rows(workspace, "SELECT stage, prompt_tokens FROM compute WHERE run_id = :run")
        assert cost == ("evaluate test by self-consistency", sum(len(request.prompt) for request in requests))
        wrong_twice = ScriptedGenerator(
            lambda one: (
                f"#### {-one.attempt if one.attempt < 3 else workspace.data[Split.VALIDATION][one.position].answer}"
            )
        )
        workspace.generators.use(wrong_twice)
        assert stages.evaluate(workspace, 0, Split.VALIDATION).accuracy.share == 1


def test_equal_work_of_another_run_is_taken_over_with_its_cost(database: Engine, tmp_path: Path) -> None:
    with opened(database, tmp_path, "star") as first:
        stages.evaluate(first, 0, Split.TEST)
        run_iteration(first, 1)
        costs = rows(first, "SELECT stage, flops FROM compute WHERE run_id = :run ORDER BY 1")
    with opened(database, tmp_path, "star-acc-full", "filter.empty=false", "trainer.thin=0.5") as second:
        idle = ScriptedGenerator(lambda _: pytest.fail("generated again"))
        second.generators.use(idle)
        stages.evaluate(second, 0, Split.TEST)
        wave = 0
        while not stages.sample(second, 1, wave).closed:
            stages.generate(second, 1, wave)
            stages.verify(second, 1, wave)
            wave += 1
        found = rows(second, "SELECT stage, flops FROM compute WHERE run_id = :run ORDER BY 1")
        assert found == [
            cost for cost in costs if cost[0] not in ("finetune", "evaluate validation", "models")
        ]
    with opened(database, tmp_path, "star-acc", "seed=1") as other_seed:
        assert run(other_seed, iterations=1).batches


def test_work_in_other_batches_is_not_taken_over(database: Engine, tmp_path: Path) -> None:
    """A run that stops at beta pads its batches in another way, and may round in another way too."""
    with opened(database, tmp_path, "random-lazy") as lazy:
        run(lazy, iterations=1)
    with opened(database, tmp_path, "star-acc") as whole:
        run(whole, iterations=1)
        copied = "SELECT position FROM rollouts WHERE run_id = :run AND seconds = 0"
        assert rows(whole, copied) == []


def test_every_kind_of_token_is_counted_apart(database: Engine, tmp_path: Path) -> None:
    with opened(database, tmp_path, "star", "rationalize=true", "attempts=3") as workspace:
        stages.evaluate(workspace, 0, Split.VALIDATION)
        run(workspace)
        report = report_of(workspace, best=0)
    kinds = {(row.t, row.stage) for row in report.stages}
    generation = {(t, stage) for t in (1, 2) for stage in ("generate first", "generate hinted", "finetune")}
    assert kinds >= generation | {(t, "evaluate validation") for t in (0, 1, 2)}
    spent = sum(row.pflops for row in report.stages if not row.stage.startswith("evaluate"))
    assert report.total_pflops == pytest.approx(spent)
    # Loading and saving models takes time alone.
    assert all((row.attention_pflops > 0) == (row.stage != "models") for row in report.stages)


@pytest.mark.parametrize(
    "method", ["thompson", "mopps", "learnability", "learning-progress", "gps", "frontier"]
)
def test_a_sampler_that_counts_every_attempt_is_rebuilt_as_it_was(
    database: Engine, tmp_path: Path, method: MethodName
) -> None:
    """Its order after three iterations, from the stamps and the tokens that the store has of them."""
    with opened(database, tmp_path, method) as workspace:
        run(workspace, iterations=3)
        ahead = list(workspace.sampler(4).order(4))
        workspace.forget_sampler()
        assert list(workspace.sampler(4).order(4)) == ahead
        assert ahead != list(workspace.sampler(4).order(5))
