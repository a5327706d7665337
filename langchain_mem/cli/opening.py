"""The store, the embedder and the checkpointer that a command works on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_mem.cli.printing import note, saying_errors
from langchain_mem.errors import InvalidRequest, MissingDependency

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings

    from langchain_mem.backends.base import Backend, Embedder
    from langchain_mem.checkpointers.postgres import PostgresCheckpointer
    from langchain_mem.checkpointers.retention import Retention
    from langchain_mem.checkpointers.sqlite import SqliteCheckpointer
    from langchain_mem.memory.facade import Memory
    from langchain_mem.store.long_term import LongTermStore


@contextmanager
def opened(
    store: str | None, embedder: str | None = None, *, new: bool = False, dry_run: bool = False, tell: bool = False
) -> Iterator[LongTermStore]:
    """The store that a command works on, closed afterwards.

    Args:
        store: A folder, a Postgres address, or the default.
        embedder: Its name; `None` for the one the store was built with, where it can be made here, else none.
        new: Whether a folder that is not there is made.
        dry_run: Whether nothing is made after all.
        tell: Whether to say that the store's embedder cannot be made.

    Raises:
        InvalidRequest: There is no such folder, or no such embedder.
        EmbeddingMismatch: The store was built with another embedder than the one named.
    """
    from langchain_mem._flow import run
    from langchain_mem.store.long_term import LongTermStore

    backend = _backend(store, new=new, dry_run=dry_run)
    try:
        embeddings, dims = _embedder(embedder, run(backend.setup(None)), tell=tell)
        index: Any = {"embed": embeddings, "dims": dims} if embeddings else None
        with LongTermStore(backend, index=index) as place:
            yield place
    finally:
        run(backend.close())


def _embedder(name: str | None, recorded: Embedder | None, *, tell: bool) -> tuple[Embeddings | None, int | None]:
    """The embedder to use, and how long its vectors are where the store knows."""
    from langchain_mem.embeddings.naming import embedder_named, name_of_recorded

    if name:
        return embedder_named(name), None
    if recorded is None:
        return embedder_named("minilm"), None
    known = name_of_recorded(recorded.name)
    try:
        return (embedder_named(known), recorded.dims) if known else (None, None)
    except (InvalidRequest, MissingDependency) as error:
        if tell:
            note(f"By words alone, for the embedder that built this store cannot be used here: {error}")
        return None, None


def _backend(store: str | None, *, new: bool, dry_run: bool) -> Backend:
    """Where the items are."""
    from langchain_mem.backends.dictionary import DictionaryBackend
    from langchain_mem.store.place import POSTGRES, check_place, default_place

    place = check_place(store or default_place())
    if POSTGRES.match(place):
        from langchain_mem.backends.postgres.backend import PostgresBackend

        return PostgresBackend(place)
    if not Path(place).is_dir() and not new:
        raise InvalidRequest(f"There is no store in {place}; name one with --store or LANGCHAIN_MEM_STORE.")
    if not Path(place).is_dir() and dry_run:
        return DictionaryBackend()
    from langchain_mem.backends.chroma.backend import ChromaBackend

    return ChromaBackend(place)


@contextmanager
def remembering(
    store: str | None,
    embedder: str | None = None,
    *,
    new: bool = False,
    dry_run: bool = False,
    tell: bool = False,
    model: str | None = None,
) -> Iterator[Memory]:
    """An administrator's memory over a store; see `opened`. What goes wrong is said in one line.

    Args:
        store: See `opened`, as for what is not told here.
        embedder: See `opened`.
        new: See `opened`.
        dry_run: See `opened`.
        tell: See `opened`.
        model: The name of a chat model, for commands that ask one.
    """
    from langchain_mem.memory.facade import Memory

    with (
        saying_errors(),
        opened(store, embedder, new=new, dry_run=dry_run, tell=tell) as place,
        Memory(place, all_owners=True, model=model) as memory,
    ):
        yield memory


@contextmanager
def checkpointing(
    threads: str, retention: Retention | None = None
) -> Iterator[SqliteCheckpointer | PostgresCheckpointer]:
    """The checkpointer whose threads a command works on. What goes wrong is said in one line.

    Args:
        threads: An SQLite file or a Postgres address.
        retention: What a sweep applies.
    """
    from langchain_mem.store.place import POSTGRES

    with saying_errors():
        if POSTGRES.match(threads):
            from langchain_mem.checkpointers.postgres import PostgresCheckpointer

            with PostgresCheckpointer.open(threads, retention=retention) as database:
                yield database
            return
        if not Path(threads).is_file():
            raise InvalidRequest(f"There are no threads in {threads}; name an SQLite file or a postgresql:// address.")
        from langchain_mem.checkpointers.sqlite import SqliteCheckpointer

        with SqliteCheckpointer.open(threads, retention=retention) as file:
            yield file
