"""Writers of several processes on one server: one at a time where they write the same owner.

Chroma has no transaction that reads and then writes, so of two processes that change one row at the same moment the
later one would undo the other. But of many clients that make a collection of one name, exactly one succeeds. So an
empty collection is a lock: who makes it holds it, and deletes it again. There are `STRIPES` of them, and the labels of
an owner say which one.

A lock is on lease. While its holder works, it changes what the collection says of itself. A writer that waits and sees
the same words for as long as the lease lasts takes the holder to be dead: it renames that very collection by its id,
which frees the name, and deletes it. A holder that was only slow knows, for it counts half the lease as all of it. No
clock is compared with another process's.
"""

from __future__ import annotations

import itertools
import os
import random
import threading
import time
import uuid
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any, Final

import httpx
from chromadb.api import ClientAPI
from chromadb.api.models.Collection import Collection
from chromadb.errors import ChromaError, InternalError, NotFoundError, UniqueConstraintError

from langchain_mem.backends.base import Address
from langchain_mem.backends.chroma.client import engine_errors
from langchain_mem.backends.chroma.transient import LONGEST, answered
from langchain_mem.errors import Conflict, StoreError

LEASE: Final = 10.0
"""Seconds for which the lock of a process that died keeps others from writing, from when the first of them waits."""

PATIENCE: Final = 60.0
"""Seconds to wait for a lock while others hold it in turn."""

STRIPES: Final = 64
"""How many locks a collection has."""

_LOOKS: Final = 10
"""How often a lock has to look the same before it is broken, evenly over a lease."""

_SLOW: Final = 2.0  # seconds
_LONGEST_PAUSE: Final = 0.1  # seconds between two attempts to take a lock
_FAILURES: Final = (ChromaError, httpx.HTTPError, OSError)


class WriteLock:
    """The locks of one collection, as this process takes them.

    Args:
        client: Chroma's client.
        name: The collection that is written.
        lease: For how many seconds a lock lasts that its holder does not renew.
        patience: For how many seconds to wait while others hold it.
    """

    def __init__(self, client: ClientAPI, name: str, *, lease: float = LEASE, patience: float = PATIENCE) -> None:
        self._lease = lease
        self._stripes = [_Stripe(client, f"{name}-lock-{number}", lease, patience) for number in range(STRIPES)]

    @contextmanager
    def held(self, addresses: Iterable[Address]) -> Iterator[Held]:
        """Holds the locks of these addresses.

        Yields:
            What tells, right before something is written, whether they are held still.

        Raises:
            StoreError: Others held one for longer than the patience lasts, or the server failed.
        """
        numbers = sorted({stripe(address) for address in addresses})  # in one order, so that nobody waits in a ring
        held = Held(self._lease)
        with ExitStack() as stack:
            stack.callback(held.let_go)
            for number in numbers:
                held.add(stack.enter_context(self._stripes[number].held()))
            yield held


def stripe(address: Address) -> int:
    """Which of the locks is an address's: the same for all that one owner has, whatever kind it is of."""
    labels = address.namespace[1:3] or address.namespace
    return zlib.crc32("/".join(labels).encode(errors="surrogatepass")) % STRIPES


class Held:
    """Locks that are held, and renewed for as long as that lasts.

    Args:
        lease: For how many seconds each lasts unless it is renewed.
    """

    def __init__(self, lease: float) -> None:
        self._every = lease / 4
        self._leases: list[_Lease] = []
        self._timer: threading.Timer | None = None
        self._guard = threading.Lock()

    def add(self, lease: _Lease) -> None:
        """One more of them."""
        with self._guard:
            self._leases.append(lease)
            if self._timer is None:
                self._wait()

    def let_go(self) -> None:
        """Renews them no more."""
        with self._guard:
            self._leases.clear()
            if self._timer is not None:
                self._timer.cancel()

    def check(self) -> None:
        """Makes sure that nobody can have taken this process to be dead.

        Raises:
            Conflict: Somebody may have. Nothing was written.
        """
        if any(lease.over for lease in self._leases):
            raise Conflict("This process stood still for so long that others may have written. Read again and retry.")

    def _wait(self) -> None:
        self._timer = threading.Timer(self._every, self._renew)
        self._timer.daemon = True
        self._timer.start()

    def _renew(self) -> None:
        for lease in list(self._leases):
            lease.renew()
        with self._guard:
            if self._leases:
                self._wait()


