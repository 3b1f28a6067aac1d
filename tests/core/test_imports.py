"""How modules depend on each other: no cycles, layers that import only downwards, and little loaded for each purpose."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ABOVE_PARTS = {"config", "store", "runs", "stages", "report", "planning", "audit", "comparison", "ui", "cli"}
PARTS = (
    "cluster",
    "generators",
    "machine",
    "models",
    "problems",
    "samplers",
    "selection",
    "trainers",
    "verifiers",
)


def modules() -> dict[str, Path]:
    """Return the core's modules by name; migrations run alone and are left out."""
    found = {}
    for path in (ROOT / "adastar_core").rglob("*.py"):
        if "migrations" not in path.parts:
            found[".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")] = path
    return found


MODULES = modules()


def imports_in(path: Path) -> Iterator[str]:
    """Yield the core's modules that a file imports, wherever in it; imports for types alone count."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name if name in MODULES else node.module for name in names)


GRAPH = {module: set(imports_in(path)) - {module} for module, path in MODULES.items()}


def package_of(module: str) -> str:
    """Return the package that a module belongs to; modules at the top belong to none and count as themselves."""
    return ".".join(module.split(".")[:2])


def packages() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for module, imported in GRAPH.items():
        found.setdefault(package_of(module), set()).update(map(package_of, imported))
    return {package: imported - {package} for package, imported in found.items()}


def cycle_in(graph: Mapping[str, set[str]]) -> list[str]:
    """Return one cycle, its first member last again; nothing if there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert len(GRAPH) > 200
    assert cycle_in(GRAPH) == []


def test_no_packages_import_each_other_in_a_circle() -> None:
    assert cycle_in(packages()) == []


def test_the_parts_of_the_method_know_neither_the_configuration_nor_the_store() -> None:
    layers = {f"adastar_core.{name}" for name in ABOVE_PARTS}
    found = {
        module: imported & layers for module, imported in packages().items() if module.split(".")[-1] in PARTS
    }
    assert len(found) == len(PARTS)
    assert {module: upwards for module, upwards in found.items() if upwards} == {}


def test_few_modules_lie_at_the_top() -> None:
    assert len(list((ROOT / "adastar_core").glob("[!_]*.py"))) <= 8


def test_settings_import_nothing_that_computes() -> None:
    for module, path in MODULES.items():
        if module.endswith(".settings") and module != "adastar_core.settings":
            lines = ast.walk(ast.parse(path.read_text()))
            names = {node.module for node in lines if isinstance(node, ast.ImportFrom)}
            assert {name for name in names if name and "adastar" in name} <= {"adastar_core.settings"}, module


FEW = {
    "cluster.connection": (12, "torch transformers ray"),
    "cluster.engine": (25, "sqlalchemy psycopg2"),  # what a Ray actor runs
    "generators.transformers": (24, ""),
    "trainers.sft": (31, ""),
    "trainers.sft trainers.launch": (33, ""),  # the launcher and its child belong to several processes only
}
"""How many of the core's modules each may load, and which libraries none up to it may have loaded."""
LOADING = """
import importlib, sys
for modules in sys.argv[1:]:
    for module in modules.split():
        importlib.import_module(f"adastar_core.{module}")
    print(*sys.modules)
    for name in [name for name in sys.modules if name.partition(".")[0] == "adastar_core"]:
        del sys.modules[name]
"""


@pytest.fixture(scope="module")
def loading() -> dict[str, set[str]]:
    """What is loaded after each of these modules: in one process, as torch and transformers take seconds."""
    command = [sys.executable, "-c", LOADING, *FEW]
    found = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    return {module: set(line.split()) for module, line in zip(FEW, found.splitlines(), strict=True)}


@pytest.mark.parametrize("module", FEW)
def test_a_module_loads_few_others(loading: dict[str, set[str]], module: str) -> None:
    most, without = FEW[module]
    loaded = loading[module]
    ours = sorted(name for name in loaded if name.split(".")[0] == "adastar_core")
    assert len(ours) <= most, ours
    assert loaded.isdisjoint(without.split())


def test_training_loads_no_generators_configuration_or_store(loading: dict[str, set[str]]) -> None:
    above = {
        f"adastar_core.{name}" for name in ("generators", "cluster", "config", "store", "runs", "stages")
    }
    assert {package_of(name) for name in loading["trainers.sft trainers.launch"]}.isdisjoint(above)
