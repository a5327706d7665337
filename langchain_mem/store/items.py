"""What a store does with rows before and after a backend: it embeds texts, works out expiry, sets instants.

Everything here is a body (see `langchain_mem._flow`), so that the store's two forms, and whatever is built on a store,
share it. Time comes from the store's clock unless an operation brings its own `now`.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

import numpy as np
from langchain_core.embeddings import Embeddings
from langgraph.store.base import get_text_at_path, tokenize_path

from langchain_mem.backends.base import (
    ANY,
    Address,
    Backend,
    Compacting,
    Embedder,
    Lexical,
    Match,
    Namespace,
    NamespaceQuery,
    Query,
    Row,
    Scanning,
    Touching,
    Unconditional,
    Vectors,
    Write,
)
from langchain_mem.errors import InvalidRequest
from langchain_mem.store.encoder import Encoder, Vector, digest, unit

Clock: TypeAlias = Callable[[], datetime]
"""Where the time comes from: gives the present instant, timezone-aware."""

MAX_DEPTH: Final = 100
"""How deep a value may nest: beyond what anyone writes, within Python's stack, and a value that holds itself ends."""


def utc_now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Put:
    """An item to store.

    Attributes:
        address: Namespace and key.
        value: A JSON object. It is copied.
        texts: The passages to find it by; `None` or none at all: it is found by no query.
        vectors: Shape (len(texts), dims), where the passages are embedded already.
        created_at: When not now, or when the address was first written.
        updated_at: When not now.
        expires_at: From when on it is hidden.
        ttl: A sliding expiry: hidden so long after the last write or refreshing read. Sets `expires_at` where unset.
        expects: The revision that must be there, `None` for nothing, or `ANY`.
        touches: When it was used, newest last.
    """

    address: Address
    value: Mapping[str, Any]
    texts: Sequence[str] | None
    _: KW_ONLY
    vectors: Vectors | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    expires_at: datetime | None = None
    ttl: timedelta | None = None
    expects: str | Unconditional | None = ANY
    touches: Sequence[datetime] = ()


@dataclass(frozen=True, slots=True)
class Delete:
    """An item to remove; removing what is absent is no error. `expects` is as in `Put`."""

    address: Address
    _: KW_ONLY
    expects: str | Unconditional | None = ANY


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """A whole scope: `rows` in order of address, and a `stamp` that is equal as long as no write changed them.

    The rows may be the backend's own: their values must not be changed.
    """

    rows: list[Row]
    stamp: Hashable | None


