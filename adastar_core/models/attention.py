"""Which attention kernels torch may choose on a GPU."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def changing_lengths() -> Iterator[None]:
    """Keep torch from cuDNN's attention inside the block, where texts have ever other lengths.

    cuDNN plans a kernel for every new shape, and a plan takes longer than many layers: each token lengthens the cache, and
    each micro-batch has a shape of its own. ``bench/gpu/card.py`` measures ``model.generate`` with such plans.
    """
    allowed = torch.backends.cuda.cudnn_sdp_enabled()  # type: ignore[no-untyped-call]  # torch's
    torch.backends.cuda.enable_cudnn_sdp(False)
    try:
        yield
    finally:
        torch.backends.cuda.enable_cudnn_sdp(allowed)
