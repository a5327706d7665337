"""`summary`: what is known, in the model's words."""

from __future__ import annotations

from typing import Unpack

from langchain_core.messages import HumanMessage, SystemMessage

from langchain_mem.extraction import prompts
from langchain_mem.extraction.messages import text_of
from langchain_mem.extraction.model_call import ask
from langchain_mem.memory.operation import operation
from langchain_mem.memory.read import get_all
from langchain_mem.memory.settings import Settings
from langchain_mem.model.scopes import Ids


async def _summary(settings: Settings, **ids: Unpack[Ids]) -> str:
    """Returns a short text about what is known, written by the model.

    At most 200 memories are read, the last changed first. Nothing is stored.

    Args:
        **ids: Whose memories.

    Returns:
        The text. Without a model it is a list of the memories, one on each line; if there are none, it is empty.

    Raises:
        ScopeError: No owner is named.
        ExtractionError: The model failed.
    """
    page = await get_all.body(settings, page_size=200, **ids)
    lines = [prompts.inert(memory["memory"]) for memory in page["results"]]
    if settings.model is None or not lines:
        return "\n".join(f"- {line}" for line in lines)
    reply = await ask(settings.model, [SystemMessage(prompts.OVERVIEW), HumanMessage(prompts.known(lines))])
    return text_of(reply.content).strip()


summary, asummary = operation(_summary)
