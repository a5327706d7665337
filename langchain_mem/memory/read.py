"""The operations that read memories without ranking them. Bodies."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypedDict, Unpack

from langchain_core.messages import HumanMessage, SystemMessage

from langchain_mem.errors import InvalidRequest, NotFound
from langchain_mem.extraction import prompts
from langchain_mem.extraction.messages import text_of
from langchain_mem.extraction.model_call import ask
from langchain_mem.filters.conditions import Condition, Kind, Operator, Path, Test, conjunction
from langchain_mem.memory.changes import is_live
from langchain_mem.memory.events import ActivityEvent
from langchain_mem.memory.repository import Kept
from langchain_mem.memory.settings import Engine, has_any, live, names
from langchain_mem.model.history import changes
from langchain_mem.model.instants import instant, iso
from langchain_mem.model.records import Change, MemoryDict, Page, StoredMemory, public
from langchain_mem.model.scopes import MEMORIES, Ids, Scope, owner_of

PAGE_LIMIT: Final = 10_000
"""At most so many memories a page."""


class User(TypedDict):
    """One owner that has memories."""

    type: str
    id: str
    memories: int
    created_at: str
    updated_at: str


class Users(TypedDict):
    """What `users` returns."""

    results: list[User]
    total_users: int
    total_agents: int
    total_runs: int
    total_apps: int
    total_orgs: int


class Stats(TypedDict):
    """How many memories a scope holds, by what they are."""

    memories: int
    expired: int
    superseded: int
    deleted: int
    by_layer: dict[str, int]
    by_category: dict[str, int]


class Reading:
    """What reads. Every `async def` is a body; `Memory` has both forms of it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def get(self, memory_id: str, **ids: Unpack[Ids]) -> MemoryDict | None:
        """One memory, expired and superseded ones too; `None` where there is none, or it was deleted.

        Args:
            memory_id: Its id.
            **ids: Where given, a memory of another owner is not found.
        """
        kept = await self._engine.by_id(memory_id, Scope.of(ids), self._engine.now())
        return None if kept is None else public(kept.memory)

    async def get_all(
        self,
        *,
        filters: Mapping[str, Any] | None = None,
        categories: Sequence[str] | None = None,
        keywords: str | None = None,
        page: int = 1,
        page_size: int = 100,
        show_expired: bool = False,
        latest_only: bool = True,
        version: str | None = None,
        output_format: str | None = None,
        **ids: Unpack[Ids],
    ) -> Page:
        """Memories page by page, last changed first.

        Args:
            filters: Narrows what the ids allow; without ids it must name an owner.
            categories: Any of these.
            keywords: A part of the text, in any case.
            page: From 1.
            page_size: From 1 to 10,000.
            show_expired: Whether expired memories count too.
            latest_only: Whether superseded memories stay hidden.
            version: Accepted from older code, and means nothing.
            output_format: Accepted from older code, and means nothing.
            **ids: Whose memories.

        Returns:
            The page, how many there are in all, and the numbers of the pages beside it.

        Raises:
            ScopeError: No owner is named.
            FilterError: The filters are none.
            InvalidRequest: A page that cannot be.
        """
        _check_page(page, page_size)
        now = self._engine.now()
        places, asked = await self._engine.view(Scope.of(ids), filters, now)
        shown = live(now, show_expired=show_expired, latest_only=latest_only)
        condition = conjunction(asked, shown, _narrowed(categories, keywords))
        offset = (page - 1) * page_size
        kept, count = await self._engine.repo.select(places, condition, now, limit=page_size, offset=offset)
        return {
            "results": [public(one.memory) for one in kept],
            "count": count,
            "page": page,
            "page_size": page_size,
            "next": page + 1 if offset + page_size < count else None,
            "previous": page - 1 if page > 1 else None,
        }

    async def history(self, memory_id: str, **ids: Unpack[Ids]) -> list[Change]:
        """Every change of a memory, oldest first, along the chain of what it replaced and what replaced it.

        Args:
            memory_id: Its id; of a deleted one too.
            **ids: Where given, a memory of another owner is not found.

        Raises:
            NotFound: There is no such memory.
        """
        now = self._engine.now()
        kept = await self._engine.by_id(memory_id, Scope.of(ids), now, dead=True)
        if kept is None:
            raise NotFound(f"There is no memory {memory_id!r} here.")
        chain = await self._chain(kept, now)
        told = [change for one in chain for change in changes(one)]
        return sorted(told, key=lambda change: change["created_at"])

    async def _chain(self, kept: Kept, now: datetime) -> list[StoredMemory]:
        """A memory with its predecessors before it and its successors after it; a circle is walked once."""
        owner = kept.address.namespace[:3]
        chain = {kept.memory["id"]: kept.memory}
        successor = kept.memory["superseded_by"]
        while successor is not None and successor not in chain:
            found = (await self._engine.repo.find([successor], [owner], now)).get(successor)
            if found is None:
                break
            chain[successor] = found.memory
            successor = found.memory["superseded_by"]
        newest = [kept.memory["id"]]
        while newest:
            condition = Test(Path(("superseded_by",)), Operator.in_, tuple(newest), Kind.text)
            before, _ = await self._engine.repo.select([owner], condition, now, limit=None, offset=0)
            newest = [one.memory["id"] for one in before if one.memory["id"] not in chain]
            chain = {one.memory["id"]: one.memory for one in before} | chain
        return list(chain.values())

    async def users(self) -> Users:
        """Every user, agent, run, app and org that has memories, with how many, and since when."""
        now = self._engine.now()
        kept, _ = await self._engine.repo.select([(MEMORIES,)], live(now), now, limit=None, offset=0)
        found: dict[tuple[str, str], list[StoredMemory]] = {}
        for one in kept:
            kind, owner_id, run_id = owner_of(one.address.namespace)
            found.setdefault((kind, owner_id), []).append(one.memory)
            if run_id is not None and kind != "run":
                found.setdefault(("run", run_id), []).append(one.memory)
        results = [_user(kind, owner_id, memories) for (kind, owner_id), memories in sorted(found.items())]
        totals = {
            kind: sum(user["type"] == kind for user in results) for kind in ("user", "agent", "run", "app", "org")
        }
        return {
            "results": results,
            "total_users": totals["user"],
            "total_agents": totals["agent"],
            "total_runs": totals["run"],
            "total_apps": totals["app"],
            "total_orgs": totals["org"],
        }

    async def stats(self, **ids: Unpack[Ids]) -> Stats:
        """How many memories a scope holds, and of which kinds.

        Args:
            **ids: Whose memories; without any, those of everyone, for an administrator's `Memory`.

        Raises:
            ScopeError: No owner is named.
        """
        now = self._engine.now()
        places, condition = await self._engine.view(Scope.of(ids), None, now)
        kept, _ = await self._engine.repo.select(places, condition, now, limit=None, offset=0)
        memories = [one.memory for one in kept]
        shown = [memory for memory in memories if is_live(memory, iso(now))]
        states = [memory["state"] for memory in memories]
        return {
            "memories": len(shown),
            "expired": states.count("live") - len(shown),
            "superseded": states.count("superseded"),
            "deleted": states.count("deleted"),
            "by_layer": _counted([[memory["layer"]] for memory in shown]),
            "by_category": _counted([memory["categories"] for memory in shown]),
        }

    async def events(
        self, *, types: Collection[str] | None = None, since: Any = None, limit: int | None = 100
    ) -> list[ActivityEvent]:
        """What the operations of this `Memory` did, newest first; a search's event keeps how each score came about.

        Args:
            types: Only these: add, search, update, delete and so on.
            since: Only from this instant on: a date, a datetime or ISO text.
            limit: At most so many.
        """
        start = None if since is None else iso(instant(since))
        return self._engine.activity.events(types=types, since=start, limit=limit)

    async def summary(self, **ids: Unpack[Ids]) -> str:
        """A short profile of what is known, by the model; without one, the newest memories, a line each.

        Args:
            **ids: Whose memories.

        Raises:
            ScopeError: No owner is named.
            ExtractionError: The model failed.
        """
        page = await self.get_all(page_size=200, **ids)
        lines = [prompts.inert(memory["memory"]) for memory in page["results"]]
        if self._engine.model is None or not lines:
            return "\n".join(f"- {line}" for line in lines)
        reply = await ask(self._engine.model, [SystemMessage(prompts.OVERVIEW), HumanMessage(prompts.known(lines))])
        return text_of(reply.content).strip()


