"""A store by the place where it lies: a folder, a Postgres database, or nowhere but in this process."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from langchain_core.embeddings import Embeddings

from langchain_mem.embeddings.local import local_embeddings
from langchain_mem.embeddings.naming import embedder_named
from langchain_mem.errors import InvalidRequest, shown
from langchain_mem.store.items import Clock, utc_now
from langchain_mem.store.long_term import Embed, LongTermStore

DEFAULT_PLACE: Final = "./memory"
"""Where the store lies unless `$LANGCHAIN_MEM_STORE` says otherwise."""

POSTGRES: Final = re.compile(r"postgres(ql)?://|(host|hostaddr|port|dbname|user|service)\s*=")
"""How the address of a Postgres database begins: as a URL, or in libpq's words."""

_URL: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://")
_PASSWORDS: Final = re.compile(r"(?<=:)[^:/@]+(?=@)|(?<=password=)\S+")


def default_place() -> str:
    """`$LANGCHAIN_MEM_STORE`, or its older name `$LANGCHAIN_MEM_PATH`, or `./memory`."""
    return os.environ.get("LANGCHAIN_MEM_STORE") or os.environ.get("LANGCHAIN_MEM_PATH") or DEFAULT_PLACE


_LONGEST = 1_024  # characters of a path; no system takes many more


def open_place(
    place: str | Path | None = None,
    *,
    embed: Embed | None = None,
    embedder_id: str | None = None,
    clock: Clock = utc_now,
) -> LongTermStore:
    """Opens the store at a place.

    Args:
        place: A folder; a Postgres address; `":memory:"` for a store that ends with the process; `None` for
            `default_place()`.
        embed: An embedder, or its name; `None` for the local one.
        embedder_id: What the store remembers its embedder by.
        clock: Gives the present instant.

    Raises:
        InvalidRequest: The place is of another kind, or is a file; a password in it is not repeated.
    """
    there = check_place(default_place() if place is None else place)
    embedder = made(embed)
    if there == ":memory:":
        return LongTermStore.in_memory(embed=embedder, embedder_id=embedder_id, clock=clock)
    if POSTGRES.match(there):
        return LongTermStore.postgres(there, embed=embedder, embedder_id=embedder_id, clock=clock)
    return LongTermStore.chroma(there, embed=embedder, embedder_id=embedder_id, clock=clock)


def check_place(place: str | Path) -> str:
    """A place as text.

    Raises:
        InvalidRequest: No store can lie there.
    """
    there = os.fspath(place)
    if not there or "\0" in there or not _is_written(there):
        raise InvalidRequest('A store is a folder, a postgresql:// address or ":memory:"; an empty text names none.')
    if not POSTGRES.match(there) and (scheme := _URL.match(there)):
        raise InvalidRequest(
            f'A store is a folder, a postgresql:// address or ":memory:"; {scheme[0]} is none of these. '
            "For a Chroma server: Memory(LongTermStore.chroma(client=…))."
        )
    if len(there) > _LONGEST or Path(there).is_file():
        raise InvalidRequest(f"{shown(there)} is a file, or too long for a path; a store is a folder.")
    return there


def _is_written(there: str) -> bool:
    """Whether a system can write it: a lone surrogate is no character, but for the ones that stand for odd bytes."""
    try:
        os.fsencode(there)
    except UnicodeEncodeError:
        return False
    return True


def without_password(place: str) -> str:
    """A place for people to read: the password in a Postgres address is left out.

    >>> without_password("postgresql://app:secret@db/app")
    'postgresql://app:…@db/app'
    """
    return _PASSWORDS.sub("…", place) if POSTGRES.match(place) else place


def made(embed: Embed | None) -> Embed | Embeddings:
    """An embedder: as given, by its name, or the local one."""
    if embed is None:
        return local_embeddings()
    return embedder_named(embed) if isinstance(embed, str) else embed
