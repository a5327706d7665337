"""`consolidate`: tidying what is known of one owner, and a short profile of it.

    duplicates     what says the same becomes one memory             no model
    portions       what is about the same is shown to the model together; it says what to merge and what to retire
    profile        a few sentences, each with the memories it rests on

All of it is one batch, which `undo` takes back. What was merged or retired stays in history, and the turns that it
rests on are cited by what says it now.
"""

from __future__ import annotations

import contextvars
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from langchain_mem._flow import run
from langchain_mem.backends.base import Row
from langchain_mem.errors import InvalidRequest
from langchain_mem.extraction.consolidation import Merge, Retire, Say, Tidying, size, tidied
from langchain_mem.extraction.duplicates import duplicates, neighborhoods
from langchain_mem.extraction.model_call import Unprocessable
from langchain_mem.filters.conditions import conjunction, matches
from langchain_mem.filters.language import parse
from langchain_mem.memory.limits import Limits
from langchain_mem.memory.operation import operation
from langchain_mem.memory.profile import Profile
from langchain_mem.memory.reading.queries import live
from langchain_mem.memory.settings import Settings
from langchain_mem.memory.writing.contention import settled
from langchain_mem.memory.writing.merged import merged_draft
from langchain_mem.memory.writing.places import find_places
from langchain_mem.memory.writing.unit_of_work import UnitOfWork
from langchain_mem.model.instants import iso
from langchain_mem.model.records import MemoryDict, Rejected, StoredMemory, complete, phrases_of
from langchain_mem.model.scopes import Ids, Namespace, Scope

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

MAX_CALLS: Final = 10
"""At most so many model calls a consolidation makes, the profile's among them."""


class Named(TypedDict):
    """A memory by id and text."""

    id: str
    memory: str


class Merged(TypedDict):
    """Memories that were merged into one. In a dry run the new memory has no id yet."""

    id: str | None
    memory: str
    of: list[Named]
    reason: str


class Retired(TypedDict):
    """A memory that no longer holds, and the newer one that shows it."""

    id: str
    memory: str
    by: Named
    reason: str


class Consolidated(TypedDict):
    """What `consolidate` returns.

    `before` and `after` count the memories. `unread` counts those that were left out because a limit was reached.
    `tokens` counts the tokens of the prompts, approximately. `rejected` contains what the model proposed and what was
    refused.
    """

    batch_id: str
    merged: list[Merged]
    retired: list[Retired]
    profile: MemoryDict | None
    rejected: list[Rejected]
    before: int
    after: int
    unread: int
    calls: int
    tokens: int


async def _consolidate(
    settings: Settings,
    *,
    filters: Mapping[str, Any] | None = None,
    profile: bool = True,
    max_calls: int = MAX_CALLS,
    max_tokens: int | None = None,
    dry_run: bool = False,
    background: bool = False,
    **ids: Unpack[Ids],
) -> Consolidated:
    """Tidies the memories of an owner: merges those that say the same, retires outdated ones, and writes a profile.

    Without a model, only memories that say the same in other words are merged. What a model proposes is compared with
    the memories. A merged text that says something new, or lacks a name or a number, is refused, and its memories stay
    as they are. Notes of sessions and typed documents are not touched. If nothing has changed since the last time,
    nothing is done and no model is asked.

    Args:
        filters: Only memories that this filter describes are tidied; then no profile is written.
        profile: Whether to write the profile, a memory of importance "always" that surfaces show with every prompt.
        max_calls: How many model calls are made at most; 0 asks no model.
        max_tokens: How many tokens all prompts together contain at most, approximately; `None` for no limit.
        dry_run: Whether only to say what would be done. The model is asked all the same.
        background: Whether a worker does it. The result then contains only the `batch_id`. The event `consolidate` or
            `consolidation_failed` tells of the end, and `flush` waits for it.
        **ids: Exactly one of `user_id`, `agent_id`, `app_id` and `org_id`.

    Returns:
        What was merged, retired and refused, the profile, and how many calls and tokens it took. `undo(batch_id)` takes
        all of it back.

    Raises:
        ScopeError: No owner is named.
        InvalidRequest: Several owners or a session are named, or a limit is out of its range.
        FilterError: `filters` names an unknown field or operator, or a value has the wrong type.
        ExtractionError: The model failed; nothing was written.
    """
    scope, limits = Scope.of(ids), Limits(calls=max_calls, tokens=max_tokens)
    scope.owner()
    if len(scope.ids()) != 1 or scope.run_id is not None:
        raise InvalidRequest("consolidate takes exactly one of user_id, agent_id, app_id and org_id.")
    work = Consolidation(settings, scope, filters, limits, profile=profile and filters is None)
    if not background:
        return await work.run(dry_run=dry_run)
    if dry_run:
        raise InvalidRequest("A dry run says what would be done, which the background cannot: choose one of them.")
    context = contextvars.copy_context()
    if not settings.background.submit(scope.owner(), partial(context.run, _run, work)):
        return await work.run(dry_run=False)
    return work.result()


