"""What a filter means. `filters` reads the language into these nodes; `matches` says when one holds.

    Condition = And(parts) | Or(parts) | Not(part) | Test(path, operator, operand, kind)

`matches` is the meaning: every backend compiles what its engine can say and is compared with it, and where the two
disagree the engine is wrong. The logic has two values: a `Test` is false where its field is absent or `None`, whatever
its operator, so only `Not` ever matches absence, and `Not(c)` is exactly what `c` leaves.
"""

from __future__ import annotations

import json
import operator as compare
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import product
from typing import Any, ClassVar

from langchain_mem.errors import InvalidRequest
from langchain_mem.model.instants import iso, parse_iso
from langchain_mem.model.scopes import IDS

OWNER_FIELDS = IDS
"""The fields that say whose a memory is."""

_MOST_OWNERS = 1000


class Operator(StrEnum):
    """What a test compares. `ne` and `nin` are for filters to say: read, they are `Not`, and no `Test` has them."""

    eq = "eq"
    ne = "ne"
    in_ = "in"
    nin = "nin"
    gt = "gt"
    gte = "gte"
    lt = "lt"
    lte = "lte"
    contains = "contains"
    icontains = "icontains"
    exists = "exists"  # the operand is `True`; that a field is absent is `Not`
    subset = "subset"  # not written by a user; the operand is `{}`: the field is a dict


class Kind(StrEnum):
    """What is known of a field, and so of what is stored in it."""

    value = "value"  # any JSON value
    text = "text"
    texts = "texts"  # a list of text
    number = "number"
    instant = "instant"  # text as `expiry.iso` writes it, on both sides: comparing by code point compares instants
    iso = "iso"  # stored is what a user wrote: ISO text of any form, to be read before it is compared


@dataclass(frozen=True)
class Path:
    """Where in a stored value a test looks.

    Attributes:
        keys: The keys of nested dicts, outermost first.
        literal: In a user's own value, the one top-level key spelled like the dotted path: `a.b` for the keys
            `("a", "b", ...)`. Where it has a value it wins over them; the keys after it are looked up below it.
    """

    keys: tuple[str, ...]
    literal: str | None = None

    @property
    def below_literal(self) -> tuple[str, ...]:
        """The keys to follow under `literal`: those it does not spell itself."""
        return () if self.literal is None else self.keys[self.literal.count(".") + 1 :]

    def read(self, value: Mapping[str, Any]) -> Any | None:
        """What is stored at this path; `None` where there is nothing."""
        if self.literal is not None and value.get(self.literal) is not None:
            return _follow(value[self.literal], self.below_literal)
        return _follow(value, self.keys)

    def below(self, key: str) -> Path:
        """The path one dict deeper."""
        return replace(self, keys=(*self.keys, key))


@dataclass(frozen=True)
class And:
    """Every part holds; of no parts, always."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class Or:
    """Some part holds; of no parts, never."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class Not:
    """The part does not hold."""

    part: Condition


@dataclass(frozen=True)
class Test:
    """One comparison; false where the field is absent.

    Attributes:
        path: Where to look.
        operator: What to compare.
        operand: Plain JSON, never with NaN in it: for `in` a tuple without `None`, for ranges a number or text, for
            `icontains` text, for instants text as `expiry.iso` writes it.
        kind: What is known of the field.
    """

    __test__: ClassVar[bool] = False  # the name is not an invitation to pytest

    path: Path
    operator: Operator
    operand: Any = field(compare=False)
    kind: Kind = Kind.value
    spelled: str = field(init=False, repr=False)  # operands compare and hash by this: a list has no hash, and 1 == True

    def __post_init__(self) -> None:
        object.__setattr__(self, "spelled", json.dumps(self.operand, sort_keys=True))


Condition = And | Or | Not | Test
"""A filter that has been read."""

ALWAYS = And(())
"""What the empty filter means."""

NEVER = Or(())
"""What an empty `OR` means."""


def matches(condition: Condition, value: Mapping[str, Any]) -> bool:
    """Whether a condition holds for a stored value. This is the meaning of the filter language."""
    match condition:
        case And(parts):
            return all(matches(part, value) for part in parts)
        case Or(parts):
            return any(matches(part, value) for part in parts)
        case Not(part):
            return not matches(part, value)
        case Test(path, operator, operand, kind):
            stored = path.read(value)
            stored = _instant_text(stored) if kind is Kind.iso else stored
            return stored is not None and _HOLDS[operator](stored, operand)


def conjunction(*conditions: Condition) -> Condition:
    """All of these, flat. `NEVER` stays beside the rest, so that what they name can still be read off."""
    parts = tuple(part for each in conditions for part in (each.parts if isinstance(each, And) else (each,)))
    return parts[0] if len(parts) == 1 else And(parts)


def disjunction(*conditions: Condition) -> Condition:
    """Any of these, flat; `ALWAYS` if one of them is."""
    parts = tuple(part for each in conditions for part in (each.parts if isinstance(each, Or) else (each,)))
    return ALWAYS if ALWAYS in parts else parts[0] if len(parts) == 1 else Or(parts)


def negation(condition: Condition) -> Condition:
    """The rest of it: what `condition` does not match."""
    if isinstance(condition, Not):
        return condition.part
    return NEVER if condition == ALWAYS else ALWAYS if condition == NEVER else Not(condition)


