"""The number format that ``dtype: auto`` means: what the model was published in, where the hardware has units for it."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol, Self, TypeVar

Format = Literal["float32", "bfloat16"]
_HALF = ("bfloat16", "float16")


class _HasFormat(Protocol):
    @property
    def dtype(self) -> str: ...

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self: ...


_Group = TypeVar("_Group", bound=_HasFormat)


def in_format(settings: _Group, model_dir: Path, *, on_gpu: bool) -> _Group:
    """Return settings of generation or training whose ``dtype`` names a format; see :func:`auto_format`."""
    if settings.dtype != "auto":
        return settings
    return settings.model_copy(update={"dtype": auto_format(model_dir, on_gpu=on_gpu)})


def auto_format(model_dir: Path, *, on_gpu: bool) -> Format:
    """Return what ``auto`` means for a model: bfloat16 on a GPU, and on a CPU with units for it if the model is in 16 bits.

    A model that was published in float32 may need its digits, so a CPU keeps them. One that was published in 16 bits has no
    more than bfloat16 has, up to the three digits by which float16 is finer.

    Raises:
        ModelError: The model's configuration or weights cannot be read.
    """
    from adastar_core.models.source import stored_format

    if on_gpu:
        return "bfloat16"
    return "bfloat16" if stored_format(model_dir) in _HALF and has_bfloat16_units() else "float32"


def why_auto(model_dir: Path, *, on_gpu: bool) -> str:
    """Return why ``auto`` means what it does for a model, for people."""
    from adastar_core.models.source import stored_format

    if on_gpu:
        return "on a GPU"
    stored = stored_format(model_dir)
    if stored not in _HALF:
        return f"the model is stored in {stored}"
    has = "has" if has_bfloat16_units() else "lacks"
    return f"the model is stored in {stored}, and this processor {has} units for bfloat16"


def caution(dtypes: Collection[str], *, on_gpu: bool) -> str:
    """Return the rest of a line about number formats: that one is slow here; empty if none is."""
    if "bfloat16" not in dtypes or on_gpu or has_bfloat16_units():
        return ""
    return " This processor has no units for bfloat16: float32 would be several times as fast."


def has_bfloat16_units() -> bool:
    """Return whether this processor multiplies in bfloat16 (AVX-512 BF16, AMX, Arm's BF16): without, it is slower than float32.

    A version of torch that cannot tell counts as no.
    """
    import torch

    tell = getattr(torch.cpu, "get_capabilities", dict)
    return any(has is True and "bf16" in name for name, has in tell().items())
