"""Writes ``docs/usage.md``: the command's help and every configuration key. A test fails when it drifts.

Run it:  python -m flows.describe
"""

from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path

from cyclopts import App
from rich.console import Console

from adastar_core.config import LIMITS, MAY_GROW, RUN_TIME_ONLY, RunConfig, files, flatten, methods
from flows import commandline, compare_commandline

# The form is not told these defaults, so its schema does not have them.
_DEFAULTS = {
    key: value
    for key, value in flatten(RunConfig().model_dump(mode="json")).items()
    if key in methods.decided()
}
PAGE = Path(__file__).parent.parent / "docs" / "usage.md"
_HELP_COLUMNS = 100
_HEAD = """# Usage

This page is generated: change the texts in the code, then run `python -m flows.describe`.

"""


def usage() -> str:
    """Return the page: help text, presets, and the configuration keys with their defaults."""
    presets = "\n".join(f"| `{name}` | {files.preset_summary(name)} |" for name in files.preset_names())
    keys = "\n".join(rows_of(RunConfig.model_json_schema()))
    return f"""{_HEAD}## Command

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
    app.help_print(
        [], console=Console(file=page, width=_HELP_COLUMNS, force_terminal=False, color_system=None)
    )
    return "\n".join(line.rstrip() for line in page.getvalue().splitlines()) + "\n"


def rows_of(schema: Mapping[str, object], prefix: str = "", title: str = "") -> Iterator[str]:
    """Yield a table row per key, groups after the keys that they belong to."""
    definitions = schema.get("$defs", {})
    assert isinstance(definitions, dict)
    yield from _rows(schema, definitions, prefix, title)


def _rows(
    node: Mapping[str, object], definitions: Mapping[str, Mapping[str, object]], prefix: str, title: str
) -> Iterator[str]:
    properties = node.get("properties", {})
    assert isinstance(properties, dict)
    for name, field in sorted(properties.items(), key=lambda item: item[1].get("position", -1)):
        groups = [definitions[reference] for reference in references(field)]
        if not groups:
            yield _row(prefix + name, field, title)
        for group in groups:
            branch = f" ({', '.join(_types(group))})" if len(groups) > 1 else ""
            yield from _rows(group, definitions, f"{prefix}{name}.", branch)


def references(field: Mapping[str, object]) -> list[str]:
    """Return the names of the groups that a field can hold."""
    options = field.get("oneOf", field.get("anyOf", [field]))
    assert isinstance(options, list)
    return [str(option["$ref"]).rsplit("/", 1)[-1] for option in options if "$ref" in option]


def _types(group: Mapping[str, object]) -> list[str]:
    properties = group.get("properties", {})
    assert isinstance(properties, dict)
    return (
        [str(properties["type"]["const"])] if "type" in properties and "const" in properties["type"] else []
    )


def _row(key: str, field: Mapping[str, object], title: str) -> str:
    value = field.get("default", _DEFAULTS.get(key, ""))
    default = "" if value == "" else f"`{value}`"
    change = " *May change.*" if key in MAY_GROW + LIMITS + RUN_TIME_ONLY else ""
    return f"| `{key}`{title} | {default} | {field.get('description', 'Which one.')}{change} |"


if __name__ == "__main__":
    PAGE.write_text(usage(), encoding="utf-8")
