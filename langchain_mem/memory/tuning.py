"""Fitting decay to the accesses that happened. Bodies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Unpack

from langchain_mem._flow import offload
from langchain_mem.decay.policy import Decay, FitReport
from langchain_mem.errors import InvalidRequest
from langchain_mem.filters.conditions import conjunction
from langchain_mem.memory.settings import Engine, live
from langchain_mem.model.scopes import Ids, Scope


class Tuning:
    """What `Memory.tune_decay` does. Every `async def` is a body; `Memory` has both forms of it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def tune_decay(self, **ids: Unpack[Ids]) -> FitReport:
        """Fits the time scale of decay to when memories were used, and applies it where the fit is sure.

        Args:
            **ids: Whose memories; with `app_id`, where decay is set by app, that app's policy is tuned.

        Returns:
            What was found: the time scale, how likely it makes the accesses, and whether and why it was applied.

        Raises:
            ScopeError: No owner is named.
            InvalidRequest: Decay is off.
        """
        engine, scope, now = self._engine, Scope.of(ids), self._engine.now()
        base = engine.decay_for(scope.app_id)
        if base is None:
            raise InvalidRequest("Decay is off here; turn it on before tuning it: memory.decay = True.")
        await offload(engine.reinforcement.flush)
        places, condition = await engine.view(scope, None, now)
        kept, _ = await engine.repo.select(places, conjunction(condition, live(now)), now, limit=None, offset=0)
        decay, report = await offload(Decay.fit, [one.touches for one in kept], now, base=base)
        if report.applied:
            self._apply(decay, scope.app_id)
        return report

    def _apply(self, decay: Decay, app_id: str | None) -> None:
        current = self._engine.decay
        self._engine.decay = {**current, app_id or "": decay} if isinstance(current, Mapping) else decay
