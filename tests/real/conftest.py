"""Tests on a real model and real tokenizers (`make test-real`): what cannot be downloaded here skips its tests.

The model is kept where `adastar models get` keeps it, so that it is made once, also by several test processes.
`ADASTAR_TEST_DATA` names a folder with the benchmarks' own files (`anli_r1/dev.jsonl`, ...); without it, rows
that come with the package are used. `ADASTAR_TEST_GEMMA=1` accepts Gemma's license and adds its tokenizer.
"""

import os
from pathlib import Path

import pytest

from adastar_core.errors import ModelError
from adastar_core.machine.home import default_home
from adastar_core.models import library

HOME = default_home()
"""The user's own data directory: read here, before the tests get one of theirs."""
ROOT = Path(__file__).parents[2]


def _got(name: str) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ADASTAR_HOME", str(HOME))
        try:
            made = library.get(name, print)
        except ModelError as error:
            if not str(error).startswith("pip could not download"):
                raise
            pytest.skip(str(error))
    link = library.place_of(name)  # in the tests' data directory, so that the name means it there
    link.parent.mkdir(exist_ok=True, parents=True)
    if not link.exists():
        link.symlink_to(made)
    return link


@pytest.fixture(scope="session")
def smollm() -> Path:
    """SmolLM2-135M-Instruct: byte-level BPE, a chat template, two end tokens in one."""
    return _got("smollm2-135m")


@pytest.fixture(scope="session")
def gemma() -> Path:
    """Gemma 3 270M: SentencePiece with BOS, no chat template."""
    if os.environ.get("ADASTAR_TEST_GEMMA") != "1":
        pytest.skip("Gemma has terms of its own; accept them with ADASTAR_TEST_GEMMA=1")
    return _got("gemma3-270m")


@pytest.fixture(scope="session")
def questions() -> Path:
    """Rows of ANLI, which a small model answers in the asked form: the authors', or of the same form."""
    if folder := os.environ.get("ADASTAR_TEST_DATA"):
        return Path(folder) / "anli_r1" / "dev.jsonl"
    return ROOT / "adastar_core" / "presets" / "smoke" / "anli_r1.jsonl"
