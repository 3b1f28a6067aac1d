"""Rows that are read at once and processed after their transaction.

Hashing or writing files between two rows of an open result would keep its transaction open: limits on idle transactions end
it, and it holds up the removal of old row versions.
"""

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from adastar_core.errors import HomeError

T = TypeVar("T")
_IN_MEMORY_BYTES = 16 * 2**20


class Spool(Generic[T]):
    """Rows kept in memory, or in a temporary file where they are many. Can be read any number of times.

    ``file`` holds one JSON array a line, of which ``make`` makes a row.
    """

    def __init__(self, file: "tempfile.SpooledTemporaryFile[bytes]", make: Callable[[list[Any]], T]) -> None:
        self._file, self._make = file, make

    def __iter__(self) -> Iterator[T]:
        self._file.seek(0)
        for line in self._file:
            yield self._make(json.loads(line))


@contextmanager
def spooled(rows: Iterable[Sequence[object]], make: Callable[[list[Any]], T]) -> Iterator[Spool[T]]:
    """Keep all ``rows``, which are JSON-like, until the block ends.

    Raises:
        HomeError: The disk has no room for them.
    """
    with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as file:
        try:
            file.writelines(json.dumps(list(row)).encode() + b"\n" for row in rows)
            file.flush()
        except OSError as error:
            raise HomeError(
                f"Rows of the database could not be stored in {tempfile.gettempdir()}: {error}. Free some space "
                "there, or name another directory with TMPDIR."
            ) from error
        yield Spool(file, make)
