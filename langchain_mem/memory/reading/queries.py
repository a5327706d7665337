"""What operations ask for: where a read may look, which memories are shown, and those with given ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from langchain_mem._flow import gather
from langchain_mem.backends.base import WILDCARD, NamespaceQuery, Row
from langchain_mem.errors import InvalidRequest, NotFound, ScopeError, shown
from langchain_mem.filters.conditions import ALWAYS, And, Condition, Kind, Not, Operator, Or, Path, Test
from langchain_mem.filters.language import owners, parse
from langchain_mem.memory.settings import Settings
from langchain_mem.model.instants import iso
from langchain_mem.model.kinds import KindName, kind_name
from langchain_mem.model.scopes import INSTRUCTED, INSTRUCTIONS, MEMORIES, NO_OWNER, Namespace, Scope
from langchain_mem.repository.contract import Repository

_EXPIRES: Final = Path(("expiration_date",))


async def view(
    settings: Settings, scope: Scope, filters: Mapping[str, Any] | None, now: datetime, root: str = MEMORIES
) -> tuple[tuple[Namespace, ...], Condition]:
    """Where a read may look, and what its filters ask for.

    Raises:
        ScopeError: Neither the scope nor every branch of the filters names an owner.
        FilterError: `filters` names an unknown field or operator, or a value has the wrong type.
    """
    return await view_of(settings, scope.patterns(root) if scope else (), filters, now, root)


async def view_of(
    settings: Settings,
    patterns: Sequence[Namespace],
    filters: Mapping[str, Any] | None,
    now: datetime,
    root: str = MEMORIES,
) -> tuple[tuple[Namespace, ...], Condition]:
    """The same for the patterns of a scope (`Scope.patterns`); none where it names no one."""
    condition = ALWAYS if filters is None else parse(filters)
    if patterns:
        return await places(settings.repo, patterns, now), condition
    named = owners(condition)
    if named is not None:
        scopes = [Scope(**ids) for ids in named]
        every = dict.fromkeys(pattern for each in scopes for pattern in _widest(each).patterns(root))
        return await places(settings.repo, list(every), now), condition
    if settings.all_owners:
        return ((root,),), condition
    raise ScopeError(NO_OWNER)


async def places(repo: Repository, patterns: Sequence[Namespace], now: datetime) -> tuple[Namespace, ...]:
    """Patterns with their wildcards worked out."""
    if not any(WILDCARD in pattern for pattern in patterns):
        return tuple(dict.fromkeys(patterns))
    found = await gather(*(_expanded(repo, pattern, now) for pattern in patterns))
    return tuple(dict.fromkeys(prefix for prefixes in found for prefix in prefixes))


async def _expanded(repo: Repository, pattern: Namespace, now: datetime) -> list[Namespace]:
    if WILDCARD not in pattern:
        return [pattern]
    namespaces = await repo.namespaces(NamespaceQuery(now=now, prefix=pattern))
    found = [namespace[: len(pattern)] for namespace in namespaces]
    return [labels for labels in found if _fits(labels, pattern)]  # a store may read `*` as any number of labels


def _fits(labels: Namespace, pattern: Namespace) -> bool:
    return all(wanted in (WILDCARD, label) for label, wanted in zip(labels, pattern, strict=False))


def _widest(scope: Scope) -> Scope:
    """Where memories with these ids may lie: with their most particular owner, in any session or in the one named."""
    kind, owner_id = scope.owner()
    return Scope(**{f"{kind}_id": owner_id}) if kind != "run" else scope


async def by_id(
    settings: Settings, memory_id: str, scope: Scope, now: datetime, *, deleted: bool = False
) -> Row | None:
    """The memory with this id in a scope, or anywhere where the scope names no one.

    Args:
        settings: Parts and policies.
        memory_id: Its id.
        scope: Where to look.
        now: The present.
        deleted: Whether a deleted one counts.
    """
    found = (await by_ids(settings, [memory_id], scope, now)).get(memory_id)
    return found if found is None or deleted or found.value["state"] != "deleted" else None


async def present_or_deleted(settings: Settings, memory_id: str, scope: Scope, now: datetime) -> Row:
    """The memory with this id in a scope, be it deleted.

    Raises:
        NotFound: There is none.
    """
    row = await by_id(settings, memory_id, scope, now, deleted=True)
    if row is None:
        raise NotFound(f"There is no memory {shown(memory_id)} here.")
    return row


async def by_ids(settings: Settings, memory_ids: Sequence[str], scope: Scope, now: datetime) -> dict[str, Row]:
    """The memories and instructions with these ids, deleted ones too."""
    for memory_id in memory_ids:
        if not isinstance(memory_id, str) or not memory_id:
            raise InvalidRequest(f"A memory's id is a text that is not empty, not {shown(memory_id)}.")
    if not scope:
        return await settings.repo.find(memory_ids, ((MEMORIES,), (INSTRUCTIONS,)), now)
    within = await places(settings.repo, (*scope.patterns(), *instructed_by(scope)), now)
    return await settings.repo.find(memory_ids, within, now)


def instructed_by(scope: Scope) -> list[Namespace]:
    """Where the instructions of a scope's agent, application and organization lie; users have none."""
    owners = [Scope(**{name: each}) for name, each in scope.ids().items() if name in INSTRUCTED]
    return [owner.home(INSTRUCTIONS) for owner in owners]


async def present(settings: Settings, memory_ids: Sequence[str], scope: Scope, now: datetime) -> dict[str, Row]:
    """The memories with these ids.

    Raises:
        NotFound: Some are missing or deleted; names all of them.
    """
    found = await by_ids(settings, memory_ids, scope, now)
    there = {memory_id: row for memory_id, row in found.items() if row.value["state"] != "deleted"}
    missing = [memory_id for memory_id in memory_ids if memory_id not in there]
    if missing:
        raise NotFound(f"There is no memory {', '.join(map(shown, missing))} here.")
    return there


def live(now: datetime, *, show_expired: bool = False, latest_only: bool = True) -> Condition:
    """What is shown at an instant, as a condition on stored memories."""
    return shown_at(iso(now), show_expired=show_expired, latest_only=latest_only)


def shown_at(now: str, *, show_expired: bool, latest_only: bool) -> Condition:
    """The same for an instant as ISO text."""
    shown = _LIVE if latest_only else _LATEST_OR_NOT
    return shown if show_expired else And((shown, Not(Test(_EXPIRES, Operator.lte, now, Kind.instant))))


def is_in(key: str, values: Sequence[str]) -> Condition:
    """That a stored key has one of these values."""
    return Test(Path((key,)), Operator.in_, tuple(values), Kind.text)


def of_kind(kind: KindName) -> Condition:
    """That a memory is a document of a kind.

    Raises:
        InvalidRequest: `kind` is neither a pydantic class nor a name.
    """
    return is_in("schema", [kind_name(kind)])


def has_any(key: str, values: Sequence[str]) -> Condition:
    """That a stored list holds one of these values."""
    return Or(tuple(Test(Path((key,)), Operator.contains, value, Kind.texts) for value in values))


_LIVE: Final = is_in("state", ("live",))
_LATEST_OR_NOT: Final = is_in("state", ("live", "superseded"))
