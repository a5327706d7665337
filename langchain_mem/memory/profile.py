"""The profile of an owner: a few sentences about it that a model writes, each with the memories it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from langchain_mem.backends.base import Row
from langchain_mem.extraction.consolidation import Say, profiled, size
from langchain_mem.extraction.model_call import Unprocessable
from langchain_mem.memory.limits import Limits
from langchain_mem.memory.settings import Settings
from langchain_mem.memory.writing.contention import settled
from langchain_mem.memory.writing.drafts import Draft
from langchain_mem.memory.writing.journal import journal_address
from langchain_mem.memory.writing.profiles import (
    PROFILE,
    Sentence,
    is_whole,
    place_of_profile,
    profile_fields,
    state_of,
)
from langchain_mem.memory.writing.unit_of_work import UnitOfWork
from langchain_mem.model.instants import iso
from langchain_mem.model.records import MemoryDict, Rejected, StoredMemory, is_live, public, source_of
from langchain_mem.model.scopes import Scope

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel


class Profile:
    """The profile of one owner, as it is and as a model writes it anew.

    Args:
        settings: Parts and policies.
        scope: The owner.
        batch_id: The batch in which it is written.
        limits: What writing it may cost.

    Attributes:
        rejected: What a model proposed and was refused.
    """

    def __init__(self, settings: Settings, scope: Scope, batch_id: str, limits: Limits) -> None:
        self.rejected: list[Rejected] = []
        self._settings = settings
        self._scope = scope
        self._place = place_of_profile(scope.home())
        self._batch_id = batch_id
        self._limits = limits

    async def there(self) -> MemoryDict | None:
        """The profile as it is; `None` where there is none, or it is not shown."""
        row = await self._row()
        found = row is not None and is_live(row.value, iso(self._settings.now()))
        return public(row.value) if row is not None and found else None

    async def is_of(self, memories: Sequence[StoredMemory]) -> bool:
        """Whether the profile was written of these very memories, and is whole."""
        row = await self._row()
        return row is not None and is_whole(row.value, state_of(memories), iso(self._settings.now()))

    async def write(self, model: BaseChatModel, memories: Sequence[StoredMemory]) -> MemoryDict | None:
        """Asks for the profile of these memories and writes it in place of the one there is."""
        chosen = self._worth_telling(memories)
        if not chosen or not self._limits.allow(size(chosen)):
            return await self.there()
        self._limits.spend(size(chosen))
        try:
            said, rejected = await profiled(model, chosen)
        except Unprocessable as error:
            self.rejected.append({"operation": {"action": "profile"}, "reason": str(error)})
            return await self.there()
        self.rejected += rejected
        sentences = [self._sentence(each) for each in said if isinstance(each, Say)]
        return await settled(self._settings.turnstile, partial(self._put, sentences, state_of(memories)))

    async def _row(self) -> Row | None:
        (row,) = await self._settings.repo.read([self._place], self._settings.now())
        return row

    def _sentence(self, said: Say) -> Sentence:
        return {"text": self._settings.clean(said.text), "rests_on": [memory["id"] for memory in said.memories]}

    def _worth_telling(self, memories: Sequence[StoredMemory]) -> list[StoredMemory]:
        """What always counts and what is newest, as much as one prompt holds."""
        chosen: list[StoredMemory] = []
        for memory in sorted(memories, key=_importance, reverse=True):
            if size([*chosen, memory]) > self._settings.extraction_tokens:
                break
            chosen.append(memory)
        return sorted(chosen, key=lambda memory: memory["updated_at"])

    async def _put(self, sentences: Sequence[Sentence], of: str) -> MemoryDict | None:
        now, row = self._settings.now(), await self._row()
        if not sentences:
            return None if row is None else public(row.value)
        fields: dict[str, Any] = {**profile_fields(sentences, of), "event_date": iso(now), "importance": "always"}
        changes = UnitOfWork(self._settings, at=now, batch_id=self._batch_id, before=await self._entry())
        if row is not None and is_live(row.value, iso(now)):
            memory = changes.update(row, **fields)
        else:
            draft = Draft(home=self._place.namespace, text=fields.pop("memory"), schema=PROFILE, **fields)
            memory = changes.add(draft, row, memory_id=self._place.key)
        await changes.save(self._scope.home())
        return public(memory)

    async def _entry(self) -> Any:
        """What the journal says of the batch so far."""
        journal = journal_address(self._scope, source_of(), self._batch_id)
        (entry,) = await self._settings.repo.read([journal], self._settings.now())
        return None if entry is None else entry.value


def _importance(memory: StoredMemory) -> tuple[bool, str]:
    return memory["importance"] == "always", memory["updated_at"]
