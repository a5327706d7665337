"""Which memory a surface works on: the one it was given, or one over the store of the run.

`MemoryMiddleware()`, `retrieval_node()` and `memory_tools()` need no memory: a graph that was compiled with a store
hands its store to each run, and so does LangGraph Server.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final

from langchain_core.language_models import BaseChatModel
from langgraph.store.base import BaseStore

from langchain_mem.errors import InvalidRequest
from langchain_mem.integrations.identity import Run
from langchain_mem.memory.base import MemoryBase

_STORES: Final = 8
"""A process has seldom more than one store. What falls out is opened again when it is asked for."""


class Place:
    """Where a surface reads and writes.

    Args:
        memory: The memory; `None` for one over the store of each run.
        model: What facts are extracted with over the store of a run. A memory that is given has its own.

    Raises:
        InvalidRequest: Both are given, or `memory` is none.
    """

    def __init__(self, memory: MemoryBase | None = None, *, model: BaseChatModel | str | None = None) -> None:
        if memory is not None and not isinstance(memory, MemoryBase):
            raise InvalidRequest(f"Give a Memory, not a {type(memory).__name__}: Memory(store) makes one of a store.")
        if memory is not None and model is not None:
            raise InvalidRequest("Give the model to the memory, Memory(model=…); model= is for the run's own store.")
        self.memory = memory
        self._model = model
        self._opened: OrderedDict[int, MemoryBase] = OrderedDict()

    @property
    def extracts(self) -> bool:
        """Whether facts are extracted, by a model."""
        return self._model is not None if self.memory is None else self.memory.model is not None

    def of(self, runtime: Any = None) -> MemoryBase:
        """The memory of a run.

        Raises:
            InvalidRequest: There is none, and the run has no store.
        """
        if self.memory is not None:
            return self.memory
        store = getattr(runtime if runtime is not None else Run.current().runtime, "store", None)
        if store is None:
            raise InvalidRequest("Where are the memories? Give memory=…, or compile the graph with store=memory.store.")
        return self._over(store)

    def _over(self, store: BaseStore) -> MemoryBase:
        """One memory for each store, so that what waits in the background is not left behind."""
        kept = self._opened.get(id(store))
        if kept is None or kept.store is not store:
            kept = self._opened[id(store)] = MemoryBase(store, model=self._model)
        self._opened.move_to_end(id(store))
        while len(self._opened) > _STORES:
            self._opened.popitem(last=False)
        return kept
