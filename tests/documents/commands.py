"""The commands that README and documentation print in their blocks."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^```(console|sh|shell|bash)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_COMMENT = re.compile(r"(^|\s+)#\s.*")


def name_of(page: Path) -> str:
    """Return the page's path from the root, as the list of exceptions names it."""
    return str(page.relative_to(ROOT))


def commands(text: str) -> list[str]:
    """Return the commands of a page's blocks in their order, without comments. In a console they follow a ``$``."""
    found = []
    for language, block in _BLOCK.findall(text):
        lines = re.sub(r"\\\n\s*", "", block).splitlines()
        if language == "console":
            lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        found += [_COMMENT.sub("", line).strip() for line in lines]
    return [command for command in found if command]
