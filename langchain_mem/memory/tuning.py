"""`tune_decay`: fitting decay to when memories were used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Unpack

from langchain_mem._flow import offload
from langchain_mem.decay.policy import Decay
from langchain_mem.errors import InvalidRequest
from langchain_mem.filters.conditions import conjunction
from langchain_mem.memory.operation import operation
from langchain_mem.memory.reading.queries import live, view
from langchain_mem.memory.settings import Settings
from langchain_mem.model.scopes import Ids, Scope

if TYPE_CHECKING:
    from langchain_mem.decay.fit import FitReport


async def _tune_decay(settings: Settings, **ids: Unpack[Ids]) -> FitReport:
    """Fits the time scale of decay to the times at which memories were used, and applies it if the fit is clear.

    Args:
        **ids: Whose memories. If decay is set for each app, an `app_id` says which app's policy is tuned.

    Returns:
        The time scale that was found, how likely it makes the uses, and whether and why it was applied; see
        `FitReport`.

    Raises:
        ScopeError: No owner is named.
        InvalidRequest: Decay is off.
    """
    scope, now = Scope.of(ids), settings.now()
    base = settings.decay_for(scope.app_id)
    if base is None:
        raise InvalidRequest("Decay is off here; turn it on before tuning it: memory.decay = True.")
    await offload(settings.touches.flush)
    places, condition = await view(settings, scope, None, now)
    rows, _ = await settings.repo.select(places, conjunction(condition, live(now)), now)
    decay, report = await offload(Decay.fit, [row.touches for row in rows], now, base=base)
    if report.applied:
        _apply(settings, decay, scope.app_id)
    return report


tune_decay, atune_decay = operation(_tune_decay)


def _apply(settings: Settings, decay: Decay, app_id: str | None) -> None:
    current = settings.decay
    settings.decay = {**current, app_id or "": decay} if isinstance(current, Mapping) else decay
