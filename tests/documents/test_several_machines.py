"""The commands of "Several machines" in docs/deploying.md, on two machines one after the other: other disks, the same services."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import yaml
from sqlalchemy import Engine

from tests.documents.commands import ROOT, commands
from tests.support.prefect_server import PrefectServer
from tests.support.runs import SMALL

PAGE = (ROOT / "docs" / "deploying.md").read_text()
SECTION = re.split(r"^## ", PAGE.partition("## Several machines")[2], flags=re.MULTILINE)[0]


def test_the_printed_commands_continue_a_run_on_another_machine(
    database: Engine, bucket: str, make_home: Callable[[], Path], prefect: PrefectServer, tmp_path: Path
) -> None:
    url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    lines = [
        re.sub(r"postgresql://\S+", lambda _: f"'{url}'", line).replace("s3://BUCKET", bucket)
        for line in commands(SECTION)
    ]
    assert len(lines) == 4
    for iterations in (1, 2):
        mine = tmp_path / "mine.yaml"
        mine.write_text(yaml.safe_dump({**SMALL, "iterations": iterations}))
        own = {"ADASTAR_HOME": str(make_home()), "OMP_NUM_THREADS": "1", **prefect.environment}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        script = "set -ex\n" + "\n".join(lines).replace("mine.yaml", str(mine))
        done = subprocess.run(
            ["bash", "-c", script], cwd=ROOT, env={**os.environ, **own, "PATH": path}, capture_output=True, text=True
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        assert f"file store: {bucket}/adastar" in done.stdout
        assert not list(Path(own["ADASTAR_HOME"]).glob("postgres*"))
