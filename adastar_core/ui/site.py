"""What all views share: the database, the templates, the page for whatever goes wrong."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import quote, urlencode

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, Response
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import Field
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException as AnyHTTPException

from adastar_core.compute import pflops
from adastar_core.machine import units
from adastar_core.runs.stored import StoredRun, folder_of, open_stored
from adastar_core.store.overview import Overview, read_overview
from adastar_core.ui import wording

_HERE = Path(__file__).parent
_LONGEST_STATEMENT = "20s"
_CANCELLED = "57014"
LIVE_SECONDS = 3
"""How often a page about a running run reads itself again."""

Number = Annotated[int, Field(ge=0, le=2**31 - 1)]
"""A run, iteration, position or attempt in an address."""
After = Annotated[int, Field(ge=-1, le=2**31 - 1)]
"""The last row before a page; -1 before the first."""
Values = dict[str, object]
"""What a template is filled with, by name."""
Row = TypeVar("Row")
_RUN = text("SELECT uid, dataset_id FROM runs WHERE run_id = :run_id")


@dataclass(frozen=True)
class Site:
    """A database and the data directory of its runs, as pages read them."""

    engine: Engine
    home: Path

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Yield a transaction that cannot write, nor keep the server busy for long."""
        with self.engine.connect().execution_options(postgresql_readonly=True) as connection:
            connection.execute(text(f"SET LOCAL statement_timeout = '{_LONGEST_STATEMENT}'"))
            yield connection

    def run(self, connection: Connection, run_id: int) -> "SeenRun":
        """Return a run; a page that says so if there is none."""
        overview = read_overview(connection, run_id)
        row = connection.execute(_RUN, {"run_id": run_id}).one_or_none()
        if overview is None or row is None:
            raise missing(f"There is no run number {run_id} in this database.")
        return SeenRun(overview, row.uid, row.dataset_id, folder_of(self.home, overview.name, row.uid))

    def stored(self, run: "SeenRun") -> StoredRun:
        """Return a run with its configuration; the last few are kept."""
        return _stored(self.engine, self.home, run.overview.name, run.uid)

    def page(self, request: Request, template: str, values: Values, status: int = 200) -> HTMLResponse:
        """Return a filled template, in which ``here`` is the page's own address."""
        here = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
        known = {"here": here, "live_seconds": LIVE_SECONDS, "now": datetime.now(UTC)}
        return HTMLResponse(_templates().get_template(template).render({**known, **values}), status)


@dataclass(frozen=True, slots=True)
class SeenRun:
    """A run as a page shows it: at a glance, its training data, and its directory on this machine."""

    overview: Overview
    uid: str
    dataset_id: int
    folder: Path

    @property
    def run_id(self) -> int:
        return self.overview.run_id

    @property
    def name(self) -> str:
        return self.overview.name


def missing(what: str) -> HTTPException:
    return HTTPException(404, what)


def first(rows: list[Row], page: int) -> tuple[list[Row], Row | None]:
    """Return a page of rows, and its last one if there are more."""
    return rows[:page], rows[page - 1] if len(rows) > page else None


def new_app(site: Site) -> FastAPI:
    """Return an app without views, which answers every error with a page."""
    app = FastAPI(openapi_url=None)
    app.mount("/static", StaticFiles(directory=_HERE / "static"))

    def error(request: Request, status: int, title: str, says: str, *, again: bool = False) -> Response:
        return site.page(request, "error.html.j2", {"title": title, "says": says, "again": again}, status)

    @app.exception_handler(DBAPIError)
    @app.exception_handler(PoolTimeout)
    def database_failed(request: Request, failure: Exception) -> Response:
        if getattr(getattr(failure, "orig", None), "pgcode", None) == _CANCELLED:
            says = f"The database was stopped after {_LONGEST_STATEMENT} of work on this. Try it when it has less to do."
            return error(request, 503, "This takes too long", says)
        says = (
            "It was stopped, or it cannot be reached. A local one is started by any command that reads it, for example "
            "adastar runs; for another one, check that its server runs. This page tries again by itself."
        )
        return error(request, 503, "The database does not answer", says, again=True)

    @app.exception_handler(AnyHTTPException)
    def refused(request: Request, failure: AnyHTTPException) -> Response:
        return error(request, failure.status_code, "There is no such page", str(failure.detail))

    @app.exception_handler(RequestValidationError)
    def misread(request: Request, failure: RequestValidationError) -> Response:
        first_error = failure.errors()[0]
        where = ".".join(map(str, first_error["loc"][1:]))
        return error(request, 422, "This address cannot be read", f"Its part {where}: {first_error['msg']}.")

    @app.exception_handler(Exception)
    def failed(request: Request, _failure: Exception) -> Response:
        says = "This is a fault of the program. What happened stands in the terminal where adastar ui runs."
        return error(request, 500, "This page failed", says)

    return app


@lru_cache(maxsize=64)
def _stored(engine: Engine, home: Path, name: str, _uid: str) -> StoredRun:
    """Return a run; its uid is new where another run has taken its name."""
    return open_stored(engine, home, name)


@lru_cache(maxsize=1)
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable[..., object]] = {
        "shown": wording.shown,
        "plain": wording.plain,
        "flat": lambda given: " ".join(given.split()),
        "count": lambda number: units.NONE if number is None else f"{number:,}",
        "decimals": lambda number: units.NONE if number is None else f"{number:.3f}",
        "percent": units.percent,
        "accuracy": units.accuracy,
        "flops": lambda number: units.flops(pflops(number)),
        "duration": lambda seconds: units.NONE if seconds is None else units.duration(seconds),
        "size": units.size,
        "minute": lambda moment: units.NONE if moment is None else f"{moment:%Y-%m-%d %H:%M}",
    }
    environment.filters.update(filters)
    environment.globals.update(
        link=link, clipped=wording.clipped, parts=wording.parts, Part=wording.Part, NONE=units.NONE
    )
    return environment


def link(*path: object, **query: object) -> str:
    """Return the address of a page from the parts of its path and the values that it is asked for."""
    place = "/" + "/".join(quote(str(part), safe="") for part in path)
    asked = urlencode([(key, value) for key, value in query.items() if value is not None], doseq=True)
    return f"{place}?{asked}" if asked else place
