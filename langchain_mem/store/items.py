"""The items of a store: what is done with rows before and after a backend.

`LongTermStore` does LangGraph's operations with it, and `Memory` its own: it is the `Repository` of our stores. Texts
are embedded here, and the time is the clock's where an operation brings no `now`. Every `async def` is shared by
the sync and the async form of a store (see `langchain_mem._flow`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, TypeAlias

import numpy as np
from langchain_core.embeddings import Embeddings

from langchain_mem.backends.base import (
    GROUP,
    UNREAD,
    Address,
    Backend,
    Compacting,
    Embedder,
    Grouping,
    Lexical,
    Listing,
    LookingUp,
    Match,
    Namespace,
    NamespaceQuery,
    Query,
    Row,
    Scanning,
    Touching,
    UseCounting,
    Vectors,
    Write,
)
from langchain_mem.backends.changes import Changes, Following, Keeping, Kept, Lasting
from langchain_mem.errors import EmbeddingMismatch
from langchain_mem.filters.conditions import Condition, Kind, Operator, Path, Test
from langchain_mem.ranking.candidates import Question
from langchain_mem.ranking.scale import Scale
from langchain_mem.store.vectorizer import SCALES, Vector, Vectorizer, vectorized

Clock: TypeAlias = Callable[[], datetime]
"""Where the time comes from: gives the present instant, timezone-aware."""

WHOLE_LIMIT: Final = 10_000
"""Up to so many rows a scope is loaded whole, to be ranked outside the backend."""

CANDIDATES: Final = 300
"""Of a larger scope, so many rows are proposed by meaning, and as many by words."""

BEST: Final = 20
"""The groups of so many of each come along."""

GROUPED: Final = 2_000
"""At most so many rows come along with them."""


def utc_now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """Rows of a scope, in order of address: all of them, or candidates for one query.

    Attributes:
        rows: The rows.
        stamp: Equal as long as no write changed any row of the scope, touches apart; `None` where that is not known.

    The rows may be the backend's own: their values must not be changed.
    """

    rows: Sequence[Row]
    stamp: Hashable | None = None


class Items:
    """The items of a store.

    Args:
        backend: Where they are kept.
        embeddings: What turns texts into vectors; `None` for a store without vectors.
        dims: Length of a vector; `None` to learn it by embedding one text at the first use.
        embedder_id: What to remember the embedder by; unset, its class and model.
        fields: Paths of the texts to index where a put does not say.
        clock: The time for operations that bring no `now`.

    Attributes:
        backend: Where the items are kept.
        fields: Paths of the texts to index.
        looks_up: Whether the backend finds rows by a field; see `having`.
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
        self._vectorizer = None if embeddings is None else Vectorizer(embeddings, dims=dims, name=embedder_id)
        self._clock = clock
        self._ready = False
        self._recorded: Embedder | None = None
        self._scanning = backend if isinstance(backend, Scanning) else None
        self._following = backend if isinstance(backend, Following) else None
        self._keeping = backend if isinstance(backend, Keeping) else None
        self._grouping = backend if isinstance(backend, Grouping) else None
        self._lexical = backend if isinstance(backend, Lexical) else None
        self._touching = backend if isinstance(backend, Touching) else None
        self._looking_up = backend if isinstance(backend, LookingUp) else None
        self.looks_up = self._looking_up is not None

    @property
    def embedder(self) -> Embedder | None:
        """Who makes the vectors; `None` where nobody does, or where `dims` is yet to be learned at the first use."""
        return None if self._vectorizer is None else self._vectorizer.identity

    @property
    def touching(self) -> bool:
        """Whether the backend records uses apart from writes."""
        return self._touching is not None

    @property
    def keeps(self) -> bool:
        """Whether the backend keeps what is derived from a scope over a restart."""
        return self._keeping is not None

    @property
    def keeps_lastingly(self) -> bool:
        """Whether what is kept counts although others write, and although this process is killed."""
        return isinstance(self._keeping, Lasting)

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
        given = await self._vectorizer.identify() if self._vectorizer else None
        self._recorded = await self.backend.setup(given)
        self._ready = True

    async def close(self) -> None:
        """Lets go of what the backend opened."""
        await self.backend.close()

    # Reading

    async def read(self, addresses: Sequence[Address], now: datetime | None = None) -> list[Row | None]:
        """The unexpired rows at these addresses, in order; `None` where there is none."""
        await self.ready()
        return await self.backend.get(addresses, self.now(now)) if addresses else []

    async def find(self, keys: Iterable[str], prefixes: Sequence[Namespace], now: datetime) -> dict[str, Row]:
        """The rows that have these keys anywhere in a scope, by key."""
        wanted = frozenset(keys)
        found = await self.search(Query(now=now, prefixes=tuple(prefixes), keys=wanted)) if wanted else []
        return {match.row.address.key: match.row for match in found}

    async def having(
        self, namespaces: Sequence[Namespace], path: Path, values: Sequence[str], now: datetime
    ) -> list[Row] | None:
        """The rows in some namespaces whose field is one of some texts; `None` where all rows would be looked at."""
        await self.ready()
        return None if self._looking_up is None else await self._looking_up.having(namespaces, path, values, now)

    async def select(
        self,
        prefixes: Sequence[Namespace],
        condition: Condition,
        now: datetime,
        *,
        limit: int | None = None,
        offset: int = 0,
    ) -> tuple[list[Row], int]:
        """A page of the rows that fulfill a condition, newest update first, and how many there are in all."""
        query = Query(now=now, prefixes=tuple(prefixes), condition=condition, limit=limit, offset=offset)
        found = [match.row for match in await self.search(query)]
        return found, len(found) if limit is None and not offset else await self.count(query)

    async def addresses(self, prefixes: Sequence[Namespace], now: datetime) -> list[Address]:
        """Where every row of a scope is, in order; nothing else of it is held."""
        await self.ready()
        if isinstance(self.backend, Listing):
            return await self.backend.addresses(tuple(prefixes), now)
        return sorted(match.row.address for match in await self.search(Query(now=now, prefixes=tuple(prefixes))))

    async def uses_by_day(self, prefixes: Sequence[Namespace], now: datetime) -> Mapping[str, int] | None:
        """How many uses are on record, by UTC day; `None` where the backend does not count them."""
        await self.ready()
        counting = self.backend if isinstance(self.backend, UseCounting) else None
        return None if counting is None else await counting.uses_by_day(tuple(prefixes), now)

    async def load(self, prefixes: Sequence[Namespace], now: datetime) -> Scan | None:
        """All rows of a scope with their vectors; `None` where they are too many to rank whole."""
        await self.ready()
        scanning = self._scanning  # without a stamp: that of a large scope takes longer than all the rest
        rows = None if scanning is None else await scanning.scan(tuple(prefixes), self.now(now), WHOLE_LIMIT)
        return None if rows is None else Scan(rows)

    async def nearest(
        self,
        prefixes: Sequence[Namespace],
        condition: Condition,
        query: str,
        words: Sequence[str],
        now: datetime,
        *,
        grouped: bool = False,
    ) -> Scan:
        """Candidates for a query from a scope too large to load: by meaning and by words, filtered.

        With `grouped` the conversations of the best candidates come along, whatever the condition says of their rows.
        """
        ask = Query(now=now, prefixes=tuple(prefixes), condition=condition, limit=CANDIDATES)
        vector = await self.embed_query(query)
        near = [] if vector is None else await self.search(replace(ask, vector=vector))
        worded = await self.lexical(ask, words) or []
        beside = await self._beside([*near[:BEST], *worded[:BEST]], ask) if grouped else []
        rows = {match.row.address: match.row for match in [*near, *worded, *beside]}
        return Scan([rows[address] for address in sorted(rows)])

    async def _beside(self, best: Sequence[Match], ask: Query) -> list[Match]:
        """The groups of some rows, whole; nothing where that is too much."""
        names = sorted({match.row.value.get(GROUP) for match in best} - {None})
        if not names:
            return []
        alike = Test(Path((GROUP,)), Operator.in_, tuple(names), Kind.text)
        ask = replace(ask, condition=alike, limit=GROUPED + 1)
        found = await (self.search(ask) if self._grouping is None else self._grouping.grouped(ask, names))
        return found if len(found) <= GROUPED else []

    async def cosines(self, rows: Sequence[Row], query: str) -> list[float | None] | None:
        """How near each of these rows is to a query; `None` without an embedder. Embeds the query once."""
        vector = await self.embed_query(query)
        return None if vector is None else _dot([row.vector for row in rows], vector)

    async def search(self, query: Query) -> list[Match]:
        """The rows that a query describes. A query vector of zeros points nowhere and finds nothing."""
        await self.ready()
        if query.vector is not None and not query.vector.any():
            return []
        return [match for match in await self.backend.search(query) if match.row.address.namespace != SCALES]

    async def count(self, query: Query) -> int:
        """How many rows a query describes."""
        await self.ready()
        return await self.backend.count(query)

    async def namespaces(self, query: NamespaceQuery) -> list[Namespace]:
        """The namespaces that a query describes."""
        await self.ready()
        return [namespace for namespace in await self.backend.namespaces(query) if namespace != SCALES]

    async def scan(self, prefixes: Sequence[Namespace], now: datetime | None = None, *, limit: int) -> Scan | None:
        """A whole scope; `None` where the backend cannot, or where it holds over `limit` rows."""
        await self.ready()
        now = self.now(now)
        if self._scanning is None:
            return None
        stamp = await self._scanning.stamp(tuple(prefixes))  # first: a write in between leaves a stamp that is old
        rows = await self._scanning.scan(tuple(prefixes), now, limit)
        return None if rows is None else Scan(rows, stamp)

    async def stamp(self, prefixes: Sequence[Namespace]) -> Hashable | None:
        """What a scan of this scope would be stamped with; `None` where the backend cannot know."""
        await self.ready()
        return None if self._scanning is None else await self._scanning.stamp(tuple(prefixes))

    async def changes(
        self, scopes: tuple[Namespace, ...], paths: Sequence[Path], since: Hashable | None, limit: int
    ) -> Changes | None:
        """What was written in some scopes since a stamp; `None` where the backend cannot tell. See `Following`."""
        await self.ready()
        return None if self._following is None else await self._following.changes(scopes, paths, since, limit)

    async def keep(self, scopes: tuple[Namespace, ...], name: str, content: bytes, stamp: Hashable) -> bool:
        """Keeps something derived over a restart; says no where the backend does not. See `Keeping`."""
        return self._keeping is not None and await self._keeping.keep(scopes, name, content, stamp)

    async def kept(self, scopes: tuple[Namespace, ...], name: str) -> Kept | None:
        """What was kept. See `Keeping`."""
        await self.ready()
        return None if self._keeping is None else await self._keeping.kept(scopes, name)

    async def forget_lost(self) -> None:
        """Has the backend drop what it keeps over a restart and what still holds something that was removed."""
        if isinstance(self._keeping, Lasting):
            await self._keeping.forget_lost()

    async def lexical(self, query: Query, words: Sequence[str]) -> list[Match] | None:
        """The rows that hold at least one of the words; `None` where the backend has no full text search."""
        await self.ready()
        return None if self._lexical is None else await self._lexical.lexical(query, words)

    # Writing

    async def write(self, batch: Sequence[Write], now: datetime | None = None) -> None:
        """Does all of a batch or, where anything fails, none. Of several writes to one address the last one counts.

        Passages whose vectors are at hand, in a write or in the row that it continues, are not embedded again.

        Raises:
            EmbeddingMismatch: The embedder gave vectors of another length; or the place holds vectors, a new passage
                would need one, and there is no embedder here.
            Conflict: What a write expects is not there.
        """
        now = self.now(now)
        await self.ready()
        writes = list({write.address: write for write in batch}.values())
        if writes:
            whole = await vectorized(writes, await self._continued(writes, now), self._vectorizer)
            if self._vectorizer is None and self._recorded is not None:
                _check_whole(whole, self._recorded)
            await self.backend.write(whole, now)

    async def touch(self, touches: Mapping[Address, Sequence[datetime]], keep: int) -> None:
        """Notes that rows were used, and keeps the `keep` newest; does nothing where the backend cannot."""
        await self.ready()
        if self._touching is not None and touches:
            await self._touching.touch(touches, keep)

    async def refresh(self, rows: Sequence[Row], now: datetime | None = None) -> None:
        """Lets those of the rows that have a sliding expiry live on for another `ttl`."""
        sliding = [row.address for row in rows if row.ttl is not None]
        if sliding:
            await self.backend.refresh(sliding, self.now(now))

    async def purge(self, now: datetime | None = None, *, limit: int | None = None) -> int:
        """Removes what has expired, at most `limit` rows of it, and says how many."""
        await self.ready()
        return await self.backend.purge(self.now(now), limit)

    async def compact(self) -> None:
        """Rewrites what the backend's files still hold of what was removed, where it has such files."""
        await self.ready()
        if isinstance(self.backend, Compacting):
            await self.backend.compact()

    # Texts

    async def embed(self, texts: Sequence[str]) -> Vectors | None:
        """Shape (len(texts), dims); `None` where there is no embedder. See `Vectorizer.documents`."""
        await self.ready()
        return None if self._vectorizer is None else await self._vectorizer.documents(texts)

    async def scale(self) -> Scale | None:
        """That of the embedder, measured and kept where it is not known yet; `None` where there is no embedder."""
        await self.ready()
        return None if self._vectorizer is None else await self._vectorizer.scale(self.backend, self.now())

    async def question(self, text: str, lasting: float = 0.0) -> Question:
        """A query as ranking takes it: its embedding, and what else comparing it with memories takes.

        Args:
            text: The query.
            lasting: How strongly to prefer what such a request usually needs, from 0 to 1.
        """
        await self.ready()
        if self._vectorizer is None:
            return Question(text, None, None)
        return await self._vectorizer.question(text, lasting, self.backend, self.now())

    async def embed_query(self, text: str) -> Vector | None:
        """Shape (dims,); `None` where there is no embedder. See `Vectorizer.query`."""
        await self.ready()
        return None if self._vectorizer is None else await self._vectorizer.query(text)

    async def _continued(self, writes: Sequence[Write], now: datetime) -> Sequence[Row | None]:
        """What lies where a write does not know it. Where one expects nothing, there is nothing to ask for."""
        asked = [
            write.address for write in writes if write.row and write.before is UNREAD and write.expects is not None
        ]
        return await self.backend.get(asked, now) if asked else ()


def _check_whole(writes: Sequence[Write], recorded: Embedder) -> None:
    """Refuses a passage without a vector where the others have one: a search by meaning would never find it."""
    if any(map(_lacks_vectors, writes)):
        raise EmbeddingMismatch(
            f"This store was built with {recorded.name} ({recorded.dims} dimensions) and is open without an embedder: "
            "it can be read, and memories can be removed. To write a text name the embedder, as in "
            "Memory(place, embed=…)."
        )


def _lacks_vectors(write: Write) -> bool:
    return write.row is not None and len(write.row.digests) < sum(bool(text.strip()) for text in write.row.texts)


def _dot(vectors: Sequence[Vector | None], query: Vector) -> list[float | None]:
    present = [vector for vector in vectors if vector is not None]
    if not present:
        return [None] * len(vectors)
    products = iter((np.stack(present) @ query).tolist())
    return [None if vector is None else next(products) for vector in vectors]
