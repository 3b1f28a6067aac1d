"""The example configurations load, and say what they are for."""

from pathlib import Path

import pytest

from adastar_core.config import RunConfig, files
from adastar_core.planning.plan import plan_of
from adastar_core.problems.table import TableSettings

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))


def test_each_kind_of_use_has_one() -> None:
    assert {path.stem for path in EXAMPLES} >= {
        "own-table",
        "gsm8k",
        "multiple-choice",
        "lora-one-gpu",
        "ray",
    }


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_a_configuration(path: Path) -> None:
    config = files.resolve(files.load_file(path))
    assert path.read_text().startswith("# ")
    assert RunConfig.of_identity(config.identity()).identity() == config.identity()
    beta = f"{config.beta(1):,} accepted rationales in iteration 1"
    assert beta in path.read_text() or "accepted" not in path.read_text()


def test_the_example_of_a_table_has_its_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    config = files.resolve(files.load_file(ROOT / "examples" / "own-table.yaml"))
    assert isinstance(config.problem, TableSettings)
    plan = plan_of(config)
    assert plan.warnings == ()
    assert plan.preview.texts[0].text == f"{plan.preview.observation.question}\n"
