"""What `growth` measured, beside the bar that each value is to meet.

A bar is a number, or a share of what another store needed for the same in the same run. Values whose case was not run
are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

Report: TypeAlias = Sequence[Mapping[str, Any]]

OURS: Final = ("dictionary", "chroma", "postgres")
SEARCH_MS: Final = {"dictionary": 8, "chroma": 8, "postgres": 12}
CACHE_MB: Final = 512


class Bar(NamedTuple):
    """A value and its bar."""

    what: str
    side: str
    value: float
    bar: float
    at_least: bool = False

    @property
    def is_met(self) -> bool:
        """Whether the value is at most, or at least, the bar."""
        return self.value >= self.bar if self.at_least else self.value <= self.bar


def bars(report: Report) -> list[Bar]:
    """Every value of a report that has a bar."""
    return [*_of_one_owner(report), *_of_many_owners(report), *_in_bulk(report), *_memory(report)]


def _of_one_owner(report: Report) -> Iterator[Bar]:
    for side in OURS:
        for size in (1_000, 10_000, 100_000):
            found = _case(report, side, size, 1)
            large = size == 100_000
            limits = {
                "search": 25 if large else SEARCH_MS[side],
                "turn": 45 if large else 25,
                "add": 10,
                "page": 15,
                "decay": 1.1,
            }
            if not large:
                limits["first search"] = 120
            for name, limit in limits.items():
                if name in found:
                    yield Bar(f"{name}, {size:,} of one owner", side, found[name], limit)


def _of_many_owners(report: Report) -> Iterator[Bar]:
    for side in OURS:
        for case in report:
            if case["side"] == side and case["owners"] > 1 and "searches_s" in case:
                what = f"{case['memories']:,} of {case['owners']:,} owners"
                yield Bar(f"concurrent searches a second, {what}", side, case["searches_s"], 300, at_least=True)
    chroma, mem0 = (_case(report, side, 100_000, 1_000) for side in ("chroma", "mem0"))
    if chroma and mem0:
        yield Bar(
            "first search of an owner of 1,000: mem0 / 8", "chroma", chroma["first search"], mem0["first search"] / 8
        )
        yield Bar("add, 1,000 owners: mem0", "chroma", chroma["add"], mem0["add"])
    ours, official = (_case(report, side, 10_000, 100) for side in ("postgres", "PostgresStore"))
    if ours and official:
        yield Bar("search, 100 owners: 1.5 x PostgresStore", "postgres", ours["search"], 1.5 * official["search"])


def _in_bulk(report: Report) -> Iterator[Bar]:
    """The largest size of each side that was measured in bulk beside the bare engine of the same size."""
    for side, raw in (("chroma", "raw chroma"), ("postgres", "raw postgres")):
        for size in (10_000, 1_000):
            bare = _case(report, raw, size, 1).get("add 1,000, per s")
            found = _case(report, side, size, 1)
            if bare is not None and found:
                for name in ("add 1,000, per s", "import, per s"):
                    yield Bar(f"{name}: 0.7 x {raw}", side, found[name], round(0.7 * bare), at_least=True)
                break
    for side, official in (("dictionary", "InMemoryStore"), ("postgres", "PostgresStore")):
        one, other = (_case(report, each, 1_000, 1).get("one tick") for each in (side, official))
        if one is not None and other is not None:
            yield Bar(f"4,000 operations of one tick: 2 x {official}", side, one, 2 * other)


def _memory(report: Report) -> Iterator[Bar]:
    bare = _case(report, "raw chroma", 100_000, 1)
    for side in OURS:
        found = _case(report, side, 100_000, 1)
        if found and bare:
            yield Bar("process at 100,000, MB: 1.3 x raw chroma", side, found["rss_mb"], round(1.3 * bare["rss_mb"]))
        if "index_mb" in found:
            yield Bar("indexes at 100,000, MB", side, found["index_mb"], CACHE_MB)


def _case(report: Report, side: str, memories: int, owners: int) -> Mapping[str, Any]:
    """One case; empty where it was not run."""
    asked = (side, memories, owners)
    return next((case for case in report if (case["side"], case["memories"], case["owners"]) == asked), {})
