"""The filter language, held to its truth table and to the laws of two-valued logic."""

from __future__ import annotations

import copy
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langgraph.store.memory import InMemoryStore

from langchain_mem.errors import FilterError
from langchain_mem.filters.language import (
    ALWAYS,
    FIELDS,
    MAX_DEPTH,
    NEVER,
    And,
    Condition,
    Not,
    Or,
    Test,
    conjunction,
    matches,
    names_owner,
    negation,
    owners,
    parse,
    parse_store,
    widen,
)
from langchain_mem.testing.strategies import (
    json_values,
    memory_filters,
    memory_values,
    numbers,
    scalars,
    store_filters,
    store_values,
    texts,
)

law = settings()

NAN = float("nan")

MEMORY: dict[str, Any] = dict.fromkeys(FIELDS) | {
    "id": "m1",
    "memory": "Likes to Play in the Straße",
    "user_id": "alex",
    "run_id": "trip",
    "layer": "session",
    "metadata": {
        "food": "vegan",
        "n": 10,
        "place": {"city": "Oslo", "zip.code": "0150"},
        "flag": True,
        "nothing": None,
    },
    "categories": ["food", "Work"],
    "confidence": 0.5,
    "version": 1,
    "created_at": "2024-07-31T23:59:59.999999Z",
    "updated_at": "2024-08-01T00:00:00.000000Z",
}


def holds(filters: dict[str, Any], **changes: Any) -> bool:
    return matches(parse(filters), MEMORY | changes)


def store_holds(filters: dict[str, Any], value: dict[str, Any]) -> bool:
    return matches(parse_store(filters), value)


HOLD: list[dict[str, Any]] = [
    {},
    {"user_id": "alex"},
    {"session_id": "trip"},
    {"memory_ids": {"in": ["m0", "m1"]}},
    {"AND": [{"OR": [{"user_id": "bob"}, {"user_id": "alex"}]}]},
    {"OR": [{"AND": [{"user_id": "bob"}]}, {"AND": [{"user_id": "alex"}, {"layer": "session"}]}]},
    {"AND": [{"NOT": [{"user_id": "bob"}]}]},
    {"NOT": {"user_id": "bob"}},
    {"NOT": [{"user_id": "bob"}, {"user_id": "eve"}]},
    {"NOT": []},
    {"AND": []},
    {"OR": [{"user_id": "alex"}, {"agent_id": {"in": ["a", "b"]}}]},
    {"$or": [{"user_id": {"$eq": "alex"}}, {"agent_id": {"$in": ["a"]}}]},
    {"user_id": "alex", "not": {"user_id": "bob"}, "or": [{"version": 1}]},
    {"user_id": {"ne": "bob", "gt": "ale", "lte": "alex"}},
    {"agent_id": None},
    {"agent_id": {"eq": None}},
    {"agent_id": {"ne": "a"}},
    {"agent_id": {"nin": ["a", "b"]}},
    {"agent_id": {"in": [None, "a"]}},
    {"agent_id": {"exists": False}},
    {"run_id": "*"},
    {"run_id": {"exists": True}},
    {"memory": {"contains": "to Play"}},
    {"keywords": {"icontains": "TO PLAY IN THE STRASSE"}},
    {"text": "Likes to Play in the Straße"},
    {"categories": {"contains": "food"}},
    {"categories": {"icontains": "WORK"}},
    {"categories": {"in": ["home", "food"]}},
    {"categories": {"nin": ["home", "foo"]}},
    {"categories": ["food", "Work"]},
    {"confidence": {"gte": 0.5, "lt": 1}},
    {"version": 1.0},
    {"metadata": {"food": "vegan"}},
    {"metadata": {"food": "vegan", "place": {"city": "Oslo"}}},
    {"metadata": {"place": {"zip.code": "0150"}}},
    {"metadata": {"n": {"gt": 9}}},
    {"metadata": {"missing": {"ne": 1}}},
    {"metadata": {"nothing": None}},
    {"metadata": {}},
    {"metadata.n": {"gt": 9}},
    {"metadata.place.city": {"contains": "sl"}},
    {"metadata.place": {"eq": {"zip.code": "0150", "city": "Oslo"}}},
    {"metadata.flag": True},
    {"metadata.food": "*"},
    {"NOT": [{"metadata.missing": 1}]},
    {"created_at": {"gte": "2024-07-01", "lte": "2024-07-31"}},
    {"created_at": "2024-07-31"},
    {"created_at": date(2024, 7, 31)},
    {"created_at": {"in": ["2024-01-01", "2024-07-31"]}},
    {"created_at": {"lt": datetime(2024, 8, 1, tzinfo=UTC)}},
    {"updated_at": "2024-08-01T02:00:00+02:00"},
    {"updated_at": {"gt": "2024-07-31"}},
    {"updated_at": {"gte": "2024-08-01", "lte": "2024-08-01"}},
    {"event_date": {"ne": "2024-07-31"}},
    {"event_date": {"in": [None]}},
]

