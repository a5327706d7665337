"""Memories that other libraries kept, as memories of ours: Mem0's exports, and LangMem's items.

A reader turns what it is given into `Brought` memories and names what it cannot read; `take` writes them. Ids, texts,
metadata, categories, instants and expiry are kept. What a memory of ours has no place for goes into its metadata, under
the name of the library.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, cast

from langchain_mem._flow import run
from langchain_mem.errors import InvalidRequest, MemError, shown
from langchain_mem.extraction.redaction import redact_secrets, redact_value
from langchain_mem.memory.export import FORMAT, Progress
from langchain_mem.memory.facade import Memory
from langchain_mem.memory.reading.queries import by_ids
from langchain_mem.memory.writing.drafts import Draft
from langchain_mem.migrate.stores import StoredItem
from langchain_mem.model.instants import instant, iso, to_instant
from langchain_mem.model.json_values import json_object
from langchain_mem.model.records import MemoryDict, digest, id_for, sound, source_of
from langchain_mem.model.scopes import IDS, OWNER_IDS, Ids, Namespace, Scope

_MEM0: Final = ("id", "memory", "metadata", "categories", "created_at", "updated_at", "expiration_date", "run_id")
_DERIVED: Final = ("hash", "score")  # of Mem0's text and of its search: nothing to keep
_LABELS: Final = {
    **{name: name for name in IDS},
    "session_id": "run_id",
    "langgraph_user_id": "user_id",  # as LangMem's templates have it
}
_ALLOWED: Final = ", ".join(f"{{{name}}}" for name in _LABELS)
_IDS: Final = uuid.UUID("0b7c2c1a-7d0e-4b6e-9a55-3f6f0b7d8a10")
_PAGE: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """A memory from elsewhere.

    Attributes:
        id: Its id there, and here.
        text: What it says.
        scope: Whose it is.
        created_at: When it came to be there.
        updated_at: When it last changed there; decay takes it for its one use.
        metadata: The user's own data, and what has no other place here.
        categories: Names.
        expiration_date: ISO text.
    """

    id: str
    text: str
    scope: Scope
    created_at: datetime
    updated_at: datetime
    metadata: Mapping[str, Any] = field(default_factory=dict)
    categories: Sequence[str] = ()
    expiration_date: str | None = None


@dataclass(slots=True)
class Readout:
    """What a reader read.

    Attributes:
        memories: In order; several have one id only where they say the same.
        bad: What could not be read, and why.
        elsewhere: How many items lie in namespaces that the pattern does not describe, by namespace.
    """

    memories: list[Brought] = field(default_factory=list)
    bad: list[tuple[str, str]] = field(default_factory=list)
    elsewhere: dict[Namespace, int] = field(default_factory=dict)
    _by_id: dict[str, Brought] = field(default_factory=dict)

    @contextmanager
    def noting(self, place: str) -> Iterator[None]:
        """Notes what is wrong with one memory, and lets the others go on."""
        try:
            yield
        except (MemError, ValueError, TypeError, RecursionError) as error:
            self.bad.append((place, str(error)))

    def take(self, one: Brought) -> None:
        """Adds a memory.

        Raises:
            InvalidRequest: Another one, which says something else, has its id.
        """
        known = self._by_id.setdefault(one.id, one)
        if (known.text, known.scope) != (one.text, one.scope):
            raise InvalidRequest(f"Another memory has its id, {one.id}.")
        self.memories.append(one)


@dataclass(slots=True)
class Taken:
    """What taking memories did.

    Attributes:
        imported: How many are new here.
        present: How many were here already, deleted ones that can still be restored included.
        repeated: How many say what another one of the same owner says.
    """

    imported: int = 0
    present: int = 0
    repeated: int = 0


def read_mem0(text: str, *, now: datetime, owner: Scope | None = None) -> Readout:
    """Reads memories in the shape in which Mem0 returns them.

    Args:
        text: JSON: a list of memories, what `get_all` returned (`{"results": [...]}`), or a line of JSON for each.
        now: The present, for memories without a date.
        owner: To whom memories belong that name nobody.

    Returns:
        The memories. One that names a user and an agent belongs to the user, unless its role is "assistant".
    """
    read = Readout()
    for place, entry in _entries(text, read):
        with read.noting(place):
            read.take(_from_mem0(entry, now, owner))
    return read


def read_langmem(items: Iterable[StoredItem], pattern: str, *, owner: Scope | None = None) -> Readout:
    """Reads what LangMem put into a store: `{"kind": ..., "content": ...}`, or `{"content": ...}` of its tools.

    Args:
        items: What lies in the store.
        pattern: Which namespaces, and which labels are ids, such as "memories/{user_id}". `*` is any label.
        owner: To whom memories belong where the pattern has no id.

    Raises:
        InvalidRequest: The pattern has an id that there is not.
    """
    labels, read = _labels(pattern), Readout()
    for item in items:
        ids = _ids(labels, item.namespace)
        if ids is None:
            read.elsewhere[item.namespace] = read.elsewhere.get(item.namespace, 0) + 1
            continue
        with read.noting(f"{'/'.join(item.namespace)} {item.key}"):
            read.take(_from_langmem(item, Scope.of(ids) or owner))
    return read


def take(
    memory: Memory, brought: Sequence[Brought], *, dry_run: bool = False, progress: Progress | None = None
) -> Taken:
    """Writes memories from elsewhere, those that are not here yet. Taking them again takes nothing twice.

    Args:
        memory: Where to. Secrets are masked first.
        brought: The memories.
        dry_run: Whether to count and write nothing.
        progress: Called after each piece with how many new ones are written and how many there are.

    Returns:
        How many are new, were here, and say the same as another one.

    Raises:
        StoreError: The store failed; what is written stays, and taking them again goes on from there.
    """
    homes: dict[Scope, list[Brought]] = {}
    for one in brought:
        homes.setdefault(one.scope, []).append(_redacted(one))
    done, fresh = Taken(), list[Brought]()
    known = _known(memory, brought)
    for scope, memories in homes.items():
        fresh += _fresh(memory, scope, memories, known, done)
    if not dry_run:
        memory.import_([_line(one) for one in fresh], progress=progress)
    done.imported = len(fresh)
    return done


def _entries(text: str, read: Readout) -> Iterator[tuple[str, Any]]:
    """The memories of a JSON text, or of its lines, each with the name of its place."""
    try:
        yield from _members(json.loads(text), "memory")
    except ValueError:
        for number, line in enumerate(text.splitlines(), 1):
            with read.noting(f"line {number}"):
                yield from _members(json.loads(line), f"line {number}") if line.strip() else ()


def _members(loaded: Any, place: str) -> Iterator[tuple[str, Any]]:
    if isinstance(loaded, Mapping):
        loaded = next((loaded[key] for key in ("results", "memories") if isinstance(loaded.get(key), list)), loaded)
    if not isinstance(loaded, list):
        return iter([(place, loaded)])
    return ((f"{place} {number}", each) for number, each in enumerate(loaded, 1))


def _from_mem0(entry: Any, now: datetime, owner: Scope | None) -> Brought:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("memory"), str):
        raise InvalidRequest('A memory is an object with its text under "memory".')
    scope = _scope_of(entry) or owner
    if not scope:
        raise InvalidRequest("It names no owner.")
    rest = {key: entry[key] for key in entry.keys() - {*_MEM0, *_DERIVED, *scope.ids()} if entry[key] is not None}
    ends, created = entry.get("expiration_date"), entry.get("created_at")
    return _brought(
        entry.get("id"),
        entry["memory"],
        scope,
        created_at=now if created is None else instant(created),
        updated_at=None if entry.get("updated_at") is None else instant(entry["updated_at"]),
        metadata={**(entry.get("metadata") or {}), **({"mem0": rest} if rest else {})},
        categories=entry.get("categories") or (),
        expiration_date=None if ends is None else iso(to_instant(ends, now=now)),
    )


def _scope_of(entry: Mapping[str, Any]) -> Scope:
    """A memory here has one owner, beside its run; what an assistant said is the agent's."""
    metadata = entry.get("metadata") or {}
    if not isinstance(metadata, Mapping):
        raise InvalidRequest(f"Its metadata is no object: {shown(metadata)}.")
    said = metadata.get("role", entry.get("role"))
    owners = [name for name in OWNER_IDS if entry.get(name) is not None]
    first = "agent_id" if said == "assistant" and "agent_id" in owners else next(iter(owners), None)
    return Scope(run_id=entry.get("run_id"), **({first: entry[first]} if first else {}))


