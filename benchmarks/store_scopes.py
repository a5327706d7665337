"""How long a user-scoped search and an add take among 100,000 memories of 1,000 users.

    python benchmarks/store_scopes.py chroma            a folder, removed afterwards
    python benchmarks/store_scopes.py dictionary
    python benchmarks/store_scopes.py postgres --dsn postgresql://...
    python benchmarks/store_scopes.py chroma --memories 10000 --users 100 --json out.json

Vectors are random, 384 long, and are given to the store, so that no embedding is timed. `first` is the first call for
a user, for whom nothing is in memory; `again` is a call for the same user right after it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from langchain_mem._flow import run
from langchain_mem.backends.base import Address, Backend, Embedder, Query, Row, Scanning, Write
from langchain_mem.backends.dictionary import DictionaryBackend
from langchain_mem.filters.language import parse_store

DIMS = 384
NOW = datetime(2026, 1, 1, tzinfo=UTC)
EMBEDDER = Embedder("random", DIMS)
LOAD_BATCH = 2_000
TRIES = 40


def main() -> None:
    """Measures one engine, as the command line says."""
    arguments = _arguments()
    with _engine(arguments) as open_backend:
        report = measure(open_backend, arguments.memories, arguments.users)
    report = {"engine": arguments.engine, "machine": _machine(), **report}
    _print(report)
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")


def measure(open_backend: Callable[[], Backend], memories: int, users: int) -> dict[str, Any]:
    """Fills a backend and times it; milliseconds, but for what says seconds."""
    backend = open_backend()
    run(backend.setup(EMBEDDER))
    report: dict[str, Any] = {"memories": memories, "users": users, "dims": DIMS}
    report["load_s"] = _seconds(lambda: _load(backend, memories, users))
    report |= _timed_scopes(backend, users)
    report |= _timed_writes(backend, memories, users)
    report |= _timed_broad(backend)
    if isinstance(backend, DictionaryBackend):
        return report
    report["close_s"] = _seconds(lambda: run(backend.close()))
    backend = open_backend()
    report["reopen_s"] = _seconds(lambda: (run(backend.setup(EMBEDDER)), run(backend.search(_query(0)))))
    run(backend.close())
    return report


def _timed_scopes(backend: Backend, users: int) -> dict[str, Any]:
    """Each try is another user's, and after it the same user's once more."""
    operations = {"search": lambda user: run(backend.search(_query(user)))}
    if isinstance(backend, Scanning):
        operations["scan"] = lambda user: run(backend.scan((_scope(user),), NOW, 5_000))
        operations["stamp"] = lambda user: run(backend.stamp((_scope(user),)))
    report: dict[str, Any] = {}
    for start, (name, operation) in enumerate(operations.items()):
        some = [(start * TRIES + n) % users for n in range(TRIES)]
        pairs = [(_milliseconds(operation, user), _milliseconds(operation, user)) for user in some]
        report[f"{name}_first"] = _spread([first for first, _ in pairs])
        report[f"{name}_again"] = _spread([again for _, again in pairs])
    return report


def _timed_writes(backend: Backend, memories: int, users: int) -> dict[str, Any]:
    def add(number: int) -> None:
        run(backend.write([_write(memories + number, users)], NOW))

    def update(number: int) -> None:
        run(backend.write([_write(number, users)], NOW))

    def touch(number: int) -> None:
        if hasattr(backend, "touch"):
            run(backend.touch({_write(number, users).address: [NOW]}, 20))

    def delete(number: int) -> None:
        run(backend.write([Write(address=_write(memories + number, users).address, row=None)], NOW))

    operations = {"add": add, "update": update, "touch": touch, "delete": delete}
    return {
        name: _spread([_milliseconds(operation, n) for n in range(TRIES)]) for name, operation in operations.items()
    }


def _timed_broad(backend: Backend) -> dict[str, Any]:
    """Over everybody's memories: nearest, nearest of one kind, newest, count."""
    vector = _vectors(range(7, 8))[0]
    queries = {
        "broad_nearest": Query(now=NOW, vector=vector, limit=10),
        "broad_filtered": Query(now=NOW, vector=vector, limit=10, condition=parse_store({"kind": "k3"})),
        "broad_newest": Query(now=NOW, limit=10),
    }
    report = {
        name: _spread([_milliseconds(backend.search, query) for _ in range(3)]) for name, query in queries.items()
    }
    return report | {"broad_count": _spread([_milliseconds(backend.count, Query(now=NOW)) for _ in range(3)])}


