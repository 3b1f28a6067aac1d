"""How far an iteration is: counted, or estimated where there is too much to count."""

import pytest
from sqlalchemy import Engine, text

from adastar_core.ui import attempts
from adastar_core.ui.attempts import read_progress


def test_a_sample_estimates_what_counting_finds(seen: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with seen.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE rollouts_r1, verdicts_r1"))
        counted = [read_progress(connection, 1, iteration) for iteration in (1, 2, 3)]
        query = text(
            "SELECT count(*), count(*) FILTER (WHERE outcome = 'right') FROM verdicts WHERE iteration = 2"
        )
        assert (counted[1].judged, counted[1].right) == tuple(connection.execute(query).one())
        assert all(found.exact for found in counted)
        monkeypatch.setattr(attempts, "_COUNTED", 200)
        estimated = [read_progress(connection, 1, iteration) for iteration in (1, 2, 3)]
    assert not any(found.exact for found in estimated)
    total = sum(found.generated for found in counted)
    assert 0.3 * total < sum(found.generated for found in estimated) < 3 * total
