"""The living index of an owner: what a search computes on, changed by each write where it changes.

    documents   numbered as they come; one that is replaced or removed leaves a dead number until the next `tidy`
    fields      what filters ask about, and the vectors                      `columns`
    words       postings, appended to                                        `words`
    neighbors   groups in order, a linked list each                          `order`
    links       which document rests on which

A search is arithmetic on these: a product of the matrix and the query's vector, BM25 at three widths over the postings
of the query's words, and the formula of `relevance` for the few documents that could come first (`candidates`). It
gives what `corpus.Corpus` gives when it is built from the same documents, at a cost that follows what the query
touches. The index does no input or output: whoever keeps it tells it what was written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from langchain_mem.filters.conditions import Condition, Path
from langchain_mem.ranking.bm25 import Layout
from langchain_mem.ranking.columns import Columns, Growing, Vectors
from langchain_mem.ranking.order import Order
from langchain_mem.ranking.parts import Floats, Mask, Parts, Places
from langchain_mem.ranking.passing import is_passing, is_question
from langchain_mem.ranking.scale import Compared, Scale
from langchain_mem.ranking.situations import Situations, Wanted
from langchain_mem.ranking.subjects import subjects, subjects_of
from langchain_mem.ranking.tokens import tokenize
from langchain_mem.ranking.words import Found, Postings

Handle = TypeVar("Handle")

_DEAD_SHARE: Final = 4  # one in so many documents may be dead before they are dropped …
_DEAD_LEAST: Final = 1_000  # … and at least so many
_EACH: Final = 33  # bytes that Python takes for a `bytes` beside what is in it
_STEADY: Final = 16  # one document in so many may come or go before the center moves


class IndexEntry(NamedTuple, Generic[Handle]):
    """What an index keeps of a document beside its words, its vector and its fields."""

    handle: Handle
    """What its owner knows it by: unique in an index."""
    key: str
    """What others cite it by; breaks ties."""
    group: str | None = None
    """The session or thread it stood in; `None` for one that stands alone."""
    position: int | float | str | None = None
    """Its place within the group, comparable with the others'."""
    cites: Sequence[str] = ()
    """Keys of the documents it rests on."""
    whole: bytes | None = None
    """All of it, as its owner spells it; `None` where that is not held."""


class _Centered(NamedTuple):
    """Where cosines are measured from.

    Attributes:
        scale: Of the embedder.
        size: How many documents there were when the center was worked out.
        center: The mean.
        toward: Shape (size,): of each document's vector and the center.
        ordinary: Shape (size,): of each document's vector and the mean of ordinary sentences.
    """

    scale: Scale
    size: int
    center: npt.NDArray[np.float32]
    toward: npt.NDArray[np.float64]
    ordinary: npt.NDArray[np.float64]


class _Weighed(NamedTuple):
    """What situations make of documents.

    Attributes:
        situations: Which.
        weights: Shape (documents,): how much each weighs.
        passing: Shape (documents,): how much each is of what passes.
    """

    situations: Situations | None
    weights: Floats
    passing: Floats

    def extended(self, vectors: Vectors) -> _Weighed:
        """The same for all documents."""
        known, situations = len(self.weights), self.situations
        assert situations is not None  # noqa: S101 - nothing is weighed for none
        directions = (situations.worth.direction, situations.lasting.direction, situations.scale.mean)
        worth, lasting, toward = (vectors.products(each, known) for each in directions)
        return _Weighed(
            situations,
            np.concatenate([self.weights, situations.weights(worth, toward)]),
            np.concatenate([self.passing, situations.passing(lasting, toward)]),
        )


_NOT_WEIGHED: Final = _Weighed(None, np.zeros(0), np.zeros(0))


