"""Who is let in, and what every answer forbids."""

import httpx
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from adastar_core.ui.guard import HEADERS
from adastar_core.ui.serving import bound
from adastar_core.ui.site import Site
from tests.support.runs import outcome_of
from tests.ui.conftest import Served, serving

PATHS = ("/", "/runs/1", "/static/ui.css", "/nowhere", "/docs", "/openapi.json")


def test_nobody_is_let_in_without_the_token(served: Served) -> None:
    name = f"adastar_ui_{served.base.rpartition(':')[2]}"
    with httpx.Client(base_url=served.base, cookies={name: "wrong"}) as stranger:
        for path in PATHS:
            for query in ("", "?token=", "?token=wrong", "?token=%C3%A9", "?token=%00"):
                answer = stranger.get(path + query)
                assert answer.status_code == 403
                assert "adastar ui" in answer.text


def test_the_token_becomes_a_cookie_and_leaves_the_address(served: Served) -> None:
    answer = httpx.get(served.address.replace("/?", "/runs/1/observations?sort=trained&"))
    assert answer.status_code == 303
    assert answer.headers["location"] == "/runs/1/observations?sort=trained"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert served.address.partition("token=")[2] not in answer.headers["set-cookie"]
    with served.client() as client:
        assert client.get("/").status_code == 200


def test_the_token_leads_to_no_other_host(served: Served) -> None:
    token = served.address.partition("?")[2]
    for path in ("//example.com/", "/\\example.com", "///example.com/a"):
        location = httpx.get(f"{served.base}{path}?{token}").headers["location"]
        assert location[0] == "/"
        assert location[1:2] not in ("/", "\\")


def test_another_host_name_is_refused_whatever_it_has(served: Served, client: httpx.Client) -> None:
    for host in ("example.com", "127.0.0.1.example.com", "localhost.example.com:80", ""):
        assert client.get("/", headers={"host": host}).status_code == 400
        assert httpx.get(served.address, headers={"host": host}).status_code == 400
    for host in ("localhost", "localhost:9999", "127.0.0.1:1"):  # another port may be forwarded here
        assert client.get("/", headers={"host": host}).status_code == 200


def test_a_page_is_only_ever_read(client: httpx.Client) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"):
        assert client.request(method, "/runs/1").status_code == 405


def test_every_answer_says_what_it_may_do(served: Served, client: httpx.Client) -> None:
    answers = [client.get(path) for path in (*PATHS, "/runs/x", "/runs/1/find?observation=no")]
    answers += [httpx.get(served.base), httpx.get(served.address), client.post("/")]
    assert {answer.status_code for answer in answers} == {200, 303, 403, 404, 405, 422}
    for answer in answers:
        assert HEADERS.items() <= {name.title(): value for name, value in answer.headers.items()}.items()
        assert "server" not in answer.headers
    assert "unsafe" not in HEADERS["Content-Security-Policy"]
    assert "http" not in HEADERS["Content-Security-Policy"]


def test_only_this_machine_is_listened_to() -> None:
    with bound(0) as listening:
        assert listening.getsockname()[0] == "127.0.0.1"


def test_one_server_does_not_let_into_another(served: Served, own_site: Site) -> None:
    with serving(own_site) as other, served.client() as client:
        (value,) = client.cookies.values()
        assert client.get(other.base).status_code == 403
        with other.client() as known:
            (name,) = known.cookies
            assert known.get("/").status_code == 200
            assert httpx.get(other.base, cookies={name: value}).status_code == 403


def test_pages_cannot_write(own_site: Site) -> None:
    with pytest.raises(DBAPIError, match="read-only"), own_site.connection() as connection:
        connection.execute(text("UPDATE runs SET name = 'changed'"))
    with own_site.engine.begin() as connection:  # and the pool's other users still can
        connection.execute(text("UPDATE runs SET name = 'changed'"))


def test_looking_changes_nothing(client: httpx.Client, seen: Engine) -> None:
    before = outcome_of(seen, 1)
    for path in ("/", "/runs/1", "/runs/1/iterations/1", "/runs/1/observations", "/runs/1/checkpoints/1"):
        assert client.get(path).status_code == 200
    assert outcome_of(seen, 1) == before
