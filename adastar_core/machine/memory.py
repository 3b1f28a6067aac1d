"""Out of memory, whichever allocator reports it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from adastar_core.errors import OutOfMemory

_WORDS = ("out of memory", "can't allocate memory", "not enough memory")


def is_memory_error(error: BaseException) -> bool:
    """Return whether an error, or one that led to it, says that memory of the machine or of a GPU ran out."""
    causes = (error, error.__cause__, error.__context__)
    return any(
        isinstance(cause, MemoryError | torch.OutOfMemoryError)
        or any(word in str(cause).lower() for word in _WORDS)
        for cause in causes
    )


@contextmanager
def memory_errors(message: Callable[[str], str] = str) -> Iterator[None]:
    """Raise any out-of-memory error as :class:`OutOfMemory`; ``message`` rewrites the allocator's."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_memory_error(error):
            raise
        raise OutOfMemory(message((str(error) or type(error).__name__).splitlines()[0])) from error
