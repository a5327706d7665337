"""A plain model of what `Memory` promises, and a machine that drives both and compares them.

The model is a dictionary of memories, each with the list of its changes. It knows no store, no index and no history
format. Where the package may choose (which dead memory comes back when its text is said again, which id a new one
gets), the model checks the choice and follows it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from langchain_core.messages import BaseMessage

from langchain_mem import Memory
from langchain_mem.extraction import prompts
from langchain_mem.model.instants import iso
from langchain_mem.testing import FakeClock, ScriptedModel

OWNERS = ("alex", "sam.o")
SESSIONS = ("trip", "home")
TEXTS = ("tea", "jam", "rye")  # few, so that what happens to one memory comes together in one life
WHO = st.sampled_from((*OWNERS[:1] * 3, *OWNERS))
WHERE = st.sampled_from((*SESSIONS[:1] * 3, *SESSIONS))
SESSION_TTL = timedelta(hours=24)
PURGE_AFTER = timedelta(days=30)


@dataclass(frozen=True)
class Version:
    """What a memory was after one change."""

    text: str
    state: str
    session: str | None
    expires: datetime | None
    successor: str | None = None


@dataclass
class Fact:
    """One memory of the model.

    Attributes:
        owner: Whose.
        log: Every change, with its instant.
        standing: The changes that were not undone, each with its batch.
    """

    owner: str
    log: list[tuple[datetime, Version]] = field(default_factory=list)
    standing: list[tuple[str, Version]] = field(default_factory=list)

    @property
    def now(self) -> Version:
        return self.log[-1][1]

    @property
    def changed_at(self) -> datetime:
        return self.log[-1][0]

    def change(self, at: datetime, batch: str, version: Version) -> None:
        self.log.append((at, version))
        self.standing.append((batch, version))

    def live(self, at: datetime) -> bool:
        return self.now.state == "live" and not (self.now.expires and self.now.expires <= at)

    def gone(self, at: datetime) -> bool:
        """Whether it may have been removed for good."""
        ends = [self.now.expires] if self.now.expires else []
        ends += [self.changed_at] if self.now.state != "live" else []
        return bool(ends) and min(ends) + PURGE_AFTER <= at


class Life(RuleBasedStateMachine):
    """Drives a memory and the model; subclasses say which store."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.reply: Callable[[list[BaseMessage]], Any] = lambda messages: {"operations": []}
        self.model = ScriptedModel(otherwise=lambda messages: self.reply(messages))
        self.memory = self.open(self.clock, self.model)
        self.facts: dict[str, Fact] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.done: dict[tuple[str, str], dict[str, str]] = {}
        self.messages = 0
        self.said: list[dict[str, Any]] = []
        self.checkpoint = 0
        self.exports: list[list[str]] = []

    def open(self, clock: FakeClock, model: ScriptedModel) -> Memory:
        raise NotImplementedError

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """One operation in its sync form, every third time in its async form."""
        self.calls = getattr(self, "calls", 0) + 1
        if self.calls % 3:
            return getattr(self.memory, name)(*args, **kwargs)
        return asyncio.run(getattr(self.memory, f"a{name}")(*args, **kwargs))

    def teardown(self) -> None:
        self.memory.close()

    # what is known

    def _live(self, owner: str, session: str | None = None) -> dict[str, Fact]:
        at = self.clock.now
        return {
            key: fact
            for key, fact in self.facts.items()
            if fact.owner == owner and fact.now.session == session and fact.live(at)
        }

    def _note(self, batch: str, key: str, owner: str, source: dict[str, Any] | None = None) -> None:
        entry = self.batches.setdefault(batch, {"keys": set(), "owner": owner, "at": self.clock.now, "source": source})
        entry["keys"].add(key)

    def _enters(
        self, batch: str, key: str, owner: str, session: str | None, text: str, event: str, source: Any = None
    ) -> None:
        """One result of an `add`: the model follows it if it is right."""
        at = self.clock.now
        same = [k for k, fact in self._live(owner, session).items() if fact.now.text == text]
        if event == "NONE":
            assert same == [key], (same, key)
            self._tells(key)
            return
        if event == "UPDATE":  # a note said again lives on
            assert same == [key], (same, key)
            assert session is not None
            assert self.facts[key].now.expires != at + SESSION_TTL
            self.facts[key].change(at, batch, Version(text, "live", session, at + SESSION_TTL))
            self._note(batch, key, owner, source)
            return
        assert event == "ADD"
        assert not same, "there was a live memory of this text"
        fact = self.facts.get(key)
        if fact is None or fact.gone(at):
            fact = self.facts[key] = Fact(owner)
        else:
            assert (fact.owner, fact.now.session, fact.now.text) == (owner, session, text)
            assert not fact.live(at)
        expires = at + SESSION_TTL if session else None
        fact.change(at, batch, Version(text, "live", session, expires))
        self._note(batch, key, owner, source)

    def _any(self, data: st.DataObject, *, states: tuple[str, ...] = ("live", "superseded")) -> str | None:
        at = self.clock.now
        keys = sorted(k for k, fact in self.facts.items() if fact.now.state in states and not fact.gone(at))
        return data.draw(st.sampled_from(keys)) if keys else None

    def _live_by_change(self, batch: str, key: str) -> None:
        """One text of one home is one live memory: the one just made live stays."""
        at, fact = self.clock.now, self.facts[key]
        if not fact.live(at):
            return
        for other, twin in self._live(fact.owner, fact.now.session).items():
            if other != key and twin.now.text == fact.now.text:
                was = twin.now
                twin.change(at, batch, Version(was.text, "superseded", was.session, was.expires, key))
                self._note(batch, other, fact.owner)

    # adding

    @rule(owner=WHO, session=st.none() | WHERE, text=st.sampled_from(TEXTS))
    def add(self, owner: str, session: str | None, text: str) -> None:
        ids = {"user_id": owner} | ({"run_id": session} if session else {})
        added = self.call("add", text, infer=False, **ids)
        (result,) = added["results"]
        self._enters(added["batch_id"], result["id"], owner, session, text, result["event"])

    @rule(
        owner=WHO,
        thread=st.sampled_from(("t1", "t2")),
        text=st.sampled_from(TEXTS),
        learned=st.booleans(),
    )
    def add_from_a_thread(self, owner: str, thread: str, text: str, learned: bool) -> None:
        """What a thread says is kept as it is, or learned by a model."""
        self.messages += 1
        self.checkpoint += 1
        self.said.append(
            {
                "owner": owner,
                "thread": thread,
                "text": text,
                "id": f"m{self.messages}",
                "at": f"{self.checkpoint:06d}",
                "learned": learned,
            }
        )
        self._say(self.said[-1])

    @precondition(lambda self: self.said)
    @rule(data=st.data())
    def say_again(self, data: st.DataObject) -> None:
        """The node runs again, or the thread is played again after an undo."""
        self._say(data.draw(st.sampled_from(self.said)))

    def _say(self, message: dict[str, Any]) -> None:
        owner, thread = message["owner"], message["thread"]
        source = {"thread_id": thread, "checkpoint_id": message["at"], "message_ids": [message["id"]]}
        done = self.done.setdefault((owner, thread), {})
        known = message["id"] in done
        if known and self.batches[done[message["id"]]]["at"] + PURGE_AFTER <= self.clock.now:
            return  # the batch was purged: whether it was this very call is known no more
        assert self.call("pending", [message["id"]], thread, user_id=owner) == ([] if known else [message["id"]])
        self.reply = _adding(message["text"])
        added = self.call("add", message["text"], infer=message["learned"], user_id=owner, source=source)
        if known and not self._deleted(done[message["id"]]):
            return
        (result,) = added["results"]
        self._enters(added["batch_id"], result["id"], owner, None, message["text"], result["event"], source)
        done[message["id"]] = added["batch_id"]
        self.batches.get(added["batch_id"], {}).update(added=result["id"] if result["event"] == "ADD" else None)
        self.batches.setdefault(
            added["batch_id"], {"keys": set(), "owner": owner, "at": self.clock.now, "source": source}
        )

    def _deleted(self, batch: str) -> bool:
        """Whether what a batch added was deleted since: the same call then adds it again."""
        fact = self.facts.get(self.batches[batch].get("added") or "")
        return fact is not None and fact.now.state == "deleted" and not fact.gone(self.clock.now)

    @rule(owner=WHO, session=st.none() | WHERE, text=st.sampled_from(TEXTS))
    def learn(self, owner: str, session: str | None, text: str) -> None:
        """A model finds a fact; a session's is none where its owner knows as much."""
        ids = {"user_id": owner} | ({"run_id": session} if session else {})
        self.reply = _adding(text)
        added = self.call("add", text, infer=True, **ids)
        (result,) = added["results"]
        if result["event"] == "NONE" and result["id"] in self._live(owner):
            assert self.facts[result["id"]].now.text == text
            return
        self._enters(added["batch_id"], result["id"], owner, session, text, result["event"])

    @rule(owner=WHO, text=st.sampled_from(TEXTS), data=st.data())
    def learn_what_supersedes(self, owner: str, text: str, data: st.DataObject) -> None:
        """A model replaces one fact by another."""
        live = self._live(owner)
        keys = sorted(key for key, fact in live.items() if fact.now.text != text)
        if not keys:
            return
        old = data.draw(st.sampled_from(keys))
        replaced = live[old].now.text
        self.reply = _superseding(replaced, text)
        added = self.call("add", f"{text}, no longer {replaced}", infer=True, user_id=owner)
        if added.get("rejected"):
            return
        at, batch = self.clock.now, added["batch_id"]
        new = added["results"][0]["id"]
        if new == old:
            return
        known = [key for key, fact in live.items() if fact.now.text == text]
        if known:
            assert new == known[0]
        else:
            self._enters(batch, new, owner, None, text, "ADD")
        was = self.facts[old].now
        self.facts[old].change(at, batch, Version(was.text, "superseded", None, was.expires, new))
        self._note(batch, old, owner)

    # changing

    @rule(data=st.data(), text=st.sampled_from(TEXTS))
    def update(self, data: st.DataObject, text: str) -> None:
        key = self._any(data)
        if key is None:
            return
        fact = self.facts[key]
        batch = self.call("batch_update", [{"memory_id": key, "text": text}], user_id=fact.owner)["batch_id"]
        was = fact.now
        fact.change(self.clock.now, batch, Version(text, was.state, was.session, was.expires, was.successor))
        self._note(batch, key, fact.owner)
        self._live_by_change(batch, key)

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        key = self._any(data)
        if key is None:
            return
        fact = self.facts[key]
        batch = self.call("batch_delete", [{"memory_id": key}], user_id=fact.owner)["batch_id"]
        self._delete(key, batch)

    def _delete(self, key: str, batch: str) -> None:
        fact, was = self.facts[key], self.facts[key].now
        fact.change(self.clock.now, batch, Version(was.text, "deleted", was.session, was.expires, was.successor))
        self._note(batch, key, fact.owner)

    @rule(owner=WHO, session=st.none() | WHERE)
    def delete_all(self, owner: str, session: str | None) -> None:
        ids = {"user_id": owner} | ({"run_id": session} if session else {})
        deleted = self.call("delete_all", **ids)
        at = self.clock.now
        keys = [
            key
            for key, fact in self.facts.items()
            if fact.owner == owner
            and (session is None or fact.now.session == session)
            and fact.now.state != "deleted"
            and not fact.gone(at)
        ]
        assert deleted["deleted"] == len(keys)
        for key in keys:
            self._delete(key, deleted["batch_id"])

    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        key = self._any(data, states=("live", "superseded", "deleted"))
        if key is None:
            return
        fact = self.facts[key]
        shown = [version for _, version in fact.log if version.state == "live"]
        before = len(self._events())
        self.call("restore", key, user_id=fact.owner)
        (event,) = self._events()[: len(self._events()) - before] or self._events()[:1]
        back = shown[-1]
        fact.change(
            self.clock.now, event["details"]["batch_id"], Version(back.text, "live", fact.now.session, back.expires)
        )
        self._note(event["details"]["batch_id"], key, fact.owner)
        self._live_by_change(event["details"]["batch_id"], key)

    def _events(self) -> list[Any]:
        return self.memory.events(types=["restore"], limit=None)

    # taking back

    @precondition(lambda self: self.batches)
    @rule(data=st.data())
    def undo(self, data: st.DataObject) -> None:
        batch = data.draw(st.sampled_from(list(self.batches)))  # as they came: their ids are random
        entry = self.batches[batch]
        if entry["at"] + PURGE_AFTER <= self.clock.now or any(
            key not in self.facts or self.facts[key].gone(self.clock.now) for key in entry["keys"]
        ):
            return  # what was purged cannot be undone, wholly or in part
        undone = self.call("undo", batch, user_id=entry["owner"])
        self._take_back([batch], undone)

    @rule(owner=WHO, thread=st.sampled_from(("t1", "t2")), data=st.data())
    def undo_a_thread(self, owner: str, thread: str, data: st.DataObject) -> None:
        after = f"{data.draw(st.integers(0, self.checkpoint)):06d}"
        at = self.clock.now
        mine = [
            batch
            for batch, entry in self.batches.items()
            if entry["owner"] == owner
            and entry["source"]
            and entry["source"]["thread_id"] == thread
            and entry["source"]["checkpoint_id"] > after
        ]
        if any(
            self.batches[batch]["at"] + PURGE_AFTER <= at
            or any(key not in self.facts or self.facts[key].gone(at) for key in self.batches[batch]["keys"])
            for batch in mine
        ):
            return
        undone = self.call("undo", thread_id=thread, after_checkpoint=after, user_id=owner)
        self._take_back(mine, undone)

    def _take_back(self, batches: list[str], undone: dict[str, list[str]]) -> None:
        at = self.clock.now
        keys = {key for batch in batches for key in self.batches[batch]["keys"]}
        before = {key: self._without(self.facts[key], batches) for key in keys}
        skipped = {key for key, standing in before.items() if len(standing) == len(self.facts[key].standing)}
        while True:  # a fact does not come back beside the one that replaced it
            kept_back = {
                key
                for key in keys - skipped
                if self.facts[key].now.state == "superseded"
                and before[key]
                and before[key][-1][1].state == "live"
                and self.facts[key].now.successor in skipped
                and self.facts[self.facts[key].now.successor or ""].now.state == "live"
            }
            if not kept_back:
                break
            skipped |= kept_back
        assert set(undone["skipped"]) == skipped, (undone, skipped)
        assert set(undone["restored"]) | set(undone["removed"]) == keys - skipped
        for key in sorted(keys - skipped):
            fact = self.facts[key]
            fact.standing = before[key]
            was = fact.now
            back = before[key][-1][1] if before[key] else Version(was.text, "deleted", was.session, was.expires)
            fact.log.append((at, back))
        for key in sorted(keys - skipped):
            self._live_by_change("undone", key)
        for owner_thread, messages in self.done.items():
            self.done[owner_thread] = {m: batch for m, batch in messages.items() if batch not in batches}
        for batch in batches:
            self.batches.pop(batch, None)

    @staticmethod
    def _without(fact: Fact, batches: list[str]) -> list[tuple[str, Version]]:
        standing = list(fact.standing)
        while standing and standing[-1][0] in batches:
            standing.pop()
        return standing

    # sessions

    @rule(owner=WHO, session=WHERE)
    def promote(self, owner: str, session: str) -> None:
        notes = self._live(owner, session)
        if not notes:
            return
        before = self.memory.events(types=["promote"], limit=None)
        self.call("promote", ids=sorted(notes), run_id=session, user_id=owner)
        event = self.memory.events(types=["promote"], limit=None)[0]
        assert len(self.memory.events(types=["promote"], limit=None)) == len(before) + 1
        self._move(sorted(notes), owner, session, event["details"]["batch_id"])

    def _move(self, notes: Iterable[str], owner: str, session: str, batch: str) -> None:
        """Notes become their owner's; one that the owner knows already gives way to what is known."""
        for key in notes:
            fact = self.facts[key]
            known = [k for k, other in self._live(owner).items() if other.now.text == fact.now.text]
            if known:
                was = fact.now
                fact.change(self.clock.now, batch, Version(was.text, "superseded", session, was.expires, known[0]))
            else:
                fact.change(self.clock.now, batch, Version(fact.now.text, "live", None, None))
            self._note(batch, key, owner)

    @rule(
        owner=WHO,
        session=WHERE,
        summary=st.sampled_from(TEXTS),
        lasting=st.none() | st.sets(st.sampled_from(TEXTS)),
    )
    def end_session(self, owner: str, session: str, summary: str, lasting: set[str] | None) -> None:
        """A model sums the notes up and says which of them last; those move to the owner, the others go."""
        notes = self._live(owner, session)
        self.reply = _ending(summary, lasting or set())
        before = len(self._steps_of_an_end())
        ended = self.call("end_session", session, user_id=owner, promote=lasting is not None)
        steps = [step["details"]["batch_id"] for step in reversed(self._steps_of_an_end()[: -before or None])]
        if not notes:
            assert (ended["summary"], ended["promoted"], ended["cleared"]) == (None, [], 0)
            return
        known = [key for key, fact in self._live(owner).items() if fact.now.text == summary]
        self._enters(steps[0], ended["summary"]["id"], owner, None, summary, "NONE" if known else "ADD")
        if lasting is not None:
            moved = [key for key, fact in notes.items() if fact.now.text in lasting]
            self._move(sorted(moved), owner, session, steps[1])
        left = [key for key, fact in notes.items() if fact.now.session == session]
        assert ended["cleared"] == len(left)
        for key in left:
            self._delete(key, steps[-1])

    def _steps_of_an_end(self) -> list[Any]:
        return self.memory.events(types=["end_session", "promote"], limit=None)

    # time and place

    @rule(by=st.sampled_from((*[timedelta(minutes=1), timedelta(hours=5)] * 3, timedelta(days=2), timedelta(days=31))))
    def time_passes(self, by: timedelta) -> None:
        self.clock.advance(by)

    @rule()
    def purge(self) -> None:
        self.call("purge_expired", older_than=PURGE_AFTER)

    @rule(owner=WHO)
    def export_and_import(self, owner: str) -> None:
        """What was exported is there already: importing it changes nothing that is live or was replaced."""
        lines = self.call("export", user_id=owner)
        self.exports.append(lines)
        self.call("import_", lines)

    @precondition(lambda self: self.exports)
    @rule(data=st.data())
    def import_an_old_export(self, data: st.DataObject) -> None:
        """Of what is still there, an old export changes nothing: what was replaced since stays replaced."""
        lines = [json.loads(line) for line in data.draw(st.sampled_from(self.exports))]
        at = self.clock.now
        known = {key for key, fact in self.facts.items() if fact.now.state != "deleted" and not fact.gone(at)}
        kept = [json.dumps(line) for line in lines if line["memory"]["id"] in known]
        before = self._shown()
        counts = self.call("import_", kept)
        assert counts["imported"] == 0
        assert self._shown() == before

    @rule(owner=WHO)
    def erase(self, owner: str) -> None:
        self.call("erase", owner)
        gone = {key for key, fact in self.facts.items() if fact.owner == owner}
        self.facts = {key: fact for key, fact in self.facts.items() if key not in gone}
        self.batches = {batch: entry for batch, entry in self.batches.items() if entry["owner"] != owner}
        self.done = {place: done for place, done in self.done.items() if place[0] != owner}

    @rule(owner=WHO, data=st.data())
    def as_of(self, owner: str, data: st.DataObject) -> None:
        """A search at an instant finds what stood then, of what is not purged."""
        instants = sorted({at for fact in self.facts.values() if fact.owner == owner for at, _ in fact.log})
        if not instants:
            return
        then = data.draw(st.sampled_from(instants))
        stood = set()
        for key, fact in self.facts.items():
            versions = [version for at, version in fact.log if at <= then]
            if fact.owner != owner or not versions or fact.gone(self.clock.now):
                continue
            last = versions[-1]
            if last.state == "live" and not (last.expires and last.expires <= then):
                stood.add((key, last.text))
        found = self.call("search", "tea", user_id=owner, as_of=then, threshold=0, top_k=100, reinforce="none")
        assert {(hit["id"], hit["memory"]) for hit in found["results"]} == stood

    @rule(data=st.data())
    def history(self, data: st.DataObject) -> None:
        """Each change of a memory is told, with its instant, the oldest first."""
        key = self._any(data)
        if key is not None:
            self._tells(key)

    def _tells(self, key: str) -> None:
        log = self.facts[key].log
        told = self.call("history", key, user_id=self.facts[key].owner)
        own = [change["created_at"] for change in told if change["memory_id"] == key]  # not what it replaced
        assert own[-len(log) :] == [iso(at) for at, _ in log]

    # what always holds

    def _shown(self) -> dict[str, list[tuple[str, str, str | None]]]:
        pages = {owner: self.memory.get_all(user_id=owner, page_size=1_000) for owner in OWNERS}
        return {
            owner: sorted((memory["id"], memory["memory"], memory["run_id"]) for memory in page["results"])
            for owner, page in pages.items()
        }

    @invariant()
    def the_same_is_live(self) -> None:
        """What is shown is what the model says, and no id and no text of a home is there twice."""
        at = self.clock.now
        expected = {
            owner: sorted(
                (key, fact.now.text, fact.now.session)
                for key, fact in self.facts.items()
                if fact.owner == owner and fact.live(at)
            )
            for owner in OWNERS
        }
        shown = self._shown()
        assert shown == expected
        for memories in shown.values():
            assert len({key for key, _, _ in memories}) == len(memories)
            assert len({(text, session) for _, text, session in memories}) == len(memories)