class Index(Generic[Handle]):
    """The documents of one owner.

    Not safe to use from several threads at once.

    Args:
        paths: The fields to keep columns of from the beginning.

    Attributes:
        columns: The fields.
        living: Which numbers are those of documents; the rest are dead.
        asks: Which numbers are those of questions.
        holds_whole: Whether any document was ever held whole.
    """

    def __init__(self, paths: Iterable[Path] = ()) -> None:
        self.columns = Columns(paths)
        self.holds_whole = False
        self._numbers: dict[Handle, int] = {}
        self._by_key: dict[str, list[int]] = {}
        self._asks = Growing(np.bool_, fill=False)
        self._passing = Growing(np.bool_, fill=False)
        self._vectors = Vectors()
        self._postings = Postings()
        self._start()

    def _start(self) -> None:
        self._entries: list[IndexEntry[Handle] | None] = []
        self._order = Order()
        self._living = Growing(np.bool_, fill=False)
        self._prefixes = Growing(np.uint64)
        self._links: list[tuple[int, int]] = []
        self._citing: dict[str, list[int]] = {}
        self._centered: _Centered | None = None
        self._weighed = _NOT_WEIGHED
        self._changed()

    def __getstate__(self) -> dict[str, Any]:
        worked_out = dict.fromkeys(("living", "asks", "_layout", "_linked", "_centered"))
        return {**self.__dict__, **worked_out, "_weighed": _NOT_WEIGHED}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._changed()

    def _changed(self) -> None:
        """Forgets what was worked out for a search."""
        self.living, self.asks = self._living.all, self._asks.all
        self._layout: Layout | None = None
        self._linked: tuple[Places, Places] | None = None

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
        whole = sum(len(entry.whole) + _EACH for entry in self._entries if entry and entry.whole)
        return 600 * self.size + whole + sum(part.nbytes for part in parts)

    @property
    def handles(self) -> list[Handle]:
        """Those of all documents, in no order."""
        return list(self._numbers)

    def having(self, path: Path, value: str) -> list[Handle]:
        """The documents whose field, one that there is a column of, is this text."""
        found = self.columns[path].equal(value)
        return self.handles_of(found[self.living[found]]) if len(found) else []

    def number(self, handle: Handle) -> int | None:
        """The number of a document, `None` where there is no such document."""
        return self._numbers.get(handle)

    def numbers(self, handles: Sequence[Handle]) -> Places:
        """The numbers of documents that there are."""
        return np.array([self._numbers[handle] for handle in handles], dtype=np.intp)

    def values(self, handles: Sequence[Handle], paths: Sequence[Path]) -> list[list[Any]]:
        """For each of some columns the values of some documents."""
        return self.columns.values(self.numbers(handles), paths)

    def whole(self, handles: Sequence[Handle]) -> list[bytes | None]:
        """All of each of some documents, as its owner spells it, where that is held."""
        entries = [self._entries[self._numbers[handle]] for handle in handles]
        return [entry and entry.whole for entry in entries]

    def vectors(self, handles: Sequence[Handle]) -> list[npt.NDArray[np.float32] | None]:
        """The embedding of each of some documents, shape (dims,); `None` where it has none."""
        return self._vectors.each(self.numbers(handles))

    def handles_of(self, numbers: Places) -> list[Handle]:
        """The handles of the documents that have these numbers."""
        return [handle for _, handle in map(self.key, numbers.tolist())]

    def put(
        self,
        entries: Sequence[IndexEntry[Handle]],
        texts: Sequence[str],
        vectors: npt.NDArray[np.float32] | None = None,
        has: Mask | None = None,
        fields: Sequence[Sequence[Any]] = (),
    ) -> None:
        """Takes in documents, in place of those that have their handles.

        Args:
            entries: No handle twice.
            texts: The words of each, after its date where it has one.
            vectors: Shape (entries, dims), unit length; `None` where none has one.
            has: Which of them have one; `None` for all.
            fields: For each column of the index the value of each document.
        """
        if not entries:
            return
        for entry in entries:
            self._forget(entry.handle)
        self.holds_whole = self.holds_whole or any(entry.whole is not None for entry in entries)
        first, prefixes = self._number(entries), _prefixes(entries)
        is_linked = bool(self._citing) or any(entry.cites for entry in entries)
        self._changed()
        lengths = self._postings.extend(texts, first)
        asks, passing = list(map(is_question, texts)), list(map(is_passing, texts))
        self._order.extend(entries, lengths)
        self._asks.add(len(entries), asks)
        self._passing.add(len(entries), passing)
        self._vectors.extend(vectors, len(entries), has)
        self.columns.extend(fields)
        self._living.add(len(entries), True)
        self._prefixes.add(len(entries), prefixes)
        self.living, self.asks = self._living.all, self._asks.all
        if is_linked:
            self._link(entries, first)

    def remove(self, handles: Iterable[Handle]) -> None:
        """Forgets documents; one that is not there is passed over."""
        for handle in handles:
            self._forget(handle)

    def tidy(self) -> None:
        """Drops what is dead, if that is much."""
        dead = self.size - len(self)
        if dead > max(_DEAD_LEAST, len(self) // _DEAD_SHARE):
            self.compact()

    def layout(self) -> Layout:
        """How the documents stand."""
        if self._layout is None:
            order = self._order
            self._layout = Layout(
                living=self.living,
                lengths=order.lengths.all,
                before=order.before.all,
                after=order.after.all,
                group=order.group.all,
                group_lengths=order.group_lengths.all,
                members=order.members.all,
            )
        return self._layout

    def words(self, query: str) -> list[Found]:
        """The postings of each of a query's words, dead documents included."""
        return self._postings.of(sorted(set(tokenize(query))))

    def about(self, query: str) -> list[Places]:
        """For each everyday subject of a query, which documents have a word of it, dead ones included."""
        return [self._postings.having(subjects()[name]) for name in subjects_of(query)]

    def parts(self, query: str, cosines: Floats, eligible: Mask) -> Parts:
        """What a query found in every document.

        Args:
            query: In the user's words.
            cosines: As `cosines` gives them.
            eligible: Which documents may be found.
        """
        layout, links = self.layout(), self.links()
        return layout.parts(self.words(query), cosines, self.asks, eligible, links)

    def cosines(self, vector: npt.NDArray[np.float32] | None, scale: Scale | None = None) -> Floats:
        """Shape (size,): of each document's embedding and this one; NaN without.

        Args:
            vector: The query's embedding; `None` where there is none.
            scale: Of the embedder; `None` for cosines as they are.
        """
        return self.compared(vector, scale).stored

    def compared(self, vector: npt.NDArray[np.float32] | None, scale: Scale | None = None) -> Compared:
        """The same from each point that `scale` compares from, each of shape (size,)."""
        if vector is None or scale is None or not self._vectors.any:
            return Compared.same(self._vectors.products(vector))
        centered = self._centered = self._around(scale)
        products = self._vectors.products(vector)
        return scale.compared(products, centered.toward, centered.ordinary, vector, centered.center)

    def weights(self, situations: Situations) -> Floats:
        """Shape (size,): how much each document weighs (`situations`), NaN without an embedding."""
        return self._weighed_for(situations).weights

    def passing(self, situations: Situations) -> Floats:
        """Shape (size,): how much each document is of what hardly matters for the present, by words or by meaning."""
        return np.fmax(self._weighed_for(situations).passing, self._passing.all)

    def _weighed_for(self, situations: Situations) -> _Weighed:
        """What situations make of each document, worked out once."""
        held = self._weighed
        if held.situations is not situations:
            held = _NOT_WEIGHED._replace(situations=situations)
        if len(held.weights) < self.size:
            held = self._weighed = held.extended(self._vectors)
        return held

    def fits(self, numbers: Places, wanted: Wanted) -> Floats:
        """How well each of these documents is of a kind that is wanted."""
        return wanted.fit(self._vectors.take(numbers))

    def _around(self, scale: Scale) -> _Centered:
        """The center of what there is, moved where that has grown or shrunk by a sixteenth."""
        held, count = self._centered, len(self)
        if held is None or held.scale is not scale:
            held = _Centered(scale, count, self._center(scale), np.zeros(0), np.zeros(0))
        elif abs(count - held.size) > held.size // _STEADY:
            held = held._replace(size=count, center=self._center(scale), toward=np.zeros(0))
        if len(held.toward) == len(held.ordinary) == self.size:
            return held
        return held._replace(
            toward=self._extended(held.toward, held.center), ordinary=self._extended(held.ordinary, scale.mean)
        )

    def _center(self, scale: Scale) -> npt.NDArray[np.float32]:
        return scale.center(*self._vectors.total(self.living))

    def _extended(self, products: Floats, vector: npt.NDArray[np.float32]) -> Floats:
        """Products of the first documents' vectors and this one, with those of the documents that came later."""
        if len(products) == self.size:
            return products
        return np.concatenate([products, self._vectors.products(vector, len(products))])

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

    def first(self, numbers: Places, count: int) -> Places:
        """Those of some documents whose keys come first, at most so many."""
        if count < len(numbers):
            prefixes = self._prefixes.all[numbers]
            numbers = numbers[prefixes <= np.partition(prefixes, count - 1)[count - 1]]
        return np.array(sorted(numbers.tolist(), key=self.key)[:count], dtype=np.intp)

    def ranks(self, numbers: Places) -> Places:
        """The places of some documents by key, from 0."""
        prefixes = self._prefixes.all[numbers]
        order = np.argsort(prefixes)
        if (prefixes[order][1:] == prefixes[order][:-1]).any():
            keys = [self.key(number) for number in numbers.tolist()]
            order = np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.intp)
        return np.argsort(order)

    def key(self, number: int) -> tuple[str, Handle]:
        """What a document is sorted by among its equals."""
        entry = self._entries[number]
        if entry is None:
            raise LookupError(f"Document {number} is no more.")
        return entry.key, entry.handle

    def groups(self) -> Mapping[str, int]:
        """The numbers of the groups that ever were, by name."""
        return self._order.numbers

    def standing(self, group: int) -> Sequence[tuple[Any, ...]]:
        """The documents of a group in order: what sorts them, and last their number."""
        return self._order.standings[group]

    def forget_dead(self) -> None:
        """Drops what is dead with every word and every value of a field that no living document has."""
        self.compact()
        self._postings.forget_unused()
        self.columns.forget_unused()

    def compact(self) -> None:
        """Gives the living new numbers in their order."""
        living = self.living.copy()
        entries = [entry for entry in self._entries if entry is not None]
        lengths = self._order.lengths.all[living].copy()
        self._asks.keep(living)
        self._passing.keep(living)
        self._vectors.keep(living)
        self._postings.renumber(np.where(living, np.cumsum(living) - 1, -1))
        self.columns.keep(living)
        self._numbers, self._by_key = {}, {}
        self._start()
        self._living.add(len(entries), True)
        self._prefixes.add(len(entries), _prefixes(entries))
        first = self._number(entries)
        self._order.extend(entries, lengths)
        self._link(entries, first)
        self._changed()

    def _number(self, entries: Sequence[IndexEntry[Handle]]) -> int:
        """Gives documents the next numbers, and says the first of them."""
        first = self.size
        self._entries.extend(entries)
        for number, entry in enumerate(entries, first):
            self._numbers[entry.handle] = number
            self._by_key.setdefault(entry.key, []).append(number)
        return first

    def _forget(self, handle: Handle) -> None:
        number = self._numbers.pop(handle, None)
        if number is None:
            return
        entry = self._entries[number]
        assert entry is not None  # noqa: S101 - it has a number
        self._order.remove(number, entry)
        self._living.all[number] = False
        self._entries[number] = None
        same = self._by_key[entry.key]
        same.remove(number)
        if not same:
            del self._by_key[entry.key]
        self._changed()

    def _link(self, entries: Sequence[IndexEntry[Handle]], first: int) -> None:
        """Notes what documents, numbered from `first`, cite and who cites them; either may come first."""
        for number, entry in enumerate(entries, first):
            if entry.cites or entry.key in self._citing:
                self._links += [(number, cited) for key in entry.cites for cited in self._by_key.get(key, ())]
                self._links += [(citing, number) for citing in self._citing.get(entry.key, ()) if citing != number]
                for key in entry.cites:
                    self._citing.setdefault(key, []).append(number)


def _prefixes(entries: Sequence[IndexEntry[Any]]) -> npt.NDArray[np.uint64]:
    """The first eight bytes of each key as a number, which sorts as the keys do."""
    spelled = [entry.key[:8].encode("utf-8", "surrogatepass")[:8] for entry in entries]
    return np.array(spelled, dtype="S8").view(">u8").astype(np.uint64)
