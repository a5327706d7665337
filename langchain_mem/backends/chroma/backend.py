"""Memories in Chroma: embedded in this process, over HTTP, or in Chroma Cloud."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Coroutine, Hashable, Sequence
from datetime import datetime
from functools import partial, wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from chromadb.api import ClientAPI

from langchain_mem._flow import offload
from langchain_mem.backends.base import Address, Embedder, Namespace, Row
from langchain_mem.backends.changes import Changes
from langchain_mem.backends.chroma.client import CollectionClient, set_timeout
from langchain_mem.backends.chroma.collection import SharedCollection
from langchain_mem.backends.chroma.folder import Folder
from langchain_mem.backends.chroma.transient import LONGEST
from langchain_mem.backends.chroma.write_lock import WriteLock
from langchain_mem.backends.waiting import PATIENCE, checked_timeout
from langchain_mem.errors import InvalidRequest, StoreError, shown
from langchain_mem.filters import conditions

P = ParamSpec("P")
R = TypeVar("R")

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{1,498}[a-zA-Z0-9]")

_NOT_OPEN = "This Chroma backend is closed, or `setup` has not been called."


def _offloaded(
    method: Callable[Concatenate[SharedCollection, P], R],
) -> Callable[Concatenate[ChromaBackend, P], Coroutine[Any, Any, R]]:
    """A method of a collection as one of the backend, which on an event loop runs on another thread."""

    @wraps(method)
    async def offloaded(backend: ChromaBackend, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return await offload(partial(method, backend._shared, *args, **kwargs))

    return offloaded


class ChromaBackend:
    """Keeps rows in one Chroma collection.

    *Embedded*, `ChromaBackend("./memory")`: a folder that one process has open at a time. In that process it may be
    opened many times; all share one client. Scopes in use are held in memory, so that searching one user's memories
    is exact and takes about a millisecond.

    *Over HTTP*, `ChromaBackend(client=chromadb.HttpClient(...))`, and *in Chroma Cloud* with `CloudClient`: several
    processes share the collection, so rows are not held in memory. A write holds a lock of its owner on the server, an
    empty collection that is there for as long; see `write_lock`. What others wrote is read as changes; see `feed`. In
    the cloud, a batch of more records than one call takes (300 by default) is not whole, and quotas bound the size of a
    value (4 KB by default).

    Args:
        path: The folder, made if there is none. Or give `client`.
        client: A client of your own; you close it.
        collection: The collection's name: 3 to 500 characters out of letters, digits, `.`, `_` and `-`.
        exact: A scope of at most so many vectors is searched exactly; a larger one by Chroma's approximate index.
        timeout: For how many seconds a server may be silent before a call fails; `None` for ever. It is set on a client
            that has none, which is what Chroma makes.
        alone: Whether no other process writes to the server's collection. Then no locks are taken, which saves two of
            the four calls of a write.

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
        alone: bool = False,
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
        self._alone = alone
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

    having = _offloaded(SharedCollection.having)
    write = _offloaded(SharedCollection.write)
    search = _offloaded(SharedCollection.search)
    count = _offloaded(SharedCollection.count)
    namespaces = _offloaded(SharedCollection.namespaces)
    refresh = _offloaded(SharedCollection.refresh)
    purge = _offloaded(SharedCollection.purge)
    scan = _offloaded(SharedCollection.scan)
    addresses = _offloaded(SharedCollection.addresses)
    stamp = _offloaded(SharedCollection.stamp)
    keep = _offloaded(SharedCollection.keep)
    kept = _offloaded(SharedCollection.kept)
    lexical = _offloaded(SharedCollection.lexical)
    touch = _offloaded(SharedCollection.touch)

    async def get(self, addresses: Sequence[Address], now: datetime) -> list[Row | None]:
        """The unexpired rows at these addresses, in order. Those that were read lately take no other thread."""
        held = self._shared.held(addresses, now)
        return await offload(partial(self._shared.get, addresses, now)) if held is None else held

    async def changes(
        self, scopes: tuple[Namespace, ...], paths: Sequence[conditions.Path], since: Hashable | None, limit: int
    ) -> Changes | None:
        """What was written in these scopes since a stamp. That nothing was takes no other thread to say."""
        same = self._shared.unwritten(scopes, paths, since)
        return await offload(partial(self._shared.changes, scopes, paths, since, limit)) if same is None else same

    async def close(self) -> None:
        """Lets go of the folder; a client that was given stays open."""
        await offload(self._close)

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
            patience = min(LONGEST, self._timeout or LONGEST)
            table = CollectionClient.open(self._client, self._collection, patience=patience)
            lock = None if self._alone else WriteLock(self._client, self._collection)
            return SharedCollection(table, threading.RLock(), kept=None, small=self._exact, lock=lock)
        self._folder = Folder.acquire(self._path or ".")
        return self._folder.collection(self._collection, small=self._exact)

    def _close(self) -> None:
        with self._opening:
            self._let_go()

    def _let_go(self) -> None:
        folder, self._folder, self._opened = self._folder, None, None
        if folder is not None:
            folder.release()
