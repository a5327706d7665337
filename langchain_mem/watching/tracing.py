"""A search as a retriever run of LangChain, so that a trace shows what was recalled and with which scores."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, ParamSpec, TypeVar

from langchain_core.callbacks import AsyncCallbackManager, BaseCallbackManager, CallbackManager
from langchain_core.documents import Document
from langchain_core.globals import get_debug
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import (
    get_async_callback_manager_for_config,
    get_callback_manager_for_config,
    var_child_runnable_config,
)

from langchain_mem._flow import Body, call

P = ParamSpec("P")
R = TypeVar("R")
Memories = Sequence[Mapping[str, Any]]

_TRACED_BY: Final = (
    "LANGSMITH_TRACING",
    "LANGSMITH_TRACING_V2",
    "LANGCHAIN_TRACING",
    "LANGCHAIN_TRACING_V2",
    "LANGCHAIN_HANDLER",
)
"""Variables of the environment that switch tracing on, or are refused by LangChain."""


async def retriever_run(
    name: str,
    query: Callable[[], str],
    search: Callable[[], Body[R]],
    *,
    found: Callable[[R], Memories],
    config: RunnableConfig | None = None,
) -> R:
    """Does a search as a run of LangChain, where a trace or a callback listens.

    Args:
        name: Of the run.
        query: Says what is searched for; called where somebody listens.
        search: Does it.
        found: Takes the memories from the result.
        config: The configuration the run belongs to; that of the running step if unset.

    Returns:
        What the search returns. The run's documents are the memories, with their scores as metadata.
    """
    config = config or var_child_runnable_config.get()
    run = None if unheard(config) else await call(_start, _astart, name, query, config)
    if run is None:
        return await search()
    try:
        result = await search()
    except Exception as error:
        await call(run.on_retriever_error, run.on_retriever_error, error)
        raise
    await call(run.on_retriever_end, run.on_retriever_end, documents(found(result)))
    return result


def traced(name: str, body: Callable[P, Body[R]]) -> Callable[P, Body[R]]:
    """The body of a search that is a run of LangChain.

    Args:
        name: Of the run.
        body: Its first argument quotes queries (`quoted`), its second is the query, and one named `config` is the
            configuration the run belongs to. It returns `{"results": …}`.
    """

    @functools.wraps(body)
    async def run(*args: P.args, **kwargs: P.kwargs) -> R:
        named: Mapping[str, Any] = kwargs
        settings: Any = args[0]

        def query() -> str:
            return str(settings.quoted(str(named.get("query", args[1] if len(args) > 1 else ""))))

        config: Any = named.get("config")
        config = config if isinstance(config, Mapping) else None  # what is none is refused by the search itself
        return await retriever_run(name, query, lambda: body(*args, **kwargs), found=_results, config=config)

    return run


def documents(memories: Memories) -> list[Document]:
    """Memories as a retriever's documents: the text as content, everything else as metadata."""
    return [
        Document(
            id=memory["id"],
            page_content=memory["memory"],
            metadata={name: value for name, value in memory.items() if name not in ("id", "memory")},
        )
        for memory in memories
    ]


def unheard(config: RunnableConfig | None) -> bool:
    """Whether nothing can listen to a run, which is told without importing LangSmith: that takes a quarter of a second.

    Whoever listens to all runs of a process does so by the environment, by LangChain's debug mode, or through LangSmith
    and thus has imported it.

    Args:
        config: The configuration the run belongs to.
    """
    if config or "langsmith" in sys.modules:
        return False
    return not get_debug() and not any(name in os.environ for name in _TRACED_BY)


def _results(result: Any) -> Memories:
    found: Memories = result["results"]
    return found


def _start(name: str, query: Callable[[], str], config: RunnableConfig | None) -> Any:
    manager: CallbackManager = get_callback_manager_for_config(config or {})
    return manager.on_retriever_start({"name": name}, query(), name=name) if _listens(manager) else None


async def _astart(name: str, query: Callable[[], str], config: RunnableConfig | None) -> Any:
    manager: AsyncCallbackManager = get_async_callback_manager_for_config(config or {})
    return await manager.on_retriever_start({"name": name}, query(), name=name) if _listens(manager) else None


def _listens(manager: BaseCallbackManager) -> bool:
    """Whether any handler takes notice of retrievers: one for tool runs alone does not."""
    return any(not handler.ignore_retriever for handler in manager.handlers)
