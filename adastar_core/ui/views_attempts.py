"""Views of training: an iteration's attempts, one attempt, observations in an order, one observation."""

from functools import partial
from typing import Annotated

from fastapi import FastAPI, Query, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from adastar_core.store.browse import RolloutKey, find_position
from adastar_core.store.iterations import find_iteration
from adastar_core.ui.attempt import Detail, read_attempt, read_neighbours
from adastar_core.ui.attempts import (
    PAGE,
    Kind,
    read_attempts,
    read_attempts_at,
    read_progress,
)
from adastar_core.ui.observed import Sort, read_observed, read_sorted
from adastar_core.ui.places import place_of
from adastar_core.ui.prompts import prompt_of
from adastar_core.ui.site import After, Number, Site, Values, first, missing

_ATTEMPT = "/runs/{run_id}/iterations/{iteration}/{position}/{attempt}"


def add_iteration_views(app: FastAPI, site: Site) -> None:
    @app.get("/runs/{run_id}/iterations/{iteration}")
    def iteration(
        request: Request,
        run_id: Number,
        iteration: Number,
        kind: Kind = "all",
        after: After = -1,
        attempt: Number = 0,
    ) -> HTMLResponse:
        with site.connection() as connection:
            run = site.run(connection, run_id)
            row = find_iteration(connection, run_id, iteration)
            if row is None:
                raise missing(f"{run.name} has not begun iteration {iteration}.")
            progress = read_progress(connection, run_id, iteration) if row.phase == "sampling" else None
            place = (after, attempt)
            rows, following = read_attempts(connection, run_id, run.dataset_id, iteration, kind, place)
        values: Values = {
            "run": run.overview,
            "row": row,
            "live": run.overview.state == "running" and row.phase == "sampling",
            "begins": after < 0,
            "progress": progress,
            "kind": kind,
            "rows": rows,
            "following": following,
            "searches_on": following is not None and len(rows) < PAGE,
        }
        return site.page(request, "iteration.html.j2", values)

    @app.get(_ATTEMPT)
    def one_attempt(
        request: Request, run_id: Number, iteration: Number, position: Number, attempt: Number
    ) -> HTMLResponse:
        key = RolloutKey(iteration, position, attempt)
        with site.connection() as connection:
            run = site.run(connection, run_id)
            found = _found(read_attempt(connection, run_id, run.dataset_id, key), key)
            before, after = read_neighbours(connection, run_id, key)
        values: Values = {"run": run.overview, "found": found, "before": before, "after": after}
        values["prompt"] = prompt_of(partial(site.stored, run), found)
        values["place"] = _place(found)
        return site.page(request, "attempt.html.j2", values)

    @app.get(f"{_ATTEMPT}/response.txt")
    def response(run_id: Number, iteration: Number, position: Number, attempt: Number) -> PlainTextResponse:
        key = RolloutKey(iteration, position, attempt)
        with site.connection() as connection:
            run = site.run(connection, run_id)
            found = _found(read_attempt(connection, run_id, run.dataset_id, key), key)
        return PlainTextResponse(found.response)


def add_observation_views(app: FastAPI, site: Site) -> None:
    @app.get("/runs/{run_id}/observations")
    def observations(
        request: Request,
        run_id: Number,
        sort: Sort = "position",
        down: bool = False,
        key: float | None = None,
        after: After = -1,
    ) -> HTMLResponse:
        with site.connection() as connection:
            run = site.run(connection, run_id)
            last = None if key is None else (key, after)
            listed = read_sorted(connection, run_id, run.dataset_id, sort, down=down, after=last)
        rows, end = first(listed, PAGE)
        values: Values = {"run": run.overview, "sort": sort, "down": down, "begins": last is None}
        return site.page(request, "observations.html.j2", {**values, "rows": rows, "last": end})

    @app.get("/runs/{run_id}/find")
    def find(run_id: Number, observation: Annotated[str, Query(max_length=10_000)]) -> Response:
        with site.connection() as connection:
            run = site.run(connection, run_id)
            position = find_position(connection, run.dataset_id, observation.replace("\0", ""))
        if position is None:
            raise missing(f"{run.name} has no observation with the id {observation!r}.")
        return RedirectResponse(f"/runs/{run_id}/observations/{position}", 303)

    @app.get("/runs/{run_id}/observations/{position}")
    def observation(
        request: Request,
        run_id: Number,
        position: Number,
        before: Number | None = None,
        attempt: Number = 0,
        left: Number | None = None,
        right: Number | None = None,
    ) -> HTMLResponse:
        last = None if before is None else (before, attempt)
        with site.connection() as connection:
            run = site.run(connection, run_id)
            found = read_observed(connection, run_id, run.dataset_id, position)
            if found is None:
                raise missing(f"{run.name} has no observation at position {position}.")
            listed = read_attempts_at(connection, run_id, run.dataset_id, position, last)
            sides = [
                (number, read_attempts_at(connection, run_id, run.dataset_id, position, only=number))
                for number in (left, right)
                if number is not None
            ]
        rows, end = first(listed, PAGE)
        values: Values = {"run": run.overview, "position": position, "found": found, "begins": last is None}
        values |= {"rows": rows, "last": end, "sides": sides, "left": left, "right": right}
        return site.page(request, "observation.html.j2", values)


def _found(attempt: Detail | None, key: RolloutKey) -> Detail:
    if attempt is None:
        raise missing(f"Iteration {key.iteration} has no attempt {key.attempt} at position {key.position}.")
    return attempt


def _place(found: Detail) -> tuple[int, int] | None:
    chosen = found.selecting
    if chosen is None:
        return None
    return place_of(chosen.verifier, found.observation, found.response, found.finish_reason, chosen.extracted)
