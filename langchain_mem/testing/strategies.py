"""Hypothesis strategies for values and filters, in both languages, to compare a backend with `matches`.

Keys and operands come from small pools, so that a filter drawn at random often matches; the pools hold what engines
get wrong: types that look alike, numbers beyond a double, absence, dates, and text that is syntax somewhere.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from langchain_mem.filters.language import FIELDS, OWNER_FIELDS, Kind
from langchain_mem.model.instants import iso

Values = st.SearchStrategy[dict[str, Any]]

TEXTS = [
    "", "a", "b", "A", "ab", "Straße", "STRASSE", "é", "e\u0301", "🙂", "\U0010ffff", "\uffff", "*",
    "%", "_", "\\", "\\%", "'", '"', "''", " ", "\n",
    "a\x00b", "\x00", "1", "true", "null", "[]", "{}", "' OR 1=1 --", '{"$gt": ""}', "$gt", "a.b", "{a,b}", "10", "9",
    "2024-07-04", "2024-07-04T09:30:00Z", "2024-07-04T11:30:00.5+02:00",
]  # fmt: skip
NUMBERS = [
    0, 1, -1, 2, 9, 10, 2**53, 2**53 + 1, float(2**53), 2**63, 2**70, -(2**63) - 1, 10**30,
    0.0, -0.0, 1.0, 0.5, 0.1, 0.30000000000000004, 1e300, 5e-324, -2.5,
]  # fmt: skip
KEYS = [
    "a", "b", "n", "tags", "a.b", "a.b.n", "", "'", '"', "%", "_", "\\", "é", "🙂", "AND", "gt", "a b", "0", "\x00",
]  # fmt: skip

COMMON_KEYS = ["a", "b", "n", "tags", "a.b"]
COMMON = [
    None,
    True,
    False,
    0,
    1,
    1.0,
    2,
    "1",
    "a",
    "ab",
    ["a"],
    [1, "a"],
    2**53 + 1,
    float(2**53),
    "2024-07-04T09:30:00Z",
]

MOMENTS = [
    datetime(2024, 7, 3, 23, 59, 59, 999999, UTC),
    datetime(2024, 7, 4, tzinfo=UTC),
    datetime(2024, 7, 4, 9, 30, tzinfo=UTC),
    datetime(2024, 7, 4, 11, 30, tzinfo=timezone(timedelta(hours=2))),
    datetime(2024, 7, 4, 23, 59, 59, 999999, UTC),
    datetime(2024, 7, 5, tzinfo=UTC),
]
DAYS = [date(2024, 7, 3), date(2024, 7, 4), date(2024, 7, 5)]

IDS = ["alex", "alexander", "al_x", "bob", "alice@example.com", "a/b.c", "🙂", "%"]

EQUALITIES = ["eq", "ne"]
RANGES = ["gt", "gte", "lt", "lte"]


_ANY_TEXT = st.sampled_from(TEXTS) | st.sampled_from(TEXTS) | st.text(max_size=4)
_FINITE = st.floats(allow_nan=False, allow_infinity=False)
_ANY_NUMBER = st.sampled_from(NUMBERS) | st.sampled_from(NUMBERS) | st.integers(-3, 12) | _FINITE


@st.composite  # so that its repr, and that of all it is a part of, stays short
def texts(draw: st.DrawFn) -> str:
    """Text: mostly out of the pool, else anything that UTF-8 can say."""
    return draw(_ANY_TEXT)


@st.composite
def numbers(draw: st.DrawFn) -> int | float:
    """Finite numbers, without bools."""
    return draw(_ANY_NUMBER)


def scalars() -> st.SearchStrategy[Any]:
    """Every JSON value that is not a list or a dict, `None` included."""
    common = st.sampled_from([each for each in COMMON if not isinstance(each, list)])
    return common | common | st.none() | st.booleans() | numbers() | texts()


def keys() -> st.SearchStrategy[str]:
    """Keys of a user's dicts: mostly one of a few."""
    return st.sampled_from(COMMON_KEYS) | st.sampled_from(COMMON_KEYS) | st.sampled_from(KEYS)


def json_values() -> st.SearchStrategy[Any]:
    """JSON values, a little nested."""
    nested = st.recursive(
        scalars(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys(), inner, max_size=3),
        max_leaves=5,
    )
    return st.sampled_from(COMMON) | nested


def dates() -> st.SearchStrategy[date | datetime]:
    """Days and aware datetimes, close enough to each other that their ends meet."""
    return st.sampled_from(DAYS) | st.sampled_from(MOMENTS)


def store_values() -> Values:
    """Values of a plain store: any JSON under any key."""
    return st.dictionaries(keys(), json_values(), max_size=6)


def store_filters() -> Values:
    """Filters over a plain store, in LangGraph's language and beyond it."""
    names = keys() | st.sampled_from(["a.a", "b.a", "a.b.n", "missing"])
    leaves = st.dictionaries(names, _conditions_on_a_value("$") | _nested("$"), min_size=1, max_size=2)
    return _logic(leaves, ["$and"], ["$or"], ["$not"])


