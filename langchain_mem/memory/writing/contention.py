"""Doing again what another writer came between.

An operation reads, decides and writes; a write is refused where what was read has changed meanwhile. The operation is
then done again from its start. Within a process such repetitions go one after the other, so that of many writers of one
memory each gets its turn; between processes a random pause, longer each time, keeps them from meeting again.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar
from weakref import WeakKeyDictionary

from langchain_mem._flow import Body, arun, call, run
from langchain_mem.errors import Conflict

R = TypeVar("R")

ATTEMPTS: Final = 24
"""How often an operation is tried: with the pauses between, some seconds of constant interference."""

_FIRST_PAUSE: Final = 0.002  # seconds; doubled with each attempt …
_LONGEST_PAUSE: Final = 0.25  # … up to this


class Turnstile:
    """Lets one operation through at a time: of the threads one, and of each event loop one."""

    def __init__(self) -> None:
        self._thread = threading.Lock()
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    async def through(self, attempt: Callable[[], Body[R]]) -> R:
        """Does something while nothing else goes through."""
        return await call(self._through, self._athrough, attempt)

    def _through(self, attempt: Callable[[], Body[R]]) -> R:
        with self._thread:
            return run(attempt())

    async def _athrough(self, attempt: Callable[[], Body[R]]) -> R:
        async with self._loops.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            return await arun(attempt())


async def settled(turnstile: Turnstile, attempt: Callable[[], Body[R]]) -> R:
    """Does something that reads, decides and writes, again where another writer came between.

    Args:
        turnstile: Where repetitions queue.
        attempt: Makes the body of one attempt.

    Raises:
        Conflict: Others kept coming between.
    """
    try:
        return await attempt()
    except Conflict:
        pass
    for attempts in range(1, ATTEMPTS - 1):
        try:
            return await turnstile.through(attempt)
        except Conflict:
            longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**attempts)
            await call(time.sleep, _pause, random.uniform(0, longest))
    return await turnstile.through(attempt)


async def _pause(seconds: float) -> None:
    await asyncio.sleep(seconds)
