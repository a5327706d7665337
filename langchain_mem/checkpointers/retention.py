"""THE RETENTION RULE: which checkpoints a thread may forget. Pure; the savers beside this file are its hands.

A policy says what it *wants* to keep: `Retention.wants`. Then `release` adds what those checkpoints *need* (a
`DeltaChannel` is rebuilt from the writes of older checkpoints) and drops the namespaces of subgraph calls that are
over.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from langchain_mem.errors import InvalidRequest

_EPOCH = datetime(1582, 10, 15, tzinfo=UTC)
"""Where the clock of a time-based UUID starts (RFC 9562, section 5.1)."""

Namespaces = Mapping[str, Sequence[str]]
"""The checkpoint ids of one thread, by checkpoint namespace; the root graph's namespace is `""`."""

Wants = Callable[[Sequence[str]], set[str]]
"""A policy over one namespace: all checkpoint ids in, those to keep out."""


@dataclass(frozen=True, kw_only=True)
class Retention:
    """A retention policy: which checkpoints and threads a sweep deletes. A limit that is `None` does not apply.

    Of the checkpoints of one thread and namespace, newest first, with `age = now - written_at(checkpoint)`:

        kept = {newest} | {c : rank(c) < keep_last and age(c) <= max_age} | the checkpoints that those are rebuilt from
        a thread is deleted when age(its newest checkpoint) > thread_ttl

    The newest checkpoint of a thread and its pending writes always stay, so an interrupted thread can be resumed after
    any sweep. Only `thread_ttl` deletes it, as it deletes every idle thread. Choose a `thread_ttl` that is longer than
    a person may need to answer. Ages come from the time-ordered ids of the checkpoints. An id without a time has no
    age.

    Args:
        thread_ttl: A thread that was idle for longer is deleted with all its checkpoints.
        keep_last: How many of the newest checkpoints of each thread and namespace are kept, 1 or more.
        max_age: Older checkpoints are deleted, except the newest one.
        sweep_every: The shortest time between two automatic sweeps.

    Raises:
        InvalidRequest: A limit is not positive.
    """

    thread_ttl: timedelta | None = None
    keep_last: int | None = None
    max_age: timedelta | None = None
    sweep_every: timedelta = timedelta(minutes=10)

    def __post_init__(self) -> None:
        if self.keep_last is not None and self.keep_last < 1:
            raise InvalidRequest(f"keep_last must be 1 or more, not {self.keep_last}.")
        for name in ("thread_ttl", "max_age", "sweep_every"):
            value = getattr(self, name)
            if value is not None and value <= timedelta(0):
                raise InvalidRequest(f"{name} must be longer than zero, not {value}.")

    def is_idle(self, namespaces: Namespaces, *, now: datetime) -> bool:
        """Whether the newest of these checkpoints is older than `thread_ttl`."""
        newest = max((checkpoint for ids in namespaces.values() for checkpoint in ids), default=None)
        return newest is not None and _is_older(newest, self.thread_ttl, now=now)

    def is_crowded(self, namespaces: Namespaces, *, now: datetime) -> bool:
        """Whether a namespace of this thread has more checkpoints than the policy keeps."""
        return any(len(self.wants(ids, now=now)) < len(ids) for ids in namespaces.values())

    def wants(self, ids: Sequence[str], *, now: datetime) -> set[str]:
        """The checkpoints of one namespace that `keep_last` and `max_age` keep.

        Args:
            ids: The ids of all checkpoints of one thread and namespace, in any order.
            now: The instant ages are measured at.

        Returns:
            Those to keep; never empty unless `ids` is.
        """
        newest_first = sorted(ids, reverse=True)[: self.keep_last]
        return set(newest_first[:1]).union(c for c in newest_first[1:] if not _is_older(c, self.max_age, now=now))


@dataclass(frozen=True, kw_only=True)
class Swept:
    """What a sweep deleted.

    Args:
        threads: The ids of the threads that were deleted whole.
        checkpoints: How many checkpoints were deleted, those of whole threads included.
    """

    threads: tuple[str, ...] = ()
    checkpoints: int = 0

    def __add__(self, other: Swept) -> Swept:
        return Swept(threads=self.threads + other.threads, checkpoints=self.checkpoints + other.checkpoints)


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """What the rule has to know of one checkpoint.

    Args:
        namespace: The checkpoint namespace; `""` for the root graph.
        id: The id of the checkpoint.
        parent: The id of the checkpoint that it followed, in the same namespace.
        parents: For a subgraph, the checkpoints that its call started from: namespace to id.
        needs: Channels without a stored value here, so that they are rebuilt from earlier checkpoints.
        holds: Channels with a stored value here; rebuilding a channel stops here.
        writes: Channels that have writes stored with this checkpoint.
    """

    namespace: str
    id: str
    parent: str | None = None
    parents: Mapping[str, str] = field(default_factory=dict)
    needs: Collection[str] = ()
    holds: Collection[str] = ()
    writes: Collection[str] = ()


