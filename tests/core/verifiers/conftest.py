"""One formula verifier for all tests: its worker process takes seconds to start."""

from collections.abc import Iterator

import pytest

from adastar_core.verifiers.math import MathVerifier


@pytest.fixture(scope="session")
def formulas() -> Iterator[MathVerifier]:
    verifier = MathVerifier(workers=1, seconds=5.0)
    yield verifier
    verifier.close()
