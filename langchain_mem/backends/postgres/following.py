"""What became of a scope, as Postgres tells it: in one answer where that is little, by pages where it is much."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Final, NamedTuple, overload

import numpy as np

from langchain_mem.backends.base import Address, Vectors
from langchain_mem.backends.changes import Changes, Use, fields_of
from langchain_mem.backends.postgres.pools import Session, Work
from langchain_mem.backends.postgres.reading import Reading
from langchain_mem.backends.postgres.sql import GONE_KEPT, MICROSECOND, Statement
from langchain_mem.backends.postgres.text import loads
from langchain_mem.filters.conditions import Path

PAGE: Final = 4_000
"""Rows of an owner that travel in one answer: about 10 MB with vectors of 384 dimensions."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Asked(NamedTuple):
    """The stamp of a scope: what was visible when it was last asked for, and when that was, by this process's clock."""

    snapshot: str
    at: float


def recent(stamp: Hashable | None) -> Asked | None:
    """A stamp so young that what was removed since is still known."""
    return stamp if isinstance(stamp, Asked) and monotonic() - stamp.at < GONE_KEPT.total_seconds() / 2 else None


class _Values(Sequence[Mapping[str, Any]]):
    """Values as JSON texts, each read where it is asked for: so that those of a large owner take no more room."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts

    def __len__(self) -> int:
        return len(self._texts)

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return map(loads, self._texts)

    @overload
    def __getitem__(self, at: int) -> Mapping[str, Any]: ...
    @overload
    def __getitem__(self, at: slice) -> _Values: ...
    def __getitem__(self, at: int | slice) -> Any:
        return loads(self._texts[at]) if isinstance(at, int) else _Values(self._texts[at])


class Answer(NamedTuple):
    """What became of a scope.

    Attributes:
        snapshot: Up to where it tells.
        total: How many rows there are.
        gone: The numbers of the items that went.
        used: What was used: how many uses are kept, and for each item its number and the instants.
        rows: Of each row what `reading` tells beside its value.
        values: Of each row.
        vectors: Those of the rows that have one, as the server sends them.
    """

    snapshot: str
    total: int
    gone: Sequence[int] | None
    used: Sequence[tuple[int, Sequence[tuple[int, Sequence[str]]]]]
    rows: Sequence[Sequence[Any]] = ()
    values: Sequence[Mapping[str, Any]] = ()
    vectors: bytes = b""

    @classmethod
    def of(cls, snapshot: str, total: int, gone: Sequence[int] | None, used: str | None) -> Answer:
        """An answer without rows."""
        return cls(snapshot, total, gone, loads(used) if used else ())

    def changes(self, paths: Sequence[Path], stamp: Asked, dims: int, *, whole: bool) -> Changes:
        """The same as columns."""
        rows, has = self.rows, np.array([row[4] for row in self.rows], dtype=bool)
        found = np.zeros((len(rows), dims if has.any() else 0), dtype=np.float32)
        if has.any():
            found[has] = floats(self.vectors, dims)
        return Changes(
            stamp=stamp,
            whole=whole,
            handles=[row[0] for row in rows],
            addresses=[Address(tuple(row[1]), row[2]) for row in rows],
            fields=fields_of(self.values, paths),
            expiries=[None if row[3] is None else _EPOCH + row[3] * MICROSECOND for row in rows],
            vectors=found,
            has=has,
            uses=[_instants(row[5]) for row in rows],
            used=[Use(item, _instants(instants), keep) for keep, uses in self.used for item, instants in uses],
            gone=self.gone or (),
            values=self.values,
        )


def in_one(head: Sequence[Any], told: str | None, vectors: bytes | None) -> Answer:
    """What `Reading.changes` answers."""
    rows = loads(told) if told else []
    return Answer.of(*head)._replace(rows=rows, values=[row[6] for row in rows], vectors=vectors or b"")


def by_pages(many: Sequence[Statement], reading: Reading, limit: int) -> Work[Answer]:
    """What `Reading.many_changes` answers, with all rows; without any where they are too many."""

    async def work(session: Session) -> Answer:
        head, *_, page = await session.send(*many, reading.page(PAGE))
        answer = Answer.of(*head[0])
        rows: list[Any] = []
        texts: list[str] = []
        blocks: list[bytes] = []
        while page and answer.total <= limit:
            told, values, vectors = zip(*page, strict=True)
            rows += loads(f"[{','.join(told)}]")
            texts += values
            blocks.append(b"".join(vector for vector in vectors if vector is not None))
            (page,) = await session.send(reading.page(PAGE))
        return answer._replace(rows=rows, values=_Values(texts), vectors=b"".join(blocks))

    return work


def floats(sent: bytes | memoryview, dims: int) -> Vectors:
    """Vectors one after the other, as pgvector sends them: two 16-bit numbers, then the floats, big-endian."""
    return np.frombuffer(sent, dtype=">f4").reshape(-1, dims + 1)[:, 1:].astype(np.float32)


def _instants(told: Sequence[str]) -> list[datetime]:
    return [datetime.fromisoformat(each).astimezone(UTC) for each in told]
