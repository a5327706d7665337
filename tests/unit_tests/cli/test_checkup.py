"""What `doctor` finds: each thing that can be wrong with a store, made wrong on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from langchain_mem import LongTermStore, Memory
from langchain_mem._flow import run
from langchain_mem.backends.base import Address, Match, Query, Row, Write
from langchain_mem.backends.dictionary import DictionaryBackend
from langchain_mem.cli.checkup import Checkup, StoreProblem
from langchain_mem.testing import FakeEmbeddings


class Forgetting(DictionaryBackend):
    """An index that has lost a row: searches by a vector do not find it."""

    lost: str = ""

    async def search(self, query: Query) -> list[Match]:
        found = await super().search(query)
        return found if query.vector is None else [match for match in found if match.row.address.key != self.lost]


@pytest.fixture
def backend() -> Forgetting:
    return Forgetting()


@pytest.fixture
def memory(backend: Forgetting) -> Memory:
    """Two memories of alex, one of which was superseded by nobody and used."""
    memory = Memory(LongTermStore(backend, embed=FakeEmbeddings()), all_owners=True)
    for text in ("Likes tea", "Lives in Oslo"):
        memory.add(text, user_id="alex")
    return memory


def _rows(backend: Forgetting, root: str = "memories") -> list[Row]:
    found = run(backend.search(Query(now=datetime.now(UTC), prefixes=((root,),))))
    return [match.row for match in found]


def _put(backend: Forgetting, row: Row) -> None:
    run(backend.write([Write.put(row)], datetime.now(UTC)))


def _found(backend: Forgetting) -> Sequence[StoreProblem]:
    return list(Checkup(backend, run(backend.setup(None)), datetime.now(UTC)).findings())


@pytest.mark.usefixtures("memory")
def test_a_sound_store(backend: Forgetting):
    """Nothing is found where nothing is wrong."""
    assert _found(backend) == []


def test_a_life_leaves_nothing_wrong(backend: Forgetting, memory: Memory):
    """Changes, deletions, undo, and a purge leave a sound store."""
    tea, oslo = (row.address.key for row in _rows(backend))
    memory.update(tea, "Likes coffee")
    memory.undo(memory.batch_delete([{"memory_id": tea}])["batch_id"])
    memory.delete(oslo)
    memory.purge_expired(older_than=timedelta(0))
    assert [finding.problem for finding in _found(backend) if finding.repair != "remove"] == []


def test_what_was_deleted_needs_no_vector(backend: Forgetting, memory: Memory):
    """A deleted memory is kept to be undone, and not to be found."""
    memory.delete(_rows(backend)[0].address.key)
    assert _found(backend) == []


@pytest.mark.usefixtures("memory")
def test_a_missing_vector(backend: Forgetting):
    """A memory without a vector where others have one."""
    row = _rows(backend)[0]
    _put(backend, replace(row, vectors=row.vectors[:0], digests=()))
    (finding,) = _found(backend)
    assert (finding.repair, list(finding.addresses)) == ("embed", [row.address])


@pytest.mark.usefixtures("memory")
def test_an_index_that_lost_a_row(backend: Forgetting):
    """A memory that its own vector does not find."""
    backend.lost = _rows(backend)[0].address.key
    (finding,) = _found(backend)
    assert (finding.repair, [address.key for address in finding.addresses]) == ("rebuild", [backend.lost])


@pytest.mark.usefixtures("memory")
def test_twins(backend: Forgetting):
    """Two memories of one id, at two places."""
    row = _rows(backend)[0]
    _put(backend, replace(row, address=Address((*row.address.namespace[:2], "bea", "own"), row.address.key)))
    (finding,) = _found(backend)
    assert (finding.repair, len(finding.addresses)) == (None, 2)


@pytest.mark.usefixtures("memory")
def test_a_successor_that_is_gone(backend: Forgetting):
    """Superseded by what is not there."""
    row = _rows(backend)[0]
    _put(backend, replace(row, value={**row.value, "state": "superseded", "superseded_by": "gone"}))
    assert [finding.problem for finding in _found(backend)] == ["superseded by a memory that is not there"]


@pytest.mark.usefixtures("memory")
def test_something_else_among_memories(backend: Forgetting):
    """What is no memory is named, and left to a person."""
    row = _rows(backend)[0]
    _put(backend, replace(row, address=Address(row.address.namespace, "odd"), value={"a": 1}, texts=()))
    assert [(finding.problem[:9], finding.repair) for finding in _found(backend)] == [("no memory", None)]


class Measured(Forgetting):
    """Notes how many rows it hands over at once."""

    most = 0

    async def get(self, addresses: Sequence[Address], now: datetime) -> list[Row | None]:
        self.most = max(self.most, len(addresses))
        return await super().get(addresses, now)

    async def search(self, query: Query) -> list[Match]:
        found = await super().search(query)
        self.most = max(self.most, len(found))
        return found


def test_few_rows_are_held_at_a_time(monkeypatch: pytest.MonkeyPatch):
    """However many there are, they come batch by batch; and whoever watches is told how many are done."""
    monkeypatch.setattr("langchain_mem.cli.checkup.AT_ONCE", 30)
    backend, told = Measured(), []
    memory = Memory(LongTermStore(backend, embed=FakeEmbeddings()), all_owners=True)
    for owner in ("alex", "bea"):
        memory.add([{"role": "user", "content": f"Fact {number} of {owner}"} for number in range(60)], user_id=owner)
    backend.most = 0
    embedder, now = run(backend.setup(None)), datetime.now(UTC)
    checkup = Checkup(backend, embedder, now, progress=lambda done, total: told.append((done, total)))
    assert checkup.findings() == []
    assert (checkup.memories, backend.most, told[-1]) == (120, 30, (122, 122))


@pytest.mark.usefixtures("memory")
def test_changes_of_what_is_gone(backend: Forgetting):
    """A batch whose memories are all gone can be removed; one that keeps a memory stays."""
    gone = _rows(backend)[0].address
    run(backend.write([Write.delete(gone)], datetime.now(UTC)))
    (finding,) = _found(backend)
    assert (finding.repair, len(finding.addresses)) == ("remove", 1)
    assert finding.addresses[0].namespace[0] == "batches"
