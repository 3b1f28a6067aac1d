"""What the views show, compared with what the database holds."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from itertools import product
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from fastapi.routing import APIRoute
from sqlalchemy import Engine, text

from adastar_core.ui import attempts
from adastar_core.ui.serving import views
from adastar_core.ui.site import Site
from tests.cli.conftest import Finished
from tests.ui.conftest import serving

ATTEMPT = re.compile(r"^/runs/1/iterations/(\d+)/(\d+)/(\d+)$")
OBSERVATION = re.compile(r"^/runs/1/observations/(\d+)$")


class Links(HTMLParser):
    """The addresses in a page, in order, and that of its next page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.all: list[str] = []
        self.next: str | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.all += [found for name in ("href", "src", "action", "hx-get") if (found := values.get(name))]
        if values.get("rel") == "next" and "attempt" not in (values.get("href") or "").split("/"):
            self.next = values["href"]


def pages(client: httpx.Client, address: str) -> Iterator[Links]:
    """Yield the links of a page and of those that follow it."""
    following: str | None = address
    while following:
        answer = client.get(following)
        assert answer.status_code == 200, answer.text
        links = Links(answer.text)
        yield links
        following = links.next


def listed(client: httpx.Client, address: str, wanted: re.Pattern[str]) -> list[tuple[int, ...]]:
    """Return what the rows of a list and of its next pages link to."""
    found = [wanted.match(link) for page in pages(client, address) for link in page.all]
    return [tuple(map(int, match.groups())) for match in found if match]


def rows(engine: Engine, query: str, **values: object) -> list[tuple[int, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query), values)]


def test_links_lead_to_every_view_and_all_of_them_answer(
    client: httpx.Client, seen: Engine, finished: Finished
) -> None:
    known = [route for route in views(Site(seen, finished.home)).routes if isinstance(route, APIRoute)]
    waiting, alike, reached = {"/": None}, Counter[str](), set[str]()
    done = set[str]()
    while waiting:
        address = next(iter(waiting))
        del waiting[address]
        done.add(address)
        kind = re.sub(r"=[^&]*", "", re.sub(r"\d+", "n", address))
        alike[kind] += 1
        if alike[kind] > 6:  # of many that are alike, some
            continue
        assert re.match("/(?!/)", address), "it leads to another host"
        answer = client.get(address, follow_redirects=True)
        assert answer.status_code == 200 or address.endswith("/find"), (address, answer.text)
        reached |= {route.path for route in known if route.path_regex.match(urlsplit(address).path)}
        if answer.headers["content-type"].startswith("text/html"):
            found = (urljoin(address, link) for link in Links(answer.text).all)
            waiting |= dict.fromkeys(link for link in found if link not in done)
    assert reached == {route.path for route in known}


def test_a_run_shows_its_iterations_and_accuracies(client: httpx.Client, seen: Engine) -> None:
    page = client.get("/runs/1").text
    assert "mine" in page
    assert "3 of 3" in page
    for accepted, m in rows(seen, "SELECT accepted, m FROM iterations"):
        assert f">{accepted}<" in page
        assert f">{m}<" in page
    for correct, total in rows(seen, "SELECT correct, total FROM evaluations"):
        assert f"{100 * correct / total:.1f} %" in page


KINDS = {
    "all": "true",
    "right": "outcome = 'right'",
    "wrong": "outcome = 'wrong'",
    "undecided": "outcome = 'undecided'",
    "rejected": "rejected_by IS NOT NULL",
    "trained": "place IS NOT NULL",
}


@pytest.mark.parametrize("kind", KINDS)
def test_attempts_of_each_kind_are_listed_once_and_in_order(
    client: httpx.Client, seen: Engine, kind: str
) -> None:
    query = (
        "SELECT iteration, position, attempt FROM rollouts JOIN verdicts USING (iteration, position, attempt) "
        "LEFT JOIN training_examples USING (iteration, position, attempt) "
        f"WHERE iteration = 2 AND {KINDS[kind]} ORDER BY position, attempt"
    )
    wanted = rows(seen, query)
    assert listed(client, f"/runs/1/iterations/2?kind={kind}", ATTEMPT) == wanted
    assert wanted or kind in ("undecided", "rejected")


