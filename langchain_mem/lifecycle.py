"""The operations on whole sessions, owners and stores: ending, forgetting, moving. Bodies."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal, Protocol, TypeAlias, TypedDict, Unpack, cast

from langchain_core.messages import HumanMessage, SystemMessage

from langchain_mem import prompts
from langchain_mem._flow import call
from langchain_mem.adding import EXTRACTED, PLANS
from langchain_mem.backends.base import ANY, Address
from langchain_mem.conditions import Kind, Not, Operator, Or, Path, Test, conjunction
from langchain_mem.editing import Deleted, Editing
from langchain_mem.engine import Engine, is_in, live
from langchain_mem.errors import InvalidRequest
from langchain_mem.expiry import iso, parse_iso
from langchain_mem.extraction import ask
from langchain_mem.ledger import BATCHES, Draft, content
from langchain_mem.records import PUBLIC, MemoryDict, StoredMemory, digest, public
from langchain_mem.repository import Kept, Save
from langchain_mem.scopes import MEMORIES, TURNS, Ids, Namespace, Scope, escape, reroot
from langchain_mem.turns import text_of

FORMAT: Final = "langchain-mem/1"
"""What a line of an export says it is."""

THREADS: Final = "threads"
"""The root of the index from owners to their threads."""

ROOTS: Final = (MEMORIES, TURNS, BATCHES, EXTRACTED, PLANS, THREADS, "touches")
"""Every root under which something of an owner may lie."""

_PIECE: Final = 500


Exported: TypeAlias = tuple[Address, StoredMemory, Sequence[str]]
"""A memory as a line of an export holds it: where, what, and its uses."""


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


class Imported(TypedDict):
    """What `import_` returns."""

    imported: int
    skipped: int
    replaced: int


class Lifecycle:
    """What begins and ends. Every `async def` is a body; `Memory` has both forms of it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._editing = Editing(engine)

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
            promoted = await self._editing.promote(run_id=run_id, user_id=user_id, agent_id=agent_id)
        gone = {memory["id"] for memory in promoted}
        left = [{"memory_id": one.memory["id"]} for one in kept if one.memory["id"] not in gone]
        if left:
            await self._clear(left)
        if checkpointer is not None:
            await call(checkpointer.delete_thread, checkpointer.adelete_thread, run_id)
        return {"summary": summary, "promoted": promoted, "cleared": len(left)}

    async def _clear(self, notes: Sequence[Mapping[str, Any]]) -> None:
        for start in range(0, len(notes), _PIECE):
            await self._editing.batch_delete(notes[start : start + _PIECE])

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
        return await self._editing.delete_all(**ids)

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
        threads = await self._threads(scope, now)
        if checkpointer is not None:
            threads = await self._delete_threads(checkpointer, user_id, threads)
        self._engine.reinforcement.drop(user_id=escape(user_id))
        erased = await self._remove([(root, "user", escape(user_id)) for root in ROOTS], now)
        self._engine.activity.forget({"user_id": user_id})
        self._engine.corpora.clear()
        return {"erased": erased, "threads": sorted(threads)}

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

    async def export(self, *, filters: Mapping[str, Any] | None = None, **ids: Unpack[Ids]) -> list[str]:
        """Memories with their history and kept turns, as lines of JSON that `import_` takes.

        Args:
            filters: Narrows what the ids allow; without ids it must name an owner.
            **ids: Whose memories.

        Raises:
            ScopeError: No owner is named.
        """
        now = self._engine.now()
        places, asked = await self._engine.view(Scope.of(ids), filters, now)
        shown = is_in("state", ("live", "superseded"))
        kept, _ = await self._engine.repo.select(places, conjunction(asked, shown), now, limit=None, offset=0)
        cited: dict[Namespace, set[str]] = {}
        for one in kept:
            cited.setdefault(reroot(one.address.namespace, TURNS), set()).update(one.memory["cites"])
        for home, keys in cited.items():
            kept += (await self._engine.repo.find(keys, [home], now)).values()
        return [_line(one) for one in sorted(kept, key=lambda one: one.address)]

    async def import_(self, lines: Iterable[str], *, on_conflict: Literal["skip", "replace"] = "skip") -> Imported:
        """Takes memories that `export` wrote, with ids, history, uses and turns.

        Args:
            lines: Lines of JSON.
            on_conflict: What to do where a live memory has the id: leave it or replace it.

        Raises:
            InvalidRequest: A line is no such memory; says which. Nothing was written.
        """
        if on_conflict not in ("skip", "replace"):
            raise InvalidRequest(f'on_conflict is "skip" or "replace", not {on_conflict!r}.')
        entries = [_entry(line, place) for place, line in enumerate(lines, 1) if line.strip()]
        counts: Imported = {"imported": 0, "skipped": 0, "replaced": 0}
        now = self._engine.now()
        for start in range(0, len(entries), _PIECE):
            await self._take(entries[start : start + _PIECE], on_conflict, counts, now)
        return counts

    async def _take(
        self,
        entries: Sequence[tuple[Address, StoredMemory, Sequence[str]]],
        on_conflict: str,
        counts: Imported,
        now: datetime,
    ) -> None:
        present = await self._engine.repo.fetch([address for address, _, _ in entries], now)
        saves = []
        for (address, memory, touches), kept in zip(entries, present, strict=True):
            taken = kept is not None and kept.memory["state"] == "live"
            if taken and on_conflict == "skip":
                counts["skipped"] += 1
                continue
            counts["replaced" if taken else "imported"] += 1
            saves.append(_imported(address, memory, touches))
        if saves:
            await self._engine.repo.save(saves, now)

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


def _line(kept: Kept) -> str:
    entry = {
        "format": FORMAT,
        "namespace": list(kept.address.namespace),
        "touches": [iso(touch) for touch in kept.touches],
        "memory": kept.memory,
    }
    return json.dumps(entry, ensure_ascii=False)


def _entry(line: str, place: int) -> tuple[Address, StoredMemory, list[str]]:
    try:
        entry = json.loads(line)
        namespace, memory, touches = entry["namespace"], entry["memory"], entry["touches"]
        well_formed = entry["format"] == FORMAT and set(PUBLIC) <= memory.keys() and namespace[0] in (MEMORIES, TURNS)
        if not (well_formed and all(isinstance(label, str) for label in namespace) and memory["log"]):
            raise ValueError("it is no exported memory")
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise InvalidRequest(f"Line {place} is none that export() wrote: {error}.") from error
    address = Address(tuple(namespace), memory["id"])
    return address, cast(StoredMemory, {**memory, "digest": digest(memory["memory"])}), touches


def _imported(address: Address, memory: StoredMemory, touches: Sequence[str]) -> Save:
    return Save(
        address=address,
        value=memory,
        text=content(memory),
        touches=[parse_iso(touch) for touch in touches],
    )
