"""The base of every problem that is read from files and prompted with exemplars.

Generation shows exemplars before the question; training and evaluation do not. Otherwise the three are the
same text (:mod:`adastar_core.problems.prompts`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from adastar_core.errors import DataError
from adastar_core.machine import confine
from adastar_core.problems.loading import RowProblem, RowReader
from adastar_core.problems.prompts import Exemplar, question, stops, worked
from adastar_core.problems.rows import Row
from adastar_core.problems.settings import DataSettings
from adastar_core.problems.sources import HubSource, Source
from adastar_core.problems.template import Template
from adastar_core.records import Observation, Split
from adastar_core.verifiers.catalogue import VerifierName, open_verifier
from adastar_core.verifiers.custom import CustomVerifierSettings


@dataclass(frozen=True, slots=True)
class Benchmark:
    """What tells one problem from another; ``hub`` is where the data are when no path is given."""

    name: str
    read: RowReader
    verifier: VerifierName | CustomVerifierSettings
    exemplars: tuple[Exemplar, ...] = ()
    hub: HubSource | None = None


class FewShotProblem(RowProblem):
    """A problem read from files and prompted with exemplars."""

    settings: DataSettings

    def __init__(self, settings: DataSettings, benchmark: Benchmark) -> None:
        super().__init__(
            benchmark.name, settings, open_verifier(benchmark.verifier, fall_back=settings.fall_back)
        )
        self.benchmark = benchmark
        self._template = None if settings.prompt is None else Template(settings.prompt)
        self.stop = stops(self._template)
        shots = len(benchmark.exemplars) if settings.shots is None else settings.shots
        if shots > len(benchmark.exemplars):
            raise DataError(
                f"problem.shots ({shots}) is more than the {len(benchmark.exemplars)} exemplars of {self.name}."
            )
        self.exemplars = benchmark.exemplars[:shots]

    def row_reader(self, rows: Sequence[Row]) -> RowReader:  # noqa: ARG002 (for problems in which all rows decide)
        return self.benchmark.read

    def rows(self) -> dict[Split, list[Row]]:
        settings, hub = self.settings, self.benchmark.hub
        parts = {split: part for split in Split if (part := getattr(settings, split.value)) is not None}
        if hub is not None and settings.path in (None, hub.name):
            parts = dict(hub.splits) | parts
            return Source(hub.name, settings.subset or hub.subset, tuple(parts.items())).read()
        if settings.path is None:
            raise DataError(f"{self.name}: no data. Set problem.path to a file, a folder or a hub name.")
        confine.source(settings.path, "problem.path")
        return Source(settings.path, settings.subset, tuple(parts.items())).read()

    def prompt(self, observation: Observation) -> str:
        return self._shown + self._ask(observation)

    def hinted_prompt(self, observation: Observation) -> str:
        """Return the same with the reference answer shown in every question, the exemplars' too."""
        return self._shown_hinted + self._ask(observation, hinted=True)

    def training_prompt(self, observation: Observation) -> str:
        return self._ask(observation)

    def evaluation_prompt(self, observation: Observation, shots: int) -> str:
        """Return the question after the first ``shots`` of the problem's exemplars, or all that it has."""
        return self._worked(self.benchmark.exemplars[:shots]) + self._ask(observation)

    def system(self, observation: Observation) -> str | None:
        given = self.settings.system
        return None if given is None else Template(given, "problem.system").fill(observation)

    def reference(self, observation: Observation) -> str:
        return self.verifier.declare(observation)

    def rationale_is_correct(self, observation: Observation, response: str) -> bool | None:  # noqa: ARG002
        """Return ``None``: the steps of these rationales cannot be checked."""
        return None

    def _ask(self, observation: Observation, *, hinted: bool = False) -> str:
        if observation.choices and self._template and "choices" not in self._template.fields:
            raise DataError(
                f"problem.prompt has no {{choices}}, so the model would not see the options of {observation.shown}. Add the field."
            )
        return question(observation, self._template, hinted=hinted)

    def _worked(self, exemplars: Sequence[Exemplar], *, hinted: bool = False) -> str:
        return "".join(worked(self.verifier, one, self._template, hinted=hinted) for one in exemplars)

    @cached_property
    def _shown(self) -> str:
        return self._worked(self.exemplars)

    @cached_property
    def _shown_hinted(self) -> str:
        return self._worked(self.exemplars, hinted=True)
