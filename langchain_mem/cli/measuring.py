"""What adding and searching cost on this machine: wall time, on a store that is thrown away."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice, product
from typing import Final, TypeVar

from rich.console import Console
from rich.progress import track

from langchain_mem.embeddings.naming import embedder_named
from langchain_mem.memory.facade import Memory

T = TypeVar("T")

_PEOPLE: Final = ("I", "my sister Mia", "our neighbor", "my manager", "the landlord", "a friend from Oslo")
_LIKES: Final = ("prefers", "avoids", "often buys", "was given", "collects", "no longer wants", "asked about")
_THINGS: Final = tuple(
    "window seats, green tea, boutique hotels, old maps, hiking boots, red wine, night trains, jazz records, "
    "spicy food, road bikes, cactus plants, science fiction, board games, linen shirts, sour bread".split(", ")
)
_WHEN: Final = (
    "in spring",
    "on weekdays",
    "when it rains",
    "before noon",
    "on long trips",
    "for the garden",
    "at home",
)
_PIECE: Final = 50  # memories added at a time


def measure(memories: int, searches: int, embedder: str | None) -> dict[str, float]:
    """Adds memories of one owner and searches among them.

    Args:
        memories: How many; sentences, no two alike.
        searches: How many searches are timed, after one that is not.
        embedder: Its name; `None` for the local one.

    Returns:
        Adding in memories a second; the median and the 95th percentile of a search in milliseconds.
    """
    console = Console(stderr=True)
    embed = embedder_named(embedder or "minilm")
    embed.embed_query("the model is loaded before the clock starts")
    with tempfile.TemporaryDirectory(prefix="langchain-mem-bench-") as folder, Memory(folder, embed=embed) as memory:
        pieces = list(_pieces(memories))
        added = [_timed(_add, memory, piece) for piece in track(pieces, "Adding", console=console, transient=True)]
        asked = [f"What about {thing} {when}?" for thing, when in islice(_endless(), searches + 1)]
        found = [_timed(_search, memory, query) for query in track(asked, "Asking", console=console, transient=True)]
    return {
        "memories": float(memories),
        "added a second": memories / sum(added),
        "search, median ms": 1_000 * statistics.median(found[1:]),
        "search, 95 % within ms": 1_000 * sorted(found[1:])[int(0.95 * (searches - 1))],
    }


def _add(memory: Memory, texts: Sequence[str]) -> None:
    memory.add([{"role": "user", "content": text} for text in texts], user_id="bench", infer=False)


def _search(memory: Memory, query: str) -> None:
    memory.search(query, user_id="bench", reinforce="none")


def _timed(action: Callable[[Memory, T], None], memory: Memory, given: T) -> float:
    start = time.perf_counter()
    action(memory, given)
    return time.perf_counter() - start


def _pieces(count: int) -> Iterator[list[str]]:
    words = cycle(product(_PEOPLE, _LIKES, _THINGS, _WHEN))
    texts = [f"{' '.join(next(words))}, note {number}." for number in range(count)]
    for start in range(0, count, _PIECE):
        yield texts[start : start + _PIECE]


def _endless() -> Iterator[tuple[str, str]]:
    yield from cycle(product(_THINGS, _WHEN))
