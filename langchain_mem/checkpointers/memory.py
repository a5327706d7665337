"""The in-memory saver: for tests and notebooks, and the reference for the others."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
)
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.base import SerializerProtocol

from langchain_mem.checkpointers._base import Retaining, utc_now
from langchain_mem.checkpointers._rows import Channels, CheckpointRow, ThreadIds, ThreadSize, by_thread, entries, row
from langchain_mem.checkpointers._sweep_pacer import Clock
from langchain_mem.checkpointers.retention import Entry, Release, Retention


class InMemoryCheckpointer(Retaining, InMemorySaver):
    """LangGraph's `InMemorySaver` with a retention policy, for tests and notebooks.

    Nothing is kept after the process ends.

        >>> from datetime import timedelta
        >>> saver = InMemoryCheckpointer(retention=Retention(keep_last=20, thread_ttl=timedelta(days=30)))

    Args:
        retention: Which checkpoints and threads are deleted; `None` deletes none.
        clock: A function that returns the current time, with a time zone.
        serde: Serializes checkpoints; `None` for LangGraph's own serializer.
    """

    def __init__(
        self,
        *,
        retention: Retention | None = None,
        clock: Clock = utc_now,
        serde: SerializerProtocol | None = None,
    ) -> None:
        InMemorySaver.__init__(self, serde=serde)
        self._retain(retention, clock)
        self._lock = threading.RLock()  # sweeps run on a thread of their own

    @contextmanager
    def _transaction(self) -> Iterator[_MemoryRows]:
        with self._lock:
            yield _MemoryRows(self)

    _reading = _transaction

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """See `BaseCheckpointSaver.put`."""
        with self._lock:
            saved = InMemorySaver.put(self, config, checkpoint, metadata, new_versions)
        self._tick()
        return saved

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """See `BaseCheckpointSaver.put_writes`."""
        with self._lock:
            super().put_writes(config, writes, task_id, task_path)

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """See `BaseCheckpointSaver.get_tuple`."""
        with self._lock:
            return super().get_tuple(config)

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - LangGraph's name
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """See `BaseCheckpointSaver.list`."""
        with self._lock:
            return super().list(config, filter=filter, before=before, limit=limit)

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """See `BaseCheckpointSaver.get_delta_channel_history`."""
        with self._lock:
            return super().get_delta_channel_history(config=config, channels=channels)

    def delete_thread(self, thread_id: str) -> None:
        """See `BaseCheckpointSaver.delete_thread`."""
        with self._lock:
            super().delete_thread(thread_id)


class _MemoryRows:
    """The rows of a saver in memory; the caller holds its lock."""

    def __init__(self, saver: InMemorySaver) -> None:
        self._saver = saver
        self._storage = saver.storage
        self._writes = saver.writes
        self._blobs = saver.blobs

    def page(self, *, after: str, size: int) -> ThreadIds:
        # LangGraph's saver takes any key for a thread, a number too
        following = sorted((thread for thread in self._storage if str(thread) > str(after)), key=str)
        return self.ids(following[:size])

    def ids(self, threads: Sequence[str]) -> ThreadIds:
        return by_thread((thread, ns, id_) for thread, ns, id_, _ in self._checkpoints(threads))

    def _checkpoints(self, threads: Iterable[str]) -> Iterator[tuple[str, str, str, Any]]:
        for thread in threads:
            for ns, checkpoints in self._storage.get(thread, {}).items():
                for id_, saved in checkpoints.items():
                    yield thread, ns, id_, saved

    def _metadata(self, saved: Any) -> Mapping[str, Any]:
        metadata: Mapping[str, Any] = self._saver.serde.loads_typed(saved[1])
        return metadata

    def _versions(self, saved: Any) -> ChannelVersions:
        versions: ChannelVersions = self._saver.serde.loads_typed(saved[0])["channel_versions"]
        return versions

    def entries(self, threads: Sequence[str]) -> Mapping[str, Sequence[Entry]]:
        def rows() -> Iterator[CheckpointRow]:
            for thread, ns, id_, saved in self._checkpoints(threads):
                yield row(thread, ns, id_, saved[2], self._metadata(saved))

        return entries(rows(), self._channels)

    def _channels(self, thread: str, ns: str, names: Collection[str]) -> Mapping[str, Channels]:
        return {
            id_: self._channels_of((thread, ns, id_), names, self._versions(saved))
            for id_, saved in self._storage[thread][ns].items()
        }

    def _channels_of(self, key: tuple[str, str, str], names: Collection[str], versions: ChannelVersions) -> Channels:
        thread, ns, _ = key
        written = {channel for _, channel, _, _ in self._writes.get(key, {}).values()}
        known = {name for name in names if name in versions}
        stored = {name for name in known if self._is_stored((thread, ns, name, versions[name]))}
        return Channels(
            needs=frozenset(known - stored), holds=frozenset(stored), writes=frozenset(written.intersection(names))
        )

    def _is_stored(self, blob: tuple[str, str, str, str | int | float]) -> bool:
        return blob in self._blobs and self._blobs[blob][0] != "empty"

    def of_runs(self, run_ids: Sequence[str]) -> ThreadIds:
        runs = set(run_ids)
        return by_thread(
            (thread, ns, id_)
            for thread, ns, id_, saved in self._checkpoints(list(self._storage))
            if self._metadata(saved).get("run_id") in runs
        )

    def threads(self, *, user_id: str | None) -> Sequence[str]:
        return [thread for thread in self.ids(list(self._storage)) if user_id is None or self._is_of(thread, user_id)]

    def _is_of(self, thread: str, user_id: str) -> bool:
        owners = (self._metadata(saved).get("user_id") for *_, saved in self._checkpoints([thread]))
        return any(owner is not None and str(owner) == user_id for owner in owners)

    def sizes(self) -> list[ThreadSize]:
        return [self._size(thread) for thread in self.ids(list(self._storage))]

    def _size(self, thread: str) -> ThreadSize:
        saved = [(id_, each) for _, _, id_, each in self._checkpoints([thread])]
        users = (self._metadata(each).get("user_id") for _, each in saved)
        blobs = [value for key, value in self._blobs.items() if key[0] == thread]
        writes = [write[2] for key, each in self._writes.items() if key[0] == thread for write in each.values()]
        packed = [*(part for _, each in saved for part in each[:2]), *blobs, *writes]
        return {
            "thread_id": str(thread),
            "user_id": next((str(user) for user in users if user is not None), None),
            "checkpoints": len(saved),
            "bytes": sum(len(content) for _, content in packed),
            "first": min(id_ for id_, _ in saved),
            "last": max(id_ for id_, _ in saved),
        }

    def copy(self, source: str, target: str) -> None:
        for ns, checkpoints in list(self._storage.get(source, {}).items()):
            self._storage[target][ns] = dict(checkpoints)
        for thread, ns, id_ in [key for key in self._writes if key[0] == source]:
            self._writes[target, ns, id_] = dict(self._writes[thread, ns, id_])
        for thread, ns, channel, version in [key for key in self._blobs if key[0] == source]:
            self._blobs[target, ns, channel, version] = self._blobs[thread, ns, channel, version]

    def drop(self, threads: Sequence[str]) -> None:
        gone = set(threads)
        for thread in gone & self._storage.keys():
            del self._storage[thread]
        for writes in [key for key in self._writes if key[0] in gone]:
            del self._writes[writes]
        for blob in [key for key in self._blobs if key[0] in gone]:
            del self._blobs[blob]

    def apply(self, releases: Mapping[str, Release]) -> None:
        for thread, item in releases.items():
            for (ns, id_), parent in item.parents.items():
                self._storage[thread][ns][id_] = (*self._storage[thread][ns][id_][:2], parent)
            freed = {blob for ns, id_ in item.gone for blob in self._delete(thread, ns, id_)}
            for blob in freed - set(self._referred(thread, {ns for ns, _ in item.gone})):
                self._blobs.pop(blob, None)

    def _delete(self, thread: str, ns: str, id_: str) -> Iterator[tuple[str, str, str, str | int | float]]:
        """Deletes a checkpoint and its writes; yields the blobs it referred to."""
        self._writes.pop((thread, ns, id_), None)
        for channel, version in self._versions(self._storage[thread][ns].pop(id_)).items():
            yield thread, ns, channel, version

    def _referred(self, thread: str, namespaces: Iterable[str]) -> Iterator[tuple[str, str, str, str | int | float]]:
        """The blobs that the checkpoints of these namespaces refer to; a namespace left empty goes."""
        for ns in namespaces:
            for saved in self._storage[thread][ns].values():
                yield from ((thread, ns, channel, version) for channel, version in self._versions(saved).items())
            if not self._storage[thread][ns]:
                del self._storage[thread][ns]
