"""How long `Memory` takes to search and to add for one user among 100,000 memories of 1,000 users.

    python benchmarks/memory_scopes.py                                  embedded Chroma, in a folder removed afterwards
    python benchmarks/memory_scopes.py --engine dictionary
    python benchmarks/memory_scopes.py --engine postgres --dsn postgresql://...
    python benchmarks/memory_scopes.py --memories 10000 --users 100 --out out.json

The whole operation is timed but for the embedding: vectors are drawn from the text, 384 long, in microseconds. `first`
is the first search for a user, of whom nothing is in memory; `again` is one right after it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.embeddings import Embeddings
from rich.console import Console
from rich.progress import track
from rich.table import Table

from langchain_mem import LongTermStore, Memory

TRIES = 40
_WORDS = (Path(__file__).read_text(encoding="utf-8") + str(Table.__doc__)).split()


class DrawnEmbeddings(Embeddings):
    """Vectors drawn from a text's checksum: instant, and the same for the same text."""

    dims = 384
    model = "drawn"

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector a text."""
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """A vector of length about 1."""
        drawn = np.random.default_rng(zlib.crc32(text.encode())).standard_normal(self.dims)
        return list((drawn / np.linalg.norm(drawn)).tolist())


def main() -> None:
    """Fills a store, times operations of single users, prints a table."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        report = {"engine": arguments.engine, "memories": arguments.memories, "users": arguments.users}
        with _open(arguments, folder) as store:
            memory = Memory(store)
            report["fill_s"] = round(_seconds(lambda: fill(memory, arguments.memories, arguments.users)), 1)
            memory.close()
        with _open(arguments, folder) as store:
            memory = Memory(store, reinforce="returned")
            report |= measure(memory, arguments.users)
            memory.close()
    _print(report)
    if arguments.out:
        arguments.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def fill(memory: Memory, memories: int, users: int) -> None:
    """Gives every user the same number of short memories, one batch a user."""
    each = memories // users
    for user in track(range(users), "Filling"):
        memory.add([_text(user, number) for number in range(each)], user_id=f"user-{user}", infer=False)


def measure(memory: Memory, users: int) -> dict[str, Any]:
    """Median and 90th percentile in milliseconds of each operation, for users spread over the store."""
    chosen = [f"user-{(number * 37) % users}" for number in range(TRIES)]
    query = "which words stand beside the table of results"
    steps: dict[str, Callable[[str], Any]] = {
        "search, first": lambda user: memory.search(query, user_id=user),
        "search, again": lambda user: memory.search(query, user_id=user),
        "search, filtered": lambda user: memory.search(
            query, user_id=user, filters={"created_at": {"gte": "2020-01-01"}}
        ),
        "get_all": lambda user: memory.get_all(user_id=user),
        "add, verbatim": lambda user: memory.add(f"{user} said something new", user_id=user, infer=False),
        "search, after an add": lambda user: memory.search(query, user_id=user),
    }
    memory.search(query, user_id="nobody")  # what is loaded once is no part of an operation
    return {name: _spread([1000 * _seconds(partial(step, user)) for user in chosen]) for name, step in steps.items()}


def _text(user: int, number: int) -> str:
    rng = np.random.default_rng(user * 100_003 + number)
    return " ".join(_WORDS[index] for index in rng.integers(0, len(_WORDS), 12))


def _spread(milliseconds: list[float]) -> dict[str, float]:
    ordered = sorted(milliseconds)
    return {"median_ms": round(statistics.median(ordered), 2), "p90_ms": round(ordered[int(0.9 * len(ordered))], 2)}


def _seconds(step: Callable[[], Any]) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def _open(arguments: argparse.Namespace, folder: str) -> LongTermStore:
    if arguments.engine == "chroma":
        return LongTermStore.chroma(Path(folder) / "memory", embed=DrawnEmbeddings())
    if arguments.engine == "postgres":
        return LongTermStore.postgres(arguments.dsn, embed=DrawnEmbeddings())
    return _DICTIONARY


_DICTIONARY = LongTermStore.in_memory(embed=DrawnEmbeddings())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=["chroma", "dictionary", "postgres"], default="chroma")
    parser.add_argument("--dsn", help="where Postgres is; its schema is filled and left so")
    parser.add_argument("--memories", type=int, default=100_000)
    parser.add_argument("--users", type=int, default=1_000)
    parser.add_argument("--out", type=Path, help="write the numbers as JSON")
    return parser.parse_args()


def _print(report: dict[str, Any]) -> None:
    title = f"{report['engine']}: {report['memories']} memories of {report['users']} users, in {report['fill_s']} s"
    table = Table("operation", "median ms", "90 % ms", title=title)
    for name, spread in report.items():
        if isinstance(spread, dict):
            table.add_row(name, str(spread["median_ms"]), str(spread["p90_ms"]))
    Console().print(table)


if __name__ == "__main__":
    main()
