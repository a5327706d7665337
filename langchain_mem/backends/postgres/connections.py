"""Connections that notice when nobody answers: they wait for so long, and are not used once the server has let go.

`ConnectionPool(check=…)` asks the server before each use, which costs a round trip. What a server sends when it closes
a connection makes the socket readable, and to look at the socket costs a microsecond.
"""

from __future__ import annotations

import asyncio
import select
import threading
from collections import deque
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from time import monotonic
from typing import Any, Final, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.waiting import Ready

R = TypeVar("R")

MOST: Final = 10
"""Connections of a pool that we open."""


class Silent(psycopg.OperationalError):
    """The server said nothing for too long."""


class Patient(psycopg.Connection[Any]):
    """A connection that is closed when the server has said nothing for too long.

    Attributes:
        patience: For how many seconds the server may be silent; `None` for as long as it likes.
    """

    patience: float | None = None

    def wait(self, gen: Generator[Any, Any, R], *args: Any, **kwargs: Any) -> R:
        """Waits as psycopg does, with an end.

        Raises:
            psycopg.OperationalError: The server was silent for too long.
        """
        return super().wait(_bounded(self, gen, self.patience), *args, **kwargs)

    def __del__(self, *_: Any) -> None:
        _let_go(self)


class AsyncPatient(psycopg.AsyncConnection[Any]):
    """The same on an event loop."""

    patience: float | None = None

    async def wait(self, gen: Generator[Any, Any, R], *args: Any, **kwargs: Any) -> R:
        """Waits as psycopg does, with an end.

        Raises:
            psycopg.OperationalError: The server was silent for too long.
        """
        return await super().wait(_bounded(self, gen, self.patience), *args, **kwargs)

    def __del__(self, *_: Any) -> None:
        _let_go(self)


class ThreadsPool:
    """The connections of all threads.

    psycopg's own `ConnectionPool` connects on a thread of its own, after each failure a little later. When a server
    comes back after some minutes, calls would wait for that thread and fail although the server is there. Here whoever
    needs a connection connects, and hears at once why that cannot be done.
    """

    def __init__(self, dsn: str, options: dict[str, Any], patience: float | None) -> None:
        self._dsn = dsn
        self._options = options
        self._patience = patience
        self._slots = threading.BoundedSemaphore(MOST)
        self._idle: deque[Patient] = deque()
        self._closed = False

    @contextmanager
    def connection(self) -> Iterator[Patient]:
        """An idle connection or a new one, which goes back afterwards if it is fit to be used again.

        Raises:
            psycopg.OperationalError: The server cannot be reached, or all connections were in use for too long.
        """
        if not self._slots.acquire(timeout=self._patience):
            raise psycopg.OperationalError(f"all {MOST} connections have been in use for {self._patience:g} seconds")
        try:
            connection = self._reuse() or self._connect()
            try:
                yield connection
            finally:
                self._give_back(connection)
        finally:
            self._slots.release()

    def close(self) -> None:
        """Closes what is idle now, and what is in use when it comes back."""
        self._closed = True
        self._abandon()

    def _reuse(self) -> Patient | None:
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread took it
                return None
            if is_fit(connection):
                return connection
            connection.close()
        return None

    def _connect(self) -> Patient:
        connection = Patient.connect(self._dsn, **self._options)
        connection.patience = self._patience
        return connection

    def _give_back(self, connection: Patient) -> None:
        if connection.closed:
            self._abandon()  # a server that dropped one connection has dropped the idle ones too
        elif self._closed or connection.info.transaction_status != TransactionStatus.IDLE:
            connection.close()
        else:
            self._idle.append(connection)

    def _abandon(self) -> None:
        while self._idle:
            with suppress(IndexError):  # another thread took it
                self._idle.pop().close()


class LoopPool:
    """The connections of one event loop.

    There is no task in the background, as in psycopg's own `AsyncConnectionPool`: that one ignores being canceled while
    it connects, so that an `asyncio.run` which ends at such a moment never returns.
    """

    def __init__(self, dsn: str, options: dict[str, Any], patience: float | None) -> None:
        self._dsn = dsn
        self._options = options
        self._patience = patience
        self._slots = asyncio.Semaphore(MOST)
        self._idle: list[AsyncPatient] = []

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncPatient]:
        """An idle connection or a new one, which goes back afterwards if it is fit to be used again."""
        async with self._slots:
            connection = self._reuse() or await self._connect()
            try:
                yield connection
            finally:
                await self._give_back(connection)

    def _reuse(self) -> AsyncPatient | None:
        while self._idle:
            connection = self._idle.pop()
            if is_fit(connection):
                return connection
            connection.pgconn.finish()
        return None

    async def _connect(self) -> AsyncPatient:
        connection = await AsyncPatient.connect(self._dsn, **self._options)
        connection.patience = self._patience
        return connection

    async def _give_back(self, connection: AsyncPatient) -> None:
        if connection.closed:
            self.abandon()  # a server that dropped one connection has dropped the idle ones too
        elif connection.info.transaction_status != TransactionStatus.IDLE:
            await connection.close()
        else:
            self._idle.append(connection)

    def abandon(self) -> None:
        """Closes idle connections; needs no loop, so that those of a loop that has ended can be closed."""
        while self._idle:
            connection = self._idle.pop()
            connection.pgconn.finish()


def _let_go(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> None:
    """Closes a connection whose pool is gone, without a warning, as psycopg does with those of its own pools."""
    if hasattr(connection, "pgconn"):
        connection.pgconn.finish()


def is_fit(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> bool:
    """Whether an idle connection can be used.

    It cannot where it is closed, or where something arrived that nobody asked for: a server says so when it goes.
    """
    return not connection.closed and not _readable(connection.fileno())


def in_time(dsn: str, timeout: float | None) -> str:
    """The DSN with an end to the time that it takes to connect, unless it says one."""
    if timeout is None or "connect_timeout" in conninfo_to_dict(dsn):
        return dsn
    return make_conninfo(dsn, connect_timeout=max(2, round(timeout)))  # libpq takes whole seconds, 2 or more


@contextmanager
def unhurried(connection: Any) -> Iterator[None]:
    """Lets a statement that takes long, such as `VACUUM`, take as long as it does."""
    patience = getattr(connection, "patience", None)
    if patience is not None:
        connection.patience = None
    try:
        yield
    finally:
        if patience is not None:
            connection.patience = patience


def _bounded(
    connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any],
    gen: Generator[Any, Any, R],
    patience: float | None,
) -> Generator[Any, Any, R]:
    """What psycopg waits for, step by step; psycopg says at intervals that nothing is ready, which is when to look."""
    if patience is None:
        return (yield from gen)
    try:
        wanted = next(gen)
        end = monotonic() + patience
        while True:
            ready = yield wanted
            if ready != Ready.NONE:
                end = monotonic() + patience
            elif monotonic() > end:
                connection.pgconn.finish()  # what it still answers is for nobody
                raise Silent(f"the server has been silent for {patience:g} seconds")
            wanted = gen.send(ready)
    except StopIteration as done:
        value: R = done.value
        return value


def _readable(socket: int) -> bool:
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select([socket], [], [], 0)[0])
    poll = select.poll()
    poll.register(socket, select.POLLIN)
    return bool(poll.poll(0))
