"""Formulas: published mistakes of the library, hostile and hanging answers, and arithmetic checked independently."""

import random
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import psutil
import pytest

from adastar_core.records import FinishReason, Observation, Outcome, Verdict
from adastar_core.verifiers.batch import verify_all
from adastar_core.verifiers.math import MathVerifier
from adastar_core.verifiers.math_pool import STEPS, MathPool

R, W, U = Outcome.RIGHT, Outcome.WRONG, Outcome.UNDECIDED


def judged(verifier: MathVerifier, reference: str, answer: str) -> Verdict:
    return verifier.verify(Observation("x", "", reference), f"The answer is ${answer}$.", FinishReason.EOS)


@pytest.mark.parametrize(
    ("reference", "answer"),
    [
        (r"\frac{1}{2004!}", r"\frac{1}{2006!}"),
        (r"\frac{1}{2^{99}}", r"\frac{1}{2^{98}}"),
        ("n=2, 3, 4", "n=1, 2, 3"),
        ("D = (0, 1)", "D = (0, 1.5)"),
        (r"F_n = \sum_{k=0}^{n-1} F_k F_{n-k-1}", r"F_n = \sum_{k=0}^{n-2} F_k F_{n-k-2}"),
        (r"19, 46, \text{ and } 82", "21, 36, and 82"),
        (r"\frac{2^{2005}+1}{3 \cdot 2^{2006}}", r"\frac{1}{3 \cdot 2^{2006}}"),
        (r"1 - \frac{1}{\mathrm{e}}", r"1 + \frac{1}{\mathrm{e}}"),
        (r"\pm 2021", "2021"),
        ("12:00", "1:00"),
        (r"1, 2, \ldots, n", r"1, 3, 5, \ldots, 2n-1"),
        (r"1:2:3:\ldots", r"1:4:9:\ldots"),
        ("4", r"4\sqrt(2)"),
        ("3*x-1*y+13=0", "3x + 4y + 14=0"),
        ("f(x) = 0", r"\forall x>0, f(x) = 0"),
        ("x^2=-1", "x^2=-2"),
        ("x^2/4+y^2/3=1", "x^2/16+y^2/12=1"),
        ("1_6", "1"),
        ("2 3", "23"),
        ("5", "2(3)"),
        ("10^{-7}", "0.0"),
        ("0.0000001", "0.0000002"),
    ],
)
def test_users_reported_these_as_wrongly_accepted(
    formulas: MathVerifier, reference: str, answer: str
) -> None:
    assert judged(formulas, reference, answer).outcome is not R
    assert judged(formulas, answer, reference).outcome is not R


@pytest.mark.parametrize(
    ("reference", "answer", "outcomes"),
    [
        ("13", r"\text{13}", {R}),
        ("73", "**73**", {R}),
        (r"28\%", "28 percent", {R}),
        ("2x+4y-3=0", r"y = -\frac{1}{2}x + \frac{3}{4}", {R}),
        ("e^{16}-1", "-1 + exp(16)", {R}),
        (r"\dfrac{\pi}{2}", "pi/2", {R}),
        ("14-i", "14.0 + -1.0i", {R}),
        (r"-2\pi", "-2*pi", {R}),
        (r"\frac{2}{3}", "2/3", {R}),
        (r"m \geq \sqrt{2}", r"m \in [\sqrt{2}, +\infty)", {R, U}),
        (r"\sqrt{1/n}", r"\frac{1}{\sqrt{n}}", {R, U}),
        (r"O(\log \log n)", "Theta(log log n)", {U}),
    ],
)
def test_users_reported_these_as_wrongly_rejected(
    formulas: MathVerifier, reference: str, answer: str, outcomes: set[Outcome]
) -> None:
    assert judged(formulas, reference, answer).outcome in outcomes


def test_random_arithmetic_agrees_with_exact_fractions(formulas: MathVerifier) -> None:
    rng = random.Random(20)
    seen = set()
    for _ in range(60):
        (value, latex), (other, others) = _tree(rng, 2), _tree(rng, 2)
        same = f"\\frac{{{value.numerator}}}{{{value.denominator}}}"
        seen |= {judged(formulas, latex, same).outcome}
        assert judged(formulas, latex, same).outcome is R, (latex, same)
        assert judged(formulas, latex, others).outcome is (R if value == other else W), (latex, others)
    assert seen == {R}


