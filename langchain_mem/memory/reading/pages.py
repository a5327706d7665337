"""A page of an owner's memories, newest update first: by the owner's index where it can tell."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from langchain_mem.backends.base import Address, Row
from langchain_mem.filters.conditions import And, Condition, Operator, Path, Test
from langchain_mem.memory.settings import Settings
from langchain_mem.model.scopes import Namespace
from langchain_mem.repository.living import Living, locked, tells
from langchain_mem.repository.owners import LIVE

_STATE = Path(("state",))


async def page(
    settings: Settings,
    places: Sequence[Namespace],
    condition: Condition,
    now: datetime,
    *,
    limit: int | None,
    offset: int,
) -> tuple[list[Row], int]:
    """A page of what fulfills a condition, and how many there are in all."""
    asks_index = limit is not None and settings.owners is not None and _live_only(condition) and tells(condition)
    livings = await settings.owners.current(places, condition) if settings.owners and asks_index else None
    if livings is None or limit is None:
        return await settings.repo.select(places, condition, now, limit=limit, offset=offset)
    with locked(livings):
        addresses, count = _newest(livings, places, condition, now, limit, offset)
    rows = await settings.repo.read(addresses, now)
    return [row for row in rows if row is not None], count


def _newest(
    livings: Sequence[Living],
    places: Sequence[Namespace],
    condition: Condition,
    now: datetime,
    limit: int,
    offset: int,
) -> tuple[list[Address], int]:
    masks = [living.shown(places, condition, now) for living in livings]
    firsts = [
        first for living, mask in zip(livings, masks, strict=True) for first in living.newest(mask, offset + limit)
    ]
    return [address for _, address in sorted(firsts)[offset : offset + limit]], sum(int(mask.sum()) for mask in masks)


def _live_only(condition: Condition) -> bool:
    """Whether a condition asks for no memory but live ones, which are all that an index has."""
    parts = condition.parts if isinstance(condition, And) else (condition,)
    return any(
        isinstance(part, Test)
        and part.path == _STATE
        and part.operator is Operator.in_
        and LIVE.issuperset(part.operand)
        for part in parts
    )
