"""Procedural memory: what an agent is told to do, under a name, with its history.

Instructions belong to an agent, an application or an organization, and every user of it is under them. They lie apart
from memories: no search returns them, and no conversation changes them. An application writes them with `instruct`, and
`improve_instructions` (see `improve`) lets a model change lines for feedback. Each text is otherwise a memory like any
other: `history`, `restore`, `undo`, `delete` and `export` take it by its id.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Final, Literal, TypedDict, Unpack

from langchain_mem.backends.base import Address, Row
from langchain_mem.errors import InvalidRequest, MissingDependency, NotFound, ScopeError, shown
from langchain_mem.extraction.personal_data import Mask
from langchain_mem.filters.conditions import conjunction
from langchain_mem.memory.operation import operation
from langchain_mem.memory.options import check_texts
from langchain_mem.memory.reading.queries import instructed_by, live
from langchain_mem.memory.settings import Settings
from langchain_mem.memory.writing.contention import settled
from langchain_mem.memory.writing.drafts import Draft
from langchain_mem.memory.writing.unit_of_work import UnitOfWork
from langchain_mem.model.documents import INSTRUCTIONS_KIND, SCHEMA
from langchain_mem.model.history import as_of as state_as_of
from langchain_mem.model.history import at_version
from langchain_mem.model.instants import instant, iso
from langchain_mem.model.records import StoredMemory, id_for, is_live, sound
from langchain_mem.model.scopes import INSTRUCTED, INSTRUCTIONS, Ids, Scope

DEFAULT_NAME: Final = "system"
"""The name of instructions that are given none."""

NAME: Final = "name"
GUIDANCE: Final = "guidance"
LEARNED: Final = "learned"


class Instructions(TypedDict):
    """Instructions as they are now.

    `guidance` says when and how a model may change them. `learned` contains the lines that a model has written.
    """

    id: str
    name: str
    text: str
    guidance: str | None
    learned: list[str]
    version: int
    updated_at: str


class Instructed(TypedDict):
    """What happened to instructions. `diff` is a unified diff of the text before and after."""

    id: str
    name: str
    event: Literal["ADD", "UPDATE", "NONE"]
    text: str
    previous: str | None
    diff: str
    reason: str | None
    version: int
    batch_id: str | None


async def _instruct(
    settings: Settings,
    text: str,
    *,
    name: str = DEFAULT_NAME,
    guidance: str | None = None,
    reason: str | None = None,
    dry_run: bool = False,
    **ids: Unpack[Ids],
) -> Instructed:
    """Stores what an agent is told to do. The history keeps earlier texts. No model is asked.

    Secrets and personal data in the text are masked, because every user's conversation sees it.

    Args:
        text: The whole instructions. Words in braces, such as `{user_name}`, are left for the application to fill in.
        name: Which instructions; an agent may have several.
        guidance: When and how `improve_instructions` may change them; `None` keeps the earlier guidance.
        reason: Why they change, for the history.
        dry_run: Whether only to say what would change.
        **ids: Exactly one of `agent_id`, `app_id` and `org_id`.

    Returns:
        The instructions, the difference to the text before, and the `batch_id` that `undo` takes.

    Raises:
        ScopeError: No id or more than one is given, or one that has no instructions.
        InvalidRequest: The text or the name is empty.
    """
    check_texts(text=text, name=name, guidance=guidance, reason=reason)
    address, mask = place_of_instructions(name, ids), masking(settings)
    told, guided = mask(sound(text).strip()), None if guidance is None else mask(guidance)
    if not told:
        raise InvalidRequest("text must be a text that is not empty; delete() takes instructions away.")

    async def attempt() -> Instructed:
        now = settings.now()
        (row,) = await settings.repo.read([address], now)
        changes = UnitOfWork(settings, at=now)
        done = enter_instructions(
            changes, address, row, told, name=name, guidance=guided, reason=settings.cleaned(reason)
        )
        if dry_run or done["event"] == "NONE":
            return {**done, "batch_id": None}
        await changes.land(Scope.of(ids), event="instruct")
        return done

    return await settled(settings.turnstile, attempt)


instruct, ainstruct = operation(_instruct)


async def _instructions(
    settings: Settings,
    name: str = DEFAULT_NAME,
    *,
    default: str = "",
    as_of: date | datetime | str | None = None,
    **ids: Unpack[Ids],
) -> str:
    """Returns what an agent is told to do.

    The agent's own instructions come first, then those of the application, then those of the organization: the first
    that exist are returned. A user and a session have no instructions.

    Args:
        name: Which instructions.
        default: The text if there are none.
        as_of: A time in the past; the instructions are returned as they were then.
        **ids: Whose instructions: `agent_id`, `app_id` and `org_id`, at least one of them.

    Returns:
        The text.

    Raises:
        ScopeError: No agent, application or organization is named.
    """
    check_texts(name=name)
    homes = instructed_by(Scope.of(ids))
    if not homes:
        raise ScopeError(_NOBODY)
    now = settings.now()
    rows = await settings.repo.read([Address(home, id_for(home, name)) for home in homes], now)
    found = (shown_at(row, now, as_of) for row in rows if row is not None)
    return next((memory["memory"] for memory in found if memory is not None), default)


instructions, ainstructions = operation(_instructions)


async def _list_instructions(settings: Settings, **ids: Unpack[Ids]) -> list[Instructions]:
    """Lists all instructions of an agent, an application or an organization, by name.

    Args:
        **ids: Whose instructions. A `Memory` for administrators lists everyone's if no id is given.

    Returns:
        The instructions.

    Raises:
        ScopeError: No agent, application or organization is named.
    """
    homes = instructed_by(Scope.of(ids))
    if not homes and not settings.all_owners:
        raise ScopeError(_NOBODY)
    now = settings.now()
    rows, _ = await settings.repo.select(homes or [(INSTRUCTIONS,)], conjunction(live(now)), now)
    ordered = sorted(rows, key=lambda row: (row.address.namespace, row.value["metadata"][NAME]))
    return [told_of(row.value) for row in ordered]


list_instructions, alist_instructions = operation(_list_instructions)


async def _diff_instructions(
    settings: Settings,
    name: str = DEFAULT_NAME,
    *,
    since: int | None = None,
    until: int | None = None,
    **ids: Unpack[Ids],
) -> str:
    """Returns how instructions changed between two versions, as a unified diff.

    Args:
        name: Which instructions.
        since: The earlier version; `None` for the one before `until`.
        until: The later version; `None` for the newest.
        **ids: Exactly one of `agent_id`, `app_id` and `org_id`.

    Returns:
        The diff; empty if both texts are the same.

    Raises:
        NotFound: There are no such instructions.
        InvalidRequest: They have no such version.
    """
    check_texts(name=name)
    (row,) = await settings.repo.read([place_of_instructions(name, ids)], settings.now())
    if row is None:
        raise NotFound(f"There are no instructions {shown(name)} here.")
    last = row.value["version"] if until is None else until
    first = last - 1 if since is None else since
    before = "" if first == 0 else at_version(row.value, first)["memory"]
    return diff_of(before, at_version(row.value, last)["memory"], f"{name} v{first}", f"{name} v{last}")


diff_instructions, adiff_instructions = operation(_diff_instructions)


def place_of_instructions(name: str, ids: Ids) -> Address:
    """Where instructions lie.

    Raises:
        ScopeError: The ids name no one who may have instructions, or several.
    """
    scope = Scope.of(ids)
    if len(scope.ids()) != 1 or not scope.ids().keys() <= {*INSTRUCTED}:
        raise ScopeError(_NOBODY)
    home = scope.home(INSTRUCTIONS)
    return Address(home, id_for(home, name))


def enter_instructions(
    changes: UnitOfWork,
    address: Address,
    row: Row | None,
    text: str,
    *,
    name: str,
    guidance: str | None,
    reason: str | None,
    learned: Sequence[str] = (),
) -> Instructed:
    """Puts instructions into changes, and says what becomes of them.

    Args:
        changes: Where to put them.
        address: Where they lie.
        row: What lies there.
        text: The text from now on.
        name: Their name.
        guidance: When and how a model may change them; `None` leaves what there is.
        reason: Why.
        learned: The lines that a model has written just now.
    """
    there = row is not None and is_live(row.value, iso(changes.now))
    before = row.value if row is not None and there else None
    lines = {line.strip() for line in text.splitlines()}
    known = [*(before["metadata"][LEARNED] if before else ()), *learned]
    metadata = {
        SCHEMA: INSTRUCTIONS_KIND,
        NAME: name,
        GUIDANCE: guidance if guidance is not None or before is None else before["metadata"][GUIDANCE],
        LEARNED: [line for line in dict.fromkeys(known) if line in lines],
    }
    previous = before["memory"] if before else None
    if before is not None and (previous, before["metadata"]) == (text, metadata):
        return _instructed(before, "NONE", previous, reason, None)
    if row is not None and before is not None:
        memory = changes.update(row, memory=text, metadata=metadata, reason=reason)
        return _instructed(memory, "UPDATE", previous, reason, changes.batch_id)
    draft = Draft(home=address.namespace, text=text, metadata=metadata, schema=INSTRUCTIONS_KIND)
    memory = changes.add(draft, row, memory_id=address.key)
    return _instructed(memory, "ADD", None, reason, changes.batch_id)


def _instructed(
    memory: StoredMemory,
    event: Literal["ADD", "UPDATE", "NONE"],
    previous: str | None,
    reason: str | None,
    batch_id: str | None,
) -> Instructed:
    name = memory["metadata"][NAME]
    return {
        "id": memory["id"],
        "name": name,
        "event": event,
        "text": memory["memory"],
        "previous": previous,
        "diff": diff_of(previous or "", memory["memory"], f"{name} before", f"{name} after"),
        "reason": reason,
        "version": memory["version"],
        "batch_id": batch_id,
    }


def told_of(memory: StoredMemory) -> Instructions:
    """Instructions as operations return them."""
    metadata = memory["metadata"]
    return {
        "id": memory["id"],
        "name": metadata[NAME],
        "text": memory["memory"],
        "guidance": metadata[GUIDANCE],
        "learned": list(metadata[LEARNED]),
        "version": memory["version"],
        "updated_at": memory["updated_at"],
    }


def shown_at(row: Row, now: datetime, as_of: date | datetime | str | None) -> StoredMemory | None:
    """Instructions as they are, or stood at an instant; `None` where there were none."""
    memory: StoredMemory | None = row.value
    if as_of is not None:
        memory = state_as_of(row.value, iso(instant(as_of)))
    return memory if memory is not None and is_live(memory, iso(now)) else None


def diff_of(before: str, after: str, old: str, new: str) -> str:
    """A unified diff of two texts; empty where they are the same."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), old, new, lineterm="", n=1)
    return "\n".join(lines)


def masking(settings: Settings) -> Callable[[str], str]:
    """What masks secrets, and personal data whatever the memory does with it elsewhere: this text is for everybody."""
    personal = _personal()

    def mask(text: str) -> str:
        return personal(settings.clean(text))

    return mask


def _personal() -> Mask:
    """Masks what it can: telephone and account numbers take libraries that are an extra."""
    try:
        every = Mask()
        every("+1 212 555 0100")
    except MissingDependency:
        return Mask(kinds=("email", "card"))
    return every


_NOBODY: Final = (
    "Instructions belong to an agent, an application or an organization: give agent_id, app_id or org_id, and no other "
    "id. What one user wants is a memory of that user."
)
