from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from langchain_mem.checkpointers import Retention, SqliteCheckpointer, Swept
from langchain_mem.errors import StoreError
from langchain_mem.testing import FakeClock
from tests.blocking import never_blocking
from tests.unit_tests.checkpointers.graphs import DeltaLog, OpenSaver, chat, ids, later, talk, thread
from tests.unit_tests.checkpointers.suite import CheckpointerSuite

DIES_IN_A_SWEEP = """
import os, signal, sys
from langchain_mem.checkpointers import Retention, SqliteCheckpointer

def die(statement):
    if statement.startswith("DELETE FROM writes"):  # checkpoints are gone, their writes are not
        os.kill(os.getpid(), signal.SIGKILL)

saver = SqliteCheckpointer.open(sys.argv[1], retention=Retention(keep_last=1))
saver.conn.set_trace_callback(die)
saver.sweep()
"""

ENDS_DURING_A_SWEEP = """
import sys, threading
from langgraph.checkpoint.base import empty_checkpoint
from langchain_mem.checkpointers import Retention, SqliteCheckpointer

saver = SqliteCheckpointer.open(sys.argv[1], retention=Retention(keep_last=1))
saver.sweep = threading.Event().wait  # a sweep that never ends
saver.put({"configurable": {"thread_id": "new", "checkpoint_ns": ""}}, empty_checkpoint(), {}, {})
"""


def rows(path: Path) -> list[Any]:
    with sqlite3.connect(path) as conn:
        found = [*conn.execute("SELECT * FROM checkpoints"), *conn.execute("SELECT * FROM writes")]
    conn.close()
    return found


class TestSqliteCheckpointer(CheckpointerSuite):
    @pytest.fixture
    def open_saver(self, tmp_path: Path) -> OpenSaver:
        return partial(SqliteCheckpointer.open, tmp_path / "checkpoints.db")

    def size(self, saver: Any) -> int:
        return len(self.raw(saver))

    def raw(self, saver: Any) -> bytes:
        cells = [*saver.conn.execute("SELECT * FROM checkpoints"), *saver.conn.execute("SELECT * FROM writes")]
        return b"\n".join(cell if isinstance(cell, bytes) else str(cell).encode() for row in cells for cell in row)


def test_continues_what_langgraph_wrote(tmp_path: Path) -> None:
    """A file of `SqliteSaver` opens, is swept, and goes on."""
    path = str(tmp_path / "theirs.db")
    with SqliteSaver.from_conn_string(path) as theirs:
        talk(chat(theirs), 5)
    with SqliteCheckpointer.open(path, retention=Retention(keep_last=2)) as ours:
        assert ours.sweep() == Swept(checkpoints=13)
        talk(chat(ours), 1)
        assert len(chat(ours).get_state(thread()).values["log"]) == 12


async def test_goes_back_to_langgraph(tmp_path: Path) -> None:
    """A file of ours opens with `SqliteSaver` and `AsyncSqliteSaver`, after a sweep too."""
    path = str(tmp_path / "ours.db")
    async with await SqliteCheckpointer.aopen(path, retention=Retention(keep_last=2)) as ours:
        await chat(ours).ainvoke({"log": ["hello"]}, thread())
        await ours.asweep()
    with SqliteSaver.from_conn_string(path) as theirs:
        await asyncio.to_thread(talk, chat(theirs), 1)
    async with AsyncSqliteSaver.from_conn_string(path) as theirs:
        state = await chat(theirs).aget_state(thread())
    assert state.values["log"] == ["hello", "answer 1", "turn 0", "answer 3"]


def test_lives_in_memory() -> None:
    """`":memory:"` needs no file."""
    with SqliteCheckpointer.open(":memory:") as saver:
        talk(chat(saver), 1)
        assert saver.threads() == ["t"]


def test_what_cannot_be_opened_says_so(tmp_path: Path) -> None:
    """A folder that is not there, and a file of another kind, raise with the reason."""
    with pytest.raises(StoreError, match="unable to open"):
        SqliteCheckpointer.open(tmp_path / "nowhere" / "checkpoints.db")
    (tmp_path / "letter.txt").write_text("Dear reader, this is not a database. " * 100)
    with pytest.raises(StoreError, match="not a database"):
        SqliteCheckpointer.open(tmp_path / "letter.txt")


