"""What each field of a form could reach, and what stops it: the table of ``docs/borders.md``.

The type of a field says which row it belongs to (``adastar_core/settings.py``). A kind without a row, and a row whose test
is gone, fail a test.
"""

import inspect
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from pydantic import BaseModel

from adastar_core.config import RunConfig
from adastar_core.config.access import kinds_in
from adastar_core.settings import TextKind
from flows import deployed
from flows.members import ComparisonSettings

PAGE = Path(__file__).parent.parent / "docs" / "borders.md"


@dataclass(frozen=True, slots=True)
class Border:
    """What a kind of text could do, what stops it, and the test of that, as pytest names it."""

    could: str
    stopped: str
    test: str


_ACCESS = "tests/core/test_access.py::"
_LEADS_OUTSIDE = f"{_ACCESS}test_a_form_cannot_lead_outside"
BORDERS: dict[TextKind, Border] = {
    TextKind.READABLE_PATH: Border(
        "read any file", "only in `ADASTAR_READABLE`, with links and `..` resolved", _LEADS_OUTSIDE
    ),
    TextKind.DATA_SOURCE: Border(
        "read any file, fetch any data set",
        "a path: only in `ADASTAR_READABLE`; a hub name: only in `ADASTAR_HUB`",
        _LEADS_OUTSIDE,
    ),
    TextKind.DATA_PART: Border(
        "read a file beside the data",
        "checked where it leads, when it is opened",
        "tests/core/test_security.py::test_data_outside_the_allowed_folders_is_refused",
    ),
    TextKind.BASE_SOURCE: Border(
        "read any file as YAML",
        "a preset's name, or a path in `ADASTAR_READABLE`",
        f"{_ACCESS}test_a_comparison_s_form_cannot_lead_outside",
    ),
    TextKind.MODEL_SOURCE: Border(
        "read any folder, fetch any model, run a model's code",
        "as data; only safetensors, no code of a model; `run:NAME` reads only that run's own directory",
        f"{_ACCESS}test_a_link_deep_inside_a_model_leads_nowhere",
    ),
    TextKind.CODE_PATH: Border(
        "run any code",
        "only what `ADASTAR_USER_CODE` names, word by word, and entry points that the operator installed",
        f"{_ACCESS}test_code_runs_on_a_worker_only_by_the_name_that_the_operator_gives",
    ),
    TextKind.OPTION: Border(
        "steer code of the operator's, or send a run's figures elsewhere",
        "your own parts get it as it is and must take it for hostile; a monitor's service has one option, its project, "
        "of letters, digits, dots, dashes and underscores",
        "tests/flows/test_monitors.py::test_a_monitor_that_cannot_be_used_is_refused_before_anything_is_written",
    ),
    TextKind.SERVER_URL: Border(
        "send prompts and a key anywhere, ask any address inside the network",
        "only pairs of key and server in `ADASTAR_SERVERS`; without them the own key, to this machine; no query, redirect or proxy",
        f"{_ACCESS}test_a_key_is_sent_only_where_the_operator_allows",
    ),
    TextKind.KEY_VARIABLE: Border(
        "send another secret of the environment",
        "a name that ends in `API_KEY`, checked as a pair with the server",
        f"{_ACCESS}test_a_key_is_sent_only_where_the_operator_allows",
    ),
    TextKind.SENT_NAME: Border(
        "be sent to the hub or the server that another field names",
        "that other field's; as a folder's name it is checked where it leads",
        "tests/core/test_security.py::test_data_outside_the_allowed_folders_is_refused",
    ),
    TextKind.CLUSTER_ADDRESS: Border(
        "join a cluster whose owner runs code here", "only `auto` and `RAY_ADDRESS`", _LEADS_OUTSIDE
    ),
    TextKind.DATABASE_URL: Border(
        "read and write any database, read a file as a password", "refused altogether", _LEADS_OUTSIDE
    ),
    TextKind.HOME_PATH: Border(
        "write anywhere",
        "only in `ADASTAR_WRITABLE` and the data directory, and not where the program keeps something",
        f"{_ACCESS}test_a_form_cannot_write_where_the_program_keeps_something",
    ),
    TextKind.OUTPUT_PATH: Border(
        "write over other results",
        "as `home`, and only a new or empty folder, or one of a comparison",
        f"{_ACCESS}test_a_comparison_writes_into_no_folder_of_something_else",
    ),
    TextKind.TEMPLATE: Border(
        "read attributes or other columns through a format",
        "names of columns alone: no format, attribute, index or call",
        "tests/core/test_borders.py::test_a_template_shows_fields_and_nothing_else",
    ),
    TextKind.SETTING: Border(
        "be any other field",
        "the whole configuration is checked before anything is opened; so is that of a comparison's runs",
        "tests/deployment/test_hostile_form.py::test_the_values_of_a_comparison_s_runs_are_confined_too",
    ),
    TextKind.NOTHING: Border(
        "be shown: in pages, reports, logs, file names",
        "shown as text everywhere; a file's name is made of its letters and digits",
        "tests/core/test_security.py::test_a_run_name_cannot_lead_out_of_the_data_directory",
    ),
}


