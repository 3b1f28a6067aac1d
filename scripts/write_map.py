"""Write ``docs/map.md``: every module of the project, with the first sentence of its docstring.

Run it: ``python scripts/write_map.py``.
"""

import ast
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "map.md"
FOLDERS = ("adastar_core", "tasks", "flows", "bench", "scripts", "docker", "examples")
HEAD = """# Map of the modules

This page is generated: change a module's docstring, then run `python scripts/write_map.py`.
[architecture](architecture.md) says how the parts fit together.
"""


def summary(path: Path) -> str:
    """Return the first paragraph of a module's docstring on one line, as Markdown."""
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return " ".join(docstring.partition("\n\n")[0].split()).replace("``", "`").replace("|", "\\|")


def page() -> str:
    """Return the page: a section for each folder, its own summary first, then its modules."""
    modules = sorted(
        (path.relative_to(ROOT) for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")),
        key=lambda path: (FOLDERS.index(path.parts[0]), path.parent, path.name),
    )
    sections = [HEAD]
    for folder, paths in groupby((m for m in modules if "migrations" not in m.parts), lambda m: m.parent):
        about = {path.name: summary(ROOT / path) for path in paths}
        rows = [f"| `{name}` | {text} |" for name, text in about.items() if name != "__init__.py"]
        head = f"## {folder}/\n\n{about.get('__init__.py', '')}\n\n| module | |\n|---|---|"
        sections.append("\n".join([head, *rows, ""]))
    return "\n".join(sections)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
