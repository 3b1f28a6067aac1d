"""A database that is stopped while somebody looks, and started again."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import text

from adastar_core.postgres.server import start_local_postgres, stop_local_postgres
from adastar_core.store.database import open_database
from adastar_core.ui.site import Site
from tests.ui.conftest import serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def test_a_stopped_database_says_what_to_do_and_comes_back(
    make_home: Callable[[], Path], browser: "Browser"
) -> None:
    home = make_home()
    start_local_postgres(home, durable=False)
    engine = open_database(None, home)
    site = Site(engine, home)
    with serving(site) as served, served.client() as client:
        page = browser.new_page()
        page.goto(served.address)
        assert "No run yet" in page.locator("main").inner_text()
        stop_local_postgres(home)
        for address in ("/", "/runs/1", "/runs/1/iterations/1"):
            answer = client.get(address)
            assert answer.status_code == 503
            assert "adastar runs" in answer.text
        page.goto(f"{served.base}/")
        page.get_by_role("heading", name="The database does not answer").wait_for()
        start_local_postgres(home, durable=False)
        page.get_by_text("No run yet").wait_for()  # without a hand laid on it
        assert client.get("/runs/1").status_code == 404
        page.close()
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM runs")) == 0
    engine.dispose()
