"""What happens when a worker, a person or the machine tells a run's process to end: why, and within seconds."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from functools import wraps
from threading import Event, Thread
from typing import ParamSpec, TypeVar
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import CancelledRun, Pause, PrefectException, TerminationSignal
from prefect.runtime import flow_run
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from prefect.states import Cancelled

from adastar_core.records import Ending
from adastar_core.runs.ending import ending_of
from flows.signals import Ended, force_soon
from tasks.events import say_suspended

END_SECONDS = 8.0
"""A cancelled run is gone by then. Prefect, Docker and Kubernetes kill what is left after 30 seconds."""
_ASK_SECONDS = 2.0
_LOOK_SECONDS = 3.0
CANCELLED = Ending("cancelled", "Its flow run was cancelled in Prefect.")
SUSPENDED = Ending("interrupted", "Its flow run was suspended in Prefect.")
_NO_ANSWER = (httpx.HTTPError, PrefectException, ValueError)
P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def ending_soon() -> Iterator[None]:
    """End this process by force if it is still there some seconds after a signal, which Prefect raises in the block.

    What it started ends with it (:mod:`adastar_core.machine.parent`), and its database session, which holds the lease.
    A flow run that is suspended says that it ends.
    """
    try:
        yield
    except Pause:
        say_suspended()
        raise
    except TerminationSignal as ended:
        force_soon(ended.signal, END_SECONDS)
        raise


def ended_when_cancelled(work: Callable[P, R]) -> Callable[P, R]:
    """Let what the flow run at work does end when that is cancelled, also where no worker notices.

    Prefect's worker gives up looking for cancelled runs once its server was away for half a minute, and a command has no worker.
    """

    @wraps(work)
    def watched(*arguments: P.args, **named: P.kwargs) -> R:
        noticed = Event()
        try:
            with _watching(UUID(flow_run.id), noticed):
                return work(*arguments, **named)
        except (TerminationSignal, Ended):
            if not noticed.is_set():
                raise
            return Cancelled(message=CANCELLED.reason)  # type: ignore[return-value] # Prefect takes a state for the run's own

    return watched


@contextmanager
def _watching(identity: UUID, noticed: Event) -> Iterator[None]:
    """Look every few seconds whether the flow run is cancelled; then say so and send this process the signal to end."""
    over = Event()

    def look() -> None:
        looks = 0  # a worker that notices is faster than the second look
        while looks < 2 and not over.wait(_LOOK_SECONDS):
            looks = looks + 1 if _is_cancelled(identity) else 0
        if over.is_set():
            return
        noticed.set()
        os.kill(os.getpid(), signal.SIGTERM)
        if not over.wait(END_SECONDS - _ASK_SECONDS):
            _set_cancelled(identity)  # it is ended by force soon, and nobody else would say so

    here = copy_context()  # a command's own server is known in its context alone
    watch = Thread(target=here.run, args=(look,), name="cancelled?", daemon=True)
    watch.start()
    try:
        yield
    finally:
        over.set()
        watch.join()


def ending_told_apart(error: BaseException) -> Ending:
    """Return how a process ended that this error left: a signal cancelled it, or interrupted it, or it was suspended."""
    if isinstance(error, Pause):
        return SUSPENDED
    if isinstance(error, CancelledRun):
        return CANCELLED
    if isinstance(error, Ended):
        number = error.signal
    elif isinstance(error, TerminationSignal):
        number = signal.Signals(error.signal)
    else:
        return ending_of(error)
    return CANCELLED if _was_cancelled() else Ending("interrupted", f"{number.name} ended its process.")


def _was_cancelled() -> bool:
    """Return whether the flow run is being cancelled for which a worker started this process, or that of its comparison."""
    try:
        return _is_cancelled(UUID(os.environ["PREFECT__FLOW_RUN_ID"]))
    except (KeyError, ValueError):
        return False  # a user started it


def _is_cancelled(identity: UUID) -> bool:
    """Return whether a flow run is cancelled or is being cancelled; also no where the server does not answer."""
    with suppress(*_NO_ANSWER), _server() as client:
        state = client.read_flow_run(identity).state
        return state is not None and (state.is_cancelling() or state.is_cancelled())
    return False


def _set_cancelled(identity: UUID) -> None:
    with suppress(*_NO_ANSWER), _server() as client:
        client.set_flow_run_state(identity, Cancelled(message=CANCELLED.reason), force=True)


@contextmanager
def _server() -> Iterator[SyncPrefectClient]:
    """Yield a client that asks once and does not wait."""
    with (
        temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}),
        get_client(sync_client=True, httpx_settings={"timeout": _ASK_SECONDS}) as client,
    ):
        yield client
