"""The rows of LangGraph's Postgres tables, as the retention rule sees them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from langgraph.checkpoint.serde.types import TASKS
from psycopg import Cursor
from psycopg.rows import TupleRow

from langchain_mem.checkpointers._rows import Channels, CheckpointRow, ThreadIds, ThreadSize, by_thread, entries, sized
from langchain_mem.checkpointers.retention import Entry, Release

_TABLES = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")

_PAGE = "SELECT DISTINCT thread_id FROM checkpoints WHERE thread_id > %s ORDER BY thread_id LIMIT %s"

_IDS = """
SELECT thread_id, checkpoint_ns, checkpoint_id FROM checkpoints WHERE thread_id = ANY(%s) ORDER BY thread_id
"""

# A checkpoint of a format before 4 reads its pending sends from its parent's writes.
_ENTRIES = f"""
SELECT c.thread_id, c.checkpoint_ns, c.checkpoint_id, c.parent_checkpoint_id,
    c.metadata -> 'parents', c.metadata -> 'counters_since_delta_snapshot',
    (c.checkpoint ->> 'v')::int < 4 AND EXISTS (
        SELECT 1 FROM checkpoint_writes w
        WHERE w.thread_id = c.thread_id AND w.checkpoint_ns = c.checkpoint_ns
        AND w.checkpoint_id = c.parent_checkpoint_id AND w.channel = '{TASKS}'
    )
FROM checkpoints c WHERE c.thread_id = ANY(%s)
"""  # noqa: S608 - a constant of LangGraph's

# A value is stored inline if primitive, else as a blob of the channel's version.
_CHANNELS = """
SELECT c.checkpoint_id, n.channel,
    c.checkpoint -> 'channel_versions' ? n.channel,
    c.checkpoint -> 'channel_values' -> n.channel <> 'null' OR EXISTS (
        SELECT 1 FROM checkpoint_blobs b
        WHERE b.thread_id = c.thread_id AND b.checkpoint_ns = c.checkpoint_ns AND b.channel = n.channel
        AND b.version = c.checkpoint -> 'channel_versions' ->> n.channel AND b.type <> 'empty'
    ),
    EXISTS (
        SELECT 1 FROM checkpoint_writes w
        WHERE w.thread_id = c.thread_id AND w.checkpoint_ns = c.checkpoint_ns
        AND w.checkpoint_id = c.checkpoint_id AND w.channel = n.channel
    )
FROM checkpoints c CROSS JOIN unnest(%s::text[]) AS n(channel)
WHERE c.thread_id = %s AND c.checkpoint_ns = %s
"""

_OF_RUNS = """
SELECT thread_id, checkpoint_ns, checkpoint_id FROM checkpoints WHERE metadata ->> 'run_id' = ANY(%s)
"""

_THREADS = """
SELECT DISTINCT thread_id FROM checkpoints WHERE %(user)s::text IS NULL OR metadata ->> 'user_id' = %(user)s
"""

_SIZES = """
SELECT c.thread_id, c.user_id, c.count,
    c.bytes
    + coalesce((SELECT sum(octet_length(b.blob)) FROM checkpoint_blobs b WHERE b.thread_id = c.thread_id), 0)
    + coalesce((SELECT sum(octet_length(w.blob)) FROM checkpoint_writes w WHERE w.thread_id = c.thread_id), 0),
    c.first, c.last