FAIL: list[dict[str, Any]] = [
    {"user_id": "alice", "AND": [{"user_id": "bob"}]},
    {"AND": [{"metadata.food": "vegan"}, {"metadata.food": "meat"}]},
    {"NOT": [{"user_id": "bob"}, {"user_id": "alex"}]},
    {"NOT": {}},
    {"OR": []},
    {"user_id": "ALEX"},
    {"user_id": {"in": []}},
    {"user_id": {"in": [None, "bob"]}},
    {"agent_id": "*"},
    {"agent_id": {"gt": ""}},
    {"agent_id": {"contains": ""}},
    {"run_id": None},
    {"memory": {"contains": "to play"}},
    {"categories": {"contains": "foo"}},
    {"categories": ["Work", "food"]},
    {"categories": {"nin": ["food"]}},
    {"metadata.missing": {"gt": 1}},
    {"metadata.missing": {"contains": "x"}},
    {"metadata.flag": 1},
    {"metadata.flag": {"gte": 0}},
    {"metadata.n": "10"},
    {"metadata.n": {"gt": "9"}},
    {"metadata.n": {"gt": None}},
    {"metadata.n": NAN},
    {"metadata.n": {"lt": NAN}},
    {"metadata.place": {"eq": {"city": "Oslo"}}},
    {"metadata.food.deeper": "vegan"},
    {"metadata": {"food": {}}},
    {"created_at": {"gte": "2024-07-20", "lte": "2024-07-10"}},
    {"created_at": {"gt": "2024-07-31"}},
    {"created_at": {"lt": "2024-07-31"}},
    {"updated_at": {"lte": "2024-07-31"}},
    {"event_date": {"gte": "0001-01-01"}},
]


@pytest.mark.parametrize("filters", HOLD, ids=str)
def test_truth_table_true(filters: dict[str, Any]) -> None:
    """Each of these holds for the memory above."""
    assert holds(filters)


@pytest.mark.parametrize("filters", FAIL, ids=str)
def test_truth_table_false(filters: dict[str, Any]) -> None:
    """None of these holds for the memory above."""
    assert not holds(filters)


@pytest.mark.parametrize("filters", [*HOLD, *FAIL], ids=str)
def test_not_is_the_rest(filters: dict[str, Any]) -> None:
    """`NOT` of a filter holds exactly where the filter does not."""
    assert holds({"NOT": filters}) is not holds(filters)


def test_no_filter_is_every_memory() -> None:
    """No filter and the empty one match everything."""
    assert parse(None) == parse({}) == parse_store(None) == parse_store({}) == ALWAYS


def test_metadata_never_written() -> None:
    """A memory without metadata has none of its keys, and an empty wish is granted."""
    assert holds({"metadata": {}}, metadata=None)
    assert holds({"metadata": {"food": {"ne": "vegan"}}}, metadata=None)
    assert not holds({"metadata": {"food": "vegan"}}, metadata=None)


