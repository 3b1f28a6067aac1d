"""The stages that a run goes through, each with its goal, and how fast earlier processes were."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from adastar_core.config import RunConfig
from adastar_core.progress import Pace, Stage
from adastar_core.records import Split
from adastar_core.runs.stored import StoredRun
from adastar_core.store.checkpoints import read_checkpoints
from adastar_core.store.costs import read_costs
from adastar_core.store.evaluations import read_evaluations
from adastar_core.store.iterations import read_iterations


class RunItinerary:
    """The stages of a run with these numbers of observations."""

    def __init__(self, config: RunConfig, sizes: Mapping[Split, int]) -> None:
        self._config, self._sizes = config, sizes
        self.may_end_sooner = config.patience is not None or config.budget_pflops is not None

    def sample(self, iteration: int) -> Stage:
        config = self._config
        if config.schedule.stop.by_acceptance:
            return Stage(iteration, "sample", config.beta(iteration), "accepted")
        # At least so much of an observation is settled by each attempt.
        gain = 1 / config.attempts_at_most()
        return Stage(iteration, "sample", self._sizes[Split.TRAIN], "observations", gain)

    def sampled(self, accepted: int, visited: int) -> int:
        """Return the units of an iteration that accepted and visited so many."""
        return accepted if self._config.schedule.stop.by_acceptance else visited

    def probe(self, iteration: int) -> Stage:
        settings = self._config.exploration
        observations = min(settings.observations, self._sizes[Split.TRAIN])
        attempts = len(settings.temperatures) * observations * self._config.attempts
        return Stage(iteration, "probe", attempts, "attempts")

    def finetune(self, iteration: int) -> Stage:
        steps = self._config.steps(iteration) if self._config.trains_up_to_beta() else 0
        return Stage(iteration, "finetune", steps, "steps")

    def evaluate(self, iteration: int, split: Split) -> Stage:
        return Stage(iteration, f"evaluate {split}", self._sizes[split], "answers")

    def after(self, stage: Stage) -> tuple[Sequence[Stage], Sequence[Stage] | None]:
        """Return the stages that follow in the same iteration, and all others; ``None`` if a budget ends the run."""
        if stage.name == f"evaluate {Split.TEST}":
            return (), self._tests_after(stage.iteration)
        here = self._iteration(stage.iteration) if stage.iteration else []
        names = [one.name for one in here]
        following = here[names.index(stage.name) + 1 :] if stage.name in names else []
        if self._config.budget_pflops is not None:
            return following, None
        later = range(stage.iteration + 1, self._config.iterations + 1)
        return following, [*(one for t in later for one in self._iteration(t)), *self._tests()]

    def place_of(self, stage: Stage) -> tuple[int, int]:
        """Return how many of the run's stages come before this one, and how many it has at most."""
        names = [one.name for one in self._iteration(1)]
        total = 1 + self._config.iterations * len(names) + len(self._tests())
        if stage.name == f"evaluate {Split.TEST}":
            return total - 1 - len(self._tests_after(stage.iteration)), total
        if not stage.iteration:
            return 0, total
        return 1 + (stage.iteration - 1) * len(names) + names.index(stage.name), total

    def _iteration(self, iteration: int) -> list[Stage]:
        probe = [] if self._config.exploration.control == "fixed" else [self.probe(iteration)]
        evaluation = self.evaluate(iteration, Split.VALIDATION)
        return [*probe, self.sample(iteration), self.finetune(iteration), evaluation]

    def _tests(self) -> list[Stage]:
        """Return the evaluations on test: of the base model and of the best checkpoint, wherever that comes from."""
        last = self._config.iterations
        measured = range(last + 1) if self._config.evaluation.test_every_iteration else (0, last)
        return [self.evaluate(iteration, Split.TEST) for iteration in measured]

    def _tests_after(self, iteration: int) -> list[Stage]:
        if self._config.evaluation.test_every_iteration:
            return self._tests()[iteration + 1 :]
        return [] if iteration else self._tests()[1:]


def stored_paces(stored: StoredRun, itinerary: RunItinerary) -> dict[str, Pace]:
    """Return the speed of the newest stage of each kind that the store knows, whichever process did it."""
    spent: defaultdict[tuple[int, str], float] = defaultdict(float)
    for cost in stored.read(read_costs):
        word = cost.stage.split()[0]
        kind = "probe" if cost.stage == "generate probe" else {"generate": "sample"}.get(word, word)
        spent[cost.iteration, kind] += cost.seconds
    rows = stored.read(read_iterations)
    units = {(row.iteration, "sample"): itinerary.sampled(row.accepted or 0, row.m or 0) for row in rows}
    units |= {(row.iteration, "probe"): itinerary.probe(row.iteration).goal for row in rows}
    trained = stored.read(read_checkpoints, stored.folder)
    units |= {(row.iteration, "finetune"): row.training.steps for row in trained if row.training}
    # By iteration, so that the newest of a kind is kept.
    short = {(row.iteration, "sample") for row in rows if row.exhausted}
    paces = {
        key[1]: Pace(spent[key] / units[key], units[key], short=key in short)
        for key in sorted(spent)
        if units.get(key)
    }
    for row in stored.read(read_evaluations):
        paces["evaluate"] = Pace(row.seconds / row.accuracy.total, row.accuracy.total)
    return paces
