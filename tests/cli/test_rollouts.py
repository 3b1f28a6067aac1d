"""``adastar rollouts``: every condition against plain SQL, pages, hostile texts, and what a page costs."""

import json
import re
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Connection, Engine, text

from adastar_core.cli.output import print_line
from adastar_core.machine.visible import json_text, visible
from adastar_core.records import RejectionReason
from adastar_core.store.browse import Condition, RolloutKey, page_query, read_rollouts
from tests.cli.conftest import Adastar

Json = Callable[..., dict]  # type: ignore[type-arg]
HOSTILE = "a\x1b[31mred\x1b]0;title\x07 \x9b2J \u202edesrever\u202c z\u200bw [bold]b[/bold] :smile: \r\b\x00\tend \ue000\U000e0041"


def keys_of(document: dict) -> list[tuple[int, int, int]]:  # type: ignore[type-arg]
    return [(one["iteration"], one["position"], one["attempt"]) for one in document["rollouts"]]


@pytest.mark.parametrize(
    ("options", "condition"),
    [
        ((), "true"),
        (("--right",), "outcome = 'right'"),
        (("--wrong",), "outcome = 'wrong'"),
        (("--undecided",), "outcome = 'undecided'"),
        (("--rejected",), "rejected_by IS NOT NULL"),
        (("--iteration", "2", "--wrong"), "outcome = 'wrong' AND iteration = 2"),
        (("--search", "CARRY"), "response ILIKE '%carry%'"),
        (("--search", "%"), "response LIKE '%\\%%'"),
        (("--right", "--search", "7"), "outcome = 'right' AND response LIKE '%7%'"),
    ],
)
def test_conditions(
    adastar_json: Json, run_database: Engine, options: tuple[str, ...], condition: str
) -> None:
    with run_database.begin() as connection:
        spoil(connection)
        rows = connection.execute(
            text(
                "SELECT iteration, position, attempt FROM rollouts LEFT JOIN verdicts "
                f"USING (run_id, iteration, position, attempt) WHERE {condition} ORDER BY iteration DESC, position, attempt"
            )
        ).all()
    assert rows or options[-1] == "%"
    assert keys_of(adastar_json("rollouts", "mine", *options, "--limit", "100000")) == list(map(tuple, rows))


def spoil(connection: Connection) -> None:
    """Make some verdicts undecided, some rejected, and one attempt unjudged; add another version's verdicts."""
    for statement in (
        "UPDATE rollouts SET response = 'I carry ' || response WHERE position % 10 = 5",
        "UPDATE verdicts SET outcome = 'undecided' WHERE position % 10 = 3",
        f"UPDATE verdicts SET rejected_by = '{RejectionReason.EMPTY}', rejected_because = 'says nothing' "
        "WHERE outcome = 'right' AND position % 10 = 4",
        "DELETE FROM training_examples WHERE iteration = 3",
        "DELETE FROM verdicts WHERE ctid = (SELECT max(ctid) FROM verdicts) AND iteration = 3",
    ):
        connection.execute(text(statement))


def test_a_later_version_of_the_verifier_changes_nothing(adastar_json: Json, run_database: Engine) -> None:
    before = adastar_json("rollouts", "mine", "--limit", "100000")
    with run_database.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO verdicts SELECT run_id, iteration, position, attempt, 'other/9', 'undecided', NULL, '', 'why' "
                "FROM rollouts"
            )
        )
    assert adastar_json("rollouts", "mine", "--limit", "100000") == before


def test_pages_are_the_whole_without_gaps(adastar_json: Json) -> None:
    whole = keys_of(adastar_json("rollouts", "mine", "--wrong", "--limit", "100000"))
    pages: list[tuple[int, int, int]] = []
    options: tuple[str, ...] = ()
    while True:
        page = adastar_json("rollouts", "mine", "--wrong", "--limit", "7", *options)
        pages += keys_of(page)
        if page["next"] is None:
            break
        options = ("--after", page["next"])
    assert len(whole) > 14
    assert pages == whole


def test_an_observation_has_its_whole_history(
    adastar_json: Json, adastar: Adastar, run_database: Engine
) -> None:
    with run_database.connect() as connection:
        name, position = connection.execute(
            text(
                "SELECT observation_id, position FROM observations JOIN observation_events USING (position) "
                "GROUP BY 1, 2 HAVING count(*) > 1 LIMIT 1"
            )
        ).one()
        count = connection.scalar(text("SELECT count(*) FROM rollouts WHERE position = :p"), {"p": position})
    found = keys_of(adastar_json("rollouts", "mine", "--observation", name, "--limit", "1000"))
    assert {key[1] for key in found} == {position}
    assert len(found) == count
    status, _, complaint = adastar("rollouts", "mine", "--observation", "nosuch")
    assert status == 2
    assert "no observation 'nosuch'" in complaint


def test_text_names_everything(adastar: Adastar, run_database: Engine) -> None:
    with run_database.connect() as connection:
        row = connection.execute(
            text(
                "SELECT iteration, position, attempt, response, extracted, reason, stream, checkpoint_sha256, question, answer, "
                "hinted FROM rollouts JOIN verdicts USING (run_id, iteration, position, attempt) "
                "JOIN observations USING (position) WHERE outcome = 'wrong' AND extracted IS NOT NULL "
                "ORDER BY iteration DESC, position, attempt LIMIT 1"
            )
        ).one()
    status, out, _ = adastar("rollouts", "mine", "--wrong", "--limit", "1", "--search", row.response)
    assert status == 0
    assert f"── {row.iteration}:{row.position}:{row.attempt}  wrong" in out
    for shown in (row.question, row.extracted, row.reason, row.answer, row.checkpoint_sha256[:16]):
        assert shown in out
    assert f"stream {row.stream % 2**64:016x}" in out
    assert ("with a hint" in out) is row.hinted
    assert " ".join(row.response.split()) in " ".join(out.split())


