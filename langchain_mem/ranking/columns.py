"""What filters ask about documents, as columns, so that a condition is decided by arithmetic on arrays.

A column keeps each distinct value once, and for each document the number of its value. A test is decided once for each
distinct value, by `matches`, and remembered; what it says of a document is looked up by number.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from langchain_mem.filters.conditions import And, Condition, Kind, Not, Operator, Or, Path, Test, matches
from langchain_mem.ranking.arrays import Growing
from langchain_mem.ranking.parts import Mask

_REMEMBERED: Final = 64  # tests of a column whose answers are kept
_FEW: Final = 32  # distinct values that are asked one by one in no time
_WIDE: Final = 32  # bytes of text that are compared as an array
_COMPARE: Final[dict[Operator, Callable[[Any, Any], Any]]] = {
    Operator.lt: np.less,
    Operator.lte: np.less_equal,
    Operator.gt: np.greater,
    Operator.gte: np.greater_equal,
}


class Column:
    """The values of one field."""

    def __init__(self) -> None:
        self._codes = Growing(np.int32)
        self._values: list[Any] = []
        self._numbers: dict[Any, int] = {}
        self._texts: npt.NDArray[np.bytes_] | None = None
        self._micros = Growing(np.int64)
        self._answers: dict[Hashable, Mask] = {}

    @property
    def nbytes(self) -> int:
        """About the memory it takes."""
        return self._codes.nbytes + 200 * len(self._values)

    def extend(self, values: Sequence[Any]) -> None:
        """Adds the values of further documents."""
        first = self._codes.size
        self._codes.add(len(values))
        self._codes.all[first:] = [self._code(value) for value in values]

    def get(self, document: int) -> Any:
        """The value of a document."""
        return self._values[self._codes.all[document]]

    def mask(self, test: Test, below: tuple[str, ...] = ()) -> Mask:
        """Which documents a test holds for.

        Args:
            test: What is asked of the value, or of what stands below it.
            below: The keys that lead there from the value.
        """
        return self._spread(self._answer(test, below))

    def where(self, name: Hashable, holds: Callable[[Any], bool]) -> Mask:
        """Which documents have a value that fulfills a predicate.

        Args:
            name: The same for the same predicate only: its answers are remembered by it.
            holds: The predicate.
        """
        return self._spread(self._remembered(name, holds))

    def equal(self, value: str) -> npt.NDArray[np.intp]:
        """The numbers of the documents that have a text, dead ones included."""
        code = self._numbers.get(value)
        return np.flatnonzero(self._codes.all == code) if code is not None else np.zeros(0, dtype=np.intp)

    def instants(self) -> npt.NDArray[np.int64]:
        """Shape (documents,): microseconds since 1970 of values that are instants as `iso` writes them."""
        fresh = self._values[self._micros.size :]
        if fresh:
            first = self._micros.size
            self._micros.add(len(fresh))
            texts = [value[:-1] if isinstance(value, str) else "1970-01-01" for value in fresh]
            self._micros.all[first:] = np.array(texts, dtype="datetime64[us]").astype(np.int64)
        return self._micros.all[self._codes.all]

    def keep(self, which: Mask) -> None:
        """Drops the other documents."""
        self._codes.keep(which)

    def _code(self, value: Any) -> int:
        spelled = value if isinstance(value, str) else _spelled(value)
        code = self._numbers.setdefault(spelled, len(self._values))
        if code == len(self._values):
            self._values.append(value)
        return code

    def _spread(self, answers: Mask) -> Mask:
        """What holds for values as what holds for documents."""
        return answers[self._codes.all] if self._codes.size else np.zeros(0, dtype=bool)

    def _answer(self, test: Test, below: tuple[str, ...]) -> Mask:
        """For each distinct value whether the test holds."""
        compared = None if below else self._compared(test)
        if compared is not None:
            return compared

        def holds(value: Any) -> bool:
            return matches(replace(test, path=Path(("value", *below))), {"value": value})

        return self._remembered(test, holds)

    def _remembered(self, name: Hashable, holds: Callable[[Any], bool]) -> Mask:
        """For each distinct value whether a predicate holds; those known already are not asked again."""
        known = self._answers.pop(name, np.zeros(0, dtype=bool))
        fresh = [holds(value) for value in self._values[len(known) :]]
        self._answers[name] = np.concatenate([known, np.array(fresh, dtype=bool)])
        if len(self._answers) > _REMEMBERED:
            del self._answers[next(iter(self._answers))]
        return self._answers[name]

    def _compared(self, test: Test) -> Mask | None:
        """The same by comparing arrays, where many texts are compared with one, such as instants."""
        ordered = test.operator in _COMPARE and test.kind is not Kind.iso and _short(test.operand)
        if not ordered or len(self._values) <= _FEW or not self._spell():
            return None
        texts = self._texts
        assert texts is not None  # noqa: S101 - `_spell` made it
        holds = _COMPARE[test.operator](texts, test.operand.encode())
        return np.asarray(holds & (texts != b""))  # nothing is stored: no test holds

    def _spell(self) -> bool:
        """Whether all values are short plain text or absent; they are in `_texts` then."""
        known = 0 if self._texts is None else len(self._texts)
        fresh = self._values[known:]
        if not all(value is None or _short(value) for value in fresh):
            return False
        if fresh or self._texts is None:
            spelled = np.array(["" if value is None else value for value in fresh], dtype=f"S{_WIDE}")
            self._texts = spelled if self._texts is None else np.concatenate([self._texts, spelled])
        return True


class Columns:
    """The columns that were asked for so far.

    Args:
        paths: Those to begin with.
    """

    def __init__(self, paths: Iterable[Path] = ()) -> None:
        self._columns = {path: Column() for path in paths}

    @property
    def paths(self) -> tuple[Path, ...]:
        """What there is a column of, in the order in which `extend` takes values."""
        return tuple(self._columns)

    @property
    def nbytes(self) -> int:
        """About the memory they take."""
        return sum(column.nbytes for column in self._columns.values())

    def __getitem__(self, path: Path) -> Column:
        return self._columns[path]

    def missing(self, condition: Condition) -> list[Path]:
        """The fields a condition asks about that there is no column of yet."""
        return [path for path in dict.fromkeys(_paths(condition)) if self._covering(path) is None]

    def extend(self, rows: Sequence[Sequence[Any]]) -> None:
        """Adds documents: for each of them a value for each column."""
        by_column = zip(*rows, strict=True) if rows else ()
        for column, values in zip(self._columns.values(), by_column, strict=False):
            column.extend(values)

    def keep(self, which: Mask) -> None:
        """Drops the other documents."""
        for column in self._columns.values():
            column.keep(which)

    def mask(self, condition: Condition, size: int) -> Mask:
        """Which of so many documents fulfill a condition, none of whose fields is `missing`."""
        match condition:
            case And(parts):
                every = [self.mask(part, size) for part in parts]
                return np.asarray(np.logical_and.reduce([np.ones(size, dtype=bool), *every]))
            case Or(parts):
                every = [self.mask(part, size) for part in parts]
                return np.asarray(np.logical_or.reduce([np.zeros(size, dtype=bool), *every]))
            case Not(part):
                return ~self.mask(part, size)
            case Test(path):
                covering = self._covering(path)
                if covering is None:
                    raise LookupError(f"There is no column of {path}.")
                return self._columns[covering].mask(condition, path.keys[len(covering.keys) :])

    def _covering(self, path: Path) -> Path | None:
        """The column of a field, or of the object that the field is in."""
        if path in self._columns or path.literal is not None:
            return path if path in self._columns else None
        above = (Path(path.keys[:depth]) for depth in range(len(path.keys) - 1, 0, -1))
        return next((each for each in above if each in self._columns), None)


def _paths(condition: Condition) -> list[Path]:
    match condition:
        case And(parts) | Or(parts):
            return [path for part in parts for path in _paths(part)]
        case Not(part):
            return _paths(part)
        case Test(path):
            return [path]


def _spelled(value: Any) -> Hashable:
    """What a value that is no text is known by; a text is never equal to it."""
    if value is None or value == {} or value == []:
        return (None if value is None else type(value).__name__,)
    return (json.dumps(value, sort_keys=True),)


def _short(value: Any) -> bool:
    """Whether a value is text that compares byte by byte as it does character by character, and is not cut off."""
    return isinstance(value, str) and value.isascii() and 0 < len(value) <= _WIDE and "\x00" not in value