def _load(backend: Backend, memories: int, users: int) -> None:
    for start in range(0, memories, LOAD_BATCH):
        run(backend.write([_write(n, users) for n in range(start, min(memories, start + LOAD_BATCH))], NOW))


def _write(number: int, users: int) -> Write:
    text = f"Memory {number}: user {number % users} prefers window seats and green tea on trip {number % 31}."
    row = Row(
        address=Address((*_scope(number % users), "own"), f"{number:032x}"),
        value={"id": f"{number:032x}", "memory": text, "kind": f"k{number % 7}", "user_id": f"user{number % users}"},
        created_at=NOW,
        updated_at=NOW - timedelta(minutes=number % 100_000),
        revision=str(number),
        vectors=_vectors(range(number, number + 1)),
        digests=(f"{number:032x}",),
        texts=(text,),
    )
    return Write(address=row.address, row=row)


def _query(user: int) -> Query:
    return Query(now=NOW, prefixes=(_scope(user),), vector=_vectors(range(user, user + 1))[0], limit=10)


def _scope(user: int) -> tuple[str, ...]:
    return ("memories", "user", f"user{user}")


def _vectors(seeds: range) -> Any:
    drawn = [np.random.default_rng(seed).standard_normal(DIMS, dtype=np.float32) for seed in seeds]
    return np.stack([vector / np.linalg.norm(vector) for vector in drawn])


def _seconds(operation: Callable[[], object]) -> float:
    start = time.perf_counter()
    operation()
    return round(time.perf_counter() - start, 3)


def _milliseconds(operation: Callable[..., Any], argument: Any) -> float:
    start = time.perf_counter()
    result = operation(argument)
    if hasattr(result, "send"):
        run(result)
    return (time.perf_counter() - start) * 1000


def _spread(times: list[float]) -> dict[str, float]:
    median, slow = np.percentile(times, [50, 95])
    return {"median": round(float(median), 2), "p95": round(float(slow), 2)}


@contextmanager
def _engine(arguments: argparse.Namespace) -> Iterator[Callable[[], Backend]]:
    if arguments.engine == "dictionary":
        backend = DictionaryBackend()
        yield lambda: backend
    elif arguments.engine == "postgres":
        from langchain_mem.backends.postgres.backend import PostgresBackend

        yield lambda: PostgresBackend(arguments.dsn, schema="benchmark_scopes")
    else:
        from langchain_mem.backends.chroma.backend import ChromaBackend

        with tempfile.TemporaryDirectory() as folder:
            yield lambda: ChromaBackend(folder)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine", choices=["chroma", "dictionary", "postgres"])
    parser.add_argument("--memories", type=int, default=100_000)
    parser.add_argument("--users", type=int, default=1_000)
    parser.add_argument("--dsn", help="for postgres; the schema benchmark_scopes is used")
    parser.add_argument("--json", type=Path, help="where to write the numbers")
    return parser.parse_args()


def _machine() -> dict[str, Any]:
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {"python": platform.python_version(), "cores": os.cpu_count(), "load": load}


def _print(report: dict[str, Any]) -> None:
    print(f"{report['engine']}: {report['memories']:,} memories of {report['users']:,} users, {DIMS} dimensions")
    print(f"{'':<18}{'median ms':>12}{'p95 ms':>12}")
    for name, value in report.items():
        if isinstance(value, dict) and "median" in value:
            print(f"{name:<18}{value['median']:>12.2f}{value['p95']:>12.2f}")
        elif name.endswith("_s"):
            print(f"{name:<18}{value:>12.3f} s")


if __name__ == "__main__":
    main()
