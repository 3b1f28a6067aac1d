"""Where curves are drawn."""

import math

from hypothesis import given
from hypothesis import strategies as st

from adastar_core.machine.units import percent
from adastar_core.ui.curves import HEIGHT, WIDTH, Line, Point, draw

NUMBERS = st.floats(-1e12, 1e12).map(lambda number: 0.0 if abs(number) < 1e-9 else number)


def line(*values: tuple[float, float]) -> Line:
    return Line("one", tuple(Point(x, y, "") for x, y in values), 0)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=20))
def test_every_point_lies_within_its_ticks(values: list[tuple[float, float]]) -> None:
    curves = draw("", "", [line(*values)], str, whole_x=False)
    assert curves is not None
    xs, ys = [x for x, _ in curves.x_ticks], [y for y, _ in curves.y_ticks]
    assert 2 <= len(xs) <= 8
    assert 2 <= len(ys) <= 8
    assert xs == sorted(set(xs))
    assert ys == sorted(set(ys), reverse=True)
    for x, y, _ in curves.lines[0].dots:
        assert 0 <= xs[0] - 0.11 <= x <= xs[-1] + 0.11 <= WIDTH
        assert 0 <= ys[-1] - 0.11 <= y <= ys[0] + 0.11 <= HEIGHT


def test_iterations_have_whole_numbers() -> None:
    curves = draw("", "iteration", [line((0, 0.5), (1, 0.75))], percent)
    assert curves is not None
    assert [text for _, text in curves.x_ticks] == ["0", "1"]
    assert curves.y_ticks[0][1].endswith(" %")


def test_one_point_is_drawn_and_none_is_not() -> None:
    curves = draw("", "iteration", [line((0, 0.6)), line()], percent)
    assert curves is not None
    assert len(curves.lines) == 1
    assert curves.lines[0].band == ""
    assert draw("", "iteration", [line()], percent) is None


def test_intervals_surround_their_line() -> None:
    points = tuple(Point(t, 0.5, f"t {t}", 0.4, 0.6) for t in range(3))
    curves = draw("", "iteration", [Line("one", points, 3)], percent)
    assert curves is not None
    (drawn,) = curves.lines
    assert drawn.band.count("L") == 5
    assert drawn.band.endswith("Z")
    assert [says for _, _, says in drawn.dots] == ["t 0", "t 1", "t 2"]
    assert not math.isnan(drawn.dots[0][0])
