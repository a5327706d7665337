"""A column says of each document what was given, and keeps no more values than its documents have."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from langchain_mem.ranking.columns import Column

VALUES = st.one_of(st.none(), st.text(max_size=3), st.integers(0, 9), st.lists(st.text(max_size=2), max_size=2))
BATCHES = st.lists(st.tuples(st.lists(VALUES, max_size=12), st.integers(1, 4)), max_size=6)


@given(BATCHES)
def test_what_stays_has_the_values_it_had(batches: list[tuple[list[Any], int]]) -> None:
    """Whatever comes and goes in between; a value that comes again after it went is found again."""
    column, expected = Column(), []
    for values, every in batches:
        column.extend(values)
        expected += values
        which = np.arange(len(expected)) % every == 0
        column.keep(which)
        expected = [value for value, stays in zip(expected, which.tolist(), strict=True) if stays]
        assert column.values(np.arange(len(expected))) == expected
        for text in {value for value in expected if isinstance(value, str)}:
            assert column.equal(text).tolist() == [at for at, value in enumerate(expected) if value == text]
        assert column.where("text", lambda value: isinstance(value, str)).tolist() == [
            isinstance(value, str) for value in expected
        ]


def test_values_that_no_document_has_any_more_take_no_memory() -> None:
    """So an index whose memories are rewritten every day does not grow for ever."""
    column = Column()
    column.extend([f"2026-01-01T00:00:{n:06d}Z" for n in range(1_000)])
    before = column.nbytes
    column.keep(np.arange(1_000) < 10)
    assert column.nbytes < before / 20
    assert column.values(np.array([9])) == ["2026-01-01T00:00:000009Z"]
