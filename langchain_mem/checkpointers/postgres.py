"""The Postgres saver: many processes, one database."""

from __future__ import annotations

import asyncio
import copy
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

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
    from psycopg.rows import DictRow, dict_row, tuple_row
    from psycopg_pool import ConnectionPool

    from langchain_mem.checkpointers._postgres_rows import PostgresRows
    from langchain_mem.checkpointers._postgres_sealing import Sealing
except ImportError as error:
    raise MissingDependency('pip install "langchain-mem[postgres]"') from error

_CONNECT: dict[str, Any] = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
"""What LangGraph's savers ask of a connection."""

_SET_UP_LOCK, _PRUNE_LOCK = 0x6C63_6D65_6D01, 0x6C63_6D65_6D02
"""The advisory locks ("lcmem" and a number) under which processes set up and prune, one at a time."""


class PostgresCheckpointer(Retaining, Sealing, PostgresSaver):
    """LangGraph's `PostgresSaver` and `AsyncPostgresSaver` in one object, with retention.

    Tables are LangGraph's own: a database written by either opens, and goes back. The sync form uses a small pool; the
    async form one connection for each event loop, so several `asyncio.run` in turn work.

    Args:
        dsn: A Postgres connection string or URI. `open` connects; the constructor does not.
        retention: What threads may forget; None for nothing.
        clock: Tells the present instant.
        serde: Serializes checkpoints; LangGraph's own if None.
    """

    _engine_errors = (psycopg.Error,)

    def __init__(
        self,
        dsn: str,
        *,
        retention: Retention | None = None,
        clock: Clock = utc_now,
        serde: SerializerProtocol | None = None,
    ) -> None:
        self._pool = ConnectionPool(
            dsn, min_size=1, max_size=4, open=False, kwargs=_CONNECT, connection_class=psycopg.Connection[DictRow]
        )
        self._held: psycopg.Connection[DictRow] | None = None
        PostgresSaver.__init__(self, self._pool, serde=serde)
        self._retain(retention, clock)
        self._loops = _Loops(dsn)

    @classmethod
    def open(
        cls,
        dsn: str,
        *,
        retention: Retention | None = None,
        clock: Clock = utc_now,
        serde: SerializerProtocol | None = None,
    ) -> Self:
        """Connects, and creates the tables the database lacks.

        Args:
            dsn: A Postgres connection string or URI.
            retention: What threads may forget; None for nothing.
            clock: Tells the present instant.
            serde: Serializes checkpoints; LangGraph's own if None.

        Returns:
            The saver, also a context manager, sync and async, that closes its connections.

        Raises:
            StoreError: The database cannot be reached or set up.
        """
        try:
            _set_up(dsn)
        except psycopg.Error as error:
            raise StoreError(f"Cannot open the Postgres database: {error}") from error
        saver = cls(dsn, retention=retention, clock=clock, serde=serde)
        saver._pool.open()
        return saver

    @classmethod
    async def aopen(
        cls,
        dsn: str,
        *,
        retention: Retention | None = None,
        clock: Clock = utc_now,
        serde: SerializerProtocol | None = None,
    ) -> Self:
        """The async form of `open`."""
        return await asyncio.to_thread(cls.open, dsn, retention=retention, clock=clock, serde=serde)

    @classmethod
    def from_conn_string(cls, conn_string: str, *, pipeline: bool = False) -> Self:  # type: ignore[override]
        """`open`, by the name LangGraph gives it; `pipeline` has no effect, writes use one in any case."""
        return cls.open(conn_string)

    def close(self) -> None:
        """Waits for a running sweep, then closes all connections, those of event loops too."""
        super().close()
        self._loops.close()
        self._release()
        self._pool.close()

    @property
    def conn(self) -> psycopg.Connection[DictRow]:
        """The connection that LangGraph's methods use one after the other, under `lock`; a lost one is replaced.

        It stays taken: to take one from the pool for every step costs a seventh of a `put`.
        """
        if self._held is None or self._held.closed:
            self._release()
            self._held = self._pool.getconn()
        return self._held

    @conn.setter
    def conn(self, conn: object) -> None:
        """LangGraph's constructor says what it was given: the pool, which is asked in its own time."""

    def _release(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            self._pool.putconn(held)

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

    async def _async_form(self) -> _AsyncForm:
        saver = copy.copy(await self._loops.saver())
        saver.serde = self.serde
        return saver

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The async form of `get_tuple`."""
        return await (await self._async_form()).aget_tuple(config)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - LangGraph's name
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """The async form of `list`."""
        saver = await self._async_form()
        for item in [item async for item in saver.alist(config, filter=filter, before=before, limit=limit)]:
            yield item

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """The async form of `put`."""
        saved = await (await self._async_form()).aput(config, checkpoint, metadata, new_versions)
        self._tick()
        return saved

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """The async form of `put_writes`."""
        await (await self._async_form()).aput_writes(config, writes, task_id, task_path)

    async def adelete_thread(self, thread_id: str) -> None:
        """The async form of `delete_thread`."""
        await (await self._async_form()).adelete_thread(thread_id)

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """The async form of `get_delta_channel_history`."""
        return await (await self._async_form()).aget_delta_channel_history(config=config, channels=channels)


class _AsyncForm(Sealing, AsyncPostgresSaver):
    """LangGraph's async saver, as ours stores values."""


class _Loops:
    """An async saver for each running event loop: its connection and its lock belong to the loop."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._lock = threading.Lock()
        self._savers: dict[asyncio.AbstractEventLoop, _AsyncForm] = {}

    async def saver(self) -> _AsyncForm:
        loop = asyncio.get_running_loop()
        saver = self._savers.get(loop)
        if saver is not None and not saver.conn.closed:
            return saver
        conn = await psycopg.AsyncConnection.connect(self._dsn, **_CONNECT)
        with self._lock:
            self._forget_closed()
            if loop in self._savers:  # another task of this loop was faster
                _finish(conn)
            return self._savers.setdefault(loop, _AsyncForm(conn))

    def _forget_closed(self) -> None:
        for loop in [loop for loop, saver in self._savers.items() if loop.is_closed() or saver.conn.closed]:
            _finish(self._savers.pop(loop).conn)

    def close(self) -> None:
        with self._lock:
            while self._savers:
                _finish(self._savers.popitem()[1].conn)


def _finish(conn: Any) -> None:
    """Closes an async connection without its loop, which may have ended."""
    conn.pgconn.finish()


def _set_up(dsn: str) -> None:
    """Runs LangGraph's migrations, one process at a time: side by side they fail on each other's tables."""
    with psycopg.Connection.connect(dsn, **_CONNECT) as conn:
        # tried again and again, not waited for: CREATE INDEX CONCURRENTLY waits for whoever waits for this lock
        while not _try_lock(conn):
            time.sleep(0.05)
        PostgresSaver(conn).setup()


def _try_lock(conn: psycopg.Connection[DictRow]) -> bool:
    locked = conn.execute("SELECT pg_try_advisory_lock(%s) AS locked", (_SET_UP_LOCK,)).fetchone()
    return locked is not None and bool(locked["locked"])