def fields() -> dict[TextKind | None, list[str]]:
    """Return every field of the form, of a comparison's form and of the configuration by its kind.

    ``None`` are those that hold no text: numbers, choices and switches.
    """
    found: dict[TextKind | None, dict[str, None]] = defaultdict(dict)
    for name, parameter in inspect.signature(deployed.adastar.fn, eval_str=True).parameters.items():
        for kind in _kinds((parameter.annotation,)):
            found[kind][f"{name} (form)"] = None
    for model, where in ((RunConfig, ""), (ComparisonSettings, " (compare)")):
        for key, of_kind in _fields_of(model):
            found[of_kind][key + where] = None
    return {kind: list(names) for kind, names in found.items()}


def _fields_of(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, TextKind | None]]:
    for name, field in model.model_fields.items():
        groups = list(_groups_in(field.annotation))
        for group in groups:
            yield from _fields_of(group, f"{prefix}{name}.")
        for kind in _kinds((field.annotation, *field.metadata)):
            if kind is not None or not groups:
                yield f"{prefix}{name}", kind


def _kinds(annotations: tuple[object, ...]) -> tuple[TextKind | None, ...]:
    return tuple(dict.fromkeys(kinds_in(annotations))) or (None,)


def _groups_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _groups_in(inner)


def page() -> str:
    """Return the page with the table."""
    found = fields()
    rows = "\n".join(_row(found[kind], border) for kind, border in BORDERS.items())
    return f"""# What a form can reach

This page is generated: change `flows/borders.py`, then run `python -m flows.describe`.

Somebody may fill in forms and nothing else ([security](security.md)). This is every field that they can
send, what it could make the worker do, and what stops that. *(form)* are the fields of a deployment's form,
*(compare)* those of a comparison's; all others are keys of the configuration, which `overrides` can set.

| fields | could … | what stops it | tested by |
|---|---|---|---|
{rows}
| all others: numbers, choices and switches | use the worker's time, memory, processes and disk | the bounds of each field; beyond that nothing: give the worker limits of its own | `tests/core/test_access.py::test_every_text_that_a_form_can_send_says_what_it_is` |

A new field that holds text without saying of which kind fails that test, and a kind without a row fails
`tests/core/test_borders.py`.

Beside the fields, Prefect's own request to start a run can carry:

| part | could … | what stops it | tested by |
|---|---|---|---|
| `{{"$ref": …}}` in a parameter | make Prefect read a block of the server into it, and show what it holds in the run's log | refused before Prefect looks at it (`flows/parameters.py`) | `tests/flows/test_hostile_parameters.py::test_a_parameter_is_no_block_of_the_server` |
| `{{"__prefect_kind": "workspace_variable" or "jinja"}}` in a parameter | make the server put its variables into it, and compute a template for as long as that takes | nothing here: it happens in the server. Keep no secrets in Prefect's variables, and let the proxy refuse bodies with `"jinja"` | none |
| `job_variables` | choose the run's command, folder, environment, image or volumes | the pools' templates have none of them | `tests/deployment/test_hostile_form.py::test_a_run_cannot_choose_what_it_runs_in` |
| the run's name in an alert | call people or make a link where alerts arrive | sent as code, without `<`, `>` and backticks | `tests/deployment/test_alerts.py::test_runs_that_fail_wait_get_worse_stand_still_and_crash` |
"""


def _row(names: list[str], border: Border) -> str:
    listed = ", ".join(f"`{name}`" for name in names).replace(" (form)`", "` (form)")
    listed = listed.replace(" (compare)`", "` (compare)")
    return f"| {listed} | {border.could} | {border.stopped} | `{border.test}` |"
