"""A collection as a table: what is too much for one call to Chroma is asked for in several."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from langchain_mem.backends.chroma.client import CollectionClient, persistent_client
from langchain_mem.backends.chroma.records import Record


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectionClient]:
    """Ten records of alex, the even ones saying so, and one of bob."""
    with persistent_client(tmp_path_factory.mktemp("table")) as client:
        table = CollectionClient.open(client, "table")
        table.upsert([_record(f"a{n}", "alex", "even" if n % 2 == 0 else "odd") for n in range(10)])
        table.upsert([_record("b0", "bob", "even")])
        yield table


def _record(identifier: str, owner: str, said: str) -> Record:
    return Record(identifier, np.array([1, len(identifier)], dtype=np.float32), {"s1": owner}, said)


@pytest.mark.parametrize("page", [1, 3, 5, 10, 11])
@pytest.mark.parametrize("limit", [None, 2, 5, 7, 10, 20])
def test_pages_make_no_difference(table: CollectionClient, page: int, limit: int | None) -> None:
    table.page = page
    found = table.find({"s1": "alex"}, limit=limit)
    assert len({record.id for record in found}) == len(found) == min(limit or 10, 10)
    assert all(record.metadata == {"s1": "alex"} and len(record.embedding) == 2 for record in found)


@pytest.mark.parametrize("page", [1, 3, 10])
def test_each_page_has_what_was_asked_for(table: CollectionClient, page: int) -> None:
    table.page = page
    found = table.find({"s1": "alex"}, containing={"$contains": "even"})
    assert sorted(record.id for record in found) == ["a0", "a2", "a4", "a6", "a8"]


@pytest.mark.soak
def test_more_records_than_a_statement_has_variables(tmp_path: Path) -> None:
    """SQLite takes 32,766 in one statement."""
    with persistent_client(tmp_path) as client:
        table = CollectionClient.open(client, "table")
        table.upsert([_record(f"a{n}", "alex", "x") for n in range(33_000)])
        assert len(table.find({"s1": "alex"})) == 33_000
        assert len(table.ids({"s1": "alex"})) == 33_000