class _Lease:
    """A lock that this process made, as a collection on the server.

    Args:
        made: The collection.
        by: Who made it.
        lasts: For how many seconds it lasts unless it is renewed.
        since: When it was asked for, by this machine's monotonic clock.
    """

    def __init__(self, made: Collection, by: str, lasts: float, since: float) -> None:
        self.made = made
        self._by = by
        self._half = lasts / 2
        self._since = since
        self._over = False
        self._beats = itertools.count(1)

    @property
    def over(self) -> bool:
        """Whether half of it has passed at any time without a renewal; from then on it is not relied on again."""
        self._over = self._over or time.monotonic() - self._since > self._half
        return self._over

    def renew(self) -> None:
        """Shows others that its holder lives."""
        began = time.monotonic()
        with suppress(*_FAILURES):  # where that fails, it is soon over
            self.made.modify(metadata={"by": self._by, "beat": next(self._beats)})
            if not self.over:
                self._since = began


class _Stripe:
    """One of the locks. Threads of this process queue before any of them asks the server."""

    def __init__(self, client: ClientAPI, name: str, lease: float, patience: float) -> None:
        self._client = client
        self._name = name
        self._lease = lease
        self._patience = patience
        self._mutex = threading.Lock()
        self._me = uuid.uuid4().hex

    @contextmanager
    def held(self) -> Iterator[_Lease]:
        """Holds it."""
        with self._mutex:
            lease = self._take()
            try:
                yield lease
            except StoreError as error:
                # What was asked for may be done yet, by a server that did not answer in time: others wait for a lease.
                if not isinstance(error.__cause__, httpx.TimeoutException):
                    self._release(lease)
                raise
            except BaseException:
                self._release(lease)
                raise
            self._release(lease)

    def _take(self) -> _Lease:
        by = f"{self._me}-{os.getpid()}"  # what a fork inherits is not its own
        began = time.monotonic()
        watch = _Watch(self._client, self._name, self._lease / _LOOKS)
        for attempt in itertools.count():
            asked = time.monotonic()
            made = self._make(by)
            if made is not None:
                return _Lease(made, by, self._lease, asked)
            watch.look(by)
            if asked - began > self._patience:
                raise StoreError(f"Other processes kept writing for {self._patience:g} seconds. Nothing was written.")
            time.sleep(random.uniform(0, min(_LONGEST_PAUSE, 0.005 * 2 ** min(attempt, 10))))
        raise AssertionError("never reached")

    def _make(self, by: str) -> Collection | None:
        """The lock, made now; `None` where somebody has it."""
        make: Any = partial(self._client.create_collection, self._name, metadata={"by": by}, embedding_function=None)
        with engine_errors():
            try:
                made: Collection = answered(make, min(LONGEST, self._patience))
            except ChromaError as error:
                if _is_taken(error):
                    return None
                raise
        return made

    def _release(self, lease: _Lease) -> None:
        """Lets go of it. What was written counts, also where this fails: then the lease ends by itself."""
        try:
            if lease.over:
                _remove(self._client, lease.made)
            else:
                self._client.delete_collection(self._name)
        except httpx.TimeoutException:
            self._me = uuid.uuid4().hex  # it may be deleted yet: it must not be taken for ours until then
        except _FAILURES:
            pass


class _Watch:
    """Looks at a lock that another holds, now and then, to see whether its holder lives.

    Args:
        client: Chroma's client.
        name: The lock's.
        every: For how many seconds not to look again.
    """

    def __init__(self, client: ClientAPI, name: str, every: float) -> None:
        self._client = client
        self._name = name
        self._every = every
        self._next = 0.0
        self._seen: tuple[Any, Any] | None = None
        self._same = 0

    def look(self, me: str) -> None:
        """Breaks the lock if it has been the same for a whole lease, or if `me`, who does not hold it, made it."""
        began = time.monotonic()
        if began < self._next:
            return
        self._next = began + self._every
        found = self._find()
        if found is None:
            return
        words = found.metadata or {}
        # A look that takes long says more of the server than of the holder, who may not get through to it either.
        alike = (found.id, words) == self._seen and time.monotonic() - began < _SLOW
        self._seen, self._same = (found.id, words), self._same + 1 if alike else 0
        if self._same >= _LOOKS or words.get("by") == me:  # the latter where an answer of the server was lost
            with engine_errors():
                _remove(self._client, found)

    def _find(self) -> Collection | None:
        with engine_errors():
            try:
                return answered(partial(self._client.get_collection, self._name, embedding_function=None), LONGEST)
            except NotFoundError:
                return None


def _is_taken(error: ChromaError) -> bool:
    """Whether there is a collection of this name already."""
    if isinstance(error, UniqueConstraintError):
        return True
    return "already exists" in str(error) or (isinstance(error, InternalError) and "UNIQUE" in str(error))


def _remove(client: ClientAPI, lock: Collection) -> None:
    """Deletes this very collection, and not another one that has its name by now."""
    name = f"langchain-mem-broken-{lock.id}"
    with suppress(NotFoundError):  # another has done so
        lock.modify(name=name)
        client.delete_collection(name)
