"""What is kept of each document as one element of an array: its fields for filters, and its vector.

So a condition is decided, and a query compared with all vectors, by arithmetic on arrays. A column keeps each distinct
value of a field once, and for each document the number of its value. A test is decided once for each distinct value, by
`matches`, and remembered; what it says of a document is looked up by number.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from langchain_mem.filters.conditions import And, Condition, Kind, Not, Operator, Or, Path, Test, matches
from langchain_mem.ranking.parts import Mask

T = TypeVar("T", bound=np.generic)

_LEAST: Final = 16  # elements there is room for at the beginning
_BLOCK: Final = 16_384  # vectors in one block at most: 25 MB at 384 dimensions
_REMEMBERED: Final = 64  # tests of a column whose answers are kept
_FEW: Final = 32  # distinct values that are asked one by one in no time
_WIDE: Final = 32  # bytes of text that are compared as an array
_PLAIN: Final = frozenset({str, type(None)})  # types whose values are equal only where they are the same
_COMPARE: Final[dict[Operator, Callable[[Any, Any], Any]]] = {
    Operator.lt: np.less,
    Operator.lte: np.less_equal,
    Operator.gt: np.greater,
    Operator.gte: np.greater_equal,
}


class Growing(Generic[T]):
    """An array with room at its end, which doubles when it is full, so that an element is appended in constant time.

    Args:
        dtype: Of the elements.
        fill: What elements are until they are set.

    Attributes:
        all: A view of the elements; good until the next one is added.
        size: How many there are.
    """

    __slots__ = ("_data", "_fill", "all", "size")

    def __init__(self, dtype: type[T], fill: Any = 0) -> None:
        self._data: npt.NDArray[T] = np.full(_LEAST, fill, dtype=dtype)
        self._fill = fill
        self.size = 0
        self.all: npt.NDArray[T] = self._data[:0]

    @property
    def nbytes(self) -> int:
        """The memory it takes."""
        return int(self._data.nbytes)

    def add(self, count: int, values: Any = None) -> None:
        """Makes so many elements more.

        Args:
            count: How many.
            values: What they are; `None` for what elements are until they are set.
        """
        first = self.size
        self.size += count
        if self.size > len(self._data):
            grown = np.full(max(self.size, 2 * len(self._data)), self._fill, dtype=self._data.dtype)
            grown[:first] = self.all
            self._data = grown
        self.all = self._data[: self.size]
        if values is not None:
            self.all[first:] = values

    def keep(self, which: npt.NDArray[np.bool_]) -> None:
        """Drops the other elements."""
        self._data = self.all = self.all[which]
        self.size = len(self._data)

    def __getstate__(self) -> tuple[npt.NDArray[T], Any]:
        return self.all, self._fill

    def __setstate__(self, state: tuple[npt.NDArray[T], Any]) -> None:
        self._data, self._fill = state
        self.all, self.size = self._data, len(self._data)


class Vectors:
    """One vector a document in blocks, so that a new one never moves those that are there.

    A document without an embedding has a row of zeros, and NaN for its product.
    """

    def __init__(self) -> None:
        self._blocks: list[npt.NDArray[np.float32]] = []
        self._has = Growing(np.bool_, fill=False)
        self.any = False  # whether any document has ever had one

    def __getstate__(self) -> dict[str, Any]:
        """Without the room at the end, so that blocks that are read back are full and never written to."""
        blocks = [block[rows] for block, _, rows in self._spans(0, self._has.size)]
        return {**self.__dict__, "_blocks": blocks}

    @property
    def nbytes(self) -> int:
        """The memory it takes."""
        return sum(block.nbytes for block in self._blocks) + self._has.nbytes

    def extend(self, vectors: npt.NDArray[np.float32] | None, count: int, has: npt.NDArray[np.bool_] | None) -> None:
        """Adds vectors of so many documents.

        Args:
            vectors: Shape (count, dims); `None` where none of them has one.
            count: How many documents.
            has: Which of them have one; `None` for all.
        """
        start = self._has.size
        if vectors is None or not vectors.shape[1]:
            self._has.add(count)
            return
        self._has.add(count, True if has is None else has)
        self._reach(start + count, vectors.shape[1])
        self.any = self.any or bool(self._has.all[start:].any())
        for block, at, rows in self._spans(start, count):
            block[rows] = vectors[at]

    def products(self, query: npt.NDArray[np.float32] | None, start: int = 0) -> npt.NDArray[np.float64]:
        """Shape (documents,): of each vector and this one; NaN where there is none.

        Args:
            query: The one.
            start: Documents before this one are left out.
        """
        size = self._has.size - start
        found = np.full(size, np.nan)
        if query is None or not self._blocks:
            return found
        for block, at, rows in self._spans(start, size):
            found[at] = block[rows] @ query
        found[~self._has.all[start:]] = np.nan
        return found

    def take(self, numbers: npt.NDArray[np.intp]) -> npt.NDArray[np.float32]:
        """Shape (numbers, dims): the vectors of these documents, zeros where one has none."""
        dims = self._blocks[0].shape[1] if self._blocks else 0
        taken = np.zeros((len(numbers), dims), dtype=np.float32)
        first = 0
        for block in self._blocks:
            here = (numbers >= first) & (numbers < first + len(block))
            taken[here] = block[numbers[here] - first]
            first += len(block)
        return taken

    def each(self, numbers: npt.NDArray[np.intp]) -> list[npt.NDArray[np.float32] | None]:
        """The vector of each of these documents; `None` where it has none."""
        pairs = zip(self.take(numbers), self._has.all[numbers].tolist(), strict=True)
        return [vector if has else None for vector, has in pairs]

    def total(self, which: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.float64], int]:
        """The sum of these documents' vectors, and how many of them have one."""
        counted = which & self._has.all
        sums = [counted[at].astype(np.float32) @ block[rows] for block, at, rows in self._spans(0, len(counted))]
        return np.sum(sums, axis=0, dtype=np.float64), int(np.count_nonzero(counted))

    def keep(self, which: npt.NDArray[np.bool_]) -> None:
        """Drops the other documents."""
        size, starts = self._has.size, np.cumsum([0, *(len(block) for block in self._blocks)])
        self._blocks = [
            block[: max(0, size - start)][which[start : start + len(block)]]
            for block, start in zip(self._blocks, starts, strict=False)
            if start < size
        ]
        self._blocks = [block for block in self._blocks if len(block)]
        self._has.keep(which)

    def _reach(self, size: int, dims: int) -> None:
        """Makes room for so many documents."""
        room = sum(len(block) for block in self._blocks)
        while room < size:
            rows = min(max(_LEAST, room // 2, min(size - room, _BLOCK)), _BLOCK)
            self._blocks.append(np.zeros((rows, dims), dtype=np.float32))
            room += rows

    def _spans(self, start: int, count: int) -> list[tuple[npt.NDArray[np.float32], slice, slice]]:
        """The blocks that hold so many documents from `start`: which of the documents, and in which rows."""
        spans, first = [], 0
        for block in self._blocks:
            low, high = max(start, first), min(start + count, first + len(block))
            if low < high:
                spans.append((block, slice(low - start, high - start), slice(low - first, high - first)))
            first += len(block)
        return spans


class _Numbers(dict[Hashable, int]):
    """The numbers of values. A text that was never seen gets the next number; the rest is looked up by a C loop."""

    def __init__(self, values: list[Any]) -> None:
        super().__init__()
        self._values = values

    def __missing__(self, value: Hashable) -> int:
        number = self[value] = len(self._values)
        self._values.append(value)
        return number


class Column:
    """The values of one field."""

    def __init__(self) -> None:
        self._codes = Growing(np.int32)
        self._values: list[Any] = []
        self._numbers = _Numbers(self._values)
        self._texts: npt.NDArray[np.bytes_] | None = None
        self._micros = Growing(np.int64)
        self._answers: dict[Hashable, Mask] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_answers": {}}  # they are named by conditions, and soon asked for again

    @property
    def nbytes(self) -> int:
        """About the memory it takes."""
        return self._codes.nbytes + 200 * len(self._values)

    def extend(self, values: Sequence[Any]) -> None:
        """Adds the values of further documents."""
        plain = _PLAIN.issuperset(map(type, values))
        codes = map(self._numbers.__getitem__, values) if plain else map(self._code, values)
        self._codes.add(len(values), np.fromiter(codes, dtype=np.int32, count=len(values)))

    def values(self, documents: npt.NDArray[np.intp]) -> list[Any]:
        """The values of some documents."""
        return [self._values[code] for code in self._codes.all[documents].tolist()]

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
            texts = [value[:-1] if isinstance(value, str) else "1970-01-01" for value in fresh]
            self._micros.add(len(fresh), np.array(texts, dtype="datetime64[us]").astype(np.int64))
        return self._micros.all[self._codes.all]

    def keep(self, which: Mask) -> None:
        """Drops the other documents, and their values where most of all values are no document's any more."""
        self._codes.keep(which)
        used = np.unique(self._codes.all)
        if len(used) < len(self._values) // 2:
            self._renumber(used)

    def forget_unused(self) -> None:
        """Drops the values that no document has."""
        used = np.unique(self._codes.all)
        if len(used) < len(self._values):
            self._renumber(used)

    def _renumber(self, used: npt.NDArray[np.int32]) -> None:
        """Gives the values that have these numbers new ones, and drops the others."""
        fresh = dict(zip(used.tolist(), itertools.count(), strict=False))
        numbers = {name: fresh[code] for name, code in self._numbers.items() if code in fresh}
        self._values = [self._values[code] for code in fresh]
        self._numbers = _Numbers(self._values)
        self._numbers.update(numbers)
        self._codes.all[:] = np.searchsorted(used, self._codes.all)
        self._texts, self._micros, self._answers = None, Growing(np.int64), {}

    def _code(self, value: Any) -> int:
        if type(value) in _PLAIN:
            return self._numbers[value]
        spelled = _spelled(value)
        code = self._numbers.get(spelled)
        if code is None:
            code = self._numbers[spelled] = len(self._values)
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

    def values(self, documents: npt.NDArray[np.intp], paths: Sequence[Path]) -> list[list[Any]]:
        """For each of some columns the values of some documents."""
        return [self._columns[path].values(documents) for path in paths]

    def extend(self, fields: Sequence[Sequence[Any]]) -> None:
        """Adds documents: for each column the value of each of them."""
        for column, values in zip(self._columns.values(), fields, strict=True):
            column.extend(values)

    def keep(self, which: Mask) -> None:
        """Drops the other documents."""
        for column in self._columns.values():
            column.keep(which)

    def forget_unused(self) -> None:
        """Drops the values that no document has any more."""
        for column in self._columns.values():
            column.forget_unused()

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
    """What a value that is neither text nor `None` is known by, which no text is equal to."""
    return (json.dumps(value, sort_keys=True),) if value or not isinstance(value, dict | list) else (type(value),)


def _short(value: Any) -> bool:
    """Whether a value is text that compares byte by byte as it does character by character, and is not cut off."""
    return isinstance(value, str) and value.isascii() and 0 < len(value) <= _WIDE and "\x00" not in value
