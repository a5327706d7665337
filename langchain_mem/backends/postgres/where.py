"""Filters as SQL: what `filters.matches` means, said to Postgres.

Each `Test` becomes an expression over a `jsonb` column that is true or false and never NULL, so that `NOT` is exactly
the rest. Two tests Postgres cannot decide as Python does: `icontains` outside ASCII, because nothing in Postgres folds
case as `str.casefold` does, and dates that a user wrote in a form of their own. For these the expression is wide: true
wherever the test may hold, and beneath a `NOT` narrow: true only where it must. Then `matches` decides among the found.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from langchain_mem.backends.postgres.text import dumps, encode
from langchain_mem.filters.conditions import And, Condition, Kind, Not, Operator, Or, Path, Test

_COMPARISONS = {Operator.gt: ">", Operator.gte: ">=", Operator.lt: "<", Operator.lte: "<="}


@dataclass
class Compiler:
    """Turns conditions into SQL over one column.

    Attributes:
        column: The `jsonb` column, as SQL.
        parameters: What the SQL refers to as `%(name)s`; grows with each condition.
        exact: Whether all SQL so far says what `matches` means; otherwise it is true for more than that.
    """

    column: str
    parameters: dict[str, Any] = field(default_factory=dict)
    exact: bool = True

    def compile(self, condition: Condition, *, wide: bool = True) -> str:
        """The condition as SQL.

        Args:
            condition: What is asked.
            wide: What to say where SQL cannot be exact: too much, or else too little.

        Returns:
            An expression that is true or false, never NULL.
        """
        match condition:
            case And(parts):
                return self._joined(" AND ", parts, wide) or "TRUE"
            case Or(parts):
                return self._joined(" OR ", parts, wide) or "FALSE"
            case Not(part):
                return f"(NOT {self.compile(part, wide=not wide)})"
            case Test():
                return f"({self._test(condition, wide)} IS TRUE)"

    def _joined(self, word: str, parts: Iterable[Condition], wide: bool) -> str:
        compiled = word.join(self.compile(part, wide=wide) for part in parts)
        return f"({compiled})" if compiled else ""

    def _test(self, test: Test, wide: bool) -> str:
        leaf = self.value(test.path)
        if test.kind is Kind.iso:
            self.exact = False
            return f"(jsonb_typeof({leaf}) = 'string')" if wide else "FALSE"
        match test.operator:
            case Operator.exists:
                return _present(leaf)
            case Operator.subset:
                return f"(jsonb_typeof({leaf}) = 'object')"
            case Operator.eq:
                return self._equal(leaf, test.operand)
            case Operator.in_:
                return self._one_of(leaf, test.operand)
            case Operator.contains:
                return self._contains(leaf, test.operand)
            case Operator.icontains:
                return self._contains_folded(leaf, test.operand, wide)
            case operator:
                return self._ordered(leaf, _COMPARISONS[operator], test.operand)

    def value(self, path: Path) -> str:
        """What is stored at a path. `->` with text never looks into lists, as `#>` does."""
        plain = self._below(self.column, path.keys)
        if path.literal is None:
            return plain
        literal = self._below(self.column, (path.literal,))
        return f"(CASE WHEN {_present(literal)} THEN {self._below(literal, path.below_literal)} ELSE {plain} END)"

    def _below(self, start: str, keys: Iterable[str]) -> str:
        for key in keys:
            start = f"({start} -> {self._text(key)})"
        return start

    def _equal(self, leaf: str, operand: Any) -> str:
        storable = operand is not None and _is_finite(operand)  # a field of `None` is absent, and equals nothing
        return f"({leaf} = {self._json(operand)})" if storable else "FALSE"

    def _one_of(self, leaf: str, operands: Iterable[Any]) -> str:
        wanted = self._parameter([dumps(each) for each in operands if _is_finite(each)], "text[]::jsonb[]")
        element = f"EXISTS (SELECT FROM jsonb_array_elements({leaf}) AS element(each) WHERE each = ANY({wanted}))"
        return f"(CASE jsonb_typeof({leaf}) WHEN 'array' THEN {element} ELSE {leaf} = ANY({wanted}) END)"

    def _contains(self, leaf: str, operand: Any) -> str:
        part = f"strpos({_text_of(leaf)}, {self._text(operand)}) > 0" if isinstance(operand, str) else "FALSE"
        return _by_shape(leaf, part, f"each = {self._json(operand)}" if _is_finite(operand) else "FALSE")

    def _contains_folded(self, leaf: str, operand: str, wide: bool) -> str:
        self.exact = False
        folded = self._text(operand.casefold())
        element = f"jsonb_typeof(each) = 'string' AND {_ascii_or(wide, _text_of('each'), '{0} = ' + folded)}"
        return _by_shape(leaf, _ascii_or(wide, _text_of(leaf), "strpos({0}, " + folded + ") > 0"), element)

    def _ordered(self, leaf: str, comparison: str, operand: float | str) -> str:
        if isinstance(operand, str):
            compared = f'{_text_of(leaf)} COLLATE "C" {comparison} {self._text(operand)}'
            return f"(jsonb_typeof({leaf}) = 'string' AND {compared})"
        number = self._parameter(str(operand) if math.isinf(operand) else dumps(operand), "numeric")
        return f"(CASE jsonb_typeof({leaf}) WHEN 'number' THEN ({leaf} #>> '{{}}')::numeric {comparison} {number} END)"

    def _json(self, operand: Any) -> str:
        return self._parameter(dumps(operand), "jsonb")

    def _text(self, text: str) -> str:
        return self._parameter(encode(text), "text")

    def _parameter(self, value: Any, kind: str) -> str:
        name = f"filter_{len(self.parameters)}"
        self.parameters[name] = value
        return f"%({name})s::{kind}"


def _present(leaf: str) -> str:
    return f"(coalesce(jsonb_typeof({leaf}), 'null') <> 'null')"


def _text_of(leaf: str) -> str:
    return f"({leaf} #>> '{{}}')"


def _by_shape(leaf: str, text: str, element: str) -> str:
    """What holds for text, and what must hold for some element of a list."""
    some = f"EXISTS (SELECT FROM jsonb_array_elements({leaf}) AS element(each) WHERE {element})"
    return f"(CASE jsonb_typeof({leaf}) WHEN 'string' THEN {text} WHEN 'array' THEN {some} ELSE FALSE END)"


def _ascii_or(otherwise: bool, text: str, holds: str) -> str:
    """Whether something holds for the lower case of text in ASCII; for any other text, `otherwise`."""
    lower = holds.format(f'lower({text} COLLATE "C")')
    return f"(CASE WHEN octet_length({text}) = char_length({text}) THEN {lower} ELSE {otherwise} END)"


def _is_finite(operand: Any) -> bool:
    """Whether a value could be stored: JSON has no infinity."""
    if isinstance(operand, dict):
        return all(map(_is_finite, operand.values()))
    if isinstance(operand, list | tuple):
        return all(map(_is_finite, operand))
    return not isinstance(operand, float) or math.isfinite(operand)
