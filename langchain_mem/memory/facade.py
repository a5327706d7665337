"""`Memory` and `AsyncMemory`: what an agent remembers across threads, as people use it.

The operations are in the files of their names, from which `base` and the classes below take them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Unpack

from langchain_mem.memory.base import MemoryBase as MemoryBase
from langchain_mem.memory.operation import OnLoop, OnThread
from langchain_mem.model.scopes import Ids
from langchain_mem.store.long_term import LongTermStore

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool
    from langgraph.checkpoint.base import BaseCheckpointSaver

    from langchain_mem.integrations.retriever import MemoryRetriever
    from langchain_mem.ui.serving import Served


class Surfaces(MemoryBase):
    """A memory that hands out the surfaces built on it. Those import `base`, so that nothing goes in a circle."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} on {type(self.store).__name__}>"

    def as_retriever(self, **search: Any) -> MemoryRetriever:
        """Makes a LangChain retriever over this memory.

        Args:
            **search: `k`, the ids of the owner, and any other argument of `search`.

        Returns:
            The retriever; see `MemoryRetriever`.
        """
        from langchain_mem.integrations.retriever import MemoryRetriever

        return MemoryRetriever.over(self, **search)

    def tools(self, **ids: Unpack[Ids]) -> list[BaseTool]:
        """Makes tools with which a model saves, searches, updates and forgets memories.

        Args:
            **ids: Whose memories. The model cannot choose the owner.

        Returns:
            The tools; see `memory_tools`.
        """
        from langchain_mem.integrations.tools import memory_tools

        return memory_tools(self, **ids)

    def ui(
        self,
        *,
        port: int = 0,
        editable: bool = False,
        checkpointers: Iterable[BaseCheckpointSaver[Any]] = (),
        announce: Callable[[str], None] | None = print,
    ) -> Served:
        """Serves the inspector on a thread of this process. Only this machine can reach it.

        Args:
            port: The port; 0 for a free one.
            editable: Whether memories can be edited, deleted, restored and undone in the inspector.
            checkpointers: The checkpointers whose threads are shown.
            announce: A function that is called with the address. Who has the address can open the inspector.

        Returns:
            The server, with its `address` and `stop()`.

        Raises:
            MissingDependency: The extra `ui` is not installed.
            StoreError: The store cannot be read.
        """
        from langchain_mem.ui.serving import start

        return start(self, port=port, editable=editable, checkpointers=checkpointers, announce=announce)


class Memory(OnThread, Surfaces):
    """What an agent remembers: add, search, change, forget. Each operation has an `a` twin.

        memory = Memory()                                      # a folder, a local embedder
        memory.add("I prefer window seats.", user_id="alex")
        memory.search("Which seat?", user_id="alex")
        await memory.asearch("Which seat?", user_id="alex")    # the same, on an event loop

    It takes the arguments of its base class.
    """

    from langchain_mem.memory.add import aadd
    from langchain_mem.memory.admin import acompact, aerase, aflush, apurge_expired, areset
    from langchain_mem.memory.consolidate import aconsolidate
    from langchain_mem.memory.delete import abatch_delete, adelete, adelete_all, adelete_users
    from langchain_mem.memory.documents import (
        aadd_document,
        aget_document,
        aget_documents,
        aset_document,
        aupdate_document,
    )
    from langchain_mem.memory.edit import abatch_update, afeedback, aupdate
    from langchain_mem.memory.explain import aexplain
    from langchain_mem.memory.export import aexport, aexport_to, aimport_
    from langchain_mem.memory.improve import aimprove_instructions
    from langchain_mem.memory.instruct import (
        adiff_instructions,
        ainstruct,
        ainstructions,
        alist_instructions,
    )
    from langchain_mem.memory.plan import acommit, apending, aplan
    from langchain_mem.memory.read import aevents, aget, aget_all, ahistory, astats, ausers
    from langchain_mem.memory.search import asearch
    from langchain_mem.memory.sessions import aend_session, apromote
    from langchain_mem.memory.summary import asummary
    from langchain_mem.memory.tuning import atune_decay
    from langchain_mem.memory.undo import arestore, aundo
    from langchain_mem.memory.waiting import aextract_waiting

    def close(self) -> None:
        """Writes what is pending, and closes the store if this `Memory` opened it. It may be called again."""
        self._close_parts()
        if self._opened and isinstance(self.store, LongTermStore):
            self.store.close()

    async def aclose(self) -> None:
        """The async form of `close`."""
        await asyncio.to_thread(self._close_parts)
        if self._opened and isinstance(self.store, LongTermStore):
            await self.store.aclose()

    def __enter__(self) -> Memory:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Memory:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


class AsyncMemory(OnLoop, Surfaces):
    """`Memory` with its coroutines under the plain names: `await memory.add(…)`."""

    async def close(self) -> None:
        """Writes what is pending, and closes the store if this `AsyncMemory` opened it. It may be called again."""
        await asyncio.to_thread(self._close_parts)
        if self._opened and isinstance(self.store, LongTermStore):
            await self.store.aclose()

    async def __aenter__(self) -> AsyncMemory:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
