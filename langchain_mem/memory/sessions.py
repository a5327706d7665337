"""Sessions: notes that serve a task, what of them lasts, and how they end. Bodies."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol, TypedDict

from langchain_core.messages import HumanMessage, SystemMessage

from langchain_mem._flow import call
from langchain_mem.backends.base import ANY
from langchain_mem.errors import ExtractionError, NotFound
from langchain_mem.extraction import prompts
from langchain_mem.extraction.messages import text_of
from langchain_mem.extraction.model_call import ask, numbers
from langchain_mem.memory.add import find_places
from langchain_mem.memory.changes import Draft, Ledger, is_live
from langchain_mem.memory.repository import Kept, Save
from langchain_mem.memory.settings import live, settled
from langchain_mem.memory.writing import Writing
from langchain_mem.model.instants import iso
from langchain_mem.model.records import MemoryDict, StoredMemory, public
from langchain_mem.model.scopes import TURNS, Namespace, Scope, reroot


class Threads(Protocol):
    """What ending a session and erasing a person need of a checkpointer."""

    def delete_thread(self, thread_id: str) -> None:
        """Deletes a thread."""

    async def adelete_thread(self, thread_id: str) -> None:
        """Deletes a thread."""


class Ended(TypedDict):
    """What `end_session` returns."""

    summary: MemoryDict | None
    promoted: list[MemoryDict]
    cleared: int


class Sessions(Writing):
    """What is done with sessions. Every `async def` is a body; `Memory` has both forms of it."""

    async def end_session(
        self,
        run_id: str,
        *,
        promote: bool = True,
        checkpointer: Threads | None = None,
        user_id: str | None = None,
        agent_id: str | None = None,
    ) -> Ended:
        """Ends a session: sums it up, moves what lasts to its owner, and clears its notes.

        Args:
            run_id: The session.
            promote: Whether to move what lasts; see `promote`.
            checkpointer: Where the session's thread, of the same id, is deleted too.
            user_id: The owner; without one the notes of the run itself, which nobody inherits.
            agent_id: The owner, where it is an agent.

        Returns:
            The summary, what was promoted, and how many notes were cleared. A session without notes has no summary.
        """
        scope, now = Scope(run_id=run_id, user_id=user_id, agent_id=agent_id), self._engine.now()
        owned = user_id is not None or agent_id is not None
        places = await self._engine.repo.places(
            [scope.home(), *Scope(run_id=run_id).patterns()[: 1 if owned else 2]], now
        )
        kept, _ = await self._engine.repo.select(places, live(now), now, limit=None, offset=0)
        summary = await self._sum_up(scope, kept, now) if kept and owned else None
        promoted: list[MemoryDict] = []
        if promote and owned and kept:
            promoted = await self.promote(run_id=run_id, user_id=user_id, agent_id=agent_id)
        gone = {memory["id"] for memory in promoted}
        left = [one.memory["id"] for one in kept if one.memory["id"] not in gone]
        if left:
            await self._clear(left, scope)
        if checkpointer is not None:
            await call(checkpointer.delete_thread, checkpointer.adelete_thread, run_id)
        return {"summary": summary, "promoted": promoted, "cleared": len(left)}

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
            await self._copy_turns(ledger, kept.values(), home, now)
            notes = [kept[memory_id] for memory_id in chosen]
            places = await find_places(
                self._engine.repo, [Draft(home=home, text=n.memory["memory"]) for n in notes], now
            )
            moved = [_move(ledger, note, home, place.existing) for note, place in zip(notes, places, strict=True)]
            await self._save(ledger, scope, now, "promote")
            return [public(memory) for memory in moved]

        return await settled(attempt)

    async def _copy_turns(self, ledger: Ledger, notes: Iterable[Kept], home: Namespace, now: datetime) -> None:
        """Keeps what the notes rest on with their new owner: the session's own turns end with it."""
        for note in notes:
            turns = await self._engine.repo.find(note.memory["cites"], [reroot(note.address.namespace, TURNS)], now)
            for turn in turns.values():
                ledger.copy_turn(turn, reroot(home, TURNS))

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

    async def _clear(self, notes: Sequence[str], scope: Scope) -> None:
        async def attempt() -> None:
            await self._delete_kept(list((await self._present(notes, scope)).values()), scope, "end_session")

        await settled(attempt)

    async def _sum_up(self, scope: Scope, kept: Sequence[Kept], now: datetime) -> MemoryDict:
        """An episodic memory of the owner's: what the session was about."""
        oldest_first = sorted(kept, key=lambda one: (one.memory["created_at"], one.memory["position"]))
        lines = [prompts.inert(one.memory["memory"]) for one in oldest_first]
        text = "; ".join(lines)
        if self._engine.model is not None:
            told = [SystemMessage(prompts.SUMMARY), HumanMessage(prompts.known(lines))]
            text = text_of((await ask(self._engine.model, told)).content).strip() or text
        ledger = self._engine.ledger(at=now, batch_id=uuid.uuid4().hex)
        draft = Draft(
            home=scope.without_run().home(),
            text=self._engine.clean(text),
            metadata={"kind": "episode", "run_id": scope.run_id},
            event_date=iso(now),
            group=scope.run_id,
        )
        memory = ledger.add(draft)
        saves = [Save(**{**_fields(save), "expects": ANY}) for save in ledger.saves(scope.without_run())]
        await self._engine.repo.save(saves, now)
        return public(memory)


def _move(ledger: Ledger, note: Kept, home: Namespace, known: Kept | None) -> StoredMemory:
    """Moves a note to its owner; where the owner knows as much, that replaces the note."""
    if known is None or not is_live(known.memory, iso(ledger.now)):
        return ledger.move(note, home, expiration_date=None)
    ledger.keep(known)
    ledger.supersede(note, known.memory)
    return known.memory


def _fields(save: Save) -> dict[str, Any]:
    return {name: getattr(save, name) for name in Save.__slots__}
