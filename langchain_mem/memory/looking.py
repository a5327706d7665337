"""What an inspector shows of a store: memories with their uses, owners, latest changes, growth.

Looking counts as no use, and what was deleted is seen too, for as long as it can be restored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypedDict, Unpack

from langchain_mem.backends.base import Address, Row
from langchain_mem.filters.conditions import Condition, Kind, Not, Operator, Path, Test, conjunction
from langchain_mem.memory.instruct import diff_of
from langchain_mem.memory.operation import Operation
from langchain_mem.memory.read import Stats, tallied
from langchain_mem.memory.reading.pages import page
from langchain_mem.memory.reading.queries import has_any, instructed_by, is_in, live, present_or_deleted, view
from langchain_mem.memory.settings import Settings
from langchain_mem.model.history import changes
from langchain_mem.model.instants import iso, parse_iso
from langchain_mem.model.records import Change, MemoryDict, StoredMemory, public
from langchain_mem.model.scopes import IDS, INSTRUCTIONS, MEMORIES, TURNS, Ids, Namespace, Scope, owner_of, reroot
from langchain_mem.repository.overview import Brief, brief

_LEAST_DAYS: Final = 14


class Sight(TypedDict):
    """One memory as it is looked at.

    Attributes:
        memory: The memory.
        state: "live", "expired", "superseded" or "deleted".
        uses: When it was used, oldest first, as ISO text.
        factor: What decay multiplies its relevance by now; `None` where decay is off.
        cites: How many kept turns it rests on.
    """

    memory: MemoryDict
    state: str
    uses: list[str]
    factor: float | None
    cites: int


class Sights(TypedDict):
    """A page of memories, and how many there are in all."""

    results: list[Sight]
    count: int


class Closeup(TypedDict):
    """One memory with the turns it rests on (oldest first), each as a memory of the conversation layer."""

    sight: Sight
    evidence: list[MemoryDict]


class Census(TypedDict):
    """One owner, and how many memories it has of each state."""

    type: str
    id: str
    live: int
    expired: int
    superseded: int
    deleted: int
    created_at: str
    updated_at: str


class ChangeOfOwner(TypedDict):
    """One change and whose memory it changed."""

    change: Change
    owner: dict[str, str]


class Day(TypedDict):
    """What happened on one UTC day (ISO text), and how many memories were shown at its end."""

    day: str
    added: int
    removed: int
    used: int
    live: int


async def _look(
    settings: Settings,
    *,
    states: Sequence[str] = ("live",),
    filters: Mapping[str, Any] | None = None,
    categories: Sequence[str] | None = None,
    keywords: str | None = None,
    limit: int = 50,
    offset: int = 0,
    **ids: Unpack[Ids],
) -> Sights:
    """Memories with their uses and their decay, last changed first.

    Args:
        states: Which: "live", "expired", "superseded", "deleted".
        filters: Narrows what the ids allow.
        categories: Any of these.
        keywords: A part of the text, in any case.
        limit: At most so many.
        offset: So many are passed over.
        **ids: Whose memories.
    """
    now = settings.now()
    places, asked = await view(settings, Scope.of(ids), filters, now)
    condition = conjunction(asked, _in_states(states, now), *_narrowed(categories, keywords))
    rows, count = await _newest(settings, places, condition, now, limit=limit, offset=offset)
    return {"results": [_sight(settings, row, now) for row in rows], "count": count}


look = Operation(_look)


async def _look_at(settings: Settings, memory_id: str, **ids: Unpack[Ids]) -> Closeup:
    """One memory, deleted ones too, with the turns it rests on.

    Raises:
        NotFound: There is no such memory.
    """
    now = settings.now()
    row = await present_or_deleted(settings, memory_id, Scope.of(ids), now)
    turns = await settings.repo.find(row.value["cites"], [reroot(row.address.namespace, TURNS)], now)
    evidence = sorted((turn.value for turn in turns.values()), key=lambda turn: turn["position"])
    return {"sight": _sight(settings, row, now), "evidence": [_turn(turn) for turn in evidence]}


look_at = Operation(_look_at)


class LatestInstructions(TypedDict):
    """Instructions, and how they changed last."""

    memory: MemoryDict
    diff: str


async def _told(settings: Settings, **ids: Unpack[Ids]) -> list[LatestInstructions]:
    """The instructions of everyone, or of those whose ids are given, by owner and name.

    Args:
        **ids: Whose.
    """
    now, scope = settings.now(), Scope.of(ids)
    homes = instructed_by(scope) if scope else [(INSTRUCTIONS,)]
    rows, _ = await settings.repo.select(homes, live(now), now) if homes else ([], 0)
    ordered = sorted(rows, key=lambda row: (row.address.namespace, row.value["metadata"]["name"]))
    return [{"memory": public(row.value), "diff": _last_diff(row.value)} for row in ordered]


told = Operation(_told)


def _last_diff(memory: StoredMemory) -> str:
    texts = [entry["after"]["memory"] for entry in memory["log"][-2:]]
    return diff_of(texts[0], texts[1], "before", "after") if len(texts) > 1 else ""


async def _ending(settings: Settings, within: timedelta, *, limit: int = 200, **ids: Unpack[Ids]) -> list[Sight]:
    """What expires within a time, soonest first.

    Args:
        within: The time, from now on.
        limit: At most so many.
        **ids: Whose memories.
    """
    now = settings.now()
    places, asked = await view(settings, Scope.of(ids), None, now)
    soon = Test(Path(("expiration_date",)), Operator.lte, iso(now + within), Kind.instant)
    known = await _briefs(settings, places, conjunction(asked, _in_states(("live",), now), soon), now)
    first = sorted(known, key=lambda brief: (brief.expiration_date or "", brief.address))[:limit]
    rows = await settings.repo.read([brief.address for brief in first], now)
    return [_sight(settings, row, now) for row in rows if row is not None]


ending = Operation(_ending)


async def _latest(
    settings: Settings,
    *,
    since: str | None = None,
    among: Sequence[str] | None = None,
    limit: int = 50,
    **ids: Unpack[Ids],
) -> list[ChangeOfOwner]:
    """The latest changes, newest first, deletions too.

    Args:
        since: Only what changed at this instant or later, as ISO text.
        among: Only of the memories with these ids, which is quick on every engine.
        limit: At most so many.
        **ids: Whose memories.
    """
    now = settings.now()
    places, asked = await view(settings, Scope.of(ids), None, now)
    if among is None:
        fresh = conjunction() if since is None else Test(Path(("updated_at",)), Operator.gte, since, Kind.instant)
        rows, _ = await _newest(settings, places, conjunction(asked, fresh), now, limit=limit)
    else:
        rows = [*(await settings.repo.find(among, places, now)).values()]
    told = [
        ChangeOfOwner(change=change, owner=_owner(row.value))
        for row in rows
        for change in changes(row.value)
        if since is None or change["created_at"] >= since
    ]
    return sorted(told, key=_place, reverse=True)[:limit]


latest = Operation(_latest)


async def _census(settings: Settings) -> list[Census]:
    """Every owner with how many memories of each state it has; one whose memories are all deleted too."""
    now = settings.now()
    found: dict[tuple[str, str], list[Brief]] = {}
    for known in await _briefs(settings, [(MEMORIES,)], conjunction(), now):
        for owner in _owners(known.address):
            found.setdefault(owner, []).append(known)
    return [_counted(owner, briefs, iso(now)) for owner, briefs in sorted(found.items())]


census = Operation(_census)


async def _counts(settings: Settings, **ids: Unpack[Ids]) -> Stats:
    """What `stats` gives, for a page that is looked at again and again.

    Args:
        settings: Parts and policies; given by the memory.
        **ids: Whose memories.
    """
    now = settings.now()
    places, asked = await view(settings, Scope.of(ids), None, now)
    known = await _briefs(settings, places, asked, now)
    return tallied(((one.state, one.expiration_date, one.layer, one.categories, one.schema) for one in known), iso(now))


counts = Operation(_counts)


async def _growth(settings: Settings, *, days: int = 60, **ids: Unpack[Ids]) -> list[Day]:
    """What was added, removed and used on each of the last days, oldest first.

    Args:
        days: How many days, today the last.
        **ids: Whose memories.
    """
    now = settings.now()
    places, asked = await view(settings, Scope.of(ids), None, now)
    told_of = await settings.overview.uses_by_day(places, now) if settings.overview else None
    known = await _briefs(settings, places, asked, now, uses=told_of is None)
    came = Counter(one.created_at[:10] for one in known)
    went = Counter(gone[:10] for one in known if (gone := _gone_at(one, iso(now))))
    used = Counter(day for one in known for day in map(_day, one.uses)) if told_of is None else Counter(told_of)
    first = now - timedelta(days=days - 1)
    names = [iso(first + timedelta(days=day))[:10] for day in range(days)]
    live = sum(count for day, count in came.items() if day < names[0])
    live -= sum(count for day, count in went.items() if day < names[0])
    told: list[Day] = []
    for day in names:
        live += came[day] - went[day]
        told.append({"day": day, "added": came[day], "removed": went[day], "used": used[day], "live": live})
    return _from_the_first(told)


growth = Operation(_growth)


async def _briefs(
    settings: Settings, places: Sequence[Namespace], condition: Condition, now: datetime, *, uses: bool = False
) -> list[Brief]:
    """What is counted of the memories in some places that fulfill a condition, with their uses where these count."""
    known = await settings.overview.briefs(places, condition, now, uses=uses) if settings.overview else None
    if known is not None:
        return known
    rows, _ = await settings.repo.select(places, condition, now)
    return list(map(brief, rows))


async def _newest(
    settings: Settings, places: Sequence[Namespace], condition: Condition, now: datetime, *, limit: int, offset: int = 0
) -> tuple[list[Row], int]:
    """A page of them, last changed first, and how many there are in all."""
    found = (
        await settings.overview.newest(places, condition, now, limit=limit, offset=offset)
        if settings.overview
        else None
    )
    if found is None:
        return await page(settings, places, condition, now, limit=limit, offset=offset)
    rows = await settings.repo.read(found[0], now)
    return [row for row in rows if row is not None], found[1]


def _sight(settings: Settings, row: Row, now: datetime) -> Sight:
    memory, touches = row.value, _touches(settings, row)
    return {
        "memory": public(memory),
        "state": _state(memory["state"], memory["expiration_date"], iso(now)),
        "uses": [iso(touch) for touch in touches],
        "factor": _factor(settings, memory, touches, now),
        "cites": len(memory["cites"]),
    }


def _touches(settings: Settings, row: Row) -> list[datetime]:
    """Its uses, those that are not written yet among them."""
    return sorted([*row.touches, *settings.touches.pending(row.address)])


def _factor(settings: Settings, memory: StoredMemory, touches: Sequence[datetime], now: datetime) -> float | None:
    decay = settings.decay_for(memory["app_id"])
    if decay is None:
        return None
    return decay.factor(
        touches,
        now,
        updated_at=parse_iso(memory["updated_at"]),
        event_date=parse_iso(memory["event_date"]) if memory["event_date"] else None,
        categories=memory["categories"],
    )


def _from_the_first(days: list[Day]) -> list[Day]:
    """The days from the first on which there was something; at least two weeks."""
    first = next((place for place, day in enumerate(days) if day["live"] or day["added"] or day["removed"]), len(days))
    return days[min(first, max(len(days) - _LEAST_DAYS, 0)) :]


def _place(one: ChangeOfOwner) -> tuple[str, int]:
    """Where a change stands in time; of one memory's changes at one instant the later version is the later one."""
    return one["change"]["created_at"], one["change"]["version"]


