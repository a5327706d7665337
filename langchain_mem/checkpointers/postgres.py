"""The Postgres saver: many processes, one database."""

from __future__ import annotations

import asyncio
import copy
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Self, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

from langchain_mem.checkpointers._base import Retaining, utc_now
from langchain_mem.checkpointers._sweep_pacer import Clock
from langchain_mem.checkpointers.retention import Retention
from langchain_mem.errors import MissingDependency, StoreError

try:
    import psycopg
    from langgraph.checkpoint.postgres import PostgresSaver
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
    from psycopg.pq import TransactionStatus
    from psycopg.rows import DictRow, dict_row, tuple_row

    from langchain_mem.backends.postgres.connections import (
        AsyncPatient,
        Patient,
        ThreadsPool,
        in_time,
        is_fit,
        unhurried,
    )
    from langchain_mem.checkpointers._postgres_lost import atwice, noticing_loss, twice
    from langchain_mem.checkpointers._postgres_rows import PostgresRows
    from langchain_mem.checkpointers._postgres_sealing import Sealing
except ImportError as error:
    raise MissingDependency('pip install "langchain-mem[postgres]"') from error

_CONNECT: dict[str, Any] = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
"""What LangGraph's savers ask of a connection."""

_SET_UP_LOCK, _PRUNE_LOCK = 0x6C63_6D65_6D01, 0x6C63_6D65_6D02
"""The advisory locks ("lcmem" and a number) under which processes set up and prune, one at a time."""


