"""The living index of an owner: what a search computes on, changed by each write where it changes.

    documents   numbered as they come; one that is replaced or removed leaves a dead number until the next `tidy`
    vectors     a matrix                                                     `arrays`
    words       postings, appended to                                        `postings`
    neighbors   groups in order, a linked list each                          `order`
    fields      what filters ask about                                       `columns`
    links       which document rests on which

A search is arithmetic on these: a product of the matrix and the query's vector, BM25 at three widths over the postings
of the query's words (`widths`), and the formula of `relevance` for the few documents that could come first
(`candidates`). It gives what `relevance.Corpus` gives when it is built from the same documents, at a cost that follows
what the query touches. The index does no input or output: whoever keeps it tells it what was written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from langchain_mem.filters.conditions import Condition, Path
from langchain_mem.ranking.arrays import Growing, Vectors
from langchain_mem.ranking.bm25 import tokenize
from langchain_mem.ranking.columns import Columns
from langchain_mem.ranking.order import Order, Place
from langchain_mem.ranking.parts import Mask, Places
from langchain_mem.ranking.postings import Postings
from langchain_mem.ranking.relevance import is_question
from langchain_mem.ranking.scale import Scale
from langchain_mem.ranking.widths import Layout

Handle = TypeVar("Handle")

_DEAD_SHARE: Final = 4  # one in so many documents may be dead before they are dropped …
_DEAD_LEAST: Final = 1_000  # … and at least so many
_STEADY: Final = 16  # one document in so many may come or go before the center moves


class Entry(NamedTuple, Generic[Handle]):
    """A document as an index takes it in."""

    handle: Handle
    """What its owner knows it by: unique in an index."""
    key: str
    """What others cite it by; breaks ties."""
    text: str
    """Its words, after its date where it has one."""
    group: str | None = None
    """The session or thread it stood in; `None` for one that stands alone."""
    position: int | float | str | None = None
    """Its place within the group, comparable with the others'."""
    cites: tuple[str, ...] = ()
    """Keys of the documents it rests on."""
    fields: tuple[Any, ...] = ()
    """A value for each column of the index."""


class _Centered(NamedTuple):
    """Where cosines are measured from.

    Attributes:
        scale: Of the embedder.
        size: How many documents there were when the center was worked out.
        center: The mean.
        toward: Shape (size,): of each document's vector and the center.
    """

    scale: Scale
    size: int
    center: npt.NDArray[np.float32]
    toward: npt.NDArray[np.float64]


