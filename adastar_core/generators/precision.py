"""Number formats of generation, and float64 that is float64 throughout."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch
from torch.overrides import TorchFunctionMode

from adastar_core.models.formats import auto_format

FLOAT64 = torch.float64


def number_format(name: str, model_dir: Path, device: torch.device) -> torch.dtype:
    """Return the number format that ``generator.dtype`` means for a model on a device."""
    if name == "auto":
        name = auto_format(model_dir, on_gpu=device.type == "cuda")
    return {"float64": FLOAT64, "float32": torch.float32, "bfloat16": torch.bfloat16}[name]


def arithmetic(dtype: torch.dtype) -> AbstractContextManager[object]:
    """Return the context to load and run a model of this type in."""
    return Float64() if dtype == FLOAT64 else nullcontext()


class Float64(TorchFunctionMode):
    """Turns every request for float32 into one for float64.

    Models compute norms, rotary tables and softmax in float32 whatever their weights are. That helps bfloat16, but would
    round float64 down, and differently for other batch sizes.
    """

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: tuple[type, ...],
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        if func is torch.Tensor.float:
            func = torch.Tensor.double

        def widened(value: object) -> object:
            return FLOAT64 if value is torch.float32 else value

        wide = {name: widened(value) for name, value in (kwargs or {}).items()}
        return func(*map(widened, args), **wide)
