"""The pages of the inspector: what each one shows, as a template and its values. Looking counts as no use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, NamedTuple, cast
from weakref import WeakSet

from langchain_mem._flow import run
from langchain_mem.events.feed import Watching
from langchain_mem.memory.base import MemoryBase
from langchain_mem.memory.looking import Sight
from langchain_mem.memory.settings import decay_of
from langchain_mem.model.instants import iso, parse_iso
from langchain_mem.model.scopes import IDS, Ids
from langchain_mem.rendering import scores
from langchain_mem.rendering.markup import Markup
from langchain_mem.rendering.tables import owner_in_words
from langchain_mem.ui import charts
from langchain_mem.ui.curve import Life, drawn
from langchain_mem.ui.threads import Checkpointers, Threads, span, threads_of

Asked = Mapping[str, str]
"""What a page's address asks for, by name."""

_SHOWN: Final = 50  # memories a page, results of a search, changes in the feed
_WEIGHED: Final = 200  # candidates of a search whose outcome is told
_STATES: Final = ("live", "expired", "superseded", "deleted")
_SOON: Final = (1, 7, 30, 90)  # days ahead that the page of what expires offers


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """What the inspector looks into.

    Attributes:
        memory: The memory.
        checkpointers: Savers whose threads are shown, by the name to show them under.
        editable: Whether memories may be changed.
        feeds: The feeds that are open now; closing them ends their streams.
    """

    memory: MemoryBase
    checkpointers: Checkpointers
    editable: bool = False
    feeds: WeakSet[Watching] = field(default_factory=WeakSet)


class Shown(NamedTuple):
    """A page: its template, its title, and the values that the template names."""

    template: str
    title: str
    values: dict[str, Any]


Page = Callable[[Inspected, Asked], Shown]
"""What makes a page."""


def owners(inspected: Inspected, asked: Asked) -> Shown:
    """Who has memories, also those whose memories are all deleted."""
    census = run(inspected.memory.operations.census())
    named = [{**owner, "ids": {f"{owner['type']}_id": owner["id"]}} for owner in census]
    return Shown("owners.html", "Owners", {"owners": named})


def owner(inspected: Inspected, asked: Asked) -> Shown:
    """An owner's memories, a page of them, filtered."""
    memory, ids, page = inspected.memory, ids_of(asked), int(asked.get("page") or 1)
    if page < 1:
        raise ValueError(f"There is no page {page}; the first is 1.")
    states = ["live", *(state for state in _STATES[1:] if state in asked)]
    found = run(
        memory.operations.look(
            states=states,
            keywords=asked.get("keywords") or None,
            categories=[asked["category"]] if asked.get("category") else None,
            filters={"kind": asked["kind"]} if asked.get("kind") else None,
            limit=_SHOWN,
            offset=(page - 1) * _SHOWN,
            **ids,
        )
    )
    values = {
        "stats": run(memory.operations.counts(**ids)),
        "found": found,
        "next": page + 1 if page * _SHOWN < found["count"] else None,
        "previous": page - 1 if page > 1 else None,
        "states": _STATES[1:],
    }
    return Shown("owner.html", owner_in_words(ids) or "Everyone", values)


def one(inspected: Inspected, asked: Asked) -> Shown:
    """One memory: what it is, its decay, every change of it, and what it rests on."""
    memory, memory_id = inspected.memory, asked.get("id", "")
    closeup = run(memory.operations.look_at(memory_id))
    sight, changes = closeup["sight"], run(memory.operations.history(memory_id))
    values = {
        **closeup,
        "history": [*reversed(changes)],
        "undoable": {change["batch_id"] for change in changes if change["batch_id"]},
        "curve": _curve(memory, sight),
        "details": _details(sight),
    }
    title = "A deleted memory" if sight["state"] == "deleted" else "A memory"
    return Shown("memory.html", title, values)


def search(inspected: Inspected, asked: Asked) -> Shown:
    """What a search would find, with how each score comes about."""
    ids, query = ids_of(asked), asked.get("q", "").strip()
    if not query:
        return Shown("search.html", "Search", {"found": None})
    with inspected.memory.activity.silent():  # looking leaves no trace in the feed
        explained = run(
            inspected.memory.operations.explain(query, show_expired="expired" in asked, most=_WEIGHED, **ids)
        )
    hits = [
        {"memory": each, "bar": scores.bar(details), "parts": scores.lanes(details["parts"])}
        for each in explained["results"][:_SHOWN]
        for details in [each["score_details"]]
    ]
    values = {"found": hits, "more": len(explained["results"]) > _SHOWN, "legend": scores.legend()}
    return Shown("search.html", f"Search: {query}", values)


def core(inspected: Inspected, asked: Asked) -> Shown:
    """What is always in an agent's context, whatever is asked."""
    found = run(inspected.memory.operations.look(filters=CORE, limit=500, **ids_of(asked)))
    return Shown("core.html", "Always in context", {"owners": _by_owner(found["results"])})