def _tree(rng: random.Random, depth: int) -> tuple[Fraction, str]:
    """Return a random formula and its value, computed without the code under test."""
    if depth == 0 or rng.random() < 0.2:
        number = rng.randint(0, 12)
        return rng.choice(
            [
                (Fraction(number), str(number)),
                (Fraction(number, 10), f"{number / 10}"),
                (Fraction(number, 7), rf"\frac{{{number}}}{{7}}"),
            ]
        )
    (a, left), (b, right) = _tree(rng, depth - 1), _tree(rng, depth - 1)
    power = rng.randint(1, 3)
    options = [
        (a + b, f"({left})+({right})"),
        (a - b, rf"\left({left}\right)-({right})"),
        (a * b, rf"({left}) \cdot ({right})"),
        (a * b, f"({left})({right})"),
        (a**power, f"({left})^{power}"),
        (abs(a), rf"\sqrt{{({left})^2}}"),
    ]
    return rng.choice(options + ([(a / b, rf"\frac{{{left}}}{{{right}}}")] if b else []))


HOSTILE = [
    "__import__('os').system('touch {mark}')",
    r"\text{{__import__('os').system('touch {mark}')}}",
    "eval(\"open('{mark}','w')\")",
    "().__class__.__bases__[0].__subclasses__()",
    "exec(open('{mark}', 'w').write('x'))",
    r"x_{{__import__('os').system('touch {mark}')}}",
    r"\operatorname{{eval}}(1)",
    "lambda: open('{mark}', 'w')",
    "{mark}; import os",
    r"\input{{/etc/passwd}}",
    r"\write18{{touch {mark}}}",
    "1\n2\n__import__('os')",
    "\x00\x01\x02",
    "{{" * 2000,
    "(" * 2000 + "1" + ")" * 2000,
    r"\frac{{" * 200,
]