def test_what_hardly_occurs_is_searched_for_page_by_page(
    client: httpx.Client, seen: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "SEARCHED", 7)
    query = "SELECT iteration, position, attempt FROM verdicts WHERE iteration = 2 AND outcome = 'wrong' ORDER BY 2, 3"
    address = "/runs/1/iterations/2?kind=wrong"
    assert listed(client, address, ATTEMPT) == rows(seen, query)
    assert len(list(pages(client, address))) > 5
    assert "searches on" in client.get(address).text


def test_there_is_more_than_one_page(client: httpx.Client) -> None:
    assert len(list(pages(client, "/runs/1/iterations/2"))) > 1


STATISTICS = ("position", "correct", "attempts", "last_iteration", "times_trained", "times_visited")
SORTED: dict[str, Callable[[tuple[int, ...]], float]] = {
    "position": lambda row: 0,
    "win-rate": lambda row: row[1] / row[2],
    "recency": lambda row: row[3],
    "trained": lambda row: row[4],
    "visited": lambda row: row[5],
}


def test_observations_come_in_the_order_of_a_statistic(own_site: Site) -> None:
    with own_site.engine.begin() as connection:  # some without a win rate, and many equal ones
        forgotten = "UPDATE observation_statistics SET attempts = 0, correct = 0 WHERE position % 5 = 0"
        connection.execute(text(forgotten))
    query = f"SELECT {', '.join(STATISTICS)} FROM observation_statistics ORDER BY position"
    statistics = rows(own_site.engine, query)
    with serving(own_site) as server, server.client() as client:
        for sort, sign in product(SORTED, (1, -1)):
            unknown = [row for row in statistics if sort == "win-rate" and not row[2]]
            known = [row for row in statistics if row not in unknown]
            ordered = sorted(known, key=lambda row: (sign * SORTED[sort](row), row[0])) + unknown
            address = f"/runs/1/observations?sort={sort}&down={sign < 0}"
            assert listed(client, address, OBSERVATION) == [row[:1] for row in ordered], address


def test_an_attempt_has_everything(client: httpx.Client, seen: Engine) -> None:
    (key,) = rows(
        seen,
        "SELECT iteration, position, attempt FROM rollouts JOIN verdicts USING (iteration, position, attempt) "
        "JOIN training_examples USING (iteration, position, attempt) WHERE hinted AND iteration = 3 LIMIT 1",
    )
    page = client.get("/runs/1/iterations/{}/{}/{}".format(*key)).text
    with seen.connect() as connection:
        query = (
            "SELECT * FROM rollouts r JOIN verdicts v USING (iteration, position, attempt) JOIN observations o USING (position) "
            "WHERE (iteration, position, attempt) = (:t, :position, :attempt)"
        )
        row = connection.execute(text(query), dict(zip(("t", "position", "attempt"), key, strict=True))).one()
    assert "its digest is the recorded one" in page
    assert re.search(
        rf'id="prompt">\n{re.escape(row.question)}={row.answer}\s*</pre>', page
    )  # the hinted prompt
    assert re.search(rf"<mark[^>]*>{re.escape(row.extracted)}</mark>", page)
    assert f"{row.stream % 2**64:016x}" in page
    assert row.checkpoint_sha256 in page
    assert '<a href="/runs/1/checkpoints/2">checkpoint of iteration 2</a>' in page
    assert row.verifier in page
    assert row.reason in page
    assert "/runs/1/checkpoints/3?after=" in page
    whole = client.get("/runs/1/iterations/{}/{}/{}/response.txt".format(*key))
    assert whole.text == row.response
    assert whole.headers["content-type"] == "text/plain; charset=utf-8"


def test_a_checkpoint_shows_what_it_was_trained_on(client: httpx.Client, seen: Engine) -> None:
    query = "SELECT iteration, position, attempt FROM training_examples WHERE iteration = 2 ORDER BY place"
    assert listed(client, "/runs/1/checkpoints/2", ATTEMPT) == rows(seen, query)
    page = client.get("/runs/1/checkpoints/3").text
    (digest,) = rows(seen, "SELECT sha256 FROM checkpoints WHERE iteration = 3")[0]
    assert str(digest) in page


