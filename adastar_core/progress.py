"""How stages report their progress to the caller."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Bar(Protocol):
    """The progress of one stage."""

    def advance(self, done: int, tokens: int = 0) -> None:
        """Count ``done`` more units, and the tokens that they took."""


class Progress(Protocol):
    """Shows the stages of a run."""

    def stage(self, name: str, total: int, unit: str) -> AbstractContextManager[Bar]:
        """Open a bar of ``total`` units for the length of a ``with`` block."""

    def line(self, text: str) -> None:
        """Show one line of text."""


class _NoBar:
    def advance(self, done: int, tokens: int = 0) -> None:
        pass


class Silent:
    """Shows nothing: for notebooks, tests and workers whose progress is read from the database."""

    @contextmanager
    def stage(self, name: str, total: int, unit: str) -> Iterator[Bar]:  # noqa: ARG002 (the protocol's signature)
        yield _NoBar()

    def line(self, text: str) -> None:
        pass
