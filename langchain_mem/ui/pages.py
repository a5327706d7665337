"""The pages of the inspector: what `Memory` returns, as HTML. They read, and count as no use."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast
from urllib.parse import urlencode

from langchain_mem.errors import NotFound
from langchain_mem.memory.facade import Memory
from langchain_mem.memory.settings import decay_of
from langchain_mem.model.instants import iso, parse_iso
from langchain_mem.model.records import Change, MemoryDict
from langchain_mem.model.scopes import Ids
from langchain_mem.ui.curve import Life, drawn
from langchain_mem.ui.markup import Markup, joined, tag

Asked = Mapping[str, str]
"""What a page's address asks for, by name."""

IDS: Final = ("user_id", "agent_id", "app_id", "org_id", "run_id")
_SHOWN: Final = 50  # results of a search, and changes in the feed


def document(title: str, body: Markup, asked: Asked) -> str:
    """A whole page."""
    links = ((".", "Owners"), ("search", "Search"), ("feed", "Feed"))
    search = tag(
        "form",
        tag("input", type="search", name="q", value=asked.get("q"), placeholder="Search  ( / )", aria_label="Search"),
        *(tag("input", type="hidden", name=name, value=asked[name]) for name in IDS if asked.get(name)),
        action="search",
        role="search",
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"{title} · langchain-mem"),
        tag("link", rel="stylesheet", href="style.css"),
        tag("script", src="script.js", defer=True),
    )
    nav = tag("nav", *(tag("a", name, href=href) for href, name in links), aria_label="Pages")
    header = tag("header", tag("a", "langchain-mem", href=".", class_="brand"), nav, search)
    skip = tag("a", "Skip to the content", href="#content", class_="skip")
    page = tag("body", skip, header, tag("main", tag("h1", title), body, id="content", tabindex="-1"))
    return f"<!doctype html>\n{tag('html', head, page, lang='en')}"


def owners(memory: Memory, asked: Asked) -> tuple[str, Markup]:
    """Who has memories."""
    users = memory.users()["results"]
    if not users:
        return "Owners", tag("p", "Nobody has memories here yet.", class_="empty")
    rows = [
        tag(
            "tr",
            tag("td", user["type"]),
            tag("td", tag("a", user["id"], href=_link("owner", {f"{user['type']}_id": user["id"]}))),
            tag("td", user["memories"], class_="number"),
            tag("td", _when(user["created_at"])),
            tag("td", _when(user["updated_at"])),
        )
        for user in users
    ]
    return "Owners", _table(("kind", "id", "memories", "since", "last change"), rows)


def owner(memory: Memory, asked: Asked) -> tuple[str, Markup]:
    """An owner's memories, a page of them, filtered."""
    ids = ids_of(asked)
    stats = memory.stats(**ids)
    found = memory.get_all(
        page=int(asked.get("page") or 1),
        page_size=_SHOWN,
        keywords=asked.get("keywords") or None,
        categories=[asked["category"]] if asked.get("category") else None,
        show_expired="expired" in asked,
        latest_only="superseded" not in asked,
        **ids,
    )
    counts = {name: stats[name] for name in ("memories", "expired", "superseded", "deleted")}
    summary = tag("ul", *(tag("li", tag("b", count), f" {name}") for name, count in counts.items()), class_="counts")
    form = _filters(asked, ids, stats["by_category"])
    listed = tag("ol", *(_row(one, iso(memory.clock())) for one in found["results"]), class_="memories")
    pages = [(label, found[label]) for label in ("previous", "next")]
    turning = (
        tag("a", label, href=_link("owner", {**asked, "page": page}), rel=label) for label, page in pages if page
    )
    body = joined(summary, form, listed if found["results"] else _nothing(), tag("p", *turning, class_="turning"))
    return _title(ids), body


def one(memory: Memory, asked: Asked) -> tuple[str, Markup]:
    """One memory: what it is, its decay, and every change of it."""
    memory_id = asked.get("id", "")
    try:
        changes = memory.history(memory_id)
    except NotFound:
        return "Not found", tag("p", "There is no such memory.", class_="empty")
    found = memory.get(memory_id)
    history = joined(tag("h2", "History"), tag("ol", *map(_change, reversed(changes)), class_="history"))
    if found is None:
        return "A deleted memory", history
    about = {**found, "metadata": found["metadata"] or None, "categories": found["categories"] or None}
    source = {name: value for name, value in found["source"].items() if value}
    rows = [(name, value) for name, value in {**about, "source": source}.items() if value and name != "memory"]
    facts = tag("dl", *(joined(tag("dt", name.replace("_", " ")), tag("dd", _value(name, v))) for name, v in rows))
    said = tag("blockquote", found["memory"])
    return "A memory", joined(said, _decay(memory, found), history, tag("h2", "Details"), facts)


