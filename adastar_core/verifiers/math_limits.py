"""How much work one comparison of formulas may be, so that a slow or busy machine decides as a fast and idle one.

Processor time bounds the first try, since to count costs three times as much. What that cuts off is tried again with its steps
counted: calls and returns, which are the same on every machine. Numbers too large to write out are refused before they are computed,
because computing one is a single step. The kernel ends a step that still lasts too long; that alone depends on the machine.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from cProfile import Profile
from itertools import count

from sympy import Expr, Integer, Rational, factorial

_SECONDS_BETWEEN_CHECKS = 0.25
_TICKS_OF_A_CHECK = 32
_MOST_BITS = 4_000_000
_LARGEST_FACTORIAL = 200_000


class TooMuchWork(BaseException):
    """The comparison is more work than allowed; no library may take it for one of its own errors."""


@contextmanager
def bounded_seconds(seconds: float) -> Iterator[None]:
    """Have the kernel end this process by SIGVTALRM when the block takes more processor time, even within one step."""
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


@contextmanager
def bounded_steps(steps: int, longest_seconds: float) -> Iterator[None]:
    """Let the block make so many calls and returns.

    When the excess is noticed depends on the machine's speed; whether there is one does not. ``longest_seconds`` of
    processor time between two of them, in a loop without calls or within C, end this process.

    Raises:
        TooMuchWork: It makes more.
    """
    ticks = count()
    profile = Profile(ticks.__next__, 1.0)
    before = 0

    def check(*_: object) -> None:
        nonlocal before
        done = _reading(ticks)
        if done > steps:
            raise _excess(steps)
        if done - before > _TICKS_OF_A_CHECK:
            signal.setitimer(signal.ITIMER_VIRTUAL, longest_seconds)
        before = _reading(ticks)

    signal.signal(signal.SIGPROF, check)
    signal.setitimer(signal.ITIMER_PROF, _SECONDS_BETWEEN_CHECKS, _SECONDS_BETWEEN_CHECKS)
    with bounded_seconds(longest_seconds):
        profile.enable()
        try:
            yield
        finally:
            profile.disable()
            signal.setitimer(signal.ITIMER_PROF, 0)
    if _reading(ticks) > steps:
        raise _excess(steps)


def _reading(ticks: "count[int]") -> int:
    # to take the next one would count itself
    return int(repr(ticks).removeprefix("count(").removesuffix(")"))


def _excess(steps: int) -> TooMuchWork:
    return TooMuchWork(f"takes more than {steps:,} steps")


def refuse_endless_numbers() -> None:
    """Make the library refuse integers of millions of digits, from now on."""
    for kind in (Rational, Integer):
        kind._eval_power = _bounded_power(kind._eval_power)
    factorial.eval = classmethod(_bounded_factorial(factorial.eval))


def _bounded_power(power: Callable[[Rational, Expr], Expr | None]) -> Callable[[Rational, Expr], Expr | None]:
    def bounded(base: Rational, exponent: Expr) -> Expr | None:
        if isinstance(exponent, Integer):
            largest = max(abs(base.p), base.q)
            if largest > 1 and largest.bit_length() * abs(exponent.p) > _MOST_BITS:
                raise TooMuchWork(f"needs a number of more than {_MOST_BITS:,} bits")
        return power(base, exponent)

    return bounded


def _bounded_factorial(evaluate: Callable[[Expr], Expr | None]) -> Callable[..., Expr | None]:
    def bounded(_: type[factorial], n: Expr) -> Expr | None:
        if isinstance(n, Integer) and n.p > _LARGEST_FACTORIAL:
            raise TooMuchWork(f"needs the factorial of more than {_LARGEST_FACTORIAL:,}")
        return evaluate(n)

    return bounded
