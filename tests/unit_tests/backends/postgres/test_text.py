"""Text and JSON survive what Postgres refuses, and keep what SQL compares."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_mem.backends.postgres.text import array, decode, dumps, encode, lexemes, loads
from langchain_mem.errors import InvalidRequest

ODD = st.sampled_from("\x00\x01\x02\x03\x04ab\ud7ff\ud800\ud801\udfff\ue000\ue001\ue040\ue041\uffff🙂")
TEXT = st.text(ODD, max_size=6) | st.text(st.characters(), max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@given(TEXT)
def test_text_comes_back(text: str) -> None:
    """Any text is written as UTF-8 without NUL, and comes back as it was."""
    assert b"\x00" not in encode(text).encode()
    assert decode(encode(text)) == text


@given(TEXT, TEXT)
def test_order_and_parts_survive(one: str, other: str) -> None:
    """Encoded text is less than, or part of, encoded text exactly when the text is."""
    assert (encode(one) < encode(other)) == (one < other)
    assert (encode(one) in encode(other)) == (one in other)


@given(VALUES)
def test_values_come_back(value: object) -> None:
    """Any JSON value comes back with its types, its numbers and the order of its keys."""
    assert repr(loads(dumps(value))) == repr(value)


@given(st.floats(min_value=1e15, allow_infinity=False))
def test_large_floats_are_written_exactly(number: float) -> None:
    """A float of 16 digits or more is written as the number that it is."""
    assert int(dumps([number])[1:-1].partition(".")[0]) == int(number)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, {1, 2}, b"bytes"])
def test_what_is_not_json_is_refused(value: object) -> None:
    """NaN, infinities and what JSON has no word for are refused before anything is sent."""
    with pytest.raises(InvalidRequest, match="finite"):
        dumps({"a": [value]})


def test_arrays_quote_their_labels() -> None:
    """Labels with quotes, backslashes, commas and braces are data."""
    assert array(['a"b', "\\", "{,}", "", "NULL"]) == r'{"a\"b","\\","{,}","","NULL"}'


def test_lexemes_fit_a_tsvector() -> None:
    """Words are counted once, one too long for Postgres is left out, and so is what is beyond its limit."""
    assert lexemes("Tea TEA, tea's " + "x" * 3000) == ["tea", "s"]
    many = lexemes(" ".join(f"{n:08}" for n in range(200_000)))
    assert len(many) == 125_000
    assert json.dumps(many[-1]) == '"00124999"'
