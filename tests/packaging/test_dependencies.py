"""Users install what the product imports, and nothing else."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PYPROJECT = (ROOT / "pyproject.toml").read_text()
PROJECT = tomllib.loads(PYPROJECT)["project"]
OURS = {"adastar_core", "flows", "tasks", "tests", "bench", "examples", "scripts"}
PRODUCT = ("adastar_core", "flows", "tasks")
MONITORS = ("mlflow", "wandb", "tensorboard", "trackio")
AROUND = ("tests", "bench", "examples", "scripts", "docker")


def imported(*folders: str) -> set[str]:
    """Return the distributions whose packages the code in these folders imports."""
    known = {"mlflow": ["mlflow-skinny"], **packages_distributions()}
    beside = {
        path.stem for around in ("bench", "docker", "scripts") for path in (ROOT / around).rglob("*.py")
    }
    names = {
        name for folder in folders for path in (ROOT / folder).rglob("*.py") for name in packages_of(path)
    }
    names -= OURS | beside | set(sys.stdlib_module_names)
    return {canonicalize_name(found) for name in names for found in known.get(name, [name])}


def packages_of(path: Path) -> Iterator[str]:
    """Yield the top-level packages that a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def declared(*extras: str) -> set[str]:
    """Return the distributions that pyproject.toml declares, with these extras."""
    lines = [
        *PROJECT["dependencies"],
        *(line for name in extras for line in PROJECT["optional-dependencies"][name]),
    ]
    return {canonicalize_name(Requirement(line).name) for line in lines}


def test_whatever_the_product_imports_is_declared() -> None:
    assert {"torch", "pyyaml", "antlr4-python3-runtime", "cyclopts"} <= imported(*PRODUCT)
    assert imported(*PRODUCT) - declared("ray", "vllm", *MONITORS) == set()


def test_every_dependency_is_imported_or_says_why_not() -> None:
    unused = declared() - imported(*PRODUCT)
    reasons = dict(re.findall(r'^ +"([\w-]+)[^"]*", # not imported: (.+)$', PYPROJECT, re.MULTILINE))
    assert unused == set(reasons)


def test_tests_and_benchmarks_find_what_they_import() -> None:
    through_transformers = {"tokenizers"}
    through_prefect = {"docker", "packaging", "kubernetes-asyncio"}
    here = (
        declared("dev", "ray", "workers", "bench", "vllm", *MONITORS) | through_transformers | through_prefect
    )
    assert imported(*AROUND) - here == set()
    assert "trl" in imported("bench")
    assert "trl" not in declared()


def test_the_image_with_vllm_has_a_lock_that_differs_where_vllm_wants_it() -> None:
    """vLLM wants older versions of some packages. Prefect's must be the server's, which it could not talk to otherwise."""
    plain, vllm = (pins(name) for name in ("constraints.txt", "constraints-vllm.txt"))
    assert {name for name in plain.keys() & vllm.keys() if plain[name] != vllm[name]} <= {
        "transformers",
        "numpy",
    }
    assert vllm["prefect"] == plain["prefect"]
    groups = [PROJECT["optional-dependencies"][name] for name in ("vllm", "workers", "ray", "s3", *MONITORS)]
    for requirement in map(Requirement, chain(PROJECT["dependencies"], *groups)):
        name = canonicalize_name(requirement.name)
        assert requirement.specifier.contains(vllm[name]), name


def pins(name: str) -> dict[str, str]:
    lines = [line.partition(";")[0] for line in (ROOT / name).read_text().splitlines()]
    found = (line.partition("==") for line in lines if not line.startswith("#"))
    return {canonicalize_name(package.strip()): version.strip() for package, _, version in found}
