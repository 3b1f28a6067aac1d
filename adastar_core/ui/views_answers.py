"""Views of evaluation: the answers of two checkpoints side by side, all questions or one."""

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from adastar_core.records import FinishReason, Split
from adastar_core.store.evaluations import read_evaluations
from adastar_core.ui.answers import (
    Change,
    count_changes,
    read_answer,
    read_compared,
    read_item,
    read_outcomes,
)
from adastar_core.ui.attempts import PAGE
from adastar_core.ui.places import place_of
from adastar_core.ui.site import After, Number, Site, Values, first, link, missing


def add_answer_views(app: FastAPI, site: Site) -> None:
    @app.get("/runs/{run_id}/answers/{split}")
    def answers(
        request: Request,
        run_id: Number,
        split: Split,
        left: Number = 0,
        right: Number | None = None,
        change: Change = "gained",
        after: After = -1,
    ) -> Response:
        with site.connection() as connection:
            run = site.run(connection, run_id)
            known = [row.iteration for row in read_evaluations(connection, run_id) if row.split is split]
            if not known:
                raise missing(f"{run.name} has not been measured on {split.value} yet.")
            if right is None:
                address = link("runs", run_id, "answers", split.value, left=known[0], right=known[-1])
                return RedirectResponse(address, 303)
            counts = count_changes(connection, run_id, split.value, left, right)
            listed = read_compared(connection, run_id, split.value, left, right, change, after)
        rows, last = first(listed, PAGE)
        values: Values = {
            "run": run.overview,
            "split": split.value,
            "known": known,
            "left": left,
            "right": right,
        }
        values |= {"counts": counts, "change": change, "rows": rows, "last": last, "begins": after < 0}
        return site.page(request, "answers.html.j2", values)

    @app.get("/runs/{run_id}/answers/{split}/{position}")
    def question(
        request: Request, run_id: Number, split: Split, position: Number, left: Number = 0, right: Number = 0
    ) -> HTMLResponse:
        with site.connection() as connection:
            run = site.run(connection, run_id)
            item = read_item(connection, run_id, split.value, position)
            if item is None:
                raise missing(f"{run.name} has no question at position {position} of {split.value}.")
            outcomes = read_outcomes(connection, run_id, split.value, position)
            given = [read_answer(connection, run_id, split.value, position, side) for side in (left, right)]
        places = [
            side and place_of(side.verifier, item, side.response, FinishReason.EOS, side.extracted)
            for side in given
        ]
        values: Values = {"run": run.overview, "split": split.value, "position": position, "item": item}
        values |= {"outcomes": outcomes, "given": given, "places": places, "left": left, "right": right}
        return site.page(request, "answer.html.j2", values)