def widen(condition: Condition, sayable: Callable[[Test], bool]) -> Condition:
    """The closest condition that uses only tests an engine can say and matches everything `condition` matches.

    A backend compiles it and lets `matches` finish. It equals `condition` where nothing had to go, and then there is
    nothing to finish.

    Args:
        condition: What is asked.
        sayable: Whether the engine answers this test exactly as `matches` does.

    Returns:
        A weaker or an equal condition.
    """
    return _bound(condition, sayable, unsayable=ALWAYS)


def names_owner(condition: Condition) -> bool:
    """Whether every branch names an owner: a user, an agent, an app, an org or a run, by equality or `in`.

    Under `And` one part that does is enough; under `Or` each must, and there must be one; `Not` and `exists` never do.
    """
    return owners(condition) is not None


def owners(condition: Condition) -> list[dict[str, str]] | None:
    """Whose memories a condition can reach, so that nobody else's need be looked at.

    Args:
        condition: What is asked, in the memory language.

    Returns:
        Owners as `[{"user_id": "alex"}, {"agent_id": "a", "run_id": "r"}]`: each matching memory has all the ids of
        one of them. Empty if it asks for one owner and another at once; `None` if some branch names nobody.
    """
    match condition:
        case And(parts):
            return _all_of([named for part in parts if (named := owners(part)) is not None])
        case Or(parts):
            return _any_of([owners(part) for part in parts])
        case Test(Path((owner,)), Operator.eq, operand) if owner in OWNER_FIELDS:
            return [{owner: operand}]
        case Test(Path((owner,)), Operator.in_, operand) if owner in OWNER_FIELDS:
            return _distinct([{owner: each} for each in operand])
        case _:
            return None


def equal(one: Any, other: Any) -> bool:
    """Equality of JSON values: `True` is not `1`, `1` is `1.0`, NaN is nothing, lists and dicts compare whole."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    return bool(one == other)


def _follow(value: Any, keys: tuple[str, ...]) -> Any | None:
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _instant_text(stored: Any) -> str | None:
    try:
        return iso(parse_iso(stored)) if isinstance(stored, str) else None
    except InvalidRequest:
        return None


def _one_of(stored: Any, operand: tuple[Any, ...]) -> bool:
    elements = stored if isinstance(stored, list | tuple) else (stored,)
    return any(equal(element, each) for element in elements for each in operand)


def _contains(stored: Any, operand: Any) -> bool:
    if isinstance(stored, str):
        return isinstance(operand, str) and operand in stored
    return isinstance(stored, list | tuple) and any(equal(element, operand) for element in stored)


def _contains_folded(stored: Any, operand: str) -> bool:
    folded = [_fold(each) for each in stored] if isinstance(stored, list | tuple) else _fold(stored)
    return _contains(folded, operand.casefold())


def _fold(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value


def _ordered(holds: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda stored, operand: _comparable(stored, operand) and holds(stored, operand)


def _comparable(one: Any, other: Any) -> bool:
    return (is_number(one) and is_number(other)) or (isinstance(one, str) and isinstance(other, str))


def is_number(value: Any) -> bool:
    """Whether a value is a number; a bool is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


_HOLDS: dict[Operator, Callable[[Any, Any], bool]] = {
    Operator.eq: equal,
    Operator.in_: _one_of,
    Operator.gt: _ordered(compare.gt),
    Operator.gte: _ordered(compare.ge),
    Operator.lt: _ordered(compare.lt),
    Operator.lte: _ordered(compare.le),
    Operator.contains: _contains,
    Operator.icontains: _contains_folded,
    Operator.exists: lambda stored, operand: True,
    Operator.subset: lambda stored, operand: isinstance(stored, Mapping),
}


def _bound(condition: Condition, sayable: Callable[[Test], bool], *, unsayable: Condition) -> Condition:
    """Put `unsayable` for each test the engine cannot say; beneath a `Not` the other way around."""
    match condition:
        case And(parts):
            return conjunction(*(_bound(part, sayable, unsayable=unsayable) for part in parts))
        case Or(parts):
            return disjunction(*(_bound(part, sayable, unsayable=unsayable) for part in parts))
        case Not(part):
            return negation(_bound(part, sayable, unsayable=negation(unsayable)))
        case Test():
            return condition if sayable(condition) else unsayable


def _any_of(covers: list[list[dict[str, str]] | None]) -> list[dict[str, str]] | None:
    named = [cover for cover in covers if cover is not None]
    complete = len(named) == len(covers) > 0
    return _distinct([owner for cover in named for owner in cover]) if complete else None


def _all_of(covers: list[list[dict[str, str]]]) -> list[dict[str, str]] | None:
    """Join covers, the smallest first; one that would make too many owners is left out, which only widens."""
    if not covers:
        return None
    joined, *rest = sorted(covers, key=len)
    for cover in rest:
        if len(joined) * len(cover) <= _MOST_OWNERS:
            agreeing = [one | other for one, other in product(joined, cover) if _agree(one, other)]
            joined = _distinct(agreeing)
    return joined


def _agree(one: dict[str, str], other: dict[str, str]) -> bool:
    return all(one[key] == other[key] for key in one.keys() & other.keys())


def _distinct(some: list[dict[str, str]]) -> list[dict[str, str]]:
    return list({tuple(sorted(owner.items())): owner for owner in some}.values())
