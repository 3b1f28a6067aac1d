"""Curves as SVG that the page's own colours draw: where every line, tick and dot lies.

The report's figures take half a second each and have the colours of paper. These are drawn again with every update of
a page, in under a millisecond.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

WIDTH, HEIGHT = 520, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 14, 12, 40
_TICKS = 5


@dataclass(frozen=True, slots=True)
class Point:
    """A measured value, with the ends of its interval where it has one, and what a reader is told of it."""

    x: float
    y: float
    says: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """Points in the order of x under one name; ``colour`` is the number of one of the page's colours."""

    name: str
    points: tuple[Point, ...]
    colour: int


@dataclass(frozen=True, slots=True)
class Drawn:
    """A line as SVG: its path, the path around its intervals, and each dot as (x, y, what it says)."""

    name: str
    colour: int
    path: str
    band: str
    dots: tuple[tuple[float, float, str], ...]


@dataclass(frozen=True, slots=True)
class Curves:
    """A drawing of ``WIDTH`` x ``HEIGHT``; ticks are (place, text)."""

    title: str
    x_label: str
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    lines: tuple[Drawn, ...]


def draw(
    title: str, x_label: str, lines: Sequence[Line], shown: Callable[[float], str], *, whole_x: bool = True
) -> Curves | None:
    """Return the drawing of lines; ``None`` where no line has a point.

    ``shown`` writes a value of y beside its tick. With ``whole_x``, where x counts something, ticks are whole numbers.
    """
    points = [point for line in lines for point in line.points]
    if not points:
        return None
    ends = [end for point in points for end in (point.y, point.low, point.high) if end is not None]
    x_ticks = _ticks([point.x for point in points], whole=whole_x)
    y_ticks = _ticks(ends, whole=False)

    def x(value: float) -> float:
        return round(_between(value, x_ticks, _LEFT, WIDTH - _RIGHT), 1)

    def y(value: float) -> float:
        return round(_between(value, y_ticks, HEIGHT - _BOTTOM, _TOP), 1)

    return Curves(
        title,
        x_label,
        tuple((x(tick), f"{tick:.6g}") for tick in x_ticks),
        tuple((y(tick), shown(tick)) for tick in y_ticks),
        tuple(_drawn(line, x, y) for line in lines if line.points),
    )


def _drawn(line: Line, x: Callable[[float], float], y: Callable[[float], float]) -> Drawn:
    dots = tuple((x(point.x), y(point.y), point.says) for point in line.points)
    upper = [(x(p.x), y(p.high)) for p in line.points if p.high is not None]
    lower = [(x(p.x), y(p.low)) for p in line.points if p.low is not None]
    band = _path([*upper, *reversed(lower)]) + "Z" if len(upper) > 1 else ""
    return Drawn(line.name, line.colour, _path([dot[:2] for dot in dots]), band, dots)


def _path(corners: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x} {y}" for x, y in corners)


def _ticks(values: Sequence[float], *, whole: bool) -> list[float]:
    """Return round numbers at equal steps from below the least value to above the greatest."""
    low, high = min(values), max(values)
    step = _step((high - low) / _TICKS or abs(high) / _TICKS or 1.0)
    step = max(1.0, ceil(step)) if whole else step
    first = floor(low / step + 1e-9)
    last = max(ceil(high / step - 1e-9), first + 1)
    return [number * step for number in range(first, last + 1)]


def _step(least: float) -> float:
    """Return the smallest 1, 2 or 5 times a power of ten that is no less."""
    power = 10.0 ** floor(log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))


def _between(value: float, ticks: Sequence[float], start: float, end: float) -> float:
    return start + (end - start) * (value - ticks[0]) / (ticks[-1] - ticks[0])
