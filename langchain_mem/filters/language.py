"""The filter language: what users write becomes a `Condition`; `matches` is its meaning.

    {"AND": [c, ...]}   {"OR": [c, ...]}   {"NOT": c | [c, ...]}       also in lower case and as `$and`, `$or`, `$not`
    {"field": value}    {"field": {"operator": value, ...}}            several keys of one dict all hold

`parse` reads the language of memories, whose fields are known; `parse_store` that of a plain store, whose values are
the user's own, so that only names with a `$` are operators. Reading leaves little for a backend to compile: negations
become `Not`, dates become ISO text of fixed width, nested dicts become paths, and what can never hold becomes `NEVER`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from types import MappingProxyType
from typing import Any

from langchain_mem.errors import SHOWN, FilterError, InvalidRequest, meant, shown
from langchain_mem.filters.conditions import (
    ALWAYS,
    NEVER,
    OWNER_FIELDS,
    And,
    Condition,
    Kind,
    Not,
    Operator,
    Or,
    Path,
    Test,
    conjunction,
    disjunction,
    is_number,
    matches,
    names_owner,
    negation,
    owners,
    widen,
)
from langchain_mem.model.instants import iso, span

__all__ = [
    "ALIASES",
    "ALWAYS",
    "FIELDS",
    "MAX_DEPTH",
    "NEVER",
    "OWNER_FIELDS",
    "And",
    "Condition",
    "Kind",
    "Not",
    "Operator",
    "Or",
    "Path",
    "Test",
    "conjunction",
    "disjunction",
    "matches",
    "names_owner",
    "negation",
    "owners",
    "parse",
    "parse_store",
    "widen",
]

MAX_DEPTH = 100
"""How deep a filter, or a value in it, may nest: far beyond what anyone writes, and safely within Python's stack."""

FIELDS: Mapping[str, Kind] = MappingProxyType(
    {
        **dict.fromkeys(("id", "memory", "layer", "importance", "doubt", "schema", *OWNER_FIELDS), Kind.text),
        **dict.fromkeys(("created_at", "updated_at", "expiration_date", "event_date", "event_end"), Kind.instant),
        **dict.fromkeys(("confidence", "version"), Kind.number),
        "categories": Kind.texts,
        "metadata": Kind.value,
    }
)
"""The fields of a memory that a filter may name, beside `metadata.` or `document.` and a path."""

ALIASES: Mapping[str, str] = MappingProxyType(
    {"session_id": "run_id", "memory_ids": "id", "text": "memory", "keywords": "memory", "kind": "schema"}
)
"""Other names of fields."""

_METADATA = Path(("metadata",))
_EQUALITIES = frozenset({Operator.eq, Operator.ne, Operator.in_, Operator.nin, Operator.exists})
_RANGES = frozenset({Operator.gt, Operator.gte, Operator.lt, Operator.lte})
_CONTAINS = frozenset({Operator.contains, Operator.icontains})
_ALLOWED = {
    Kind.value: _EQUALITIES | _RANGES | _CONTAINS,
    Kind.text: _EQUALITIES | _RANGES | _CONTAINS,
    Kind.texts: _EQUALITIES | _CONTAINS,
    Kind.number: _EQUALITIES | _RANGES,
    Kind.instant: _EQUALITIES | _RANGES,
}
_NAMES = {operator.value: operator for operator in Operator if operator in _ALLOWED[Kind.value]}


@dataclass(frozen=True)
class _Field:
    """A field as a filter names it, for messages, and as it is stored."""

    name: str
    path: Path
    kind: Kind

    def below(self, key: str) -> _Field:
        return replace(self, name=f"{self.name}.{key}", path=self.path.below(key))

    def test(self, operator: Operator, operand: Any, kind: Kind | None = None) -> Test:
        return Test(self.path, operator, operand, kind or self.kind)

    def exists(self) -> Test:
        return self.test(Operator.exists, True)

    def wrong(self, allowed: str, operand: Any) -> FilterError:
        return FilterError(f"{shown(self.name)} takes {allowed}, not {shown(operand)}.")


