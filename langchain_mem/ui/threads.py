"""The threads that a checkpointer holds: how many checkpoints, how large, and how long they stay."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeAlias

from langgraph.checkpoint.base import BaseCheckpointSaver

from langchain_mem.checkpointers._base import Retaining
from langchain_mem.checkpointers.retention import Retention, written_at

Checkpointers: TypeAlias = Mapping[str, BaseCheckpointSaver[Any]]
"""Savers by the name to show them under."""


class Thread(NamedTuple):
    """One thread. `bytes` is `None` where the saver does not say; `gone_at` where nothing lets the thread go."""

    id: str
    user_id: str | None
    checkpoints: int
    bytes: int | None
    first: datetime | None
    last: datetime | None
    gone_at: datetime | None


class Threads(NamedTuple):
    """The threads of one saver, largest first."""

    name: str
    policy: str
    threads: list[Thread]


def named(savers: Iterable[BaseCheckpointSaver[Any]]) -> Checkpointers:
    """Savers by their class, with a number where two have the same."""
    found: dict[str, BaseCheckpointSaver[Any]] = {}
    for saver in savers:
        name = type(saver).__name__
        found[name if name not in found else f"{name} {len(found) + 1}"] = saver
    return found


def threads_of(name: str, saver: BaseCheckpointSaver[Any], now: datetime) -> Threads:
    """What a saver holds.

    Args:
        name: What to show it under.
        saver: The saver; one of this package says how large its threads are.
        now: The present.
    """
    policy = saver.retention if isinstance(saver, Retaining) else None
    found = _measured(saver, policy) if isinstance(saver, Retaining) else _listed(saver)
    largest = sorted(found, key=lambda thread: (-(thread.bytes or 0), -thread.checkpoints, thread.id))
    return Threads(name, told(policy) if isinstance(saver, Retaining) else "keeps everything", largest)


def told(policy: Retention | None) -> str:
    """A policy in words."""
    if policy is None:
        return "keeps everything"
    parts = [
        f"a thread idle for {span(policy.thread_ttl)} goes" if policy.thread_ttl else None,
        f"the last {policy.keep_last} checkpoints stay" if policy.keep_last else None,
        f"checkpoints older than {span(policy.max_age)} go" if policy.max_age else None,
    ]
    return ", ".join(part for part in parts if part) or "keeps everything"


def span(time: timedelta) -> str:
    """A time in words.

    >>> span(timedelta(days=30)), span(timedelta(hours=12))
    ('30 days', '12 hours')
    """
    for unit, name in ((timedelta(days=1), "days"), (timedelta(hours=1), "hours"), (timedelta(minutes=1), "minutes")):
        if time >= 2 * unit:
            return f"{time / unit:.0f} {name}"
    return f"{time.total_seconds():.0f} seconds"


def _measured(saver: Retaining, policy: Retention | None) -> list[Thread]:
    return [
        Thread(
            id=each["thread_id"],
            user_id=each["user_id"],
            checkpoints=each["checkpoints"],
            bytes=each["bytes"],
            first=written_at(each["first"]),
            last=(last := written_at(each["last"])),
            gone_at=last + policy.thread_ttl if last and policy and policy.thread_ttl else None,
        )
        for each in saver.sizes()
    ]


def _listed(saver: BaseCheckpointSaver[Any]) -> list[Thread]:
    """The threads of a saver that is not ours, which does not say how large they are."""
    found: dict[str, list[str]] = {}
    for each in saver.list(None):
        found.setdefault(each.config["configurable"]["thread_id"], []).append(each.checkpoint["id"])
    return [
        Thread(thread, None, len(ids), None, written_at(min(ids)), written_at(max(ids)), None)
        for thread, ids in found.items()
    ]
