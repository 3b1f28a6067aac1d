"""A bad network before a server: every packet is late, and each connection is cut after some time."""

import selectors
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL

_PACKET = 65536


class BadNetwork:
    """Forwards the connections of its own port to a server.

    Attributes:
        url: The server's address through this network.
        delay_seconds: How late each packet is.
        cuts: How often all connections were cut.
        forwarded_bytes: How much went through, in both directions.
    """

    def __init__(self, server: URL, delay_seconds: float) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self.url = server.set(host="127.0.0.1", port=self._listener.getsockname()[1], query={})
        self.delay_seconds = delay_seconds
        self.cuts = self.forwarded_bytes = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Cut every connection."""
        self.cuts += 1
        for one in list(self._open):
            _shut(one)

    def close(self) -> None:
        """Accept no more, and cut what is open."""
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._forward, args=(client, self._connect()), daemon=True).start()

    def _connect(self) -> socket.socket:
        folder, port = self._server.query.get("host"), self._server.port or 5432
        if folder is None:
            return socket.create_connection((str(self._server.host), port))
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(f"{folder}/.s.PGSQL.{port}")
        return connection

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        self._open |= {client, server}
        other = {client: server, server: client}
        with selectors.DefaultSelector() as selector, client, server:
            for one in other:
                selector.register(one, selectors.EVENT_READ)
            try:
                while True:
                    for key, _ in selector.select():
                        source = key.fileobj
                        assert isinstance(source, socket.socket)
                        packet = source.recv(_PACKET)
                        if not packet:
                            return
                        time.sleep(self.delay_seconds)
                        other[source].sendall(packet)
                        self.forwarded_bytes += len(packet)
            except OSError:
                return
            finally:
                self._open -= {client, server}


def _shut(one: socket.socket) -> None:
    try:
        one.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it is closed already


@contextmanager
def bad_network(server: URL, delay_seconds: float) -> Iterator[BadNetwork]:
    """Yield a bad network before ``server``."""
    network = BadNetwork(server, delay_seconds)
    try:
        yield network
    finally:
        network.close()
