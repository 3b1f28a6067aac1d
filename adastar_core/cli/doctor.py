"""``adastar doctor``: what is missing on this machine, and the command that fixes it."""

from adastar_core.audit.doctor import examine
from adastar_core.cli.options import Common
from adastar_core.cli.output import print_json, print_line

_MARKS = {"ok": "ok  ", "note": "note", "missing": "MISSING"}


def doctor(*, common: Common = Common()) -> int:
    findings = examine(common.directory())
    healthy = all(finding.state != "missing" for finding in findings)
    if common.json:
        print_json({"healthy": healthy, "findings": findings})
        return 0 if healthy else 1
    for finding in findings:
        print_line(f"{_MARKS[finding.state]} {finding.what}: {finding.found}")
        if finding.fix:
            print_line(f"     → {finding.fix}")
    return 0 if healthy else 1
