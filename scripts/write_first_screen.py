"""Write the README's first screen, its figure and its output, from one run of the quickstart.

::

make run | tee quickstart.log
python scripts/write_first_screen.py quickstart.log
"""

import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
KEPT = re.compile(
    r"^(Run .*|\d+ iterations, .*|t=\d+  .*|Test accuracy .*|(?:checkpoint|report)  .*)$", re.MULTILINE
)
BLOCK = re.compile(r"(?<=^```text\n).*?(?=^```$)", re.DOTALL | re.MULTILINE)


def shown(log: str) -> str:
    """Return the lines that the README shows: plan, iterations, result, places. Others are too long for a first screen."""
    text = "\n".join(KEPT.findall(log)) + "\n"
    text = text.replace(str(Path.home()), "~")
    return re.sub(r"\n(?=Test accuracy|checkpoint)", "\n\n", text)


def main(path: str) -> None:
    log = Path(path).read_text(encoding="utf-8")
    readme = ROOT / "README.md"
    readme.write_text(BLOCK.sub(lambda _: shown(log), readme.read_text("utf-8"), count=1), encoding="utf-8")
    report = Path(re.findall(r"^report +(.*)$", log, re.MULTILINE)[-1]).expanduser()
    shutil.copy(report.parent / "accuracy-by-compute.png", ROOT / "docs" / "images" / "quickstart.png")


if __name__ == "__main__":
    main(sys.argv[1])
