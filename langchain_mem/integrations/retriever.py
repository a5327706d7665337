"""A LangChain retriever over memories, for any chain."""

from __future__ import annotations

from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableConfig
from pydantic import ConfigDict
from typing_extensions import override

from langchain_mem._flow import Body, arun, run
from langchain_mem.integrations.identity import OwnerRule, whose
from langchain_mem.memory.base import MemoryBase
from langchain_mem.model.records import FoundMemory
from langchain_mem.model.scopes import IDS


class MemoryRetriever(BaseRetriever):
    """A LangChain retriever over a memory.

    A document has the text of a memory as its content and the memory's id. Everything else is metadata, the score
    included.

        retriever = MemoryRetriever(memory=memory, k=3, user_id="alex")
        known = retriever | (lambda found: " ".join(one.page_content for one in found))
        chain = {"known": known, "question": RunnablePassthrough()} | prompt | model

    The owner is given here or in the configuration of the run, `{"configurable": {"user_id": …}}`, so that one chain
    serves many users. A run that names no owner raises `ScopeError`. If another retriever passes on only a part of the
    configuration, the rest is taken from the chain, graph or tool that is running.

    `memory` is what is searched. `k` is how many documents are returned at most; it is also an argument of `invoke`.
    `owner` says how the owner is found in the run: a function, or a template such as `"{configurable.tenant}"`. All
    other arguments are those of `Memory.search`, such as ids, `filters` and `threshold`.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="allow")

    memory: MemoryBase
    k: int = 5
    owner: OwnerRule | None = None

    @classmethod
    def over(cls, memory: MemoryBase, **search: Any) -> MemoryRetriever:
        """A retriever over a memory; see the class for the arguments."""
        return cls(memory=memory, **search)

    @override
    def invoke(self, input: str, config: RunnableConfig | None = None, **kwargs: Any) -> list[Document]:
        return super().invoke(input, config, **self._owners(config, kwargs))

    @override
    async def ainvoke(self, input: str, config: RunnableConfig | None = None, **kwargs: Any) -> list[Document]:
        return await super().ainvoke(input, config, **self._owners(config, kwargs))

    @override
    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, k: int | None = None, **search: Any
    ) -> list[Document]:
        return run(self._search(query, k, search))

    @override
    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, k: int | None = None, **search: Any
    ) -> list[Document]:
        return await arun(self._search(query, k, search))

    def _search(self, query: str, k: int | None, search: dict[str, Any]) -> Body[list[Document]]:
        return _documents(
            self.memory, query, {"top_k": self.k if k is None else k, **(self.model_extra or {}), **search}
        )

    def _owners(self, config: RunnableConfig | None, given: dict[str, Any]) -> dict[str, Any]:
        """The arguments of one call, with the run's owner where neither they nor the retriever say whose."""
        named = {**(self.model_extra or {}), **given}
        if any(named.get(name) for name in (*IDS, "session_id", "filters")):
            return given
        return {**whose(config=config, owner=self.owner).owners, **given}


async def _documents(memory: MemoryBase, query: str, search: dict[str, Any]) -> list[Document]:
    """A search, as documents."""
    found = await memory.operations.search(query, **search)
    return [_document(one) for one in found["results"]]


def _document(found: FoundMemory) -> Document:
    metadata = {name: value for name, value in found.items() if name not in ("id", "memory")}
    return Document(id=found["id"], page_content=found["memory"], metadata=metadata)
