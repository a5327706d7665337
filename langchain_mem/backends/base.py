"""What a place to keep memories must do.

A backend keeps *rows*. A row arrives complete: its vectors are computed, its expiry is worked out, its instants are
set. A backend therefore sees no clock, no embedder and no model; `now` is an argument. Each method is written once, as
an `async def` that awaits only others of its kind and `call(sync_form, async_form)` (see `langchain_mem._flow`): so it
serves threads and event loops. A backend with nothing to wait for simply awaits nothing.

`Backend` is what every backend does. `Scanning`, `Lexical`, `Grouping`, `Touching`, `Listing`, `UseCounting` and
`Compacting` are abilities of their own; the store asks with `isinstance` and does without where one is missing.
"""

from __future__ import annotations

import uuid
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from langchain_mem.errors import EmbeddingMismatch
from langchain_mem.filters.conditions import Path
from langchain_mem.filters.language import ALWAYS, Condition
from langchain_mem.model.scopes import Namespace as Namespace  # backends need not know where it is defined

Vectors: TypeAlias = NDArray[np.float32]
"""Shape (n, dims): one unit-length row for each indexed passage of an item; n is 0 for an item without any."""

GROUP: Final = "group"
"""The key of a value that names the conversation in which a row stands."""

WILDCARD: Final = "*"
"""In a pattern of `namespaces`: exactly one label, whatever it is."""


Json: TypeAlias = Any
"""A JSON object, as a dict. Which keys it has only its owner knows, who may declare them as a `TypedDict`."""


def new_revision() -> str:
    """A revision that no other write has."""
    return uuid.uuid4().hex


def no_vectors(dims: int = 0) -> Vectors:
    """Shape (0, dims): the vectors of a row that has none."""
    return np.zeros((0, dims), dtype=np.float32)


class Address(NamedTuple):
    """Where a row is: unique within a backend."""

    namespace: Namespace
    key: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Row:
    """One stored item, as a backend takes it and gives it back.

    Attributes:
        address: Namespace and key.
        value: The user's own JSON object. Whoever makes a row hands its value over, and nobody changes it afterwards; a
            backend copies it on the way out, but for a scan.
        created_at: When this address was first written; survives updates.
        updated_at: When the value last changed.
        revision: Changes at every write of this row; what `Write.expects` compares.
        expires_at: From this instant on the row is hidden from everything, and `purge` may remove it.
        ttl: For a sliding expiry, what a refresh adds to `now`; `None` where expiry is absolute or absent.
        texts: The passages to find the row by, in words and by meaning. A backend need not give them back.
        vectors: One for each passage that has one, of unit length. Whoever makes a row may leave them to the store.
        digests: What each passage was, as a digest, in the order of `vectors`: unchanged text is not embedded again.
        touches: When the item was used, newest last, at most as many as its owner keeps.
        phrases: What the first passage is useful for: part of its vector, not of its words. A backend takes no notice
            of them, for the store has embedded them, and whoever makes a row knows them from its value.
    """

    address: Address
    value: Json
    created_at: datetime
    updated_at: datetime
    revision: str = field(default_factory=new_revision)
    expires_at: datetime | None = None
    ttl: timedelta | None = None
    texts: tuple[str, ...] = ()
    vectors: Vectors = field(default_factory=no_vectors)
    digests: tuple[str, ...] = ()
    touches: tuple[datetime, ...] = ()
    phrases: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The passages as one text."""
        return "\n".join(self.texts)

    @property
    def vector(self) -> NDArray[np.float32] | None:
        """The vector of the first passage, shape (dims,); `None` where there is none."""
        return self.vectors[0] if len(self.vectors) else None

    def hidden(self, now: datetime) -> bool:
        """Whether the row has expired at `now`."""
        return self.expires_at is not None and self.expires_at <= now


def unexpired(rows: Iterable[Row | None], now: datetime) -> list[Row | None]:
    """Rows in their order; `None` in place of those that have expired."""
    return [None if row is None or row.hidden(now) else row for row in rows]


class Unconditional:
    """The type of `ANY`."""

    def __repr__(self) -> str:
        return "ANY"


ANY: Final = Unconditional()
"""`Write.expects` of a write that does not care what is there."""


class Unread:
    """The type of `UNREAD`."""

    def __repr__(self) -> str:
        return "UNREAD"


UNREAD: Final = Unread()
"""`Write.before` of a write whose author has not looked at what is there."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Write:
    """One change: put `row`, or with `row=None` delete what is at `address`.

    An operation makes it, the store completes the row with the vectors that are missing, and a backend carries it out.

    Attributes:
        address: Where.
        row: What to put; its address is `address`. `None` deletes; deleting what is absent is no error.
            Touches recorded meanwhile by `Touching.touch` are not lost by a put: the backend keeps its own and
            merges those of the row.
        expects: The revision that must be there now, `None` for "nothing is there" (an expired row is nothing), or
            `ANY`.
        before: For the store, not for a backend: the row that this one continues, as it was read, here or at another
            address; passages that it has already are not embedded again. `None` where there was none. `UNREAD`: the
            store reads what is there, and keeps its `created_at`.
    """

    address: Address
    row: Row | None
    expects: str | Unconditional | None = ANY
    before: Row | Unread | None = UNREAD

    @classmethod
    def put(cls, row: Row, *, expects: str | Unconditional | None = ANY, before: Row | Unread | None = UNREAD) -> Write:
        """Puts a row at its address."""
        return cls(address=row.address, row=row, expects=expects, before=before)

    @classmethod
    def delete(cls, address: Address, *, expects: str | Unconditional | None = ANY) -> Write:
        """Removes what is at an address."""
        return cls(address=address, row=None, expects=expects)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which rows a search may return, and in which order.

    Attributes:
        now: Rows that have expired by then are hidden.
        prefixes: A row is in scope if its namespace starts with one of these, compared by whole labels. `((),)` is
            everything; no prefixes at all is nothing.
        condition: Decided on the row's value exactly as `filters.matches` does, before `limit`.
        keys: Only rows with one of these keys; `None` for any.
        vector: Shape (dims,), unit length. Rows come by the greatest cosine of their vectors, best first, and rows
            without vectors do not come. `None`: newest `updated_at` first. Ties go by address.
        limit: At most so many rows, 1 or more; `None` for all.
        offset: Skip so many first.
    """

    now: datetime
    prefixes: tuple[Namespace, ...] = ((),)
    condition: Condition = ALWAYS
    keys: frozenset[str] | None = None
    vector: NDArray[np.float32] | None = None
    limit: int | None = None
    offset: int = 0


class Match(NamedTuple):
    """A row that a search found; `score` is the cosine in -1..1, or the engine's lexical score, or `None`."""

    row: Row
    score: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceQuery:
    """Which namespaces to list: those that hold at least one unexpired row.

    Attributes:
        now: Rows that have expired by then do not count.
        prefix: A pattern the namespace starts with; a label may be `WILDCARD`.
        suffix: A pattern the namespace ends with; likewise.
        max_depth: Cut namespaces to so many labels, and list each once.
        limit: At most so many, in order of their labels; `None` for all.
        offset: Skip so many first.
    """

    now: datetime
    prefix: Namespace = ()
    suffix: Namespace = ()
    max_depth: int | None = None
    limit: int | None = None
    offset: int = 0


