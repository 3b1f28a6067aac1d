"""The rules that keep the layers apart."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def imports_of(path: Path) -> set[str]:
    """Return the top-level packages that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def test_the_core_knows_neither_prefect_nor_the_layers_above() -> None:
    files = list((ROOT / "adastar_core").rglob("*.py"))
    assert len(files) > 20
    assert {
        path: found for path in files if (found := imports_of(path) & {"prefect", "tasks", "flows"})
    } == {}


def test_tasks_do_not_know_flows() -> None:
    assert all("flows" not in imports_of(path) for path in (ROOT / "tasks").rglob("*.py"))


def test_loading_the_core_loads_no_prefect_and_no_torch() -> None:
    code = (
        "import sys, adastar_core.config, adastar_core.selection, adastar_core.samplers.catalogue, adastar_core.stages, "
        "adastar_core.config.files, adastar_core.planning.plan; print(sorted({'prefect', 'torch'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert result.stdout.strip() == "[]"


def test_one_place_alone_touches_tokenizers() -> None:
    """What a model's tokens are is decided in one place, so that no two parts can disagree by one.

    A GGUF file's tokenizer is written and tried once, before it is a model of any run.
    """
    files = [
        path
        for part in ("adastar_core", "flows", "tasks", "examples")
        for path in (ROOT / part).rglob("*.py")
    ]
    words = ("AutoTokenizer", "PreTrainedTokenizer", "._tokenizer", "apply_chat_template", "from tokenizers")
    found = {path.name for path in files if any(word in path.read_text() for word in words)}
    assert found == {"vocabulary.py", "gguf.py", "trial.py"}


def test_no_file_has_a_working_place_in_it() -> None:
    """Paths and hosts of one machine have no place in the project."""
    texts = [
        path
        for pattern in ("*.py", "*.md", "*.yaml", "Makefile")
        for path in ROOT.glob(f"[a-zA-Z]*/**/{pattern}")
    ]
    assert len(texts) > 20
    assert [str(path) for path in texts if "/work/" in path.read_text() and path != Path(__file__)] == []
