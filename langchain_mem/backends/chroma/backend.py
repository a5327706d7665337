"""Memories in Chroma: embedded in this process, over HTTP, or in Chroma Cloud."""

from __future__ import annotations

import re
import threading
from collections.abc import Hashable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from chromadb.api import ClientAPI

from langchain_mem._flow import offload
from langchain_mem.backends.base import Address, Embedder, Match, Namespace, NamespaceQuery, Query, Row, Write
from langchain_mem.backends.changes import Changes, Kept
from langchain_mem.backends.chroma.client import CollectionClient, set_timeout
from langchain_mem.backends.chroma.collection import SharedCollection
from langchain_mem.backends.chroma.folder import Folder
from langchain_mem.backends.waiting import PATIENCE, checked_timeout
from langchain_mem.errors import InvalidRequest, StoreError, shown
from langchain_mem.filters.conditions import Path as Field

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{1,498}[a-zA-Z0-9]")

_NOT_OPEN = "This Chroma backend is closed, or `setup` has not been called."


class ChromaBackend:
    """Keeps rows in one Chroma collection.

    *Embedded*, `ChromaBackend("./memory")`: a folder that one process has open at a time. In that process it may be
    opened many times; all share one client. Scopes in use are held in memory, so that searching one user's memories
    is exact and takes about a millisecond.

    *Over HTTP*, `ChromaBackend(client=chromadb.HttpClient(...))`, and *in Chroma Cloud* with `CloudClient`: several
    processes share the collection, so nothing is held in memory and `stamp` does not know. `Write.expects` is compared
    under a lock of this process only; of two processes that write one row at the same moment, the later wins. Touches
    lie in 15 lanes, of which a process takes one by its id: only of two processes in one lane that touch one row at
    the same moment, one may lose its touch. In the cloud, a batch of more records than one call takes (300 by default)
    is not whole, and quotas bound the size of a value (4 KB by default).

    Args:
        path: The folder, made if there is none. Or give `client`.
        client: A client of your own; you close it.
        collection: The collection's name: 3 to 500 characters out of letters, digits, `.`, `_` and `-`.
        exact: A scope of at most so many vectors is searched exactly; a larger one by Chroma's approximate index.
        timeout: For how many seconds a server may be silent before a call fails; `None` for ever. It is set on a client
            that has none, which is what Chroma makes.

    Raises:
        InvalidRequest: Both a path and a client, or neither; or Chroma does not take the name.
    """

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        client: ClientAPI | None = None,
        collection: str = "langchain_mem",
        exact: int = 5_000,
        timeout: float | None = PATIENCE,
    ) -> None:
        if (path is None) == (client is None):
            raise InvalidRequest("Chroma takes either a path to a folder or `client=`, and one of them.")
        if not _NAME.fullmatch(collection):
            raise InvalidRequest(
                f"A collection's name has 3 to 500 letters, digits, `.`, `_` or `-`, and begins and ends with a letter "
                f"or digit; {shown(collection)} does not."
            )
        self._path = path
        self._client = client
        self._collection = collection
        self._exact = exact
        self._timeout = checked_timeout(timeout)
        self._folder: Folder | None = None
        self._opened: SharedCollection | None = None
        self._opening = threading.Lock()

    async def setup(self, embedder: Embedder | None) -> Embedder | None:
        """Opens the folder or the collection, and records or compares the embedder.

        Raises:
            StoreLocked: Another process has the folder open.
            EmbeddingMismatch: The collection holds another embedder's vectors.
        """
        return await offload(self._setup, embedder)

    async def get(self, addresses: Sequence[Address], now: datetime) -> list[Row | None]:
        """The unexpired rows at these addresses, in order; `None` where there is none."""
        return await offload(self._shared.get, addresses, now)

    async def write(self, batch: Sequence[Write], now: datetime) -> None:
        """Does all of the batch or none of it, also where the process is killed meanwhile."""
        await offload(self._shared.write, batch, now)

    async def search(self, query: Query) -> list[Match]:
        """The rows that the query describes, in its order."""
        return await offload(self._shared.search, query)

    async def count(self, query: Query) -> int:
        """How many rows the query describes."""
        return await offload(self._shared.count, query)

    async def namespaces(self, query: NamespaceQuery) -> list[Namespace]:
        """The namespaces that the query describes."""
        return await offload(self._shared.namespaces, query)

    async def refresh(self, addresses: Sequence[Address], now: datetime) -> None:
        """Sets `expires_at` to `now + ttl` for those rows that have a `ttl` and have not expired."""
        await offload(self._shared.refresh, addresses, now)

    async def purge(self, now: datetime, limit: int | None = None) -> int:
        """Removes rows that have expired by `now`, at most `limit` of them, and says how many."""
        return await offload(self._shared.purge, now, limit)

    async def close(self) -> None:
        """Lets go of the folder; a client that was given stays open."""
        await offload(self._close)

    async def scan(self, prefixes: tuple[Namespace, ...], now: datetime, limit: int) -> list[Row] | None:
        """Every unexpired row in scope in order of address; `None` where there are over `limit`."""
        return await offload(self._shared.scan, prefixes, now, limit)

    async def stamp(self, prefixes: tuple[Namespace, ...]) -> Hashable | None:
        """What changes with each write in scope; `None` over HTTP, and for scopes too large to be held in memory."""
        return await offload(self._shared.stamp, prefixes)

    async def changes(
        self, scopes: tuple[Namespace, ...], paths: Sequence[Field], since: Hashable | None, limit: int
    ) -> Changes | None:
        """What was written in these scopes since a stamp, or all there is; `None` over HTTP, or over `limit` rows."""
        return await offload(self._shared.changes, scopes, paths, since, limit)

    async def keep(self, scopes: tuple[Namespace, ...], name: str, content: bytes, stamp: Hashable) -> bool:
        """Keeps something derived beside the folder's database until its scopes change; not over HTTP."""
        return await offload(self._shared.keep, scopes, name, content, stamp)

    async def kept(self, scopes: tuple[Namespace, ...], name: str) -> Kept | None:
        """What was kept, if nobody has written to the database since the folder was closed."""
        return await offload(self._shared.kept, scopes, name)

    async def lexical(self, query: Query, words: Sequence[str]) -> list[Match]:
        """The rows that hold at least one of the words, those that hold more and rarer ones first."""
        return await offload(self._shared.lexical, query, words)

    async def touch(self, touches: Mapping[Address, Sequence[datetime]], keep: int) -> None:
        """Adds these instants to the rows' touches and keeps the `keep` newest; absent rows are skipped."""
        await offload(self._shared.touch, touches, keep)

    async def compact(self) -> None:
        """Rewrites the folder from what lives in it, so that deleted text and vectors can be read from no file.

        Deleting frees their place and leaves them there until it is used again. Every call that
        Chroma must answer waits meanwhile. No
        other client of this folder may be open, here or in another process.

        Raises:
            StoreError: It failed, and what lives is untouched; or this is a server's collection.
        """
        if self._client is not None:
            raise StoreError(
                "Only a folder can be compacted. On the server's machine stop the server, open its folder with "
                "ChromaBackend(path) and compact that."
            )
        await offload(self._shared_folder.compact)

    @property
    def _shared_folder(self) -> Folder:
        if self._folder is None:
            raise StoreError(_NOT_OPEN)
        return self._folder

    @property
    def _shared(self) -> SharedCollection:
        if self._opened is None:
            raise StoreError(_NOT_OPEN)
        return self._opened

    def _setup(self, embedder: Embedder | None) -> Embedder | None:
        with self._opening:
            if self._opened is not None:
                self._opened.describe(embedder)
                return self._opened.embedder
            try:
                opened = self._open()
                opened.describe(embedder)
            except StoreError:
                self._let_go()
                raise
            self._opened = opened
            return opened.embedder

    def _open(self) -> SharedCollection:
        if self._client is not None:
            set_timeout(self._client, self._timeout)
            table = CollectionClient.open(self._client, self._collection)
            return SharedCollection(table, threading.RLock(), kept=None, small=self._exact)
        self._folder = Folder.acquire(self._path or ".")
        return self._folder.collection(self._collection, small=self._exact)

    def _close(self) -> None:
        with self._opening:
            self._let_go()

    def _let_go(self) -> None:
        folder, self._folder, self._opened = self._folder, None, None
        if folder is not None:
            folder.release()