def test_hostile_text_is_shown_and_never_interpreted(
    adastar: Adastar, adastar_json: Json, run_database: Engine
) -> None:
    hostile = HOSTILE.replace("\x00", "")  # which Postgres does not take
    with run_database.begin() as connection:
        connection.execute(text("UPDATE rollouts SET response = :text"), {"text": hostile})
        connection.execute(text("UPDATE verdicts SET reason = :text, extracted = :text"), {"text": hostile})
        connection.execute(
            text("UPDATE observations SET question = :text, answer = :text"), {"text": hostile}
        )
    status, out, _ = adastar("rollouts", "mine")
    assert status == 0
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\ue000\U000e0041]", out)
    assert (
        r"a\x1b[31mred\x1b]0;title\x07 \x9b2J \u202edesrever\u202c z\u200bw [bold]b[/bold] :smile: \r\x08"
        in out
    )
    status, out, _ = adastar("rollouts", "mine", "--json")
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\ue000\U000e0041]", out)
    assert json.loads(out)["rollouts"][0]["response"] == hostile


def test_what_can_be_seen_stays_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    kept = "Größe 難しい\u3000問題 ∑ 😀 עברית é\u00a0%"
    assert visible(kept) == kept
    assert json.loads(json_text({"a": [kept, HOSTILE, "\ud800", "\U0010ffff"]}))["a"] == [
        kept, HOSTILE, "\ud800", "\U0010ffff",
    ]  # fmt: skip
    assert kept in json_text(kept)
    print_line("[red]x[/red] :smile:")
    assert capsys.readouterr().out == "[red]x[/red] :smile:\n"


@pytest.mark.parametrize("key", ["3:1", "a:b:c", "3:1:1:1", "9999999999:1:1", ""])
def test_a_key_that_is_none_is_refused(adastar: Adastar, key: str) -> None:
    status, _, complaint = adastar("rollouts", "mine", "--after", key)
    assert status == 2
    assert "ITERATION:POSITION:ATTEMPT" in complaint


def scans(plan: dict) -> Iterator[dict]:  # type: ignore[type-arg]
    if "Relation Name" in plan:
        yield plan
    for part in plan.get("Plans", ()):
        yield from scans(part)


@pytest.mark.parametrize(
    ("condition", "most"),
    [
        (Condition(), 10),
        (Condition(position=500), 10),
        (Condition("right"), 100),
        (Condition("wrong"), 100),
        (Condition("wrong", position=500), 10),
        (Condition(search="steps"), 10),
    ],
)
def test_a_page_reads_what_it_shows_and_no_more(
    run_database: Engine, condition: Condition, most: int
) -> None:
    """Counted in rows, on a partition of 100,000 rollouts that has no statistics; the page begins in its midst."""
    with run_database.begin() as connection:
        for statement in (
            "DELETE FROM training_examples", "DELETE FROM verdicts", "DELETE FROM rollouts", "DELETE FROM observation_events",
            "INSERT INTO observations SELECT dataset_id, n, 'more-' || n, '?', '1', '[]', NULL, n::text "
            "FROM datasets, generate_series(1000, 49999) n",
            "INSERT INTO rollouts SELECT 1, 3, o.position, k, false, 1, 1, 1, 1, 1, 1, 'eos', 'a', 'b', 'steps' "
            "FROM observations o, generate_series(1, 2) k",
            "INSERT INTO rollouts SELECT 1, 3, 500, k, false, 1, 1, 1, 1, 1, 1, 'eos', 'a', 'b', 'steps' "
            "FROM generate_series(1, 2) k",
            "INSERT INTO observations SELECT dataset_id, 500, 'x', '?', '1', '[]', NULL, 'x' FROM datasets",
            "INSERT INTO verdicts SELECT 1, 3, position, attempt, 'number/1', "
            "CASE WHEN position % 2 = 0 THEN 'right' ELSE 'wrong' END, '1', 'a', 'b' FROM rollouts",
            "UPDATE iterations SET verifier = 'number/1'",
        ):  # fmt: skip
            connection.execute(text(statement))
    after = RolloutKey(3, 400 if condition.position else 25_000, 1)
    with run_database.connect() as connection:
        dataset_id = connection.scalar(text("SELECT dataset_id FROM datasets")) or 0
        found = read_rollouts(connection, 1, dataset_id, condition, 5, after)
        values = {
            "run_id": 1,
            "iteration": 3,
            "verifier": "number/1",
            "position": after.position,
            "attempt": 1,
        }
        values |= {
            "dataset_id": dataset_id,
            "limit": 5,
            "only": condition.position,
            "search": condition.search,
        }
        explain = text("EXPLAIN (ANALYZE, FORMAT JSON) " + page_query(condition))
        # In the transaction whose settings read_rollouts has made.
        (plan,) = connection.execute(explain, values).scalar_one()
    assert found if condition != Condition("wrong", position=500) else not found
    assert all(row.key > after for row in found)
    for scan in scans(plan["Plan"]):
        if scan["Relation Name"].startswith(("rollouts", "verdicts", "observations")):
            assert scan["Node Type"] in ("Index Scan", "Index Only Scan")
            read = scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0)
            assert read * scan["Actual Loops"] <= most
