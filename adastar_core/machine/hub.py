"""Asks within seconds whether the Hugging Face hub answers: its own clients try for half a minute and more."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from types import ModuleType

SECONDS = 5.0
_OFFLINE = "HF_HUB_OFFLINE"


@contextmanager
def hub_or_cache(*libraries: ModuleType) -> Iterator[str | None]:
    """Load in the block from what was downloaded before, where the hub does not answer; yield why it does not.

    ``libraries`` keep the switch ``HF_HUB_OFFLINE`` as huggingface_hub does, which has its own.
    """
    from huggingface_hub import constants

    switches = [vars(library) for library in (constants, *libraries)]
    before = [switch[_OFFLINE] for switch in switches]
    reason = f"{_OFFLINE} is set" if any(before) else _silent(constants.ENDPOINT)
    try:
        for switch in switches if reason else ():
            switch[_OFFLINE] = True
        yield reason and f"{reason}, and it was not downloaded before"
    finally:
        for switch, value in zip(switches, before, strict=True):
            switch[_OFFLINE] = value


def _silent(endpoint: str) -> str | None:
    """Return why the hub cannot be asked. A look-up of its name has no time limit of its own, so a thread waits for it."""
    import httpx

    failed = [f"{endpoint} does not answer within {SECONDS:.0f} s"]

    def ask() -> None:
        try:
            httpx.head(endpoint, timeout=SECONDS)
            failed.clear()
        except httpx.TransportError as error:
            failed[:] = [f"{endpoint} cannot be reached: {error}"]

    asking = Thread(target=ask, daemon=True)
    asking.start()
    asking.join(SECONDS)
    return next(iter(failed), None)