@pytest.mark.parametrize(
    ("operand", "stored", "expected"),
    [
        (True, [True, 1, "true"], [True, False, False]),
        (1, [1, 1.0, True, "1"], [True, True, False, False]),
        (2**53 + 1, [2**53 + 1, 2**53, float(2**53)], [True, False, False]),
        (0, [0, -0.0, False, None, ""], [True, True, False, False, False]),
        ({"$gt": 9}, [9, 10, "10", 9.5, True], [False, True, False, True, False]),
        ({"$lt": 2**53 + 1}, [2**53, float(2**53), 2**53 + 1], [True, True, False]),
        ({"$gt": "é"}, ["é", "z", "🙂"], [False, False, True]),
        ({"$eq": ["a", "b"]}, [["a", "b"], ["b", "a"], ["a"], "a"], [True, False, False, False]),
        (["a", {"x": 1}], [["a", {"x": 1}], ["a", {"x": 1, "y": 2}]], [True, False]),
        ({"x": 1}, [{"x": 1, "y": 2}, {"x": 2}, {}, 1], [True, False, False, False]),
        ({"x": {"$gt": 1}}, [{"x": 2}, {"x": 1}, {}], [True, False, False]),
        ({"$eq": {"x": 1}}, [{"x": 1}, {"x": 1, "y": 2}, {"x": True}], [True, False, False]),
        ({}, [{}, {"x": 1}, [], None], [True, True, False, False]),
        ({"$in": ["a", 1]}, ["a", 1.0, True, ["z", "a"], ["z"], None], [True, True, False, True, False, False]),
        ({"$in": [None, "a"]}, [None, "a", [None], ["b"]], [True, True, True, False]),
        ({"$contains": 1}, [[1], [True], [[1]], 1, "1"], [True, False, False, False, False]),
        ({"$contains": "a"}, ["cab", ["a"], ["cab"], None], [True, True, False, False]),
        ({"$icontains": "SS"}, ["Straße", ["ß"], ["straße"], 1], [True, True, False, False]),
        ("*", ["*", "a", None], [True, False, False]),
    ],
    ids=str,
)
def test_types(operand: Any, stored: list[Any], expected: list[bool]) -> None:
    """Values compare by type, exactly."""
    assert [store_holds({"k": operand}, {"k": each}) for each in stored] == expected


def test_literal_key_wins() -> None:
    """In a plain store a key that has dots in it wins over the path that it spells, if it has a value."""
    assert store_holds({"a.b": 1}, {"a.b": 1, "a": {"b": 2}})
    assert not store_holds({"a.b": 2}, {"a.b": 1, "a": {"b": 2}})
    assert store_holds({"a.b": 2}, {"a.b": None, "a": {"b": 2}})
    assert store_holds({"a.b": {"c": 1}}, {"a.b": {"c": 1}})
    assert store_holds({"a.b": {"c": 1}}, {"a": {"b": {"c": 1}}})


def test_store_keys_are_data() -> None:
    """In a plain store only names with a `$` are operators."""
    value = {"AND": [1], "gt": 2, "regex": {"in": 3}, "o": {"eq": 1, "not": 2}}
    assert store_holds({"AND": [1], "gt": 2, "regex": {"in": 3}, "o": {"eq": 1, "not": 2}}, value)
    assert not store_holds({"$not": {"AND": [1]}}, value)


@pytest.mark.parametrize("stored", ["2024-07-04T09:30:00Z", "2024-07-04T11:30:00+02:00", "2024-07-04 09:30:00+00:00"])
def test_store_dates(stored: str) -> None:
    """A date in a filter over a plain store compares with stored ISO text as instants, text with text."""
    value = {"when": stored, "o": {"when": stored}}
    assert store_holds({"when": datetime(2024, 7, 4, 9, 30, tzinfo=UTC), "o": {"when": date(2024, 7, 4)}}, value)
    assert store_holds({"when": {"$in": [1, date(2024, 7, 4)]}}, value)
    assert store_holds({"when": {"$gt": date(2024, 7, 3), "$lt": date(2024, 7, 5)}}, value)
    assert not store_holds({"when": {"$ne": date(2024, 7, 4)}}, value)
    assert store_holds({"when": {"$gt": "2024-07-04", "$lt": "2024-07-05"}}, value)


