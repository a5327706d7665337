"""Connections: one pool for threads, and one for each event loop, opened when first needed.

A loop's connections cannot outlive it, so several `asyncio.run` in turn each get a pool of their own, and what a loop
that has ended left behind is let go of.
"""

from __future__ import annotations

import asyncio
import itertools
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final, TypeAlias, TypeVar

import numpy as np
from tenacity import AsyncRetrying, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from langchain_mem._flow import Body, arun, call, run
from langchain_mem.backends.postgres.sql import CONFLICT, Statement
from langchain_mem.backends.postgres.text import decode
from langchain_mem.errors import Conflict, InvalidRequest, MissingDependency, StoreError, shown

try:
    import psycopg
    from psycopg.abc import Buffer
    from psycopg.adapt import AdaptersMap, Dumper, Loader
    from psycopg.errors import DeadlockDetected, SerializationFailure
    from psycopg.pq import Format, PipelineStatus
    from psycopg.rows import tuple_row
    from psycopg_pool import AsyncConnectionPool, ConnectionPool

    from langchain_mem.backends.postgres.connections import (
        AsyncPatient,
        LoopPool,
        Patient,
        ThreadsPool,
        in_time,
        is_fit,
        unhurried,
    )
except ImportError as error:
    raise MissingDependency('Postgres needs psycopg: pip install "langchain-mem[postgres]"') from error

R = TypeVar("R")
T = TypeVar("T")

Pool: TypeAlias = "ConnectionPool[Any] | AsyncConnectionPool[Any]"
"""What a user may bring: either of psycopg's pools."""

SqlRow: TypeAlias = tuple[Any, ...]
"""One row as Postgres answers it."""

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # where Postgres counts from
_ELEMENT = np.dtype([("size", ">i4"), ("value", ">f4")])  # of an array on the wire
_FLOAT4, _FLOAT4_ARRAY = 700, 1021  # Postgres' own numbers of these types

_LOST: Final = (SerializationFailure, DeadlockDetected)
_REPEATED: Final[dict[str, Any]] = {
    "retry": retry_if_exception_type(_LOST),
    "stop": stop_after_attempt(5),
    "wait": wait_random_exponential(multiplier=0.01, max=0.5),
    "reraise": True,
}
"""A transaction that lost to another is whole again by being repeated, as Postgres' manual says (section 13.5)."""


class _FloatArray(Dumper):
    """A numpy vector as `float4[]`, without a Python float for each number."""

    format = Format.BINARY
    oid = _FLOAT4_ARRAY

    def dump(self, obj: Any) -> Buffer:
        if not len(obj):
            return struct.pack(">iiI", 0, 0, _FLOAT4)
        elements = np.empty(len(obj), dtype=_ELEMENT)
        elements["size"], elements["value"] = 4, obj
        return struct.pack(">iiIii", 1, 0, _FLOAT4, len(obj), 1) + elements.tobytes()


class _Bytes(Loader):
    """A `bytea` as it stands in what the server sent: an index of many megabytes is not copied once more."""

    format = Format.BINARY

    def load(self, data: Buffer) -> Buffer:
        return data


class _Instant(Loader):
    """A `timestamptz` in UTC, whatever the session's time zone is."""

    format = Format.BINARY
    _value: ClassVar = struct.Struct(">q")

    def load(self, data: Buffer) -> datetime:
        return _EPOCH + timedelta(microseconds=self._value.unpack(data)[0])


def _adapt(adapters: AdaptersMap) -> None:
    """Has our own formats used."""
    adapters.register_dumper(np.ndarray, _FloatArray)
    adapters.register_loader("timestamptz", _Instant)
    adapters.register_loader("bytea", _Bytes)


class _Formats:
    """What connections that we open take their formats from, so that no cursor has to be told of them."""

    connection = None

    def __init__(self) -> None:
        self.adapters = AdaptersMap(psycopg.adapters)
        _adapt(self.adapters)


