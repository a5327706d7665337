"""Sweeping on and on: one body on a thread or on an event loop, until it is stopped."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future

from langchain_mem._flow import Body, arun, call, run
from langchain_mem.errors import StoreError
from langchain_mem.watching import telemetry
from langchain_mem.watching.log import log_event

_LOG = logging.getLogger(__name__)


class Sweeper:
    """Calls a sweep at intervals. A sweep that fails is logged, and the next one tries again.

    Args:
        sweep: Makes the body that sweeps once and says how many it removed.
    """

    def __init__(self, sweep: Callable[[], Body[int]]) -> None:
        self._sweep = sweep
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._future: Future[None] = Future()
        self._task: asyncio.Task[None] | None = None

    def start(self, seconds: float) -> Future[None]:
        """Sweeps on a daemon thread; where one runs already, that one goes on.

        Returns:
            Done when the thread has ended; cancelling it stops the thread.
        """
        if self._thread is None or not self._thread.is_alive():
            self._stopped.clear()
            self._future = Future()
            self._future.add_done_callback(lambda _: self._stopped.set())
            self._thread = threading.Thread(target=self._run, args=(seconds,), name="ttl-sweeper", daemon=True)
            self._thread.start()
        return self._future

    def stop(self, timeout: float | None = None) -> bool:
        """Stops the thread.

        Args:
            timeout: How many seconds to wait for a sweep under way; `None` for as long as it takes.

        Returns:
            Whether no thread is left.
        """
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(timeout)
        return self._thread is None or not self._thread.is_alive()

    async def astart(self, seconds: float) -> asyncio.Task[None]:
        """Sweeps in a task of the running loop; where one runs already, that one goes on."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(arun(self._sweep_on(seconds)), name="ttl-sweeper")
        return self._task

    async def astop(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109 - the twin of `stop`
        """Stops the task; see `stop`."""
        if self._task is None:
            return True
        self._task.cancel()
        done, _ = await asyncio.wait([self._task], timeout=timeout)
        return bool(done)

    def _run(self, seconds: float) -> None:
        run(self._sweep_on(seconds))
        if not self._future.done():
            self._future.set_result(None)

    async def _sweep_on(self, seconds: float) -> None:
        while not await call(self._stopped.wait, _slept, seconds):
            try:
                removed = await self._sweep()
            except StoreError as error:
                telemetry.count("store.errors", 1, {"error.type": type(error).__name__})
                _LOG.exception("A sweep of expired items failed; the next one is in %s seconds.", seconds)
            else:
                _told(removed)


def _told(removed: int) -> None:
    if removed:
        log_event("sweep", {}, {"removed": removed})
        telemetry.count("purged", removed)


async def _slept(seconds: float) -> bool:
    await asyncio.sleep(seconds)
    return False
