"""LangGraph's own in-memory store under the suite: what it lacks is listed, and noticed when it lacks it no more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from langgraph.store.base import IndexConfig
from langgraph.store.memory import InMemoryStore

from langchain_mem.testing import StoreConformance
from tests.turns import InTurns

FLOATS = "ranges go through float(), which raises for None, dates and text"
FIELD = "a connective is read as the name of a field, which no item has: the result is silently empty"
UNKNOWN = "the operator is not supported: ValueError"


class TestLangGraphInMemoryStore(InTurns, StoreConformance):
    expected_failures: ClassVar = {
        "test_created_at_survives_an_update": "each put makes a new Item with a new created_at",
        "test_values_are_isolated": "values are copied one level deep on the way in, and not at all on the way out",
        "test_bad_batch_leaves_nothing": "any Python object is stored, JSON or not",
        "test_list_prefix": "a list never equals the slice of a tuple: nothing is found",
        "test_reading_creates_no_namespace": "a get creates the namespace in a defaultdict, and nothing removes it",
        "test_filters[dates and text]": FLOATS,
        "test_filters[absence]": FLOATS,
        "test_filters[booleans]": "values are compared with ==, for which True is 1",
        "test_filters[connectives]": FIELD,
        "test_filters[membership]": UNKNOWN,
        "test_filters[containment]": UNKNOWN,
        "test_filters[existence]": UNKNOWN,
        "test_unknown_operator_is_refused": FIELD,
        "test_newest_first": "without a query items come in the order of their first put",
        "test_same_text_twice_in_a_batch": "texts go to the embedder once each, and its vectors are not spread again",
        "test_index_false_drops_old_vectors": "vectors of an earlier put stay",
        "test_fewer_elements_drop_old_vectors": "vectors of an earlier put stay",
        "test_unchanged_text_is_not_embedded_again": "every put is embedded",
        "test_wrong_vector_length_is_refused": "`dims` is not compared with what the embedder gives",
    }

    @pytest.fixture
    def open_store(self) -> Callable[..., InMemoryStore]:
        def open_store(*, index: IndexConfig | None = None, ttl: Any = None) -> InMemoryStore:
            return InMemoryStore(index=index)

        return open_store
