"""What Chroma's own engine answers of a collection, where a scope is not held in memory.

The engine decides scopes, some filters and which vectors are near. What it finds may be too much, so `matches` and the
reference backend finish.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from langchain_mem._flow import run
from langchain_mem.backends.base import Address, Match, Namespace, Query, Row, Write
from langchain_mem.backends.chroma import records as rows
from langchain_mem.backends.chroma.buffered import Table
from langchain_mem.backends.chroma.records import Record
from langchain_mem.backends.chroma.scope_cache import EVER
from langchain_mem.backends.chroma.where import Where, both, either, in_text, keys_where, where
from langchain_mem.backends.dictionary import DictionaryBackend

_FIRST_NEAREST = 256  # how many neighbors to ask for at first, so that all of the first pages come from one answer …
_MOST_NEAREST = 4_096  # … and beyond which to look at every row instead
_MOST_CANDIDATES = 2_000  # rows that words are looked for in
_WINDOWS = (timedelta(hours=1), timedelta(days=1), timedelta(days=30))


class Engine:
    """The engine of one collection.

    Args:
        table: The collection.
        marks: Whether the collection keeps tokens as marks in the text.
    """

    def __init__(self, table: Table, *, marks: bool) -> None:
        self._table = table
        self._marks = marks

    def rows(self, records: Sequence[Record]) -> list[Row]:
        """The rows these records stand for, their further vectors fetched where they are not among them."""
        return rows.rows_of(records, self._table.read)

    def addresses(self, prefixes: Iterable[Namespace], now: datetime) -> list[Address]:
        """Where every unexpired row in scope is, in order: as the ids say, unless they are digests."""
        told = {identifier: rows.address_of(identifier) for identifier in self.live(prefixes, now)}
        digested = [identifier for identifier, address in told.items() if address is None]
        read = [row.address for row in rows.rows_of(self._table.read(digested, vectors=False))] if digested else []
        return sorted([*filter(None, told.values()), *read])

    def newest(self, query: Query) -> list[Match]:
        """The rows updated last, found by looking back further and further: Chroma does not sort."""
        for window in _WINDOWS if query.limit is not None else ():
            found = self._finish(query, {"updated": {"$gte": rows.micros(query.now - window)}})
            if len(found) == query.limit:
                return found
        return self._finish(query, None)

    def nearest(self, query: Query, vector: NDArray[np.float32]) -> list[Match]:
        """The rows nearest to the query's vector, found by asking for more and more until enough of them match."""
        count = _FIRST_NEAREST
        while query.limit is not None and count <= _MOST_NEAREST:
            if count >= query.offset + query.limit:
                asked, containing = self._asked(query)
                records = self._table.nearest(vector, count, asked, containing=containing)
                found = run(dictionary_of(self.rows(self._wholes(records))).search(query))
                if len(found) == query.limit:
                    return found
                if len(records) < count:
                    break
            count *= 4
        return self._finish(query, None)

    def _wholes(self, records: Sequence[Record]) -> list[Record]:
        """These records with those of the rows they are parts of."""
        here = {record.id for record in records}
        missing = {rows.whole_id(record.id) for record in records} - here
        return [*records, *self._table.read(list(missing))]

    def _finish(self, query: Query, more: Where) -> list[Match]:
        return run(dictionary_of(self.rows(self.found(query, more))).search(query))

    def found(self, query: Query, more: Where = None, *, vectors: bool = True) -> list[Record]:
        """The records that a query describes, and perhaps others in its scope."""
        asked, containing = self._asked(query)
        return self._table.find(both(asked, more), containing=containing, vectors=vectors)

    def _asked(self, query: Query) -> tuple[Where, Where]:
        """A query as Chroma's `where` and `where_document`, which find perhaps more."""
        scope, tokens = in_scopes(query.prefixes), both(where(query.condition), keys_where(query.keys))
        return (scope, in_text(tokens)) if self._marks else (both(scope, tokens), None)

    def candidates(self, query: Query, words: Sequence[str]) -> list[Record]:
        """Rows in scope that hold some of the words, those with the rarest first if they are too many."""
        scope, holding = self._asked(query)
        some = both(holding, either(*map(_containing, words)))
        found = self._table.find(scope, containing=some, limit=_MOST_CANDIDATES) if words else []
        if len(found) < _MOST_CANDIDATES:
            return found
        by_word = [
            self._table.find(scope, containing=both(holding, _containing(word)), limit=_MOST_CANDIDATES)
            for word in words
        ]
        every = [record for records in sorted(by_word, key=len) for record in records]
        return list({record.id: record for record in every}.values())[:_MOST_CANDIDATES]

    def live(self, prefixes: Iterable[Namespace], now: datetime) -> set[str]:
        """The ids of the rows in scope that have not expired: all but those that have, which are quickly found."""
        scope = in_scopes(prefixes)
        every = filter(rows.is_row_id, self._table.ids(scope))
        return set(every).difference(self._table.ids(both(scope, expired_by(now))))

    def namespaces(self, ids: Iterable[str]) -> set[Namespace]:
        """The namespaces of the rows with these ids: as the ids say, unless they are digests."""
        by_id = {identifier: rows.namespace_of(identifier) for identifier in ids}
        digested = [identifier for identifier, namespace in by_id.items() if namespace is None]
        told = {row.address.namespace for row in rows.rows_of(self._table.read(digested, vectors=False))}
        return told.union(namespace for namespace in by_id.values() if namespace is not None)


def dictionary_of(loaded: Iterable[Row]) -> DictionaryBackend:
    """A backend that has these rows and no others."""
    backend = DictionaryBackend()
    run(backend.write([Write(address=row.address, row=row) for row in loaded], EVER))
    return backend


def in_scopes(prefixes: Iterable[Namespace]) -> Where:
    """Records of the rows below these prefixes, with their parts."""
    return either(*rows.scopes(prefixes))


def expired_by(now: datetime) -> Where:
    """Rows that have expired, and tombstones."""
    return {"expires": {"$lte": rows.micros(now)}}


def _containing(word: str) -> dict[str, Any]:
    return {"$contains": word}