def test_hostile_answers_do_nothing_and_are_not_right(formulas: MathVerifier, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    for answer in HOSTILE:
        text = answer.format(mark=mark)
        for response in (f"The answer is ${text}$.", f"#### {text}", f"\\boxed{{{text}}}", f"Answer: {text}"):
            verdict = formulas.verify(Observation("x", "", "x+1"), response, FinishReason.EOS)
            assert verdict.outcome is not R, response
    assert not mark.exists()
    assert judged(formulas, "x+1", "1+x").outcome is R


GUARDED = """
from adastar_core.verifiers.math_worker import forbid_code_from_text
import os, socket, subprocess
forbid_code_from_text()
for attempt in (
    lambda: eval("1+1"),
    lambda: exec("x = 1"),
    lambda: os.system("true"),
    lambda: subprocess.run(["true"]),
    lambda: socket.socket(),
    lambda: open("mark", "w"),
    lambda: __import__("sympy").sympify("1+1"),
):
    try:
        attempt()
    except PermissionError:
        print("refused")
"""


def test_the_worker_refuses_code_processes_network_and_writing(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "-c", GUARDED],
        cwd=tmp_path,
        env={"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["refused"] * 7
    assert not (tmp_path / "mark").exists()


HANGING = r"\binom{10^{9}}{10^{8}}"


def test_one_hanging_answer_costs_a_few_workers_and_no_verdict_of_another() -> None:
    verifier = MathVerifier(workers=2, seconds=0.5)
    try:
        items = [_item("x+1", "1+x"), _item("x", HANGING), *[_item("x+1", "1+x")] * 20]
        verdicts = verify_all(verifier, items)
        assert [one.outcome for one in verdicts] == [R, U, *[R] * 20]
        assert [one.cut_short for one in verdicts] == [False, True, *[False] * 20]
        assert judged(verifier, "x+2", "2+x").outcome is R
    finally:
        verifier.close()


def test_answers_that_cannot_be_compared_in_time_are_undecided() -> None:
    verifier = MathVerifier(seconds=0.2)
    response = f"So \\boxed{{x}}.\nThat is \\boxed{{{HANGING}}}."
    verdict = verifier.verify(Observation("x", "", "x"), response, FinishReason.EOS)
    assert verdict.outcome is U
    assert verdict.cut_short
    verifier.close()


@pytest.mark.parametrize("answer", ["9^{9^{9^9}}", "10^{10^{10}}", "(10^{9})!", r"\frac{1}{7^{10^{8}}}"])
def test_a_number_too_large_to_write_out_is_undecided_without_being_computed(
    formulas: MathVerifier, answer: str
) -> None:
    verdict = judged(formulas, "1", answer)
    assert verdict.outcome is U
    assert not verdict.cut_short
    assert "the comparison needs" in verdict.reason


def test_a_slow_machine_gives_the_verdicts_of_a_fast_one() -> None:
    """A thousandth of the processor time is a machine a thousand times slower: what it cuts off is counted instead."""
    pairs = [
        ("x^2/4+y^2/3=1", "x^2/16+y^2/12=1"),
        (r"\sqrt{xy}", r"\sqrt{x}\sqrt{y}"),
        ("1", "9^{9^{9^9}}"),
    ]
    fast, slow = MathPool(1, 60.0, STEPS), MathPool(1, 0.06, STEPS)
    try:
        assert [slow.judge(*pair) for pair in pairs] == [fast.judge(*pair) for pair in pairs]
    finally:
        fast.close()
        slow.close()


def test_a_busy_machine_gives_the_verdicts_of_an_idle_one() -> None:
    pair = (r"\sqrt{x^2}", "x")
    idle = [_verdict_within(pair, steps) for steps in (100_000, 10_000_000)]
    burn = [sys.executable, "-c", "while True: pass"]
    burners = [subprocess.Popen(burn) for _ in range(2)]
    try:
        assert [_verdict_within(pair, steps) for steps in (100_000, 10_000_000)] == idle
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()
    assert idle[0] == (U, "the comparison takes more than 100,000 steps")
    assert "steps" not in idle[1][1]


def _verdict_within(pair: tuple[str, str], steps: int) -> tuple[Outcome, str]:
    pool = MathPool(1, 0.05, steps, longest_step_seconds=60.0)
    try:
        return pool.judge(*pair)
    finally:
        pool.close()


def test_a_process_that_is_stopped_for_a_while_decides_afterwards() -> None:
    others = set(psutil.Process().children())
    pool = MathPool(1, 1.0, STEPS)
    assert pool.judge("2", "1+1")[0] is R
    (worker,) = set(psutil.Process().children()) - others
    worker.suspend()
    waking = threading.Timer(3.0, worker.resume)
    waking.start()
    assert pool.judge("2*x", "x+x")[0] is R
    assert worker.is_running()
    waking.join()
    pool.close()


def test_text_beyond_the_longest_formula_is_not_ignored(formulas: MathVerifier) -> None:
    assert judged(formulas, "x+1", f"1+x{' ' * 600}+5").outcome is not R
    assert judged(formulas, "x+1", f"1+x{' ' * 300}+5").outcome is W


def test_threads_share_the_pool(formulas: MathVerifier) -> None:
    with ThreadPoolExecutor(4) as threads:
        verdicts = threads.map(lambda n: judged(formulas, f"x+{n}", f"{n}+x").outcome, range(12))
        assert set(verdicts) == {R}


def test_a_closed_verifier_starts_again() -> None:
    verifier = MathVerifier()
    assert judged(verifier, "x+1", "1+x").outcome is R
    verifier.close()
    assert judged(verifier, "x+1", "1+x").outcome is R
    verifier.close()


def _item(reference: str, answer: str) -> tuple[Observation, str, FinishReason]:
    return Observation("x", "", reference), f"The answer is ${answer}$.", FinishReason.EOS


def test_a_worker_killed_by_somebody_else_changes_no_verdict() -> None:
    others = set(psutil.Process().children())
    pool = MathPool(1, 20.0, STEPS)
    assert pool.judge("2", "1+1")[0] is R
    (worker,) = set(psutil.Process().children()) - others
    worker.suspend()
    killing = threading.Timer(0.3, worker.kill)
    killing.start()
    assert pool.judge("2*x", "x+x")[0] is R
    killing.join()
    assert not worker.is_running()
    pool.close()