def search(memory: Memory, asked: Asked) -> tuple[str, Markup]:
    """What a search would find, with how each score comes about."""
    ids, query = ids_of(asked), asked.get("q", "").strip()
    whose = tag("p", f"In {_title(ids)}. " if ids else "In everyone's memories. ", class_="note")
    if not query:
        return "Search", joined(whose, tag("p", "Type a question above; looking counts as no use.", class_="empty"))
    found = memory.explain(query, show_expired="expired" in asked, **ids)["results"][:_SHOWN]
    rows = [
        tag(
            "tr",
            tag("td", f"{each['score']:.2f}", class_="number strong"),
            tag("td", _memory_link(each), " ", _owner_link(each) if not ids else None),
            tag("td", _bar(each["score_details"]["relevance"])),
            tag("td", f"{each['score_details']['factor']:.2f}×", class_="number"),
            tag("td", _parts(each["score_details"]["parts"]), class_="parts"),
            tag("td", each["outcome"]),
            class_=None if each["outcome"] == "returned" else "faint",
        )
        for each in found
    ]
    table = _table(("score", "memory", "relevance", "decay", "parts of relevance", "outcome"), rows)
    return f"Search: {query}", joined(whose, table if rows else _nothing())


def feed(memory: Memory, asked: Asked) -> tuple[str, Markup]:
    """What changed last, from the histories; and what this process did, from its events."""
    latest = memory.get_all(page_size=_SHOWN, show_expired=True, latest_only=False)["results"]
    changes = {(c["memory_id"], c["version"]): c for each in latest for c in memory.history(each["id"])}
    newest = sorted(changes.values(), key=lambda change: change["created_at"], reverse=True)[:_SHOWN]
    events = [
        tag(
            "li",
            tag("b", event["type"]),
            " ",
            _when(event["created_at"]),
            " ",
            _pairs(event["ids"]),
            _folded(event["details"]),
        )
        for event in memory.events(limit=_SHOWN)
    ]
    told = tag("ol", *(_change(change, link=True) for change in newest), class_="history")
    done = tag("ol", *events, class_="history") if events else _nothing()
    return "Feed", joined(tag("h2", "Latest changes"), told, tag("h2", "Operations of this process"), done)


def ids_of(asked: Asked) -> Ids:
    """The owners that an address names."""
    return cast(Ids, {name: asked[name] for name in IDS if asked.get(name)})


def _filters(asked: Asked, ids: Ids, categories: Iterable[str]) -> Markup:
    chosen = asked.get("category")
    options = [tag("option", "every category", value="")]
    options += [tag("option", name, value=name, selected=name == chosen) for name in categories]
    return tag(
        "form",
        *(tag("input", type="hidden", name=name, value=value) for name, value in ids.items()),
        tag(
            "input",
            type="search",
            name="keywords",
            value=asked.get("keywords"),
            placeholder="Containing",
            aria_label="Containing",
        ),
        tag("select", *options, name="category", aria_label="Category"),
        *(_toggle(name, asked) for name in ("expired", "superseded")),
        tag("button", "Show"),
        action="owner",
        class_="filters",
    )


def _toggle(name: str, asked: Asked) -> Markup:
    box = tag("input", type="checkbox", name=name, value="1", checked=name in asked)
    return tag("label", box, f" {name} too")


def _row(one: MemoryDict, now: str) -> Markup:
    over = one["expiration_date"] is not None and one["expiration_date"] <= now
    states = [name for name, holds in (("expired", over), ("superseded", one["superseded_by"])) if holds]
    notes = [*states, *([one["layer"]] if one["layer"] == "session" else []), *one["categories"]]
    ends = joined(" · expires ", _when(one["expiration_date"])) if one["expiration_date"] and not over else None
    chips = (tag("span", note, class_=f"chip {note if note in states else ''}") for note in notes)
    small = tag("small", "changed ", _when(one["updated_at"]), ends)
    return tag("li", _memory_link(one), tag("div", *chips, small), class_="faint" if states else None)


