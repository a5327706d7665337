"""Whose memory: the ids of a run, from where the application put them. Never from a model.

    runtime.context.user_id  →  config["configurable"]["user_id"]  →  ["langgraph_user_id"]
                             →  runtime.server_info.user.identity

The same, in this order, for `agent_id`, `app_id` and `org_id`, of which the last two steps know nothing. The thread is
where a memory came from and the session whose notes a read may see; it is no owner. A run that names no owner fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Unpack

from langchain_core.runnables import RunnableConfig
from langgraph.config import get_config
from langgraph.runtime import get_runtime

from langchain_mem.errors import ScopeError
from langchain_mem.model.records import Source, source_of
from langchain_mem.model.scopes import Ids, Scope

OWNERS: Final = ("user_id", "agent_id", "app_id", "org_id")
"""The ids a run may name."""


@dataclass(frozen=True, kw_only=True)
class MemoryContext:
    """A `context_schema` that says whose memory a run may use.

    Attributes:
        user_id: The person.
        agent_id: The assistant, where it has memories of its own.
        app_id: The application, whose memories all its users share.
        org_id: The organization, likewise.
    """

    user_id: str | None = None
    agent_id: str | None = None
    app_id: str | None = None
    org_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whose memory a run uses, and where it stands.

    Attributes:
        owners: The ids of whose memories these are.
        thread_id: The thread, where there is one.
        checkpoint_id: The checkpoint the step began from, where there is one.
        delegated: Whether a tool of another agent started this run, so that its "user" is a model.
    """

    owners: Ids
    thread_id: str | None = None
    checkpoint_id: str | None = None
    delegated: bool = False

    @property
    def visible(self) -> Ids:
        """What a read may see: the owners' memories, and of sessions only this thread's notes."""
        session = self.owners.get("run_id") or self.thread_id
        return self.owners if session is None else {**self.owners, "run_id": session}

    def source(self, message_ids: list[str]) -> Source:
        """Where what these messages say comes from."""
        return source_of(self.thread_id, self.checkpoint_id, message_ids)


def whose(runtime: Any = None, config: RunnableConfig | None = None, **given: Unpack[Ids]) -> Identity:
    """Whose memory this run uses.

    Args:
        runtime: LangGraph's `Runtime` or a tool's `ToolRuntime`; that of the running step where there is none.
        config: The run's configuration; that of the running step where there is none.
        **given: Ids set by the application in code; with any of them nothing else is asked.

    Returns:
        The ids, the thread and the checkpoint.

    Raises:
        ScopeError: Nothing names an owner, or an id is none; says where to put it.
    """
    config = _config(runtime, config)
    runtime = runtime if runtime is not None else _runtime()
    configurable = config.get("configurable") or {}
    found: Any = {name: _named(name, runtime, configurable) for name in OWNERS}
    owners: Any = (Scope.of(given) or Scope.of(found)).ids()
    if not owners:
        raise ScopeError(_UNKNOWN)
    execution = getattr(runtime, "execution_info", None)
    thread_id = configurable.get("thread_id") or getattr(execution, "thread_id", None)
    return Identity(
        owners=owners,
        thread_id=str(thread_id) if thread_id else None,
        checkpoint_id=getattr(execution, "checkpoint_id", None) or configurable.get("checkpoint_id"),
        delegated=_delegated(configurable.get("checkpoint_ns") or getattr(execution, "checkpoint_ns", None) or ""),
    )


def messages_in(state: Any) -> list[Any]:
    """The messages of a graph's state, in whichever form the graph keeps it."""
    if isinstance(state, Mapping):
        return list(state.get("messages") or ())
    return list(state) if isinstance(state, list) else list(getattr(state, "messages", None) or ())


_UNKNOWN: Final = (
    'Whose memory? Invoke with context=MemoryContext(user_id=…), or with config={"configurable": {"user_id": …}}; '
    "agent_id, app_id and org_id work alike."
)


def _config(runtime: Any, config: RunnableConfig | None) -> RunnableConfig:
    """The configuration given, or a tool's, or that of the running step."""
    if config is not None:
        return config
    own: RunnableConfig | None = getattr(runtime, "config", None)
    if own is not None:
        return own
    try:
        return get_config()
    except RuntimeError:  # outside of any run
        return {}


def _runtime() -> Any:
    try:
        return get_runtime()
    except (RuntimeError, KeyError):  # outside of a graph
        return None


def _named(name: str, runtime: Any, configurable: Mapping[str, Any]) -> Any:
    """The first value anyone gives for an id."""
    values = [_of(getattr(runtime, "context", None), name), configurable.get(name)]
    if name == "user_id":
        user = getattr(getattr(runtime, "server_info", None), "user", None)
        values += [configurable.get("langgraph_user_id"), getattr(user, "identity", None)]
    return next((value for value in values if value is not None), None)


def _of(context: Any, name: str) -> Any:
    return context.get(name) if isinstance(context, Mapping) else getattr(context, name, None)


def _delegated(checkpoint_ns: str) -> bool:
    """Whether a step lies within a tool: `tools:1|model:2` does, `tools:1` is the step that runs the tool."""
    return any(step.partition(":")[0] == "tools" for step in checkpoint_ns.split("|")[:-1])
