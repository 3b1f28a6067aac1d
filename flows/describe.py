"""Writes ``docs/usage.md``, the command's help and every configuration key, and ``docs/borders.md``. A test fails when they drift.

Run it:  python -m flows.describe
"""

from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

from cyclopts import App
from rich.console import Console

from adastar_core.config import LIMITS, MAY_GROW, RUN_TIME_ONLY, RunConfig, files, flatten, methods
from flows import borders, commandline, compare_commandline

# The schema leaves these defaults out, because the form must not fill them in.
_DEFAULTS = {
    key: value
    for key, value in flatten(RunConfig().model_dump(mode="json")).items()
    if key in methods.decided()
}
PAGE = Path(__file__).parent.parent / "docs" / "usage.md"


def usage() -> str:
    """Return the page ``docs/usage.md``."""
    presets = "\n".join(f"| `{name}` | {files.preset_summary(name)} |" for name in files.preset_names())
    schema = RunConfig.model_json_schema()
    keys = "\n".join(rows_of(schema, schema["$defs"]))
    return f"""# Usage

This page is generated: change the texts in the code, then run `python -m flows.describe`. The
other commands of `adastar` are in [operations](operations.md), its pages for a browser in [ui](ui.md).

## Command

```text
{help_of(commandline.APP)}```

## Comparing methods

```text
{help_of(compare_commandline.APP)}```

## Presets

| name | what it is |
|---|---|
{presets}

## Configuration keys

Set any key with `--set key=value`. *May change* marks keys that you can change when you resume a run.

| key | default | meaning |
|---|---|---|
{keys}
"""


def help_of(app: App) -> str:
    """Return what ``--help`` prints, without colours."""
    page = StringIO()
    app.help_print([], console=Console(file=page, width=100, force_terminal=False, color_system=None))
    return "\n".join(line.rstrip() for line in page.getvalue().splitlines()) + "\n"


def rows_of(
    schema: dict[str, Any], definitions: dict[str, Any], prefix: str = "", title: str = ""
) -> Iterator[str]:
    """Yield a table row per key of a JSON schema, groups after the keys that they belong to.

    Inside a group, ``prefix`` is its key with a dot, and ``title`` says which of several groups it is.
    """
    for name, field in sorted(
        schema.get("properties", {}).items(), key=lambda item: item[1].get("position", -1)
    ):
        key = prefix + name
        options = field.get("oneOf", field.get("anyOf", [field]))
        groups = [definitions[option["$ref"].rsplit("/", 1)[-1]] for option in options if "$ref" in option]
        if len(groups) < len(options):  # a plain value, perhaps besides a group
            value = field.get("default", _DEFAULTS.get(key, ""))
            default = "" if value == "" else f"`{value}`"
            change = " *May change.*" if key in MAY_GROW + LIMITS + RUN_TIME_ONLY else ""
            yield f"| `{key}`{title} | {default} | {field.get('description', 'Its type, on which its other keys depend.')}{change} |"
        for group in groups:
            type_ = group.get("properties", {}).get("type", {}).get("const", "")
            branch = f" ({type_})" if len(groups) > 1 else ""
            yield from rows_of(group, definitions, f"{key}.", branch)


if __name__ == "__main__":
    PAGE.write_text(usage(), encoding="utf-8")
    borders.PAGE.write_text(borders.page(), encoding="utf-8")
