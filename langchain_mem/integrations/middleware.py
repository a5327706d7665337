"""Memory for `create_agent`: recall before the agent, injection into each model call, extraction after it.

    before_agent      recall → state, in no checkpoint; what was said and is not extracted yet → state, kept
    wrap_model_call   recalled text → the system message of this call; the thread does not grow by it
    after_agent       extraction of what was kept and what the agent said

Messages are kept aside from the beginning of a run because other middleware may replace them: `SummarizationMiddleware`
takes them out of the thread before the agent is done, and what it puts in is no evidence.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, Literal, NotRequired

from langchain.agents.middleware import AgentMiddleware
from langchain.agents.middleware.types import AgentState, ModelCallResult, ModelRequest, ModelResponse, PrivateStateAttr
from langchain_core.messages import AnyMessage, SystemMessage
from langgraph.channels import UntrackedValue
from langgraph.types import TracePolicy, omit_payload
from typing_extensions import override

from langchain_mem._flow import arun, run
from langchain_mem.integrations.identity import messages_in, whose
from langchain_mem.integrations.nodes import extraction_node, last_said, retrieval_node, value_in
from langchain_mem.integrations.tools import memory_tools
from langchain_mem.memory.facade import MemoryBase

HIDDEN: Final = TracePolicy(process_inputs=omit_payload, process_outputs=omit_payload)
"""Traces show that the hooks ran, and how long, but no text of memories."""


class MemoryAgentState(AgentState[Any]):
    """What the middleware adds to an agent's state; private to it.

    Attributes:
        memories: What was recalled; in no checkpoint.
        memory_context: Its text; in no checkpoint.
        memory_heard: Messages that are not extracted yet, as they were said.
    """

    memories: NotRequired[Annotated[list[dict[str, Any]], UntrackedValue, PrivateStateAttr]]
    memory_context: NotRequired[Annotated[str, UntrackedValue, PrivateStateAttr]]
    memory_heard: NotRequired[Annotated[list[AnyMessage], PrivateStateAttr]]


class MemoryMiddleware(AgentMiddleware[MemoryAgentState, Any, Any]):
    """Gives an agent memory across threads.

        agent = create_agent(model, tools, middleware=[MemoryMiddleware(memory)], context_schema=MemoryContext)
        agent.invoke({"messages": [...]}, {"configurable": {"thread_id": "1"}}, context=MemoryContext(user_id="alex"))

    A sub-agent that runs inside a tool of another agent recalls, but remembers and forgets nothing: what it takes for
    a user's words is a model's.

    Args:
        memory: Where to recall from and to write.
        top_k: At most so many memories are recalled.
        token_budget: At most so many tokens of them go into the prompt.
        write: When what was said is extracted: before the agent returns, by a worker meanwhile, or not at all.
        tools: Whether the agent gets tools to save, search, update and forget memories; see `memory_tools`.
        on_error: What a failing extraction does; see `extraction_node`.
        trace_policy: What traces of these hooks show; `HIDDEN` unless given, `None` for the application's default.
        **search: Whatever else `retrieval_node` takes, such as `layers`, `filters` or `pinned`.
    """

    state_schema = MemoryAgentState

    def __init__(
        self,
        memory: MemoryBase,
        *,
        top_k: int = 5,
        token_budget: int | None = None,
        write: Literal["after", "background"] | None = "after",
        tools: bool = True,
        on_error: Literal["raise", "warn"] = "raise",
        trace_policy: TracePolicy | None = HIDDEN,
        **search: Any,
    ) -> None:
        super().__init__()
        self.tools = memory_tools(memory, top_k=top_k) if tools else []
        self.trace_policy = trace_policy
        self._retrieval = retrieval_node(memory, top_k=top_k, token_budget=token_budget, query=_asked, **search)
        self._extraction = extraction_node(memory, background=write == "background", on_error=on_error)
        self._writes = write is not None

    @override
    def before_agent(self, state: MemoryAgentState, runtime: Any) -> dict[str, Any]:
        return run(self._begin(state, runtime))

    @override
    async def abefore_agent(self, state: MemoryAgentState, runtime: Any) -> dict[str, Any]:
        return await arun(self._begin(state, runtime))

    @override
    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelCallResult[Any]:
        return handler(run(self._injected(request)))

    @override
    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ModelCallResult[Any]:
        return await handler(await arun(self._injected(request)))

    @override
    def after_agent(self, state: MemoryAgentState, runtime: Any) -> dict[str, Any] | None:
        return run(self._end(state, runtime))

    @override
    async def aafter_agent(self, state: MemoryAgentState, runtime: Any) -> dict[str, Any] | None:
        return await arun(self._end(state, runtime))

    async def _begin(self, state: MemoryAgentState, runtime: Any) -> dict[str, Any]:
        update: dict[str, Any] = {**await self._retrieval.recall(state, runtime)}
        if self._writes:
            update["memory_heard"] = await self._extraction.pending(_said(state), whose(runtime))
        return update

    async def _injected(self, request: ModelRequest[Any]) -> ModelRequest[Any]:
        """The request with what was recalled; recalled again where an interrupt has taken it from the state."""
        text = value_in(request.state, "memory_context")
        if text is None:
            text = (await self._retrieval.recall(request.state, request.runtime))["memory_context"]
        return request.override(system_message=_with(request.system_message, text)) if text else request

    async def _end(self, state: MemoryAgentState, runtime: Any) -> dict[str, Any] | None:
        await self._extraction.reinforce(state)
        if self._writes and await self._extraction.extract(_said(state), whose(runtime)):
            return {"memory_heard": []}
        return None


def _said(state: Any) -> list[Any]:
    """What was said, with what other middleware has taken out of the thread since."""
    heard = value_in(state, "memory_heard") or []
    ids = {message.id for message in heard}
    return [*heard, *(message for message in messages_in(state) if message.id not in ids)]


def _asked(state: Any) -> str:
    """What the user asked last, also where the message itself has been summarized away."""
    return last_said({"messages": _said(state)})


def _with(system: SystemMessage | None, text: str) -> SystemMessage:
    if system is None:
        return SystemMessage(text)
    if isinstance(system.content, str):
        return SystemMessage(f"{system.content}\n\n{text}")
    return SystemMessage([*system.content, {"type": "text", "text": text}])
