"""Adding memories: verbatim, or as facts that a model extracts. Bodies."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple, Unpack, cast

from langchain_mem.backends.base import ANY, Address
from langchain_mem.errors import Conflict, NotFound
from langchain_mem.extraction.messages import Messages, Turn, turns_of
from langchain_mem.memory.addition import Addition
from langchain_mem.memory.changes import Draft, Ledger, is_live, journal_address
from langchain_mem.memory.learn import Learning
from langchain_mem.memory.repository import Kept, Repository, Save
from langchain_mem.memory.settings import Engine, Expiration, is_in, names, settled, source_from
from langchain_mem.model.instants import instant, iso, parse_iso
from langchain_mem.model.records import AddResult, Rejected, StoredMemory, digest, id_for
from langchain_mem.model.scopes import EXTRACTED, PLANS, Ids, Namespace, Scope, escape


class Place(NamedTuple):
    """Where a text is to be: the memory that says it already, or an id that is free for it."""

    existing: Kept | None
    free_id: str


class Adding:
    """What `Memory.add` does. Every `async def` is a body."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def add(
        self,
        messages: Messages,
        *,
        metadata: Mapping[str, Any] | None = None,
        categories: Sequence[str] | None = None,
        infer: bool | None = None,
        expiration_date: Expiration | None = None,
        event_date: date | datetime | str | None = None,
        timestamp: date | datetime | str | None = None,
        source: Mapping[str, Any] | None = None,
        dry_run: bool = False,
        version: str | None = None,
        output_format: str | None = None,
        **ids: Unpack[Ids],
    ) -> AddResult:
        """Remembers what messages say.

        With a model, facts are extracted in one call and reconciled with what is known. Without one, or with
        `infer=False`, each message that is not a system message is stored verbatim. The same text for the same owner
        is one memory, however often it is added.

        Args:
            messages: A string, a message (dict or LangChain), or a list of them.
            metadata: JSON values to store with each memory.
            categories: Names to store with each memory, beside those the model finds.
            infer: Whether to ask the model; `None` asks it where there is one.
            expiration_date: When the memories expire: a date (through that UTC day), a datetime, a timedelta, or ISO
                text of one. Session notes expire by themselves.
            event_date: When what they tell happened; embedded with them.
            timestamp: When the messages were said, for an import: creation, first use and event date follow it.
            source: `thread_id`, `checkpoint_id` and `message_ids`, for provenance. With a thread and message ids a
                repeated call returns the first one's result.
            dry_run: Whether to say what would happen and change nothing.
            version: Accepted from older code, and means nothing.
            output_format: Accepted from older code, and means nothing.
            **ids: Whose memory: `user_id`, `agent_id`, `app_id`, `org_id`, and `run_id` (or `session_id`).

        Returns:
            What was done with each fact, and the `batch_id` that `undo` takes; `rejected` lists what a model proposed
            and was refused.

        Raises:
            ScopeError: No owner is named.
            InvalidRequest: A message, a date or metadata is none; `infer=True` without a model.
            ExtractionError: The model failed; nothing was written.
            StoreError: The store failed; nothing was written.
        """
        addition = self._addition(
            messages, metadata, categories, expiration_date, event_date, timestamp, source, Scope.of(ids)
        )
        infers = self._engine.infers(infer)
        done = await self._done(addition)
        if done is not None:
            return done
        result = await (self._learn(addition, dry_run) if infers else self._keep(addition, dry_run))
        if not dry_run:
            self._report_added(addition, result)
        return result

    async def plan(self, messages: Messages, *, source: Mapping[str, Any], **ids: Unpack[Ids]) -> AddResult:
        """Extracts and keeps the plan in the store, to be carried out by `commit`. A repeated call finds it.

        Args:
            messages: As for `add`.
            source: Must name a thread and message ids.
            **ids: As for `add`.

        Returns:
            What would be done; `revised` says how often it was planned anew because memories had changed.
        """
        addition = self._addition(messages, None, None, None, None, None, source, Scope.of(ids))
        place = Address(_plans(addition.scope), addition.batch_id)
        (planned,) = await self._engine.repo.fetch([place], addition.now)
        before = cast(dict[str, Any], planned.memory) if planned is not None else {}
        if "result" in before:
            return cast(AddResult, before["result"])
        learning = await self._asked(addition)
        ledger = await learning.ledger(self._enter)
        saves = await self._saves(addition, ledger)
        result = _result(ledger, learning.rejected)
        if "revised" in before:
            result["revised"] = before["revised"]
        value = {"result": result, "saves": [_plain(save) for save in saves]}
        await self._engine.repo.save([Save(address=place, value=value)], addition.now)
        return result

    async def commit(self, batch_id: str, *, approve: bool = True, **ids: Unpack[Ids]) -> AddResult:
        """Carries out a plan, or drops it.

        Args:
            batch_id: Of the plan.
            approve: Whether to carry it out; if not, its messages count as done all the same.
            **ids: As given to `plan`.

        Returns:
            What was done.

        Raises:
            NotFound: There is no such plan.
            Conflict: A memory it would change has changed since; nothing was written, and `plan` makes another one.
        """
        scope, now = Scope.of(ids), self._engine.now()
        place = Address(_plans(scope), batch_id)
        (planned,) = await self._engine.repo.fetch([place], now)
        if planned is None or "result" not in planned.memory:
            raise NotFound(f"There is no plan {batch_id} for this owner; it was carried out or dropped.")
        plan = cast(dict[str, Any], planned.memory)
        result: AddResult = plan["result"] if approve else {"results": [], "batch_id": batch_id}
        saves = [_save(plain) for plain in plan["saves"] if approve or plain["namespace"][0] == EXTRACTED]
        try:
            await self._engine.repo.save([*saves, Save(address=place, value=None)], now)
        except Conflict as error:
            revised = {"revised": plan["result"].get("revised", 0) + 1}
            await self._engine.repo.save([Save(address=place, value=revised)], now)
            raise Conflict("The memories this plan would change have changed since; plan again.") from error
        return result

    async def pending(self, message_ids: Sequence[str], thread_id: str, **ids: Unpack[Ids]) -> list[str]:
        """Which messages of a thread have not been added yet, in order."""
        (kept,) = await self._engine.repo.fetch([_mark(Scope.of(ids), thread_id)], self._engine.now())
        done = set(cast(dict[str, Any], kept.memory)["message_ids"]) if kept else set()
        return [message_id for message_id in message_ids if message_id not in done]

    def _addition(
        self,
        messages: Messages,
        metadata: Mapping[str, Any] | None,
        categories: Sequence[str] | None,
        expiration_date: Expiration | None,
        event_date: date | datetime | str | None,
        timestamp: date | datetime | str | None,
        source: Mapping[str, Any] | None,
        scope: Scope,
    ) -> Addition:
        engine = self._engine
        scope.owner()
        now = engine.now()
        at = now if timestamp is None else instant(timestamp)
        said = timestamp if event_date is None else event_date
        turns = turns_of(messages, engine.redact)
        return Addition(
            scope=scope,
            turns=turns,
            at=at,
            now=now,
            metadata=engine.clean_metadata(metadata),
            categories=names(categories),
            expiration_date=engine.expiration(expiration_date, scope, at),
            event_date=None if said is None else iso(instant(said)),
            source=source_from(source),
            positions=[engine.position(at) for _ in turns],
        )

    async def _done(self, addition: Addition) -> AddResult | None:
        """The result of this very call, where it was made before."""
        if not addition.repeatable:
            return None
        place = journal_address(addition.scope, addition.source, addition.batch_id)
        (kept,) = await self._engine.repo.fetch([place], addition.now)
        if kept is None:
            return None
        entry = cast(dict[str, Any], kept.memory)
        return {"results": entry["results"], "batch_id": entry["batch_id"]}

    async def _keep(self, addition: Addition, dry_run: bool) -> AddResult:
        """Stores turns verbatim, as `infer=False` does."""
        drafts = [
            self._verbatim(addition, turn, position)
            for turn, position in zip(addition.turns, addition.positions, strict=True)
            if turn.role != "system" and turn.role != "tool"
        ]

        async def attempt() -> AddResult:
            ledger = self._engine.ledger(
                at=addition.at, batch_id=addition.batch_id, source=addition.source, now=addition.now
            )
            await self._enter(ledger, drafts, addition.now)
            return await self._write(addition, ledger, [], dry_run)

        return await settled(attempt)

    def _verbatim(self, addition: Addition, turn: Turn, position: str) -> Draft:
        return Draft(
            home=addition.home(turn.role),
            text=turn.spoken,
            metadata=addition.metadata,
            categories=addition.categories,
            event_date=addition.said_at(turn),
            expiration_date=addition.expiration_date,
            group=addition.group,
            position=position,
            role=turn.role,
        )

    async def _enter(self, ledger: Ledger, drafts: Sequence[Draft], now: datetime) -> list[StoredMemory]:
        """Adds drafts to a ledger, each as the memory that says the same already where there is one."""
        places = await find_places(self._engine.repo, drafts, now)
        entered: dict[tuple[Namespace, str], StoredMemory] = {}
        for draft, place in zip(drafts, places, strict=True):
            said = (draft.home, digest(draft.text))
            if said not in entered:
                entered[said] = ledger.add(draft, place.existing, memory_id=place.free_id)
        return [entered[draft.home, digest(draft.text)] for draft in drafts]

    async def _learn(self, addition: Addition, dry_run: bool) -> AddResult:
        """Extracts facts, as `infer=True` does. Where another writer comes between, the model is not asked again."""
        learning = await self._asked(addition)

        async def attempt() -> AddResult:
            return await self._write(addition, await learning.ledger(self._enter), learning.rejected, dry_run)

        return await settled(attempt)

    async def _asked(self, addition: Addition) -> Learning:
        learning = Learning(self._engine, addition)
        await learning.ask()
        return learning

    async def _write(self, addition: Addition, ledger: Ledger, rejected: list[Rejected], dry_run: bool) -> AddResult:
        if not dry_run:
            await self._engine.repo.save(await self._saves(addition, ledger), addition.now)
            await self._engine.tidy(addition.now)
            self._engine.reinforcement.record(ledger.uses(), addition.now)
        return _result(ledger, rejected)

    async def _saves(self, addition: Addition, ledger: Ledger) -> list[Save]:
        saves = ledger.saves(addition.scope)
        return [*saves, await self._marked(addition)] if addition.repeatable else saves

    async def _marked(self, addition: Addition) -> Save:
        """The note that these messages have been added; it lands in the same batch as what they say."""
        place = _mark(addition.scope, addition.source["thread_id"] or "")
        (kept,) = await self._engine.repo.fetch([place], addition.now)
        before = cast(dict[str, Any], kept.memory)["message_ids"] if kept else []
        value = {"message_ids": list(dict.fromkeys([*before, *addition.source["message_ids"]]))}
        return Save(address=place, value=value, expects=kept.revision if kept else None)

    def _report_added(self, addition: Addition, result: AddResult) -> None:
        results = [dict(each) for each in result["results"]]
        self._engine.activity.record(
            "add",
            iso(addition.now),
            addition.scope.ids(),
            batch_id=result["batch_id"],
            results=results,
            rejected=[dict(each) for each in result.get("rejected", ())],
        )


