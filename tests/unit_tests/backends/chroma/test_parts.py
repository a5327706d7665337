"""A large scope is handed over in parts, and nothing that is written meanwhile is missed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from langchain_mem.backends.base import Address, Embedder, Row, Write
from langchain_mem.backends.changes import Changes
from langchain_mem.backends.chroma.client import CollectionClient, persistent_client
from langchain_mem.backends.chroma.collection import SharedCollection
from langchain_mem.backends.chroma.kept import KeptFiles
from langchain_mem.filters.conditions import Path as Field

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SCOPE = ("memories", "user", "alex")
COUNT = 7


def put(key: str, said: str) -> Write:
    vectors = np.ones((1, 2), dtype=np.float32)
    row = Row(address=Address(SCOPE, key), value={"said": said}, created_at=NOW, updated_at=NOW, vectors=vectors)
    return Write.put(row)


@pytest.fixture
def rows(tmp_path: Path) -> Iterator[SharedCollection]:
    """Seven rows of one scope, which is handed over in parts of three."""
    with persistent_client(tmp_path) as client:
        table = CollectionClient.open(client, "memory")
        rows = SharedCollection(table, threading.RLock(), kept=KeptFiles(tmp_path), small=5_000, page=3)
        rows.describe(Embedder("of a test", 2))
        rows.write([put(f"k{number}", f"said {number}") for number in range(COUNT)], NOW)
        yield rows


def asked(rows: SharedCollection, last: Changes | None, limit: int = 100) -> Changes:
    changes = rows.changes((SCOPE,), [Field(("said",))], last and last.stamp, limit)
    assert changes is not None
    return changes


def followed(parts: list[Changes]) -> dict[str, str]:
    """What somebody knows who has taken in these parts."""
    known: dict[str, str] = {}
    for part in parts:
        assert part.vectors.shape == (len(part.addresses), 2) or not part.addresses
        for gone in part.gone:
            assert isinstance(gone, Address)
            known.pop(gone.key, None)
        known |= {address.key: said for address, (said,) in zip(part.addresses, part.fields, strict=True)}
    return known


def test_the_parts_are_the_whole(rows: SharedCollection) -> None:
    parts = [asked(rows, None)]
    while parts[-1].more:
        parts.append(asked(rows, parts[-1]))
    assert [len(part.addresses) for part in parts] == [3, 3, 1]
    assert [part.whole for part in parts] == [True, False, False]
    assert followed(parts) == {f"k{number}": f"said {number}" for number in range(COUNT)}


def test_what_is_written_between_two_parts_is_told_after_the_last(rows: SharedCollection) -> None:
    """Rows that are put, changed and removed, whether their part has been read already or not."""
    parts = [asked(rows, None)]
    rows.write([put("new", "new"), put("k0", "changed"), put("k6", "changed")], NOW)
    rows.write([Write.delete(Address(SCOPE, key)) for key in ("k1", "k5")], NOW)
    while parts[-1].more:
        parts.append(asked(rows, parts[-1]))
    parts.append(asked(rows, parts[-1]))
    expected = {"k0": "changed", "k2": "said 2", "k3": "said 3", "k4": "said 4", "k6": "changed", "new": "new"}
    assert followed(parts) == expected


def test_more_rows_than_allowed_are_not_begun(rows: SharedCollection) -> None:
    assert rows.changes((SCOPE,), [], None, COUNT - 1) is None
    assert asked(rows, None, COUNT).more
