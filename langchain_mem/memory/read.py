"""`get`, `get_all`, `history`, `users`, `stats` and `events`: reading memories without ranking them."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias, TypedDict, Unpack

from langchain_mem.backends.base import Row
from langchain_mem.errors import InvalidRequest, shown
from langchain_mem.events.feed import ActivityEvent
from langchain_mem.filters.conditions import Condition, Kind, Operator, Path, Test, conjunction
from langchain_mem.memory.operation import operation
from langchain_mem.memory.options import check_limit, check_names
from langchain_mem.memory.reading.cursor import check_output_format, cut_of
from langchain_mem.memory.reading.pages import page as page_of
from langchain_mem.memory.reading.queries import by_id, has_any, live, of_kind, present_or_deleted, view
from langchain_mem.memory.settings import Settings, names
from langchain_mem.model.history import changes
from langchain_mem.model.instants import instant, iso
from langchain_mem.model.kinds import KindName
from langchain_mem.model.records import Change, MemoryDict, Page, StoredMemory, public, public_all
from langchain_mem.model.scopes import MEMORIES, Ids, Scope, owner_of


class User(TypedDict):
    """One owner who has memories.

    `type` is "user", "agent", "run", "app" or "org". `created_at` is the time of the owner's first memory and
    `updated_at` that of the last change, as ISO text.
    """

    type: str
    id: str
    memories: int
    created_at: str
    updated_at: str


class Users(TypedDict):
    """What `users` returns: every owner, and how many owners there are of each kind."""

    results: list[User]
    total_users: int
    total_agents: int
    total_runs: int
    total_apps: int
    total_orgs: int


class Stats(TypedDict):
    """How many memories a scope has.

    `memories` counts those that a search may find. `expired`, `superseded` and `deleted` count those that are hidden,
    each until it is purged. `by_layer`, `by_category` and `by_kind` divide the first number; a memory with two
    categories counts in both.
    """

    memories: int
    expired: int
    superseded: int
    deleted: int
    by_layer: dict[str, int]
    by_category: dict[str, int]
    by_kind: dict[str, int]


async def _get(settings: Settings, memory_id: str, **ids: Unpack[Ids]) -> MemoryDict | None:
    """Reads one memory by its id.

    Expired and superseded memories are returned too.

    Args:
        memory_id: The id.
        **ids: The owner's ids. With them, a memory of another owner is not found.

    Returns:
        The memory; `None` if there is none with this id, or if it was deleted.

    Raises:
        InvalidRequest: An id is empty or not a text.
    """
    row = await by_id(settings, memory_id, Scope.of(ids), settings.now())
    return None if row is None else public(row.value)


get, aget = operation(_get)


async def _get_all(
    settings: Settings,
    *,
    filters: Mapping[str, Any] | None = None,
    kind: KindName | None = None,
    categories: Sequence[str] | None = None,
    keywords: str | None = None,
    page: int | None = None,
    page_size: int | None = None,
    cursor: str | None = None,
    show_expired: bool = False,
    latest_only: bool = True,
    version: str | None = None,
    output_format: str | None = None,
    **ids: Unpack[Ids],
) -> Page:
    """Lists memories without ranking them, the last changed first.

    Without `page`, `page_size` and `cursor`, all of them are returned. Numbered pages shift if something is written
    between two calls. A cursor continues exactly where its page ended.

    Args:
        filters: A filter on the memories that the ids allow. In a call without ids it must name an owner in each
            branch.
        kind: Only documents of this kind: a schema, or its name.
        categories: Only memories that have at least one of these categories.
        keywords: Only memories whose text contains this, in upper or lower case.
        page: The number of the page, from 1.
        page_size: How many memories a page has, from 1 to 10,000; 100 by default if pages are asked for.
        cursor: The `cursor` of the previous page, instead of `page`. The other arguments must be the same as there.
        show_expired: Whether expired memories are listed.
        latest_only: Whether superseded memories stay hidden.
        version: Accepted from older code, and means nothing.
        output_format: Accepted from older code if it names this form, "v1.1".
        **ids: Whose memories: `user_id`, `agent_id`, `app_id`, `org_id`, and `run_id` (or `session_id`).

    Returns:
        The page: the memories as `results`, the `count` of all of them, the numbers of the `next` and the `previous`
        page, and the `cursor` of the next one. With a cursor, `count` is how many were left when the page was read.

    Raises:
        ScopeError: No owner is named.
        FilterError: `filters` names an unknown field or operator, or a value has the wrong type.
        InvalidRequest: `page` or `page_size` is out of its range, or another argument has the wrong type.
    """
    check_output_format(output_format)
    cut = cut_of(page, page_size, cursor)
    now = settings.now()
    places, asked = await view(settings, Scope.of(ids), filters, now)
    shown = live(now, show_expired=show_expired, latest_only=latest_only)
    wanted = conjunction() if kind is None else of_kind(kind)
    condition = conjunction(asked, shown, wanted, _narrowed(categories, keywords), *cut.until())
    rows, count = await page_of(settings, places, condition, now, limit=cut.limit, offset=cut.offset)
    more = cut.offset + len(rows) < count
    return {
        "results": public_all([row.value for row in rows]),
        "count": count,
        "page": cut.page,
        "page_size": count if cut.limit is None else cut.limit,
        "next": cut.page + 1 if more else None,
        "previous": cut.page - 1 if cut.page > 1 else None,
        "cursor": cut.after([row.value for row in rows]) if more else None,
    }


get_all, aget_all = operation(_get_all)


async def _history(settings: Settings, memory_id: str, **ids: Unpack[Ids]) -> list[Change]:
    """Returns every change of a memory, the oldest first.

    The history also has the changes of the memories that this one replaced, and of those that replaced it.

    Args:
        memory_id: The id; it may be that of a deleted memory.
        **ids: The owner's ids. With them, a memory of another owner is not found.

    Returns:
        The changes: what happened, when (ISO text), the text before and after, and why.

    Raises:
        NotFound: There is no such memory, or it was purged.
    """
    now = settings.now()
    row = await present_or_deleted(settings, memory_id, Scope.of(ids), now)
    chain = await _chain(settings, row, now)
    texts = {one["id"]: one["memory"] for one in chain}
    told = [_with_successor(change, texts) for one in chain for change in changes(one)]
    return sorted(told, key=lambda change: change["created_at"])


history, ahistory = operation(_history)


async def _users(settings: Settings) -> Users:
    """Lists every user, agent, run, app and org that has memories.

    All memories are read, so that a call takes longer the more there are.

    Returns:
        Each owner with the number of memories and the times of the first and of the last change, and the number of
        owners of each kind.
    """
    now = settings.now()
    rows, _ = await settings.repo.select([(MEMORIES,)], live(now), now)
    found: dict[tuple[str, str], list[StoredMemory]] = {}
    for row in rows:
        kind, owner_id, run_id = owner_of(row.address.namespace)
        found.setdefault((kind, owner_id), []).append(row.value)
        if run_id is not None and kind != "run":
            found.setdefault(("run", run_id), []).append(row.value)
    results = [_user(kind, owner_id, memories) for (kind, owner_id), memories in sorted(found.items())]
    totals = {kind: sum(user["type"] == kind for user in results) for kind in ("user", "agent", "run", "app", "org")}
    return {
        "results": results,
        "total_users": totals["user"],
        "total_agents": totals["agent"],
        "total_runs": totals["run"],
        "total_apps": totals["app"],
        "total_orgs": totals["org"],
    }


users, ausers = operation(_users)


async def _stats(settings: Settings, **ids: Unpack[Ids]) -> Stats:
    """Counts the memories of a scope by state, layer, category and kind.

    Args:
        **ids: Whose memories. A `Memory` for administrators counts everyone's if no id is given.

    Returns:
        The numbers; see `Stats`.

    Raises:
        ScopeError: No owner is named.
    """
    now = settings.now()
    places, condition = await view(settings, Scope.of(ids), None, now)
    rows, _ = await settings.repo.select(places, condition, now)
    told = (row.value for row in rows)
    return tallied(
        ((one["state"], one["expiration_date"], one["layer"], one["categories"], one["schema"]) for one in told),
        iso(now),
    )


stats, astats = operation(_stats)


Counted: TypeAlias = tuple[str, str | None, str, Sequence[str], str | None]
"""What is counted of a memory: its state, when it expires, its layer, its categories and its kind."""


def tallied(memories: Iterable[Counted], now: str) -> Stats:
    """How many there are, and of which kinds.

    Args:
        memories: What is counted of each.
        now: Until when a memory that is not gone is shown, as ISO text.
    """
    every = list(memories)
    shown = [one for one in every if one[0] == "live" and not (one[1] and one[1] <= now)]
    states = Counter(one[0] for one in every)
    return {
        "memories": len(shown),
        "expired": states["live"] - len(shown),
        "superseded": states["superseded"],
        "deleted": states["deleted"],
        "by_layer": _counted([layer] for _, _, layer, _, _ in shown),
        "by_category": _counted(categories for _, _, _, categories, _ in shown),
        "by_kind": _counted([kind] for *_, kind in shown if kind),
    }


async def _events(
    settings: Settings,
    *,
    types: Collection[str] | None = None,
    since: Any = None,
    limit: int | None = 100,
    **ids: Unpack[Ids],
) -> list[ActivityEvent]:
    """Returns what the operations of this `Memory` did, the newest first.

    The event of a search contains how each score came about. With `Memory(keep_events=…)`, the events of other and
    earlier processes are returned too, as ids and numbers without texts: those of the named owner, or of everyone for a
    `Memory` for administrators.

    Args:
        types: Only events of these types: add, search, update, delete and so on; `None` for all.
        since: Only events from this time on: a date, a datetime or ISO text.
        limit: How many events are returned at most; `None` for all.
        **ids: Only events that name one of these owners.

    Returns:
        The events, each with its id, type, time (ISO text), ids and details.

    Raises:
        InvalidRequest: An argument has the wrong type, or `limit` is below 1.
    """
    check_names(types=types)
    check_limit(limit)
    start = None if since is None else iso(instant(since))
    scope = Scope.of(ids)
    own = settings.activity.events(types=types, since=start, limit=None)
    events = [event for event in own if not scope or event["ids"].items() & scope.ids().items()]
    if settings.kept_events is not None and (scope or settings.all_owners):
        here = {event["id"] for event in events}
        kept = await settings.kept_events.read(types=types, since=start, limit=limit, ids=ids)
        events = sorted([*events, *(one for one in kept if one["id"] not in here)], key=_event_id, reverse=True)
    return events[:limit]


def _event_id(event: ActivityEvent) -> str:
    return event["id"]


events, aevents = operation(_events)


async def _chain(settings: Settings, row: Row, now: datetime) -> list[StoredMemory]:
    """A memory with its predecessors before it and its successors after it; a circle is walked once."""
    owner = row.address.namespace[:3]
    chain = {row.value["id"]: row.value}
    successor = row.value["superseded_by"]
    while successor is not None and successor not in chain:
        found = (await settings.repo.find([successor], [owner], now)).get(successor)
        if found is None:
            break
        chain[successor] = found.value
        successor = found.value["superseded_by"]
    newest = [row.value["id"]]
    while newest:
        condition = Test(Path(("superseded_by",)), Operator.in_, tuple(newest), Kind.text)
        before, _ = await settings.repo.select([owner], condition, now)
        newest = [one.value["id"] for one in before if one.value["id"] not in chain]
        chain = {one.value["id"]: one.value for one in before} | chain
    return list(chain.values())


def _with_successor(change: Change, texts: Mapping[str, str]) -> Change:
    """A change with the text of what replaced the memory, where it was superseded."""
    if change["event"] in ("SUPERSEDE", "MERGE") and (by := change["superseded_by"]) is not None:
        change["new_memory"] = texts.get(by, change["new_memory"])
    return change


def _narrowed(categories: Sequence[str] | None, keywords: str | None) -> Condition:
    if keywords is not None and not isinstance(keywords, str):
        raise InvalidRequest(f"keywords is a part of the text, not {shown(keywords)}.")
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


def _counted(names: Iterable[Sequence[str]]) -> dict[str, int]:
    return dict(sorted(Counter(itertools.chain.from_iterable(names)).items()))
