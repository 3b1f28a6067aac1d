"""Compare verdicts with other extractors on labelled responses: right where it must not be, and not right where it must.

Responses are the tests' generated ones, their endings, and any file or folder of the endings' form (``--labelled``). The others
are Math-Verify, the filters of lm-eval where it is installed (its own classes, with the patterns of its tasks ``gsm8k`` and
``mmlu_flan_cot_zeroshot``), and the rule of the AdaSTaR authors' code: the last number, letter or yes or no::

    python bench/compare_verifiers.py --json compared.json
"""

import importlib.util
import json as jsonlib
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from common import run, save, show

sys.path.insert(0, str(Path(__file__).parents[1]))  # the labelled responses are the tests'
from adastar_core.audit.responses import judge
from adastar_core.errors import DataError
from adastar_core.problems.loading import RowProblem
from adastar_core.problems.rows import Row
from adastar_core.records import Observation, Outcome
from adastar_core.verifiers.batch import verify_all
from tests.core.verifiers.generated import Case, cases_of
from tests.core.verifiers.test_endings import HERE, lines, problem_for
from tests.core.verifiers.values import KINDS

RIGHT = frozenset({"right"})


@dataclass(frozen=True, slots=True)
class Item:
    """A labelled response, and what this project's verifier says."""

    verifier: str
    observation: Observation
    response: str
    allowed: frozenset[str]
    verdict: str


@dataclass(frozen=True, slots=True)
class Compared:
    """One extractor on one kind of response: falsely right of those that must not be, lost of those that must."""

    responses: str
    verifier: str
    extractor: str
    must_not: int
    falsely_right: int
    must: int
    lost: int
    undecided: int | None


Extractor = Callable[[Item], bool]


def generated() -> Iterator[Item]:
    for kind in KINDS:
        if kind.fall_back or kind.type == "gsm8k":
            continue
        found: list[tuple[Case, Observation]] = []
        for case in cases_of(kind):
            try:
                found.append((case, kind.observation(case.reference, case.value)))
            except DataError:  # a reference that is refused is judged by nobody
                continue
        verdicts = verify_all(
            kind.opened_verifier, [(seen, case.response, case.finish) for case, seen in found]
        )
        for (case, seen), verdict in zip(found, verdicts, strict=True):
            if case.finish.broken_off is None:
                allowed = frozenset(outcome.value for outcome in case.allowed)
                yield Item(kind.verifier, seen, case.response, allowed, verdict.outcome.value)


def endings(path: Path) -> Iterator[Item]:
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    for file in files:
        for line in lines(file):
            problem = problem_for(file.name, line.row)
            if not isinstance(problem, RowProblem) or "fall_back" in file.name:
                continue
            try:
                (judged,) = judge(problem, [line.text], file.name)
                observation = problem.reader(rows := _rows(line.text))(rows[0])
            except DataError:
                continue
            given = jsonlib.loads(line.text)
            name = judged.verdict.verifier.partition("/")[0]
            yield Item(
                name, observation, given["response"], frozenset(line.expected), judged.verdict.outcome.value
            )


def _rows(text: str) -> list[Row]:
    return [Row("compared", 1, jsonlib.loads(text)["row"]).checked()]


def ours(item: Item) -> bool:
    return item.verdict == Outcome.RIGHT


def math_verify(item: Item) -> bool:
    """Return what Math-Verify says with its defaults."""
    from math_verify import parse, verify

    gold = parse(f"${item.observation.answer}$", parsing_timeout=None)
    return bool(verify(gold, parse(item.response, parsing_timeout=None), timeout_seconds=None))


def authors(item: Item) -> bool:
    """Return what the authors' rule gives: the first word after ``####``, if any, and of that the last match."""
    text = item.response.split("Q: ")[0]
    if "####" in text:
        text = (text.split("####")[1].split() or [""])[0]
    labels = "|".join(re.escape(choice.label) for choice in item.observation.choices)
    pattern = {"number": r"-?\d+\.?\d*", "yes_no": r"\b(?:yes|no)\b"}.get(item.verifier, rf"\b(?:{labels})\b")
    found = re.findall(pattern, text, re.IGNORECASE if item.verifier == "yes_no" else 0)
    return bool(found) and found[-1].lower() == item.observation.answer.lower()


