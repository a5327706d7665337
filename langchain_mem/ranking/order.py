"""Where documents stand: in groups, one after another, so that the neighbors of each are known."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from langchain_mem.ranking.columns import Growing

NOBODY = -1
"""The number of no document and of no group."""

Standing: TypeAlias = tuple[bool, Any, str, int]
"""Sorts documents within a group: those without a position last; ties go by key; the number comes along."""


class Placed(Protocol):
    """What says where a document stands: its group, its place in it, and its key."""

    @property
    def group(self) -> str | None:
        """The session or thread it stands in."""

    @property
    def position(self) -> int | float | str | None:
        """Its place in there."""

    @property
    def key(self) -> str:
        """What decides between equal places."""


class Order:
    """The groups of an owner's documents, and who stands beside whom.

    Attributes:
        lengths: Tokens of each document.
        before: The document before each in its group, or `NOBODY`.
        after: The one after it.
        group: The number of each document's group; `NOBODY` for one that stands alone.
        group_lengths: Tokens of each group.
        members: Documents of each group.
    """

    def __init__(self) -> None:
        self.lengths = Growing(np.int64)
        self.before = Growing(np.int32, fill=NOBODY)
        self.after = Growing(np.int32, fill=NOBODY)
        self.group = Growing(np.int32, fill=NOBODY)
        self.group_lengths = Growing(np.int64)
        self.members = Growing(np.int64)
        self.numbers: dict[str, int] = {}
        self.standings: list[list[Standing]] = []

    @property
    def nbytes(self) -> int:
        """About the memory it takes."""
        return 4 * self.lengths.nbytes + 150 * self.lengths.size + 200 * len(self.standings)

    def extend(self, places: Sequence[Placed], lengths: npt.NDArray[np.int64]) -> None:
        """Adds documents of so many tokens each."""
        first = self.lengths.size
        self.lengths.add(len(places), lengths)
        for column in (self.before, self.after, self.group):
            column.add(len(places))
        if len(places) < 32:  # below, sorting groups anew costs more than it saves
            for document, place in enumerate(places, first):
                if place.group is not None:
                    self._insert(document, place, place.group)
        else:
            self._insert_many(first, places)

    def remove(self, document: int, place: Placed) -> None:
        """Takes a document out of its group; its neighbors stand beside each other then."""
        number = int(self.group.all[document])
        if number == NOBODY:
            return
        standings = self.standings[number]
        del standings[bisect_left(standings, _standing(place, document))]
        before, after = int(self.before.all[document]), int(self.after.all[document])
        self._join(before, after)
        self.group.all[document] = self.before.all[document] = self.after.all[document] = NOBODY
        self._measure(number, -1, -int(self.lengths.all[document]))

    def _insert(self, document: int, place: Placed, group: str) -> None:
        number = self._number(group)
        self.group.all[document] = number
        standings = self.standings[number]
        insort(standings, standing := _standing(place, document))
        at = bisect_left(standings, standing)
        before = standings[at - 1][-1] if at else NOBODY
        after = standings[at + 1][-1] if at + 1 < len(standings) else NOBODY
        self._join(before, document)
        self._join(document, after)
        self._measure(number, 1, int(self.lengths.all[document]))

    def _insert_many(self, first: int, places: Sequence[Placed]) -> None:
        touched: set[int] = set()
        for document, place in enumerate(places, first):
            if place.group is not None:
                number = self._number(place.group)
                self.standings[number].append(_standing(place, document))
                touched.add(number)
        for number in touched:
            self.standings[number].sort()
        self._chain(sorted(touched))

    def _chain(self, groups: Sequence[int]) -> None:
        """Works out the neighbors in these groups from their standings."""
        chained = [standing[-1] for number in groups for standing in self.standings[number]]
        sizes = [len(self.standings[number]) for number in groups]
        documents = np.array(chained, dtype=np.int32)
        owners = np.repeat(np.array(groups, dtype=np.int32), sizes)
        self.group.all[documents] = owners
        together = owners[1:] == owners[:-1]
        self.before.all[documents[1:]] = np.where(together, documents[:-1], NOBODY)
        self.after.all[documents[:-1]] = np.where(together, documents[1:], NOBODY)
        self.before.all[documents[:1]] = self.after.all[documents[-1:]] = NOBODY
        numbers = np.array(groups, dtype=np.intp)
        totals = np.bincount(owners, weights=self.lengths.all[documents], minlength=self.members.size)
        self.group_lengths.all[numbers] = totals[numbers].astype(np.int64)
        self.members.all[numbers] = sizes

    def _number(self, group: str) -> int:
        number = self.numbers.setdefault(group, len(self.numbers))
        if number == len(self.standings):
            self.standings.append([])
            self.group_lengths.add(1)
            self.members.add(1)
        return number

    def _join(self, before: int, after: int) -> None:
        if before != NOBODY:
            self.after.all[before] = after
        if after != NOBODY:
            self.before.all[after] = before

    def _measure(self, number: int, members: int, length: int) -> None:
        """Counts a group's members and tokens after so many more or fewer."""
        self.members.all[number] += members
        self.group_lengths.all[number] += length


def _standing(place: Placed, document: int) -> Standing:
    unplaced = place.position is None
    return unplaced, 0 if unplaced else place.position, place.key, document
