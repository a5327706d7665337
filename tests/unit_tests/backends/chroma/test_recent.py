"""What is held of records that were read is what the collection has, whatever is written meanwhile."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_mem._flow import run
from langchain_mem.backends.base import Address, Embedder, Row, Write
from langchain_mem.backends.chroma.backend import ChromaBackend
from langchain_mem.backends.chroma.recent import RecentRecords
from langchain_mem.backends.chroma.records import Record

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KINDS = ["put", "delete", "touch", "refresh"]
STEPS = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 2)), min_size=1, max_size=6)


def record(identifier: str, said: str = "") -> Record:
    return Record(identifier, np.ones(4, dtype=np.float32), {"data": said}, "")


def row(address: Address, number: int, vectors: int) -> Row:
    return Row(
        address=address,
        value={"n": number},
        created_at=NOW,
        updated_at=NOW,
        ttl=timedelta(days=number + 1),
        expires_at=NOW + timedelta(days=1),
        texts=("said",),
        vectors=np.eye(3, dtype=np.float32)[:vectors],
        digests=("d",) * vectors,
    )


def told(rows: Sequence[Row | None]) -> list[object]:
    return [each and (each.value, each.expires_at, each.touches, each.vectors.tolist(), each.revision) for each in rows]


def test_rows_are_read_as_they_stand_in_the_collection(tmp_path: Path) -> None:
    """After any steps a row that is held is what the collection has, which a scan of a scope asked for first reads."""
    backend = ChromaBackend(tmp_path)
    run(backend.setup(Embedder("of a test", 3)))
    owners = itertools.count()

    @settings(max_examples=15, deadline=None)
    @given(STEPS)
    def law(steps: list[tuple[str, int]]) -> None:
        scope = ("memories", "user", f"u{next(owners)}")
        places = [Address(scope, key) for key in "abc"]
        run(backend.write([Write(address=each, row=row(each, 0, n)) for n, each in enumerate(places)], NOW))
        for number, (step, which) in enumerate(steps):
            for each in places:
                run(backend.get([each], NOW))
            place = places[which]
            if step == "put":
                run(backend.write([Write(address=place, row=row(place, number, (number + which) % 3))], NOW))
            elif step == "delete":
                run(backend.write([Write.delete(place)], NOW))
            elif step == "touch":
                run(backend.touch({place: [NOW + timedelta(seconds=number)]}, 3))
            else:
                run(backend.refresh([place], NOW + timedelta(seconds=number)))
        held = [row for each in places for row in run(backend.get([each], NOW)) if row is not None]
        assert told(held) == told(run(backend.scan((scope,), NOW, 10)) or [])

    law()
    run(backend.close())


def test_what_is_held_stays_within_its_bytes_and_the_oldest_goes_first() -> None:
    recent = RecentRecords(most=10_000)
    for number in range(20):
        recent.put([record(f"r{number}", "x" * 400)])
    assert recent.read(["r0"]) is None
    assert recent.read(["r19"]) is not None


def test_one_that_is_not_held_sends_to_the_collection() -> None:
    recent = RecentRecords()
    recent.put([record("a")])
    assert recent.read(["a", "b"]) is None


def test_more_than_half_of_the_room_is_not_taken_in() -> None:
    """One large read would drive out all that was asked for before."""
    recent = RecentRecords(most=10_000)
    recent.put([record("a")])
    recent.put([record(f"r{number}") for number in range(8)])
    assert recent.read(["a"]) is not None
    assert recent.read(["r0"]) is None