def lm_eval() -> dict[str, dict[str, Extractor]]:
    """Return lm-eval's filters by verifier, where it is installed."""
    spec = importlib.util.find_spec("lm_eval")
    if spec is None or spec.origin is None:
        return {}
    tasks = Path(spec.origin).parent / "tasks"
    files = {
        "number": tasks / "gsm8k" / "gsm8k.yaml",
        "choice": tasks / "mmlu" / "flan_cot_zeroshot" / "_mmlu_flan_cot_zeroshot_template_yaml",
    }
    return {verifier: dict(_filters(verifier, file)) for verifier, file in files.items()}


def _filters(verifier: str, file: Path) -> Iterator[tuple[str, Extractor]]:
    extraction = importlib.import_module("lm_eval.filters.extraction")  # in no environment of ours
    task = yaml.safe_load(file.read_text("utf-8"))
    kinds = {"regex": extraction.RegexFilter, "multi_choice_regex": extraction.MultiChoiceRegexFilter}
    ignored = task["metric_list"][0].get("regexes_to_ignore", [])
    ends = task["generation_kwargs"]["until"]

    def extractor(steps: Sequence[dict[str, object]]) -> Extractor:
        settings = dict(steps[0])
        chosen = kinds[str(settings.pop("function"))](**settings)

        def is_right(item: Item) -> bool:
            text = item.response
            for end in ends:
                text = text.split(end)[0]
            choices = [choice.text for choice in item.observation.choices]
            (found,) = next(iter(chosen.apply([[text]], [{"choices": choices}])))
            return plain(str(found)) == plain(
                f"({item.observation.answer})" if verifier == "choice" else item.observation.answer
            )

        def plain(text: str) -> str:
            for pattern in ignored:
                text = re.sub(pattern, "", text)
            return re.sub(r"[^\w]", "", text).lower() if verifier == "choice" else text.lower()

        return is_right

    for one in task["filter_list"]:
        yield f"lm-eval, {one['name']}", extractor(one["filter"])


def compared(name: str, items: Sequence[Item]) -> Iterator[Compared]:
    """Yield a row for each verifier and extractor."""
    filters = lm_eval()
    for verifier in dict.fromkeys(item.verifier for item in items):
        mine = [item for item in items if item.verifier == verifier]
        extractors: dict[str, Extractor] = {"ours": ours}
        if verifier in ("number", "math"):
            extractors["Math-Verify"] = math_verify
        extractors |= filters.get(verifier, {})
        if verifier in ("number", "choice", "yes_no"):
            extractors["the authors' rule"] = authors
        must_not = [item for item in mine if "right" not in item.allowed]
        must = [item for item in mine if item.allowed == RIGHT]
        for extractor, is_right in extractors.items():
            undecided = sum(item.verdict == "undecided" for item in mine) if extractor == "ours" else None
            yield Compared(
                name, verifier, extractor, len(must_not), sum(map(is_right, must_not)), len(must),
                len(must) - sum(map(is_right, must)), undecided,
            )  # fmt: skip


def main(*, labelled: tuple[Path, ...] = (), every: int = 1, json: Path | None = None) -> None:
    """Compare, print a table, and write it as JSON where asked to.

    Args:
        every: Of the generated responses, take one in so many.
        labelled: More files or folders of the endings' form.
        json: Where to write the figures.
    """
    rows = [*compared("generated", list(generated())[::every]), *compared("endings", list(endings(HERE)))]
    show("Falsely right and lost", rows)
    for path in labelled:
        rows += compared(path.stem, list(endings(path)))
    show("Falsely right and lost", rows)
    save(json, rows)
    for kind in KINDS:
        if kind.verifier == "math":
            kind.opened_verifier.close()  # type: ignore[attr-defined]


if __name__ == "__main__":
    run(main, __doc__)
