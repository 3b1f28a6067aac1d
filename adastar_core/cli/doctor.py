"""``adastar doctor``: what is missing on this machine, and the command that mends it."""

import argparse

from adastar_core.audit.doctor import examine
from adastar_core.cli.options import Commands, add_command, home_of
from adastar_core.cli.output import print_json, print_line, wants_json

_MARKS = {"ok": "ok  ", "note": "note", "missing": "MISSING"}


def add(commands: Commands) -> None:
    """Add the command's parser."""
    doctor = add_command(
        commands,
        "doctor",
        "look at what runs need on this machine",
        "Look at packages, GPU, engine, data directory, database and Prefect server. Ends with status 1 when something "
        "is missing that a run needs.",
    )
    doctor.set_defaults(action=_doctor)


def _doctor(options: argparse.Namespace) -> int:
    findings = examine(home_of(options))
    healthy = all(one.state != "missing" for one in findings)
    if wants_json(options):
        print_json({"healthy": healthy, "findings": findings})
        return 0 if healthy else 1
    for one in findings:
        print_line(f"{_MARKS[one.state]} {one.what}: {one.found}")
        if one.mend:
            print_line(f"     → {one.mend}")
    return 0 if healthy else 1
