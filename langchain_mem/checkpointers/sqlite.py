"""The SQLite saver: one file, or memory."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
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
from langgraph.checkpoint.sqlite import SqliteSaver

from langchain_mem.checkpointers._base import Retaining, utc_now
from langchain_mem.checkpointers._rows import (
    Channels,
    CheckpointRow,
    ThreadIds,
    ThreadSize,
    by_thread,
    entries,
    row,
    sized,
)
from langchain_mem.checkpointers._sweep_pacer import Clock
from langchain_mem.checkpointers.retention import Entry, Release, Retention
from langchain_mem.errors import StoreError


class SqliteCheckpointer(Retaining, SqliteSaver):
    """LangGraph's `SqliteSaver` with a retention policy and async methods.

    The tables are LangGraph's own. A file that was written by `SqliteSaver` can be opened, and the other way round.

        >>> with SqliteCheckpointer.open(":memory:", retention=Retention(keep_last=20)) as saver:
        ...     saver.threads()
        []

    Args:
        conn: A connection opened with `check_same_thread=False`. `open` makes one.
        retention: Which checkpoints and threads are deleted; `None` deletes none.
        clock: A function that returns the current time.
        serde: Serializes checkpoints; `None` for LangGraph's own serializer.
    """

    _engine_errors = (sqlite3.Error,)

    def __init__(
        self,
        conn: sqlite3.Connection,
        *,
        retention: Retention | None = None,
        clock: Clock = utc_now,
        serde: SerializerProtocol | None = None,
    ) -> None:
        SqliteSaver.__init__(self, conn, serde=serde)
        self._retain(retention, clock)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        retention: Retention | None = None,
        clock: Clock = utc_now,
        serde: SerializerProtocol | None = None,
    ) -> Self:
        """Opens a file and creates the tables that it does not have.

        Args:
            path: The file, which is created if it does not exist, or `":memory:"`.
            retention: Which checkpoints and threads are deleted; `None` deletes none.
            clock: A function that returns the current time, with a time zone.
            serde: Serializes checkpoints; `None` for LangGraph's own serializer.

        Returns:
            The checkpointer. It is also a sync and an async context manager that closes it.

        Raises:
            StoreError: The file cannot be opened, or is not an SQLite database.
        """
        try:
            conn = sqlite3.connect(path, check_same_thread=False)
        except sqlite3.Error as error:
            raise StoreError(f"Cannot open {os.fspath(path)}: {error}.") from error
        saver = cls(conn, retention=retention, clock=clock, serde=serde)
        try:
            saver.setup()
        except sqlite3.Error as error:
            conn.close()
            raise StoreError(f"Cannot set up {os.fspath(path)}: {error}.") from error
        return saver

    @classmethod
    async def aopen(
        cls,
        path: str | os.PathLike[str],
        *,
        retention: Retention | None = None,
        clock: Clock = utc_now,
        serde: SerializerProtocol | None = None,
    ) -> Self:
        """The async form of `open`."""
        return await asyncio.to_thread(cls.open, path, retention=retention, clock=clock, serde=serde)

    def close(self) -> None:
        """Waits for a running sweep, and then closes the connection. It may be called again."""
        super().close()
        self.conn.close()

    @contextmanager
    def _reading(self) -> Iterator[_SqliteRows]:
        with self.lock:
            yield _SqliteRows(self.conn, self.serde)

    @contextmanager
    def _transaction(self) -> Iterator[_SqliteRows]:
        with self.lock, self.conn:
            self.conn.execute("BEGIN IMMEDIATE")  # before reading: another process may write between read and delete
            yield _SqliteRows(self.conn, self.serde)

    # SQLite has no async form: one connection, one writer. Each call goes to a thread, so the loop never waits.

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The async form of `get_tuple`."""
        return await asyncio.to_thread(self.get_tuple, config)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - LangGraph's name
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """The async form of `list`."""
        for item in await asyncio.to_thread(self.list, config, filter=filter, before=before, limit=limit):
            yield item

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """The async form of `put`."""
        return await asyncio.to_thread(self.put, config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """The async form of `put_writes`."""
        await asyncio.to_thread(self.put_writes, config, writes, task_id, task_path)

    async def adelete_thread(self, thread_id: str) -> None:
        """The async form of `delete_thread`."""
        await asyncio.to_thread(self.delete_thread, thread_id)

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """The async form of `get_delta_channel_history`."""
        return await asyncio.to_thread(self.get_delta_channel_history, config=config, channels=channels)


_SIZES = """
SELECT c.thread_id, max(CAST(json_extract(CAST(c.metadata AS TEXT), '$.user_id') AS TEXT)), count(*),
    sum(coalesce(length(c.checkpoint), 0) + coalesce(length(c.metadata), 0)) + coalesce(
        (SELECT sum(length(w.value)) FROM writes w WHERE w.thread_id = c.thread_id), 0
    ),
    min(c.checkpoint_id), max(c.checkpoint_id)
FROM checkpoints c GROUP BY c.thread_id
"""


class _SqliteRows:
    """The rows of a SQLite file; the caller holds the lock. Lists of ids travel as one JSON array, of any length."""

    def __init__(self, conn: sqlite3.Connection, serde: SerializerProtocol) -> None:
        self._conn = conn
        self._serde = serde

    def page(self, *, after: str, size: int) -> ThreadIds:
        threads = "SELECT DISTINCT thread_id FROM checkpoints WHERE thread_id > ? ORDER BY thread_id LIMIT ?"
        return self.ids([thread for (thread,) in self._conn.execute(threads, (after, size))])

    def ids(self, threads: Sequence[str]) -> ThreadIds:
        return by_thread(
            self._conn.execute(
                "SELECT thread_id, checkpoint_ns, checkpoint_id FROM checkpoints "
                "WHERE thread_id IN (SELECT value FROM json_each(?)) ORDER BY thread_id",
                (_array(threads),),
            )
        )

    def entries(self, threads: Sequence[str]) -> Mapping[str, Sequence[Entry]]:
        saved = self._conn.execute(
            "SELECT thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, metadata FROM checkpoints "
            "WHERE thread_id IN (SELECT value FROM json_each(?))",
            (_array(threads),),
        )
        return entries((self._row(*columns) for columns in saved), self._channels)

    def _row(self, thread: str, ns: str, id_: str, parent: str | None, metadata: bytes | None) -> CheckpointRow:
        return row(thread, ns, id_, parent, json.loads(metadata) if metadata else {})

    def _channels(self, thread: str, ns: str, names: Collection[str]) -> Mapping[str, Channels]:
        written: dict[str, set[str]] = {}
        for id_, channel in self._conn.execute(
            "SELECT DISTINCT checkpoint_id, channel FROM writes WHERE thread_id = ? AND checkpoint_ns = ? "
            "AND channel IN (SELECT value FROM json_each(?))",
            (thread, ns, _array(names)),
        ):
            written.setdefault(id_, set()).add(channel)
        saved = self._conn.execute(
            "SELECT checkpoint_id, type, checkpoint FROM checkpoints WHERE thread_id = ? AND checkpoint_ns = ?",
            (thread, ns),
        )
        return {id_: self._channels_of(type_, blob, names, written.get(id_, set())) for id_, type_, blob in saved}

    def _channels_of(self, type_: str, blob: bytes, names: Collection[str], written: set[str]) -> Channels:
        checkpoint: Checkpoint = self._serde.loads_typed((type_, blob))
        stored = checkpoint["channel_values"].keys() & names
        known = checkpoint["channel_versions"].keys() & names
        return Channels(needs=frozenset(known - stored), holds=frozenset(stored), writes=frozenset(written))

    def of_runs(self, run_ids: Sequence[str]) -> ThreadIds:
        return by_thread(
            self._conn.execute(
                "SELECT thread_id, checkpoint_ns, checkpoint_id FROM checkpoints "
                "WHERE json_extract(CAST(metadata AS TEXT), '$.run_id') IN (SELECT value FROM json_each(?))",
                (_array(run_ids),),
            )
        )

    def threads(self, *, user_id: str | None) -> Sequence[str]:
        found = self._conn.execute(
            "SELECT DISTINCT thread_id FROM checkpoints "
            "WHERE ?1 IS NULL OR CAST(json_extract(CAST(metadata AS TEXT), '$.user_id') AS TEXT) = ?1",
            (user_id,),
        )
        return [thread for (thread,) in found]

    def sizes(self) -> list[ThreadSize]:
        return [sized(*columns) for columns in self._conn.execute(_SIZES)]

    def copy(self, source: str, target: str) -> None:
        self._conn.execute(
            "INSERT INTO checkpoints "
            "(thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata) "
            "SELECT ?, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata "
            "FROM checkpoints WHERE thread_id = ?",
            (target, source),
        )
        self._conn.execute(
            "INSERT INTO writes "
            "(thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, value) "
            "SELECT ?, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, value "
            "FROM writes WHERE thread_id = ?",
            (target, source),
        )

    def drop(self, threads: Sequence[str]) -> None:
        for statement in (
            "DELETE FROM checkpoints WHERE thread_id IN (SELECT value FROM json_each(?))",
            "DELETE FROM writes WHERE thread_id IN (SELECT value FROM json_each(?))",
        ):
            self._conn.execute(statement, (_array(threads),))

    def apply(self, releases: Mapping[str, Release]) -> None:
        gone = [(thread, ns, id_) for thread, item in releases.items() for ns, id_ in item.gone]
        for statement in (
            "DELETE FROM checkpoints WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ?",
            "DELETE FROM writes WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ?",
        ):
            self._conn.executemany(statement, gone)
        self._conn.executemany(
            "UPDATE checkpoints SET parent_checkpoint_id = ? "
            "WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ?",
            [
                (parent, thread, ns, id_)
                for thread, item in releases.items()
                for (ns, id_), parent in item.parents.items()
            ],
        )


def _array(values: Collection[str]) -> str:
    return json.dumps([str(value) for value in values])
