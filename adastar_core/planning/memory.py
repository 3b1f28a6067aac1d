"""The memory of this machine that a run may use: that of its GPUs, or else its own."""

from pathlib import Path

_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def machine_memory() -> tuple[int, str]:
    """Return the bytes that one process may have here, and what they are of.

    A GPU's whole memory counts where there is one; else this machine's, or what its container may have of it.
    """
    import psutil
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_properties(0).total_memory, "this machine's GPU"
    return min([psutil.virtual_memory().total, *_container_limits()]), "this machine"


def _container_limits() -> list[int]:
    texts = [Path(path).read_text().strip() for path in _LIMITS if Path(path).is_file()]
    return [int(text) for text in texts if text.isdigit()]