def _from_langmem(item: StoredItem, scope: Scope | None) -> Brought:
    if not scope:
        raise InvalidRequest("It names no owner: put an id into the pattern, such as memories/{user_id}.")
    if not isinstance(item.value, Mapping) or "content" not in item.value:
        raise InvalidRequest('It has no "content", as LangMem\'s items have.')
    content, kind = item.value["content"], item.value.get("kind")
    text = _said(content)
    plain = content in (text, {"content": text}) and kind in (None, "Memory")
    metadata = {} if plain else {"langmem": {"kind": kind, "content": content}}
    return _brought(
        _uuid_of(item),
        text,
        scope,
        created_at=item.created_at,
        updated_at=item.updated_at,
        metadata=metadata,
        expiration_date=iso(item.expires_at) if item.expires_at else None,
    )


def _said(content: Any) -> str:
    """What a memory of LangMem's says: its text, or the fields of its schema with their names."""
    if isinstance(content, Mapping) and content.keys() == {"content"}:
        content = content["content"]
    if isinstance(content, str):
        return content
    if not isinstance(content, Mapping):
        raise InvalidRequest(f"Its content is neither text nor fields: {shown(content)}.")
    plain = {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in content.items()
    }
    return "; ".join(f"{name}: {value}" for name, value in plain.items())


