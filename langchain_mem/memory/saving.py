"""What a tool saves: a fact or a document, with the doubt that its check left. For surfaces; applications use `add`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Unpack

from pydantic import BaseModel

from langchain_mem.memory.add import addition_of, new_unit_of_work, result_of
from langchain_mem.memory.documents import drafts_of
from langchain_mem.memory.operation import Operation
from langchain_mem.memory.settings import Settings
from langchain_mem.memory.writing.collections import enter_document
from langchain_mem.memory.writing.contention import settled
from langchain_mem.memory.writing.marks import marked
from langchain_mem.memory.writing.unit_of_work import UnitOfWork
from langchain_mem.model.records import AddResult, source_of
from langchain_mem.model.scopes import Ids, Scope

_DOUBTED: Final = 0.5  # of the confidence is left, as where a conversation is learned from


async def _save(
    settings: Settings,
    text: str,
    *,
    doubt: str | None,
    source: Mapping[str, Any],
    useful_for: Sequence[str] = (),
    **ids: Unpack[Ids],
) -> AddResult:
    """Adds a text as it is, with what is to be doubted of it.

    Args:
        text: One fact.
        useful_for: As for `add`.
        doubt: Why the conversation does not confirm it; `None` where it does.
        source: As for `add`.
        **ids: As for `add`.
    """
    addition = addition_of(settings, text, ids, source=source, useful_for=useful_for)
    told: dict[str, Any] = {} if doubt is None else {"doubt": doubt, "confidence": _DOUBTED}

    async def attempt() -> AddResult:
        changes = new_unit_of_work(settings, addition)
        await changes.enter([replace(draft, **told) for draft in addition.verbatim()])
        await changes.save(addition.home, await marked(settings, addition) if addition.repeatable else ())
        return result_of(changes, [])

    result = await settled(settings.turnstile, attempt)
    told_of = [dict(each) for each in result["results"]]
    settings.activity.record(
        "add", addition.now_iso, addition.ids, batch_id=result["batch_id"], results=told_of, rejected=[]
    )
    return result


save = Operation(_save)


async def _save_document(
    settings: Settings, document: BaseModel, *, doubt: str | None, source: Mapping[str, Any], **ids: Unpack[Ids]
) -> AddResult:
    """Adds a document, with what is to be doubted of it.

    Args:
        document: A pydantic object.
        doubt: Why the conversation does not confirm it; `None` where it does.
        source: As for `add`.
        **ids: As for `add`.
    """
    scope, now = Scope.of(ids), settings.now()
    (draft,) = drafts_of(settings, [document], scope, now)
    told: dict[str, Any] = {} if doubt is None else {"doubt": doubt, "confidence": _DOUBTED}
    came_from = source_of(source.get("thread_id"), source.get("checkpoint_id"), source.get("message_ids") or ())

    async def attempt() -> AddResult:
        changes = UnitOfWork(settings, at=settings.now(), source=came_from)
        await enter_document(settings, changes, replace(draft, **told))
        await changes.land(scope, event="document")
        return {"results": changes.results, "batch_id": changes.batch_id}

    return await settled(settings.turnstile, attempt)


save_document = Operation(_save_document)
