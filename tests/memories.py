"""A `Memory` over fakes, in either form, and short ways to write what a scripted model proposes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from langchain_core.messages import BaseMessage
from langgraph.store.base import BaseStore

from langchain_mem.memory.facade import Memory
from langchain_mem.store.long_term import LongTermStore
from langchain_mem.testing import FakeClock, FakeEmbeddings, ScriptedModel
from langchain_mem.testing.forms import Forms


class Bench(Forms):
    """A memory over fakes, called in one form: `add` is `memory.add`, or `memory.aadd` run to its end.

    Attributes:
        memory: The memory itself.
        clock: Its time.
        model: What it extracts with.
        embeddings: What its store embeds with.
    """

    def __init__(
        self,
        *replies: Any,
        form: str = "sync",
        runner: asyncio.Runner | None = None,
        store: BaseStore | None = None,
        clock: FakeClock | None = None,
        tool_calling: bool = True,
        **options: Any,
    ) -> None:
        self.clock = clock or FakeClock()
        self.embeddings = FakeEmbeddings()
        self.model = ScriptedModel(*replies, tool_calling=tool_calling)
        store = store or LongTermStore.in_memory(embed=self.embeddings, clock=self.clock)
        options.setdefault("model", self.model if replies else None)
        self.memory = Memory(store, clock=self.clock, **options)
        super().__init__(self.memory, form, runner or asyncio.Runner())

    def forget_costs(self) -> None:
        """Starts counting embeddings anew."""
        self.embeddings.batches = 0
        self.embeddings.queries.clear()
        self.embeddings.texts.clear()

    @property
    def embedded(self) -> int:
        """How often the embedder was called since."""
        return self.embeddings.batches + len(self.embeddings.queries)


def proposed(*operations: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """An answer of a model."""
    return {"operations": list(operations), **fields}


def op(action: str, text: str = "", **fields: Any) -> dict[str, Any]:
    """One operation of an answer, resting on the first message unless it says otherwise."""
    return {"action": action, "text": text, "evidence": [0], **fields}


def against(*operations: Mapping[str, Any]) -> Callable[[list[BaseMessage]], dict[str, Any]]:
    """An answer whose `memory` may be the text of a known memory, as it is shown, instead of its number."""

    def reply(messages: list[BaseMessage]) -> dict[str, Any]:
        known = messages[-1].text.partition("</known>")[0].splitlines()[1:]
        numbers = {line.partition("] ")[2].rpartition(" (noted ")[0]: number for number, line in enumerate(known)}
        return proposed(
            *({**each, "memory": numbers.get(each.get("memory"), each.get("memory"))} for each in operations)
        )

    return reply


def facts(*texts: str, **fields: Any) -> dict[str, Any]:
    """An answer that adds these facts."""
    return proposed(*(op("add", text, **fields) for text in texts))


def unalarmed(memory: Memory) -> Memory:
    """The same memory, of which no alarm rings: a thread may look at a clock late, when a test has moved it already."""
    alarm = memory.settings.pending.alarm
    set_for = alarm.keys()
    for owner in set_for:
        alarm.cancel(owner)
    return memory


def texts(found: Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> list[str]:
    """The texts of memories, in their order."""
    return [each["memory"] for each in (found["results"] if isinstance(found, Mapping) else found)]


def events(added: Mapping[str, Any]) -> list[str]:
    """What an `add` did, in order."""
    return [each["event"] for each in added["results"]]


def memory_id(added: Mapping[str, Any], at: int = 0) -> str:
    """The id of one of the memories an `add` returned."""
    found: str = added["results"][at]["id"]
    return found
