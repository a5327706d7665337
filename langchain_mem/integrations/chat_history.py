"""A thread as LangChain's chat history, for `RunnableWithMessageHistory` chains.

The messages lie in a checkpointer, where a graph finds them under the same thread id; with a memory, what is said in
the thread is remembered across threads, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Unpack

from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.state import CompiledStateGraph
from typing_extensions import override

from langchain_mem._flow import arun, call, run
from langchain_mem.integrations.extracting import Extracting, extracting
from langchain_mem.integrations.identity import whose
from langchain_mem.integrations.place import Place
from langchain_mem.memory.base import MemoryBase
from langchain_mem.model.scopes import Ids

_NODE = "said"


class MemoryChatHistory(BaseChatMessageHistory):
    """The messages of one thread, for `RunnableWithMessageHistory`.

        def history(session_id: str) -> MemoryChatHistory:
            return MemoryChatHistory(checkpointer, session_id, memory=memory, user_id="alex")

        chain = RunnableWithMessageHistory(prompt | model, history, ...)

    Args:
        checkpointer: Stores the thread.
        thread_id: The thread.
        memory: Facts from the messages are added to this memory; `None` adds none.
        **ids: Whose memories; without any, those of the user that the run names.
    """

    def __init__(
        self,
        checkpointer: BaseCheckpointSaver[Any],
        thread_id: str,
        *,
        memory: MemoryBase | None = None,
        **ids: Unpack[Ids],
    ) -> None:
        super().__init__()
        self._checkpointer = checkpointer
        self._thread_id = thread_id
        self._ids = ids
        self._graph = _thread(checkpointer)
        self._config: RunnableConfig = {"configurable": {"thread_id": thread_id}}
        self._extraction: Extracting | None = extracting(Place(memory)) if memory is not None else None

    @property
    def messages(self) -> list[BaseMessage]:  # type: ignore[override]  # an attribute there, which may be a property
        """The messages, oldest first."""
        return run(self._read())

    @override
    async def aget_messages(self) -> list[BaseMessage]:
        return await arun(self._read())

    @override
    def add_messages(self, messages: Sequence[BaseMessage]) -> None:
        run(self._add(messages))

    @override
    async def aadd_messages(self, messages: Sequence[BaseMessage]) -> None:
        await arun(self._add(messages))

    @override
    def clear(self) -> None:
        """Deletes the thread; what was remembered from it stays."""
        self._checkpointer.delete_thread(self._thread_id)

    @override
    async def aclear(self) -> None:
        await self._checkpointer.adelete_thread(self._thread_id)

    async def _read(self) -> list[BaseMessage]:
        state = await call(self._graph.get_state, self._graph.aget_state, self._config)
        return list(state.values.get("messages", ()))

    async def _add(self, messages: Sequence[BaseMessage]) -> None:
        update = {"messages": list(messages)}
        await call(self._graph.update_state, self._graph.aupdate_state, self._config, update, _NODE)
        await self._remember()

    async def _remember(self) -> None:
        if self._extraction is not None:
            owner = replace(whose(**self._ids), thread_id=self._thread_id, checkpoint_id=None)
            await self._extraction.extract(await self._read(), owner)


def _thread(checkpointer: BaseCheckpointSaver[Any]) -> CompiledStateGraph[Any, Any, Any, Any]:
    """A graph that only keeps what it is told."""
    builder = StateGraph(MessagesState)
    builder.add_node(_NODE, lambda _: {})
    builder.add_edge(START, _NODE)
    return builder.compile(checkpointer=checkpointer)