@dataclass(frozen=True)
class _Language:
    """Where the two languages differ."""

    connectives: Mapping[str, Callable[..., Condition]]
    operators: Mapping[str, Operator]
    refused: frozenset[str]  # read as operators, so that nobody takes them for data
    field: Callable[[str], _Field]
    mark: str  # what operators are best spelled with
    star: bool  # whether `"*"` means that the field exists

    def is_operator(self, name: str) -> bool:
        return name.startswith("$") or name in self.operators or name in self.refused

    def operator(self, field: _Field, name: str) -> Operator:
        operator = self.operators.get(name)
        if operator is None or operator not in _ALLOWED[field.kind]:
            allowed = self.allowed(field)
            near = meant(name.removeprefix("$"), (each.removeprefix(self.mark) for each in allowed.split(", ")))
            raise FilterError(
                f"{shown(field.name)} has no operator {shown(name)}.{near} Allowed: {allowed}. Patterns are not "
                "offered."
            )
        return operator

    def allowed(self, field: _Field) -> str:
        return ", ".join(f"{self.mark}{name}" for name, each in _NAMES.items() if each in _ALLOWED[field.kind])


def parse(filters: Mapping[str, Any] | None) -> Condition:
    """Read a filter over memories.

    Args:
        filters: The filter; `None` and `{}` match everything.

    Returns:
        The condition, over a memory as a plain dict with the keys in `FIELDS`, its instants as `expiry.iso` text.

    Raises:
        FilterError: An unknown field or operator, a value of the wrong type, no date, or nesting beyond `MAX_DEPTH`.
    """
    return ALWAYS if filters is None else _clause(filters, _MEMORY, 0)


def parse_store(filters: Mapping[str, Any] | None) -> Condition:
    """Read a filter over the values of a plain store, a superset of LangGraph's own.

    Args:
        filters: The filter; `None` and `{}` match everything. Only names that begin with `$` are operators.

    Returns:
        The condition, over any dict. Dates and datetimes in the filter are compared with stored ISO text as instants,
        text is compared with text.

    Raises:
        FilterError: An unknown `$` name, a value of the wrong type, or nesting beyond `MAX_DEPTH`.
    """
    return ALWAYS if filters is None else _clause(filters, _STORE, 0)


def _clause(filters: Any, language: _Language, depth: int) -> Condition:
    if not isinstance(filters, Mapping):
        raise FilterError(f'A filter is a dict such as {{"user_id": "alex"}}, not {shown(filters)}.')
    _check(filters, depth)
    return conjunction(*(_entry(name, operand, language, depth) for name, operand in filters.items()))


