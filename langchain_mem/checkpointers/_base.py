"""What the three savers share: retention, pruning, copying, erasing, and the life of the object."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Any, ClassVar, Self

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)

from langchain_mem.checkpointers._rows import Rows, ThreadIds, ThreadSize
from langchain_mem.checkpointers._sweep_pacer import Clock, SweepPacer
from langchain_mem.checkpointers.retention import Retention, Swept, Wants, release
from langchain_mem.errors import InvalidRequest, ScopeError, shown
from langchain_mem.watching import telemetry
from langchain_mem.watching.log import log_event

logger = logging.getLogger(__name__)

_PAGE = 256
"""Threads a sweep treats in one transaction: few enough that writers wait for milliseconds only."""


utc_now: Clock = partial(datetime.now, UTC)
"""The clock savers use unless given another."""


class Retaining(BaseCheckpointSaver[str], ABC):
    """A checkpointer with a retention policy. It stands before one of LangGraph's savers among the bases of a class."""

    retention: Retention | None
    clock: Clock
    _sweeper: SweepPacer
    _engine_errors: ClassVar[tuple[type[Exception], ...]] = ()

    def _retain(self, retention: Retention | None, clock: Clock) -> None:
        # one sweeper for all clones: compile() may copy a saver shallowly (`with_allowlist`)
        self.retention = retention
        self.clock = clock
        self._sweeper = SweepPacer(every=(retention or Retention()).sweep_every, clock=clock)

    @abstractmethod
    def _reading(self) -> AbstractContextManager[Rows]:
        """The saver's rows, to read."""

    @abstractmethod
    def _transaction(self) -> AbstractContextManager[Rows]:
        """The saver's rows, to change all or nothing."""

    # --- LangGraph's contract

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Stores a checkpoint; see `BaseCheckpointSaver.put`.

        If `sweep_every` has passed since the last sweep, a new one is started in the background.
        """
        saved = super().put(config, checkpoint, metadata, new_versions)
        self._tick()
        return saved

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - LangGraph's name
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Lists checkpoints, the newest first; see `BaseCheckpointSaver.list`.

        All checkpoints are read at once. LangGraph's savers hold their lock between two items, so that a write during
        the iteration would wait for ever.
        """
        return iter([*super().list(config, filter=filter, before=before, limit=limit)])

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Removes checkpoints of some threads now, whatever the retention policy says.

        Args:
            thread_ids: The threads. Unknown ones are ignored.
            strategy: `"keep_latest"` keeps the newest checkpoint of each namespace and those that it is rebuilt from;
                `"delete"` keeps nothing.

        Raises:
            InvalidRequest: `strategy` is something else, or `thread_ids` is a single string.
        """
        if isinstance(thread_ids, str):
            raise InvalidRequest("thread_ids must be a sequence of thread ids, not one string.")
        if strategy not in ("keep_latest", "delete"):
            raise InvalidRequest(f"strategy must be 'keep_latest' or 'delete', not {shown(strategy)}.")
        with self._transaction() as rows:
            if strategy == "delete":
                rows.drop(thread_ids)
            else:
                _thin(rows, thread_ids, lambda ids: {max(ids)})

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """The async form of `prune`."""
        await asyncio.to_thread(self.prune, thread_ids, strategy=strategy)

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Deletes the checkpoints that some runs wrote, and their writes.

        A checkpoint from which a later run's checkpoint is rebuilt (a `DeltaChannel`) stays. Without it, the later
        checkpoint would lose state.

        Args:
            run_ids: The runs. Unknown ones are ignored.
        """
        with self._transaction() as rows:
            written = rows.of_runs([str(run) for run in run_ids])
            for thread, namespaces in written.items():
                gone = {checkpoint for ids in namespaces.values() for checkpoint in ids}
                _thin(rows, [thread], partial(_without, gone))

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """The async form of `delete_for_runs`."""
        await asyncio.to_thread(self.delete_for_runs, run_ids)

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copies a thread with all its checkpoints, namespaces and writes.

        Args:
            source_thread_id: The thread to copy. If it does not exist, nothing happens.
            target_thread_id: The id of the new thread.

        Raises:
            InvalidRequest: The target has checkpoints already.
        """
        with self._transaction() as rows:
            if rows.ids([target_thread_id]):
                raise InvalidRequest(f"Thread {shown(target_thread_id)} exists; copy to a new id, or delete it first.")
            rows.copy(source_thread_id, target_thread_id)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """The async form of `copy_thread`."""
        await asyncio.to_thread(self.copy_thread, source_thread_id, target_thread_id)

    # --- retention

    def sweep(self, now: datetime | None = None) -> Swept:
        """Applies the retention policy to all threads now.

        Args:
            now: The time that ages are measured at; `None` for the clock's.

        Returns:
            The ids of the threads that were deleted, and how many checkpoints were deleted. Without a policy nothing
            is.

        Raises:
            InvalidRequest: `now` has no time zone.
        """
        if now is not None and now.tzinfo is None:
            raise InvalidRequest("now must have a time zone, as datetime.now(UTC) does.")
        swept = Swept()
        if self.retention is not None:
            for page in self._pages():
                swept += self._sweep_page(page, self.retention, now or self.clock())
        if swept.checkpoints:
            log_event("sweep", {}, {"threads": len(swept.threads), "checkpoints": swept.checkpoints})
            telemetry.count("purged", swept.checkpoints)
        return swept

    async def asweep(self, now: datetime | None = None) -> Swept:
        """The async form of `sweep`."""
        return await asyncio.to_thread(self.sweep, now)

    def _pages(self) -> Iterator[ThreadIds]:
        after = ""
        while True:
            with self._reading() as rows:
                page = rows.page(after=after, size=_PAGE)
            if not page:
                return
            yield page
            *_, after = page

    def _sweep_page(self, page: ThreadIds, retention: Retention, now: datetime) -> Swept:
        """One transaction, if any thread of the page is due."""
        idle = [thread for thread, ids in page.items() if retention.is_idle(ids, now=now)]
        crowded = [t for t, ids in page.items() if t not in set(idle) and retention.is_crowded(ids, now=now)]
        if not idle and not crowded:
            return Swept()
        with self._transaction() as rows:
            # read again: a thread may have woken since the page was read
            still = {thread: ids for thread, ids in rows.ids(idle).items() if retention.is_idle(ids, now=now)}
            rows.drop(list(still))
            thinned = _thin(rows, crowded, partial(retention.wants, now=now))
        count = sum(len(ids) for namespaces in still.values() for ids in namespaces.values())
        return Swept(threads=tuple(still), checkpoints=count + thinned)

    def join(self) -> None:
        """Waits for a sweep that runs in the background, if one does."""
        self._sweeper.join()

    async def ajoin(self) -> None:
        """The async form of `join`."""
        await asyncio.to_thread(self.join)

    def _tick(self) -> None:
        if self.retention is not None:
            self._sweeper.tick(self._sweep_in_background)

    def _sweep_in_background(self) -> None:
        try:
            self.sweep()
        except self._engine_errors:
            logger.warning("A sweep of checkpoints failed; the next one tries again.", exc_info=True)

    # --- whose threads

    def threads(self, *, user_id: str | None = None) -> Sequence[str]:
        """Lists the threads that have a checkpoint of a user.

        A checkpoint is a user's if `configurable.user_id` was set when it was written: LangGraph copies it into the
        metadata of the checkpoint. LangGraph does not copy `context.user_id`.

        Args:
            user_id: The user; `None` for all threads.

        Returns:
            The ids of the threads, sorted.

        Raises:
            ScopeError: `user_id` is empty.
        """
        with self._reading() as rows:
            return sorted(rows.threads(user_id=_valid(user_id)), key=str)

    async def athreads(self, *, user_id: str | None = None) -> Sequence[str]:
        """The async form of `threads`."""
        return await asyncio.to_thread(self.threads, user_id=user_id)

    def sizes(self) -> Sequence[ThreadSize]:
        """Says how much each thread holds.

        Returns:
            For each thread the number of checkpoints, their bytes, and the oldest and newest checkpoint, in no order.
            The bytes are those of the stored values, without what the database adds.
        """
        with self._reading() as rows:
            return rows.sizes()

    async def asizes(self) -> Sequence[ThreadSize]:
        """The async form of `sizes`."""
        return await asyncio.to_thread(self.sizes)

    def delete_user_threads(self, user_id: str) -> Sequence[str]:
        """Deletes every thread that has a checkpoint of a user.

        Args:
            user_id: The user, as in `threads`.

        Returns:
            The ids of the threads that were deleted, sorted.

        Raises:
            ScopeError: `user_id` is empty.
        """
        with self._transaction() as rows:
            threads = sorted(rows.threads(user_id=_valid(user_id)), key=str)
            rows.drop(threads)
        return threads

    async def adelete_user_threads(self, user_id: str) -> Sequence[str]:
        """The async form of `delete_user_threads`."""
        return await asyncio.to_thread(self.delete_user_threads, user_id)

    # --- the life of the object

    def close(self) -> None:
        """Waits for a running sweep, and then closes the connections. It may be called again."""
        self.join()

    async def aclose(self) -> None:
        """The async form of `close`."""
        await asyncio.to_thread(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


def _thin(rows: Rows, threads: Sequence[str], wants: Wants) -> int:
    """Removes what a policy does not want from these threads; returns how many checkpoints went."""
    releases = {thread: release(entries, wants) for thread, entries in rows.entries(threads).items()}
    due: Mapping[str, Any] = {thread: item for thread, item in releases.items() if item.gone}
    rows.apply(due)
    return sum(len(item.gone) for item in due.values())


def _without(gone: set[str], ids: Sequence[str]) -> set[str]:
    return set(ids) - gone


def _valid(user_id: str | None) -> str | None:
    if user_id is not None and not str(user_id):
        raise ScopeError("user_id is empty; name the user whose threads are meant.")
    return None if user_id is None else str(user_id)