@pytest.mark.parametrize("stored", ["soon", "", 20240704, None, ["2024-07-04"], {"y": 2024}])
def test_stored_is_no_date(stored: Any) -> None:
    """What is stored and is no date equals none and lies in no range."""
    assert not store_holds({"when": date(2024, 7, 4)}, {"when": stored})
    assert not store_holds({"when": {"$gte": date(1, 1, 1)}}, {"when": stored})
    assert store_holds({"when": {"$ne": date(2024, 7, 4)}}, {"when": stored})


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        ({"shoe_size": 1}, "user_id"),
        ({"AND": [{"$user_id": 1}]}, "created_at"),
        ({"user_id": {"regex": "a.*"}}, "icontains"),
        ({"user_id": {"startswith": "a"}}, "icontains"),
        ({"metadata.food": {"regex": "a.*"}}, "icontains"),
        ({"metadata.food": {"$where": "1"}}, "icontains"),
        ({"metadata.food": {"$gt": 1, "b": 2}}, "stands beside"),
        ({"user_id": {}}, "icontains"),
        ({"user_id": 5}, "text"),
        ({"user_id": ["alex"]}, "`in`"),
        ({"user_id": {"in": "alex"}}, "a list"),
        ({"user_id": {"in": ["alex", 5]}}, "text"),
        ({"user_id": {"exists": "yes"}}, "true or false"),
        ({"version": "1"}, "a number"),
        ({"version": True}, "a number"),
        ({"version": {"contains": "1"}}, "gte"),
        ({"categories": "food"}, "`contains`"),
        ({"categories": {"gt": "food"}}, "contains"),
        ({"categories": {"contains": 1}}, "text"),
        ({"memory": {"icontains": None}}, "text"),
        ({"created_at": "yesterday"}, "ISO 8601"),
        ({"created_at": {"gte": 20240701}}, "ISO 8601"),
        ({"created_at": {"contains": "2024"}}, "gte"),
        ({"metadata.x": {1, 2}}, "JSON"),
        ({"metadata.x": {"contains": date(2024, 7, 1)}}, "JSON"),
        ({"metadata": {"x": {1: 2}}}, "text"),
        ({5: "a"}, "text"),
        ({"AND": {"user_id": "alex"}}, "a list"),
        ({"OR": "alex"}, "a list"),
        ({"OR": [None]}, "a dict"),
        (["user_id"], "a dict"),
    ],
    ids=str,
)
def test_says_what_is_allowed(filters: Any, said: str) -> None:
    """A filter that cannot be meant is refused, and the error says what is allowed."""
    with pytest.raises(FilterError, match=said):
        parse(filters)


@pytest.mark.parametrize(
    "filters", [{"$nor": []}, {"a": {"$regex": "x"}}, {"a": {"$gt": 1, "b": 1}}, {"a": {"$and": []}}]
)
def test_store_refuses_unknown_dollars(filters: dict[str, Any]) -> None:
    """In a plain store an unknown name with a `$` is refused, wherever it stands."""
    with pytest.raises(FilterError):
        parse_store(filters)


def nested(levels: int) -> dict[str, Any]:
    """Connectives in turn with two parts each, so that nothing flattens."""
    filters: dict[str, Any] = {"user_id": "alex"}
    for level in range(levels):
        other = {"user_id": "alex" if level % 2 else "bob"}
        filters = {"AND" if level % 2 else "OR": [filters, other]}
    return filters


def test_deep_filters_work() -> None:
    """A filter as deep as allowed is read, decided, widened, hashed and searched for owners."""
    condition = parse(nested(MAX_DEPTH - 1))
    assert matches(condition, MEMORY)
    assert widen(condition, lambda test: True) == condition
    assert isinstance(hash(condition), int)
    assert {"user_id": "alex"} in (owners(condition) or [])


@pytest.mark.parametrize("levels", [MAX_DEPTH, 500, 5000])
def test_deeper_is_refused(levels: int) -> None:
    """Beyond the documented depth it is refused, whether it is filters or a value that nests."""
    value: Any = 1
    pattern: Any = 1
    for _ in range(levels + 1):
        value, pattern = [value], {"a": pattern}
    for filters in (nested(levels), {"metadata.x": value}, {"metadata.x": pattern}, {"metadata.x": {"eq": pattern}}):
        with pytest.raises(FilterError, match=str(MAX_DEPTH)):
            parse(filters)


def test_filter_that_holds_itself_is_refused() -> None:
    """A filter that contains itself is refused like any that nests too deep."""
    filters: dict[str, Any] = {}
    filters["NOT"] = filters
    with pytest.raises(FilterError):
        parse(filters)


def test_condition_is_its_own() -> None:
    """What was read does not change when the caller changes the filter afterwards."""
    wanted = ["food", "Work"]
    condition = parse({"categories": wanted})
    wanted.clear()
    assert matches(condition, MEMORY)


