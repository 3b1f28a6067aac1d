"""What is known of a run's progress: the stage it is in, what was counted of it, and how long it still takes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a run, with its goal.

    Attributes:
        iteration: t; 0 for what is measured of the base model.
        name: ``sample``, ``probe``, ``finetune``, ``evaluate validation`` or ``evaluate test``.
        goal: How many units end it; 0 where only the stage itself will know.
        unit: What is counted, in the plural; ``accepted`` for rationales.
        gain: Units that an attempt brings, where no attempt of the stage was judged yet; ``None`` if nobody knows.
    """

    iteration: int
    name: str
    goal: int
    unit: str
    gain: float | None = None

    @property
    def title(self) -> str:
        return f"t={self.iteration} {self.name}"

    @property
    def kind(self) -> str:
        """What stages of one speed share: evaluations of both splits do."""
        return self.name.split()[0]

    @property
    def in_an_iteration(self) -> bool:
        return self.iteration > 0 and self.name != "evaluate test"


@dataclass(frozen=True, slots=True)
class Counts:
    """What a stage has counted.

    Attributes:
        done: Units of its goal.
        attempts: Attempts that were generated, of ``planned`` so far; 0 where none are counted.
        judged: Attempts with a verdict, of which ``accepted`` are accepted.
        tokens: Tokens that were generated or trained on, since this process entered the stage.
        loss: Mean loss of the last training step, in nats.
    """

    done: int = 0
    attempts: int = 0
    planned: int = 0
    judged: int = 0
    accepted: int = 0
    tokens: int = 0
    loss: float | None = None
    learning_rate: float | None = None


@dataclass(frozen=True, slots=True)
class Left:
    """Seconds that are left of the stage, of its iteration and of the run; ``None`` where nothing tells.

    The run's are at most these where it may end before its last iteration.
    """

    stage: float | None = None
    iteration: float | None = None
    run: float | None = None
    at_most: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a run stands, as of one moment.

    Attributes:
        since: What was counted before this process entered the stage, at the time ``entered``.
        counts: What is counted now, at the time ``at``. Both times are those of one clock, in seconds.
        share: How much of the stage is done, as far as anybody knows: it never falls.
        of_run: The same of the run, each of whose stages counts as much as another.
    """

    stage: Stage
    since: Counts
    counts: Counts
    entered: float
    at: float
    left: Left
    share: float
    of_run: float
