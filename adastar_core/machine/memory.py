"""What running out of memory looks like, whichever allocator says it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from adastar_core.errors import OutOfMemory

_WORDS = ("out of memory", "can't allocate memory", "not enough memory")


def is_memory_error(error: BaseException) -> bool:
    """Return whether an error, or what it came from, says that memory ran out."""
    causes = (error, error.__cause__, error.__context__)
    return any(
        isinstance(one, MemoryError | torch.OutOfMemoryError)
        or any(word in str(one).lower() for word in _WORDS)
        for one in causes
        if one is not None
    )


@contextmanager
def memory_errors(message: Callable[[str], str] = str) -> Iterator[None]:
    """Raise every lack of memory in the block as one error of this project.

    Args:
        message: Makes the error's message of what the allocator said.

    Raises:
        OutOfMemory: Memory ran out.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_memory_error(error):
            raise
        raise OutOfMemory(message((str(error) or type(error).__name__).splitlines()[0])) from error