_OPTIONS: Final[dict[str, Any]] = {
    "autocommit": True,  # a read is its own transaction, and costs one round trip
    "context": _Formats(),
}


_REPEATABLE: Final = Statement("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")


class Session:
    """A connection on which to say things."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def send(self, *statements: Statement) -> list[list[SqlRow]]:
        """Runs statements in one round trip, and gives the answer to each."""
        return await call(self._send, self._asend, statements)

    def _send(self, statements: Sequence[Statement]) -> list[list[SqlRow]]:
        batches = [(self._cursor(), batch) for batch in _alike(statements)]
        with nullcontext() if self._is_alone(statements) else self._connection.pipeline():
            for cursor, batch in batches:
                if len(batch) == 1:
                    cursor.execute(batch[0].query.encode(), batch[0].parameters)
                else:
                    cursor.executemany(batch[0].query.encode(), [each.parameters for each in batch], returning=True)
        answers: list[list[SqlRow]] = []
        for cursor, batch in batches:
            for _ in batch:
                answers.append(cursor.fetchall() if cursor.description else [])
                cursor.nextset()
        return answers

    async def _asend(self, statements: Sequence[Statement]) -> list[list[SqlRow]]:
        batches = [(self._cursor(), batch) for batch in _alike(statements)]
        async with nullcontext() if self._is_alone(statements) else self._connection.pipeline():
            for cursor, batch in batches:
                if len(batch) == 1:
                    await cursor.execute(batch[0].query.encode(), batch[0].parameters)
                else:
                    sent = [each.parameters for each in batch]
                    await cursor.executemany(batch[0].query.encode(), sent, returning=True)
        answers: list[list[SqlRow]] = []
        for cursor, batch in batches:
            for _ in batch:
                answers.append(await cursor.fetchall() if cursor.description else [])
                cursor.nextset()
        return answers

    def _is_alone(self, statements: Sequence[Statement]) -> bool:
        """Whether a pipeline would only cost: there is one statement, and no transaction gathers more."""
        return len(statements) == 1 and self._connection.pgconn.pipeline_status == PipelineStatus.OFF

    def unhurried(self) -> AbstractContextManager[None]:
        """Lets what is said meanwhile take as long as it does."""
        return unhurried(self._connection)

    def _cursor(self) -> Any:
        """A cursor with our own formats; a connection that is a user's keeps its own."""
        cursor = self._connection.cursor(binary=True, row_factory=tuple_row)
        if not isinstance(self._connection, Patient | AsyncPatient):
            _adapt(cursor.adapters)
        return cursor


def _alike(statements: Sequence[Statement]) -> list[list[Statement]]:
    """Statements in order, those with the same text after one another together, which one cursor runs faster."""
    return [list(batch) for _, batch in itertools.groupby(statements, key=lambda statement: statement.query)]


Work: TypeAlias = Callable[[Session], Body[R]]
"""A body to drive on one connection."""


