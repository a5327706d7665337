"""Uses of memories, written off the caller's path.

A search must not wait for the note that it used something. Uses are gathered and written by one daemon thread, at the
latest when the memory is flushed or closed; a process killed in between loses only uses, never a memory. Until they
are written, searches of this process count them all the same.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from time import monotonic
from typing import Final, TypeAlias

from langchain_mem.backends.base import Address
from langchain_mem.decay.policy import Used
from langchain_mem.errors import StoreError
from langchain_mem.watching import telemetry

Touches: TypeAlias = Mapping[Address, Sequence[datetime]]
"""Uses to record: when each memory was used."""

_SHARE: Final = 9.0
"""For how many times as long as the last write took uses are gathered before the next."""

_LONGEST: Final = 10.0
"""Seconds that uses wait at most: another process counts them no later, and a kill loses no more."""

_LOG: Final = logging.getLogger("langchain_mem")


def pause(delay: float, spent: float) -> float:
    """For how many seconds uses are gathered: writing them takes at most a tenth of the time.

    Searches share the engine and its processor with the writing.

    >>> pause(0.2, spent=0.001), pause(0.2, spent=0.1), pause(0.2, spent=60)
    (0.2, 0.9, 10.0)
    """
    return max(delay, min(_LONGEST, spent * _SHARE))


class TouchWriter:
    """Gathers uses and hands them to `write` from a thread that lives as long as the burst.

    Args:
        write: Records uses in the store; called without a lock held, never twice at once.
        delay: Seconds to gather before writing, so that a burst of searches is one write. `pause` says when they are
            more.
    """

    def __init__(self, write: Callable[[Touches], None], *, delay: float = 0.2) -> None:
        self._write = write
        self._delay = delay
        self._spent = 0.0  # seconds, by the last write of the thread
        self._pending: dict[Address, tuple[datetime, ...]] = {}  # tuples, so that a copy of the dict is a snapshot
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._closed = threading.Event()
        self._gatherer: threading.Thread | None = None

    def record(self, addresses: Iterable[Address], now: datetime) -> None:
        """Notes that memories were used; returns at once."""
        with self._lock:
            for address in addresses:
                self._pending[address] = (*self._pending.get(address, ()), now)
            if self._gatherer is None and self._pending:
                self._gatherer = threading.Thread(target=self._gather, name="langchain-mem-touches", daemon=True)
                self._gatherer.start()

    def pending(self, address: Address) -> Sequence[datetime]:
        """Uses of a memory that are not written yet."""
        return self._pending.get(address, ())

    def noted(self) -> Touches:
        """All uses that are not written yet. Whoever reads what is written takes this first; see `counted`."""
        with self._lock:
            return self._pending.copy()

    def counted(self, address: Address, written: Sequence[datetime], noted: Touches) -> Sequence[datetime]:
        """Every use of a memory, once.

        Args:
            address: Where the memory is.
            written: The uses that were read from the store.
            noted: What was not written yet before they were read. Some of it may have been written meanwhile, before
                the reading or after it.
        """
        waiting, before = self._pending.get(address, ()), noted.get(address, ())
        same = not before or waiting[: len(before)] == before  # as a rule: nothing was written meanwhile
        landed = Counter() if same else Counter(before) - Counter(waiting)
        if not landed:
            return [*written, *waiting] if waiting else written
        return [*sorted((Counter(written) | landed).elements()), *waiting]

    def counted_all(self, addresses: Sequence[Address], written: Sequence[Used], noted: Touches) -> list[Used]:
        """`counted` for many memories. Most have no use that waits, and cost no more than a look.

        Args:
            addresses: Where they are.
            written: What is known of the use of each, with the uses that were read from the store.
            noted: What was not written yet before those were read.

        Returns:
            The same, with every use.
        """
        every = list(written)
        lately = {*filter(noted.__contains__, addresses), *filter(self._pending.__contains__, addresses)}
        for at, address in enumerate(addresses) if lately else ():
            if address in lately:
                every[at] = every[at]._replace(touches=self.counted(address, every[at].touches, noted))
        return every

    def drop(self, *, user_id: str | None = None) -> None:
        """Forgets uses that are not written yet: all, or those of one user's memories, given as a label."""
        with self._writing, self._lock:
            for address in list(self._pending):
                if user_id is None or address.namespace[1:3] == ("user", user_id):
                    del self._pending[address]

    def flush(self) -> None:
        """Writes what is pending and waits for it.

        Raises:
            StoreError: The store failed; what was pending stays pending.
        """
        with self._writing:
            with self._lock:
                batch = self._pending.copy()
            if batch:
                self._write(batch)
                self._forget(batch)

    def close(self) -> None:
        """Writes what is pending."""
        self._closed.set()
        try:
            self.flush()
        finally:
            gatherer = self._gatherer
            if gatherer is not None and gatherer is not threading.current_thread():
                gatherer.join()

    def _forget(self, written: Touches) -> None:
        with self._lock:
            for address, instants in written.items():
                left = self._pending[address][len(instants) :]
                if left:
                    self._pending[address] = left
                else:
                    del self._pending[address]

    def _gather(self) -> None:
        """What a thread does: waits for the burst to end, writes it, and ends, so that nothing runs idly."""
        self._closed.wait(pause(self._delay, self._spent))
        with self._lock:
            self._gatherer = None
        if self._closed.is_set():
            return
        began = monotonic()
        try:
            self.flush()
        except StoreError as error:
            telemetry.count("store.errors", 1, {"error.type": type(error).__name__})
            # the uses stay pending and go with the next ones, or with flush(), which raises
            _LOG.warning("Uses of memories could not be written; trying again later.", exc_info=True)
        finally:
            self._spent = monotonic() - began
