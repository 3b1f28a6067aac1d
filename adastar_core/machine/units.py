"""Numbers as people read them; a dash where there is none."""

import re

from adastar_core.records import Accuracy

NONE = "–"
_FLOPS = ((1e18, "EFLOPs"), (1e15, "PFLOPs"), (1e12, "TFLOPs"), (1e9, "GFLOPs"), (1e6, "MFLOPs"))
_PREFIXES = {"p": 1.0, "t": 1e-3, "g": 1e-6}
_SIZES = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


def percent(share: float | None) -> str:
    """Return a share from 0 to 1 as percent with its sign; ``None`` as a dash."""
    return NONE if share is None else f"{percent_number(share)} %"


def percent_number(share: float | None) -> str:
    """Return a share as ``67.7``, for a column whose heading says percent."""
    return NONE if share is None else f"{100 * share:.1f}"


def accuracy(measured: Accuracy | None) -> str:
    """Return an accuracy with its 95 % interval: ``67.7 % (64.1–71.2)``."""
    interval = measured.interval() if measured else None
    if measured is None or interval is None:
        return NONE
    low, high = interval
    return f"{percent(measured.share)} ({100 * low:.1f}–{100 * high:.1f})"


def points(before: Accuracy | None, after: Accuracy | None) -> str:
    """Return the difference of two accuracies in percentage points: ``+10.0``."""
    if before is None or after is None or before.share is None or after.share is None:
        return NONE
    return f"{100 * (after.share - before.share):+.1f}"


def flops_unit(pflops: float) -> tuple[float, str]:
    """Return the unit that suits a cost, and what 10^15 FLOPs are in it."""
    for size, name in _FLOPS:
        if pflops * 1e15 >= size:
            return 1e15 / size, name
    return 1e15, "FLOPs"


def flops(pflops: float) -> str:
    """Return a cost given in 10^15 FLOPs as ``12.3 TFLOPs``."""
    factor, name = flops_unit(pflops)
    return f"{number(pflops * factor)} {name}"


def pflops_in(text: str) -> float | None:
    """Return the 10^15 FLOPs of ``2TFLOPs``, ``0.5 PFLOPs`` or ``3e2gf``; ``None`` for what is no amount of compute."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?(?:e-?\d+)?)\s*([ptg])f(?:lops)?\s*", text.lower())
    return float(found[1]) * _PREFIXES[found[2]] if found and float(found[1]) > 0 else None


def number(value: float) -> str:
    """Return a number with three significant digits, never in exponents: ``0.0123``, ``4.50``, ``1,234``."""
    return f"{value:,.0f}" if value >= 99.95 else f"{value:#.3g}"


def size(number_of_bytes: float) -> str:
    """Return a size as ``12.3 GiB``."""
    for unit, name in _SIZES:
        if number_of_bytes >= unit:
            return f"{number(number_of_bytes / unit)} {name}"
    return f"{number_of_bytes:.0f} bytes"


def duration(seconds: float) -> str:
    """Return a time as ``8.4 s``, ``2 min 35 s`` or ``3 h 05 min``."""
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def about(seconds: float) -> str:
    """Return a time that is only estimated: ``8 s``, ``3 min`` or ``2.5 h``."""
    if round(seconds) < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if round(seconds / 60) < 90 else f"{seconds / 3600:.1f} h"


def counted(number: int, what: str) -> str:
    """Return how many there are: ``1 row``, ``1,234 rows``."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def wall_time(seconds: float | None) -> str:
    """Return a run's time as :func:`duration` does, or that it is not known."""
    return "an unknown time" if seconds is None else duration(seconds)
