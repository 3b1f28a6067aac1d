"""What shows a run's progress to somebody: a terminal, a log, an artifact, or nothing."""

from typing import Protocol

from adastar_core.progress.records import Standing


class Display(Protocol):
    """Shows where a run stands."""

    def show(self, standing: Standing) -> None:
        """Take notice of where the run stands now; called with every change."""

    def line(self, text: str) -> None:
        """Show one line of text."""


class Silent:
    """Shows nothing: for notebooks, tests, and workers whose progress is read from the database."""

    def show(self, standing: Standing) -> None:
        pass

    def line(self, text: str) -> None:
        pass
