"""What the operations need of a store.

`Items`, which every `LongTermStore` has, is the repository of our own stores: everything is pushed down to the backend.
`AnyStore` does the same on any other `BaseStore`. Every `async def` here serves the sync and the async
form (see `langchain_mem._flow`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from langchain_mem.backends.base import Address, NamespaceQuery, Row, Vectors, Write
from langchain_mem.filters.conditions import Condition, Path
from langchain_mem.model.scopes import Namespace
from langchain_mem.ranking.candidates import Question
from langchain_mem.ranking.scale import Scale
from langchain_mem.store.items import Scan
from langchain_mem.store.vectorizer import Vector


class Repository(Protocol):
    """Where memories lie. The value of a row is a `StoredMemory`, or one of the notes kept beside memories."""

    async def read(self, addresses: Sequence[Address], now: datetime) -> list[Row | None]:
        """What lies at these addresses, in order; `None` where there is nothing."""

    async def find(self, keys: Iterable[str], prefixes: Sequence[Namespace], now: datetime) -> dict[str, Row]:
        """What has these keys anywhere in a scope, by key."""

    looks_up: bool
    """Whether the store finds rows by a field without looking at others; see `having`."""

    async def having(
        self, namespaces: Sequence[Namespace], path: Path, values: Sequence[str], now: datetime
    ) -> list[Row] | None:
        """What lies in these very namespaces and has one of some texts at a path.

        Returns:
            The rows; `None` where the store would have to look at all it has.
        """

    async def select(
        self,
        prefixes: Sequence[Namespace],
        condition: Condition,
        now: datetime,
        *,
        limit: int | None = None,
        offset: int = 0,
    ) -> tuple[list[Row], int]:
        """A page of what fulfills a condition, newest update first, and how many there are in all."""

    async def addresses(self, prefixes: Sequence[Namespace], now: datetime) -> list[Address]:
        """Where everything in a scope is, in order, so that it can be read a piece at a time."""

    async def load(self, prefixes: Sequence[Namespace], now: datetime) -> Scan | None:
        """All that lies in a scope; `None` where that is too much to rank whole."""

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

        With `grouped` the conversations of the best candidates come along.
        """

    async def cosines(self, rows: Sequence[Row], query: str) -> list[float | None] | None:
        """How near each of these rows is to a query; `None` without an embedder. Embeds the query once."""

    async def embed(self, texts: Sequence[str]) -> Vectors | None:
        """The unit-length embeddings of texts in one batch, shape (len(texts), dims); `None` without an embedder."""

    async def scale(self) -> Scale | None:
        """That of the embedder, measured where it is not known yet; `None` without an embedder."""

    async def question(self, text: str, lasting: float = 0.0) -> Question:
        """All that comparing a query with memories takes.

        Args:
            text: The query.
            lasting: How strongly to prefer what such a request usually needs, from 0 to 1.
        """

    async def embed_query(self, text: str) -> Vector | None:
        """The unit-length embedding of a query, shape (dims,); `None` without an embedder."""

    async def namespaces(self, query: NamespaceQuery) -> list[Namespace]:
        """Namespaces that fit a pattern."""

    async def write(self, batch: Sequence[Write], now: datetime) -> None:
        """Writes all of it or nothing.

        Raises:
            Conflict: What a write expects is not what is there.
        """

    async def touch(self, touches: Mapping[Address, Sequence[datetime]], keep: int) -> None:
        """Adds uses to memories and keeps the `keep` newest; absent memories are skipped."""

    async def purge(self, now: datetime, *, limit: int | None = None) -> int:
        """Removes what may be removed for good by now, at most `limit` values of it, and says how many."""

    async def compact(self) -> None:
        """Rewrites what the store's files still hold of what was removed."""