def _uuid_of(item: StoredItem) -> str:
    """An item's key where it is unique by itself; a key such as "profile" occurs in many namespaces."""
    try:
        return str(uuid.UUID(item.key))
    except ValueError:
        return str(uuid.uuid5(_IDS, "\x1f".join([*item.namespace, item.key])))


def _labels(pattern: str) -> list[str]:
    labels = pattern.strip("/").split("/")
    named = [label[1:-1] for label in labels if label.startswith("{") and label.endswith("}")]
    unknown = [name for name in named if name not in _LABELS]
    if unknown or "" in labels:
        raise InvalidRequest(f"{shown(pattern)} is no pattern: labels between slashes, of which ids are {_ALLOWED}.")
    return labels


def _ids(labels: Sequence[str], namespace: Namespace) -> Ids | None:
    """The ids that a namespace names; `None` where the pattern does not describe it."""
    if len(labels) != len(namespace):
        return None
    ids: dict[str, str] = {}
    for label, given in zip(labels, namespace, strict=True):
        if label.startswith("{"):
            ids[_LABELS[label[1:-1]]] = given
        elif label not in ("*", given):
            return None
    return cast(Ids, ids)


def _brought(given: Any, text: str, scope: Scope, *, updated_at: datetime | None, **fields: Any) -> Brought:
    """A memory, checked: what is wrong with one must not stop the others from being written."""
    text, categories, created = sound(text).strip(), fields.get("categories", ()), fields["created_at"]
    if not text:
        raise InvalidRequest("It has no text.")
    if not isinstance(categories, list | tuple) or not all(isinstance(name, str) and name for name in categories):
        raise InvalidRequest(f"Its categories are no list of names: {shown(categories)}.")
    if given is not None and (not isinstance(given, str) or not given):
        raise InvalidRequest(f"Its id is no text: {shown(given)}.")
    fields["metadata"] = json_object(fields["metadata"])
    memory_id = given or id_for(scope.home(), text)
    return Brought(id=memory_id, text=text, scope=scope, updated_at=max(updated_at or created, created), **fields)


def _redacted(one: Brought) -> Brought:
    return replace(one, text=redact_secrets(one.text), metadata=redact_value(dict(one.metadata), redact_secrets))


def _fresh(
    memory: Memory, scope: Scope, brought: Sequence[Brought], known: Collection[str], done: Taken
) -> list[Brought]:
    """Those of one home's memories that are not here yet; those that say the same become one."""
    here = list(_all_of(memory, scope))
    ids, texts = {one["id"] for one in here}, {digest(one["memory"]) for one in here}
    fresh: dict[str, Brought] = {}
    for one in sorted(brought, key=lambda one: one.created_at):
        said = digest(one.text)
        if one.id in ids or one.id in known:
            done.present += 1
        elif said in texts:
            done.repeated += 1
        elif said in fresh:
            done.repeated += 1
            fresh[said] = _merged(fresh[said], one)
        else:
            fresh[said] = one
    return list(fresh.values())


def _merged(first: Brought, later: Brought) -> Brought:
    """Two memories that say the same, as one that has what either has."""
    return replace(
        first,
        updated_at=max(first.updated_at, later.updated_at),
        metadata={**first.metadata, **later.metadata},
        categories=list(dict.fromkeys([*first.categories, *later.categories])),
        expiration_date=first.expiration_date
        and later.expiration_date
        and max(first.expiration_date, later.expiration_date),
    )


def _all_of(memory: Memory, scope: Scope) -> Iterator[MemoryDict]:
    """Every memory of exactly this scope."""
    ids, page = cast(Ids, scope.ids()), 1
    layer = str(scope.layer())
    while True:
        found = memory.get_all(page=page, page_size=_PAGE, show_expired=True, latest_only=False, **ids)
        yield from (one for one in found["results"] if one["layer"] == layer)
        if found["next"] is None:
            return
        page = found["next"]


def _known(memory: Memory, brought: Sequence[Brought]) -> Collection[str]:
    """The ids of which there is a memory anywhere, also a deleted one, which must not come back; in one question."""
    settings = memory.settings
    ids = list(dict.fromkeys(one.id for one in brought))
    return run(by_ids(settings, ids, Scope(), settings.now())).keys()


def _line(one: Brought) -> str:
    """A memory as `Memory.export` would write it."""
    home, at = one.scope.home(), one.created_at
    draft = Draft(
        home=home,
        text=one.text,
        metadata=one.metadata,
        categories=one.categories,
        expiration_date=one.expiration_date,
        position=iso(at),
    )
    batch_id = uuid.uuid5(_IDS, one.id).hex
    memory = draft.stored(one.id, digest(one.text), now=iso(at), batch_id=batch_id, source=source_of())
    stored = {**memory, "updated_at": iso(one.updated_at)}
    # no uses: decay then goes by the last update, as for memories from before it was turned on
    return json.dumps({"format": FORMAT, "namespace": home, "touches": [], "memory": stored}, ensure_ascii=False)