class Rows:
    """The rows of a store.

    Args:
        backend: Where they are kept.
        embeddings: What turns texts into vectors; `None` for a store without vectors.
        dims: Length of a vector; `None` to learn it by embedding one text at the first use.
        embedder_id: What to remember the embedder by; unset, its class and model.
        fields: Paths of the texts to index where a put does not say.
        clock: The time for operations that bring no `now`.

    Attributes:
        backend: Where the rows are kept.
        fields: Paths of the texts to index.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        embeddings: Embeddings | None = None,
        dims: int | None = None,
        embedder_id: str | None = None,
        fields: Sequence[str] = ("$",),
        clock: Clock = utc_now,
    ) -> None:
        self.backend = backend
        self.fields = tuple(fields)
        self._encoder = Encoder(embeddings, dims=dims, name=embedder_id) if embeddings is not None else None
        self._clock = clock
        self._ready = False
        self._scanning = backend if isinstance(backend, Scanning) else None
        self._lexical = backend if isinstance(backend, Lexical) else None
        self._touching = backend if isinstance(backend, Touching) else None

    @property
    def embeds(self) -> bool:
        """Whether texts become vectors here."""
        return self._encoder is not None

    @property
    def embedder(self) -> Embedder | None:
        """Who makes the vectors; `None` where nobody does, or where `dims` is yet to be learned at the first use."""
        return None if self._encoder is None else self._encoder.identity

    @property
    def touching(self) -> bool:
        """Whether the backend records uses apart from writes."""
        return self._touching is not None

    def now(self, now: datetime | None = None) -> datetime:
        """This instant, or the clock's, in UTC."""
        return (now or self._clock()).astimezone(UTC)

    async def ready(self) -> None:
        """Makes the backend ready and compares embedders, once. Callers that come at once may each do it.

        Raises:
            EmbeddingMismatch: The place was built with another embedder.
        """
        if self._ready:
            return
        await self.backend.setup(await self._encoder.identify() if self._encoder else None)
        self._ready = True

    async def close(self) -> None:
        """Lets go of what the backend opened."""
        await self.backend.close()

    async def read(self, addresses: Sequence[Address], *, now: datetime | None = None) -> list[Row | None]:
        """The unexpired rows at these addresses, in order; `None` where there is none."""
        await self.ready()
        return await self.backend.get(addresses, self.now(now)) if addresses else []

    async def write(self, changes: Sequence[Put | Delete], *, now: datetime | None = None) -> None:
        """Does all of the changes or, where anything fails, none. Of several to one address the last one counts.

        Texts whose vectors are at hand, in the rows that are replaced or in the changes, are not embedded again.

        Raises:
            InvalidRequest: A value is not a JSON object.
            EmbeddingMismatch: The embedder gave vectors of another length.
            Conflict: What a change expects is not there.
        """
        last = {change.address: change for change in changes}
        puts = [replace(each, value=json_object(each.value)) for each in last.values() if isinstance(each, Put)]
        deletes = [each for each in last.values() if isinstance(each, Delete)]
        now = self.now(now)
        await self.ready()
        before = await self._before(puts, now)
        known = await self._vectors(puts, before.values())
        rows = [self._row(put, before.get(put.address), known, now) for put in puts]
        writes = [Write(address=row.address, row=row, expects=put.expects) for row, put in zip(rows, puts, strict=True)]
        writes += [Write(address=each.address, row=None, expects=each.expects) for each in deletes]
        if writes:
            await self.backend.write(writes, now)

    async def search(self, query: Query) -> list[Match]:
        """The rows that a query describes. A query vector of zeros points nowhere and finds nothing."""
        await self.ready()
        if query.vector is not None and not query.vector.any():
            return []
        return await self.backend.search(query)

    async def count(self, query: Query) -> int:
        """How many rows a query describes."""
        await self.ready()
        return await self.backend.count(query)

    async def namespaces(self, query: NamespaceQuery) -> list[Namespace]:
        """The namespaces that a query describes."""
        await self.ready()
        return await self.backend.namespaces(query)

    async def refresh(self, rows: Sequence[Row], *, now: datetime | None = None) -> None:
        """Lets those of the rows that have a sliding expiry live on for another `ttl`."""
        sliding = [row.address for row in rows if row.ttl is not None]
        if sliding:
            await self.backend.refresh(sliding, self.now(now))

    async def purge(self, now: datetime | None = None, *, limit: int | None = None) -> int:
        """Removes what has expired, at most `limit` rows of it, and says how many."""
        await self.ready()
        return await self.backend.purge(self.now(now), limit)

    async def scan(self, prefixes: Sequence[Namespace], *, now: datetime | None = None, limit: int) -> Scan | None:
        """A whole scope; `None` where the backend cannot, or where it holds over `limit` rows."""
        await self.ready()
        if self._scanning is None:
            return None
        stamp = await self._scanning.stamp(tuple(prefixes))  # first: a write in between leaves a stamp that is old
        rows = await self._scanning.scan(tuple(prefixes), self.now(now), limit)
        return None if rows is None else Scan(rows, stamp)

    async def stamp(self, prefixes: Sequence[Namespace]) -> Hashable | None:
        """What a scan of this scope would be stamped with; `None` where the backend cannot know."""
        await self.ready()
        return None if self._scanning is None else await self._scanning.stamp(tuple(prefixes))

    async def lexical(self, query: Query, words: Sequence[str]) -> list[Match] | None:
        """The rows that hold at least one of the words; `None` where the backend has no full text search."""
        await self.ready()
        return None if self._lexical is None else await self._lexical.lexical(query, words)

    async def touch(self, marks: Mapping[Address, Sequence[datetime]], keep: int) -> None:
        """Notes that rows were used, and keeps the `keep` newest; does nothing where the backend cannot."""
        await self.ready()
        if self._touching is not None and marks:
            await self._touching.touch(marks, keep)

    async def compact(self) -> None:
        """Rewrites what the backend's files still hold of what was removed, where it has such files."""
        await self.ready()
        if isinstance(self.backend, Compacting):
            await self.backend.compact()

    async def embed(self, texts: Sequence[str]) -> Vectors | None:
        """Shape (len(texts), dims); `None` where there is no embedder. See `Encoder.documents`."""
        await self.ready()
        return None if self._encoder is None else await self._encoder.documents(texts)

    async def embed_query(self, text: str) -> Vector | None:
        """Shape (dims,); `None` where there is no embedder. See `Encoder.query`."""
        await self.ready()
        return None if self._encoder is None else await self._encoder.query(text)

    def texts(self, value: Mapping[str, Any], fields: Sequence[str] | None = None) -> list[str]:
        """The passages of a value at these paths, or at the store's own, as LangGraph reads paths."""
        paths = self.fields if fields is None else fields
        return [
            text for path in paths for text in get_text_at_path(value, path if path == "$" else tokenize_path(path))
        ]

    async def _before(self, puts: Sequence[Put], now: datetime) -> dict[Address, Row]:
        """The rows that these puts replace. Where a put expects nothing, there is nothing to ask for."""
        asked = [put.address for put in puts if put.expects is not None]
        rows = await self.backend.get(asked, now) if asked else []
        return {row.address: row for row in rows if row is not None}

    async def _vectors(self, puts: Sequence[Put], before: Iterable[Row]) -> dict[str, Vector]:
        """From each passage's digest to its vector: of the old rows, of the puts, and of one call to the embedder."""
        known = {name: vector for old in before for name, vector in zip(old.digests, old.vectors, strict=True)}
        for put in puts:
            known.update(self._given(put))
        passages = {digest(text): text for put in puts for text in put.texts or () if text.strip()}
        fresh = {name: text for name, text in passages.items() if name not in known}
        vectors = await self.embed(list(fresh.values())) if fresh else None
        return known if vectors is None else known | dict(zip(fresh, vectors, strict=True))

    def _given(self, put: Put) -> Iterable[tuple[str, Vector]]:
        if put.vectors is None:
            return ()
        texts = put.texts or ()
        embedder = self.embedder or Embedder("the caller", put.vectors.shape[1])
        return zip(map(digest, texts), unit(put.vectors, len(texts), embedder), strict=True)

    def _row(self, put: Put, old: Row | None, known: Mapping[str, Vector], now: datetime) -> Row:
        names = [digest(text) for text in put.texts or ()]
        names = [name for name in names if name in known and known[name].any()]
        expires_at = put.expires_at or (now + put.ttl if put.ttl else None)
        return Row(
            address=put.address,
            value=dict(put.value),
            created_at=self.now(put.created_at or (old.created_at if old else now)),
            updated_at=self.now(put.updated_at or now),
            revision=uuid.uuid4().hex,
            expires_at=None if expires_at is None else self.now(expires_at),
            ttl=put.ttl,
            vectors=np.stack([known[name] for name in names]) if names else self._no_vectors(),
            digests=tuple(names),
            text="\n".join(put.texts or ()),
            touches=tuple(put.touches),
        )

    def _no_vectors(self) -> Vectors:
        return np.zeros((0, self.embedder.dims if self.embedder else 0), dtype=np.float32)


def json_object(value: object) -> dict[str, Any]:
    """A copy made of nothing but what JSON has, so that every backend gives back what it was given.

    Raises:
        InvalidRequest: It is no dict, or something else is in it; the message says where.
    """
    if not isinstance(value, Mapping):
        raise InvalidRequest(f"`value` is {value!r}; it must be a dict.")
    copy: dict[str, Any] = _json(value, "value", 0)
    return copy


def _json(value: Any, path: str, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise InvalidRequest(f"`value` nests deeper than {MAX_DEPTH} levels, or holds itself.")
    if isinstance(value, Mapping):
        return {_name(key, path): _json(each, f"{path}.{key}", depth + 1) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_json(each, f"{path}[{n}]", depth + 1) for n, each in enumerate(value)]
    if value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise InvalidRequest(f"`{path}` is {value!r}; a value is made of dict, list, str, finite numbers, bool and None.")


def _name(key: Any, path: str) -> str:
    if isinstance(key, str):
        return key
    raise InvalidRequest(f"`{path}` has the key {key!r}; the keys of a value are strings.")
