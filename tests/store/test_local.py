import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg2
import pytest
from sqlalchemy import create_engine, make_url, text

from adastar_core.errors import DatabaseError, HomeError
from adastar_core.postgres import layout as cluster_module
from adastar_core.postgres import server as local
from adastar_core.postgres.binaries import Binaries, find_binaries
from adastar_core.postgres.layout import ServerFiles
from adastar_core.postgres.server import start_local_postgres, stop_local_postgres
from adastar_core.store.database import open_database

_START = (
    "import sys; from pathlib import Path; from adastar_core.postgres.server import start_local_postgres;"
    "print(start_local_postgres(Path(sys.argv[1]), durable=False))"
)
_BUSY_SECONDS = (
    "DO $$ BEGIN WHILE clock_timestamp() < now() + interval '3 seconds' LOOP NULL; END LOOP; END $$"
)


@pytest.fixture(scope="module")
def shared_home(make_home: Callable[[], Path]) -> Path:
    """A directory whose server the tests of this module kill and start again."""
    return make_home()


def start_in_another_process(home: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", _START, str(home)], stdout=subprocess.PIPE, text=True)


def query(url: str, statement: str) -> object:
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            result = connection.execute(text(statement))
            return result.scalar() if result.returns_rows else None
    finally:
        engine.dispose()


def postmaster(home: Path) -> int:
    return int(ServerFiles.at(home).pid_file.read_text().splitlines()[0])


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def test_racing_processes_share_one_server_that_outlives_them(shared_home: Path) -> None:
    starters = [start_in_another_process(shared_home) for _ in range(3)]
    urls = {starter.communicate(timeout=60)[0].strip() for starter in starters}
    assert [starter.returncode for starter in starters] == [0, 0, 0]
    assert urls == {start_local_postgres(shared_home)}
    assert query(urls.pop(), "SELECT 1") == 1


def test_waiting_for_another_process_to_start_the_server_is_reported(
    make_home: Callable[[], Path], caplog: pytest.LogCaptureFixture
) -> None:
    home = make_home()
    with ThreadPoolExecutor() as pool:
        with ServerFiles.at(home).locked():
            waiting = pool.submit(start_local_postgres, home, durable=False)
            with pytest.raises(TimeoutError):
                waiting.result(3.0)
        waiting.result()
    assert "Waiting for another process to start or stop the local database (which holds" in caplog.text


def test_only_the_holder_of_the_password_can_connect(shared_home: Path) -> None:
    url = make_url(start_local_postgres(shared_home, durable=False))
    assert ServerFiles.at(shared_home).password_file.stat().st_mode & 0o777 == 0o600
    assert (shared_home / "postgres").stat().st_mode & 0o777 == 0o700
    with pytest.raises(psycopg2.OperationalError, match="authentication failed"):
        psycopg2.connect(host=url.query["host"], user="adastar", password="guess", dbname="postgres")


def test_the_users_postgres_environment_does_not_matter(
    shared_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_local_postgres(shared_home)
    for name, value in {
        "PGPORT": "6000",
        "PGDATABASE": "none",
        "PGUSER": "none",
        "PGHOST": "/nowhere",
    }.items():
        monkeypatch.setenv(name, value)
    assert query(start_local_postgres(shared_home, durable=False), "SHOW port") == "5432"


def test_what_a_killed_initialisation_left_behind_is_no_obstacle(make_home: Callable[[], Path]) -> None:
    home = make_home()
    (home / "postgres" / "data.new" / "base").mkdir(parents=True)
    (home / "postgres" / "password.new").write_text("old")
    assert query(start_local_postgres(home, durable=False), "SELECT 1") == 1


def test_an_open_engine_works_again_after_the_server_was_killed_and_restarted(shared_home: Path) -> None:
    start_local_postgres(shared_home, durable=False)
    engine = open_database(None, shared_home)
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    kill(postmaster(shared_home))
    start_local_postgres(shared_home, durable=False)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM runs")) == 0
    engine.dispose()


def test_committed_data_survives_kill_9_of_the_server(shared_home: Path) -> None:
    url = start_local_postgres(shared_home, durable=False)
    query(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    killed = postmaster(shared_home)
    kill(killed)
    assert start_local_postgres(shared_home, durable=False) == url
    assert postmaster(shared_home) != killed
    assert query(url, "SELECT answer FROM kept") == 42


def test_a_query_that_outlives_its_killed_server_is_waited_for(
    shared_home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    url = start_local_postgres(shared_home, durable=False)
    client = make_url(url)
    connection = psycopg2.connect(
        host=client.query["host"], user=client.username, password=client.password, dbname="postgres"
    )
    busy = threading.Thread(target=_keep_busy, args=(connection,))
    busy.start()
    while query(url, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DO %'") == 0:
        time.sleep(0.02)
    kill(postmaster(shared_home))
    with monkeypatch.context() as impatient:
        impatient.setattr(local, "_SAY_AFTER_SECONDS", 0.1)
        impatient.setattr(local, "_PATIENCE_SECONDS", 0.4)
        with pytest.raises(DatabaseError, match=r"did not come up within .* minutes"):
            start_local_postgres(shared_home, durable=False)
    assert len([line for line in caplog.messages if "Waiting for the local database" in line]) == 1
    start_local_postgres(shared_home, durable=False)
    assert query(url, "SELECT 1") == 1
    busy.join()


def _keep_busy(connection: "psycopg2.extensions.connection") -> None:
    try:
        connection.cursor().execute(_BUSY_SECONDS)
    except psycopg2.OperationalError:
        pass
    finally:
        connection.close()


def test_a_process_id_that_now_belongs_to_another_process_is_no_obstacle(shared_home: Path) -> None:
    url = start_local_postgres(shared_home, durable=False)
    stop_local_postgres(shared_home)
    files = ServerFiles.at(shared_home)
    owner = files.account.pw_uid if files.account else None
    with subprocess.Popen(["sleep", "60"], user=owner) as stranger:
        files.pid_file.write_text(f"{stranger.pid}\n{files.data}\n{int(time.time())}\n5432\n\n\n\nready\n")
        assert start_local_postgres(shared_home, durable=False) == url
        assert postmaster(shared_home) != stranger.pid
        stranger.kill()


def test_stopping_ends_every_process_and_may_be_repeated(shared_home: Path) -> None:
    start_local_postgres(shared_home, durable=False)
    pid = postmaster(shared_home)
    stop_local_postgres(shared_home)
    stop_local_postgres(shared_home)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_lost_or_wrong_password_is_explained(shared_home: Path) -> None:
    start_local_postgres(shared_home, durable=False)
    file = ServerFiles.at(shared_home).password_file
    password = file.read_text()
    file.write_text("wrong")
    with pytest.raises(DatabaseError, match="refuses the password"):
        start_local_postgres(shared_home)
    stop_local_postgres(shared_home)
    file.unlink()
    with pytest.raises(HomeError, match=r"postgres\.password is gone"):
        start_local_postgres(shared_home)
    file.write_text(password)


def test_a_server_that_cannot_start_says_why(shared_home: Path) -> None:
    start_local_postgres(shared_home, durable=False)
    files = ServerFiles.at(shared_home)
    stop_local_postgres(shared_home)
    settings = files.data / "postgresql.auto.conf"
    settings.write_text("shared_buffers_of_nobody = 1\n")
    with pytest.raises(DatabaseError, match=r"does not start.*shared_buffers_of_nobody"):
        start_local_postgres(shared_home)
    settings.write_text("")


def test_a_path_too_long_for_a_socket_works(make_home: Callable[[], Path]) -> None:
    home = make_home() / ("x" * 90)
    home.mkdir(mode=0o711)
    try:
        assert query(start_local_postgres(home, durable=False), "SELECT 1") == 1
    finally:
        stop_local_postgres(home)
        shutil.rmtree(ServerFiles.at(home).socket_directory)


def test_data_of_a_version_that_is_not_installed_is_refused() -> None:
    with pytest.raises(DatabaseError, match="PostgreSQL 9, which wrote the local database, is not installed"):
        find_binaries(9)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
def test_data_of_a_user_that_the_system_does_not_know_is_refused(make_home: Callable[[], Path]) -> None:
    home = make_home()
    (home / "postgres").mkdir()
    os.chown(home / "postgres", 54321, 54321)
    with pytest.raises(HomeError, match="user number 54321, whom this system does not know"):
        start_local_postgres(home)
    os.chown(home / "postgres", 0, 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as another user")
def test_a_home_closed_to_the_servers_user_is_named(make_home: Callable[[], Path]) -> None:
    closed = make_home() / "closed"
    (closed / "home").mkdir(parents=True)
    closed.chmod(0o700)
    with pytest.raises(HomeError, match=rf"cannot pass through {closed}\."):
        start_local_postgres(closed / "home")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as another user")
def test_programs_closed_to_the_servers_user_are_copied(
    make_home: Callable[[], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = find_binaries(None)
    package = wheel.directory.parent.parent
    libraries = package.with_name(f"{package.name}.libs")
    shutil.copytree(
        wheel.directory.parent, tmp_path / package.name / wheel.directory.parent.name, symlinks=True
    )
    shutil.copytree(libraries, tmp_path / libraries.name)
    closed = Binaries(tmp_path / wheel.directory.relative_to(package.parent), wheel.version)
    tmp_path.chmod(0o700)
    monkeypatch.setattr(cluster_module, "find_binaries", lambda _major: closed)
    home = make_home()
    assert query(start_local_postgres(home, durable=False), "SELECT 1") == 1
    stop_local_postgres(home)
    assert (home / "postgres-programs" / wheel.version).is_dir()
