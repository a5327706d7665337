"""A backend whose rows are encrypted before they reach another backend.

Values, and the digests of passages, are sealed; the words for lexical search become keyed hashes. What the inner
backend needs for its work stays readable to whoever reads the database: namespaces (so the owners' ids) and keys, how
many rows there are, when they were written, used and expire, how long they are, which rows share a word, and the
vectors, from which the rough sense of a text can be guessed. A memory's id is derived from its text, so that a guess of
the whole text can be tested.

A filter reads what is sealed, so it is decided here by `matches`, on the rows of its scope.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from langchain_mem.backends.base import (
    Address,
    Backend,
    Compacting,
    Embedder,
    Lexical,
    Listing,
    Match,
    Namespace,
    NamespaceQuery,
    Query,
    Row,
    Scanning,
    Touching,
    Write,
)
from langchain_mem.backends.changes import Changes, Following, Lasting
from langchain_mem.backends.sealing import Encryption
from langchain_mem.errors import Conflict, InvalidRequest
from langchain_mem.filters.conditions import Path
from langchain_mem.filters.language import ALWAYS, matches

_SEALED: Final = "langchain_mem_sealed"
_PATH: Final = Path((_SEALED,))
_OPENED: Final = 20_000  # opened rows that are remembered: opening one takes longer than reading its JSON
_PAGE: Final = 500


class EncryptedBackend:
    """Seals rows on their way into another backend, and opens them on their way out.

    Rows that were written before encryption was turned on are read as they are; `rotate` seals them.

    Args:
        inner: Where the sealed rows are kept: a backend with every ability, as ours are.
        encryption: The keys.

    Raises:
        InvalidRequest: The inner backend lacks an ability.
        MissingDependency: pycryptodome is not installed.
    """

    def __init__(self, inner: Backend, encryption: Encryption) -> None:
        abilities = (Scanning, Following, Lexical, Touching, Compacting)
        missing = [ability.__name__ for ability in abilities if not isinstance(inner, ability)]
        if missing and missing != ["Compacting"]:
            raise InvalidRequest(f"Encryption needs a backend that is {', '.join(missing)} as well.")
        self._inner: Any = inner
        self._encryption = encryption
        self._opened: OrderedDict[tuple[Address, str], bytes] = OrderedDict()

    async def setup(self, embedder: Embedder | None) -> None:
        """Makes the inner backend ready."""
        await self._inner.setup(embedder)

    async def get(self, addresses: Sequence[Address], now: datetime) -> list[Row | None]:
        """The unexpired rows at these addresses, in order; `None` where there is none."""
        return [None if row is None else self._open(row) for row in await self._inner.get(addresses, now)]

    async def write(self, batch: Sequence[Write], now: datetime) -> None:
        """Does all of the batch or none of it."""
        await self._inner.write([replace(each, row=each.row and self._seal(each.row)) for each in batch], now)

    async def search(self, query: Query) -> list[Match]:
        """The rows that the query describes, in its order."""
        return await self._page(query, self._inner.search)

    async def count(self, query: Query) -> int:
        """How many rows the query describes."""
        if query.condition == ALWAYS:
            return int(await self._inner.count(query))
        return len(await self.search(replace(query, vector=None, limit=None, offset=0)))

    async def namespaces(self, query: NamespaceQuery) -> list[Namespace]:
        """The namespaces that the query describes."""
        found: list[Namespace] = await self._inner.namespaces(query)
        return found

    async def refresh(self, addresses: Sequence[Address], now: datetime) -> None:
        """Lets rows with a sliding expiry live on."""
        await self._inner.refresh(addresses, now)

    async def purge(self, now: datetime, limit: int | None = None) -> int:
        """Removes rows that have expired by `now`, at most `limit` of them, and says how many."""
        return int(await self._inner.purge(now, limit))

    async def close(self) -> None:
        """Closes the inner backend, and forgets what was opened."""
        self._opened.clear()
        await self._inner.close()

    async def scan(self, prefixes: tuple[Namespace, ...], now: datetime, limit: int) -> list[Row] | None:
        """Every unexpired row in scope with its vectors, in order of address; `None` where there are over `limit`."""
        rows = await self._inner.scan(prefixes, now, limit)
        return None if rows is None else [self._open(row) for row in rows]

    async def addresses(self, prefixes: tuple[Namespace, ...], now: datetime) -> list[Address]:
        """Where every unexpired row in scope is, in order; namespaces and keys are not sealed."""
        if isinstance(self._inner, Listing):
            return await self._inner.addresses(prefixes, now)
        return sorted(match.row.address for match in await self._inner.search(Query(now=now, prefixes=prefixes)))

    async def stamp(self, prefixes: tuple[Namespace, ...]) -> Hashable | None:
        """The inner backend's stamp."""
        stamp: Hashable | None = await self._inner.stamp(prefixes)
        return stamp

    async def changes(
        self, scopes: tuple[Namespace, ...], paths: Sequence[Path], since: Hashable | None, limit: int
    ) -> Changes | None:
        """What was written in these scopes since a stamp, or all there is."""
        asked = [_PATH, *paths]  # the paths themselves too, for rows that are not sealed yet
        changes: Changes | None = await self._inner.changes(scopes, asked, since, limit)
        if changes is None:
            return None
        opened = [
            self._opened_value(address, sealed)
            for address, (sealed, *_) in zip(changes.addresses, changes.fields, strict=True)
        ]
        fields = [
            plain if value is None else [path.read(value) for path in paths]
            for value, (_, *plain) in zip(opened, changes.fields, strict=True)
        ]
        values = changes.values and [value or plain for value, plain in zip(opened, changes.values, strict=True)]
        return replace(changes, fields=fields, values=values)

    async def lexical(self, query: Query, words: Sequence[str]) -> list[Match]:
        """The rows that hold at least one of the words, those that hold more and rarer ones first."""
        hidden = self._encryption.hidden_words(words)

        async def holding(asked: Query) -> list[Match]:
            found: list[Match] = await self._inner.lexical(asked, hidden)
            return found

        return await self._page(query, holding)

    async def touch(self, touches: Mapping[Address, Sequence[datetime]], keep: int) -> None:
        """Notes uses in the inner backend."""
        await self._inner.touch(touches, keep)

    async def compact(self) -> None:
        """Compacts the inner backend, where it has files."""
        if isinstance(self._inner, Compacting):
            await self._inner.compact()

    async def rotate(self, now: datetime) -> int:
        """Rewrites the rows that are not sealed with the key for new rows, and says how many those were.

        What somebody else writes meanwhile is sealed with that key already, and is left to them. Rows are taken page by
        page, and where some are removed meanwhile others move up and are passed over; so it goes on until all are done.
        """
        if isinstance(self._inner, Lasting):
            await self._inner.forget_kept()  # which was made of rows before they were sealed
        rotated = 0
        while again := await self._rotate_once(now):
            rotated += again
        return rotated

    async def _rotate_once(self, now: datetime) -> int:
        rotated, offset = 0, 0
        while page := await self._inner.search(Query(now=now, limit=_PAGE, offset=offset)):
            for row in (match.row for match in page if not self._is_current(match.row)):
                rotated += await self._reseal(row, now)
            offset += len(page)
        return rotated

    async def _reseal(self, row: Row, now: datetime) -> bool:
        opened = self._open(row)
        # a row that was not sealed comes without its text; all that its value says has the same words, or more
        whole = opened if _sealed_in(row.value) else replace(opened, texts=tuple(_texts(opened.value)))
        try:
            await self._inner.write([Write(address=row.address, row=self._seal(whole), expects=row.revision)], now)
        except Conflict:
            return False
        return True

    def _is_current(self, row: Row) -> bool:
        sealed = _sealed_in(row.value)
        return sealed is not None and self._encryption.is_current(sealed)

    def _seal(self, row: Row) -> Row:
        content = {"value": row.value, "digests": row.digests, "texts": row.texts}
        return replace(
            row,
            value={_SEALED: self._encryption.seal(row.address, content)},
            digests=(),
            texts=(self._encryption.hidden_text(row.text),),
        )

    def _open(self, row: Row) -> Row:
        content = self._content(row.address, _sealed_in(row.value))
        if content is None:
            return row
        return replace(row, value=content["value"], digests=tuple(content["digests"]), texts=tuple(content["texts"]))

    def _content(self, address: Address, sealed: str | None) -> dict[str, Any] | None:
        """What is in a sealed value, made anew each time, so that whoever gets it may change it."""
        if sealed is None:
            return None
        plain = self._opened.get((address, sealed))
        if plain is None:
            plain = self._opened[address, sealed] = self._encryption.open(address, sealed)
            while len(self._opened) > _OPENED:
                self._opened.popitem(last=False)
        content: dict[str, Any] = json.loads(plain.decode("utf-8", "surrogatepass"))
        return content

    def _opened_value(self, address: Address, sealed: Any) -> dict[str, Any] | None:
        """The value that is sealed; `None` where a row is not sealed yet."""
        content = self._content(Address(*address), sealed) if isinstance(sealed, str) else None
        value: dict[str, Any] | None = content and content["value"]
        return value

    async def _page(self, query: Query, fetch: Callable[[Query], Awaitable[list[Match]]]) -> list[Match]:
        """A page of what the inner backend finds, of which `matches` leaves what fits the condition."""
        if query.condition == ALWAYS:
            return self._matches(await fetch(query), query)
        whole = replace(query, condition=ALWAYS, limit=None, offset=0)
        if query.limit is None:
            return self._matches(await fetch(whole), query)[query.offset :]
        end = query.offset + query.limit
        size = 2 * end
        while True:
            found = await fetch(replace(whole, limit=size))
            kept = self._matches(found, query)
            if len(kept) >= end or len(found) < size:
                return kept[query.offset : end]
            size *= 4

    def _matches(self, found: Sequence[Match], query: Query) -> list[Match]:
        opened = (Match(self._open(match.row), match.score) for match in found)
        return [match for match in opened if matches(query.condition, match.row.value)]


def _sealed_in(value: Mapping[str, Any]) -> str | None:
    """The sealed text, where a value is nothing but that."""
    sealed = value.get(_SEALED) if len(value) == 1 else None
    return sealed if isinstance(sealed, str) else None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)
