"""What filters ask about documents, as columns, so that a condition is decided by arithmetic on arrays.

A column keeps each distinct value once, and for each document the number of its value. A test is decided once for each
distinct value, by `matches`, and remembered; what it says of a document is looked up by number.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
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
_THERE: Final = Path(("value",))
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
        self._answers: dict[Test, Mask] = {}

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

    def mask(self, test: Test) -> Mask:
        """Which documents a test holds for."""
        if not self._codes.size:
            return np.zeros(0, dtype=bool)
        return self._answer(test)[self._codes.all]

    def keep(self, which: Mask) -> None:
        """Drops the other documents."""
        self._codes.keep(which)

    def _code(self, value: Any) -> int:
        spelled = value if isinstance(value, str) else (json.dumps(value, sort_keys=True),)
        code = self._numbers.setdefault(spelled, len(self._values))
        if code == len(self._values):
            self._values.append(value)
        return code

    def _answer(self, test: Test) -> Mask:
        """For each distinct value whether the test holds; those known already are not asked again."""
        compared = self._compared(test)
        if compared is not None:
            return compared
        known = self._answers.pop(test, np.zeros(0, dtype=bool))
        here = replace(test, path=_THERE)
        fresh = [matches(here, {"value": value}) for value in self._values[len(known) :]]
        self._answers[test] = np.concatenate([known, np.array(fresh, dtype=bool)])
        if len(self._answers) > _REMEMBERED:
            del self._answers[next(iter(self._answers))]
        return self._answers[test]

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
        return [path for path in dict.fromkeys(_paths(condition)) if path not in self._columns]

    def extend(self, rows: Sequence[Sequence[Any]]) -> None:
        """Adds documents: for each of them a value for each column."""
        by_column = zip(*rows, strict=True) if rows else ()
        for column, values in zip(self._columns.values(), by_column, strict=False):
            column.extend(values)

    def add(self, path: Path, values: Sequence[Any]) -> None:
        """Makes a column of a field, with its value in each document there is."""
        self._columns[path] = Column()
        self._columns[path].extend(values)

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
                return self._columns[path].mask(condition)


def _paths(condition: Condition) -> list[Path]:
    match condition:
        case And(parts) | Or(parts):
            return [path for part in parts for path in _paths(part)]
        case Not(part):
            return _paths(part)
        case Test(path):
            return [path]


def _short(value: Any) -> bool:
    """Whether a value is text that compares byte by byte as it does character by character, and is not cut off."""
    return isinstance(value, str) and value.isascii() and 0 < len(value) <= _WIDE and "\x00" not in value
