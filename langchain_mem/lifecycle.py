"""The operations on whole sessions, owners and stores: ending, forgetting, moving. Bodies."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Protocol, TypedDict, Unpack

from langchain_core.messages import HumanMessage, SystemMessage

from langchain_mem import prompts
from langchain_mem._flow import call, offload
from langchain_mem.backends.base import ANY, Address
from langchain_mem.conditions import Kind, Not, Operator, Or, Path, Test, conjunction
from langchain_mem.engine import is_in, live, settled
from langchain_mem.errors import ExtractionError, InvalidRequest, NotFound
from langchain_mem.expiry import iso
from langchain_mem.extraction import ask, numbers
from langchain_mem.ledger import Draft, Ledger
from langchain_mem.records import MemoryDict, public
from langchain_mem.repository import Kept, Save
from langchain_mem.scopes import EXTRACTED, MEMORIES, ROOTS, THREADS, TURNS, Ids, Namespace, Scope, escape, reroot
from langchain_mem.turns import text_of
from langchain_mem.writing import Deleted, Writing

_PIECE: Final = 500


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


class Erased(TypedDict):
    """What `erase` returns: how many records went, and which threads."""

    erased: int
    threads: list[str]


class Lifecycle(Writing):
    """What begins and ends. Every `async def` is a body; `Memory` has both forms of it."""

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
            moved = [ledger.move(kept[memory_id], home, expiration_date=None) for memory_id in chosen]
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

    async def delete_users(self, **ids: Unpack[Ids]) -> Deleted:
        """Deletes everything of one user, agent, run, app or org, restorably until purged.

        Args:
            **ids: Exactly one id.

        Raises:
            InvalidRequest: Not exactly one id is given.
        """
        if len(Scope.of(ids).ids()) != 1:
            raise InvalidRequest("delete_users takes exactly one of user_id, agent_id, run_id, app_id and org_id.")
        return await self._delete_all(Scope.of(ids), None, "delete_users")

    async def reset(self, confirm: bool = True) -> int:
        """Removes everything of every owner, for good.

        Args:
            confirm: `False` refuses.

        Returns:
            How many records went.

        Raises:
            InvalidRequest: Not confirmed.
        """
        if not confirm:
            raise InvalidRequest("reset removes everything for good; it needs confirm=True.")
        now = self._engine.now()
        self._engine.reinforcement.drop()
        self._engine.noted.clear()
        removed = await self._remove([(root,) for root in ROOTS], now)
        self._engine.activity.clear()
        return removed

    async def erase(self, user_id: str, *, checkpointer: Threads | None = None) -> Erased:
        """Removes a person at once and for good: memories, history, kept turns, uses, events, and threads.

        Args:
            user_id: The person.
            checkpointer: Where the person's threads are deleted too: those that memories were recalled for or written
                from, and those whose checkpoints name the person.

        Returns:
            How many records went, and which threads.
        """
        scope, now = Scope(user_id=user_id), self._engine.now()
        await offload(self._engine.background.discard, scope.owner())
        self._engine.noted = {place for place in self._engine.noted if place.namespace[1:] != ("user", escape(user_id))}
        threads = await self._threads(scope, now)
        if checkpointer is not None:
            threads = await self._delete_threads(checkpointer, user_id, threads)
        self._engine.reinforcement.drop(user_id=escape(user_id))
        erased = await self._remove([(root, "user", escape(user_id)) for root in ROOTS], now)
        self._engine.activity.forget({"user_id": user_id})
        self._engine.corpora.clear()
        return {"erased": erased, "threads": sorted(threads)}

    async def note_thread(self, thread_id: str | None, **ids: Unpack[Ids]) -> None:
        """Notes that an owner was in a thread, so that `erase` finds it; once for each process.

        Args:
            thread_id: The thread; `None` notes nothing.
            **ids: Whose.
        """
        if thread_id is None:
            return
        kind, owner_id = Scope.of(ids).owner()
        place, now = Address((THREADS, kind, escape(owner_id)), thread_id), self._engine.now()
        if place not in self._engine.noted:
            await self._engine.repo.save([Save(address=place, value={"noted_at": iso(now)})], now)
            self._engine.noted.add(place)

    async def _threads(self, scope: Scope, now: datetime) -> set[str]:
        kind, owner_id = scope.owner()
        noted, _ = await self._raw((THREADS, kind, escape(owner_id)), now)
        extracted, _ = await self._raw((EXTRACTED, kind, escape(owner_id)), now)
        return {one.address.key for one in [*noted, *extracted]}

    async def _delete_threads(self, checkpointer: Threads, user_id: str, threads: set[str]) -> set[str]:
        for thread_id in sorted(threads):
            await call(checkpointer.delete_thread, checkpointer.adelete_thread, thread_id)
        by_user = getattr(checkpointer, "delete_user_threads", None)
        if by_user is not None:
            threads |= set(await call(by_user, getattr(checkpointer, "adelete_user_threads"), user_id) or ())  # noqa: B009
        return threads

    async def purge_expired(self, *, older_than: timedelta = timedelta(0), **ids: Unpack[Ids]) -> int:
        """Removes for good what expired, was superseded or was deleted at least so long ago.

        Args:
            older_than: How long ago; zero for all of it.
            **ids: Whose; without any, everyone's.

        Returns:
            How many memories went.
        """
        now = self._engine.now()
        scope, limit = Scope.of(ids), iso(now - older_than)
        places = await self._engine.repo.places(scope.patterns(), now) if scope else ((MEMORIES,),)
        expired = Test(Path(("expiration_date",)), Operator.lte, limit, Kind.instant)
        dead = conjunction(
            Not(is_in("state", ("live",))), Test(Path(("updated_at",)), Operator.lte, limit, Kind.instant)
        )
        kept, _ = await self._engine.repo.select(places, Or((expired, dead)), now, limit=None, offset=0)
        turns = {Address(reroot(one.address.namespace, TURNS), key) for one in kept for key in one.memory["cites"]}
        gone = [address for address in turns if not await self._cited(address, kept, now)]
        await self._delete([*(one.address for one in kept), *gone], now)
        await self._engine.repo.purge(now)
        return len(kept)

    async def _cited(self, turn: Address, purged: Sequence[Kept], now: datetime) -> bool:
        """Whether a fact that stays cites a turn."""
        home = reroot(turn.namespace, MEMORIES)
        citing = Test(Path(("cites",)), Operator.contains, turn.key, Kind.texts)
        found, _ = await self._engine.repo.select([home], citing, now, limit=None, offset=0)
        return bool({one.address for one in found} - {one.address for one in purged})

    async def compact(self) -> None:
        """Rewrites what the store's files still hold of what was removed; may take minutes on a large store."""
        await self._engine.repo.compact()

    async def _raw(self, prefix: Namespace, now: datetime) -> tuple[list[Kept], int]:
        return await self._engine.repo.select([prefix], conjunction(), now, limit=None, offset=0)

    async def _remove(self, prefixes: Sequence[Namespace], now: datetime) -> int:
        kept, _ = await self._engine.repo.select(prefixes, conjunction(), now, limit=None, offset=0)
        await self._delete([one.address for one in kept], now)
        return len(kept)

    async def _delete(self, addresses: Sequence[Address], now: datetime) -> None:
        for start in range(0, len(addresses), _PIECE):
            piece = addresses[start : start + _PIECE]
            await self._engine.repo.save([Save(address=address, value=None) for address in piece], now)


def _fields(save: Save) -> dict[str, Any]:
    return {name: getattr(save, name) for name in Save.__slots__}
