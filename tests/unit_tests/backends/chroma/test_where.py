"""What a `where` finds is a superset of what `matches` says."""

from __future__ import annotations

from typing import Any

from hypothesis import given

from langchain_mem.backends.chroma.where import (
    LONGEST_TOKEN,
    MOST_TOKENS,
    Where,
    in_text,
    keys_where,
    marked,
    tokens,
    unmarked,
    where,
)
from langchain_mem.filters.language import Condition, matches, parse, parse_store
from langchain_mem.testing.strategies import memory_filters, memory_values, store_filters, store_values


def finds(asked: Where, held: list[str]) -> bool:
    """Whether a record with these tokens is found, as Chroma documents `$contains`, `$and` and `$or`."""
    match asked:
        case None:
            return True
        case {"$and": parts}:
            return all(finds(part, held) for part in parts)
        case {"$or": parts}:
            return any(finds(part, held) for part in parts)
        case {"tokens": {"$contains": token}}:
            return token in held
        case {"tokens": {"$not_contains": token}}:
            return token not in held
        case {"$contains": mark}:
            return mark in marked("some words", held)
    return False


def agrees(condition: Condition, value: dict[str, Any]) -> bool:
    held, asked = tokens("k", value), where(condition)
    return (finds(asked, held) and finds(in_text(asked), held)) or not matches(condition, value)


@given(store_filters(), store_values())
def test_finds_all_that_match(filters: dict[str, Any], value: dict[str, Any]) -> None:
    """A value that matches a filter of a store is found by its `where`."""
    assert agrees(parse_store(filters), value)


@given(memory_filters(), memory_values())
def test_finds_all_memories_that_match(filters: dict[str, Any], value: dict[str, Any]) -> None:
    """A memory that matches a filter is found by its `where`."""
    assert agrees(parse(filters), value)


def test_equality_is_exact() -> None:
    """Equality, `$in` and their negations are decided by tokens alone."""
    value = {"color": "red", "n": 1, "tags": ["a", 2], "deep": {"x": True}}
    decided = {
        True: [
            {"color": "red"}, {"n": 1.0}, {"tags": {"$in": ["a"]}}, {"tags": {"$contains": 2}}, {"deep": {"x": True}},
            {"color": {"$ne": "blue"}}, {"n": {"$nin": [2]}},
            {"$or": [{"n": 2}, {"n": 1}]},
        ],
        False: [
            {"color": "blue"}, {"n": True}, {"tags": {"$in": ["b"]}}, {"tags": {"$contains": 1}}, {"deep": {"x": 1}},
            {"color": {"$ne": "red"}}, {"n": {"$nin": [1]}}, {"$or": []},
        ],
    }  # fmt: skip
    for found, filters in decided.items():
        assert [finds(where(parse_store(each)), tokens("k", value)) for each in filters] == [found] * len(filters)


def test_marks_tell_values_apart() -> None:
    """By marks a record is found for what it has and not for what it has not, and its words come back."""
    held = tokens("k", {"color": "red", "tags": ["a", 2]})
    for filters in (
        {"color": "red"},
        {"tags": {"$contains": 2}},
        {"color": {"$ne": "red"}},
        {"color": {"$ne": "blue"}},
    ):
        assert finds(in_text(where(parse_store(filters))), held)
    for filters in ({"color": "blue"}, {"tags": {"$contains": 1}}, {"$or": []}):
        assert not finds(in_text(where(parse_store(filters))), held)
    for words in ("", "red\x1e and \x1f blue"):
        assert unmarked(marked(words, held)) == words


def test_long_and_many() -> None:
    """Long texts and long lists cost a bounded number of short tokens, and are found all the same."""
    value = {"text": "x" * 10_000, "list": list(range(5_000)), "last": "red"}
    held = tokens("k", value)
    assert len(held) <= MOST_TOKENS + 2
    assert max(map(len, held)) <= LONGEST_TOKEN
    for filters in ({"text": "x" * 10_000}, {"list": {"$contains": 4_999}}, {"last": "red"}, {"last": {"$ne": "blue"}}):
        assert finds(where(parse_store(filters)), held)


def test_instants() -> None:
    """An instant costs no token, and is found all the same."""
    value = {"at": "2026-01-01T12:00:00Z", "all": ["2026-01-01T12:00:00Z"]}
    assert tokens("k", value) == tokens("k", {})
    for filters in (value, {"all": {"$contains": value["at"]}}, {"at": {"$ne": "2025-01-01T12:00:00Z"}}):
        assert finds(where(parse_store(filters)), tokens("k", value))


def test_keys() -> None:
    """A query for keys finds rows with these keys and no others; one for very many looks at all."""
    asked = keys_where({"a", "\ud800"})
    assert [finds(asked, tokens(key, {})) for key in ("a", "\ud800", "b")] == [True, True, False]
    assert keys_where(frozenset(map(str, range(5_000)))) is None
    assert not finds(keys_where(()), tokens("a", {}))
    assert [finds(in_text(asked), tokens(key, {})) for key in ("a", "\ud800", "b")] == [True, True, False]