async def find_places(repo: Repository, drafts: Sequence[Draft], now: datetime) -> list[Place]:
    """For each draft the memory that says the same in the same home, live before dead, or a free id. A body."""
    homes: dict[Namespace, set[str]] = {}
    for draft in drafts:
        homes.setdefault(draft.home, set()).add(digest(draft.text))
    known: dict[tuple[Namespace, str], Kept] = {}
    for home, digests in homes.items():
        found, _ = await repo.select([home], is_in("digest", sorted(digests)), now, limit=None, offset=0)
        for kept in sorted(found, key=lambda one: is_live(one.memory, iso(now))):
            known[kept.address.namespace, kept.memory["digest"]] = kept
    return [Place(known.get((draft.home, digest(draft.text))), await _free_id(repo, draft, now)) for draft in drafts]


async def _free_id(repo: Repository, draft: Draft, now: datetime) -> str:
    """The first id of a text that is not held by a memory which says something else by now."""
    for attempt in itertools.count():
        memory_id = id_for(draft.home, draft.text, attempt)
        (kept,) = await repo.fetch([Address(draft.home, memory_id)], now)
        if kept is None or kept.memory["digest"] == digest(draft.text):
            return memory_id
    raise AssertionError("count() does not end")


def _result(ledger: Ledger, rejected: list[Rejected]) -> AddResult:
    result: AddResult = {"results": ledger.results, "batch_id": ledger.batch_id}
    return {**result, "rejected": rejected} if rejected else result


