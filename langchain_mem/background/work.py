"""Work that a reply does not wait for: bounded, in order for each owner, and never what keeps a process alive.

    submit(key, work) ─▶ queue of that key ─▶ one of a few daemon threads, one piece of a key at a time

Nothing here lasts: a process that dies loses its queue. What is put here must be found again by whoever comes next, as
messages are that were not extracted.
"""

from __future__ import annotations

import atexit
import concurrent.futures.thread  # noqa: F401 - has its own end registered before ours; see the last line
import logging
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Hashable
from typing import Final, TypeAlias

Work: TypeAlias = Callable[[], object]
"""What is to be done."""

AT_EXIT_SECONDS: Final = 10.0
"""At most so long a process that ends waits for what is under way."""

_LOG: Final = logging.getLogger("langchain_mem")


class Background:
    """Does work on a few threads of its own.

    Args:
        capacity: At most so many pieces wait or are under way.
        workers: At most so many threads, which are started when there is work.
    """

    def __init__(self, *, capacity: int = 100, workers: int = 4) -> None:
        self._capacity = capacity
        self._workers = workers
        self._queues: dict[Hashable, deque[Work]] = {}
        self._ready: deque[Hashable] = deque()
        self._pending = 0
        self._threads = 0
        self._failures: list[Exception] = []
        self._changed = threading.Condition()

    def submit(self, key: Hashable, work: Work) -> bool:
        """Hands over a piece of work; returns at once.

        Args:
            key: Pieces of one key are done one after the other, in order.
            work: What to do. What it raises is logged, and raised by the next `flush`.

        Returns:
            Whether it was taken; if not, there is too much waiting, and the caller does it.
        """
        with self._changed:
            if self._pending >= self._capacity:
                return False
            self._pending += 1
            self._enqueue(key, work)
            if self._threads < min(self._workers, self._pending):
                self._threads += 1
                threading.Thread(target=self._serve, name="langchain-mem-background", daemon=True).start()
        _AT_EXIT.add(self)
        return True

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until all is done, or for so many seconds; says whether all is done."""
        with self._changed:
            return self._changed.wait_for(lambda: self._pending == 0, timeout)

    def flush(self) -> None:
        """Waits until all is done.

        Raises:
            Exception: What the first piece raised that failed since the last flush.
        """
        self.wait()
        failures, self._failures = self._failures, []
        if failures:
            raise failures[0]

    def discard(self, key: Hashable) -> None:
        """Drops the work of a key that has not begun, and waits for what has."""
        with self._changed:
            waiting = self._queues.get(key)
            while waiting and len(waiting) > (key not in self._ready):
                waiting.pop()
                self._pending -= 1
            if waiting is not None and not waiting:
                self._ready.remove(key)
                del self._queues[key]
            self._changed.notify_all()
            self._changed.wait_for(lambda: key not in self._queues)

    def _enqueue(self, key: Hashable, work: Work) -> None:
        if key not in self._queues:
            self._queues[key] = deque()
            self._ready.append(key)
        self._queues[key].append(work)

    def _serve(self) -> None:
        """What a thread does: pieces of ready keys until there are none."""
        while (key := self._next()) is not None:
            try:
                self._queues[key][0]()
            except Exception as error:  # noqa: BLE001 - a thread ends here, and flush() raises it
                _LOG.warning("Work in the background failed; its messages are extracted with the next ones: %s", error)
                self._failures.append(error)
            finally:
                self._finished(key)

    def _next(self) -> Hashable | None:
        with self._changed:
            if self._ready:
                return self._ready.popleft()
            self._threads -= 1
            return None

    def _finished(self, key: Hashable) -> None:
        with self._changed:
            queue = self._queues[key]
            queue.popleft()
            if queue:
                self._ready.append(key)
            else:
                del self._queues[key]
            self._pending -= 1
            self._changed.notify_all()


_AT_EXIT: Final[weakref.WeakSet[Background]] = weakref.WeakSet()


def _at_exit() -> None:
    """Lets what is under way finish, within limits: a model that hangs does not keep the process."""
    end = time.monotonic() + AT_EXIT_SECONDS
    for background in list(_AT_EXIT):
        background.wait(max(0.0, end - time.monotonic()))


# LangChain runs parts of a model call on executors, which take no more work once `atexit` functions run;
# `threading` has an earlier moment, which `concurrent.futures` uses itself
getattr(threading, "_register_atexit", atexit.register)(_at_exit)
