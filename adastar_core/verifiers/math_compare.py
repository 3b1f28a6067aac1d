"""Comparing two parsed formulas: right only with a proof, wrong only with a counterexample.

The library's own comparison rounds to 6 or 15 digits, takes the equations of two empty solution sets for equal,
and an open interval for the set of its ends. So its word alone never makes an answer right.
"""

from enum import StrEnum
from itertools import product
from typing import TypeAlias

import sympy
from latex2sympy2_extended.logic import And
from sympy import Basic, Eq, Expr, Integral, Interval, MatrixBase, Rational, Set, Symbol, simplify
from sympy.concrete.expr_with_limits import ExprWithLimits
from sympy.core.function import AppliedUndef
from sympy.core.relational import Relational

Formula: TypeAlias = Basic | MatrixBase


class Relation(StrEnum):
    """What is known of two formulas."""

    EQUAL = "equal"
    DIFFERENT = "different"
    UNPROVEN = "unproven"
    UNKNOWN = "unknown"


_DIGITS = 30
_NOISE = Rational(1, 10**6)
"""Quadrature and extrapolated series do not say how exact they are."""

_POINTS = (
    (Rational(7, 3), Rational(11, 5), Rational(13, 9), Rational(17, 6), Rational(23, 8), Rational(5, 7)),
    (Rational(29, 31), Rational(3, 8), Rational(37, 11), Rational(8, 13), Rational(19, 4), Rational(41, 6)),
    (Rational(1, 9), Rational(43, 12), Rational(2, 17), Rational(47, 10), Rational(16, 5), Rational(9, 22)),
)


def compare(reference: Formula, answer: Formula) -> Relation:
    """Return what is known of a reference and an answer."""
    if any(part.has(sympy.nan, sympy.zoo) for part in (reference, answer)):
        return Relation.UNPROVEN
    if isinstance(reference, Relational | And) != isinstance(answer, Relational | And):
        reference, answer = _as_set(reference), _as_set(answer)
    if isinstance(reference, MatrixBase) and isinstance(answer, MatrixBase):
        same_shape = reference.shape == answer.shape
        return _pairwise(reference.flat(), answer.flat()) if same_shape else Relation.DIFFERENT
    if isinstance(reference, MatrixBase) or isinstance(answer, MatrixBase):
        return _vectors(reference, answer)
    if isinstance(reference, Expr) and isinstance(answer, Expr):
        return _numbers(reference, answer)
    if isinstance(reference, Relational | And) and isinstance(answer, Relational | And):
        return _relations(reference, answer)
    return _collections(reference, answer)


def _as_set(part: Formula) -> Formula:
    if isinstance(part, Relational | And) and len(part.free_symbols) == 1:
        try:
            return part.as_set()
        except (NotImplementedError, TypeError, ValueError, AttributeError):
            return part
    return part


def _pairwise(ones: list[Formula], others: list[Formula]) -> Relation:
    if len(ones) != len(others):
        return Relation.DIFFERENT
    found = {compare(one, other) for one, other in zip(ones, others, strict=True)}
    order = (Relation.DIFFERENT, Relation.UNKNOWN, Relation.UNPROVEN)
    return next((relation for relation in order if relation in found), Relation.EQUAL)


def _collections(reference: Formula, answer: Formula) -> Relation:
    if isinstance(reference, sympy.FiniteSet) and isinstance(answer, sympy.FiniteSet):
        return _any_order(list(reference.args), list(answer.args))
    one, other = _pair(reference), _pair(answer)
    if one is not None and other is not None:
        return _pairwise(one, other)
    if isinstance(reference, Interval) and isinstance(answer, Interval):
        if (reference.left_open, reference.right_open) != (answer.left_open, answer.right_open):
            return Relation.DIFFERENT
        return _pairwise([reference.start, reference.end], [answer.start, answer.end])
    if isinstance(reference, Set) and isinstance(answer, Set):
        same = reference == answer or reference.symmetric_difference(answer).is_empty
        return Relation.EQUAL if same else Relation.UNKNOWN
    return Relation.UNKNOWN


def _vectors(reference: Formula, answer: Formula) -> Relation:
    """Compare a column with a tuple, which may stand for it; a matrix is nothing else."""
    ones, others = (
        part.flat() if isinstance(part, MatrixBase) and part.cols == 1 else _pair(part)
        for part in (reference, answer)
    )
    if ones is None or others is None:
        return Relation.UNKNOWN
    found = _pairwise(ones, others)
    return Relation.UNPROVEN if found is Relation.EQUAL else found


def _pair(part: Formula) -> list[Formula] | None:
    """Return a tuple's members; ``(1, 2)`` parses as an open interval and may be meant as a point."""
    if isinstance(part, sympy.Tuple):
        return list(part.args)
    return (
        [part.start, part.end] if isinstance(part, Interval) and part.left_open and part.right_open else None
    )


def _any_order(ones: list[Formula], others: list[Formula]) -> Relation:
    relations = {
        (i, j): compare(one, other) for (i, one), (j, other) in product(enumerate(ones), enumerate(others))
    }
    rows = [[relations[i, j] for j in range(len(others))] for i in range(len(ones))]
    columns = [[relations[i, j] for i in range(len(ones))] for j in range(len(others))]
    lines = rows + columns
    if all(Relation.EQUAL in line for line in lines):
        return Relation.EQUAL
    stray = any(set(line) == {Relation.DIFFERENT} for line in lines)
    return Relation.DIFFERENT if stray else Relation.UNKNOWN


