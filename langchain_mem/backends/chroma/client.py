"""One Chroma collection as a table of records: what Chroma's client does, within the bounds of one call."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import chromadb
import httpx
import numpy as np
from chromadb.api import ClientAPI
from chromadb.api.client import Client
from chromadb.api.models.Collection import Collection
from chromadb.config import Settings
from chromadb.errors import ChromaError, NotFoundError
from numpy.typing import NDArray

from langchain_mem.backends.chroma.records import Record, placeholder
from langchain_mem.backends.chroma.transient import HalfAnswer, answered
from langchain_mem.backends.chroma.where import Where
from langchain_mem.errors import StoreError, unquoted

T = TypeVar("T")

CLOUD_BATCH: Final = 300
"""Records that Chroma Cloud takes in one call, by its default quota."""

_COLUMNS: Final = ["metadatas", "documents", "embeddings"]
_PAGE: Final = 10_000
_COPY = "-copy"  # follows the name of a collection that is being copied
_CLOUD = ".trychroma.com"
_SYNC_AT: Final = 100
"""Vectors after which Chroma writes its index to the disk.

At each write Chroma reads its log from the last time on that it wrote the index. By default that is up to 1,000
records: a write then takes four times as long in the end as in the beginning.
"""

_SYNCED: Final = {"hnsw": {"batch_size": _SYNC_AT, "sync_threshold": _SYNC_AT}}

_CONFIGURATION: Final = {"hnsw": {"space": "ip", "ef_search": 400, **_SYNCED["hnsw"]}}
"""Inner product of unit vectors is their cosine, and unlike `cosine` gives vectors back as they came."""


@contextmanager
def engine_errors() -> Iterator[None]:
    """Raises what Chroma raises as `StoreError`, with the engine's own error as its cause.

    Raises:
        StoreError: Chroma refused or failed, or its server did not answer.
    """
    try:
        yield
    except (ChromaError, httpx.HTTPError, ValueError, OSError) as error:
        raise StoreError(f"Chroma failed: {unquoted(error)}") from error
    except Exception as error:
        if type(error) is not Exception:
            raise
        # what Chroma's client says of an answer that is none of Chroma's: a limit of the rate, a proxy's page
        answer = error.__context__
        told = f"HTTP {answer.response.status_code}" if isinstance(answer, httpx.HTTPStatusError) else unquoted(error)
        raise StoreError(f"Chroma failed: {told}") from error


def persistent_client(path: Path) -> Client:
    """A client of the folder, which reports nothing to anybody."""
    with engine_errors():
        client = chromadb.PersistentClient(path, settings=_settings().model_copy())  # which Chroma writes the path into
    return cast(Client, client)


@cache
def _settings() -> Settings:
    """Chroma's settings: to look for each of them in the environment and in `.env` takes most of opening a folder."""
    return Settings(anonymized_telemetry=False)