@dataclass(frozen=True, kw_only=True)
class Release:
    """What may be deleted of one thread.

    Args:
        gone: The checkpoints to delete, as `(namespace, id)`.
        parents: The new parent of each kept checkpoint whose parent is deleted, by `(namespace, id)`: the nearest
            earlier checkpoint that is kept, or `None`.
    """

    gone: Sequence[tuple[str, str]]
    parents: Mapping[tuple[str, str], str | None]


def written_at(checkpoint_id: str) -> datetime | None:
    """When a checkpoint was written, from its id.

    A version 6 UUID counts 100 ns ticks since 1582-10-15 in its first 60 bits, the version digit left out
    (RFC 9562, section 5.6).

        >>> written_at("1ef4f797-8335-6428-8001-8a1503f9b875").isoformat()
        '2024-07-31T20:14:19.804164+00:00'

    Args:
        checkpoint_id: The checkpoint's id.

    Returns:
        The instant in UTC, or None if the id is no version 6 UUID.
    """
    if len(checkpoint_id) != 36 or checkpoint_id[14] != "6":
        return None
    try:
        ticks = int(checkpoint_id[:8] + checkpoint_id[9:13] + checkpoint_id[15:18], 16)
    except ValueError:
        return None
    return _EPOCH + timedelta(microseconds=ticks // 10)


def _is_older(checkpoint_id: str, limit: timedelta | None, *, now: datetime) -> bool:
    if limit is None:
        return False
    written = written_at(checkpoint_id)
    return written is not None and now - written > limit


def release(entries: Iterable[Entry], wants: Wants) -> Release:
    """Decides what may go from one thread.

    Args:
        entries: All of the thread's checkpoints.
        wants: The policy over each namespace.

    Returns:
        What to delete, and the parents to set so that every kept checkpoint still reaches what it is rebuilt from.
    """
    threads: dict[str, dict[str, Entry]] = {}
    for entry in entries:
        threads.setdefault(entry.namespace, {})[entry.id] = entry
    wanted = _wanted(threads, wants)
    gone: list[tuple[str, str]] = []
    parents: dict[tuple[str, str], str | None] = {}
    for namespace, by_id in threads.items():
        kept = _with_sources(by_id, wanted[namespace])
        gone += [(namespace, id_) for id_ in by_id if id_ not in kept]
        parents |= {(namespace, id_): parent for id_, parent in _new_parents(by_id, kept)}
    return Release(gone=gone, parents=parents)


def _wanted(threads: Mapping[str, Mapping[str, Entry]], wants: Wants) -> dict[str, set[str]]:
    """What the policy keeps in each namespace; parents are decided before the calls they made."""
    wanted: dict[str, set[str]] = {}
    for namespace in sorted(threads, key=len):
        by_id = threads[namespace]
        newest = by_id[max(by_id)]
        wanted[namespace] = set() if _is_over(newest, wanted) else wants(list(by_id))
    return wanted


def _is_over(newest: Entry, wanted: Mapping[str, set[str]]) -> bool:
    """Whether the subgraph call behind a namespace has finished, and the step that made it goes.

    A call's namespace carries its task id after a `:`. One without keeps its state from call to call
    (`checkpointer=True`), and is only thinned.
    """
    if ":" not in newest.namespace:
        return False
    return any(_is_past(id_, wanted[ns]) for ns, id_ in newest.parents.items() if ns in wanted)


def _is_past(id_: str, wanted: set[str]) -> bool:
    """Whether a step goes. A run saves in the background, so a step newer than all others may be yet to come."""
    return id_ not in wanted and (not wanted or id_ < max(wanted))


def _with_sources(by_id: Mapping[str, Entry], wanted: set[str]) -> set[str]:
    return wanted.union(*(_sources(by_id[id_], by_id) for id_ in wanted))


def _sources(entry: Entry, by_id: Mapping[str, Entry]) -> set[str]:
    """The ancestors a checkpoint's missing channels are rebuilt from: those with writes, back to a stored value."""
    sources: set[str] = set()
    missing = set(entry.needs)
    for ancestor in _ancestors(entry, by_id):
        if not missing:
            break
        if not missing.isdisjoint(ancestor.writes) or not missing.isdisjoint(ancestor.holds):
            sources.add(ancestor.id)
        missing.difference_update(ancestor.holds)
    return sources


def _ancestors(entry: Entry, by_id: Mapping[str, Entry]) -> Iterable[Entry]:
    """The checkpoints before this one, nearest first; a chain that bites its tail ends there."""
    seen = {entry.id}
    parent = by_id.get(entry.parent or "")
    while parent is not None and parent.id not in seen:
        seen.add(parent.id)
        yield parent
        parent = by_id.get(parent.parent or "")


def _new_parents(by_id: Mapping[str, Entry], kept: set[str]) -> Iterable[tuple[str, str | None]]:
    for id_ in kept:
        entry = by_id[id_]
        if entry.parent in by_id and entry.parent not in kept:
            yield id_, next((ancestor.id for ancestor in _ancestors(entry, by_id) if ancestor.id in kept), None)
