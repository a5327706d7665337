"""Taking vectors into the vector index, off the caller's path.

What is written in small batches is only stored (see `writing`), for the index takes longer for a vector than all the
rest of a write. A search by the index compares those vectors one by one, which is fast while they are few. When they
have become many, a thread takes them in, a few at a time. Whoever writes looks after all that are waiting: those that a
process left behind which was killed too.
"""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Sequence
from time import monotonic
from typing import Final

from langchain_mem._flow import run
from langchain_mem.backends.base import Write
from langchain_mem.backends.postgres.pools import Pools
from langchain_mem.backends.postgres.writing import Writing, column_of
from langchain_mem.errors import StoreError

MOST: Final = 1_000
"""Vectors that may wait: to compare so many takes about as long as the index does for a search."""

LOOK: Final = 100
"""Vectors that a process writes before it looks how many wait."""

_EACH: Final = 25  # vectors of one transaction, so that whoever writes one of them waits a tenth of a second at most
_LOG: Final = logging.getLogger("langchain_mem")


class Filling:
    """Has vectors taken into the index when many of them wait.

    Args:
        pools: Where sessions come from.
        writing: The statements.
    """

    def __init__(self, pools: Pools, writing: Writing) -> None:
        self._pools, self._writing = pools, writing
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._written = 0
        self._filler: threading.Thread | None = None

    def note(self, batch: Sequence[Write]) -> None:
        """A batch has been written."""
        if column_of(batch) != "fresh":
            return
        with self._lock:
            self._written += sum(len(write.row.vectors) for write in batch if write.row is not None)
            if self._written < LOOK or self._filler is not None:
                return
            self._written = 0
            self._stopped.clear()
            shown = contextvars.copy_context()  # with row-level security: whose rows this is about
            self._filler = threading.Thread(
                target=shown.run, args=(self._fill,), name="langchain-mem-vectors", daemon=True
            )
        self._filler.start()

    def stop(self) -> None:
        """Ends the work after the few vectors that are under way; the others wait for the next who writes."""
        self._stopped.set()
        filler = self._filler
        if filler is not None:
            filler.join()

    def _fill(self) -> None:
        """What the thread does: it takes all in if they are many, and works for half of the time."""
        try:
            ((waiting,),) = run(self._pools.read(self._writing.fresh(MOST + 1)))
            taken = _EACH if waiting > MOST else 0
            while taken == _EACH and not self._stopped.is_set():
                began = monotonic()
                taken = len(run(self._pools.whole(self._writing.fill(_EACH)))[-1])
                self._stopped.wait(monotonic() - began)
        except StoreError as error:
            _LOG.info("Vectors could not be taken into the index, and wait for the next who writes: %s", error)
        finally:
            self._filler = None