class PostgresCheckpointer(Retaining, Sealing, PostgresSaver):
    """LangGraph's `PostgresSaver` and `AsyncPostgresSaver` in one object, with a retention policy.

    The tables are LangGraph's own. A database that was written by either of them can be opened, and the other way
    round. The sync methods use one connection, and a small pool for sweeps. The async methods use one connection for
    each event loop, so that `asyncio.run` can be called several times. A connection that the server has closed is
    replaced before it is used, so that no call fails after the server was restarted. A call of LangGraph's that loses
    its connection on the way is repeated once; sweeps and pruning are not.

    Args:
        dsn: A Postgres connection string or URI. `open` connects; the constructor does not.
        retention: Which checkpoints and threads are deleted; `None` deletes none.
        clock: A function that returns the current time, with a time zone.
        serde: Serializes checkpoints; `None` for LangGraph's own serializer.
        timeout: How many seconds the server may be silent before a call fails with `psycopg.OperationalError`; `None`
            for no limit.
    """

    _engine_errors = (psycopg.Error,)

    def __init__(
        self,
        dsn: str,
        *,
        retention: Retention | None = None,
        clock: Clock = utc_now,
        serde: SerializerProtocol | None = None,
        timeout: float | None = 30.0,
    ) -> None:
        dsn = in_time(dsn, timeout)
        self._pool = ThreadsPool(dsn, _CONNECT, timeout)
        self._line = _Line(dsn, timeout)
        self._loops = _Loops(dsn, timeout)
        PostgresSaver.__init__(self, cast("psycopg.Connection[DictRow]", None), serde=serde)
        self._retain(retention, clock)

    @classmethod
    def open(
        cls,
        dsn: str,
        *,
        retention: Retention | None = None,
        clock: Clock = utc_now,
        serde: SerializerProtocol | None = None,
        timeout: float | None = 30.0,
    ) -> Self:
        """Connects, and creates the tables that the database does not have.

        Args:
            dsn: A Postgres connection string or URI.
            retention: Which checkpoints and threads are deleted; `None` deletes none.
            clock: A function that returns the current time, with a time zone.
            serde: Serializes checkpoints; `None` for LangGraph's own serializer.
            timeout: How many seconds the server may be silent before a call fails with `psycopg.OperationalError`;
                `None` for no limit.

        Returns:
            The checkpointer. It is also a sync and an async context manager that closes its connections.

        Raises:
            StoreError: The database cannot be reached, or the tables cannot be created.
        """
        try:
            _set_up(in_time(dsn, timeout), timeout)
        except psycopg.Error as error:
            raise StoreError(f"Cannot open the Postgres database: {error}") from error
        return cls(dsn, retention=retention, clock=clock, serde=serde, timeout=timeout)

    @classmethod
    async def aopen(
        cls,
        dsn: str,
        *,
        retention: Retention | None = None,
        clock: Clock = utc_now,
        serde: SerializerProtocol | None = None,
        timeout: float | None = 30.0,  # noqa: ASYNC109 - it is the server's, for every later call
    ) -> Self:
        """The async form of `open`."""
        return await asyncio.to_thread(cls.open, dsn, retention=retention, clock=clock, serde=serde, timeout=timeout)

    @classmethod
    def from_conn_string(cls, conn_string: str, *, pipeline: bool = False) -> Self:  # type: ignore[override]
        """`open`, by the name LangGraph gives it; `pipeline` has no effect, writes use one in any case."""
        return cls.open(conn_string)

    def close(self) -> None:
        """Waits for a running sweep, then closes all connections, those of event loops too."""
        super().close()
        self._loops.close()
        self._line.close()
        self._pool.close()

    @property
    def conn(self) -> psycopg.Connection[DictRow]:
        """The connection that LangGraph's methods use one after the other, under `lock`; a lost one is replaced."""
        return self._line.connection()

    @conn.setter
    def conn(self, conn: object) -> None:
        """LangGraph's constructor says what it was given: nothing, since `_line` connects when it is asked."""

    @contextmanager
    def _cursor(self, *, pipeline: bool = False) -> Iterator[psycopg.Cursor[DictRow]]:
        with noticing_loss() as held, super()._cursor(pipeline=pipeline) as cursor:
            held.connection = cursor.connection
            yield cursor

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """See `BaseCheckpointSaver.get_tuple`."""
        return twice(super().get_tuple, config)

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - LangGraph's name
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Lists checkpoints, newest first, all read at once. See `BaseCheckpointSaver.list`."""
        return twice(super().list, config, filter=filter, before=before, limit=limit)

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Stores a checkpoint; a sweep may start in the background. See `BaseCheckpointSaver.put`."""
        return twice(super().put, config, checkpoint, metadata, new_versions)

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Stores what a task wrote. See `BaseCheckpointSaver.put_writes`."""
        twice(super().put_writes, config, writes, task_id, task_path)

    def delete_thread(self, thread_id: str) -> None:
        """Deletes a thread. See `BaseCheckpointSaver.delete_thread`."""
        twice(super().delete_thread, thread_id)

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """See `BaseCheckpointSaver.get_delta_channel_history`."""
        return twice(super().get_delta_channel_history, config=config, channels=channels)

    @contextmanager
    def _reading(self) -> Iterator[PostgresRows]:
        with self._pool.connection() as conn, conn.cursor(row_factory=tuple_row) as cursor:
            yield PostgresRows(cursor)

    @contextmanager
    def _transaction(self) -> Iterator[PostgresRows]:
        with self._pool.connection() as conn, conn.transaction(), conn.cursor(row_factory=tuple_row) as cursor:
            # writers go on; two that prune would delete the same rows in different order, and deadlock
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_PRUNE_LOCK,))
            yield PostgresRows(cursor)

    def _async_form(self) -> _AsyncForm:
        saver = copy.copy(self._loops.saver())
        saver.serde = self.serde
        return saver

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The async form of `get_tuple`."""
        return await atwice(self._async_form().aget_tuple, config)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - LangGraph's name
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """The async form of `list`."""
        saver = self._async_form()

        async def every() -> Sequence[CheckpointTuple]:
            return [item async for item in saver.alist(config, filter=filter, before=before, limit=limit)]

        for item in await atwice(every):
            yield item

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """The async form of `put`."""
        saved = await atwice(self._async_form().aput, config, checkpoint, metadata, new_versions)
        self._tick()
        return saved

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """The async form of `put_writes`."""
        await atwice(self._async_form().aput_writes, config, writes, task_id, task_path)

    async def adelete_thread(self, thread_id: str) -> None:
        """The async form of `delete_thread`."""
        await atwice(self._async_form().adelete_thread, thread_id)

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """The async form of `get_delta_channel_history`."""
        form = self._async_form()
        return await atwice(form.aget_delta_channel_history, config=config, channels=channels)