class Index(Generic[Handle]):
    """The documents of one owner.

    Not safe to use from several threads at once.

    Args:
        paths: The fields to keep columns of from the beginning.
    """

    def __init__(self, paths: Iterable[Path] = ()) -> None:
        self.columns = Columns(paths)
        self.version = 0
        self._numbers: dict[Handle, int] = {}
        self._by_key: dict[str, list[int]] = {}
        self._start()

    def _start(self) -> None:
        self._entries: list[Entry[Handle] | None] = []
        self._order = Order()
        self._postings = Postings()
        self._vectors = Vectors()
        self._living = Growing(np.bool_, fill=False)
        self._asks = Growing(np.bool_, fill=False)
        self._links: list[tuple[int, int]] = []
        self._citing: dict[str, list[int]] = {}
        self._linked: tuple[Places, Places] | None = None
        self._centered: _Centered | None = None

    def __len__(self) -> int:
        """How many documents there are."""
        return len(self._numbers)

    def __contains__(self, handle: Handle) -> bool:
        return handle in self._numbers

    @property
    def size(self) -> int:
        """How many numbers are in use, those of dead documents included: the length of a `Mask`."""
        return len(self._entries)

    @property
    def nbytes(self) -> int:
        """About the memory it takes."""
        parts = (self._order, self._postings, self._vectors, self._living, self.columns)
        return 600 * self.size + sum(part.nbytes for part in parts)

    @property
    def handles(self) -> list[Handle]:
        """Those of all documents, in no order."""
        return list(self._numbers)

    @property
    def living(self) -> Mask:
        """Which numbers are those of documents; the rest are dead."""
        return self._living.all

    @property
    def asks(self) -> Mask:
        """Which numbers are those of questions."""
        return self._asks.all

    def entry(self, number: int) -> Entry[Handle]:
        """The document of a number, without its text and its fields."""
        entry = self._entries[number]
        if entry is None:
            raise LookupError(f"Document {number} is no more.")
        return entry

    def number(self, handle: Handle) -> int | None:
        """The number of a document, `None` where there is no such document."""
        return self._numbers.get(handle)

    def put(
        self, entries: Sequence[Entry[Handle]], vectors: npt.NDArray[np.float32] | None, has: Mask | None = None
    ) -> None:
        """Takes in documents, in place of those that have their handles.

        Args:
            entries: No handle twice.
            vectors: Shape (entries, dims), unit length; `None` where none has one.
            has: Which of them have one; `None` for all.
        """
        if not entries:
            return
        self.version += 1
        for entry in entries:
            self._forget(entry.handle)
        first = self.size
        self._number(entries)
        self._asks.add(len(entries))
        self._asks.all[first:] = [is_question(entry.text) for entry in entries]
        lengths = self._postings.extend([entry.text for entry in entries], first)
        self._order.extend([_place(entry) for entry in entries], lengths)
        self._vectors.extend(vectors, len(entries), has)
        self.columns.extend([entry.fields for entry in entries])
        for number, entry in enumerate(entries, first):
            self._link(number, entry)

    def remove(self, handles: Iterable[Handle]) -> None:
        """Forgets documents; one that is not there is passed over."""
        self.version += 1
        for handle in handles:
            self._forget(handle)

    def tidy(self) -> None:
        """Drops what is dead, if that is much."""
        dead = self.size - len(self)
        if dead > max(_DEAD_LEAST, len(self) // _DEAD_SHARE):
            self.compact()

    def layout(self) -> Layout:
        """How the documents stand."""
        order = self._order
        return Layout(
            living=self.living,
            lengths=order.lengths.all,
            before=order.before.all,
            after=order.after.all,
            group=order.group.all,
            group_lengths=order.group_lengths.all,
            members=order.members.all,
        )

    def words(self, query: str) -> list[tuple[Places, npt.NDArray[np.int64]]]:
        """The postings of each of a query's words, dead documents included."""
        return [self._postings.of(token) for token in sorted(set(tokenize(query)))]

    def cosines(self, vector: npt.NDArray[np.float32] | None, scale: Scale | None = None) -> npt.NDArray[np.float64]:
        """Shape (size,): of each document's embedding and this one; NaN without.

        Args:
            vector: The query's embedding; `None` where there is none.
            scale: Of the embedder; `None` for cosines as they are.
        """
        products = self._vectors.products(vector)
        if vector is None or scale is None or np.isnan(products).all():
            return products
        centered = self._centered = self._around(scale)
        return scale.cosines(products, centered.toward, vector, centered.center)

    def _around(self, scale: Scale) -> _Centered:
        """The center of what there is, moved where that has grown or shrunk by a sixteenth."""
        held, count = self._centered, len(self)
        if held is None or held.scale is not scale or abs(count - held.size) > held.size // _STEADY:
            center = scale.center(*self._vectors.total(self.living))
            return _Centered(scale, count, center, self._vectors.products(center))
        if len(held.toward) == self.size:
            return held
        fresh = self._vectors.products(held.center, len(held.toward))
        return held._replace(toward=np.concatenate([held.toward, fresh]))

    def links(self) -> tuple[Places, Places]:
        """Which documents rest on which: the numbers of the one and of the other."""
        if self._linked is None:
            citing, cited = np.array(self._links, dtype=np.intp).reshape(-1, 2).T
            living = self.living[citing] & self.living[cited]
            self._linked = citing[living], cited[living]
        return self._linked

    def eligible(self, condition: Condition) -> Mask:
        """Which documents fulfill a condition, none of whose fields is missing from the columns."""
        return self.columns.mask(condition, self.size) & self.living

    def groups(self) -> Mapping[str, int]:
        """The numbers of the groups that ever were, by name."""
        return self._order.numbers

    def standing(self, group: int) -> Sequence[tuple[Any, ...]]:
        """The documents of a group in order: what sorts them, and last their number."""
        return self._order.standings[group]

    def _number(self, entries: Sequence[Entry[Handle]]) -> None:
        first = self.size
        self._entries.extend(entry._replace(text="", fields=()) for entry in entries)  # both are elsewhere by now
        self._living.add(len(entries))
        self._living.all[first:] = True
        for number, entry in enumerate(entries, first):
            self._numbers[entry.handle] = number
            self._by_key.setdefault(entry.key, []).append(number)

    def _forget(self, handle: Handle) -> None:
        number = self._numbers.pop(handle, None)
        if number is None:
            return
        entry = self.entry(number)
        self._order.remove(number, _place(entry))
        self._living.all[number] = False
        self._linked = None
        self._entries[number] = None
        same = self._by_key[entry.key]
        same.remove(number)
        if not same:
            del self._by_key[entry.key]

    def _link(self, number: int, entry: Entry[Handle]) -> None:
        """Notes what a document cites, and who cites it; either may come first."""
        fresh = [(number, cited) for key in entry.cites for cited in self._by_key.get(key, ())]
        fresh += [(citing, number) for citing in self._citing.get(entry.key, ()) if citing != number]
        for key in entry.cites:
            self._citing.setdefault(key, []).append(number)
        if fresh:
            self._links += fresh
            self._linked = None

    def compact(self) -> None:
        """Gives the living new numbers in their order."""
        living = self.living.copy()
        entries = [entry for entry in self._entries if entry is not None]
        places = np.where(living, np.cumsum(living) - 1, -1)
        lengths = self._order.lengths.all[living].copy()
        vectors, postings, asks = self._vectors, self._postings, self._asks
        asks.keep(living)
        vectors.keep(living)
        postings.renumber(places)
        self.columns.keep(living)
        self._numbers, self._by_key = {}, {}
        self._start()
        self._vectors, self._postings, self._asks = vectors, postings, asks
        self._number(entries)
        self._order.extend([_place(entry) for entry in entries], lengths)
        for number, entry in enumerate(entries):
            self._link(number, entry)


def _place(entry: Entry[Any]) -> Place:
    return Place(entry.group, entry.position, entry.key)