def _relations(reference: Formula, answer: Formula) -> Relation:
    """Equations are equal when one is a multiple of the other; inequalities when it is a positive one."""
    if isinstance(reference, And) or isinstance(answer, And):
        return Relation.EQUAL if reference == answer else Relation.UNKNOWN
    if isinstance(answer, Relational) and type(reference) is not type(answer):
        answer = answer.reversed
    if type(reference) is not type(answer):
        return Relation.UNKNOWN
    if isinstance(reference, Eq) and all(isinstance(part.lhs, Symbol) for part in (reference, answer)):
        return compare(reference.rhs, answer.rhs) if reference.lhs == answer.lhs else Relation.UNKNOWN
    if not all(isinstance(side, Expr) for part in (reference, answer) for side in part.args):
        return Relation.UNKNOWN
    ratio = simplify((reference.lhs - reference.rhs) / (answer.lhs - answer.rhs))
    multiple = ratio.is_number and ratio.is_finite and not ratio.is_zero
    return (
        Relation.EQUAL if multiple and (isinstance(reference, Eq) or ratio.is_positive) else Relation.UNKNOWN
    )


def _numbers(reference: Expr, answer: Expr) -> Relation:
    if reference == answer:
        return Relation.EQUAL
    if reference.has(AppliedUndef) or answer.has(AppliedUndef):
        return Relation.UNKNOWN
    one, other = _exact(reference), _exact(answer)
    # infinities are compared as they are: their difference is not a number
    if _is_infinite(one) or _is_infinite(other):
        return Relation.DIFFERENT if one != other else Relation.EQUAL
    found = _zero(one - other)
    integrals = (*_integrals(reference), *_integrals(answer))
    indefinite = any(len(limit) == 1 for integral in integrals for limit in integral.limits)
    return _antiderivatives(reference, answer) if indefinite and found is not Relation.EQUAL else found


def _antiderivatives(reference: Expr, answer: Expr) -> Relation:
    """Compare where an indefinite integral is part of one: as a reference it stands for every antiderivative."""
    integrals = _integrals(reference)
    if len(integrals) != 1 or _integrals(answer) or len(integrals[0].variables) != 1:
        return Relation.UNPROVEN
    outside, variable = reference.subs(integrals[0], Symbol("outside")), integrals[0].variables[0]
    if not outside.diff(Symbol("outside")).is_number:
        return Relation.UNPROVEN
    return _zero((_exact(reference) - _exact(answer)).diff(variable))


def _is_infinite(part: Expr) -> bool:
    """Return whether infinity occurs otherwise than as a bound of a sum, a product, an integral or a condition."""
    bounds = dict.fromkeys(part.atoms(ExprWithLimits), sympy.Integer(1)) | dict.fromkeys(
        part.atoms(Relational), sympy.true
    )
    return bool(part.xreplace(bounds).has(sympy.oo, -sympy.oo))


def _integrals(part: Expr) -> list[Integral]:
    return sorted(part.atoms(Integral), key=str)


def _zero(difference: Expr) -> Relation:
    if difference.has(sympy.Product):  # one with an unknown closed form: its digits are extrapolated
        return Relation.EQUAL if simplify(difference) == 0 else Relation.UNPROVEN
    return Relation.DIFFERENT if _differs_somewhere(difference) else _proven_zero(difference)


def _exact(part: Expr) -> Expr:
    """Return the formula with decimals as fractions and percentages resolved."""
    return part.xreplace({number: Rational(str(number)) for number in part.atoms(sympy.Float)}).doit()


def _differs_somewhere(difference: Expr) -> bool:
    """Return whether the difference is surely not zero at one of a few fixed points."""
    symbols = sorted(difference.free_symbols, key=str)
    for values in _POINTS if symbols else ((),):
        point = dict(zip(symbols, values, strict=False))
        value = (difference.subs(point) if point else difference).evalf(_DIGITS, maxn=4 * _DIGITS)
        noise = _NOISE if difference.has(ExprWithLimits) else 0
        known = value.is_number and value.is_finite
        if known and any(_surely_not_zero(part, noise) for part in value.as_real_imag()):
            return True
    return False


def _surely_not_zero(value: Expr, noise: Rational) -> bool:
    """Return whether a number was evaluated with digits to spare; one of precision 1 is noise about zero."""
    return bool(value.is_Rational and value != 0) or (
        isinstance(value, sympy.Float) and value._prec > 1 and abs(value) > noise
    )


def _proven_zero(difference: Expr) -> Relation:
    if difference.is_Rational:
        return Relation.EQUAL if difference == 0 else Relation.DIFFERENT
    if sympy.expand(difference) == 0 or simplify(difference) == 0:
        return Relation.EQUAL
    try:
        known = difference.equals(0)
    except PermissionError:  # it would evaluate text, see math_worker
        known = None
    if known is None:
        return Relation.UNPROVEN
    return Relation.EQUAL if known else Relation.DIFFERENT
