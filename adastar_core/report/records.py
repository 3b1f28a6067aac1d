"""What a run's report is made of. :mod:`adastar_core.report.build` fills these from the store."""

from dataclasses import dataclass
from math import sqrt

from adastar_core.compute import StageTokens
from adastar_core.records import Accuracy, Ending
from adastar_core.report.acceptance import ClassShare
from adastar_core.report.calibration import Calibration
from adastar_core.report.controls import Controls
from adastar_core.store.samples import SampleGroup


@dataclass(frozen=True, slots=True)
class IterationSummary:
    """One iteration, in the paper's terms; numbered from 1.

    Attributes:
        surplus: Attempts beyond the stopping observation: they cost compute and are not used.
        stamped: u, the number of visits that update the order.
        first_try_accuracy: Share of the visited observations whose first, unhinted attempt is right.
        false_positive_share: Share of right answers with a wrong rationale; ``None`` where not checkable.
        mislabelled_visit_share: Share of the visits to observations whose reference is wrong on purpose; ``None`` without any.
        mislabelled_accepted_share: Share of the accepted rationales that are theirs.
        validation: Greedy accuracy after the iteration; as ``test``, ``None`` before it is measured.
        pflops: Cost without padding, in 10^15 FLOPs, without evaluation.
        padded_pflops: The same with padding, as the paper counts.
        seconds: Time of its stages without evaluation; copied work counts the time of the run it was copied from.
        rejected: Right answers whose rationale the filter kept out of D+.
        undecided: Counted attempts that the verifier could not decide.
        attention_pflops: Attention products, which neither of the two includes.
        controls: What the validation accuracy is compared with; ``None`` before it is measured.
        classes: Visits and accepted rationales by class of the reference; empty where answers are open.
        right_attempts: Unhinted attempts that were right.
        right_by_guessing: How many of them guessing is expected to get right; ``None`` where answers are open.
        warnings: A paragraph on each thing that went wrong in it.
        certain: Accepted rationales that were near-certain; ``None`` where that is not recorded.
        left_out: How many of them training left out.
        certain_share: Share of D+'s tokens that are of the others.
        validation_right: A 1 for each validation item that was right, 0 for each other, in their order; ``None`` where unknown.
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
    controls: Controls | None = None
    classes: tuple[ClassShare, ...] = ()
    right_attempts: int = 0
    right_by_guessing: float | None = None
    mislabelled_visit_share: float | None = None
    mislabelled_accepted_share: float | None = None
    warnings: tuple[str, ...] = ()
    certain: int | None = None
    left_out: int | None = None
    certain_share: float | None = None
    validation_right: str | None = None

    @property
    def lucky_share(self) -> float | None:
        """The largest share of right attempts that may be luck: as many as guessing would get right."""
        if self.right_by_guessing is None or not self.right_attempts:
            return None
        return min(1.0, self.right_by_guessing / self.right_attempts)


@dataclass(frozen=True, slots=True)
class StageSummary:
    """The cost of one stage of one iteration, e.g. its first attempts or its training.

    Iteration 0 is the base model's evaluation. Costs are in 10^15 FLOPs, without attention products: 6 P per
    trained token and 2 P per read or generated token.
    """

    t: int
    stage: str
    tokens: StageTokens
    pflops: float
    padded_pflops: float
    attention_pflops: float
    seconds: float


@dataclass(frozen=True, slots=True)
class DifficultySummary:
    """Accuracy at one difficulty: the base model before, the selected checkpoint after."""

    difficulty: str
    before: Accuracy
    after: Accuracy


@dataclass(frozen=True, slots=True)
class RunReport:
    """Everything that is reported of a run.

    Attributes:
        preset: The preset or file that the configuration came from; empty if neither.
        config_sha256: Digest of the configuration fields that decide the result.
        test: The selected checkpoint's test accuracy, measured once; ``None`` before.
        best_iteration: The iteration whose checkpoint validation selected; 0 is the base model.
        wall_seconds: Summed over all processes that owned the run; ``None`` where unknown.
        by_difficulty: On test if measured, otherwise on validation; easiest first.
        trained_frequency: ``trained_frequency[k]`` observations were trained on exactly k times.
        samples: Questions with the answers before and after, on the same split as ``by_difficulty``.
        ending: How the run's last process ended before the run did; ``None`` if it did not.
        items_sha256: Digest of the validation and test items; accuracies are comparable where it is equal.
        base_controls: What the base model's accuracy is compared with, on the same split as ``by_difficulty``.
        controls: The same for the selected checkpoint.
        as_sampled: The base model on validation, prompted as rationales are sampled, where evaluations are prompted otherwise.
        warnings: What keeps the accuracy from meaning what it seems to, a paragraph each.
        calibration: How the sampler's predictions came true; ``None`` where it predicts nothing, and while the run is at work.
        base_validation_right: As ``validation_right`` of an iteration, of the base model.
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
    iterations: tuple[IterationSummary, ...]
    by_difficulty: tuple[DifficultySummary, ...] = ()
    trained_frequency: tuple[int, ...] = ()
    stages: tuple[StageSummary, ...] = ()
    notes: tuple[str, ...] = ()
    items_sha256: str | None = None
    samples: tuple[SampleGroup, ...] = ()
    ending: Ending | None = None
    base_controls: Controls | None = None
    controls: Controls | None = None
    as_sampled: Controls | None = None
    warnings: tuple[str, ...] = ()
    base_validation_right: str | None = None
    calibration: Calibration | None = None

    @property
    def selects_base(self) -> bool:
        """Whether the base model was selected, so that nothing in the report was measured after training."""
        return self.best_iteration == 0

    @property
    def total_pflops(self) -> float:
        """The cost without padding and evaluation, in 10^15 FLOPs, also of an iteration that ended the run unfinished."""
        return sum(row.pflops for row in self._work)

    @property
    def total_padded_pflops(self) -> float:
        return sum(row.padded_pflops for row in self._work)

    @property
    def total_attention_pflops(self) -> float:
        return sum(row.attention_pflops for row in self._work)

    @property
    def certain_pflops(self) -> float | None:
        """What training on near-certain rationales cost, without padding, by their share of the tokens; ``None`` if not recorded."""
        shares = {row.t: row.certain_share for row in self.iterations if row.certain_share is not None}
        if not shares:
            return None
        return sum(row.pflops * shares.get(row.t, 0.0) for row in self._training)

    @property
    def certain_training_share(self) -> float | None:
        """The share of training's compute that went to near-certain rationales; ``None`` if not recorded."""
        spent = sum(row.pflops for row in self._training)
        return None if self.certain_pflops is None or not spent else self.certain_pflops / spent

    @property
    def certain_left_out(self) -> int | None:
        """How many near-certain rationales training left out; ``None`` if not recorded."""
        counts = [row.left_out for row in self.iterations if row.left_out is not None]
        return sum(counts) if counts else None

    @property
    def _training(self) -> list[StageSummary]:
        return [row for row in self.stages if row.stage == "finetune"]

    @property
    def _work(self) -> list[StageSummary]:
        return [row for row in self.stages if not row.stage.startswith("evaluate")]

    @property
    def has_rejections(self) -> bool:
        return any(row.rejected for row in self.iterations)

    @property
    def selected_validation(self) -> Accuracy | None:
        by_number = {row.t: row.validation for row in self.iterations}
        return by_number.get(self.best_iteration, self.base_validation)

    @property
    def trained_frequency_deviation(self) -> float | None:
        """The standard deviation of how often an observation was trained on: the imbalance that the paper reports."""
        observations = sum(self.trained_frequency)
        if not observations:
            return None
        mean = sum(times * count for times, count in enumerate(self.trained_frequency)) / observations
        squares = sum(count * (times - mean) ** 2 for times, count in enumerate(self.trained_frequency))
        return sqrt(squares / observations)