class Embedder(NamedTuple):
    """Which embedder built a store: recorded at the first use, compared at every later one."""

    name: str
    dims: int


class Backend(Protocol):
    """A place to keep rows. Every method serves both forms; see the module's docstring.

    Raises, all methods: `StoreError` with the engine's own error as its cause, where the engine fails.
    """

    async def setup(self, embedder: Embedder | None) -> Embedder | None:
        """Makes the place ready; called before anything else, may be called again, by several processes at once.

        Args:
            embedder: Whose vectors will come, or `None` where there will be none.

        Returns:
            Whose vectors the place holds, `None` where it never held any.

        Raises:
            EmbeddingMismatch: The place holds another embedder's vectors; see `check_embedder`.
        """

    async def get(self, addresses: Sequence[Address], now: datetime) -> list[Row | None]:
        """The unexpired rows at these addresses, in order; `None` where there is none."""

    async def write(self, batch: Sequence[Write], now: datetime) -> None:
        """Does all of the batch or none of it. No address occurs twice.

        Raises:
            Conflict: What a write `expects` is not what is there. Nothing was written.
        """

    async def search(self, query: Query) -> list[Match]:
        """The rows that the query describes, in its order."""

    async def count(self, query: Query) -> int:
        """How many rows the query describes, whatever its `vector`, `limit` and `offset`."""

    async def namespaces(self, query: NamespaceQuery) -> list[Namespace]:
        """The namespaces that the query describes."""

    async def refresh(self, addresses: Sequence[Address], now: datetime) -> None:
        """Sets `expires_at` to `now + ttl` for those rows that have a `ttl` and have not expired."""

    async def purge(self, now: datetime, limit: int | None = None) -> int:
        """Removes rows that have expired by `now`, at most `limit` of them, and says how many."""

    async def close(self) -> None:
        """Lets go of what the backend opened itself. May be called twice."""


