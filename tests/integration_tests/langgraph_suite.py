"""A pytest plugin that runs LangGraph's own store tests with `LongTermStore` in the place of LangGraph's stores.

LangGraph publishes its tests with its source distributions. The plugin leaves them as they are. After they are
collected, it replaces the names of LangGraph's store classes in their modules. The environment says which backend:

    STORE_ENGINE    dictionary, chroma or postgres
    STORE_DSN       for postgres: where the database is

What a test needs of LangGraph's own engine, such as a cursor, is not there: such a test is skipped with the reason.
"""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, ClassVar

import pytest

from langchain_mem import LongTermStore
from langchain_mem.backends.base import Backend
from langchain_mem.backends.dictionary import DictionaryBackend

THEIR_SQL = "works on LangGraph's own tables"
COSINE = "asks for Euclidean distances; a score here is a cosine, whatever `distance_type` says"
THEIR_INNARDS = {
    "test_dedupe_ops_maps_repeated_reads_and_puts_to_one_op": "a function of LangGraph's, no store",
    "test_get_text_at_path": "a function of LangGraph's, no store",
    "test_get_text_at_path_with_non_dict_mapping": "a function of LangGraph's, no store",
    "test_async_batch_store": "a class of LangGraph's over a store of the test's own",
    "test_async_batch_store_handles_cancellation": "a class of LangGraph's over a store of the test's own",
    "test_validate_op_namespace_rejects_invalid_labels": "a function of LangGraph's, no store",
    "test_validate_op_namespace_allows_empty_prefix_and_wildcards": "a function of LangGraph's, no store",
    "test_escape_like_literal": THEIR_SQL,
    "test_escape_glob_literal": THEIR_SQL,
    "test_namespace_match_pattern": THEIR_SQL,
    "test_list_namespaces_prefix_uses_indexable_condition": THEIR_SQL,
    "test_nonnull_migrations": THEIR_SQL,
    "test_abatch_uses_single_pool_checkout": "counts the connections of LangGraph's pool",
    "test_omit_expired_filters_read_paths": THEIR_SQL,
    "test_omit_expired_disabled_preserves_expired_rows": THEIR_SQL,
    "test_omit_expired_refresh_ttl_only_refreshes_live_rows": THEIR_SQL,
    "test_omit_expired_search_pagination": THEIR_SQL,
    "sqlite/test_store.py test_vector_store_initialization": "looks at LangGraph's own tables",
    "test_no_running_loop": "asks that sync calls on an event loop are refused; ours work there",
}

DECIDED = {
    "test_sql_injection_vulnerability": "wants odd filter keys refused; here any text is a key, and none is syntax",
    "test_ttl_override_default": "SqliteStore takes an unset `refresh_on_read` for False; LangGraph documents True",
    "test_scores[aaa-halfvec-l2]": COSINE,
    "test_scores[bbb-halfvec-l2]": COSINE,
    "test_scores[ccc-halfvec-l2]": COSINE,
    "test_scores[abcd-halfvec-l2]": COSINE,
    "test_scores[poisson-halfvec-l2]": COSINE,
}
"""Tests that ask for something else than this package has decided: they are expected to fail."""

_folder = tempfile.TemporaryDirectory(prefix="suite")
_places: dict[str, str] = {}


def _backend(place: str) -> Backend:
    """The backend at a place; one place is one collection or schema."""
    name = _places.setdefault(place, f"suite_{uuid.uuid4().hex[:12]}")
    if os.environ["STORE_ENGINE"] == "dictionary":
        return DictionaryBackend()
    if os.environ["STORE_ENGINE"] == "chroma":
        from langchain_mem.backends.chroma.backend import ChromaBackend

        return ChromaBackend(_folder.name, collection=name)
    from langchain_mem.backends.postgres.backend import PostgresBackend

    return PostgresBackend(os.environ["STORE_DSN"], schema=name)


def _index(given: dict[str, Any] | None) -> Any:
    """LangGraph's configuration of an index. The tests of SqliteStore say `text_fields` for `fields`."""
    if given is None:
        return None
    return {"fields" if key == "text_fields" else key: value for key, value in given.items() if value is not None}