def _mark(scope: Scope, thread_id: str) -> Address:
    kind, owner_id = scope.owner()
    return Address((EXTRACTED, kind, escape(owner_id)), thread_id)


def _plans(scope: Scope) -> Namespace:
    kind, owner_id = scope.owner()
    return (PLANS, kind, escape(owner_id))


def _date(text: str | None) -> datetime | None:
    return parse_iso(text) if text else None


def _plain(save: Save) -> dict[str, Any]:
    """A write as JSON, to be carried out later; what it expects goes with it."""
    return {
        "namespace": list(save.address.namespace),
        "key": save.address.key,
        "value": save.value,
        "text": save.text,
        "touches": [iso(touch) for touch in save.touches],
        "expires_at": iso(save.expires_at) if save.expires_at else None,
        "expects": save.expects if isinstance(save.expects, str) else None,
        "any": not (save.expects is None or isinstance(save.expects, str)),
    }


def _save(plain: Mapping[str, Any]) -> Save:
    return Save(
        address=Address(tuple(plain["namespace"]), plain["key"]),
        value=plain["value"],
        text=plain["text"],
        touches=[parse_iso(touch) for touch in plain["touches"]],
        expires_at=_date(plain["expires_at"]),
        expects=ANY if plain["any"] else plain["expects"],
    )
