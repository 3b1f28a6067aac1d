"""What a report is made of: frozen records, filled from the store."""

from dataclasses import dataclass
from math import sqrt

from adastar_core.compute import StageTokens
from adastar_core.records import Accuracy


@dataclass(frozen=True, slots=True)
class IterationRow:
    """One iteration, in the terms of the method.

    Attributes:
        t: Its number, from 1.
        beta: Accepted rationales wanted.
        m: Observations visited.
        accepted: Rationales that entered D+.
        surplus: Attempts made beyond the stopping observation; they cost and change nothing.
        alpha: The model's strength, in [0, 1].
        stamped: u, the visits that were stamped.
        first_try_accuracy: Share of visited observations right at the first, unhinted attempt.
        false_positive_share: Share of right answers with a wrong rationale; ``None`` where not checkable.
        validation: Greedy accuracy after the iteration; ``None`` before it is measured.
        pflops: The iteration's cost without padding, in 10^15 FLOPs; evaluation is not in it.
        padded_pflops: The same with padding, as the paper counts.
        seconds: Time of its stages, evaluation apart; copied work counts what it took where it was done.
        rejected: Right rationales that the rationale filter kept out of D+.
        undecided: Counted attempts that the verifier could not decide.
        attention_pflops: Attention's own products, in neither of the two.
        test: Accuracy on test after the iteration; ``None`` where it was not measured.
    """

    t: int
    beta: int
    m: int
    accepted: int
    surplus: int
    alpha: float
    stamped: int
    first_try_accuracy: float | None
    false_positive_share: float | None
    validation: Accuracy | None
    pflops: float
    padded_pflops: float
    seconds: float
    rejected: int = 0
    undecided: int = 0
    attention_pflops: float = 0.0
    test: Accuracy | None = None


@dataclass(frozen=True, slots=True)
class StageRow:
    """What one stage of one iteration cost: first, repeated, hinted and surplus attempts, training, evaluation.

    Attributes:
        t: The iteration; 0 = the base model's evaluation.
        stage: What was done.
        tokens: The tokens that went through the model, by kind.
        pflops: 6 P trained + 2 P read or generated, in 10^15 FLOPs.
        padded_pflops: The same with padding.
        attention_pflops: Attention's own products, in neither of the two.
        seconds: Wall time.
    """

    t: int
    stage: str
    tokens: StageTokens
    pflops: float
    padded_pflops: float
    attention_pflops: float
    seconds: float


@dataclass(frozen=True, slots=True)
class DifficultyRow:
    """Accuracy of one difficulty, for the base model and the selected checkpoint."""

    difficulty: str
    before: Accuracy
    after: Accuracy


@dataclass(frozen=True, slots=True)
class Sample:
    """One response to show, e.g. a question that the base model missed."""

    title: str
    question: str
    response: str


@dataclass(frozen=True, slots=True)
class RunReport:
    """Everything that is reported of a run.

    Attributes:
        run: The run's name.
        preset: The preset or file that the configuration came from; empty for neither.
        config_sha256: Digest of what the run is.
        problem: The problem's name.
        method: The method's name.
        base_model: The model that the run started from, as configured.
        seed: The run's seed.
        base_validation: The base model on validation.
        base_test: The base model on test; ``None`` before it is measured.
        test: The selected checkpoint on test, measured once; ``None`` before.
        best_iteration: The iteration whose checkpoint validation selected; 0 = the base model.
        wall_seconds: Wall time over all of its processes, from taking the run over to the last write; ``None`` where unknown.
        checkpoint: Where the selected checkpoint lies.
        iterations: In order.
        by_difficulty: On test where it was measured, otherwise on validation; easiest first.
        trained_frequency: ``trained_frequency[k]`` observations were trained on exactly k times.
        stages: What every stage cost.
        samples: Responses to show.
        notes: Remarks for the reader, one sentence each.
        items_sha256: Digest of the validation and test items, equal for runs that are measured on equal ones.
    """

    run: str
    preset: str
    config_sha256: str
    problem: str
    method: str
    base_model: str
    seed: int
    base_validation: Accuracy
    base_test: Accuracy | None
    test: Accuracy | None
    best_iteration: int
    wall_seconds: float | None
    checkpoint: str
    iterations: tuple[IterationRow, ...]
    by_difficulty: tuple[DifficultyRow, ...] = ()
    trained_frequency: tuple[int, ...] = ()
    stages: tuple[StageRow, ...] = ()
    samples: tuple[Sample, ...] = ()
    notes: tuple[str, ...] = ()
    items_sha256: str | None = None

    @property
    def total_pflops(self) -> float:
        """Return the cost of all iterations without padding, in 10^15 FLOPs."""
        return sum(row.pflops for row in self.iterations)

    @property
    def total_padded_pflops(self) -> float:
        """Return the cost of all iterations with padding, in 10^15 FLOPs."""
        return sum(row.padded_pflops for row in self.iterations)

    @property
    def has_rejections(self) -> bool:
        """Whether the rationale filter kept anything out."""
        return any(row.rejected for row in self.iterations)

    @property
    def total_attention_pflops(self) -> float:
        """Return the cost of attention's own products in all iterations, in 10^15 FLOPs."""
        return sum(row.attention_pflops for row in self.iterations)

    @property
    def selected_validation(self) -> Accuracy | None:
        """Return the selected checkpoint's accuracy on validation."""
        by_number = {row.t: row.validation for row in self.iterations}
        return by_number.get(self.best_iteration, self.base_validation)

    @property
    def trained_frequency_deviation(self) -> float | None:
        """Return the standard deviation of how often an observation was trained on (the paper's imbalance)."""
        observations = sum(self.trained_frequency)
        if not observations:
            return None
        mean = sum(times * count for times, count in enumerate(self.trained_frequency)) / observations
        squares = sum(count * (times - mean) ** 2 for times, count in enumerate(self.trained_frequency))
        return sqrt(squares / observations)