def set_timeout(client: ClientAPI, seconds: float | None) -> None:
    """Ends the wait for a server that says nothing.

    Chroma's clients over HTTP wait for ever, and there is no setting. A client whose owner set something is left alone.
    """
    session = getattr(getattr(client, "_server", None), "_session", None)
    if isinstance(session, httpx.Client) and session.timeout == httpx.Timeout(None):
        session.timeout = httpx.Timeout(seconds)


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items in order, at most `size` at a time."""
    return (items[start : start + size] for start in range(0, len(items), size))


class CollectionClient:
    """One collection. Ids and records may be many; each call to Chroma takes no more than it can.

    Attributes:
        batch: How many records one call takes. An upsert of so many is done whole or not at all.
        page: How many records `find` asks for in one call.
        journals: Whether metadata may be as long as a page of the journal is; in Chroma Cloud it may not.
    """

    def __init__(
        self,
        client: ClientAPI,
        collection: Collection,
        batch: int,
        *,
        journals: bool = True,
        patience: float = 0.0,
    ) -> None:
        self._client = client
        self._collection = collection
        self.batch = batch
        self.page = _PAGE
        self.journals = journals
        self._patience = patience
        self._closed = False

    @classmethod
    def open(cls, client: ClientAPI, name: str, *, patience: float = 0.0) -> CollectionClient:
        """The collection of this name, made if there is none.

        Args:
            client: Chroma's own client.
            name: The collection's name.
            patience: For how many seconds a server is asked again that answers with a passing error.
        """
        cloud = (client.get_settings().chroma_server_host or "").endswith(_CLOUD)
        with engine_errors():
            most = answered(client.get_max_batch_size, patience)
            collection = answered(partial(_collection, client, name), patience)
        batch = min(most, CLOUD_BATCH) if cloud else most
        return cls(client, collection, batch, journals=not cloud, patience=patience)

    @property
    def name(self) -> str:
        """The collection's name."""
        return self._collection.name

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What the collection says of itself."""
        return self._collection.metadata or {}

    def describe(self, metadata: Mapping[str, Any]) -> None:
        """Sets what the collection says of itself."""
        self._call(partial(self._collection.modify, metadata=dict(metadata)))

    def sync_often(self) -> None:
        """Has the index of a collection that an earlier release made written to the disk as often as a new one's."""
        index = self._collection.configuration_json.get("hnsw") or {}
        if index.get("sync_threshold", _SYNC_AT) != _SYNC_AT:
            with engine_errors(), warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # Chroma's, of how it noted that we embed ourselves
                self._collection.modify(configuration=cast(Any, _SYNCED))

    def empty(self) -> bool:
        """Whether there is no record at all."""
        return self._call(self._collection.count) == 0

    def read(self, ids: Sequence[str], *, vectors: bool = True) -> list[Record]:
        """The records with these ids, those that exist, in no order."""
        pages = (self._get(ids=list(page), vectors=vectors) for page in chunks(ids, self.batch))
        return [record for page in pages for record in page]

    def find(
        self, where: Where, *, containing: Where = None, vectors: bool = True, limit: int | None = None
    ) -> list[Record]:
        """The records that `where` describes and whose text `containing` does, at most `limit` of them.

        More than `page` of them are read by their ids, for Chroma hands SQLite each record it has found as a variable
        of one statement, which has 32,766 at most.
        """
        whole = limit is not None and limit <= self.page
        first = self._get(where=where, where_document=containing, vectors=vectors, limit=limit if whole else self.page)
        if whole or len(first) < self.page:
            return first
        here = {record.id for record in first}
        others = [each for each in self.ids(where, limit, containing=containing) if each not in here]
        return [*first, *self.read(others, vectors=vectors)][:limit]

    def ids(self, where: Where, limit: int | None = None, *, containing: Where = None) -> list[str]:
        """The ids of the records that `where` and `containing` describe, at most `limit` of them."""
        asked = partial(self._collection.get, where=where, where_document=cast(Any, containing))
        return list(self._call(partial(asked, limit=limit, include=[]))["ids"])

    def nearest(
        self, vector: NDArray[np.float32], count: int, where: Where, *, containing: Where = None
    ) -> list[Record]:
        """About the `count` records that `where` and `containing` describe whose vectors are nearest, nearest first."""
        asked = partial(
            self._collection.query,
            query_embeddings=cast(Any, [vector]),
            n_results=count,
            where=where,
            where_document=cast(Any, containing),
            include=cast(Any, _COLUMNS),
        )
        return list(_records(self._call(partial(_whole, partial(_first, asked)))))

    def upsert(self, records: Sequence[Record]) -> None:
        """Puts records; whole if they are at most `batch`."""
        for page in chunks(records, self.batch):
            put = partial(
                self._collection.upsert,
                ids=[record.id for record in page],
                embeddings=np.stack([record.embedding for record in page]),
                metadatas=[dict(record.metadata) for record in page],
                documents=[record.document for record in page],
            )
            self._call(put)

    def update(self, changes: Mapping[str, Mapping[str, Any]]) -> None:
        """Merges metadata into the records with these ids; `None` removes a key, an absent id is no error."""
        for page in chunks(list(changes), self.batch):
            metadatas: Any = [dict(changes[id_]) for id_ in page]
            self._call(partial(self._collection.update, ids=list(page), metadatas=metadatas))

    def delete(self, ids: Sequence[str]) -> None:
        """Deletes records; whole if they are at most `batch`, an absent id is no error."""
        for page in chunks(ids, self.batch):
            self._call(partial(self._collection.delete, ids=list(page)))

    def rewritten(self, dims: int | None = None) -> CollectionClient:
        """Copies the records into a new collection, which takes this one's place and name.

        Args:
            dims: How long vectors are to be; each becomes a placeholder of that length. `None` keeps them.

        Returns:
            The new collection; this one is gone.
        """
        name = self._collection.name
        with self._calling():
            copy = CollectionClient(
                self._client, _collection(self._client, name + _COPY), self.batch, journals=self.journals
            )
            copy.describe(self.metadata)
            for page in chunks(self.ids(None), self.batch):
                copy.upsert([each if dims is None else _resized(each, dims) for each in self.read(page)])
            self._client.delete_collection(name)
        recover(self._client, name)
        return copy

    def reopen(self) -> None:
        """Asks again what the collection of this name says of itself, whoever has made it meanwhile."""
        self._collection = self._call(partial(_collection, self._client, self.name))

    def anew(self) -> CollectionClient:
        """Drops this collection for an empty one of its name, which takes vectors of any length."""
        with self._calling():
            self._client.delete_collection(self._collection.name)
        return CollectionClient.open(self._client, self._collection.name, patience=self._patience)

    def close(self) -> None:
        """Refuses whatever is asked from now on: whoever had begun before may still hold this collection."""
        self._closed = True

    @contextmanager
    def _calling(self) -> Iterator[None]:
        if self._closed:
            raise StoreError("This Chroma folder is closed.")
        with engine_errors():
            yield

    def _call(self, ask: Callable[[], T]) -> T:
        """What Chroma answers, asked again while its server answers with a passing error."""
        with self._calling():
            return answered(ask, self._patience) if self._patience else ask()

    def _get(self, *, vectors: bool, **what: Any) -> list[Record]:
        include: Any = _COLUMNS if vectors else _COLUMNS[:2]
        found = self._call(partial(_whole, partial(self._collection.get, **what, include=include)))
        return list(_records(found))


