"""Who reads what waits of an owner: one process at a time, where the store can tell.

A claim only saves work: what lands is decided by the messages themselves, which wait no more once they are read. A
claim ends by itself, so that the work of a process that died is taken up by another one.
"""

from __future__ import annotations

import contextlib
import uuid
from datetime import datetime, timedelta
from typing import Final

from langchain_mem.backends.base import Address, Row, Write
from langchain_mem.errors import Conflict
from langchain_mem.memory.settings import Settings
from langchain_mem.model.instants import iso, parse_iso
from langchain_mem.model.scopes import WAITING, Namespace

LEASE: Final = timedelta(minutes=5)
"""So long a claim holds unless it is renewed: longer than a model takes for one answer."""


class Claim:
    """The claim of one reader on what waits of one owner.

    Args:
        settings: Parts and policies.
        owner: Kind and id of the owner, as labels.
    """

    def __init__(self, settings: Settings, owner: Namespace) -> None:
        self._settings = settings
        self._place = Address((WAITING, *owner, "reader"), "reader")
        self._name = uuid.uuid4().hex

    async def take(self) -> datetime | None:
        """Takes it, or renews it.

        Returns:
            `None` where it is ours now, else until when another one's holds.
        """
        now = self._settings.now()
        (row,) = await self._settings.repo.read([self._place], now)
        if row is not None and row.value["by"] != self._name and parse_iso(row.value["until"]) > now:
            return parse_iso(row.value["until"])
        value = {"by": self._name, "until": iso(now + LEASE), "updated_at": iso(now)}
        claimed = Row(address=self._place, value=value, created_at=now, updated_at=now)
        try:
            await self._settings.repo.write(
                [Write.put(claimed, expects=row.revision if row else None, before=row)], now
            )
        except Conflict:
            return now + LEASE
        return None

    async def release(self) -> None:
        """Gives it back."""
        now = self._settings.now()
        (row,) = await self._settings.repo.read([self._place], now)
        if row is not None and row.value["by"] == self._name:
            with contextlib.suppress(Conflict):  # it had ended, and another reader has taken it meanwhile
                await self._settings.repo.write([Write.delete(self._place, expects=row.revision)], now)