class SyncStore(LongTermStore):
    """Ours, opened as LangGraph's sync stores are."""

    MIGRATIONS: ClassVar[list[str]] = []

    def __init__(self, *, index: Any = None, ttl: Any = None, place: str = ":memory:") -> None:
        place = uuid.uuid4().hex if place == ":memory:" else place
        super().__init__(_backend(place), index=_index(index), ttl=ttl)

    @classmethod
    @contextmanager
    def from_conn_string(cls, place: str, *, index: Any = None, ttl: Any = None, **_: Any) -> Iterator[SyncStore]:
        with cls(index=index, ttl=ttl, place=place) as store:
            yield store

    @contextmanager
    def _cursor(self) -> Iterator[_NoTables]:
        yield _NoTables()


class AsyncStore(LongTermStore):
    """Ours, opened as LangGraph's async stores are: their async forms carry the names of the sync ones."""

    MIGRATIONS: ClassVar[list[str]] = []

    @classmethod
    @asynccontextmanager
    async def from_conn_string(
        cls, place: str, *, index: Any = None, ttl: Any = None, **_: Any
    ) -> AsyncIterator[AsyncStore]:
        place = uuid.uuid4().hex if place == ":memory:" else place
        async with cls(_backend(place), index=_index(index), ttl=ttl) as store:
            yield store

    async def setup(self) -> None:  # type: ignore[override]
        await self.asetup()

    async def sweep_ttl(self) -> int:  # type: ignore[override]
        return await self.asweep_ttl()

    async def start_ttl_sweeper(self, sweep_interval_minutes: float | None = None) -> Any:  # type: ignore[override]
        return await self.astart_ttl_sweeper(sweep_interval_minutes)

    async def stop_ttl_sweeper(self, timeout: float | None = None) -> bool:  # type: ignore[override]  # noqa: ASYNC109
        return await self.astop_ttl_sweeper(timeout)

    @asynccontextmanager
    async def _cursor(self) -> AsyncIterator[_NoTables]:
        yield _NoTables()


class _NoTables:
    """What stands for a cursor where a test only prepares LangGraph's tables, which ours have not."""

    def execute(self, *_: Any) -> _NoTables:
        return self

    def __await__(self) -> Iterator[Any]:
        return iter(())


class _NoAdmin:
    """What stands for the connection with which a test makes and drops a database of its own."""

    @classmethod
    def connect(cls, *_: Any, **__: Any) -> _NoAdmin:
        return cls()

    def execute(self, *_: Any) -> _NoAdmin:
        return self

    def __enter__(self) -> _NoAdmin:
        return self

    def __exit__(self, *_: Any) -> None:
        pass

    def __await__(self) -> Iterator[Any]:
        return iter(())


class _NoAsyncAdmin(_NoAdmin):
    @classmethod
    async def connect(cls, *_: Any, **__: Any) -> _NoAsyncAdmin:  # type: ignore[override]
        return cls()

    async def __aenter__(self) -> _NoAsyncAdmin:
        return self

    async def __aexit__(self, *_: Any) -> None:
        pass


INSTEAD = {
    "InMemoryStore": SyncStore,
    "SqliteStore": SyncStore,
    "PostgresStore": SyncStore,
    "AsyncSqliteStore": AsyncStore,
    "AsyncPostgresStore": AsyncStore,
    "Connection": _NoAdmin,
    "AsyncConnection": _NoAsyncAdmin,
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts our stores in the place of LangGraph's, and skips what tests no store."""
    for item in items:
        module: Any = item.module  # type: ignore[attr-defined]
        for name, ours in INSTEAD.items():
            if hasattr(module, name):
                setattr(module, name, ours)
        name = item.originalname  # type: ignore[attr-defined]
        if {"pipe", "pool", "file"} & set(item.name.rpartition("[")[2].rstrip("]").split("-")):
            item.add_marker(pytest.mark.skip(reason="another connection of LangGraph's; for ours it is the same test"))
        place = f"sqlite/{item.path.name} {name}" if hasattr(module, "SqliteStore") else name
        if reason := THEIR_INNARDS.get(name) or THEIR_INNARDS.get(place):
            item.add_marker(pytest.mark.skip(reason=reason))
        if reason := DECIDED.get(name) or DECIDED.get(item.name):
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
