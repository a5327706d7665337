"""Chroma does all that a store has to do, in process and over HTTP, exactly and by its approximate index.

Each test has a collection of its own, in one folder that stays open: opening a folder takes longer than a test.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
from chromadb.api import ClientAPI

from langchain_mem._flow import run
from langchain_mem.backends.base import Backend
from langchain_mem.backends.chroma.backend import ChromaBackend
from langchain_mem.backends.encrypted import EncryptedBackend
from langchain_mem.backends.sealing import Encryption
from langchain_mem.store.long_term import LongTermStore
from langchain_mem.testing.backends import LongTermStoreConformance
from langchain_mem.testing.clock import FakeClock
from langchain_mem.testing.forms import Suite
from langchain_mem.testing.queries import QuerySuite
from langchain_mem.testing.rows import RowSuite
from langchain_mem.testing.searching import Searching
from tests.turns import InTurns

Opener = Callable[..., LongTermStore]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that is open for as long as this module's tests run."""
    folder = tmp_path_factory.mktemp("memory")
    keeper = ChromaBackend(folder)
    run(keeper.setup(None))
    yield folder
    run(keeper.close())


@pytest.fixture
def place() -> dict[str, Any]:
    """Where a test's stores are, whichever it opens."""
    return {"collection": f"test-{uuid.uuid4().hex}"}


def opener(backend: Callable[[], Backend], clock: FakeClock) -> Opener:
    return lambda **config: LongTermStore(backend(), clock=clock, **config)


class TestEmbedded(InTurns, LongTermStoreConformance):
    examples: ClassVar[int] = 5

    @pytest.fixture
    def open_store(self, clock: FakeClock, folder: Path, place: dict[str, Any]) -> Opener:
        return opener(partial(ChromaBackend, folder, **place), clock)


class _BroadScopes(Suite):
    """As if every scope were too large to be held in memory."""

    examples: ClassVar[int] = 5
    forms = ("sync",)

    @pytest.fixture
    def open_store(self, clock: FakeClock, folder: Path, place: dict[str, Any]) -> Opener:
        return opener(partial(ChromaBackend, folder, exact=0, **place), clock)


class TestBroadScopes(_BroadScopes, Searching, QuerySuite):
    """Searches and filters, which is what such a scope makes different."""


@pytest.mark.soak
class TestAllOfBroadScopes(_BroadScopes, LongTermStoreConformance):
    """The rest too."""


class _OverHttp(InTurns):
    """The same code over a client whose rows, vectors and filters travel as JSON."""

    examples: ClassVar[int] = 3

    @pytest.fixture
    def open_store(self, clock: FakeClock, chroma_client: ClientAPI, place: dict[str, Any]) -> Opener:
        return opener(partial(ChromaBackend, client=chroma_client, **place), clock)


class TestOverHttp(_OverHttp, Searching, QuerySuite, RowSuite):
    """Rows, searches and filters, which is what travels."""


@pytest.mark.soak
class TestAllOfOverHttp(_OverHttp, LongTermStoreConformance):
    """The rest too, in both forms."""


def sealed(**place: Any) -> EncryptedBackend:
    """A backend, and before it what seals its rows."""
    return EncryptedBackend(ChromaBackend(**place), Encryption(key=b"sixteen bytes or more"))


class _Encrypted(Suite):
    """The folder holds nothing but sealed values and hashed words."""

    examples: ClassVar[int] = 2
    forms = ("sync",)

    @pytest.fixture
    def open_store(self, clock: FakeClock, folder: Path, place: dict[str, Any]) -> Opener:
        return opener(partial(sealed, path=folder, **place), clock)


class TestEncrypted(_Encrypted, QuerySuite, RowSuite):
    """Rows, queries and the law of filters; the whole contract, encrypted, is met on the dictionary."""


@pytest.mark.soak
class TestAllOfEncrypted(_Encrypted, LongTermStoreConformance):
    """The rest too."""


@pytest.mark.soak
class TestEncryptedOverHttp(LongTermStoreConformance):
    """So does the server."""

    examples: ClassVar[int] = 2
    forms = ("sync",)

    @pytest.fixture
    def open_store(self, clock: FakeClock, chroma_client: ClientAPI, place: dict[str, Any]) -> Opener:
        return opener(partial(sealed, client=chroma_client, **place), clock)