def test_tests_of_other_types_differ() -> None:
    """Conditions compare by type as values do, so that a cache keyed by them does not mix `1` and `True`."""
    assert len({parse_store({"k": each}) for each in (1, True, "1", [1], [True])}) == 5


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"user_id": "alex"}, [{"user_id": "alex"}]),
        ({"session_id": "trip"}, [{"run_id": "trip"}]),
        ({"user_id": {"in": ["alex", "bob", "alex"]}}, [{"user_id": "alex"}, {"user_id": "bob"}]),
        (
            {"OR": [{"user_id": "alex"}, {"agent_id": {"in": ["a", "b"]}}]},
            [{"user_id": "alex"}, {"agent_id": "a"}, {"agent_id": "b"}],
        ),
        ({"user_id": "alex", "run_id": "trip", "version": 1}, [{"user_id": "alex", "run_id": "trip"}]),
        ({"user_id": "alex", "run_id": "*"}, [{"user_id": "alex"}]),
        ({"user_id": "alex", "OR": []}, [{"user_id": "alex"}]),
        ({"user_id": "alice", "AND": [{"user_id": "bob"}]}, []),
        ({"NOT": {"user_id": {"ne": "alex"}}}, [{"user_id": "alex"}]),
        ({"AND": [{"created_at": {"gte": "2024-07-20", "lte": "2024-07-10"}}]}, None),
        ({"OR": [{"user_id": "alex"}, {"version": 1}]}, None),
        ({"OR": [{"user_id": "alex"}, {}]}, None),
        ({"NOT": {"user_id": "alex"}}, None),
        ({"user_id": "*"}, None),
        ({"user_id": {"exists": True}}, None),
        ({"user_id": {"ne": "alex"}}, None),
        ({"user_id": None}, None),
        ({"user_id": {"in": [None, "alex"]}}, None),
        ({"user_id": {"in": []}}, None),
        ({"user_id": {"gte": "alex", "lte": "alex"}}, None),
        ({"metadata.user_id": "alex"}, None),
        ({"layer": "user"}, None),
        ({"OR": []}, None),
        ({}, None),
    ],
    ids=str,
)
def test_owners(filters: dict[str, Any], expected: list[dict[str, str]] | None) -> None:
    """Owners are those whom every branch names by equality or `in`, and there are none if one branch names nobody."""
    condition = parse(filters)
    assert owners(condition) == expected
    assert names_owner(condition) is (expected is not None)


def test_owners_stay_few() -> None:
    """Long lists of owners beside each other are not multiplied out."""
    many = [f"o{number}" for number in range(500)]
    named = owners(parse({"user_id": {"in": many}, "agent_id": {"in": many}, "app_id": {"in": many}}))
    assert named is not None
    assert len(named) == 500


@law
@given(memory_filters(), memory_values())
def test_owners_cover(filters: dict[str, Any], memory: dict[str, Any]) -> None:
    """Whatever matches belongs to one of the owners named."""
    condition = parse(filters)
    named = owners(condition)
    if named is not None and matches(condition, memory):
        assert any(owner.items() <= {key: memory[key] for key in owner}.items() for owner in named)


@law
@given(st.lists(memory_filters(), max_size=3), memory_values())
def test_logic(filters: list[dict[str, Any]], memory: dict[str, Any]) -> None:
    """`AND` is all, `OR` is any, `NOT` of a list is none, as Python has them."""
    each = [matches(parse(one), memory) for one in filters]
    assert matches(parse({"AND": filters}), memory) is all(each)
    assert matches(parse({"OR": filters}), memory) is any(each)
    assert matches(parse({"NOT": filters}), memory) is not any(each)
    assert matches(conjunction(*map(parse, filters)), memory) is all(each)


@law
@given(store_filters(), store_values())
def test_not_is_the_rest_of_a_store(filters: dict[str, Any], value: dict[str, Any]) -> None:
    """Any filter and its negation split the values between them."""
    held = store_holds(filters, value)
    assert store_holds({"$not": filters}, value) is not held
    assert matches(negation(parse_store(filters)), value) is not held


