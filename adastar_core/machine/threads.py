"""The number of threads for a model on a CPU."""

import os

_TINY_PARAMETERS = 5_000_000
"""Below this, one thread is faster than several whenever the machine is busy."""


def limit_threads(parameters: int) -> None:
    """Use one thread for a tiny model unless ``OMP_NUM_THREADS`` says otherwise: two are slower."""
    if (threads := threads_for(parameters)) is not None:
        import torch

        torch.set_num_threads(threads)


def threads_for(parameters: int) -> int | None:
    """Return the threads for a model of this size; ``None`` leaves it to ``OMP_NUM_THREADS`` or the library."""
    return 1 if parameters < _TINY_PARAMETERS and "OMP_NUM_THREADS" not in os.environ else None
