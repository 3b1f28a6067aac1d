"""Which tests go to one process together when several run them, and in which order.

Tests that share something which takes seconds to set up (services, a finished run) would set it up once in every
process, and again after every file of another folder.
"""

from collections.abc import Sequence

import pytest
from xdist.scheduler import LoadFileScheduling

TOGETHER = ("tests/deployment/", "tests/crash/", "tests/cluster/", "tests/cli/", "tests/ui/")
LONGEST_FIRST = (
    *TOGETHER[:3],
    "tests/documents/",
    "tests/flows/",
    "tests/stages/",
    "tests/packaging/",
    *TOGETHER[3:],
    "tests/store/",
    "tests/core/test_processes.py",
)
"""The others fill what is left: a long group that came last would keep one process waiting for the other."""


class TogetherScheduling(LoadFileScheduling):
    """Gives a process all tests of a folder that shares its set-up, and otherwise all tests of a file."""

    def _split_scope(self, nodeid: str) -> str:
        return next(
            (folder for folder in TOGETHER if nodeid.startswith(folder)), super()._split_scope(nodeid)
        )


def longest_first(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Return the tests in the order in which they are to be handed out."""
    return sorted(items, key=lambda item: _place(item.nodeid))


def _place(nodeid: str) -> int:
    places = (place for place, beginning in enumerate(LONGEST_FIRST) if nodeid.startswith(beginning))
    return next(places, len(LONGEST_FIRST))