def _change(change: Change, *, link: bool = False) -> Markup:
    old, new = change["old_memory"], change["new_memory"]
    before = tag("del", old) if old and old != new else None
    after: object = tag("ins", new) if new else "(gone)"
    if link:
        after = tag("a", new or old or "(gone)", href=_link("memory", {"id": change["memory_id"]}))
    source = {name: value for name, value in change["source"].items() if value}
    why = tag(
        "small", *(f" · {change['reason']}" if change["reason"] else "",), " ", _pairs(source) if source else None
    )
    head = joined(tag("b", change["event"]), " ", _when(change["created_at"]), why)
    return tag("li", head, tag("div", before, " ", after))


def _decay(memory: Memory, found: MemoryDict) -> Markup:
    """The curve of a memory; where decay is off, that it is."""
    chosen = memory.decay.get(found["app_id"] or "") if isinstance(memory.decay, Mapping) else memory.decay
    policy, title = decay_of(chosen), tag("h2", "Decay")
    if policy is None:
        return joined(title, tag("p", "Decay is off.", class_="empty"))
    ids = cast(Ids, {name: found[name] for name in IDS if found[name]})
    lines = map(json.loads, memory.export(filters={"id": found["id"]}, **ids))
    touches = [touch for line in lines if line["memory"]["id"] == found["id"] for touch in line["touches"]]
    life = Life(
        touches=sorted(map(parse_iso, touches)),
        updated_at=parse_iso(found["updated_at"]),
        event_date=parse_iso(found["event_date"]) if found["event_date"] else None,
        categories=found["categories"],
    )
    now = memory.clock()
    said = f"Factor {life.factor(policy, now):.2f} now; each dot is a use, {len(touches)} on record."
    return joined(title, tag("figure", drawn(life, policy, now), tag("figcaption", said)))


def _parts(parts: Mapping[str, float | None]) -> Markup:
    known = {name: f"{value:.2f}" for name, value in parts.items() if value is not None}
    return _pairs(known)


def _pairs(values: Mapping[str, Any]) -> Markup:
    shown = (tag("span", f"{name} ", tag("b", _plain(value)), class_="pair") for name, value in values.items())
    return joined(*shown)


def _folded(details: Mapping[str, Any]) -> Markup:
    return tag("details", tag("summary", "details"), tag("pre", json.dumps(details, indent=2, ensure_ascii=False)))


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _value(name: str, value: Any) -> Markup:
    if name.endswith(("_at", "_date")):
        return _when(value)
    if name == "superseded_by":
        return tag("a", value, href=_link("memory", {"id": value}))
    if name in IDS:
        return tag("a", value, href=_link("owner", {name: value}))
    return joined(", ".join(value) if name == "categories" else _plain(value))


def _bar(share: float) -> Markup:
    return tag("meter", f"{share:.2f}", value=f"{share:.3f}", min=0, max=1, title=f"{share:.3f}")


def _memory_link(one: Mapping[str, Any]) -> Markup:
    return tag("a", one["memory"], href=_link("memory", {"id": one["id"]}))


def _owner_link(one: Mapping[str, Any]) -> Markup:
    ids = {name: one[name] for name in IDS if one[name]}
    return tag("a", _title(cast(Ids, ids)), href=_link("owner", ids), class_="whose")


def _when(instant: str | None) -> Markup:
    """An instant, to the minute; the whole of it where one points at it."""
    text = instant or ""
    return tag("time", f"{text[:10]} {text[11:16]}", datetime=text, title=text)


def _title(ids: Ids) -> str:
    return ", ".join(f"{name.removesuffix('_id')} {value}" for name, value in ids.items())


def _table(heads: Sequence[str], rows: Sequence[Markup]) -> Markup:
    head = tag("thead", tag("tr", *(tag("th", name, scope="col") for name in heads)))
    return tag("div", tag("table", head, tag("tbody", *rows)), class_="wide")


def _nothing() -> Markup:
    return tag("p", "Nothing here.", class_="empty")


def _link(page: str, values: Mapping[str, Any]) -> str:
    return f"{page}?{urlencode(values)}"
