"""Rows survive being records, and ids tell addresses apart."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from langchain_mem.backends.base import Address, Row
from langchain_mem.backends.chroma.records import (
    MOST_ID_BYTES,
    from_micros,
    label,
    lane,
    namespace_of,
    record_id,
    records_of,
    rows_of,
    tombstone,
    touch,
    touches,
    untouched,
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


@given(rows())
def test_rows_survive(given_row: Row) -> None:
    """A row that was made into records comes back from them as it was."""
    [back] = rows_of(records_of(given_row, 4, lane="touches0"))
    assert {name: repr(getattr(back, name)) for name in Row.__slots__} == {
        name: repr(getattr(given_row, name)) for name in Row.__slots__
    }


@given(ADDRESSES, ADDRESSES)
def test_ids_tell_addresses_apart(one: Address, other: Address) -> None:
    """Two addresses have one id only if they are one address; an id is short, and tells its namespace or nothing."""
    assert (record_id(one) == record_id(other)) == (one == other)
    assert len(record_id(one).encode()) <= MOST_ID_BYTES
    assert namespace_of(record_id(one)) in (one.namespace, None)


@given(LABELS, LABELS)
def test_labels_are_prefixes(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    """The text of a namespace begins with that of another exactly where the namespace does."""
    assert label(one).startswith(label(other)) == (one[: len(other)] == other)


def test_leftover_vectors_are_passed_over() -> None:
    """A further vector of an older revision is not the row's, and alone is no row."""
    address = Address(("a",), "k")
    vectors = np.eye(3, dtype=np.float32)
    old = records_of(row(address, vectors=vectors, revision="old"), 3, lane="touches0")
    new = records_of(row(address, vectors=vectors[:2], revision="new"), 3, lane="touches0")
    [back] = rows_of([*new, old[2]])
    assert np.array_equal(back.vectors, vectors[:2])
    [back] = rows_of([new[0], old[1]])
    assert np.array_equal(back.vectors, vectors[:1])
    assert rows_of([*old[1:], tombstone("x", 3)]) == []


def merged(metadata: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata after a change, as Chroma merges it."""
    return {key: value for key, value in {**metadata, **change}.items() if value is not None}


def test_newest_touches_are_kept() -> None:
    """Touching keeps the newest, however they come, and can keep none."""
    once = touch({}, [NOW + timedelta(seconds=n) for n in (2, 0, 1)], keep=3, lane="touches0")
    twice = merged(once, touch(once, [NOW + timedelta(seconds=9)], keep=2, lane="touches0"))
    assert touches(twice) == [1_767_225_602_000_000, 1_767_225_609_000_000]
    assert touches(merged(twice, touch(twice, [NOW], keep=0, lane="touches0"))) == []
    assert merged(twice, untouched(twice)) == {}


def test_lanes_are_merged() -> None:
    """Touches of another's lane count as ours do, are never written by us, and are passed over when too old."""
    have = {"touches7": "1 5", "keep": 9}
    change = touch(have, [from_micros(3), from_micros(5)], keep=3, lane="touches3")
    assert change.keys() == {"touches3", "keep"}
    assert touches(merged(have, change)) == [3, 5, 5]
    touched = row(Address(("a",), "k"), touches=(from_micros(5), from_micros(7)))
    [record] = records_of(touched, 2, lane="touches3", old=have)
    assert touches(merged(have, record.metadata)) == [1, 5, 7]


def test_lanes_are_apart() -> None:
    """Who has a collection to himself has a lane that nobody has who shares one."""
    assert lane(shared=False) == "touches0" != lane(shared=True)


def test_metadata_keys_are_few() -> None:
    """Touches and fields make no metadata key of their own, since Chroma never forgets one."""
    fields = {f"field {n}": n for n in range(50)}
    [record] = records_of(row(Address(("a",), "k"), value=fields, touches=(NOW,) * 50), 2, lane="touches0")
    assert len(record.metadata.keys() | touch(record.metadata, [NOW] * 50, keep=20, lane="touches0").keys()) < 9
