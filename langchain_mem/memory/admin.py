"""The operations on whole owners and stores: forgetting them, for a while or for good. Bodies."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypedDict, Unpack, cast

from langchain_mem._flow import call, offload
from langchain_mem.backends.base import Address
from langchain_mem.errors import InvalidRequest
from langchain_mem.filters.conditions import Kind, Not, Operator, Or, Path, Test, conjunction
from langchain_mem.memory.repository import Kept, Save
from langchain_mem.memory.sessions import Threads
from langchain_mem.memory.settings import is_in
from langchain_mem.memory.writing import Deleted, Writing
from langchain_mem.model.instants import iso
from langchain_mem.model.scopes import (
    BATCHES,
    EXTRACTED,
    MEMORIES,
    ROOTS,
    THREADS,
    TURNS,
    Ids,
    Namespace,
    Scope,
    escape,
    reroot,
)

_PIECE: Final = 500


class Erased(TypedDict):
    """What `erase` returns: how many records went, and which threads."""

    erased: int
    threads: list[str]


class Lifecycle(Writing):
    """What begins and ends. Every `async def` is a body; `Memory` has both forms of it."""

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
        retired, _ = await self._engine.repo.select(
            [reroot(place, TURNS) for place in places], dead, now, limit=None, offset=0
        )
        turns = {Address(reroot(one.address.namespace, TURNS), key) for one in kept for key in one.memory["cites"]}
        turns = {address for address in turns if not await self._cited(address, kept, now)}
        batches = await self._batches_of(kept, scope, now)
        gone = turns.union(one.address for one in [*kept, *retired, *batches])
        await self._delete(sorted(gone), now)
        await self._engine.repo.purge(now)
        return len(kept)

    async def _batches_of(self, purged: Sequence[Kept], scope: Scope, now: datetime) -> list[Kept]:
        """The journal's notes of batches that changed what is purged: they quote it, and cannot be undone any more."""
        places = await self._engine.repo.places(scope.patterns(BATCHES), now) if scope else [(BATCHES,)]
        keys = {one.memory["id"] for one in purged}
        noted = [kept for place in places for kept in (await self._raw(place[:3], now))[0]]
        return [kept for kept in noted if keys & {key for _, key in cast(dict[str, Any], kept.memory)["memories"]}]

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
