"""The pages of a finished run, served as ``adastar ui`` serves them, to a client or to a browser."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from sqlalchemy import URL, Engine

from adastar_core.store.database import connect
from adastar_core.ui.serving import bound, prepare
from adastar_core.ui.site import Site
from tests.cli.conftest import Finished, finished, run_database, run_home
from tests.conftest import new_database
from tests.support.browser import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = [
    "finished",
    "run_database",
    "run_home",
]  # a run of three iterations, and a copy of it


@dataclass(frozen=True)
class Served:
    """A server: the address with the token that it gave, and the one without."""

    address: str

    @property
    def base(self) -> str:
        return self.address.partition("/?")[0]

    @contextmanager
    def client(self) -> Iterator[httpx.Client]:
        """Yield a client that was let in."""
        with httpx.Client(base_url=self.base, timeout=60) as client:
            client.get(self.address)
            yield client


@contextmanager
def serving(site: Site) -> Iterator[Served]:
    listening = bound(0)
    server, address = prepare(site, listening)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield Served(address)
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="package")
def seen(administrator: Engine, server: URL, finished: Finished) -> Iterator[Engine]:
    """A copy of the finished run's database that all tests here look at and none changes."""
    name = f"seen_{finished.database}"
    with new_database(administrator, name, finished.database):
        engine = connect(server.set(database=name))
        yield engine
        engine.dispose()


@pytest.fixture(scope="package")
def served(seen: Engine, finished: Finished) -> Iterator[Served]:
    with serving(Site(seen, finished.home)) as server:
        yield server


@pytest.fixture
def client(served: Served) -> Iterator[httpx.Client]:
    """Someone who has opened the address."""
    with served.client() as client:
        yield client


@pytest.fixture
def own_site(run_database: Engine, run_home: Path) -> Site:
    """The finished run for a test that changes it."""
    return Site(run_database, run_home)


@pytest.fixture(scope="package")
def browser() -> Iterator["Browser"]:
    with chromium() as found:
        yield found