def _narrowed(categories: Sequence[str] | None, keywords: str | None) -> Iterator[Condition]:
    """What has any of these categories, and the keywords in its text."""
    if categories:
        yield has_any("categories", categories)
    if keywords:
        yield Test(Path(("memory",)), Operator.icontains, keywords, Kind.text)


def _in_states(states: Iterable[str], now: datetime) -> Condition:
    """What is in one of these states at an instant."""
    wanted = set(states)
    stored = wanted & {"superseded", "deleted"} | ({"live"} if wanted & {"live", "expired"} else set())
    ended = conjunction(
        is_in("state", ("live",)), Test(Path(("expiration_date",)), Operator.lte, iso(now), Kind.instant)
    )
    if {"live", "expired"} <= wanted or not wanted & {"live", "expired"}:
        return is_in("state", sorted(stored))
    if "live" in wanted:
        return conjunction(is_in("state", sorted(stored)), Not(ended))
    return conjunction(is_in("state", sorted(stored)), Not(conjunction(is_in("state", ("live",)), Not(ended))))


def _state(state: str, expiration_date: str | None, now: str) -> str:
    """The state that is shown: what is kept as live may have expired."""
    return "expired" if state == "live" and expiration_date and expiration_date <= now else state


def _gone_at(known: Brief, now: str) -> str | None:
    """When a memory stopped being shown; `None` for one that is shown."""
    if known.state != "live":
        return known.updated_at
    return known.expiration_date if known.expiration_date and known.expiration_date <= now else None


def _day(instant: datetime) -> str:
    """The UTC day of an instant that is in UTC."""
    return f"{instant:%Y-%m-%d}"


def _turn(turn: StoredMemory) -> MemoryDict:
    """A kept turn; who said it is in its metadata."""
    said = public(turn)
    said["metadata"] = {**said["metadata"], "role": turn["role"]}
    return said


def _owner(memory: Mapping[str, Any]) -> dict[str, str]:
    return {name: memory[name] for name in IDS if memory[name]}


def _owners(address: Address) -> list[tuple[str, str]]:
    """The owner of a memory, and the run it was noted in."""
    kind, owner_id, run_id = owner_of(address.namespace)
    run = [("run", run_id)] if run_id is not None and kind != "run" else []
    return [(kind, owner_id), *run]


def _counted(owner: tuple[str, str], briefs: Sequence[Brief], now: str) -> Census:
    states = Counter(_state(one.state, one.expiration_date, now) for one in briefs)
    return {
        "type": owner[0],
        "id": owner[1],
        "live": states["live"],
        "expired": states["expired"],
        "superseded": states["superseded"],
        "deleted": states["deleted"],
        "created_at": min(one.created_at for one in briefs),
        "updated_at": max(one.updated_at for one in briefs),
    }
