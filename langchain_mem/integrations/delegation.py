"""Whether a model speaks in a run where a person seems to: runs that a tool of another agent started.

A sub-agent is often a tool of another agent. The "user" it hears is then that agent's model, which may repeat what a
web page told it. Such a run may recall memories; it must not write, change or delete any.

LangChain says of each run which run started it. A handler notes the runs of tools and all that is started within them,
so a delegated run is known whatever the nodes of a graph are called, in hand-written graphs and in the functional API.
Where a program calls a sub-agent without a tool it says so itself:

    agent.invoke(task, delegated(config))
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import RunnableConfig
from langchain_core.tracers.context import register_configure_hook
from typing_extensions import override

MARK: Final = "memory_delegated"
"""What `delegated` sets among the `configurable` values of a run."""

_MOST: Final = 100_000
"""At most so many runs are noted: a cancelled tool never says that it has ended."""


def delegated(config: RunnableConfig | None = None) -> RunnableConfig:
    """A configuration for a run whose "user" is a model: it recalls, and it writes nothing.

    Args:
        config: What else the run is to have.
    """
    given = config or {}
    return {**given, "configurable": {**(given.get("configurable") or {}), MARK: True}}


def is_delegated(config: Mapping[str, Any]) -> bool:
    """Whether a run is marked as delegated, or a tool has started it."""
    if (config.get("configurable") or {}).get(MARK):
        return True
    return getattr(config.get("callbacks"), "parent_run_id", None) in _RUNS.within_tools


class _ToolRuns(BaseCallbackHandler):
    """Notes the runs of tools that are under way, and the runs of chains and graphs within them."""

    run_inline = True  # before the tool begins, on an event loop too
    ignore_llm = ignore_retry = ignore_retriever = ignore_chat_model = ignore_custom_event = True

    def __init__(self) -> None:
        self.within_tools: dict[UUID, None] = {}

    @override
    def on_tool_start(self, serialized: Any, input_str: str, *, run_id: UUID, **kwargs: Any) -> None:
        self._note(run_id)

    @override
    def on_chain_start(
        self, serialized: Any, inputs: Any, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any
    ) -> None:
        if parent_run_id in self.within_tools:
            self._note(run_id)

    @override
    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:
        self.within_tools.pop(run_id, None)

    @override
    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self.within_tools.pop(run_id, None)

    @override
    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        self.within_tools.pop(run_id, None)

    @override
    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self.within_tools.pop(run_id, None)

    def _note(self, run_id: UUID) -> None:
        self.within_tools[run_id] = None
        if len(self.within_tools) > _MOST:
            self.within_tools.pop(next(iter(self.within_tools)), None)


_RUNS: Final = _ToolRuns()

# LangChain's way to give every run of a process a handler; it hands the handler on to what a run starts
register_configure_hook(ContextVar("langchain_mem_tool_runs", default=_RUNS), inheritable=True)
