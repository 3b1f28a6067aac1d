"""With ``tiebreak: official`` and rounding, the order of visit and the stamps are those of the authors' code."""

from adastar_core.records import Observation
from adastar_core.samplers import Statistics
from adastar_core.samplers.adastar import AdaStarSettings
from adastar_core.samplers.catalogue import open_sampler
from adastar_core.selection import Judged, Rules, close, next_attempts
from adastar_core.streams import rng
from tests.core.official import Official

RULES = Rules(attempts=2, until_correct=True, rationalize=False, count_hinted_wins=True)


def test_200_random_iterations_give_the_same_visits_and_stamps() -> None:
    compared = 0
    for case in range(10):
        choice = rng(case, "official")
        ids = [f"id_{number}" for number in range(int(choice.integers(20, 400)))]
        pool = [Observation(name, name, "1") for name in ids]
        chance = {name: float(choice.beta(0.7, 0.7)) for name in ids}
        settings = AdaStarSettings(tiebreak="official", rounding="round")
        official, sampler = Official(ids), open_sampler(settings, 0, pool, Statistics.empty(len(ids)))
        for iteration in range(1, 21):
            required = int(choice.integers(5, len(ids)))

            def right(name: str, attempt: int, case: int = case, iteration: int = iteration) -> bool:
                return rng(case, "right", iteration, name, attempt).random() < chance[name]  # noqa: B023 (used at once)

            visited, updated = official.iterate(iteration, required, 2, right)
            results: dict[int, list[Judged]] = {}
            while planned := next_attempts(sampler.order(iteration), results, RULES, required, 16):
                for one in planned:
                    judged = Judged(one.attempt, one.hinted, right(ids[one.position], one.attempt))
                    results.setdefault(one.position, []).append(judged)
            selection = close(sampler.order(iteration), results, RULES, required)
            stamped = sampler.observe(iteration, selection.visits, selection.acceptance)
            assert [ids[visit.position] for visit in selection.visits] == visited
            assert [ids[visit.position] for visit in selection.visits[:stamped]] == updated
            state = sampler.statistics
            assert [
                {"iter": int(last), "win": int(win), "total": int(total)}
                for last, win, total in zip(state.last_iteration, state.correct, state.attempts, strict=True)
            ] == [official.win_lose[name] for name in ids]
            compared += 1
    assert compared == 200
