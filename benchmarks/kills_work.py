"""What the processes of `kills.py` do until they are killed, and what must be true afterwards.

A step is told as what it changes: which memories say what afterwards, and which are gone. What must be there is then a
dictionary, and no step has to be known twice.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from langchain_core.messages import AnyMessage, BaseMessage, HumanMessage

from langchain_mem import LongTermStore, Memory, extraction_node
from langchain_mem.migrate.stores import StoredItem, copy_items
from langchain_mem.testing import FakeEmbeddings, ScriptedModel

Say = Callable[..., None]
"""Tells the process that listens: `("begun", step)` before a step, `("done", None)` after it, `("looked", part)`."""

Facts = dict[tuple[str, int], str]
"""What the memories say, by owner and number."""

OWNERS = ("alex", "sam")
COLORS = ("red", "green", "blue", "white", "black")
MOST = 40  # memories, before some are deleted
LINES = 600  # of an import, which goes in pieces of 500
ITEMS = 600


@dataclass(frozen=True)
class Place:
    """Where a store is, so that any process can open it."""

    engine: str
    where: str
    schema: str = ""

    def open(self, **options: Any) -> LongTermStore:
        """The store."""
        if self.engine == "chroma":
            return LongTermStore.chroma(self.where, embed=FakeEmbeddings(), **options)
        return LongTermStore.postgres(self.where, schema=self.schema, embed=FakeEmbeddings(), **options)


class Operations:
    """Adds, updates, deletions, undoing and searches for two owners, in batches of one to three memories."""

    def __init__(self) -> None:
        self.facts: Facts = {}
        self.next = 0

    def live(self, place: Place, chance: random.Random, say: Say) -> None:
        """Works until it is killed."""
        memory = Memory(place.open())
        facts, ids, last = dict(self.facts), _ids(memory), None
        for number in count(self.next, 3):
            step = self._draw(facts, number, chance)
            if step is None and last is None:
                continue
            before = dict(facts)
            changes = last[1] if step is None and last else step or {}
            say("begun", {"changes": changes, "number": number})
            batch = self._do(memory, facts, ids, changes, None if step is not None or last is None else last[0])
            _apply(facts, changes)
            ids = _ids(memory)
            say("done", None)
            last = None if step is None else (batch, {key: before.get(key) for key in changes})
            memory.search("item red", user_id=chance.choice(OWNERS), top_k=3)

    def _draw(self, facts: Facts, number: int, chance: random.Random) -> Mapping[tuple[str, int], str | None] | None:
        """What a step changes; `None` for taking the last one back."""
        kind = chance.choice(["add", "add", "update", "delete", "undo"]) if len(facts) < MOST else "delete"
        if kind == "undo":
            return None
        if kind == "add" or not facts:
            owner = chance.choice(OWNERS)
            return {(owner, number + n): f"item {number + n} is {chance.choice(COLORS)}" for n in range(3)}
        keys = chance.sample(sorted(facts), min(len(facts), chance.choice([1, 2, 3])))
        if kind == "delete":
            return dict.fromkeys(keys)
        return {key: f"item {key[1]} is {_other(facts[key], chance)}" for key in keys}

    @staticmethod
    def _do(
        memory: Memory, facts: Facts, ids: Mapping[tuple[str, int], str], changes: Mapping[Any, Any], undo: str | None
    ) -> str:
        if undo is not None:
            memory.undo(undo)
            return undo
        if not changes.keys() & facts.keys():
            owner = next(iter(changes))[0]
            said = [HumanMessage(text, id=f"m{number}") for (_, number), text in changes.items()]
            source = {"thread_id": "t", "message_ids": [one.id for one in said]}
            return str(memory.add(said, infer=False, user_id=owner, source=source)["batch_id"])
        if None in changes.values():
            return str(memory.batch_delete([{"memory_id": ids[key]} for key in changes])["batch_id"])
        updates = [{"memory_id": ids[key], "text": text} for key, text in changes.items()]
        return str(memory.batch_update(updates)["batch_id"])

    def check(self, place: Place, told: list[Any], under_way: Any, say: Say) -> bool:
        """What is there is what was told, and its history and its index say the same."""
        facts = dict(self.facts)
        for step in told:
            _apply(facts, step["changes"])
        after = dict(facts)
        if under_way:
            _apply(after, under_way["changes"])
        with Memory(place.open()) as memory:
            shown = _shown(memory)
            assert shown in (facts, after), _difference(shown, facts, after)
            looked_at = list(shown.items())[-6:]  # the newest, among them the step under way
            for (owner, _), text in looked_at:
                found = memory.search(text, user_id=owner, top_k=3, threshold=0, reinforce="none")["results"]
                assert text in [one["memory"] for one in found], f"{text!r} is there and is not found"
            for owner in OWNERS:
                for one in memory.get_all(user_id=owner, page_size=500)["results"]:
                    assert memory.history(one["id"])[-1]["new_memory"] == one["memory"], f"history of {one}"
            landed = bool(under_way) and shown == after
            if landed:
                self._check_messages(memory, after.keys() - facts.keys())
            made = memory.add("canary", infer=False, user_id="bird")["results"][0]["id"]
            memory.delete(made)
        memory.store.close()  # type: ignore[attr-defined]
        return landed and facts != after

    @staticmethod
    def _check_messages(memory: Memory, added: Iterable[tuple[str, int]]) -> None:
        """What was learned and its memory are there together: no message is pending whose memory is there."""
        for owner, number in added:
            assert memory.pending([f"m{number}"], "t", user_id=owner) == []

    def go_on(self, told: list[Any], under_way: Any, landed: bool) -> None:
        """Takes note of what is there now."""
        for step in [*told, *([under_way] if landed else [])]:
            _apply(self.facts, step["changes"])
        self.next += 100_000


class InTheBackground:
    """Extraction by a worker, a sweeper every few milliseconds, and purges, beside puts that must stay."""

    TTL = 0.0005  # minutes

    def __init__(self) -> None:
        self.said: list[int] = []
        self.kept: set[int] = set()
        self.next = 0

    def live(self, place: Place, chance: random.Random, say: Say) -> None:
        """Works until it is killed."""
        store = place.open()
        memory = Memory(store, model=ScriptedModel(otherwise=_likes), session_ttl=timedelta(milliseconds=5))
        store.start_ttl_sweeper(0.0001)
        node = extraction_node(memory, background=True, on_error="raise")
        said = list(self.said)
        for number in count(self.next):
            say("begun", number)
            said.append(number)
            node.invoke({"messages": _messages(said[-8:])}, {"configurable": {"thread_id": "t", "user_id": "alex"}})
            store.put(("leases",), str(number), {"text": f"lease {number}"}, ttl=self.TTL)
            store.put(("kept",), str(number), {"text": f"kept {number}"})
            memory.add(f"note {number}", infer=False, user_id="alex", run_id="r")
            if chance.random() < 0.3:
                memory.purge_expired(older_than=timedelta(0))
            say("done", None)

    def check(self, place: Place, told: list[Any], under_way: Any, say: Say) -> bool:
        """A message is pending or its fact is there, and extracting the rest leaves each fact there once."""
        store = place.open()
        kept = {int(item.key) for item in store.search(("kept",), limit=10_000)}
        expected = self.kept | set(told)
        assert kept - {under_way} == expected, f"kept: {sorted(kept ^ expected)} and under way {under_way}"
        said = [*self.said, *told, *([] if under_way is None else [under_way])]
        with Memory(store, model=ScriptedModel(otherwise=_likes)) as memory:
            pending = set(memory.pending([f"m{number}" for number in said], "t", user_id="alex"))
            facts = _liked(memory)
            for number in said:
                assert (f"m{number}" in pending) == (number not in facts), f"message {number} of {sorted(facts)}"
            node = extraction_node(memory, on_error="raise")
            node.invoke({"messages": _messages(said)}, {"configurable": {"thread_id": "t", "user_id": "alex"}})
            assert _liked(memory) == said, (_liked(memory), said)
            memory.purge_expired(older_than=timedelta(0))
        store.sweep_ttl()
        store.close()
        return under_way in kept

    def go_on(self, told: list[Any], under_way: Any, landed: bool) -> None:
        """Takes note of what is there now: the look afterwards extracted what was pending."""
        self.kept |= set(told) | ({under_way} if landed else set())
        self.said += told if under_way is None else [*told, under_way]
        self.next = max([self.next, *self.kept, *self.said]) + 2


class Upkeep:
    """Compaction, imports and migrations of some hundred memories, while sixty others must stay as they are."""

    def __init__(self) -> None:
        self.taken: dict[str, int] = {}
        self.next = 0

    def live(self, place: Place, chance: random.Random, say: Say) -> None:
        """Works until it is killed."""
        store = place.open()
        memory = Memory(store)
        if not memory.get_all(user_id="alex")["count"]:
            said = [HumanMessage(f"item {number} is red") for number in range(60)]
            memory.add(said, infer=False, user_id="alex")
        for number in count(self.next):
            kind = chance.choice(["compact", "import", "migrate"])
            say("begun", {"kind": kind, "to": f"{kind}{number}"})
            if kind == "compact":
                memory.compact()
            elif kind == "import":
                memory.import_(_lines(f"{kind}{number}"))
            else:
                copy_items(store, _items(f"{kind}{number}"))
            say("done", None)

    def check(self, place: Place, told: list[Any], under_way: Any, say: Say) -> bool:
        """What was there is there; what was being taken is whole where it is, and taking it again completes it."""
        store = place.open()
        memory = Memory(store)
        texts = [one["memory"] for one in memory.get_all(user_id="alex", page_size=500)["results"]]
        first = sorted(texts) == sorted(f"item {number} is red" for number in range(60))
        assert first or (not texts and not self.next), f"{len(texts)} of 60 memories"
        for step in [*told, *([under_way] if under_way else [])]:
            self._complete(store, memory, step, returned=step in told)
            say("looked", step)
        memory.compact()
        say("looked", "compaction")
        assert len(memory.get_all(user_id="alex", page_size=500)["results"]) == len(texts)
        for step in [*told, *([under_way] if under_way else [])]:
            memory.delete_all(user_id=step["to"])
            store.delete_namespace(("docs", step["to"]))
            say("looked", step)
        memory.close()
        store.close()
        return False

    @staticmethod
    def _complete(store: LongTermStore, memory: Memory, step: Mapping[str, str], *, returned: bool) -> None:
        if step["kind"] == "import":
            there = memory.get_all(user_id=step["to"], page_size=1_000)["results"]
            assert all(memory.history(one["id"])[-1]["new_memory"] == one["memory"] for one in there[:20])
            counts = memory.import_(_lines(step["to"]))
            assert counts["skipped"] == len(there), (counts, len(there))
            assert not returned or len(there) == LINES, f"{len(there)} of {LINES} imported"
            assert memory.get_all(user_id=step["to"], page_size=1_000)["count"] == LINES
        elif step["kind"] == "migrate":
            there_now = store.count(("docs", step["to"]))
            assert not returned or there_now == ITEMS, f"{there_now} of {ITEMS} copied"
            done = copy_items(store, _items(step["to"]))
            assert (done.present, done.copied) == (there_now, ITEMS - there_now)
            assert store.search(("docs", step["to"]), query="doc 7")[0].score is not None

    def go_on(self, told: list[Any], under_way: Any, landed: bool) -> None:
        """The look afterwards removed what was taken."""
        self.next += len(told) + 2


WORKS: dict[str, Callable[[], Any]] = {
    "operations": Operations,
    "background": InTheBackground,
    "upkeep": Upkeep,
}


def _apply(facts: Facts, changes: Mapping[tuple[str, int], str | None]) -> None:
    for key, text in changes.items():
        if text is None:
            facts.pop(key, None)
        else:
            facts[key] = text


def _shown(memory: Memory) -> Facts:
    """What the memories say; fails where one is there twice."""
    shown: Facts = {}
    for owner in OWNERS:
        for one in memory.get_all(user_id=owner, page_size=500)["results"]:
            key = (owner, int(one["memory"].split()[1]))
            assert key not in shown, f"{key} is there twice"
            shown[key] = one["memory"]
    return shown


def _ids(memory: Memory) -> dict[tuple[str, int], str]:
    return {
        (owner, int(one["memory"].split()[1])): one["id"]
        for owner in OWNERS
        for one in memory.get_all(user_id=owner, page_size=500)["results"]
    }


def _other(text: str, chance: random.Random) -> str:
    return chance.choice([color for color in COLORS if not text.endswith(color)])


def _difference(shown: Facts, facts: Facts, after: Facts) -> str:
    keys = {*shown, *facts, *after}
    return "; ".join(
        f"{key}: before {facts.get(key)}, after {after.get(key)}, there {shown.get(key)}"
        for key in sorted(keys)
        if not shown.get(key) == facts.get(key) == after.get(key)
    )


def _messages(numbers: list[int]) -> list[AnyMessage]:
    return [HumanMessage(f"I like thing {number}.", id=f"m{number}") for number in numbers]


def _likes(messages: list[BaseMessage]) -> dict[str, Any]:
    """A model's answer: a fact for each thing that is liked."""
    said = re.findall(r"^\[(\d+)\] .*I like thing (\d+)\.$", messages[-1].text, re.MULTILINE)
    return {
        "operations": [
            {"action": "add", "text": f"Likes thing {number}", "evidence": [int(place)]} for place, number in said
        ]
    }


def _liked(memory: Memory) -> list[int]:
    """The numbers of the things that are liked, sorted; one that is there twice is there twice."""
    results = memory.get_all(user_id="alex", filters={"run_id": None}, page_size=1_000)["results"]
    return sorted(int(one["memory"].split()[-1]) for one in results if one["memory"].startswith("Likes"))


def _lines(owner: str) -> list[str]:
    """An export of another store's, of memories of an owner."""
    memory = Memory(LongTermStore.in_memory(embed=FakeEmbeddings()), clock=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    memory.add([HumanMessage(f"item {n} is red") for n in range(LINES)], infer=False, user_id=owner)
    lines: list[str] = memory.export(user_id=owner)
    return [line for line in lines if json.loads(line)["memory"]]


def _items(name: str) -> list[StoredItem]:
    """What another store of LangGraph's holds."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        StoredItem(
            namespace=("docs", name), key=str(number), value={"text": f"doc {number}"}, created_at=at, updated_at=at
        )
        for number in range(ITEMS)
    ]
