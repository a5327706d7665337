"""Rows survive being records, and ids tell addresses apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_mem.backends.base import Address, Row
from langchain_mem.backends.chroma_rows import (
    MOST_ID_BYTES,
    label,
    namespace_of,
    record_id,
    records_of,
    rows_of,
    tombstone,
    touch,
    touch_keys,
    touched,
)
from langchain_mem.testing.strategies import store_values

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LABELS = st.lists(st.text(st.characters(exclude_categories=()), max_size=8), max_size=4).map(tuple)
ADDRESSES = st.builds(Address, LABELS, st.text(st.characters(exclude_categories=()), max_size=60))
INSTANTS = st.datetimes(datetime(1800, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)).map(
    lambda each: each.replace(fold=0)
)


def row(address: Address, **attributes: Any) -> Row:
    defaults = {"value": {}, "created_at": NOW, "updated_at": NOW, "revision": "r1"}
    return Row(address=address, **{**defaults, **attributes})


@st.composite
def rows(draw: st.DrawFn) -> Row:
    count = draw(st.integers(0, 3))
    vectors = np.eye(4, dtype=np.float32)[:count] if count else np.zeros((0, 0), dtype=np.float32)
    return row(
        draw(ADDRESSES),
        value=draw(store_values()),
        created_at=draw(INSTANTS),
        updated_at=draw(INSTANTS),
        expires_at=draw(st.none() | INSTANTS),
        ttl=draw(st.none() | st.timedeltas(timedelta(0), timedelta(days=9))),
        vectors=vectors,
        digests=tuple(map(str, range(count))),
        touches=tuple(sorted(draw(st.lists(INSTANTS, max_size=3)))),
    )


@settings(max_examples=40, deadline=None)
@given(rows())
def test_rows_survive(given_row: Row) -> None:
    """A row that was made into records comes back from them as it was."""
    [back] = rows_of(records_of(given_row, 4))
    assert {name: repr(getattr(back, name)) for name in Row.__slots__} == {
        name: repr(getattr(given_row, name)) for name in Row.__slots__
    }


@settings(max_examples=40, deadline=None)
@given(ADDRESSES, ADDRESSES)
def test_ids_tell_addresses_apart(one: Address, other: Address) -> None:
    """Two addresses have one id only if they are one address; an id is short, and tells its namespace or nothing."""
    assert (record_id(one) == record_id(other)) == (one == other)
    assert len(record_id(one).encode()) <= MOST_ID_BYTES
    assert namespace_of(record_id(one)) in (one.namespace, None)


@settings(max_examples=40, deadline=None)
@given(LABELS, LABELS)
def test_labels_are_prefixes(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    """The text of a namespace begins with that of another exactly where the namespace does."""
    assert label(one).startswith(label(other)) == (one[: len(other)] == other)


def test_leftover_vectors_are_passed_over() -> None:
    """A further vector of an older revision is not the row's, and alone is no row."""
    address = Address(("a",), "k")
    vectors = np.eye(3, dtype=np.float32)
    old = records_of(row(address, vectors=vectors, revision="old"), 3)
    new = records_of(row(address, vectors=vectors[:2], revision="new"), 3)
    [back] = rows_of([*new, old[2]])
    assert np.array_equal(back.vectors, vectors[:2])
    [back] = rows_of([new[0], old[1]])
    assert np.array_equal(back.vectors, vectors[:1])
    assert rows_of([*old[1:], tombstone("x", 3)]) == []


def test_newest_touches_are_kept() -> None:
    """Touching adds a key for each use and removes those of the oldest, however many there are."""
    have = touch_keys(NOW + timedelta(seconds=n) for n in range(3))
    change = touch(have, [NOW + timedelta(seconds=9)], keep=2)
    left = {key: value for key, value in (have | change).items() if value is not None}
    assert list(touched(left).values()) == [*sorted(touched(have).values())[2:], max(touched(left).values())]
    assert set((have | touch(have, [NOW], keep=0)).values()) == {None}
