"""How much an iteration wants and when its visits end, and how checkpoints are evaluated."""

from typing import Literal

from adastar_core.selection.rules import AtBeta, Stop, WholePool
from adastar_core.settings import Settings, method_setting, setting


class ScheduleSettings(Settings):
    """How many accepted rationales an iteration wants: beta_t = floor(first_steps * growth^(t-1)) * batch."""

    first_steps: int = setting(
        40, "First steps", "Training steps of the first iteration (sigma_1 of the paper).", ge=1
    )
    growth: float = setting(1.2, "Growth", "Factor by which the steps grow each iteration.", ge=1, le=10)
    visit: Literal["until_beta", "all"] = method_setting(
        "until_beta", "Visit", "Stop where beta_t rationales are accepted, or visit the whole pool."
    )
    train_on: Literal["accepted", "beta"] = method_setting(
        "accepted",
        "Train on",
        "All accepted rationales, or beta_t of them at random; they differ after a visit to the whole pool.",
    )

    balance_classes: bool = setting(
        False,
        "Balance classes",
        "Train on equally many accepted rationales of each class of answers, chosen at random, for problems with few answers.",
        added=True,
    )

    @property
    def stop(self) -> Stop:
        return AtBeta() if self.visit == "until_beta" else WholePool()


class EvaluationSettings(Settings):
    """How checkpoints are evaluated: on validation each iteration and on test once."""

    max_new_tokens: int | None = setting(
        None, "Longest answer", "Upper bound of generated tokens; default: the generator's.", ge=1
    )
    shots: int = method_setting(
        0, "Exemplars", "Worked examples before each question; at most those that the problem has.", ge=0
    )
    samples: int = method_setting(
        1,
        "Samples",
        "1 decodes greedily; more take the majority of that many samples, where undecided ones do not vote (self-consistency).",
        ge=1,
    )
    temperature: float = setting(
        0.7, "Temperature", "Temperature of those samples; greedy decoding has none.", gt=0, le=10
    )
    test_every_iteration: bool = setting(
        False,
        "Test every iteration",
        "Measure every checkpoint on test at the end, not only the selected one. May be changed later.",
        may_grow=True,
    )