@law
@given(store_filters(), store_values())
def test_absent_and_none_are_the_same(filters: dict[str, Any], value: dict[str, Any]) -> None:
    """A top-level key without a value might as well not be there."""
    assert store_holds(filters, value) is store_holds(filters, {k: v for k, v in value.items() if v is not None})


@law
@given(store_filters(), store_values())
def test_nothing_is_changed(filters: dict[str, Any], value: dict[str, Any]) -> None:
    """Neither reading nor matching changes what it is given, and reading twice reads the same."""
    before = copy.deepcopy((filters, value))
    condition = parse_store(filters)
    matches(condition, value)
    assert (filters, value) == before
    assert parse_store(filters) == condition
    assert hash(parse_store(filters)) == hash(condition)


def leaves_of(condition: Condition) -> list[Test]:
    match condition:
        case And(parts) | Or(parts):
            return [test for part in parts for test in leaves_of(part)]
        case Not(part):
            return leaves_of(part)
        case Test():
            return [condition]


@law
@given(store_filters(), store_values())
def test_absent_fails_every_test(filters: dict[str, Any], value: dict[str, Any]) -> None:
    """A test of a field that has no value is false, whatever it asks."""
    for test in leaves_of(parse_store(filters)):
        if test.path.read(value) is None:
            assert not matches(test, value)


@law
@given(store_filters(), store_values(), st.sets(st.integers(0, 5)))
def test_widened(filters: dict[str, Any], value: dict[str, Any], said: set[int]) -> None:
    """What an engine can say of a condition matches everything the condition does, and uses only what it can say."""
    condition = parse_store(filters)
    sayable = {test for number, test in enumerate(leaves_of(condition)) if number in said}
    wider = widen(condition, sayable.__contains__)
    assert set(leaves_of(wider)) <= sayable
    assert matches(wider, value) or not matches(condition, value)
    assert widen(condition, lambda test: True) == condition


@law
@given(scalars() | json_values(), json_values())
def test_equality_of_values(one: Any, other: Any) -> None:
    """`$eq` holds for the value itself, and both ways round or neither."""
    assert store_holds({"k": {"$eq": one}}, {"k": one})
    assert store_holds({"k": {"$eq": one}}, {"k": other}) is store_holds({"k": {"$eq": other}}, {"k": one})


@law
@given(numbers() | texts(), numbers() | texts())
def test_order_of_values(one: Any, other: Any) -> None:
    """Of two numbers or two texts exactly one of less, equal, greater holds; of a number and a text none."""
    held = [store_holds({"k": {name: other}}, {"k": one}) for name in ("$lt", "$eq", "$gt")]
    assert sum(held) == (isinstance(one, str) is isinstance(other, str))


@law
@given(
    st.fixed_dictionaries(
        {"n": st.integers(-3, 12), "s": st.sampled_from("abc"), "o": st.fixed_dictionaries({"x": st.integers(0, 3)})}
    ),
    st.dictionaries(st.sampled_from(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"]), st.integers(-3, 12), min_size=1),
    st.sampled_from("abc"),
    st.integers(0, 3),
)
def test_langgraph_filters(value: dict[str, Any], ranges: dict[str, int], text: str, x: int) -> None:
    """Where LangGraph's own store answers exactly, the answer is the same."""
    filters = {"n": ranges, "s": text, "o": {"x": x}}
    store = InMemoryStore()
    store.put(("a",), "k", value)
    for asked in (filters, {"n": ranges}, {"s": {"$ne": text}}, {"o": {"x": x}}):
        assert bool(store.search(("a",), filter=asked)) is store_holds(asked, value)


@pytest.mark.parametrize(
    "operand",
    [
        NAN,
        [1, NAN],
        {"eq": {"x": [NAN]}},
        {"in": [NAN]},
        {"contains": NAN},
        {"gt": NAN},
        {"gte": True},
        {"lt": [1]},
        {"lte": None},
    ],
    ids=str,
)
def test_what_cannot_hold_is_never(operand: Any) -> None:
    """NaN, and a range of what has no order, leave nothing for an engine to compile."""
    assert parse({"metadata.n": operand}) == NEVER


def test_never_is_no_condition_at_all() -> None:
    """An empty `OR` matches nothing, an empty `AND` everything."""
    assert parse({"OR": []}) == NEVER
    assert parse({"NOT": {"OR": []}}) == ALWAYS
