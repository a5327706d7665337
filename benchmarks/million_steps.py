"""What `million` measures: operations of owners spread over the store, and of an administrator over all of them.

Each time is the median of wall milliseconds without the embedder's, beside the median of this process's processor time,
and the mean of the server's, which the kernel tells in steps of 10 ms. On a machine with other work the processor times
tell more.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple

import psutil
import psycopg

from benchmarks.growth_data import Prepared, question, sentence
from benchmarks.million_rows import EACH, index_on, owner
from langchain_mem import LongTermStore, Memory
from langchain_mem.errors import MemError

TRIES: Final = 25
CONCURRENT: Final = 200
FEW: Final = 3
"""Tries of what takes seconds."""

_ADDED = count(int(time.time()) * 1_000)  # a number that no run before had

_RATED: Final = {"AND": [{"categories": {"in": ["family"]}}, {"metadata": {"rating": {"gte": 2}}}]}
"""A filter that about one in seven fulfills."""


class Spent(NamedTuple):
    """Milliseconds that something took."""

    wall: float
    client_cpu: float
    server_cpu: float


class Measuring:
    """Takes the times of steps, and keeps their medians by name.

    Args:
        dsn: Where the database is.
        server: The folder that the server's processes run on.
    """

    def __init__(self, dsn: str, server: Path) -> None:
        self.report: dict[str, Any] = {}
        self._dsn, self._server, self._embed = dsn, server, Prepared()
        self._store = LongTermStore.postgres(dsn, index=index_on(self._embed), timeout=600)
        self._memory = Memory(self._store, reinforce="returned")
        self._admin = Memory(self._store, reinforce="none", all_owners=True)

    def run(self, owners: int) -> dict[str, Any]:
        """Measures everything, and says what it took."""
        self._memory.search("warm", user_id="nobody")
        some = [owner(number * 37 % owners) for number in range(1, TRIES + 1)]
        others = [owner((number * 41 + 13) % owners) for number in range(1, CONCURRENT + 1)]
        self._owner_steps(some)
        self._together(others)
        self.report["memory while held"] = self._held()
        self._admin_steps()
        self._upkeep()
        self.report |= self._sizes()
        return self.report

    def close(self) -> None:
        """Lets go of connections."""
        self._memory.close()
        self._store.close()

    def _owner_steps(self, some: Sequence[str]) -> None:
        memory, search = self._memory, self._memory.search
        self._measure("first search of an owner", [partial(search, question(n), user_id=u) for n, u in enumerate(some)])
        self._measure("search, held", [partial(search, question(n + 50), user_id=u) for n, u in enumerate(some)])
        self._measure(
            "search with a filter, held",
            [partial(search, question(n), user_id=u, filters=_RATED) for n, u in enumerate(some)],
        )
        self._measure("add, held", [partial(_add, memory, u) for u in some])
        self._measure("turn, held", [partial(_turn, memory, u, n) for n, u in enumerate(some)])
        self._measure(
            "get_all, a page of 100", [partial(memory.get_all, user_id=u, page=1, page_size=100) for u in some]
        )
        self._measure("add for a new owner", [partial(_add, memory, f"new-{next(_ADDED)}") for _ in some])
        self._measure("erase an owner", [partial(memory.erase, u) for u in self._new_owners()])

    def _new_owners(self) -> list[str]:
        names = [f"erased-{next(_ADDED)}" for _ in range(FEW)]
        for name in names:
            self._memory.add([sentence(next(_ADDED)) for _ in range(EACH)], user_id=name, infer=False)
        return names

    def _together(self, others: Sequence[str]) -> None:
        for name in (f"{CONCURRENT} asearch of as many owners, first", f"{CONCURRENT} asearch of them again"):
            self._measure(name, [lambda: asyncio.run(_all_at_once(self._memory, others))])
            self.report[name]["per second"] = round(1_000 * CONCURRENT / self.report[name]["wall ms"])

    def _admin_steps(self) -> None:
        admin = self._admin
        self._measure("search over all owners", [partial(admin.search, question(n)) for n in range(FEW)])
        self._measure(
            "search over all owners with a filter",
            [partial(admin.search, question(n), filters=_RATED) for n in range(FEW)],
        )
        # `users()` is left out: it reads everything, and held 15 GB after some minutes
        self._measure("get_all of all owners, a page of 100", [partial(admin.get_all, page=1, page_size=100)])
        self._measure("get_all of all owners with a filter", [partial(admin.get_all, filters=_RATED, page_size=100)])

    def _upkeep(self) -> None:
        self._measure("sweep, nothing expired", [self._store.sweep_ttl for _ in range(FEW)])
        ended = datetime.now(UTC) + timedelta(seconds=1)
        name = f"ended-{next(_ADDED)}"
        self._memory.add(
            [sentence(next(_ADDED)) for _ in range(1_000)], user_id=name, infer=False, expiration_date=ended
        )
        time.sleep(1.1)
        self._measure("purge_expired of an owner with 1,000 ended", [partial(self._memory.purge_expired, user_id=name)])
        self._measure("purge_expired of all owners", [self._admin.purge_expired])

    def _measure(self, name: str, steps: Sequence[Callable[[], Any]]) -> None:
        """Runs steps one after the other; where one fails, its error is what is kept."""
        print(f"{datetime.now(UTC):%H:%M:%S} {name}", flush=True)
        try:
            times = [self._spent(step) for step in steps]
        except (MemError, psycopg.Error, MemoryError) as error:
            self.report[name] = {"failed": f"{type(error).__name__}: {error}"[:200]}
            return
        self.report[name] = {
            "wall ms": round(statistics.median(each.wall for each in times), 2),
            "client cpu ms": round(statistics.median(each.client_cpu for each in times), 2),
            "server cpu ms": round(statistics.fmean(each.server_cpu for each in times), 2),
        }
        print(self.report[name], flush=True)

    def _spent(self, step: Callable[[], Any]) -> Spent:
        embedding, server = self._embed.spent, self._server_cpu()
        wall, own = time.perf_counter(), time.process_time()
        step()
        wall, own = time.perf_counter() - wall, time.process_time() - own
        embedded = self._embed.spent - embedding
        return Spent(1e3 * (wall - embedded), 1e3 * (own - embedded), 1e3 * (self._server_cpu() - server))

    def _server_cpu(self) -> float:
        """Seconds that the server's processes have computed, those that have ended too."""
        main, *others = self._processes()
        return sum(main.cpu_times()[:4]) + sum(sum(each.cpu_times()[:2]) for each in others)

    def _held(self) -> dict[str, Any]:
        """Megabytes of this process, and of the server: its shared buffers once, and what each process has alone."""
        from langchain_mem.repository.owners import owners_of

        used = [each.memory_full_info().pss for each in self._processes()]
        return {
            "client MB": psutil.Process().memory_info().rss // 1024**2,
            "indexes of owners MB": round(owners_of(self._store.items).nbytes / 1024**2, 1),
            "server MB": sum(used) // 1024**2,
            "server processes": len(used),
        }

    def _processes(self) -> Iterator[psutil.Process]:
        pid = int((self._server / "postmaster.pid").read_text(encoding="ascii").split()[0])
        main = psutil.Process(pid)
        with suppress(psutil.NoSuchProcess):
            yield from (main, *main.children())

    def _sizes(self) -> Mapping[str, Any]:
        """Rows, and megabytes of tables and indexes."""
        with psycopg.connect(self._dsn) as connection:
            rows = connection.execute("SELECT count(*) FROM langchain_mem.items").fetchone()
            sizes = connection.execute(
                "SELECT relname, relkind, CASE relkind WHEN 'i' THEN pg_relation_size(oid)"
                " ELSE pg_table_size(oid) END / 1048576 FROM pg_class WHERE relkind IN ('r', 'i')"
                " AND relnamespace = 'langchain_mem'::regnamespace ORDER BY 3 DESC"
            ).fetchall()
        return {"rows": rows[0] if rows else 0, "MB": {name: size for name, _, size in sizes if size}}


def _add(memory: Memory, user_id: str) -> Any:
    return memory.add(sentence(next(_ADDED)), user_id=user_id, infer=False)


def _turn(memory: Memory, user_id: str, number: int) -> None:
    memory.search(question(number + 100), user_id=user_id)
    _add(memory, user_id)


async def _all_at_once(memory: Memory, owners: Sequence[str]) -> None:
    await asyncio.gather(*(memory.asearch(question(n), user_id=user_id) for n, user_id in enumerate(owners)))