def memory_values() -> Values:
    """Stored memories, complete: what is not there is `None`."""
    drawn = {
        Kind.text: texts() | st.sampled_from(IDS),
        Kind.texts: st.lists(texts(), max_size=3),
        Kind.number: numbers(),
        Kind.instant: st.sampled_from(MOMENTS).map(iso),
        Kind.value: st.dictionaries(keys(), json_values(), max_size=5),
    }
    ids = dict.fromkeys(OWNER_FIELDS, st.none() | st.sampled_from(IDS))
    return st.fixed_dictionaries({name: st.none() | drawn[kind] for name, kind in FIELDS.items()} | ids)


def memory_filters() -> Values:
    """Filters over memories: every field and alias, each with what fits it."""
    owned = {name: _conditions("", st.sampled_from(IDS)) for name in (*OWNER_FIELDS, "session_id")}
    text = {name: _conditions("", texts(), contains=texts()) for name in ("id", "memory", "layer", "text", "keywords")}
    number = {name: _conditions("", numbers()) for name in ("confidence", "version")}
    instants = dates() | dates().map(lambda moment: moment.isoformat())
    instant = {name: _conditions("$", instants) for name, kind in FIELDS.items() if kind is Kind.instant}
    metadata = {f"metadata.{key}": _conditions_on_a_value("") for key in ("a", "b", "n", "tags", "a.b", "missing")}
    whole = {"metadata": _nested(""), "categories": _conditions_on_categories()}
    fields = owned | text | number | instant | metadata | whole
    leaves = st.sampled_from(sorted(fields)).flatmap(lambda name: st.fixed_dictionaries({name: fields[name]}))
    return _logic(leaves, ["AND", "and", "$and"], ["OR", "or", "$or"], ["NOT", "not", "$not"])


def _logic(leaves: Values, all_of: list[str], any_of: list[str], none_of: list[str]) -> Values:
    """Nest filters, empty lists and a connective beside fields included."""

    def deeper(inner: Values) -> Values:
        several = st.lists(inner, max_size=3)
        lists = [st.fixed_dictionaries({name: several}) for name in (*all_of, *any_of, *none_of)]
        negated = [st.fixed_dictionaries({name: inner}) for name in none_of]
        beside = st.tuples(leaves, st.one_of(lists)).map(lambda pair: pair[0] | pair[1])
        return st.one_of(*lists, *negated, beside)

    return st.recursive(leaves, deeper, max_leaves=5)


def _conditions(
    mark: str, operands: st.SearchStrategy[Any], *, contains: st.SearchStrategy[str] | None = None
) -> st.SearchStrategy[Any]:
    """A bare value or a dict of operators, for a field that takes these operands."""
    some = st.lists(operands | st.none(), max_size=3)
    known = {
        **dict.fromkeys(EQUALITIES, operands | st.none()),
        **dict.fromkeys(RANGES, operands),
        **dict.fromkeys(("in", "nin"), some),
        "exists": st.booleans(),
        **(dict.fromkeys(("contains", "icontains"), contains) if contains is not None else {}),
    }
    marked = {f"{mark}{name}": strategy for name, strategy in known.items()}
    one = st.sampled_from(sorted(marked)).flatmap(lambda name: st.fixed_dictionaries({name: marked[name]}))
    return operands | st.none() | one | st.tuples(one, one).map(lambda pair: pair[0] | pair[1])


def _conditions_on_a_value(mark: str) -> st.SearchStrategy[Any]:
    """Conditions on what may be any JSON value, with operands of every type."""
    infinite = st.sampled_from([float("inf"), float("-inf")])
    elements = scalars() | json_values()
    bare = st.lists(scalars(), max_size=2) | scalars()
    return (
        _conditions(mark, scalars() | dates())
        | bare
        | st.fixed_dictionaries({f"{mark}eq": json_values()})
        | st.fixed_dictionaries({f"{mark}contains": elements})
        | st.fixed_dictionaries({f"{mark}icontains": texts()})
        | st.sampled_from(RANGES).flatmap(lambda name: st.fixed_dictionaries({mark + name: infinite}))
    )


def _conditions_on_categories() -> st.SearchStrategy[Any]:
    some = st.lists(texts(), max_size=2)
    listed = st.sampled_from(["eq", "ne", "in", "nin"]).flatmap(lambda name: st.fixed_dictionaries({name: some}))
    element = st.sampled_from(["contains", "icontains"]).flatmap(lambda name: st.fixed_dictionaries({name: texts()}))
    return some | listed | element | st.sampled_from([None, "*", {"exists": True}, {"exists": False}])


def _nested(mark: str) -> st.SearchStrategy[Any]:
    """A bare dict, of plain data or with operators further down."""
    inner = scalars() | _conditions_on_a_value(mark)
    return st.dictionaries(keys(), inner | st.dictionaries(keys(), inner, min_size=1, max_size=2), max_size=2)
