"""Serves the pages until it is interrupted: on this machine's own address only."""

import secrets
import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from adastar_core.errors import UserError
from adastar_core.records import Accuracy
from adastar_core.ui.guard import HOSTS, PARAMETER, guarded
from adastar_core.ui.site import Site, new_app
from adastar_core.ui.views_answers import add_answer_views
from adastar_core.ui.views_attempts import add_iteration_views, add_observation_views
from adastar_core.ui.views_runs import add_run_views


def serve(site: Site, port: int, say: Callable[[str], object]) -> None:
    """Serve until an interrupt.

    Args:
        site: What is shown.
        port: 0 for any that is free.
        say: Called with the address, token included, once it answers.

    Raises:
        UserError: The port is taken.
    """
    with bound(port) as listening:
        server, address = prepare(site, listening)
        say(address)
        server.run([listening])


def prepare(site: Site, listening: socket.socket) -> tuple[uvicorn.Server, str]:
    """Return a server for a bound socket, and the address to open, token included."""
    port, token = listening.getsockname()[1], secrets.token_urlsafe(32)
    Accuracy(1, 2).interval()  # loads what intervals need, which takes a second, before somebody waits for it
    app = guarded(views(site), token, f"adastar_ui_{port}")
    config = uvicorn.Config(
        app, lifespan="off", ws="none", log_level="warning", access_log=False, server_header=False,
        timeout_graceful_shutdown=2,
    )  # fmt: skip
    return uvicorn.Server(config), f"http://{HOSTS[0]}:{port}/?{PARAMETER}={token}"


def views(site: Site) -> FastAPI:
    """Return the app with all views, unguarded."""
    app = new_app(site)
    for add in (add_run_views, add_iteration_views, add_observation_views, add_answer_views):
        add(app, site)
    return app


def bound(port: int) -> socket.socket:
    """Return a socket on this machine's own address that accepts connections already."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOSTS[0], port))
        listening.listen()
    except OSError as error:
        listening.close()
        raise UserError(
            f"--port {port} cannot be used ({error.strerror}). Choose another one, or leave the option out for any that "
            "is free."
        ) from error
    return listening
