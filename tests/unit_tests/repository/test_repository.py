"""Where memories lie: scopes too large to rank whole, and stores that are not ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from langgraph.store.memory import InMemoryStore

from langchain_mem._flow import Body, arun, run
from langchain_mem.backends.base import ANY, Address, Row, Write
from langchain_mem.errors import Conflict, StoreError
from langchain_mem.filters.conditions import conjunction
from langchain_mem.memory.reading.queries import places
from langchain_mem.repository.any_store import AnyStore
from langchain_mem.store import items
from langchain_mem.testing import FakeEmbeddings
from tests.memories import Bench, facts, memory_id, texts

Open = Callable[..., Bench]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOME = ("memories", "user", "alex", "own")
TEA = Address(HOME, "tea")


def _put(address: Address, text: str, *, expects: Any = ANY, texts: tuple[str, ...] = (), **row: Any) -> Write:
    made = Row(address=address, value=_value(text), created_at=NOW, updated_at=NOW, texts=texts, **row)
    return Write.put(made, expects=expects)


def _value(text: str) -> dict[str, object]:
    return {"memory": text, "updated_at": "2026-01-01T00:00:00.000000Z", "state": "live"}


class TestLargeScopes:
    """A budget of a byte holds no index, so that the store proposes what a search ranks."""

    @pytest.fixture(autouse=True)
    def _small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(items, "WHOLE_LIMIT", 20)

    def test_it_is_found_all_the_same(self, bench: Open) -> None:
        """Above the limit the store proposes candidates: filters, expiry and scope hold, and words and meaning find."""
        memory = bench(cache_bytes=1)
        memory.add([f"Fact number {n} about cocoa" for n in range(40)], user_id="alex")
        memory.add("Keeps a zebrafish", user_id="alex", metadata={"pet": True})
        memory.add("Kept a zebrafish once", user_id="alex", expiration_date=timedelta(minutes=1))
        memory.add("Keeps a zebrafish", user_id="bob")
        memory.clock.advance(hours=1)
        assert texts(memory.search("zebrafish", user_id="alex")) == ["Keeps a zebrafish"]
        found = memory.search("cocoa zebrafish", user_id="alex", filters={"metadata.pet": True}, threshold=0.0)
        assert texts(found) == ["Keeps a zebrafish"]
        assert memory.get_all(user_id="alex")["count"] == 41

    def test_a_search_is_one_embedding(self, bench: Open) -> None:
        """The query is embedded once, though it is needed for the candidates and for their ranking."""
        memory = bench(cache_bytes=1)
        memory.add([f"Fact number {n} about cocoa" for n in range(40)], user_id="alex")
        memory.forget_costs()
        memory.search("cocoa", user_id="alex")
        assert memory.embedded == 1

    def test_kept_turns_are_found_too(self, bench: Open) -> None:
        """`history=True` finds kept turns in a large scope."""
        memory = bench(facts("Keeps a zebrafish"), cache_bytes=1)
        memory.add([f"Fact number {n} about cocoa" for n in range(40)], user_id="alex", infer=False)
        memory.add("My zebrafish is called Rex", user_id="alex")
        found = memory.search("zebrafish Rex", user_id="alex", history=True)
        assert texts(found) == ["Keeps a zebrafish", "My zebrafish is called Rex"]

    def test_what_the_words_before_it_find_is_found(self, bench: Open, monkeypatch: pytest.MonkeyPatch) -> None:
        """An answer that is proposed neither by its words nor by its meaning comes along with its question."""
        monkeypatch.setattr(items, "CANDIDATES", 3)
        memory = bench(cache_bytes=1)
        memory.add([f"Fact number {n} about cocoa" for n in range(40)], user_id="alex", infer=False)
        said = ["How many zebrafish swim in your aquarium?", "Rex and Lulu, since the summer before last."]
        messages = [{"role": "user", "content": text, "id": text} for text in said]
        memory.add(messages, user_id="alex", infer=False, source={"thread_id": "1", "message_ids": said})
        assert texts(memory.search("zebrafish in an aquarium", user_id="alex", top_k=2)) == said

    def test_a_long_group_does_not_come_along(self, bench: Open, monkeypatch: pytest.MonkeyPatch) -> None:
        """Groups that are too much together are left where they are, and the candidates are answered from."""
        monkeypatch.setattr(items, "CANDIDATES", 3)
        monkeypatch.setattr(items, "GROUPED", 10)
        memory = bench(cache_bytes=1)
        said = ["Keeps a zebrafish", *(f"Fact number {n} about cocoa" for n in range(40))]
        messages = [{"role": "user", "content": text, "id": text} for text in said]
        memory.add(messages, user_id="alex", infer=False, source={"thread_id": "1", "message_ids": said})
        assert len(memory.search("zebrafish", user_id="alex", top_k=40, threshold=0.0)["results"]) <= 6

    def test_extraction_knows_the_near_ones(self, bench: Open) -> None:
        """What is known of what was said is shown to the model from a large scope, too."""
        memory = bench(facts("Keeps a zebrafish"), cache_bytes=1)
        memory.add([f"Fact number {n} about cocoa" for n in range(40)], user_id="alex", infer=False)
        key = memory_id(memory.add("Keeps a zebrafish", user_id="alex", infer=False))
        memory.forget_costs()
        added = memory.add("I keep a zebrafish", user_id="alex")
        assert memory.embedded <= 2
        assert "Keeps a zebrafish" in memory.model.calls[0][-1].content.partition("</known>")[0]
        assert [(each["id"], each["event"]) for each in added["results"]] == [(key, "NONE")]


@pytest.fixture(params=[run, lambda body: asyncio.run(arun(body))], ids=["sync", "async"])
def drive(request: pytest.FixtureRequest) -> Callable[[Body[object]], object]:
    driver: Callable[[Body[object]], object] = request.param
    return driver


class TestAnyStore:
    @pytest.fixture
    def repo(self) -> AnyStore:
        return AnyStore(InMemoryStore(index={"dims": 64, "embed": FakeEmbeddings()}))

    def test_a_write_expects_what_was_read(self, repo: AnyStore, drive: Callable[..., object]) -> None:
        """A write that expects another revision is a conflict, and nothing of its batch is written."""
        drive(repo.write([_put(TEA, "tea", expects=None)], NOW))
        (kept,) = drive(repo.read([TEA], NOW))  # type: ignore[misc]
        stale = _put(TEA, "old", expects="another")
        with pytest.raises(Conflict):
            drive(repo.write([_put(Address(HOME, "new"), "new"), stale], NOW))
        with pytest.raises(Conflict):
            drive(repo.write([_put(TEA, "again", expects=None)], NOW))
        assert drive(repo.read([Address(HOME, "new")], NOW)) == [None]
        drive(repo.write([_put(TEA, "newer", expects=kept.revision)], NOW))
        (kept,) = drive(repo.read([TEA], NOW))  # type: ignore[misc]
        assert (kept.value["memory"], "_revision" in kept.value) == ("newer", False)

    def test_uses_lie_apart(self, repo: AnyStore, drive: Callable[..., object]) -> None:
        """Uses survive a write of what they are of, are capped, and go with it."""
        drive(repo.write([_put(TEA, "tea", touches=(NOW,))], NOW))
        drive(repo.touch({TEA: [NOW + timedelta(hours=hour) for hour in range(1, 30)]}, 20))
        drive(repo.write([_put(TEA, "newer")], NOW))
        (kept,) = drive(repo.read([TEA], NOW))  # type: ignore[misc]
        assert (len(kept.touches), max(kept.touches)) == (20, NOW + timedelta(hours=29))
        drive(repo.write([Write.delete(TEA)], NOW))
        assert repo.store.search(()) == []

    def test_what_may_go_is_not_read_and_then_removed(self, repo: AnyStore, drive: Callable[..., object]) -> None:
        """Past its time a value is in no read; what reads came across is removed by a purge, or all of it."""
        for key in ("a", "b", "c"):
            gone = _put(Address(HOME, key), key, expires_at=NOW + timedelta(1))
            drive(repo.write([gone], NOW))
        later = NOW + timedelta(2)
        assert drive(repo.read([Address(HOME, "a")], later)) == [None]
        assert drive(repo.select([HOME], conjunction(), later)) == ([], 0)
        assert drive(repo.purge(later, limit=2)) == 2
        assert len(repo.store.search(HOME)) == 1
        assert drive(repo.purge(later)) == 1
        assert repo.store.search(()) == []

    def test_its_errors_are_ours(self, drive: Callable[..., object]) -> None:
        """Whatever a store raises comes as a `StoreError` with its own error as the cause."""
        embeddings = FakeEmbeddings()
        repo = AnyStore(InMemoryStore(index={"dims": 64, "embed": embeddings}))
        embeddings.fail_with = ConnectionError("gone")
        with pytest.raises(StoreError, match="InMemoryStore failed: gone") as raised:
            drive(repo.write([_put(TEA, "x", texts=("x",))], NOW))
        assert isinstance(raised.value.__cause__, ConnectionError)

    def test_its_errors_quote_nobody(self, drive: Callable[..., object]) -> None:
        """Ids and texts that a store quotes are neither in the message nor in the cause that a traceback shows."""
        embeddings = FakeEmbeddings()
        repo = AnyStore(InMemoryStore(index={"dims": 64, "embed": embeddings}))
        embeddings.fail_with = ValueError(
            "duplicate key 'alex' in (memories.user.alex~40x, 17) with {'text': 'my debt'}"
        )
        with pytest.raises(StoreError, match="duplicate key") as raised:
            drive(repo.write([_put(TEA, "x", texts=("x",))], NOW))
        shown = f"{raised.value} {raised.value.__cause__!r}"
        assert not [word for word in ("alex", "debt", "17") if word in shown]

    def test_wildcards_are_whole_labels(self, repo: AnyStore, drive: Callable[..., object]) -> None:
        """A star stands for exactly one label, whatever the store takes it for."""
        for namespace in (("memories", "user", "a", "run", "r"), ("memories", "user", "run", "run", "r2", "run", "r")):
            repo.store.put(namespace, "k", _value("x"))
        found = drive(places(repo, [("memories", "*", "*", "run", "r")], NOW))
        assert found == (("memories", "user", "a", "run", "r"),)
