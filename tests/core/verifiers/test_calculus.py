"""Integrals, sums, products, limits and derivatives: decided where they can be, and never decided the wrong way."""

import subprocess
import sys

import pytest

from adastar_core.records import FinishReason, Observation, Outcome
from adastar_core.verifiers.math import MathVerifier

R, W, U = Outcome.RIGHT, Outcome.WRONG, Outcome.UNDECIDED


def outcome_of(verifier: MathVerifier, reference: str, answer: str) -> Outcome:
    response = f"The answer is ${answer}$."
    return verifier.verify(Observation("x", "", reference), response, FinishReason.EOS).outcome


@pytest.mark.parametrize(
    ("formula", "equal", "other"),
    [
        (r"\int_0^1 x^2 dx", r"\frac{1}{3}", r"\frac{1}{2}"),
        (r"\int_{0}^{1} x^2 \, dx", "1/3", "-1/3"),
        (r"\int_0^{\pi} \sin(x) dx", "2", "0"),
        (r"\int_1^{2} \frac{1}{x} dx", r"\ln(2)", r"\ln(3)"),
        (r"\int_0^1 \frac{1}{1+x^2} dx", r"\frac{\pi}{4}", r"\frac{\pi}{2}"),
        (r"\int_0^{\infty} e^{-x^2} dx", r"\frac{\sqrt{\pi}}{2}", r"\sqrt{\pi}"),
        (r"\int_{-\infty}^{\infty} \frac{1}{1+x^2} dx", r"\pi", r"2\pi"),
        (r"\int_0^{\infty} x^3 e^{-x} dx", "6", "24"),
        (r"\int_0^{\infty} \frac{\sin x}{x} dx", r"\frac{\pi}{2}", r"\pi"),
        (r"\int_0^1 \int_0^1 x y dx dy", r"\frac{1}{4}", r"\frac{1}{2}"),
        (r"\int_0^x \sin t dt", r"1-\cos x", r"\cos x"),
        (r"\int_0^1 e^{x^2} dx", r"\int_0^1 e^{t^2} dt", "1"),
        (r"\int_0^1 \sin(x^2) dx", r"\int_0^1 \sin(t^2) dt", r"\frac{1}{3}"),
        (r"\int x^2 dx", r"\frac{x^3}{3}", r"\frac{x^3}{2}"),
        (r"\int x^2 dx", r"\frac{x^3}{3}+C", r"\frac{x^3}{3}+x"),
        (r"2\int x dx + 1", "x^2+1", "x^2+x"),
        (r"\int \cos(x) dx", r"\sin(x) + 5", r"-\sin(x)"),
        (r"\int x e^x dx", "(x-1)e^x", "xe^x"),
        (r"\int e^x \sin x dx", r"\frac{e^x(\sin x-\cos x)}{2}", r"e^x\cos x"),
        (r"\int \sec^2 x dx", r"\tan x", r"\cot x"),
        (r"\int \frac{1}{x^2-1} dx", r"\frac{1}{2}\ln\frac{x-1}{x+1}", r"\ln(x^2-1)"),
        (r"\frac{d}{dx}\int_0^x t^2 dt", "x^2", "2x"),
        (r"\sum_{k=1}^{n} k", r"\frac{n(n+1)}{2}", r"\frac{n^2}{2}"),
        (r"\sum_{k=1}^{\infty} \frac{1}{k^2}", r"\frac{\pi^2}{6}", r"\frac{\pi^2}{8}"),
        (r"\sum_{k=0}^{\infty} \frac{x^k}{k!}", "e^x", "e^{2x}"),
        (r"\sum_{k=1}^{\infty} \frac{1}{k 2^k}", r"\ln 2", r"\ln 3"),
        (r"\sum_{k=0}^{\infty} \frac{(-1)^k}{2k+1}", r"\frac{\pi}{4}", r"\frac{\pi}{3}"),
        (r"\prod_{k=1}^{n} k", "n!", "n"),
        (r"\lim_{x \to 0} \frac{\sin x}{x}", "1", "0"),
        (r"\lim_{x \to \infty} (1+\frac{1}{x})^x", "e", "1"),
        (r"\lim_{h \to 0} \frac{(x+h)^2-x^2}{h}", "2x", "x^2"),
        (r"\frac{d}{dx} \sin(x)\cos(x)", r"\cos(2x)", r"\sin(2x)"),
        (r"\frac{d}{dx} x^x", r"x^x(\ln x+1)", r"x^x \ln x"),
        (r"\frac{\partial}{\partial x} (x^2 y)", "2 x y", "x^2"),
    ],
)
def test_what_is_equal_is_right_and_what_differs_is_wrong(
    formulas: MathVerifier, formula: str, equal: str, other: str
) -> None:
    assert outcome_of(formulas, formula, equal) is R
    assert outcome_of(formulas, formula, other) is W


@pytest.mark.parametrize(
    ("reference", "answer"),
    [
        (r"\prod_{k=2}^{\infty} (1-\frac{1}{k^2})", r"\frac{1}{2}"),
        (r"\frac{d^2}{dx^2} x^3", "6x"),
        (r"\int_0^1 x dx + \int_1^2 x dx", "2"),
        (r"\lim_{x \to \infty} \sqrt{x^2+x}-x", r"\frac{1}{2}"),
        (r"\int_0^{1} x^{n} dx", r"\frac{1}{n+1}"),
        (r"\frac{x^3}{3}+C", r"\int x^2 dx"),
    ],
)
def test_what_is_equal_and_cannot_be_shown_or_read_is_not_wrong(
    formulas: MathVerifier, reference: str, answer: str
) -> None:
    assert outcome_of(formulas, reference, answer) is U


ARMED = """
import importlib, pkgutil, sys, warnings
warnings.simplefilter("ignore")
from adastar_core.verifiers import math_worker
math_worker.warm_up()
math_worker.forbid_code_from_text()
count, refused = 0, []
def walk(package):
    global count
    for found in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        if any(part.startswith("test") or part in OUTSIDE for part in found.name.split(".")):
            continue
        try:
            module = importlib.import_module(found.name)
        except PermissionError:
            refused.append(found.name)
            continue
        count += 1
        if found.ispkg:
            walk(module)
OUTSIDE = {"benchmarks", "plotting", "printing", "physics", "parsing", "galgebra", "this", "abc", "trace", "intpoly",
    "meijerint_doc", "hyperexpand_doc", "sampling", "_compilation", "pytest", "tmpfiles", "testing", "interactive",
    "conftest", "runtests"}
import sympy, mpmath
walk(sympy)
walk(mpmath)
print(count, *refused)
"""


def test_nothing_that_the_libraries_may_still_load_is_refused() -> None:
    done = subprocess.run([sys.executable, "-c", ARMED], capture_output=True, text=True, check=True)
    count, *refused = done.stdout.split()
    assert int(count) > 500
    assert refused == []


def test_a_verdict_does_not_depend_on_the_ones_before(formulas: MathVerifier) -> None:
    pair = (r"\tan(\frac{x}{2})", r"\frac{\sin x}{1+\cos x}")
    first = outcome_of(formulas, *pair)
    outcome_of(formulas, "x^2", r"x^2 \cdot \sin^2 x + x^2")
    assert outcome_of(formulas, *pair) is first
