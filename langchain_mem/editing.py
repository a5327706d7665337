"""The operations that change, remove and bring back memories. Bodies."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, TypedDict, Unpack, cast

from langchain_core.messages import HumanMessage, SystemMessage

from langchain_mem import prompts
from langchain_mem.adding import names
from langchain_mem.conditions import conjunction
from langchain_mem.engine import Engine, Expiration, live, settled
from langchain_mem.errors import ExtractionError, InvalidRequest, NotFound
from langchain_mem.expiry import iso, to_instant
from langchain_mem.extraction import ask, numbers
from langchain_mem.history import at_version, before_batches
from langchain_mem.learning import retire_turns
from langchain_mem.ledger import BATCHES, Ledger, journal_namespace
from langchain_mem.records import MemoryDict, public
from langchain_mem.repository import Kept
from langchain_mem.scopes import MEMORIES, Ids, Namespace, Scope, escape

BATCH_LIMIT: Final = 1_000
"""At most so many entries in one batch operation."""

Rating = Literal["POSITIVE", "NEGATIVE", "VERY_NEGATIVE"]
"""What a user thought of a memory."""


class Deleted(TypedDict):
    """What `delete_all` and `batch_delete` return."""

    deleted: int
    batch_id: str


class Updated(TypedDict):
    """What `batch_update` returns."""

    results: list[MemoryDict]
    batch_id: str


class Undone(TypedDict):
    """What `undo` returns, as ids: put back, gone again, and left because a later change stands on them."""

    restored: list[str]
    removed: list[str]
    skipped: list[str]


class Unset:
    """The type of `UNSET`."""

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset()
"""An argument that was not given, where `None` means something."""


class Editing:
    """What changes memories. Every `async def` is a body; `Memory` has both forms of it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def update(
        self,
        memory_id: str,
        text: str | Unset = UNSET,
        *,
        metadata: Mapping[str, Any] | Unset | None = UNSET,
        categories: Sequence[str] | Unset | None = UNSET,
        expiration_date: Expiration | Unset | None = UNSET,
        **ids: Unpack[Ids],
    ) -> MemoryDict:
        """Changes a memory; its history keeps what it was.

        Args:
            memory_id: Its id.
            text: A new text.
            metadata: Merged into what is there; a key with the value `None` is removed, `None` clears all.
            categories: Instead of those it has; `None` clears them.
            expiration_date: As for `add`; `None` means never.
            **ids: Where given, a memory of another owner is not found.

        Returns:
            The memory, changed.

        Raises:
            NotFound: There is no such memory.
            InvalidRequest: Nothing is to change, or an argument is out of range.
        """
        entry: dict[str, Any] = {
            "memory_id": memory_id,
            "text": text,
            "metadata": metadata,
            "categories": categories,
            "expiration_date": expiration_date,
        }
        given = {name: value for name, value in entry.items() if value is not UNSET}
        updated = await self._update_all([given], Scope.of(ids))
        return updated["results"][0]

    async def batch_update(self, memories: Sequence[Mapping[str, Any]], **ids: Unpack[Ids]) -> Updated:
        """Changes up to 1,000 memories, all or none.

        Args:
            memories: Each with `memory_id`, and what to change as for `update`.
            **ids: Where given, a memory of another owner is not found.

        Raises:
            InvalidRequest: An entry cannot be, or there are none or too many; names every bad one.
            NotFound: Memories are missing; names all of them.
        """
        _check_batch(memories)
        return await self._update_all(memories, Scope.of(ids))

    async def delete(self, memory_id: str, **ids: Unpack[Ids]) -> MemoryDict:
        """Deletes a memory: it is gone from every read, and can be restored until it is purged.

        Args:
            memory_id: Its id.
            **ids: Where given, a memory of another owner is not found.

        Returns:
            The memory as it was.

        Raises:
            NotFound: There is no such memory.
        """
        scope = Scope.of(ids)

        async def attempt() -> MemoryDict:
            kept = await self._present([memory_id], scope)
            await self._delete_kept(list(kept.values()), scope, "delete")
            return public(kept[memory_id].memory)

        return await settled(attempt)

    async def batch_delete(self, memories: Sequence[Mapping[str, Any]], **ids: Unpack[Ids]) -> Deleted:
        """Deletes up to 1,000 memories, all or none.

        Args:
            memories: Each `{"memory_id": …}`.
            **ids: Where given, a memory of another owner is not found.

        Raises:
            InvalidRequest: There are none or too many, or an entry has no id.
            NotFound: Memories are missing; names all of them.
        """
        _check_batch(memories)
        scope = Scope.of(ids)
        memory_ids = [entry["memory_id"] for entry in memories]

        async def attempt() -> Deleted:
            return await self._delete_kept(list((await self._present(memory_ids, scope)).values()), scope, "delete")

        return await settled(attempt)

    async def delete_all(self, *, filters: Mapping[str, Any] | None = None, **ids: Unpack[Ids]) -> Deleted:
        """Deletes every memory of a scope, or those of it that filters describe; expired ones too.

        Args:
            filters: Narrows what the ids allow; without ids it must name an owner.
            **ids: Whose memories.

        Raises:
            ScopeError: No owner is named.
        """
        scope = Scope.of(ids)

        async def attempt() -> Deleted:
            now = self._engine.now()
            places, asked = await self._engine.view(scope, filters, now)
            shown = live(now, show_expired=True, latest_only=False)
            kept, _ = await self._engine.repo.select(places, conjunction(asked, shown), now, limit=None, offset=0)
            return await self._delete_kept(kept, scope, "delete_all")

        return await settled(attempt)

    async def restore(self, memory_id: str, version: int | None = None, **ids: Unpack[Ids]) -> MemoryDict:
        """Puts a memory back to what it was; a deleted or superseded one is shown again.

        Args:
            memory_id: Its id.
            version: A version of its history; `None` for the last in which it was shown.
            **ids: Where given, a memory of another owner is not found.

        Returns:
            The memory, one version on.

        Raises:
            NotFound: There is no such memory, or it was purged.
            InvalidRequest: It has no such version, or none in which it was shown.
        """
        scope = Scope.of(ids)

        async def attempt() -> MemoryDict:
            now = self._engine.now()
            kept = await self._engine.by_id(memory_id, scope, now, dead=True)
            if kept is None:
                raise NotFound(f"There is no memory {memory_id!r} to restore; it may have been purged.")
            ledger = self._ledger(now)
            state = at_version(kept.memory, _last_shown(kept) if version is None else version)
            ledger.revert(kept, {**state, "state": "live", "superseded_by": None}, event="RESTORE")
            await self._save(ledger, scope, now, "restore")
            return public(ledger.current(kept))

        return await settled(attempt)

    async def undo(
        self,
        batch_id: str | None = None,
        *,
        thread_id: str | None = None,
        after_checkpoint: str | None = None,
        **ids: Unpack[Ids],
    ) -> Undone:
        """Takes back one batch, or everything a thread's memories learned after a checkpoint.

        Args:
            batch_id: What an operation returned.
            thread_id: A thread whose later batches are taken back, newest first.
            after_checkpoint: The checkpoint up to which they stay; `None` takes all of the thread's back.
            **ids: Where given, only this owner's batches.

        Returns:
            Which memories were put back, which are gone again, and which were left because they changed later.

        Raises:
            InvalidRequest: Neither a batch nor a thread is named.
            NotFound: There is no such batch.
        """
        scope = Scope.of(ids)
        if (batch_id is None) == (thread_id is None):
            raise InvalidRequest("undo takes a batch_id, or a thread_id and after_checkpoint.")

        async def attempt() -> Undone:
            now = self._engine.now()
            entries = await self._batches(batch_id, thread_id, after_checkpoint, scope, now)
            return await self._undo(entries, scope, now)

        return await settled(attempt)

    async def feedback(
        self, memory_id: str, feedback: Rating | None = None, reason: str | None = None, **ids: Unpack[Ids]
    ) -> MemoryDict:
        """Notes what a user thought of a memory; a very negative rating deletes it, restorably.

        Args:
            memory_id: Its id.
            feedback: POSITIVE, NEGATIVE, VERY_NEGATIVE, or `None` to take it back.
            reason: Why, in the user's words.
            **ids: Where given, a memory of another owner is not found.

        Raises:
            NotFound: There is no such memory.
            InvalidRequest: The rating is none.
        """
        if feedback not in (None, "POSITIVE", "NEGATIVE", "VERY_NEGATIVE"):
            raise InvalidRequest(f"feedback is POSITIVE, NEGATIVE, VERY_NEGATIVE or None, not {feedback!r}.")
        scope = Scope.of(ids)

        async def attempt() -> MemoryDict:
            now = self._engine.now()
            kept = (await self._present([memory_id], scope))[memory_id]
            ledger = self._ledger(now)
            told = None if feedback is None else {"rating": feedback, "reason": reason, "at": iso(now)}
            memory = ledger.update(kept, event="FEEDBACK", reason=reason, feedback=told)
            if feedback == "VERY_NEGATIVE":
                ledger.delete(kept, reason=reason)
            await self._save(ledger, scope, now, "feedback")
            return public(memory)

        return await settled(attempt)

    async def promote(
        self, *, ids: Sequence[str] | None = None, run_id: str, user_id: str | None = None, agent_id: str | None = None
    ) -> list[MemoryDict]:
        """Moves what lasts from a session to its owner, with ids and history, and clears its expiration.

        Args:
            ids: Which notes; `None` lets the model decide, or takes all where there is none.
            run_id: The session.
            user_id: The owner.
            agent_id: The owner, where it is an agent.

        Returns:
            What was moved.

        Raises:
            ScopeError: No owner is named.
            NotFound: An id is no note of this session.
            ExtractionError: The model failed.
        """
        scope = Scope(user_id=user_id, agent_id=agent_id, run_id=run_id)
        home = scope.without_run().home()
        chosen = await self._worth_promoting(scope, ids)

        async def attempt() -> list[MemoryDict]:
            now = self._engine.now()
            kept = await self._engine.repo.find(chosen, [scope.home(), Scope(run_id=run_id).home()], now)
            missing = [memory_id for memory_id in chosen if memory_id not in kept]
            if missing:
                raise NotFound(f"No notes of session {run_id!r}: {', '.join(missing)}.")
            ledger = self._ledger(now)
            moved = [ledger.move(kept[memory_id], home) for memory_id in chosen]
            await self._save(ledger, scope, now, "promote")
            return [public(memory) for memory in moved]

        return await settled(attempt)

    async def _worth_promoting(self, scope: Scope, ids: Sequence[str] | None) -> list[str]:
        if ids is not None:
            return list(dict.fromkeys(ids))
        now = self._engine.now()
        places = [scope.home(), Scope(run_id=scope.run_id).home()]
        kept, _ = await self._engine.repo.select(places, live(now), now, limit=None, offset=0)
        notes = [one.memory for one in kept]
        if self._engine.model is None or not notes:
            return [note["id"] for note in notes]
        listed = prompts.known([note["memory"] for note in notes])
        reply = await ask(self._engine.model, [SystemMessage(prompts.PROMOTE), HumanMessage(listed)])
        try:
            return [notes[number]["id"] for number in numbers(reply, len(notes))]
        except ValueError as error:
            raise ExtractionError(f"The model named no notes to promote; nothing was written: {error}") from error

    async def _update_all(self, entries: Sequence[Mapping[str, Any]], scope: Scope) -> Updated:
        now = self._engine.now()
        changes = self._changes(entries, now)

        async def attempt() -> Updated:
            kept = await self._present(list(changes), scope)
            ledger = self._ledger(now)
            for memory_id, fields in changes.items():
                ledger.update(kept[memory_id], **_merged(fields, kept[memory_id]))
            await self._save(ledger, scope, now, "update")
            results = [public(ledger.current(kept[memory_id])) for memory_id in changes]
            return {"results": results, "batch_id": ledger.batch_id}

        return await settled(attempt)

    def _changes(self, entries: Sequence[Mapping[str, Any]], now: datetime) -> dict[str, dict[str, Any]]:
        """What each entry changes, by memory id, checked; every bad entry is named."""
        changes: dict[str, dict[str, Any]] = {}
        wrong: list[str] = []
        for place, entry in enumerate(entries):
            try:
                changes[entry["memory_id"]] = self._fields(entry, now)
            except InvalidRequest as error:
                wrong.append(f"entry {place}: {error}" if len(entries) > 1 else str(error))
        if wrong:
            raise InvalidRequest(" ".join(wrong))
        return changes

    def _fields(self, entry: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        given = {name: value for name, value in entry.items() if name != "memory_id"}
        unknown = given.keys() - {"text", "metadata", "categories", "expiration_date"}
        if unknown or not given:
            raise InvalidRequest("An update gives text, metadata, categories or expiration_date, at least one.")
        fields: dict[str, Any] = {}
        if "text" in given:
            fields["memory"] = self._text(given["text"])
        if "metadata" in given:
            cleared = given["metadata"] is None
            fields["metadata"] = None if cleared else self._engine.clean_metadata(given["metadata"])
        if "categories" in given:
            fields["categories"] = names(given["categories"])
        if "expiration_date" in given:
            when = given["expiration_date"]
            fields["expiration_date"] = None if when is None else iso(to_instant(when, now=now))
        return fields

    def _text(self, text: Any) -> str:
        if not isinstance(text, str) or not text.strip():
            raise InvalidRequest(f"A memory's text is a text that is not empty, not {text!r}.")
        return self._engine.clean(text)

    async def _present(self, memory_ids: Sequence[str], scope: Scope) -> dict[str, Kept]:
        """The memories with these ids.

        Raises:
            NotFound: Some are missing or deleted; names all of them.
        """
        found = await self._engine.by_ids(memory_ids, scope, self._engine.now())
        present = {memory_id: kept for memory_id, kept in found.items() if kept.memory["state"] != "deleted"}
        missing = [memory_id for memory_id in memory_ids if memory_id not in present]
        if missing:
            raise NotFound(f"There is no memory {', '.join(map(repr, missing))} here.")
        return present

    async def _delete_kept(self, kept: Sequence[Kept], scope: Scope, event: str) -> Deleted:
        now = self._engine.now()
        ledger = self._ledger(now)
        for one in kept:
            ledger.delete(one)
        await self._save(ledger, scope, now, event)
        return {"deleted": len(kept), "batch_id": ledger.batch_id}

    def _ledger(self, now: datetime) -> Ledger:
        return self._engine.ledger(at=now, batch_id=uuid.uuid4().hex)

    async def _save(self, ledger: Ledger, scope: Scope, now: datetime, event: str) -> None:
        """Writes a ledger with what follows from it: its kept turns and its journal."""
        await retire_turns(self._engine, ledger, now)
        saves = ledger.saves(scope if scope else ledger.owner())
        if saves:
            await self._engine.repo.save(saves, now)
        self._engine.activity.record(event, iso(now), scope.ids(), batch_id=ledger.batch_id, results=ledger.results)

    async def _batches(
        self, batch_id: str | None, thread_id: str | None, after: str | None, scope: Scope, now: datetime
    ) -> list[dict[str, Any]]:
        """The journal's entries of a batch, or of a thread after a checkpoint."""
        if batch_id is not None:
            root = journal_namespace(scope, None)[:3] if scope else (BATCHES,)
            found = await self._engine.repo.find([batch_id], [root], now)
            if not found:
                raise NotFound(f"There is no batch {batch_id!r} here; what was purged cannot be undone.")
            return [cast(dict[str, Any], found[batch_id].memory)]
        entries = await self._thread_entries(escape(thread_id or ""), scope, now)
        return [entry for entry in entries if after is None or (entry["source"]["checkpoint_id"] or "") > after]

    async def _thread_entries(self, thread: str, scope: Scope, now: datetime) -> list[dict[str, Any]]:
        owner: Namespace = journal_namespace(scope, None)[:3] if scope else (BATCHES, "*", "*")
        places = await self._engine.repo.places([(*owner, thread)], now)
        view = await self._engine.repo.load(places, now) if places else None
        return [cast(dict[str, Any], kept.memory) for kept in view.kept] if view else []

    async def _undo(self, entries: Sequence[Mapping[str, Any]], scope: Scope, now: datetime) -> Undone:
        batch_ids = [entry["batch_id"] for entry in entries]
        keys = {key for entry in entries for _, key in entry["memories"]}
        owners = {tuple(namespace[:3]) for entry in entries for namespace, _ in entry["memories"]}
        kept = await self._engine.repo.find(keys, sorted(owners) or [(MEMORIES,)], now)
        undone: Undone = {"restored": [], "removed": [], "skipped": sorted(keys - kept.keys())}
        ledger = self._ledger(now)
        for memory_id, one in sorted(kept.items()):
            state = before_batches(one.memory, batch_ids)
            if state is None:
                undone["skipped"].append(memory_id)
            else:
                ledger.revert(one, state, event="UNDO")
                undone["removed" if state["state"] == "deleted" else "restored"].append(memory_id)
        await self._save(ledger, scope, now, "undo")
        return undone


def _check_batch(memories: Sequence[Mapping[str, Any]]) -> None:
    if not isinstance(memories, Sequence) or isinstance(memories, str) or not 1 <= len(memories) <= BATCH_LIMIT:
        raise InvalidRequest(f"A batch is a list of 1 to {BATCH_LIMIT} entries.")
    wrong = [place for place, entry in enumerate(memories) if not _has_id(entry)]
    if wrong:
        raise InvalidRequest(f"Each entry of a batch needs a memory_id; missing in {wrong}.")
    seen = [entry["memory_id"] for entry in memories]
    twice = sorted({memory_id for memory_id in seen if seen.count(memory_id) > 1})
    if twice:
        raise InvalidRequest(f"A memory can be in a batch once; twice: {', '.join(twice)}.")


def _has_id(entry: Any) -> bool:
    return isinstance(entry, Mapping) and isinstance(entry.get("memory_id"), str) and bool(entry["memory_id"])


def _last_shown(kept: Kept) -> int:
    """The last version in which a memory was shown."""
    shown = [entry["version"] for entry in kept.memory["log"] if entry["after"]["state"] == "live"]
    if not shown:
        raise InvalidRequest(f"Memory {kept.memory['id']} was never shown; give a version.")
    return shown[-1]


def _merged(fields: Mapping[str, Any], kept: Kept) -> dict[str, Any]:
    """The fields to change, metadata merged into what is there."""
    if "metadata" not in fields:
        return dict(fields)
    given = fields["metadata"]
    merged = {} if given is None else {**kept.memory["metadata"], **given}
    return {**fields, "metadata": {key: value for key, value in merged.items() if value is not None}}