class _Line:
    """One connection, for one use after the other; shallow copies of a saver share it.

    It stays open: to take one from a pool for every step costs a seventh of a `put`.
    """

    def __init__(self, dsn: str, timeout: float | None) -> None:
        self._dsn = dsn
        self._timeout = timeout
        self._held: Patient | None = None
        self._closed = False

    def connection(self) -> Patient:
        """The connection, or a new one where the server has let go of it.

        Raises:
            psycopg.OperationalError: The server cannot be reached, or the saver was closed.
        """
        if self._closed:
            raise psycopg.OperationalError("the checkpointer has been closed")
        if self._held is None or not _is_free(self._held):
            self._let_go()
            self._held = Patient.connect(self._dsn, **_CONNECT)
            self._held.patience = self._timeout
        return self._held

    def close(self) -> None:
        self._closed = True
        self._let_go()

    def _let_go(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            held.close()


class _LoopLine:
    """The same for one event loop."""

    def __init__(self, dsn: str, timeout: float | None) -> None:
        self._dsn = dsn
        self._timeout = timeout
        self._turn = asyncio.Lock()
        self.held: AsyncPatient | None = None

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """For a turn, `held` is a connection that can be used."""
        async with self._turn:
            if self.held is None or not _is_free(self.held):
                self.abandon()
                self.held = await AsyncPatient.connect(self._dsn, **_CONNECT)
                self.held.patience = self._timeout
            yield

    def abandon(self) -> None:
        """Closes the connection without the loop, which may have ended."""
        held, self.held = self.held, None
        if held is not None:
            held.pgconn.finish()


class _AsyncForm(Sealing, AsyncPostgresSaver):
    """LangGraph's async saver, as ours stores values, on a connection that is looked at before each use."""

    def __init__(self, line: _LoopLine) -> None:
        self._line = line
        AsyncPostgresSaver.__init__(self, cast("psycopg.AsyncConnection[DictRow]", None))

    @property
    def conn(self) -> psycopg.AsyncConnection[DictRow]:
        """The connection of the turn."""
        return cast("psycopg.AsyncConnection[DictRow]", self._line.held)

    @conn.setter
    def conn(self, conn: object) -> None:
        """LangGraph's constructor says what it was given: nothing, since `_line` connects when it is its turn."""

    @asynccontextmanager
    async def _cursor(self, *, pipeline: bool = False) -> AsyncIterator[psycopg.AsyncCursor[DictRow]]:
        with noticing_loss() as held:
            async with self._line.taken(), super()._cursor(pipeline=pipeline) as cursor:
                held.connection = cursor.connection
                yield cursor

    def abandon(self) -> None:
        """Closes the connection."""
        self._line.abandon()


class _Loops:
    """An async saver for each running event loop: its connection and its lock belong to the loop."""

    def __init__(self, dsn: str, timeout: float | None) -> None:
        self._dsn = dsn
        self._timeout = timeout
        self._lock = threading.Lock()
        self._savers: dict[asyncio.AbstractEventLoop, _AsyncForm] = {}

    def saver(self) -> _AsyncForm:
        """The saver of the loop that runs."""
        loop = asyncio.get_running_loop()
        with self._lock:
            for ended in [each for each in self._savers if each.is_closed()]:
                self._savers.pop(ended).abandon()
            if loop not in self._savers:
                self._savers[loop] = _AsyncForm(_LoopLine(self._dsn, self._timeout))
            return self._savers[loop]

    def close(self) -> None:
        with self._lock:
            while self._savers:
                self._savers.popitem()[1].abandon()


def _is_free(connection: Patient | AsyncPatient) -> bool:
    """Whether a connection can be used: the server has not let go of it, and nothing is under way on it."""
    return is_fit(connection) and connection.info.transaction_status == TransactionStatus.IDLE


def _set_up(dsn: str, timeout: float | None) -> None:
    """Runs LangGraph's migrations, one process at a time: side by side they fail on each other's tables."""
    with Patient.connect(dsn, **_CONNECT) as conn:
        conn.patience = timeout
        # tried again and again, not waited for: CREATE INDEX CONCURRENTLY waits for whoever waits for this lock
        while not _try_lock(conn):
            time.sleep(0.05)
        with unhurried(conn):  # an index of a large table takes long
            PostgresSaver(conn).setup()


def _try_lock(conn: psycopg.Connection[DictRow]) -> bool:
    locked = conn.execute("SELECT pg_try_advisory_lock(%s) AS locked", (_SET_UP_LOCK,)).fetchone()
    return locked is not None and bool(locked["locked"])