FROM (
    SELECT thread_id, max(metadata ->> 'user_id') AS user_id, count(*) AS count,
        sum(octet_length(checkpoint::text) + octet_length(metadata::text)) AS bytes,
        min(checkpoint_id) AS first, max(checkpoint_id) AS last
    FROM checkpoints GROUP BY thread_id
) AS c
"""

_COPY = (
    """
    INSERT INTO checkpoints
        (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata)
    SELECT %s, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata
    FROM checkpoints WHERE thread_id = %s
    """,
    """
    INSERT INTO checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob)
    SELECT %s, checkpoint_ns, channel, version, type, blob FROM checkpoint_blobs WHERE thread_id = %s
    """,
    """
    INSERT INTO checkpoint_writes
        (thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob)
    SELECT %s, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob
    FROM checkpoint_writes WHERE thread_id = %s
    """,
)

# Rows to delete are looked up by primary key, one key after another: OFFSET 0 keeps the planner from making a join of
# it, which turns into a scan of the whole table wherever statistics lag.
_KEYS = "unnest(%s::text[], %s::text[], %s::text[]) AS k(thread_id, ns, id)"

_DELETE_WRITES = f"""
DELETE FROM checkpoint_writes WHERE ctid = ANY(ARRAY(
    SELECT w.ctid FROM {_KEYS} CROSS JOIN LATERAL (
        SELECT ctid FROM checkpoint_writes
        WHERE thread_id = k.thread_id AND checkpoint_ns = k.ns AND checkpoint_id = k.id OFFSET 0
    ) AS w
))
"""  # noqa: S608 - a constant of this file

_DELETE_CHECKPOINTS = f"""
WITH gone AS (
    DELETE FROM checkpoints WHERE ctid = ANY(ARRAY(
        SELECT c.ctid FROM {_KEYS} CROSS JOIN LATERAL (
            SELECT ctid FROM checkpoints
            WHERE thread_id = k.thread_id AND checkpoint_ns = k.ns AND checkpoint_id = k.id OFFSET 0
        ) AS c
    ))
    RETURNING thread_id, checkpoint_ns, checkpoint -> 'channel_versions' AS versions
)
SELECT DISTINCT g.thread_id, g.checkpoint_ns, v.key, v.value
FROM gone g CROSS JOIN LATERAL jsonb_each_text(g.versions) AS v
"""  # noqa: S608 - a constant of this file

_REFERRED = """
SELECT DISTINCT n.thread_id, n.ns, v.key, v.value
FROM unnest(%s::text[], %s::text[]) AS n(thread_id, ns)
CROSS JOIN LATERAL (
    SELECT checkpoint -> 'channel_versions' AS versions FROM checkpoints
    WHERE thread_id = n.thread_id AND checkpoint_ns = n.ns OFFSET 0
) AS c
CROSS JOIN LATERAL jsonb_each_text(c.versions) AS v
"""

_DELETE_BLOBS = """
DELETE FROM checkpoint_blobs WHERE ctid = ANY(ARRAY(
    SELECT b.ctid FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[]) AS k(thread_id, ns, channel, version)
    CROSS JOIN LATERAL (
        SELECT ctid FROM checkpoint_blobs
        WHERE thread_id = k.thread_id AND checkpoint_ns = k.ns AND channel = k.channel AND version = k.version OFFSET 0
    ) AS b
))
"""

_RELINK = """
UPDATE checkpoints SET parent_checkpoint_id = %s
WHERE thread_id = %s AND checkpoint_ns = %s AND checkpoint_id = %s
"""


class PostgresRows:
    """The rows of a Postgres database, through one cursor in one transaction."""

    def __init__(self, cursor: Cursor[TupleRow]) -> None:
        self._cursor = cursor

    def _all(self, statement: str, *args: Any) -> list[Any]:
        # unprepared: a plan for any array suits neither a short one nor a long one
        return self._cursor.execute(statement.encode(), args, prepare=False).fetchall()

    def page(self, *, after: str, size: int) -> ThreadIds:
        return self.ids([thread for (thread,) in self._all(_PAGE, after, size)])

    def ids(self, threads: Sequence[str]) -> ThreadIds:
        return by_thread(self._all(_IDS, _texts(threads)))

    def entries(self, threads: Sequence[str]) -> Mapping[str, Sequence[Entry]]:
        saved = self._all(_ENTRIES, _texts(threads))
        return entries((_row(*columns) for columns in saved), self._channels)

    def _channels(self, thread: str, ns: str, names: Collection[str]) -> Mapping[str, Channels]:
        channels: dict[str, Channels] = {}
        for id_, channel, is_known, is_stored, is_written in self._all(_CHANNELS, [*names], thread, ns):
            one, had = frozenset({channel}), channels.get(id_, Channels())
            channels[id_] = Channels(
                needs=had.needs | one if is_known and not is_stored else had.needs,
                holds=had.holds | one if is_stored else had.holds,
                writes=had.writes | one if is_written else had.writes,
            )
        return channels

    def of_runs(self, run_ids: Sequence[str]) -> ThreadIds:
        return by_thread(self._all(_OF_RUNS, _texts(run_ids)))

    def threads(self, *, user_id: str | None) -> Sequence[str]:
        found = self._cursor.execute(_THREADS, {"user": user_id}).fetchall()
        return [thread for (thread,) in found]

    def sizes(self) -> list[ThreadSize]:
        return [sized(*columns) for columns in self._all(_SIZES)]

    def copy(self, source: str, target: str) -> None:
        for statement in _COPY:
            self._cursor.execute(statement, (target, source))

    def drop(self, threads: Sequence[str]) -> None:
        for table in _TABLES:
            statement = f"DELETE FROM {table} WHERE thread_id = ANY(%s)"  # noqa: S608 - a constant of this file
            self._cursor.execute(statement.encode(), (_texts(threads),), prepare=False)

    def apply(self, releases: Mapping[str, Release]) -> None:
        gone = [(thread, ns, id_) for thread, item in releases.items() for ns, id_ in item.gone]
        if not gone:
            return
        self._cursor.execute(_DELETE_WRITES.encode(), _columns(gone), prepare=False)
        freed = set(self._all(_DELETE_CHECKPOINTS, *_columns(gone)))
        self._relink(releases)
        if freed:
            referred = self._all(_REFERRED, *_columns({(thread, ns) for thread, ns, *_ in freed}))
            self._delete_blobs(freed.difference(referred))

    def _relink(self, releases: Mapping[str, Release]) -> None:
        links = [(p, thread, *key) for thread, item in releases.items() for key, p in item.parents.items()]
        self._cursor.executemany(_RELINK, links)

    def _delete_blobs(self, blobs: Collection[tuple[str, ...]]) -> None:
        if blobs:
            self._cursor.execute(_DELETE_BLOBS, _columns(blobs), prepare=False)


def _row(
    thread: str,
    ns: str,
    id_: str,
    parent: str | None,
    parents: Mapping[str, str] | None,
    counters: Mapping[str, Any] | None,
    sends_in_parent: bool,
) -> CheckpointRow:
    return CheckpointRow(
        thread=thread,
        namespace=ns,
        id=id_,
        parent=parent,
        parents=parents or {},
        deltas=counters or (),
        sends_in_parent=sends_in_parent,
    )


def _texts(values: Sequence[str]) -> list[str]:
    """As LangGraph's tables hold them, whatever a caller uses for ids."""
    return [str(value) for value in values]


def _columns(rows: Collection[tuple[str, ...]]) -> list[list[str]]:
    """Rows as columns, one array each."""
    return [list(column) for column in zip(*rows, strict=True)]
