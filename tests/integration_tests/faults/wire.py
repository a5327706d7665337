"""A wire between a client and a real server, which can be cut, held and slowed down."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Literal

from psycopg.conninfo import conninfo_to_dict

Mood = Literal["through", "silent", "cut", "half", "instead"]


class Wire:
    """Listens on a port of this machine and carries bytes to a server and back.

    Attributes:
        port: Where clients connect to.
        mood: What becomes of what the server answers: it comes *through*; nothing comes (*silent*); the connection is
            *cut* as soon as the client says something, or after *half* of the first piece of an answer; or something
            else comes *instead*.
        instead: What comes then.
        times: How often it is *cut*, *half* or *instead* before it is *through* again; `None` for always.
        late: For how many seconds each piece of an answer is held.
    """

    def __init__(self, connect: Callable[[], socket.socket]) -> None:
        self._connect = connect
        self.mood: Mood = "through"
        self.late = 0.0
        self.instead = b""
        self.times: int | None = None
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def drop(self) -> None:
        """Cuts every connection that is open."""
        for each in list(self._open):
            _close(each)

    def close(self) -> None:
        """Cuts everything, and listens no more."""
        _close(self._listener)
        self.drop()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = self._connect()
            except OSError:
                _close(client)
                continue
            self._open += [client, server]
            threading.Thread(target=self._carry, args=(client, server), daemon=True).start()

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        try:
            while True:
                for each in select.select([client, server], [], [])[0]:
                    piece = each.recv(1 << 16)
                    if not piece or (each is client and self._is("cut")):
                        return
                    if each is client:
                        server.sendall(piece)
                    elif not self._answer(client, piece):
                        return
        except (OSError, ValueError):  # it was closed meanwhile
            return
        finally:
            _close(client)
            _close(server)

    def _answer(self, client: socket.socket, piece: bytes) -> bool:
        """Whether the connection goes on."""
        time.sleep(self.late)
        if self.mood == "silent":
            return True
        if self._is("instead"):
            client.sendall(self.instead)
            return False
        half = self._is("half")
        client.sendall(piece[: len(piece) // 2] if half else piece)
        return not half

    def _is(self, mood: Mood) -> bool:
        """Whether this is the mood now. Asking counts as once."""
        if self.mood != mood:
            return False
        if self.times is not None:
            self.times -= 1
            self.mood = "through" if self.times == 0 else mood
        return True


def postgres_socket(dsn: str) -> socket.socket:
    """A connection to where a Postgres server listens."""
    place = conninfo_to_dict(dsn)
    host, port = str(place.get("host") or "/tmp"), int(place.get("port") or 5432)
    if not host.startswith("/"):
        return socket.create_connection((host, port))
    there = socket.socket(socket.AF_UNIX)
    there.connect(f"{host}/.s.PGSQL.{port}")
    return there


def _close(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
