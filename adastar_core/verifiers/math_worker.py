"""The process that parses formulas: reads one JSON object per line, writes one per line.

Run as ``python -m adastar_core.verifiers.math_worker``. It ends itself when an answer takes too long (:mod:`math_limits`). It
may neither compile nor run code made from text, nor start processes, nor reach the network or write files: an
audit hook refuses, whatever a library below might try.
"""

import json
import logging
import os
import re
import resource
import sys
from functools import lru_cache, partialmethod

from antlr4.atn.PredictionMode import PredictionMode
from latex2sympy2_extended import NormalizationConfig
from latex2sympy2_extended.latex2sympy2 import PSParser, _Latex2Sympy
from math_verify import LatexExtractionConfig, parse, verify
from math_verify.parser import extract_latex, parse_latex_cached
from sympy import I, Limit, Product, Rational, Sum
from sympy.core.random import seed
from sympy.integrals import manualintegrate as _steps  # noqa: F401  (dataclasses, whose making evaluates text)
from sympy.physics import units as _units  # noqa: F401  (simplify would load it, and its loading evaluates text)

from adastar_core.records import Outcome
from adastar_core.verifiers.math_compare import Formula, Relation, compare
from adastar_core.verifiers.math_limits import (
    TooMuchWork,
    bounded_seconds,
    bounded_steps,
    refuse_endless_numbers,
)

MEMORY_BYTES = 2 << 30
_FAILURES = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError),
    *(OSError, RuntimeError, TypeError, ValueError),
)
"""What the libraries raise on formulas that they cannot handle; anything else ends the process, which costs one."""

_NUMERAL = re.compile(r"(?=\.?\d)(\d*)(?:\.(\d*))?(?:[eE]([-+]?\d{1,9}))?")
_LONGEST_NUMERAL = 1000
_FORBIDDEN = (
    *("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess."),
    *("socket.", "ctypes.", "pty.", "shutil."),
)
_LIBRARY_PARSER = _Latex2Sympy.create_parser
_WARM_UP = (
    (r"\frac{x}{2}", r"\frac{x+1}{2}"),
    ("x=1", "x=2"),
    (r"\sqrt{8}", r"2\sqrt{2}"),
    (r"\{1\}", "(1,2]"),
    ("x<1", "y>1"),
    (r"\int_0^{\infty} e^{-x^2} dx", r"\frac{\sqrt{\pi}}{2}"),
    (r"\sum_{k=0}^{\infty} \frac{x^k}{k!}", "e^x"),
)
"""Loads what the library loads when first needed; its tables of integrals and series are made of text."""

_DIFFERENTIAL = re.compile(r"d[A-Za-z]")
_TEMPLATES = (
    os.path.join("sympy", "polys", "monomials.py"),
    os.path.join("mpmath", "libmp", "libhyper.py"),
    os.path.join("collections", "__init__.py"),
)
_CONFIG = [
    LatexExtractionConfig(
        boxed_match_priority=-1,
        normalization_config=NormalizationConfig(
            True, units=False, malformed_operators=False, nits=False, boxed="none", equations=False
        ),
    )
]


def exact_number(_parser: _Latex2Sympy, text: str) -> Rational:
    """Return the exact value of a numeral, in place of the library's method, which evaluates it as Python."""
    match = _NUMERAL.fullmatch(text.replace(",", ""))
    if match is None:
        raise ValueError(f"not a numeral: {text[:40]}")
    places, power = len(match[2] or ""), int(match[3] or "0")
    if len(match[0]) > _LONGEST_NUMERAL or abs(power) > _LONGEST_NUMERAL:
        raise ValueError("a numeral of no sensible size")
    digits = int((match[1] or "") + (match[2] or ""))
    return Rational(digits * 10 ** max(power, 0), 10 ** (places + max(-power, 0)))


def forbid_code_from_text() -> None:
    """Refuse, from now on, everything that could turn text into action."""
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    writes = event == "open" and isinstance(arguments[1], str) and any(c in arguments[1] for c in "wax+")
    if (
        writes
        or event.startswith(_FORBIDDEN)
        or (event in ("compile", "exec") and _is_made_of_text(event, arguments))
    ):
        raise PermissionError(f"{event} is not for formulas")


