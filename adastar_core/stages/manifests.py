"""What stages hand to each other: ids, counts and digests, small enough for a cache entry or a log line."""

from adastar_core.records import Accuracy, Split
from adastar_core.settings import Settings


class SampleManifest(Settings):
    """The state of an iteration's sampling: ``planned`` attempts in the next wave; none when it is closed."""

    iteration: int
    planned: int
    beta: int
    m: int
    accepted: int

    @property
    def closed(self) -> bool:
        """Whether sampling is over: beta is reached or the pool is exhausted."""
        return self.planned == 0


class GenerateManifest(Settings):
    """``attempts`` that this wave planned; all of them are stored."""

    iteration: int
    wave: int
    attempts: int
    checkpoint_sha256: str


class VerifyManifest(Settings):
    """The iteration's verdicts so far."""

    iteration: int
    wave: int
    judged: int
    right: int
    verifier: str


class FinetuneManifest(Settings):
    """The checkpoint that an iteration's training published."""

    iteration: int
    checkpoint_sha256: str
    steps: int
    examples: int


class EvaluateManifest(Settings):
    """Greedy accuracy of one checkpoint on one split."""

    iteration: int
    split: Split
    accuracy: Accuracy


class AdvanceManifest(Settings):
    """A closed iteration: visits m, strength alpha, stamps u."""

    iteration: int
    m: int
    alpha: float
    stamped: int
