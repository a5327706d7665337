"""`plan`, `commit` and `pending`: adding in two steps, with somebody's approval between them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Unpack, cast

from langchain_mem.backends.base import ANY, Address, Row, Write
from langchain_mem.errors import Conflict, NotFound, shown
from langchain_mem.extraction.messages import Messages, turns_of
from langchain_mem.memory.add import addition_of, learn, new_unit_of_work, result_of
from langchain_mem.memory.operation import operation
from langchain_mem.memory.options import check_ids, check_names
from langchain_mem.memory.settings import Settings
from langchain_mem.memory.writing.marks import edited, marked, new_among, outdate, words_of_turns
from langchain_mem.model.instants import iso, parse_iso
from langchain_mem.model.records import AddResult, phrases_of
from langchain_mem.model.scopes import EXTRACTED, PLANS, Ids, Namespace, Scope, escape


async def _plan(
    settings: Settings, messages: Messages, *, source: Mapping[str, Any] | None = None, **ids: Unpack[Ids]
) -> AddResult:
    """Extracts facts and stores the plan of what would change, so that somebody can approve it before `commit`.

    Args:
        messages: The messages, as for `add`.
        source: Where they come from, as for `add`. If it names a `thread_id` and `message_ids`, a repeated call for the
            same messages returns the same plan, and asks no model.
        **ids: Whose memories, as for `add`.

    Returns:
        What would be done, as `add` returns it, with the `batch_id` that `commit` takes. `revised` says how often the
        plan was made anew because memories had changed.

    Raises:
        ScopeError: No owner is named.
        InvalidRequest: An argument is out of its range.
        ExtractionError: The model failed in a way that may pass.
    """
    addition = addition_of(settings, messages, ids, source=source)
    place = Address(_plans(addition.scope), addition.batch_id)
    (planned,) = await settings.repo.read([place], addition.now)
    before = planned.value if planned is not None else {}
    if "result" in before:
        return cast(AddResult, before["result"])
    changes = new_unit_of_work(settings, addition)
    rejected = await learn(settings, addition, changes)
    await outdate(settings, addition, changes, await edited(settings, addition))
    if addition.repeatable:
        changes.batch.also(await marked(settings, addition))
    writes = await changes.writes(addition.home)
    result = result_of(changes, rejected)
    if "revised" in before:
        result["revised"] = before["revised"]
    value = {"result": copy.deepcopy(result), "saves": [_plain(write) for write in writes]}
    noted = Row(address=place, value=value, created_at=addition.now, updated_at=addition.now)
    await settings.repo.write([Write.put(noted, before=planned)], addition.now)
    return result


plan, aplan = operation(_plan)


async def _commit(settings: Settings, batch_id: str, *, approve: bool = True, **ids: Unpack[Ids]) -> AddResult:
    """Carries out a plan, or drops it.

    Args:
        batch_id: The plan.
        approve: Whether it is carried out. If not, its messages still count as added, so that they are not planned
            again.
        **ids: The ids that were given to `plan`.

    Returns:
        What was done, as `add` returns it.

    Raises:
        NotFound: There is no such plan, or it was carried out or dropped before.
        Conflict: A memory that it would change was changed since. Nothing was written; call `plan` again.
    """
    check_ids(batch_id=batch_id)
    scope, now = Scope.of(ids), settings.now()
    place = Address(_plans(scope), batch_id)
    (planned,) = await settings.repo.read([place], now)
    if planned is None or "result" not in planned.value:
        raise NotFound(f"There is no plan {shown(batch_id)} for this owner; it was carried out or dropped.")
    told = planned.value
    result: AddResult = told["result"] if approve else {"results": [], "batch_id": batch_id}
    wanted = [plain for plain in told["saves"] if approve or plain["namespace"][0] == EXTRACTED]
    before = await settings.repo.read([Address(tuple(plain["namespace"]), plain["key"]) for plain in wanted], now)
    writes = [_write(plain, row, now) for plain, row in zip(wanted, before, strict=True)]
    try:
        await settings.repo.write([*writes, Write.delete(place)], now)
    except Conflict as error:
        revised = Row(
            address=place, value={"revised": told["result"].get("revised", 0) + 1}, created_at=now, updated_at=now
        )
        await settings.repo.write([Write.put(revised, before=planned)], now)
        raise Conflict("The memories this plan would change have changed since; plan again.") from error
    return result


commit, acommit = operation(_commit)


async def _pending(
    settings: Settings,
    message_ids: Sequence[str],
    thread_id: str,
    *,
    messages: Messages | None = None,
    **ids: Unpack[Ids],
) -> list[str]:
    """Says which messages of a thread have not been added yet.

    Args:
        message_ids: The ids of the messages, in order.
        thread_id: The thread.
        messages: The messages themselves. With them, a message that was edited after it was added counts as new.
        **ids: Whose memories they are added to.

    Returns:
        The ids of the messages that have not been added, in order.

    Raises:
        ScopeError: No owner is named.
        InvalidRequest: An id is empty or not a text.
    """
    check_ids(thread_id=thread_id)
    check_names(message_ids=message_ids or [])
    said = words_of_turns(turns_of([] if messages is None else messages, settings.redact))
    return await new_among(settings, message_ids or [], said, Scope.of(ids), thread_id, settings.now())


pending, apending = operation(_pending)


def _plans(scope: Scope) -> Namespace:
    kind, owner_id = scope.owner()
    return (PLANS, kind, escape(owner_id))


def _plain(write: Write) -> dict[str, Any]:
    """A write as JSON, to be carried out later; what it expects goes with it."""
    row = write.row
    return {
        "namespace": list(write.address.namespace),
        "key": write.address.key,
        "value": None if row is None else copy.deepcopy(row.value),
        "text": row.text if row is not None and row.texts else None,
        "touches": [iso(touch) for touch in row.touches] if row else [],
        "expires_at": iso(row.expires_at) if row and row.expires_at else None,
        "expects": write.expects if isinstance(write.expects, str) else None,
        "any": not (write.expects is None or isinstance(write.expects, str)),
    }


def _write(plain: Mapping[str, Any], before: Row | None, now: datetime) -> Write:
    address = Address(tuple(plain["namespace"]), plain["key"])
    expects = ANY if plain["any"] else plain["expects"]
    if plain["value"] is None:
        return Write.delete(address, expects=expects)
    updated = plain["value"].get("updated_at")
    row = Row(
        address=address,
        value=plain["value"],
        created_at=before.created_at if before else now,
        updated_at=parse_iso(updated) if updated else now,
        expires_at=parse_iso(plain["expires_at"]) if plain["expires_at"] else None,
        texts=() if plain["text"] is None else (plain["text"],),
        touches=tuple(parse_iso(touch) for touch in plain["touches"]),
        phrases=() if plain["text"] is None else phrases_of(plain["value"]),
    )
    return Write.put(row, expects=expects, before=before)
