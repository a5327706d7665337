"""What the retention rule needs from a saver's rows, and how they become the rule's entries."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypedDict

from langgraph.checkpoint.serde.types import TASKS

from langchain_mem.checkpointers.retention import Entry, Release

ThreadIds = Mapping[str, Mapping[str, Sequence[str]]]
"""Checkpoint ids by thread and namespace."""


class ThreadSize(TypedDict):
    """How much a thread holds: checkpoints of all its namespaces, and the bytes of them, their values and writes.

    `first` and `last` are the ids of its oldest and its newest checkpoint; `user_id` is the user its checkpoints name.
    """

    thread_id: str
    user_id: str | None
    checkpoints: int
    bytes: int
    first: str
    last: str


class Rows(Protocol):
    """One saver's rows, inside one transaction. Each saver of this package has its own."""

    def page(self, *, after: str, size: int) -> ThreadIds:
        """The checkpoint ids of the `size` threads that come next after the thread `after`."""

    def ids(self, threads: Sequence[str]) -> ThreadIds:
        """The checkpoint ids of these threads; a thread without any is left out."""

    def entries(self, threads: Sequence[str]) -> Mapping[str, Sequence[Entry]]:
        """What the rule must know of all checkpoints of these threads."""

    def of_runs(self, run_ids: Sequence[str]) -> ThreadIds:
        """The checkpoint ids that these runs wrote."""

    def threads(self, *, user_id: str | None) -> Sequence[str]:
        """The threads with a checkpoint of this user, or all."""

    def sizes(self) -> list[ThreadSize]:
        """How much each thread holds."""

    def copy(self, source: str, target: str) -> None:
        """Copies all of a thread's rows."""

    def drop(self, threads: Sequence[str]) -> None:
        """Deletes all rows of these threads."""

    def apply(self, releases: Mapping[str, Release]) -> None:
        """Deletes what may go from each thread, with its writes and the values no kept checkpoint refers to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckpointRow:
    """One checkpoint's row, before it is known how its channels are rebuilt.

    Args:
        thread: The thread's id.
        namespace: The checkpoint namespace.
        id: The checkpoint's id.
        parent: The id of the checkpoint it followed.
        parents: For a subgraph, the checkpoints its call started from.
        deltas: Channels its metadata counts as not stored since their last snapshot.
        sends_in_parent: Whether it is of LangGraph's format before 4 and reads pending sends from its parent.
    """

    thread: str
    namespace: str
    id: str
    parent: str | None
    parents: Mapping[str, str] = field(default_factory=dict)
    deltas: Collection[str] = ()
    sends_in_parent: bool = False


class Channels(NamedTuple):
    """Of some channels of one checkpoint: which it needs, holds and has writes for; see `Entry`."""

    needs: frozenset[str] = frozenset()
    holds: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()


ReadChannels = Callable[[str, str, Collection[str]], Mapping[str, Channels]]
"""Reads `(thread, namespace, channels)`: by checkpoint id, how it stands with these channels."""


def row(thread: str, namespace: str, id_: str, parent: str | None, metadata: Mapping[str, Any]) -> CheckpointRow:
    """A row, with what the rule wants to know from the checkpoint's metadata."""
    return CheckpointRow(
        thread=thread,
        namespace=namespace,
        id=id_,
        parent=parent,
        parents=metadata.get("parents") or {},
        deltas=metadata.get("counters_since_delta_snapshot") or (),
    )


def entries(rows: Iterable[CheckpointRow], read_channels: ReadChannels) -> Mapping[str, Sequence[Entry]]:
    """Turns rows into the rule's entries, by thread.

    Only a `DeltaChannel` makes a checkpoint need its ancestors, so only where one was used are channels read.
    """
    namespaces: dict[tuple[str, str], list[CheckpointRow]] = {}
    for item in rows:
        namespaces.setdefault((item.thread, item.namespace), []).append(item)
    threads: dict[str, list[Entry]] = {}
    for (thread, namespace), items in namespaces.items():
        deltas = {channel for item in items for channel in item.deltas}
        channels = read_channels(thread, namespace, deltas) if deltas else {}
        threads.setdefault(thread, []).extend(_entry(item, channels.get(item.id, Channels())) for item in items)
    return threads


def _entry(item: CheckpointRow, channels: Channels) -> Entry:
    sends = {TASKS} if item.sends_in_parent else set()
    return Entry(
        namespace=item.namespace,
        id=item.id,
        parent=item.parent,
        parents=item.parents,
        needs=channels.needs | sends,
        holds=channels.holds | {TASKS},  # sends are looked for in the parent and no further
        writes=channels.writes,
    )


def sized(thread: str, user: str | None, count: int, size: int, first: str, last: str) -> ThreadSize:
    """One thread's size, from a row of a database."""
    return {
        "thread_id": thread,
        "user_id": user,
        "checkpoints": count,
        "bytes": int(size),
        "first": first,
        "last": last,
    }


def by_thread(keys: Iterable[tuple[str, str, str]]) -> ThreadIds:
    """Groups `(thread, namespace, id)`, in the order given."""
    threads: dict[str, dict[str, list[str]]] = {}
    for thread, namespace, id_ in keys:
        threads.setdefault(thread, {}).setdefault(namespace, []).append(id_)
    return threads