def _check(filters: Mapping[Any, Any], depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise FilterError(f"A filter may nest {MAX_DEPTH} levels deep, no more.")
    for key in filters:
        if not isinstance(key, str):
            raise FilterError(f"The keys of a filter are text, not {shown(key)}.")


def _entry(name: str, operand: Any, language: _Language, depth: int) -> Condition:
    connective = language.connectives.get(name)
    if connective is None:
        return _field(language.field(name), operand, language, depth)
    parts = [operand] if connective is _none_of and isinstance(operand, Mapping) else operand
    if not isinstance(parts, list | tuple):
        raise FilterError(f"{shown(name)} takes a list of filters, not {shown(operand)}.")
    return connective(*(_clause(part, language, depth + 1) for part in parts))


def _none_of(*conditions: Condition) -> Condition:
    return negation(disjunction(*conditions))


def _field(field: _Field, operand: Any, language: _Language, depth: int) -> Condition:
    if language.star and isinstance(operand, str) and operand == "*":
        return field.exists()
    if not isinstance(operand, Mapping):
        return _compare(field, Operator.eq, operand)
    _check(operand, depth)
    if _is_operators(operand, language):
        compared = [(language.operator(field, name), each) for name, each in operand.items()]
        return conjunction(*(_compare(field, operator, each) for operator, each in compared))
    return _nested(field, operand, language, depth)


def _is_operators(operand: Mapping[str, Any], language: _Language) -> bool:
    """Whether each key is an operator. Beside data a `$` is a slip, and is said to be one."""
    names = [key for key in operand if language.is_operator(key)]
    dollar = next((name for name in names if name.startswith("$")), None)
    if len(names) < len(operand) and dollar is not None:
        raise FilterError(f"{shown(dollar)} stands beside keys that are no operators: {shown(list(operand))}.")
    return bool(names) and len(names) == len(operand)


def _nested(field: _Field, pattern: Mapping[str, Any], language: _Language, depth: int) -> Condition:
    """A bare dict: each of its keys is a field one level down."""
    if field.kind is not Kind.value:  # no dict is stored there: the keys were meant as operators, and some are none
        allowed = language.allowed(field)
        error = field.wrong(f"a value, or operators out of {allowed}", dict(pattern))
        raise FilterError(f"{error}{meant(next(iter(pattern), ''), allowed.split(', '))}")
    if not pattern:  # every memory has metadata, if only none
        return ALWAYS if field.path == _METADATA else field.test(Operator.subset, {})
    return conjunction(*(_field(field.below(key), each, language, depth + 1) for key, each in pattern.items()))


def _compare(field: _Field, operator: Operator, operand: Any) -> Condition:
    match operator:
        case Operator.ne:
            return negation(_equal(field, operand))
        case Operator.nin:
            return negation(_one_of(field, operand))
        case Operator.eq:
            return _equal(field, operand)
        case Operator.in_:
            return _one_of(field, operand)
        case Operator.exists:
            return _exists(field, operand)
        case Operator.contains | Operator.icontains:
            return _contains(field, operator, operand)
        case _:
            return _range(field, operator, operand)


def _exists(field: _Field, operand: Any) -> Condition:
    if not isinstance(operand, bool):
        raise field.wrong("true or false for `exists`", operand)
    return field.exists() if operand else negation(field.exists())


def _equal(field: _Field, operand: Any) -> Condition:
    if operand is None:
        return negation(field.exists())
    if _is_date(field, operand):
        return _within(field, operand)
    if field.kind is Kind.texts and not isinstance(operand, list | tuple):
        raise field.wrong("a list to equal; `contains` and `in` take its elements", operand)
    operand = [_operand(field, each) for each in operand] if field.kind is Kind.texts else _operand(field, operand)
    return NEVER if _has_nan(operand) else field.test(Operator.eq, operand)


def _within(field: _Field, operand: Any) -> Condition:
    first, last = _ends(field, operand)
    kind = _date_kind(field)
    if first == last:
        return field.test(Operator.eq, first, kind)
    return And((field.test(Operator.gte, first, kind), field.test(Operator.lte, last, kind)))


def _one_of(field: _Field, operand: Any) -> Condition:
    """Absence and dates apart, each as what equals it, so that the rest is plain."""
    if not isinstance(operand, list | tuple):
        raise field.wrong("a list for `in` and `nin`", operand)
    apart = [each for each in operand if each is None or _is_date(field, each)]
    plain = [_operand(field, each) for each in operand if each is not None and not _is_date(field, each)]
    parts = [_equal(field, each) for each in apart]
    if None in operand and field.kind is Kind.value:
        parts.append(field.test(Operator.contains, None))  # `None` as an element of a stored list
    wanted = tuple(each for each in plain if not _has_nan(each))
    return disjunction(*parts, *([field.test(Operator.in_, wanted)] if wanted else []))


def _contains(field: _Field, operator: Operator, operand: Any) -> Condition:
    if operator is Operator.icontains and not isinstance(operand, str):
        raise field.wrong("text for `icontains`", operand)
    operand = _operand(field, operand)
    return NEVER if _has_nan(operand) else field.test(operator, operand)


def _range(field: _Field, operator: Operator, operand: Any) -> Condition:
    if _is_date(field, operand):
        first, last = _ends(field, operand)
        end = first if operator in (Operator.gte, Operator.lt) else last
        return field.test(operator, end, _date_kind(field))
    operand = _operand(field, operand)
    ordered = isinstance(operand, str) or (is_number(operand) and not _has_nan(operand))
    return field.test(operator, operand) if ordered else NEVER


def _is_date(field: _Field, operand: Any) -> bool:
    return field.kind is Kind.instant or (field.kind is Kind.value and isinstance(operand, date))


def _date_kind(field: _Field) -> Kind:
    return Kind.instant if field.kind is Kind.instant else Kind.iso


def _ends(field: _Field, operand: Any) -> tuple[str, str]:
    """The first and the last instant that a date stands for; between two instants lies at least a microsecond."""
    try:
        first, last = span(operand)
    except InvalidRequest as error:
        raise FilterError(f"`{field.name}`: {error}") from error
    return iso(first), iso(last)


def _operand(field: _Field, operand: Any) -> Any:
    """The operand as plain JSON of the field's type."""
    if field.kind in (Kind.text, Kind.texts) and not isinstance(operand, str):
        raise field.wrong("text; `in` takes several, `exists` true or false", operand)
    if field.kind is Kind.number and not is_number(operand):
        raise field.wrong("a number", operand)
    return _plain(field, operand, 0)


def _plain(field: _Field, operand: Any, depth: int) -> Any:
    if depth >= MAX_DEPTH:
        raise FilterError(f"`{field.name}`: a value may nest {MAX_DEPTH} levels deep, no more.")
    if isinstance(operand, list | tuple):
        return [_plain(field, each, depth + 1) for each in operand]
    if isinstance(operand, Mapping) and all(isinstance(key, str) for key in operand):
        return {key: _plain(field, each, depth + 1) for key, each in operand.items()}
    if operand is None or isinstance(operand, str | int | float):
        return operand
    raise field.wrong("JSON: text, a number, true, false, null, a list or a dict; by itself also a date", operand)


def _has_nan(operand: Any) -> bool:
    if isinstance(operand, list | Mapping):
        return any(map(_has_nan, operand.values() if isinstance(operand, Mapping) else operand))
    return isinstance(operand, float) and math.isnan(operand)


def _memory_field(name: str) -> _Field:
    field = ALIASES.get(name, name)
    if field in FIELDS:
        return _Field(name, Path((field,)), FIELDS[field])
    if name.startswith("metadata."):
        return _Field(name, Path(tuple(name.split("."))), Kind.value)
    if name == "document" or name.startswith("document."):
        return _Field(name, Path(("metadata", *name.split("."))), Kind.value)
    known = [*FIELDS, *ALIASES]
    near = meant(name, [*known, "AND", "OR", "NOT"]) or f" Did you mean metadata.{name[:SHOWN]}?"
    raise FilterError(
        f"Unknown field {shown(name)}.{near} Allowed: {', '.join(known)}, `metadata.` or `document.` and a path, and "
        "AND, OR, NOT."
    )


def _store_field(name: str) -> _Field:
    if name.startswith("$"):
        raise FilterError(
            f"Unknown {shown(name)}.{meant(name, _STORE.connectives)} Beside fields: {', '.join(_STORE.connectives)}."
        )
    return _Field(name, Path(tuple(name.split(".")), name if "." in name else None), Kind.value)


_CONNECTIVES: dict[str, Callable[..., Condition]] = {"and": conjunction, "or": disjunction, "not": _none_of}
_STORE = _Language(
    connectives={f"${name}": connective for name, connective in _CONNECTIVES.items()},
    operators={f"${name}": operator for name, operator in _NAMES.items()},
    refused=frozenset(),
    field=_store_field,
    mark="$",
    star=False,
)
_MEMORY = _Language(
    connectives={key: each for name, each in _CONNECTIVES.items() for key in (name.upper(), name, f"${name}")},
    operators={**_NAMES, **_STORE.operators},
    refused=frozenset({"regex"}),
    field=_memory_field,
    mark="",
    star=True,
)
