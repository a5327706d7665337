"""What is condensed comes back as JSON would bring it back."""

from __future__ import annotations

import json
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from langchain_mem import LongTermStore, Memory
from langchain_mem.repository.condensed import condensed, expanded

_NUMBERS = st.integers() | st.floats(allow_nan=False)
_VALUES = st.recursive(
    st.none() | st.booleans() | _NUMBERS | st.text(st.characters(exclude_categories=())),
    lambda values: st.lists(values) | st.tuples(values, values) | st.dictionaries(st.text(), values),
)


@given(st.dictionaries(st.text(), _VALUES))
def test_it_is_what_json_brings_back(value: dict[str, Any]) -> None:
    """Or it is not condensed: big numbers, and halves of surrogate pairs, are left to the store."""
    content = condensed(value)
    assert content is None or expanded(content) == json.loads(json.dumps(value))


def test_numbers_that_json_has_no_word_for() -> None:
    """NaN and the infinities stay what they are."""
    back = expanded(condensed({"a": math.nan, "b": [math.inf, -math.inf]}) or b"")
    assert math.isnan(back["a"])
    assert back["b"] == [math.inf, -math.inf]


def test_a_memory_takes_few_bytes() -> None:
    """What memories have in common is not held in each of them."""
    with Memory(LongTermStore.in_memory()) as memory:
        memory.add("Alex plays chess on Tuesdays with a friend from work.", user_id="alex", infer=False)
        (line,) = memory.export(user_id="alex")
    whole = json.loads(line)["memory"]
    content = condensed(whole)
    assert content is not None
    assert expanded(content) == whole
    assert len(content) < len(json.dumps(whole)) / 3
