"""A value is made of what JSON has, and copied."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_mem.errors import InvalidRequest
from langchain_mem.model.json_values import json_object
from langchain_mem.testing.strategies import store_values


class TestValues:
    @given(store_values())
    def test_json_is_copied_as_it_is(self, value: dict[str, Any]) -> None:
        """A JSON object is copied into an equal one of the same types."""
        copy = json_object(value)
        assert copy == value
        assert repr(copy) == repr(value)

    @given(st.lists(st.sampled_from(["list", "dict"]), max_size=150))
    def test_depth_has_a_limit(self, kinds: list[str]) -> None:
        """A value nests up to a hundred levels and no further."""
        value: Any = 0
        for kind in kinds:
            value = [value] if kind == "list" else {"x": value}
        if len(kinds) < 100:
            assert json_object({"v": value}) == {"v": value}
        else:
            with pytest.raises(InvalidRequest, match="levels"):
                json_object({"v": value})

    def test_tuples_become_lists(self) -> None:
        """What JSON knows as a list is one from the start, not only after a database."""
        assert json_object({"x": (1, (2,))}) == {"x": [1, [2]]}

    def test_errors_say_where(self) -> None:
        """The message leads to the part that is wrong."""
        with pytest.raises(InvalidRequest, match=r"`value\.a\[1\]\.b` is"):
            json_object({"a": [0, {"b": {1}}]})
        with pytest.raises(InvalidRequest, match=r"`value\.a` has the key 1"):
            json_object({"a": {1: 2}})