def test_answers_of_two_checkpoints_are_compared(client: httpx.Client, seen: Engine) -> None:
    query = (
        "SELECT count(*) FILTER (WHERE b.outcome = 'right' AND a.outcome <> 'right'), "
        "count(*) FILTER (WHERE a.outcome = 'right' AND b.outcome <> 'right'), count(*) "
        "FROM evaluation_answers a JOIN evaluation_answers b USING (split, position) "
        "WHERE split = 'validation' AND a.iteration = 0 AND b.iteration = 3"
    )
    ((gained, lost, total),) = rows(seen, query)
    page = client.get("/runs/1/answers/validation?left=0&right=3").text
    assert f"right only in 3 ({gained})" in page
    assert f"right only in 0 ({lost})" in page
    assert f"all ({total})" in page
    one = client.get("/runs/1/answers/validation/5?left=0&right=3").text
    given = rows(
        seen,
        "SELECT response FROM evaluation_answers WHERE split = 'validation' AND position = 5 AND iteration IN (0, 3)",
    )
    plain = re.sub(r"</?mark[^>]*>", "", one)
    assert all(str(response).strip() in plain for (response,) in given)


def test_an_observation_shows_two_iterations_side_by_side(client: httpx.Client, seen: Engine) -> None:
    ((position,),) = rows(
        seen,
        "SELECT position FROM observation_events GROUP BY position HAVING count(*) > 1 ORDER BY position LIMIT 1",
    )
    page = client.get(f"/runs/1/observations/{position}?left=1&right=2").text
    assert "Iteration 1 beside iteration 2" in page
    made = rows(
        seen,
        "SELECT iteration, position, attempt FROM rollouts WHERE position = :p ORDER BY 1 DESC, 3",
        p=position,
    )
    assert listed(client, f"/runs/1/observations/{position}", ATTEMPT) == made


def test_an_observation_is_found_by_its_id(client: httpx.Client, seen: Engine) -> None:
    ((position, name),) = rows(seen, "SELECT position, observation_id FROM observations WHERE position = 7")
    answer = client.get("/runs/1/find", params={"observation": name})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/runs/1/observations/{position}")


def test_runs_side_by_side_show_what_differs(own_site: Site) -> None:
    with own_site.engine.begin() as connection:
        connection.execute(text(ANOTHER_RUN))
    with serving(own_site) as server, server.client() as client:
        page = client.get("/?run=1&run=2").text
        assert re.search(r"<td>seed</td><td[^>]*>77</td><td[^>]*>0</td>", page)
        assert "trainer.batch_size" not in page
        assert 'href="/?run=1"' in page
        assert client.get("/runs/2").status_code == 200  # a run that has nothing yet
        assert client.get("/runs/2/observations").status_code == 200
        assert client.get("/runs/2/answers/test").status_code == 404


ANOTHER_RUN = """
    INSERT INTO runs (uid, name, dataset_id, config, config_sha256, iterations, code_version, base_model, status,
                      lease_epoch)
    SELECT 'other', 'other', dataset_id, jsonb_set(config, '{seed}', '77'), 'x', 3, '1', 'b', 'failed', 0 FROM runs
"""
MISSING = (
    "/runs/9", "/runs/1/iterations/9", "/runs/1/iterations/1/0/99", "/runs/1/observations/999", "/runs/1/checkpoints/9",
    "/runs/1/answers/train", "/runs/1/answers/test/999", "/runs/1/find?observation=%00no", "/else",
    "/runs/1/iterations/1/0/99/response.txt",
)  # fmt: skip
UNREADABLE = (
    "/runs/x", "/runs/99999999999999999999", "/runs/-1", "/runs/1/iterations/1?kind=odd", "/runs/1/iterations/1?after=-2",
    "/runs/1/observations?sort=name", "/runs/1/observations?key=x", "/runs/1/answers/none", "/runs/1/find",
    "/?" + "&".join(f"run={n}" for n in range(9)),
)  # fmt: skip


def test_what_is_not_there_is_said_to_be_missing(client: httpx.Client) -> None:
    for address in MISSING:
        answer = client.get(address)
        assert (answer.status_code, "There is no such page" in answer.text) == (404, True), address


def test_an_address_that_cannot_be_read_is_a_page_too(client: httpx.Client) -> None:
    for address in UNREADABLE:
        answer = client.get(address)
        assert (answer.status_code, "cannot be read" in answer.text) == (422, True), address