class Pools:
    """Where sessions come from.

    Args:
        dsn: How to connect; `None` for what the environment says (`PGHOST` …).
        pool: A pool to use instead, which stays open. A `ConnectionPool` serves event loops from worker threads; beside
            an `AsyncConnectionPool` the sync forms open a pool of their own to the same place.
        before: Makes a statement that comes first in every transaction.
        timeout: For how many seconds a call waits for a connection, and for a server that says nothing; `None` for
            ever. A pool that was given has its own.
    """

    def __init__(
        self,
        dsn: str | None,
        pool: Pool | None,
        before: Callable[[], Statement] | None = None,
        timeout: float | None = None,
    ) -> None:
        self._before = before
        self._given = pool
        self._timeout = timeout
        place, self._options = _place(pool) if isinstance(pool, AsyncConnectionPool) else (dsn or "", _OPTIONS)
        self._dsn = in_time(place, timeout)
        self._own: ThreadsPool | None = None
        self._loops: dict[asyncio.AbstractEventLoop, LoopPool] = {}
        self._lock = threading.Lock()

    async def read(self, statement: Statement) -> list[SqlRow]:
        """Runs one statement by itself."""

        async def work(session: Session) -> list[SqlRow]:
            return (await session.send(*self._first(), statement))[-1]

        return await call(self._within, self._awithin, work)

    async def whole(self, *statements: Statement) -> list[list[SqlRow]]:
        """Runs statements in one round trip, all of them or none, and gives the answer to each.

        What is sent up to one `Sync` is one transaction where nobody has begun another (section 54.2.4 of Postgres'
        manual), so that to begin and to commit takes no messages.
        """
        return await call(self._whole, self._awhole, (*self._first(), *statements))

    async def transaction(self, work: Work[R], *, repeatable: bool = False) -> R:
        """Drives a body in one transaction, again where it lost to another transaction.

        Args:
            work: The body.
            repeatable: Whether all that it says is to see one snapshot.
        """
        first = (*((_REPEATABLE,) if repeatable else ()), *self._first())

        async def whole(session: Session) -> R:
            if first:
                await session.send(*first)
            return await work(session)

        return await call(self._transact, self._atransact, whole)

    def _first(self) -> tuple[Statement, ...]:
        return () if self._before is None else (self._before(),)

    async def alone(self, statement: Statement) -> None:
        """Runs what Postgres refuses to run in a transaction."""
        await call(self._alone, self._aalone, statement)

    async def close(self) -> None:
        """Closes the pools that were opened here."""
        await call(self._close, self._aclose)

    def _within(self, work: Work[R]) -> R:
        with _engine_errors(), self._connection() as connection:
            result: R = run(work(Session(connection)))
            return result

    async def _awithin(self, work: Work[R]) -> R:
        if isinstance(self._given, ConnectionPool):
            return await asyncio.to_thread(self._within, work)
        with _engine_errors():
            async with self._aconnection() as connection:
                return await arun(work(Session(connection)))

    def _whole(self, statements: Sequence[Statement]) -> list[list[SqlRow]]:
        with _engine_errors():
            return _repeated(self._whole_once, statements)

    async def _awhole(self, statements: Sequence[Statement]) -> list[list[SqlRow]]:
        if isinstance(self._given, ConnectionPool):
            return await asyncio.to_thread(self._whole, statements)
        with _engine_errors():
            return await _arepeated(self._awhole_once, statements)

    def _whole_once(self, statements: Sequence[Statement]) -> list[list[SqlRow]]:
        with self._connection() as connection, nullcontext() if connection.autocommit else connection.transaction():
            return run(Session(connection).send(*statements))

    async def _awhole_once(self, statements: Sequence[Statement]) -> list[list[SqlRow]]:
        async with (
            self._aconnection() as connection,
            nullcontext() if connection.autocommit else connection.transaction(),
        ):
            return await arun(Session(connection).send(*statements))

    def _transact(self, work: Work[R]) -> R:
        with _engine_errors():
            return _repeated(self._transact_once, work)

    async def _atransact(self, work: Work[R]) -> R:
        if isinstance(self._given, ConnectionPool):
            return await asyncio.to_thread(self._transact, work)
        with _engine_errors():
            return await _arepeated(self._atransact_once, work)

    def _transact_once(self, work: Work[R]) -> R:
        with self._connection() as connection, connection.pipeline(), connection.transaction():
            result: R = run(work(Session(connection)))
            return result

    async def _atransact_once(self, work: Work[R]) -> R:
        async with self._aconnection() as connection, connection.pipeline(), connection.transaction():
            return await arun(work(Session(connection)))

    def _alone(self, statement: Statement) -> None:
        with _engine_errors(), self._connection() as connection, unhurried(connection):
            before = connection.autocommit
            connection.set_autocommit(True)
            try:
                connection.execute(statement.query.encode())
            finally:
                connection.set_autocommit(before)

    async def _aalone(self, statement: Statement) -> None:
        if isinstance(self._given, ConnectionPool):
            await asyncio.to_thread(self._alone, statement)
            return
        with _engine_errors():
            async with self._aconnection() as connection:
                with unhurried(connection):
                    before = connection.autocommit
                    await connection.set_autocommit(True)
                    try:
                        await connection.execute(statement.query.encode())
                    finally:
                        await connection.set_autocommit(before)

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection[Any]]:
        """A connection that the server has not closed meanwhile. Our own pools look; one that was given may not."""
        pool = self._pool()
        for _ in range(pool.max_size if isinstance(pool, ConnectionPool) else 0):
            with pool.connection() as connection:
                if is_fit(connection):
                    yield connection
                    return
                connection.close()  # its pool replaces it
        with pool.connection() as connection:
            yield connection

    @asynccontextmanager
    async def _aconnection(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """The same on an event loop."""
        pool = self._apool()
        for _ in range(pool.max_size if isinstance(pool, AsyncConnectionPool) else 0):
            async with pool.connection() as connection:
                if is_fit(connection):
                    yield connection
                    return
                await connection.close()
        async with pool.connection() as connection:
            yield connection

    def _pool(self) -> ThreadsPool | ConnectionPool[Any]:
        if isinstance(self._given, ConnectionPool):
            return self._given
        with self._lock:
            if self._own is None:
                self._own = ThreadsPool(self._dsn, self._options, self._timeout)
            return self._own

    def _apool(self) -> LoopPool | AsyncConnectionPool[Any]:
        if isinstance(self._given, AsyncConnectionPool):
            return self._given
        loop = asyncio.get_running_loop()
        with self._lock:
            for ended in [each for each in self._loops if each.is_closed()]:
                self._loops.pop(ended).abandon()
            return self._loops.setdefault(loop, LoopPool(self._dsn, self._options, self._timeout))

    def _close(self) -> None:
        with self._lock:
            own, self._own = self._own, None
            loops, self._loops = self._loops, {}
        if own is not None:
            own.close()
        for loop, pool in loops.items():
            if loop.is_running():
                loop.call_soon_threadsafe(pool.abandon)  # its connections are used on its own thread
            else:
                pool.abandon()

    async def _aclose(self) -> None:
        with self._lock:
            here = self._loops.pop(asyncio.get_running_loop(), None)
        if here is not None:
            here.abandon()
        await asyncio.to_thread(self._close)


def _place(pool: AsyncConnectionPool[Any]) -> tuple[str, dict[str, Any]]:
    """Where a pool connects to, and how."""
    options = pool.kwargs or {}
    if not isinstance(pool.conninfo, str) or not isinstance(options, dict):
        raise InvalidRequest(
            "`pool` works out where to connect when it does; give a ConnectionPool, or a pool with text."
        )
    return pool.conninfo, {**options, **_OPTIONS}


def _repeated(work: Callable[[T], R], argument: T) -> R:
    """Does something, again where it lost to another transaction."""
    try:
        return work(argument)
    except _LOST:
        result: R = Retrying(**_REPEATED)(work, argument)
        return result


async def _arepeated(work: Callable[[T], Awaitable[R]], argument: T) -> R:
    """The same on an event loop."""
    try:
        return await work(argument)
    except _LOST:
        result: R = await AsyncRetrying(**_REPEATED)(work, argument)
        return result


@contextmanager
def _engine_errors() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        if error.sqlstate == CONFLICT:
            key = shown(decode(error.diag.message_detail or ""))
            raise Conflict(f"{key} has changed since it was read. Nothing was written; read again and retry.") from None
        said = error.diag.message_primary
        if said is not None:
            error.args = (said, *error.args[1:])  # without the details, which quote keys and values of rows
        raise StoreError(f"Postgres: {said or error}") from error
