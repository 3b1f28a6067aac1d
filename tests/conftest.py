"""Fixtures for every test: a local Postgres for the session, and a new database for each test."""

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")  # before Prefect is imported, which reads it

import fsspec
import hypothesis
import pytest
from sqlalchemy import URL, Engine, create_engine, make_url, text

from adastar_core.postgres.server import start_local_postgres, stop_local_postgres
from adastar_core.store.database import connect
from adastar_core.store.migrate import migrate
from tests.support.prefect_server import PrefectServer, prefect_server
from tests.support.s3 import s3_server

# A busy machine makes any case slow, which says nothing of the code.
hypothesis.settings.register_profile("no deadline", deadline=None)
hypothesis.settings.load_profile("no deadline")

OTHER_PROCESSES = tuple(
    f"tests/{folder}/" for folder in ("cluster", "crash", "deployment", "documents", "flows", "store", "ui")
)
"""Tests that start workers, servers, commands and browsers, and wait for what these do."""

_TEMPLATE = "migrated"
_numbers = itertools.count()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Hand out tests by what they set up, where they were to be handed out by file."""
    if config.getoption("dist") != "loadfile":
        return None
    from tests.support.distribution import TogetherScheduling

    return TogetherScheduling(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Use one process more than there are cores: tests wait for servers, workers and missing heartbeats."""
    return 1 + (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the tests that take longest, where several processes share them.

    What waits for other processes gets a second try, which the summary names: a busy machine fails it now and then.
    """
    if config.pluginmanager.hasplugin("rerunfailures"):
        for item in items:
            if item.nodeid.startswith(OTHER_PROCESSES):
                item.add_marker(pytest.mark.flaky(reruns=1))
    if hasattr(config, "workerinput"):
        from tests.support.distribution import longest_first

        items[:] = longest_first(items)


@pytest.fixture(scope="session", autouse=True)
def _own_home(make_home: Callable[[], Path]) -> Iterator[None]:
    """Keep every test away from the user's own data and databases."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ADASTAR_DATABASE_URL", raising=False)
        patch.delenv("ADASTAR_STORE", raising=False)
        patch.setenv("ADASTAR_HOME", str(make_home()))
        yield


@pytest.fixture(scope="session")
def make_home() -> Iterator[Callable[[], Path]]:
    """Make data directories that root's database server can reach; pytest's own directories are closed.

    In the end, local servers left running in them are stopped.
    """
    homes: list[Path] = []

    def make() -> Path:
        homes.append(Path(tempfile.mkdtemp(prefix="adastar-test-")))
        homes[-1].chmod(0o711)
        return homes[-1]

    yield make
    for home in homes:
        stop_local_postgres(home)
        shutil.rmtree(home)


@pytest.fixture(scope="session")
def server(make_home: Callable[[], Path]) -> Iterator[URL]:
    """The session's Postgres: a local one without durability, or the one that ADASTAR_TEST_SERVER names."""
    given = os.environ.get("ADASTAR_TEST_SERVER")
    if given:
        yield make_url(given)
        return
    home = make_home()
    yield make_url(start_local_postgres(home, durable=False))
    stop_local_postgres(home)


@pytest.fixture(scope="session")
def administrator(server: URL) -> Iterator[Engine]:
    """A connection to the server that creates and drops databases."""
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def template(administrator: Engine, server: URL) -> Iterator[str]:
    """A database with the newest schema, which every test's database is a copy of."""
    name = f"{_TEMPLATE}_{os.getpid()}"
    with new_database(administrator, name):
        engine = connect(server.set(database=name))
        migrate(engine)
        engine.dispose()
        yield name


@pytest.fixture
def empty_database(administrator: Engine, server: URL) -> Iterator[URL]:
    """The URL of a database without tables."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    with new_database(administrator, name):
        yield server.set(database=name)


@pytest.fixture
def database(administrator: Engine, server: URL, template: str) -> Iterator[Engine]:
    """An engine on a database of this test alone, with the newest schema and no rows."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    with new_database(administrator, name, template):
        engine = connect(server.set(database=name))
        yield engine
        engine.dispose()


@pytest.fixture(scope="session")
def untouched(administrator: Engine, server: URL, template: str) -> Iterator[Engine]:
    """An engine on a database for all tests of what ends before it writes anything there."""
    name = f"untouched_{os.getpid()}"
    with new_database(administrator, name, template):
        engine = connect(server.set(database=name))
        yield engine
        engine.dispose()


@pytest.fixture(scope="session")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """A Prefect server, which takes seconds to start. Its background services are for `make soak`."""
    folder = tmp_path_factory.mktemp("prefect")
    with prefect_server(folder, services="ADASTAR_SOAK_ROUNDS" in os.environ) as server:
        yield server


@pytest.fixture(scope="session")
def s3() -> Iterator[dict[str, str]]:
    """An S3 server on this machine: the environment with which every client finds it."""
    with s3_server() as environment:
        yield environment


@pytest.fixture
def bucket(s3: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an empty bucket; clients in this process find its server."""
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    name = f"bucket-{next(_numbers)}"
    fsspec.filesystem("s3").mkdir(name)
    return f"s3://{name}"


@pytest.fixture(params=["folder", "s3"])
def store_address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty file store of either kind."""
    return str(tmp_path / "store") if request.param == "folder" else request.getfixturevalue("bucket")


@contextmanager
def new_database(administrator: Engine, name: str, template: str = "template0") -> Iterator[None]:
    """Create a database, as a copy of ``template``, and drop it in the end."""
    with administrator.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))
    try:
        yield
    finally:
        with administrator.connect() as connection:
            connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
