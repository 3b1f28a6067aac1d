"""What happens when a worker, a person or the machine tells a run's process to end: why, and within seconds."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectException, TerminationSignal
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from adastar_core.records import Ending
from adastar_core.runs.ending import ending_of
from flows.signals import Ended, force_soon

END_SECONDS = 8.0
"""A cancelled run is gone by then. Prefect, Docker and Kubernetes kill what is left after 30 seconds."""
_ASK_SECONDS = 2.0
CANCELLED = Ending("cancelled", "Its flow run was cancelled in Prefect.")


@contextmanager
def ending_soon() -> Iterator[None]:
    """End this process by force if it is still there some seconds after a signal, which Prefect raises in the block.

    What it started ends with it (:mod:`adastar_core.machine.parent`), and its database session, which holds the lease.
    """
    try:
        yield
    except TerminationSignal as ended:
        force_soon(ended.signal, END_SECONDS)
        raise


def ending_told_apart(error: BaseException) -> Ending:
    """Return how a process ended that this error left: a signal cancelled it, or interrupted it."""
    if isinstance(error, Ended):
        number = error.signal
    elif isinstance(error, TerminationSignal):
        number = signal.Signals(error.signal)
    else:
        return ending_of(error)
    return CANCELLED if _is_cancelled() else Ending("interrupted", f"{number.name} ended its process.")


def _is_cancelled() -> bool:
    """Return whether the flow run is being cancelled for which a worker started this process, or that of its comparison."""
    try:
        identity = UUID(os.environ["PREFECT__FLOW_RUN_ID"])
        with (
            temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}),
            get_client(sync_client=True, httpx_settings={"timeout": _ASK_SECONDS}) as client,
        ):
            state = client.read_flow_run(identity).state
    except (KeyError, ValueError, httpx.HTTPError, PrefectException):
        return False  # a user started it, or the server does not answer
    return state is not None and (state.is_cancelling() or state.is_cancelled())