def expiring(inspected: Inspected, asked: Asked) -> Shown:
    """What expires soon."""
    days = int(asked.get("days") or 30)
    now = inspected.memory.clock()
    soon = run(inspected.memory.operations.ending(timedelta(days=days), **ids_of(asked)))
    ends = [{"sight": each, "left": _left(each, now)} for each in soon]
    return Shown("expiring.html", "Expiring soon", {"ends": ends, "days": days, "choices": _SOON})


def threads(inspected: Inspected, asked: Asked) -> Shown:
    """The threads of each checkpointer, largest first, and what its policy will let go of."""
    now = inspected.memory.clock()
    savers: list[Threads] = [threads_of(name, saver, now) for name, saver in inspected.checkpointers.items()]
    return Shown("threads.html", "Threads", {"savers": savers})


def refused(inspected: Inspected, asked: Asked) -> Shown:
    """What extraction proposed and the package refused, or took with a doubt; and why."""
    events = run(inspected.memory.operations.events(limit=None))
    told = [{**event, "rejected": event["details"]["rejected"]} for event in events if event["details"].get("rejected")]
    doubted = run(inspected.memory.operations.look(filters=DOUBTED, **ids_of(asked)))
    return Shown("refused.html", "Refused and doubted", {"events": told[:_SHOWN], "doubted": doubted})


def growth(inspected: Inspected, asked: Asked) -> Shown:
    """How the memories grew and were used, day by day."""
    ids = ids_of(asked)
    days = run(inspected.memory.operations.growth(**ids))
    stats = run(inspected.memory.operations.counts(**ids))
    values = {
        "days": days,
        "sizes": charts.sizes(days),
        "changes": charts.changes(days),
        "uses": charts.uses(days),
        "stats": stats,
        "categories": charts.shares(stats["by_category"]),
        "layers": charts.shares(stats["by_layer"]),
    }
    return Shown("growth.html", "Growth and use", values)


def feed(inspected: Inspected, asked: Asked) -> Shown:
    """What changed last, from the histories; and what this process did, from its events."""
    operations = inspected.memory.operations
    values = {
        "latest": run(operations.latest(limit=_SHOWN, **ids_of(asked))),
        "events": run(operations.events(limit=_SHOWN)),
    }
    return Shown("feed.html", "Feed", values)


def instructions(inspected: Inspected, asked: Asked) -> Shown:
    """What agents, applications and organizations are told to do, with the last change of each."""
    told = run(inspected.memory.operations.told(**ids_of(asked)))
    return Shown("instructions.html", "Instructions", {"told": told})


PAGES: Final[dict[str, Page]] = {
    "/": owners,
    "/owner": owner,
    "/memory": one,
    "/search": search,
    "/core": core,
    "/expiring": expiring,
    "/threads": threads,
    "/refused": refused,
    "/growth": growth,
    "/feed": feed,
    "/instructions": instructions,
}
"""The pages by where they are."""

CORE: Final = {"OR": [{"importance": "always"}, {"metadata.importance": "always"}]}
"""The filter of what is always in context: marked by extraction, or by an application in the metadata."""

DOUBTED: Final = {"doubt": {"ne": None}}
"""The filter of what was taken although the conversation does not confirm it."""


def ids_of(asked: Asked) -> Ids:
    """The owners that an address names."""
    return cast(Ids, {name: asked[name] for name in IDS if asked.get(name)})


def ids_in(memory: Mapping[str, Any]) -> dict[str, str]:
    """The owners that a memory names."""
    return {name: memory[name] for name in IDS if memory.get(name)}


def _by_owner(sights: Iterable[Sight]) -> dict[str, list[Sight]]:
    found: dict[str, list[Sight]] = {}
    for sight in sights:
        found.setdefault(owner_in_words(sight["memory"]), []).append(sight)
    return dict(sorted(found.items()))


def _curve(memory: MemoryBase, sight: Sight) -> Markup | None:
    """The decay of a memory as a picture; `None` where decay is off or the memory is deleted."""
    found = sight["memory"]
    chosen = memory.decay.get(found["app_id"] or "") if isinstance(memory.decay, Mapping) else memory.decay
    policy = decay_of(chosen)
    if policy is None or sight["state"] == "deleted":
        return None
    life = Life(
        touches=[parse_iso(use) for use in sight["uses"]],
        updated_at=parse_iso(found["updated_at"]),
        event_date=parse_iso(found["event_date"]) if found["event_date"] else None,
        categories=found["categories"],
    )
    return drawn(life, policy, memory.clock())


def _details(sight: Sight) -> dict[str, Any]:
    """What there is to say of a memory beside its text."""
    found = dict(sight["memory"])
    source = {name: value for name, value in sight["memory"]["source"].items() if value}
    return {name: value for name, value in {**found, "source": source}.items() if value and name != "memory"}


def _left(sight: Sight, now: Any) -> str:
    """How long a memory has left, in words."""
    left = parse_iso(sight["memory"]["expiration_date"] or iso(now)) - now
    return span(left)
