"""A verifier of the user's own: see :mod:`adastar_core.machine.plugins` for how it is named."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from adastar_core.errors import DataError
from adastar_core.machine.plugins import PluginSettings, failure
from adastar_core.records import FinishReason, Observation, Outcome, Verdict
from adastar_core.verifiers import Batching, Closing, Response

_LONGEST_REASON = 300


class CustomVerifierSettings(PluginSettings):
    """A verifier of your own, called with the options; it has ``version`` and ``verify``."""

    type: Literal["custom"] = "custom"


Judgement = Verdict | Outcome | bool | None
"""What a user's verifier may say: a whole verdict, an outcome, right or wrong, or ``None`` for undecided."""


@runtime_checkable
class OwnVerifier(Protocol):
    """What a user's verifier must have.

    It may also have ``declare(observation)``, how a response declares the reference (default: ``#### X`` on a line of
    its own); ``verify_all(responses)``, which judges many at once; and ``close()``.
    """

    @property
    def version(self) -> str:
        """Name and version, e.g. ``"units/1"``. Change it whenever verdicts change: stored ones are then given again."""
        ...

    def verify(self, observation: Observation, response: str, finish_reason: FinishReason) -> Judgement:
        """Judge one response. What it raises makes the response undecided."""
        ...


@runtime_checkable
class _Declaring(Protocol):
    def declare(self, observation: Observation) -> str: ...


class CustomVerifier:
    """Makes verdicts of what a user's verifier says."""

    def __init__(self, own: OwnVerifier) -> None:
        self._own = own
        self.version = own.version

    def verify(self, observation: Observation, response: str, finish_reason: FinishReason) -> Verdict:
        try:
            said = self._own.verify(observation, response, finish_reason)
        except Exception as error:  # noqa: BLE001 (whatever it is, it concerns this response alone)
            failed = f"the verifier failed ({type(error).__name__}: {error})"
            return self._verdict(Outcome.UNDECIDED, failed[:_LONGEST_REASON])
        return self._judged(said, finish_reason)

    def verify_all(self, responses: Sequence[Response]) -> list[Verdict]:
        """Return one verdict per response, in order; one by one where the user's verifier cannot judge them together."""
        if isinstance(self._own, Batching):
            try:
                said: Sequence[Judgement] = self._own.verify_all(responses)
                if len(said) == len(responses):
                    pairs = zip(said, responses, strict=True)
                    return [self._judged(judgement, finish) for judgement, (_, _, finish) in pairs]
            except Exception:  # noqa: BLE001 (one by one shows which response it is)
                pass
        return [self.verify(*response) for response in responses]

    def declare(self, observation: Observation) -> str:
        if not isinstance(self._own, _Declaring):
            return f"\n#### {observation.answer}"
        try:
            declared: object = self._own.declare(observation)
        except Exception as error:
            raise DataError(
                f"{observation.observation_id}: declare of the verifier {self.version} failed {failure(error)}."
            ) from error
        if not isinstance(declared, str):
            raise DataError(
                f"{observation.observation_id}: declare of the verifier {self.version} returned a {type(declared).__name__}. "
                "Return text."
            )
        return declared

    def close(self) -> None:
        if isinstance(self._own, Closing):
            self._own.close()

    def _judged(self, said: Judgement, finish_reason: FinishReason) -> Verdict:
        if isinstance(said, np.bool_):
            said = bool(said)
        match said:
            case Verdict():
                return replace(said, verifier=self.version)
            case Outcome():
                return self._verdict(said, "as the verifier says")
            case None:
                return self._verdict(Outcome.UNDECIDED, "the verifier does not decide")
            case bool():
                # what a cut response would have gone on to say is not known
                if broken_off := finish_reason.broken_off:
                    return self._verdict(Outcome.UNDECIDED, f"generation was {broken_off}")
                return self._verdict(Outcome.RIGHT if said else Outcome.WRONG, "as the verifier says")
        return self._verdict(
            Outcome.UNDECIDED, f"the verifier returned a {type(said).__name__}, not a verdict, bool or None"
        )

    def _verdict(self, outcome: Outcome, reason: str) -> Verdict:
        return Verdict(outcome, None, "", reason, self.version)
