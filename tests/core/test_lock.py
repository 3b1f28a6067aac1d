"""constraints.txt is a lock: whatever the project needs, directly or not, has one version there."""

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
OUTSIDE = {"pip", "setuptools", "wheel", "adastar"}
"""What comes with a virtual environment, and the project itself."""


def pins() -> dict[str, str]:
    """Return the version of every pinned package."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = [re.fullmatch(r"([^=\s]+)==(\S+)", line) for line in lines]
    assert all(pairs), "only exact versions"
    return {canonicalize_name(pair[1]): pair[2] for pair in pairs if pair}


def needed(package: str, extras: frozenset[str], seen: set[tuple[str, frozenset[str]]]) -> Iterator[str]:
    """Yield the installed packages that a package needs here, directly or not."""
    if (package, extras) in seen:
        return
    seen.add((package, extras))
    try:
        requires = distribution(package).requires or []
    except PackageNotFoundError:  # an extra of somebody else's that is not installed
        return
    yield package
    for one in map(Requirement, requires):
        marker = one.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras or {""}):
            yield from needed(canonicalize_name(one.name), frozenset(one.extras), seen)


def test_everything_that_is_installed_for_the_project_is_pinned() -> None:
    found = set(needed("adastar", frozenset({"dev", "workers"}), set())) - OUTSIDE
    assert {"torch", "prefect", "anyio", "pytest"} <= found
    assert sorted(found - set(pins())) == []


def test_pins_are_what_the_ranges_of_the_project_allow() -> None:
    known = pins()
    ranges = map(Requirement, distribution("adastar").requires or [])
    for one in ranges:
        version = known.get(canonicalize_name(one.name))
        assert version is None or one.specifier.contains(version, prereleases=True), one