def recover(client: ClientAPI, name: str) -> None:
    """Finishes what a killed `rewritten` began: names its copy, or drops one whose original is there."""
    with engine_errors():
        copy = _find(client, name + _COPY)
        if copy is not None and _find(client, name) is not None:
            client.delete_collection(name + _COPY)
        elif copy is not None:
            copy.modify(name=name)


def _first(ask: Callable[[], Any]) -> Mapping[str, Any]:
    """What a query of one vector found."""
    found = ask()
    return {column: found[column][0] for column in ("ids", *_COLUMNS)}


def _whole(ask: Callable[[], Any]) -> Mapping[str, Any]:
    """What a read gives, where it has a vector for each record it lists.

    Raises:
        HalfAnswer: It has not.
    """
    found: Mapping[str, Any] = ask()
    embeddings = found["embeddings"]
    if embeddings is not None and len(embeddings) < len(found["ids"]):
        raise HalfAnswer("Chroma listed records without their vectors.")
    return found


def _records(found: Mapping[str, Any]) -> Iterable[Record]:
    ids = found["ids"]
    embeddings = found["embeddings"]
    vectors = np.zeros((len(ids), 0)) if embeddings is None else np.asarray(embeddings)
    columns = (ids, vectors.astype(np.float32), found["metadatas"], found["documents"])
    return (
        Record(id_, vector, metadata or {}, text or "") for id_, vector, metadata, text in zip(*columns, strict=True)
    )


def _resized(record: Record, dims: int) -> Record:
    return record._replace(embedding=placeholder(record.id, dims))


def _collection(client: ClientAPI, name: str) -> Collection:
    return client.get_or_create_collection(name, configuration=cast(Any, _CONFIGURATION), embedding_function=None)


def _find(client: ClientAPI, name: str) -> Collection | None:
    try:
        return client.get_collection(name, embedding_function=None)
    except NotFoundError:
        return None