def test_many_open_at_once(tmp_path: Path) -> None:
    """Processes that start together on a new file do not fail on each other's tables."""
    with ThreadPoolExecutor(8) as pool:
        savers = list(pool.map(SqliteCheckpointer.open, [tmp_path / "checkpoints.db"] * 8))
    talk(chat(savers[0]), 1)
    assert [list(saver.threads()) for saver in savers] == [["t"]] * 8
    for saver in savers:
        saver.close()


def test_two_connections_share_a_file(tmp_path: Path) -> None:
    """While one sweeps, as another process would, the other talks, and nothing said is lost."""
    path = tmp_path / "checkpoints.db"
    with (
        SqliteCheckpointer.open(path) as talking,
        SqliteCheckpointer.open(path, retention=Retention(keep_last=1)) as sweeping,
        ThreadPoolExecutor(1) as pool,
    ):
        graph = chat(talking, DeltaLog)
        running = pool.submit(talk, graph, 15)
        while not running.done():
            sweeping.sweep()
        assert running.exception() is None
        assert len(graph.get_state(thread()).values["log"]) == 30


async def test_never_blocks_the_event_loop(tmp_path: Path) -> None:
    """No file is touched on the loop's own thread."""
    with never_blocking():
        async with await SqliteCheckpointer.aopen(tmp_path / "c.db", retention=Retention(keep_last=1)) as saver:
            graph = chat(saver)
            await graph.ainvoke({"log": ["hello"]}, thread())
            assert [item async for item in saver.alist(thread())]
            await saver.asweep()
            await saver.acopy_thread("t", "copy")
            assert await saver.athreads() == ["copy", "t"]
            await saver.aprune(["t"])
            await saver.adelete_for_runs(["none"])
            await saver.adelete_thread("t")
            await saver.adelete_user_threads("nobody")


def test_closing_waits_for_the_sweep(tmp_path: Path) -> None:
    """A sweep that a write started has done its work when the saver is closed."""
    path = tmp_path / "checkpoints.db"
    with SqliteCheckpointer.open(path) as saver:
        talk(chat(saver), 5)
    with SqliteCheckpointer.open(
        path, retention=Retention(thread_ttl=timedelta(days=1)), clock=FakeClock(later(days=2))
    ) as saver:
        talk(chat(saver), 1, thread("other"))
    with SqliteCheckpointer.open(path) as saver:
        assert "t" not in saver.threads()


def test_a_kill_in_the_middle_of_a_sweep_changes_nothing(tmp_path: Path) -> None:
    """A process killed between two deletes leaves the rows as they were, and the next sweep does the work."""
    path = tmp_path / "checkpoints.db"
    with SqliteCheckpointer.open(path) as saver:
        talk(chat(saver), 5)
    before = rows(path)
    killed = subprocess.run([sys.executable, "-c", DIES_IN_A_SWEEP, str(path)], check=False, timeout=300)
    assert killed.returncode == -signal.SIGKILL
    assert rows(path) == before
    with SqliteCheckpointer.open(path, retention=Retention(keep_last=1)) as saver:
        assert saver.sweep() == Swept(checkpoints=14)
        assert len(chat(saver).get_state(thread()).values["log"]) == 10


def test_a_sweep_keeps_no_process_alive(tmp_path: Path) -> None:
    """A program ends while its saver sweeps."""
    path = tmp_path / "checkpoints.db"
    ended = subprocess.run([sys.executable, "-c", ENDS_DURING_A_SWEEP, str(path)], check=False, timeout=300)
    assert ended.returncode == 0
    assert len(rows(path)) == 1


def test_a_failed_sweep_is_told_and_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A database that refuses to delete fails the sweep, not the write, and the next due sweep works."""
    path = tmp_path / "checkpoints.db"
    clock = FakeClock(later())
    with SqliteCheckpointer.open(path, retention=Retention(keep_last=1), clock=clock) as saver:
        saver.conn.execute("CREATE TRIGGER no BEFORE DELETE ON checkpoints BEGIN SELECT RAISE(ABORT, 'not now'); END")
        talk(chat(saver), 2)
        saver.join()
        clock.advance(minutes=10)
        talk(chat(saver), 1)
        saver.join()
        assert "not now" in caplog.text
        assert len(ids(saver, thread())) == 9
        saver.conn.execute("DROP TRIGGER no")
        clock.advance(minutes=10)
        talk(chat(saver), 1, thread("other"))
        saver.join()
        assert len(ids(saver, thread())) == 1