consolidate, aconsolidate = operation(_consolidate)


def _run(work: Consolidation) -> None:
    run(work.run_in_background())


@dataclass(kw_only=True)
class Plan:
    """What is to be done, as far as it is known."""

    tidyings: list[Tidying] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    unread: int = 0


class Consolidation:
    """One consolidation of one owner.

    Args:
        settings: Parts and policies.
        scope: The owner.
        filters: Which memories.
        limits: What it may cost.
        profile: Whether a profile is written.
    """

    def __init__(
        self, settings: Settings, scope: Scope, filters: Mapping[str, Any] | None, limits: Limits, *, profile: bool
    ) -> None:
        self._settings = settings
        self._scope = scope
        self._home: Namespace = scope.home()
        self._asked_for = parse(filters)
        self._limits = limits
        self._writes_profile = profile and settings.model is not None
        self._batch_id = uuid.uuid4().hex
        self._profile = Profile(settings, scope, self._batch_id, limits)
        self._plan = Plan()

    async def run(self, *, dry_run: bool) -> Consolidated:
        """Does it, or says what it would do.

        Raises:
            ExtractionError: The model failed; nothing was written.
        """
        rows = await self._rows()
        memories = [row.value for row in rows]
        if not memories or (self._writes_profile and await self._profile.is_of(memories)):
            return self.result(before=len(rows), after=len(rows), profile=await self._profile.there())
        await self._make_plan(rows)
        return await (self._tried(rows) if dry_run else self._carried_out(rows))

    async def run_in_background(self) -> None:
        """Does it, and tells of a failure as an event."""
        try:
            await self.run(dry_run=False)
        except Exception as error:
            told = self._settings.clean(f"{type(error).__name__}: {error}")[:500]
            now = iso(self._settings.now())
            ids, batch_id = self._scope.ids(), self._batch_id
            self._settings.activity.record("consolidation_failed", now, ids, batch_id=batch_id, error=told)
            raise

    def result(self, **known: Any) -> Consolidated:
        """What is returned: so far nothing but what is given."""
        empty: Consolidated = {
            "batch_id": self._batch_id,
            "merged": [],
            "retired": [],
            "profile": None,
            "rejected": self._plan.rejected,
            "before": 0,
            "after": 0,
            "unread": self._plan.unread,
            "calls": self._limits.calls_made,
            "tokens": self._limits.tokens_sent,
        }
        return {**empty, **known}  # type: ignore[typeddict-item]

    # --- reading

    async def _rows(self) -> list[Row]:
        """The owner's facts that are shown, with their vectors."""
        now = self._settings.now()
        condition = conjunction(self._asked_for, live(now))
        scan = await self._settings.repo.load([self._home], now)
        if scan is None:
            found, _ = await self._settings.repo.select([self._home], condition, now)
        else:
            found = [row for row in scan.rows if matches(condition, row.value)]
        return [_whole(row) for row in found if row.value["schema"] is None]

    async def _vectors(self, rows: Sequence[Row]) -> NDArray[np.float32] | None:
        """Of what they say alone, shape (rows, dims); `None` without an embedder.

        Two memories that say the same need not be useful for the same, so those with phrases are embedded without.
        """
        kept = [None if phrases_of(row.value) else row.vector for row in rows]
        if all(vector is not None for vector in kept):
            return np.stack([vector for vector in kept if vector is not None])
        found = await self._settings.repo.embed([row.value["memory"] for row in rows])
        return None if found is None else np.asarray(found)

    # --- planning

    async def _make_plan(self, rows: Sequence[Row]) -> None:
        """What says the same, and then what a model says of the rest."""
        memories, vectors = [row.value for row in rows], await self._vectors(rows)
        gone: set[int] = set()
        for group in duplicates(memories, vectors):
            same = tuple(memories[place] for place in group)
            self._plan.tidyings.append(Merge(memories=same, text=same[0]["memory"], reason="says the same"))
            gone |= set(group)
        left = [place for place in range(len(rows)) if place not in gone]
        # a memory that stands for several is settled; the rest is what a model is asked about
        model = self._settings.model
        if model is not None and len(left) > 1:
            await self._ask(model, [memories[at] for at in left], None if vectors is None else vectors[left])

    async def _ask(
        self, model: BaseChatModel, memories: Sequence[StoredMemory], vectors: NDArray[np.float32] | None
    ) -> None:
        """Asks the model portion by portion, as far as the limits go."""
        spare = 1 if self._writes_profile else 0
        for portion in neighborhoods(memories, vectors, self._settings.extraction_tokens):
            there = [memories[place] for place in portion]
            if len(there) < 2 or not self._limits.allow(size(there), spare=spare):
                self._plan.unread += len(there)
                continue
            await self._ask_about(model, there)

    async def _ask_about(self, model: BaseChatModel, memories: Sequence[StoredMemory]) -> None:
        self._limits.spend(size(memories))
        try:
            tidyings, rejected = await tidied(model, memories)
        except Unprocessable as error:
            self._plan.unread += len(memories)
            self._plan.rejected.append({"operation": {"action": "skip"}, "reason": str(error)})
            return
        self._plan.tidyings += tidyings
        self._plan.rejected += rejected

    # --- carrying out

    async def _tried(self, rows: Sequence[Row]) -> Consolidated:
        """What would be done. The profile would be made of what is there then."""
        merges = [_told_merge(each, None) for each in self._plan.tidyings if isinstance(each, Merge)]
        retired = [_told_retired(each) for each in self._plan.tidyings if isinstance(each, Retire)]
        gone = sum(len(each["of"]) - 1 for each in merges) + len(retired)
        return self.result(merged=merges, retired=retired, before=len(rows), after=len(rows) - gone)

    async def _carried_out(self, rows: Sequence[Row]) -> Consolidated:
        tidied_up = await settled(self._settings.turnstile, self._tidy)
        left = await self._rows()
        written = await self._write_profile([row.value for row in left])
        counts = {"before": len(rows), "after": len(left)}
        result = self.result(**tidied_up, **counts, profile=written)
        now, ids = iso(self._settings.now()), self._scope.ids()
        told = {"merged": len(result["merged"]), "retired": len(result["retired"]), "calls": result["calls"]}
        self._settings.activity.record(
            "consolidate", now, ids, batch_id=self._batch_id, rejected=self._plan.rejected, **counts, **told
        )
        return result

    async def _write_profile(self, memories: Sequence[StoredMemory]) -> MemoryDict | None:
        model = self._settings.model
        if model is None or not self._writes_profile:
            return None
        written = await self._profile.write(model, memories)
        self._plan.rejected += self._profile.rejected
        return written

    async def _tidy(self) -> dict[str, list[Any]]:
        """Merges and retires what is still as it was when it was looked at."""
        changes = UnitOfWork(self._settings, at=self._settings.now(), batch_id=self._batch_id)
        there = {row.value["id"]: row for row in await self._rows()}
        done: dict[str, list[Any]] = {"merged": [], "retired": []}
        for each in self._plan.tidyings:
            if isinstance(each, Say) or not all(_as_it_was(memory, there) for memory in _touched(each)):
                continue
            if isinstance(each, Merge):
                done["merged"].append(_told_merge(each, await self._merge(changes, each, there)))
            elif changes.batch.current(there[each.by["id"]])["state"] == "live":
                by = changes.batch.current(there[each.by["id"]])
                changes.supersede(there[each.memory["id"]], by, reason=each.reason or None)
                done["retired"].append(_told_retired(each))
        await changes.save(self._scope.home())
        return done

    async def _merge(self, changes: UnitOfWork, merge: Merge, there: Mapping[str, Row]) -> str:
        draft = merged_draft(merge.memories, self._home, self._settings.clean(merge.text))
        (place,) = await find_places(self._settings, [draft], changes.now)
        olds = [there[memory["id"]] for memory in merge.memories]
        return changes.merge(olds, draft, place, reason=merge.reason or None)["id"]


def _whole(row: Row) -> Row:
    return replace(row, value=complete(row.value))


def _touched(tidying: Merge | Retire) -> Iterable[StoredMemory]:
    return tidying.memories if isinstance(tidying, Merge) else (tidying.memory, tidying.by)


def _as_it_was(memory: StoredMemory, there: Mapping[str, Row]) -> bool:
    row = there.get(memory["id"])
    return row is not None and row.value["version"] == memory["version"]


def _told_merge(merge: Merge, memory_id: str | None) -> Merged:
    of: list[Named] = [{"id": one["id"], "memory": one["memory"]} for one in merge.memories]
    return {"id": memory_id, "memory": merge.text, "of": of, "reason": merge.reason}


def _told_retired(retire: Retire) -> Retired:
    by: Named = {"id": retire.by["id"], "memory": retire.by["memory"]}
    return {"id": retire.memory["id"], "memory": retire.memory["memory"], "by": by, "reason": retire.reason}
