"""Work that is done behind its caller: one piece at a time, in order, and none is lost or left over."""

import threading

import pytest

from adastar_core.machine.behind import behind


def test_a_piece_is_done_while_the_caller_goes_on_and_before_the_next() -> None:
    done, go_on = [], threading.Event()

    def first() -> None:
        assert go_on.wait(60)
        done.append(1)

    with behind() as work:
        work.do(first)
        assert done == []
        go_on.set()
        work.do(lambda: done.append(2))
        assert done[0] == 1
    assert done == [1, 2]


def test_what_a_piece_raises_is_raised_by_the_next_call_and_at_the_end() -> None:
    def fails() -> None:
        raise ValueError("the piece")

    with behind() as work:
        work.do(fails)
        with pytest.raises(ValueError, match="the piece"):
            work.do(lambda: None)
        work.wait()
    with pytest.raises(ValueError, match="the piece"), behind() as work:
        work.do(fails)


def test_a_block_that_fails_waits_for_its_piece() -> None:
    done: list[int] = []

    def fails() -> None:
        with behind() as work:
            work.do(lambda: done.append(1))
            raise KeyError("the block")

    with pytest.raises(KeyError, match="the block"):
        fails()
    assert done == [1]
