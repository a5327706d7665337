from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import psycopg
import pytest
from langgraph.checkpoint.base import CheckpointTuple, empty_checkpoint
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from psycopg.conninfo import make_conninfo

from langchain_mem.checkpointers import PostgresCheckpointer, Retention, Swept
from langchain_mem.errors import StoreError
from tests.blocking import never_blocking
from tests.integration_tests.faults.wire import Mood, Wire, postgres_socket
from tests.unit_tests.checkpointers.graphs import DeltaLog, Log, OpenSaver, by_hand, chat, talk, thread
from tests.unit_tests.checkpointers.suite import CheckpointerSuite

TABLES = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")

SWEEPS = """
import sys
from langchain_mem.checkpointers import PostgresCheckpointer, Retention

PostgresCheckpointer.open(sys.argv[1], retention=Retention(keep_last=1)).sweep()
"""

UNREFERRED = """
SELECT count(*) FROM checkpoint_blobs b WHERE NOT EXISTS (
    SELECT 1 FROM checkpoints c WHERE c.thread_id = b.thread_id AND c.checkpoint_ns = b.checkpoint_ns
    AND c.checkpoint -> 'channel_versions' ->> b.channel = b.version
)
"""


def rows(dsn: str) -> list[Any]:
    with psycopg.connect(dsn) as conn:
        return [row for table in TABLES for row in conn.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3, 4")]


def ask(dsn: str, query: str) -> Any:
    with psycopg.connect(dsn) as conn:
        return conn.execute(query.encode()).fetchone()[0]  # type: ignore[index]


@pytest.fixture(scope="module")
def database(postgres_dsn: str) -> str:
    PostgresCheckpointer.open(postgres_dsn).close()
    return postgres_dsn


@pytest.fixture
def dsn(database: str) -> str:
    with psycopg.connect(database) as conn:
        conn.execute("TRUNCATE checkpoints, checkpoint_blobs, checkpoint_writes")
    return database


class TestPostgresCheckpointer(CheckpointerSuite):
    dsn = ""

    @pytest.fixture
    def open_saver(self, dsn: str) -> OpenSaver:
        self.dsn = dsn
        return partial(PostgresCheckpointer.open, dsn)

    def size(self, saver: Any) -> int:
        return len(self.raw(saver))

    def raw(self, saver: Any) -> bytes:
        cells = [cell for row in rows(self.dsn) for cell in row]
        return b"\n".join(cell if isinstance(cell, bytes) else str(cell).encode() for cell in cells)


def test_continues_what_langgraph_wrote(fresh_postgres_dsn: str) -> None:
    """A database of `PostgresSaver` opens, is swept, and goes on."""
    with PostgresSaver.from_conn_string(fresh_postgres_dsn) as theirs:
        theirs.setup()
        talk(chat(theirs), 5)
    with PostgresCheckpointer.open(fresh_postgres_dsn, retention=Retention(keep_last=2)) as ours:
        assert ours.sweep() == Swept(checkpoints=13)
        talk(chat(ours), 1)
        assert len(chat(ours).get_state(thread()).values["log"]) == 12


async def test_goes_back_to_langgraph(fresh_postgres_dsn: str) -> None:
    """A database of ours opens with `PostgresSaver` and `AsyncPostgresSaver`, after a sweep too."""
    async with await PostgresCheckpointer.aopen(fresh_postgres_dsn, retention=Retention(keep_last=2)) as ours:
        await chat(ours).ainvoke({"log": ["hello"]}, thread())
        await ours.asweep()
    with PostgresSaver.from_conn_string(fresh_postgres_dsn) as theirs:
        theirs.setup()
        await asyncio.to_thread(talk, chat(theirs), 1)
    async with AsyncPostgresSaver.from_conn_string(fresh_postgres_dsn) as theirs:
        state = await chat(theirs).aget_state(thread())
    assert state.values["log"] == ["hello", "answer 1", "turn 0", "answer 3"]


@pytest.mark.parametrize("state", [Log, DeltaLog])
def test_leaves_no_value_behind(dsn: str, state: type) -> None:
    """After a sweep every stored value is referred to by a checkpoint that is still there."""
    with by_hand(partial(PostgresCheckpointer.open, dsn), retention=Retention(keep_last=1)) as saver:
        talk(chat(saver, state), 8)
        saver.sweep()
        assert ask(dsn, UNREFERRED) == 0
        assert ask(dsn, "SELECT count(*) FROM checkpoint_blobs") > 0


async def test_an_encrypted_thread_goes_on_from_a_readable_one(dsn: str) -> None:
    """Text that LangGraph's saver left readable is read, and neither form leaves more; their saver reads ours."""
    serde = EncryptedSerializer.from_pycryptodome_aes(key=b"0123456789abcdef")
    with PostgresSaver.from_conn_string(dsn) as theirs:
        theirs.serde = serde
        chat(theirs, DeltaLog).invoke({"log": ["hello"], "label": "readable"}, thread())
    async with await PostgresCheckpointer.aopen(dsn, serde=serde) as ours:
        graph = chat(ours, DeltaLog)
        await graph.ainvoke({"log": ["again"]}, thread())
        assert (await graph.aget_state(thread())).values["label"] == "readable"
        await graph.ainvoke({"log": ["and again"], "label": "sealed"}, thread())
        ours.prune(["t"])
        values = graph.get_state(thread()).values
    assert values["label"] == "sealed"
    assert "sealed" not in str(rows(dsn))
    with PostgresSaver.from_conn_string(dsn) as theirs:
        theirs.serde = serde
        assert chat(theirs, DeltaLog).get_state(thread()).values == values


def test_a_checkpoint_of_an_old_format_keeps_its_sends(dsn: str) -> None:
    """Before format 4, pending sends lay in the parent's writes: the parent stays, without its own ancestors."""
    with by_hand(partial(PostgresCheckpointer.open, dsn), retention=Retention(keep_last=1)) as saver:
        config = thread(checkpoint_ns="")
        for _ in range(3):
            config = saver.put(config, {**empty_checkpoint(), "v": 3}, {}, {})
            saver.put_writes(config, [("__pregel_tasks", "send")], "task")
        sends = saver.get_tuple(thread()).checkpoint["channel_values"]
        assert saver.sweep() == Swept(checkpoints=1)
        assert saver.get_tuple(thread()).checkpoint["channel_values"] == sends == {"__pregel_tasks": ["send"]}


def test_many_open_at_once(fresh_postgres_dsn: str) -> None:
    """Processes that start together do not fail on each other's migrations."""
    with ThreadPoolExecutor(4) as pool:
        savers = list(pool.map(PostgresCheckpointer.open, [fresh_postgres_dsn] * 4))
    talk(chat(savers[0]), 1)
    assert all(saver.threads() == ["t"] for saver in savers)
    for saver in savers:
        saver.close()


def test_what_cannot_be_reached_says_so() -> None:
    """A server that is not there raises with the reason."""
    with pytest.raises(StoreError, match="Cannot open"):
        PostgresCheckpointer.open("host=127.0.0.1 port=1 connect_timeout=2")


async def test_never_blocks_the_event_loop(dsn: str) -> None:
    """No socket is read on the loop's own thread but through the loop."""
    with never_blocking():
        async with await PostgresCheckpointer.aopen(dsn, retention=Retention(keep_last=1)) as saver:
            graph = chat(saver, DeltaLog)
            await graph.ainvoke({"log": ["hello"]}, thread())
            assert [item async for item in saver.alist(thread())]
            await saver.asweep()
            await saver.acopy_thread("t", "copy")
            assert await saver.athreads() == ["copy", "t"]
            await saver.aprune(["t"])
            await saver.adelete_thread("t")
            await saver.adelete_user_threads("nobody")


DROP = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


async def test_a_lost_connection_is_replaced(dsn: str) -> None:
    """After the server dropped every connection, no call fails, in either form, of threads or of a sweep."""
    async with await PostgresCheckpointer.aopen(dsn, retention=Retention(keep_last=1)) as saver:
        graph = chat(saver)
        await graph.ainvoke({"log": ["hello"]}, thread())
        assert await asyncio.to_thread(saver.get_tuple, thread()) is not None
        assert await saver.athreads() == ["t"]
        ask(dsn, DROP)
        found = await asyncio.gather(*(saver.aget_tuple(thread()) for _ in range(3)))
        assert found == [await asyncio.to_thread(saver.get_tuple, thread())] * 3
        assert await saver.athreads() == ["t"]
        ask(dsn, DROP)
        await graph.ainvoke({"log": ["again"]}, thread())
        ask(dsn, DROP)
        await asyncio.to_thread(graph.invoke, {"log": ["and again"]}, thread())
        assert len((await graph.aget_state(thread())).values["log"]) == 6


@pytest.mark.parametrize("mood", ["cut", "half"])
def test_a_connection_that_dies_in_a_call(dsn: str, mood: Mood) -> None:
    """Before the server heard a call, or after it carried it out: it is made again, in either form, and counts once."""
    wire = Wire(lambda: postgres_socket(dsn))
    with PostgresCheckpointer.open(make_conninfo(dsn, host="127.0.0.1", port=wire.port)) as saver:
        chat(saver, DeltaLog).invoke({"log": ["hello"]}, thread())
        (before,) = saver.list(thread(), limit=1)
        put: Any = (before.config, {**empty_checkpoint(), "channel_values": {"log": ["x"]}}, {}, {"log": "9"})
        wrote: Any = (before.config, [("log", "more")], "task")
        asked: Any = {"config": before.config, "channels": ["log"]}

        def dies() -> None:
            assert wire.mood == "through"
            wire.mood, wire.times = mood, 1

        async def each() -> None:
            assert await saver.aget_tuple(thread()) == before
            dies()
            assert await saver.aget_tuple(thread()) == before
            dies()
            assert (await saver.aget_delta_channel_history(**asked))["log"]
            dies()
            await saver.aput(*put)
            dies()
            await saver.aput_writes(*wrote)
            dies()
            assert len([one async for one in saver.alist(thread())]) == len(list(saver.list(thread())))

        asyncio.run(each())
        stored = rows(dsn)
        for call in (partial(saver.put, *put), partial(saver.put_writes, *wrote), partial(saver.list, thread()),
                     partial(saver.get_delta_channel_history, **asked)):  # fmt: skip
            dies()
            call()
        assert rows(dsn) == stored
        dies()
        saver.delete_thread("t")
        dies()
        assert saver.get_tuple(thread()) is None
        assert wire.mood == "through"
    wire.close()


def test_a_server_that_is_silent(dsn: str) -> None:
    """A call ends in time, in either form, and the next one is answered."""
    wire = Wire(lambda: postgres_socket(dsn))
    with PostgresCheckpointer.open(make_conninfo(dsn, host="127.0.0.1", port=wire.port), timeout=1.5) as saver:
        chat(saver).invoke({"log": ["hello"]}, thread())

        async def twice() -> CheckpointTuple | None:
            await saver.aget_tuple(thread())
            wire.mood = "silent"
            with pytest.raises(psycopg.OperationalError, match="has been silent"):
                await saver.aget_tuple(thread())
            wire.mood = "through"
            return await saver.aget_tuple(thread())

        assert asyncio.run(twice()) == saver.get_tuple(thread())
        wire.mood = "silent"
        with pytest.raises(psycopg.OperationalError, match="has been silent"):
            saver.get_tuple(thread())
        wire.mood = "through"
        assert saver.get_tuple(thread()) is not None
    wire.close()


def test_closed_is_closed(dsn: str) -> None:
    """A saver that was closed connects no more."""
    with PostgresCheckpointer.open(dsn) as saver:
        saver.get_tuple(thread())
    with pytest.raises(psycopg.OperationalError, match="closed"):
        saver.get_tuple(thread())


def test_closing_closes_every_connection(fresh_postgres_dsn: str) -> None:
    """Connections of event loops that ended are closed too."""
    with PostgresCheckpointer.open(fresh_postgres_dsn) as saver:
        for _ in range(2):
            asyncio.run(chat(saver).ainvoke({"log": ["hello"]}, thread()))
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    while ask(fresh_postgres_dsn, others):  # the server notices a moment later
        pass


@contextmanager
def locked(dsn: str, table: str) -> Iterator[None]:
    """Holds every row of a table, so that who deletes one waits."""
    with psycopg.connect(dsn) as conn:
        conn.execute(f"SELECT * FROM {table} FOR UPDATE")
        yield


def test_a_kill_in_the_middle_of_a_sweep_changes_nothing(dsn: str) -> None:
    """A process killed between two deletes leaves the rows as they were, and the next sweep does the work."""
    with PostgresCheckpointer.open(dsn) as saver:
        talk(chat(saver), 5)
    before = rows(dsn)
    with locked(dsn, "checkpoint_blobs"):  # the sweep has deleted checkpoints and writes, and waits for the values
        sweep = subprocess.Popen([sys.executable, "-c", SWEEPS, dsn])
        while not ask(dsn, "SELECT count(*) FROM pg_locks WHERE NOT granted"):
            assert sweep.poll() is None
        sweep.kill()
        assert sweep.wait(timeout=300) == -signal.SIGKILL
    with PostgresCheckpointer.open(dsn, retention=Retention(keep_last=1)) as saver:
        saver.prune([])  # waits for the lock the dead sweep still holds
        assert rows(dsn) == before
        assert saver.sweep() == Swept(checkpoints=14)
        assert len(chat(saver).get_state(thread()).values["log"]) == 10