def _check_page(page: int, page_size: int) -> None:
    if not isinstance(page, int) or isinstance(page, bool) or page < 1:
        raise InvalidRequest(f"page must be a whole number, 1 or more, not {page!r}.")
    if not isinstance(page_size, int) or isinstance(page_size, bool) or not 1 <= page_size <= PAGE_LIMIT:
        raise InvalidRequest(f"page_size must be a whole number from 1 to {PAGE_LIMIT}, not {page_size!r}.")


def _narrowed(categories: Sequence[str] | None, keywords: str | None) -> Condition:
    if keywords is not None and not isinstance(keywords, str):
        raise InvalidRequest(f"keywords is a part of the text, not {keywords!r}.")
    parts = [has_any("categories", names(categories))] if categories is not None else []
    words = [Test(Path(("memory",)), Operator.icontains, keywords, Kind.text)] if keywords else []
    return conjunction(*parts, *words)


def _user(kind: str, owner_id: str, memories: Sequence[StoredMemory]) -> User:
    return {
        "type": kind,
        "id": owner_id,
        "memories": len(memories),
        "created_at": min(memory["created_at"] for memory in memories),
        "updated_at": max(memory["updated_at"] for memory in memories),
    }


def _counted(names: Sequence[Sequence[str]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in (name for several in names for name in several):
        counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items()))
