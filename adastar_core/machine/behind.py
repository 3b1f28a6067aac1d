"""One piece of work behind its caller: it is done in a thread while the caller goes on with the next."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager


class Behind:
    """Does pieces of work one after the other; at most one is behind. Made by :func:`behind`."""

    def __init__(self, thread: ThreadPoolExecutor) -> None:
        self._thread = thread
        self._last: Future[object] | None = None

    def do(self, piece: Callable[[], object]) -> None:
        """Begin a piece of work when the one before it is done, and raise what that one raised."""
        self.wait()
        self._last = self._thread.submit(piece)

    def wait(self) -> None:
        """Wait for the last piece, and raise what it raised."""
        last, self._last = self._last, None
        if last is not None:
            last.result()


@contextmanager
def behind() -> Iterator[Behind]:
    """Yield what does work behind the block. None is left when the block ends, however it ends."""
    with ThreadPoolExecutor(1, "behind") as thread:
        work = Behind(thread)
        yield work
        work.wait()