def _is_made_of_text(event: str, arguments: tuple[object, ...]) -> bool:
    """Return whether code has no file: all but the templates that libraries fill with nothing but counts and names."""
    origin = arguments[1] if event == "compile" else getattr(arguments[0], "co_filename", "")
    if not str(origin).startswith("<") or str(origin).startswith("<frozen"):
        return False
    caller = sys._getframe(2).f_code.co_filename
    return not caller.endswith(_TEMPLATES)


def judge(reference: str, answer: str) -> tuple[Outcome, str]:
    """Compare two formulas in LaTeX; the same two get the same verdict, since the library's random points are seeded."""
    seed(0)
    known = _parsed(reference)
    if known is None:
        return Outcome.UNDECIDED, f"the reference {reference} cannot be parsed"
    given = _parsed(answer)
    if given is None:
        return Outcome.UNDECIDED, "the declared answer cannot be parsed"
    match compare(known, given):
        case Relation.EQUAL:
            return Outcome.RIGHT, "is proven equal to the reference"
        case Relation.DIFFERENT:
            return Outcome.WRONG, f"differs from the reference {reference}"
        case Relation.UNPROVEN:
            return Outcome.UNDECIDED, "neither equality with the reference nor a difference can be shown"
        case Relation.UNKNOWN:
            if verify(known, given, float_rounding=15, numeric_precision=30, timeout_seconds=None):
                return (
                    Outcome.UNDECIDED,
                    "may equal the reference; there is no proof for formulas of this kind",
                )
            return Outcome.WRONG, f"math-verify finds it unequal to the reference {reference}"


@lru_cache(maxsize=2048)
def _parsed(latex: str) -> Formula | None:
    """Parse with the fast prediction mode, which is right wherever it succeeds, and then with the full one."""
    quick = _parse(latex, PredictionMode.SLL)
    return quick if quick is not None else _parse(latex, PredictionMode.LL)


def _parse(latex: str, mode: int) -> Formula | None:
    _Latex2Sympy.create_parser = partialmethod(_parser_in, mode)
    parse_latex_cached.cache_clear()
    extract_latex.cache_clear()
    modes = {"fallback_mode": "no_fallback", "extraction_mode": "first_match"}
    found = parse(f"${latex}$", _CONFIG, parsing_timeout=None, **modes)
    if len(found) != 1 or not isinstance(found[0], Formula) or _is_misread(found[0]):
        return None
    symbols = {symbol.name: symbol for symbol in found[0].free_symbols}
    return found[0].subs(symbols["i"], I) if set(symbols) == {"i"} else found[0]


def _is_misread(formula: Formula) -> bool:
    """Return whether a derivative, an integral, a sum or a limit ended too early: its ``dx`` or its index is left."""
    bound = {limit.args[1] for limit in formula.atoms(Limit)}
    bound |= {index for part in formula.atoms(Product, Sum) for index in part.variables}
    free = formula.free_symbols
    return bool(free & bound) or any(_DIFFERENTIAL.fullmatch(symbol.name) for symbol in free)


def _parser_in(converter: _Latex2Sympy, mode: int, latex: str) -> PSParser:
    """Return the library's parser in a prediction mode; full context costs it half of its time."""
    parser = _LIBRARY_PARSER(converter, latex)
    parser._interp.predictionMode = mode
    return parser


def answer_line(line: str) -> str:
    """Return the JSON answer to one JSON question."""
    question = json.loads(line)
    try:
        # processor time alone first, which is free; then steps, and the processor time of the longest
        seconds, steps = question["seconds"], question.get("steps")
        with bounded_seconds(seconds) if steps is None else bounded_steps(int(steps), seconds):
            outcome, reason = judge(question["reference"], question["answer"])
    except TooMuchWork as excess:
        outcome, reason = Outcome.UNDECIDED, f"the comparison {excess}"
    except _FAILURES as error:
        outcome, reason = Outcome.UNDECIDED, f"the comparison failed ({type(error).__name__})"
    return json.dumps({"outcome": outcome, "reason": reason})


def warm_up() -> None:
    """Make the libraries load and build what they do when first needed, as long as they may."""
    _Latex2Sympy.parse_number = exact_number
    for reference, answer in _WARM_UP:
        judge(reference, answer)


def main() -> None:
    """Answer until standard input ends. An orphan that hangs is ended by its own limit."""
    logging.disable(logging.CRITICAL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    warm_up()
    refuse_endless_numbers()
    forbid_code_from_text()
    print("ready", flush=True)
    for line in sys.stdin:
        print(answer_line(line), flush=True)


if __name__ == "__main__":
    main()
