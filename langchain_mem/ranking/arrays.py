"""Arrays that grow: one element or one vector for each document, in the order in which documents came."""

from __future__ import annotations

from typing import Any, Final, Generic, TypeVar

import numpy as np
import numpy.typing as npt

T = TypeVar("T", bound=np.generic)

_LEAST: Final = 16  # elements there is room for at the beginning
_BLOCK: Final = 16_384  # vectors in one block at most: 25 MB at 384 dimensions


class Growing(Generic[T]):
    """An array with room at its end, which doubles when it is full, so that an element is appended in constant time.

    Args:
        dtype: Of the elements.
        fill: What elements are until they are set.
    """

    __slots__ = ("_data", "_fill", "size")

    def __init__(self, dtype: type[T], fill: Any = 0) -> None:
        self._data: npt.NDArray[T] = np.full(_LEAST, fill, dtype=dtype)
        self._fill = fill
        self.size = 0

    @property
    def all(self) -> npt.NDArray[T]:
        """A view of the elements; good until the next one is added."""
        return self._data[: self.size]

    @property
    def nbytes(self) -> int:
        """The memory it takes."""
        return int(self._data.nbytes)

    def add(self, count: int) -> None:
        """Makes so many elements more."""
        self.size += count
        if self.size > len(self._data):
            grown = np.full(max(self.size, 2 * len(self._data)), self._fill, dtype=self._data.dtype)
            grown[: len(self._data)] = self._data
            self._data = grown

    def keep(self, which: npt.NDArray[np.bool_]) -> None:
        """Drops the other elements."""
        self._data = self._data[: self.size][which]
        self.size = len(self._data)


class Vectors:
    """One vector a document in blocks, so that a new one never moves those that are there.

    A document without an embedding has a row of zeros, and NaN for its product.
    """

    def __init__(self) -> None:
        self._blocks: list[npt.NDArray[np.float32]] = []
        self._has = Growing(np.bool_, fill=False)
        self._full = 0  # rows in all blocks but the last

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
        self._has.add(count)
        if vectors is None or not vectors.shape[1]:
            return
        self._reach(start + count, vectors.shape[1])
        self._has.all[start:] = True if has is None else has
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
        self._full = sum(len(block) for block in self._blocks[:-1])
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