@runtime_checkable
class Scanning(Protocol):
    """A backend that can hand over a whole scope, so that ranking can be computed outside it."""

    async def scan(self, prefixes: tuple[Namespace, ...], now: datetime, limit: int) -> list[Row] | None:
        """Every unexpired row in scope with its vectors, in order of address; `None` where there are over `limit`.

        The rows may be the backend's own: their values must not be changed.
        """

    async def stamp(self, prefixes: tuple[Namespace, ...]) -> Hashable | None:
        """A value that changes whenever a write changes a row in scope (touches apart), cheap to ask for.

        Returns:
            Something to compare for equality, so that what was derived from a scan may be kept; `None` where the
            backend cannot know, as when other processes write.
        """


@runtime_checkable
class Lexical(Protocol):
    """A backend with full text search, for scopes too large to scan."""

    async def lexical(self, query: Query, words: Sequence[str]) -> list[Match]:
        """The rows that hold at least one of the words, those that hold more and rarer ones first.

        Args:
            query: Scope, condition, limit; its `vector` is not used.
            words: Whole words, lower case, not stemmed.
        """


@runtime_checkable
class Touching(Protocol):
    """A backend that records uses apart from writes, so that neither loses the other."""

    async def touch(self, touches: Mapping[Address, Sequence[datetime]], keep: int) -> None:
        """Adds these instants to the rows' touches and keeps the `keep` newest; absent rows are skipped.

        Changes neither `updated_at` nor `revision` nor a `stamp`. Concurrent touches all count.
        """


@runtime_checkable
class Grouping(Protocol):
    """A backend that has an index of what stands together, for scopes too large to scan."""

    async def grouped(self, query: Query, names: Sequence[str]) -> list[Match]:
        """The rows whose value has one of these texts at `GROUP`, in no order.

        Args:
            query: Scope and limit; its condition, its vector and its offset are not used.
            names: What rows may have there.
        """


@runtime_checkable
class Listing(Protocol):
    """A backend that tells where rows are without reading them, so that a large store is walked batch by batch."""

    async def addresses(self, prefixes: tuple[Namespace, ...], now: datetime) -> list[Address]:
        """Where every unexpired row in scope is, in order."""


@runtime_checkable
class UseCounting(Protocol):
    """A backend that counts uses without handing over the rows, where its changes do not tell of uses."""

    async def uses_by_day(self, prefixes: tuple[Namespace, ...], now: datetime) -> Mapping[str, int]:
        """How many uses of unexpired rows in scope are on record, by UTC day as ISO text."""


@runtime_checkable
class LookingUp(Protocol):
    """A backend that finds rows by a field of their values without looking at others."""

    async def having(
        self, namespaces: Sequence[Namespace], path: Path, values: Sequence[str], now: datetime
    ) -> list[Row] | None:
        """The unexpired rows in these very namespaces whose field at a path is one of some texts.

        Returns:
            The rows; `None` where the backend would have to look at every row, or at other rows of the field.
        """


@runtime_checkable
class Compacting(Protocol):
    """A backend whose files keep what was deleted until they are rewritten."""

    async def compact(self) -> None:
        """Rewrites the files from what lives, so that what was deleted can be read from them no more."""


def check_embedder(recorded: Embedder | None, given: Embedder | None) -> None:
    """Refuses an embedder other than the one a place was built with.

    Args:
        recorded: What the place remembers, `None` if it never held vectors.
        given: What it is opened with; `None` neither embeds nor compares.

    Raises:
        EmbeddingMismatch: They differ; the message names both.
    """
    if recorded is None or given is None or recorded == given:
        return
    raise EmbeddingMismatch(
        f"This store was built with {recorded.name} ({recorded.dims} dimensions) and is opened with {given.name} "
        f"({given.dims} dimensions). Their vectors cannot be compared: open it with the first (embed=…), or copy the "
        "memories to a new store with export() and import_()."
    )


def in_scope(namespace: Namespace, prefixes: Sequence[Namespace]) -> bool:
    """Whether a namespace starts with one of the prefixes, by whole labels."""
    return any(namespace[: len(prefix)] == prefix for prefix in prefixes)


def fits(namespace: Namespace, query: NamespaceQuery) -> bool:
    """Whether a namespace has the prefix and suffix patterns of a query."""
    return _starts(namespace, query.prefix) and _starts(namespace[::-1], query.suffix[::-1])


def _starts(labels: Namespace, pattern: Namespace) -> bool:
    if len(pattern) > len(labels):
        return False
    return all(want in (WILDCARD, label) for want, label in zip(pattern, labels, strict=False))
