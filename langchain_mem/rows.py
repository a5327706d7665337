"""What a store does with rows before and after a backend: it embeds texts, works out expiry, sets instants.

Everything here is a body (see `langchain_mem._flow`), so that the store's two forms, and whatever is built on a store,
share it. Time comes from the store's clock unless an operation brings its own `now`.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Final, TypeAlias

import numpy as np
from langchain_core.embeddings import Embeddings
from langgraph.store.base import TTLConfig, get_text_at_path, tokenize_path
from numpy.typing import NDArray

from langchain_mem._flow import call
from langchain_mem.backends.base import (
    ANY,
    Address,
    Backend,
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
from langchain_mem.errors import EmbeddingMismatch, InvalidRequest, StoreError

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
    """A whole scope: `rows` in order of address, and a `stamp` that is equal as long as no write changed them."""

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
        ttl: LangGraph's configuration of sliding expiry.
        clock: The time for operations that bring no `now`.

    Attributes:
        backend: Where the rows are kept.
        embedder: Who makes the vectors; `None` where nobody does, or before the first use where `dims` was unset.
        fields: Paths of the texts to index.
        ttl: LangGraph's configuration of sliding expiry.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        embeddings: Embeddings | None = None,
        dims: int | None = None,
        embedder_id: str | None = None,
        fields: Sequence[str] = ("$",),
        ttl: TTLConfig | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self.backend = backend
        self.fields = tuple(fields)
        self.ttl = ttl
        self.embedder: Embedder | None = None
        self._embeddings = embeddings
        self._name = embedder_id or embedder_name(embeddings)
        self._clock = clock
        self._ready = False
        self._scanning = backend if isinstance(backend, Scanning) else None
        self._lexical = backend if isinstance(backend, Lexical) else None
        self._touching = backend if isinstance(backend, Touching) else None
        if embeddings is not None and dims is not None:
            self.embedder = Embedder(self._name, dims)

    @property
    def embeds(self) -> bool:
        """Whether texts become vectors here."""
        return self._embeddings is not None

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
        if self._embeddings is not None and self.embedder is None:
            probe = await call(self._embeddings.embed_query, self._embeddings.aembed_query, "dimensions")
            self.embedder = Embedder(self._name, len(probe))
        await self.backend.setup(self.embedder)
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
        at = self.now(now)
        await self.ready()
        before = await self.backend.get([put.address for put in puts], at) if puts else []
        known = await self._vectors(puts, before)
        writes = [
            Write(address=put.address, row=self._row(put, old, known, at), expects=put.expects)
            for put, old in zip(puts, before, strict=True)
        ]
        deletes = [each for each in last.values() if isinstance(each, Delete)]
        writes += [Write(address=each.address, row=None, expects=each.expects) for each in deletes]
        if writes:
            await self.backend.write(writes, at)

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

    async def embed(self, texts: Sequence[str]) -> Vectors | None:
        """Shape (len(texts), dims), unit length or zeros; `None` where there is no embedder.

        Raises:
            EmbeddingMismatch: The vectors have another length than the store's.
        """
        if self._embeddings is None:
            return None
        await self.ready()
        if not texts:
            return self._none()
        given = await call(self._embeddings.embed_documents, self._embeddings.aembed_documents, list(texts))
        return self._unit(given, len(texts))

    async def embed_query(self, text: str) -> NDArray[np.float32] | None:
        """Shape (dims,), unit length or zeros, as `embed_query` of the embedder has it; `None` without one."""
        if self._embeddings is None:
            return None
        await self.ready()
        given = await call(self._embeddings.embed_query, self._embeddings.aembed_query, text)
        vector: NDArray[np.float32] = self._unit([given], 1)[0]
        return vector

    def texts(self, value: Mapping[str, Any], fields: Sequence[str] | None = None) -> list[str]:
        """The passages of a value at these paths, or at the store's own, as LangGraph reads paths."""
        paths = self.fields if fields is None else fields
        return [
            text for path in paths for text in get_text_at_path(value, path if path == "$" else tokenize_path(path))
        ]

    async def _vectors(self, puts: Sequence[Put], before: Sequence[Row | None]) -> dict[str, NDArray[np.float32]]:
        """From each passage's digest to its vector: of the old rows, of the puts, and of one call to the embedder."""
        known: dict[str, NDArray[np.float32]] = {}
        for old in before:
            known.update(zip(old.digests, old.vectors, strict=True) if old else ())
        for put in puts:
            if put.vectors is not None:
                known.update(
                    zip(map(_digest, put.texts or ()), self._unit(put.vectors, len(put.texts or ())), strict=True)
                )
        passages = {_digest(text): text for put in puts for text in put.texts or () if text.strip()}
        fresh = {digest: text for digest, text in passages.items() if digest not in known}
        vectors = await self.embed(list(fresh.values())) if fresh else None
        return known if vectors is None else known | dict(zip(fresh, vectors, strict=True))

    def _row(self, put: Put, old: Row | None, known: Mapping[str, NDArray[np.float32]], now: datetime) -> Row:
        digests = [_digest(text) for text in put.texts or ()]
        digests = [digest for digest in digests if digest in known and known[digest].any()]
        expires_at = put.expires_at or (now + put.ttl if put.ttl else None)
        return Row(
            address=put.address,
            value=dict(put.value),
            created_at=self.now(put.created_at or (old.created_at if old else now)),
            updated_at=self.now(put.updated_at or now),
            revision=uuid.uuid4().hex,
            expires_at=None if expires_at is None else self.now(expires_at),
            ttl=put.ttl,
            vectors=np.stack([known[digest] for digest in digests]) if digests else self._none(),
            digests=tuple(digests),
            text="\n".join(put.texts or ()),
            touches=tuple(put.touches),
        )

    def _none(self) -> Vectors:
        return np.zeros((0, self.embedder.dims if self.embedder else 0), dtype=np.float32)

    def _unit(self, given: Sequence[Sequence[float]] | Vectors, count: int) -> Vectors:
        """The vectors, checked and brought to length 1; one of zeros stays, for it has no direction."""
        dims = self.embedder.dims if self.embedder else 0
        lengths = sorted({len(vector) for vector in given} - {dims})
        if lengths:
            raise EmbeddingMismatch(
                f"The embedder {self._name} gave vectors of {lengths[0]} numbers; this store holds vectors of {dims}. "
                "Set `dims` of the index to what the embedder gives, or open the store with its own embedder."
            )
        vectors = np.asarray(given, dtype=np.float64).reshape(len(given), dims)
        if len(vectors) != count or not np.isfinite(vectors).all():
            raise StoreError(
                f"The embedder {self._name} gave {len(vectors)} vectors for {count} texts, or infinite ones."
            )
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return (vectors / np.where(norms > 0, norms, 1)).astype(np.float32)


def embedder_name(embeddings: Embeddings | None) -> str:
    """What an embedder is remembered by: its class, and its model or function where it has one."""
    function = getattr(embeddings, "func", None) or getattr(embeddings, "afunc", None)
    model = getattr(embeddings, "model", None) or getattr(embeddings, "model_name", None)
    detail = model if isinstance(model, str) else getattr(function, "__qualname__", None)
    name = type(embeddings).__qualname__
    return f"{name}:{detail}" if detail else name


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def json_object(value: Mapping[str, Any]) -> dict[str, Any]:
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