def _adding(text: str) -> Callable[[list[BaseMessage]], dict[str, Any]]:
    """A model's answer: one new fact."""
    return lambda messages: {"operations": [{"action": "add", "text": text, "evidence": [0]}]}


def _ending(summary: str, lasting: set[str]) -> Callable[[list[BaseMessage]], str]:
    """A model's answers at the end of a session: its summary, and the numbers of the notes that last."""

    def reply(messages: list[BaseMessage]) -> str:
        if messages[0].text == prompts.SESSION_SUMMARY:
            return summary
        listed = messages[-1].text.partition("</known>")[0].splitlines()[1:]
        return ", ".join(str(number) for number, line in enumerate(listed) if line.split()[-1] in lasting) or "none"

    return reply


def _superseding(replaced: str, text: str) -> Callable[[list[BaseMessage]], dict[str, Any]]:
    """A model's answer: `text` in the place of the known memory that says `replaced`."""

    def reply(messages: list[BaseMessage]) -> dict[str, Any]:
        known = messages[-1].text.partition("</known>")[0].splitlines()[1:]
        number = next((n for n, line in enumerate(known) if line.rstrip().endswith(replaced)), None)
        return {"operations": [{"action": "supersede", "text": text, "memory": number, "evidence": [0]}]}

    return reply
