"""Memory for `create_agent`: recall before the agent, injection into each model call, extraction after it.

    before_agent      recall; what is recalled stays with the middleware, under a number that the run carries
    wrap_model_call   what was found → beside the last user message of this call, the core → its system message
    after_model       notes which messages the model was given, as they were then
    after_agent       extraction of what the model was given and what the agent said

Neither the thread nor the state holds recalled text, so no stream of the state shows it.

Only what a model was given is learned. What a guardrail has kept from the model is not, and what another middleware has
changed, as `PIIMiddleware` does, is learned as it was changed to. What has been taken out of the state since, as
`SummarizationMiddleware` does, is learned all the same: the state's order and words count, and only what was removed
from it is put back.
"""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final, Literal, TypeVar

from langchain.agents.middleware import AgentMiddleware
from langchain.agents.middleware.types import ModelCallResult, ModelRequest, ModelResponse
from langchain_core.language_models import BaseChatModel
from langgraph.types import TracePolicy, omit_payload
from typing_extensions import override

from langchain_mem._flow import arun, run
from langchain_mem.errors import InvalidRequest
from langchain_mem.integrations.conversation import messages_in, value_in
from langchain_mem.integrations.extracting import check_write, extracting, patient
from langchain_mem.integrations.failing import OnError
from langchain_mem.integrations.heard import Hearing, MemoryAgentState
from langchain_mem.integrations.model_calls import watching_model_calls
from langchain_mem.integrations.place import Place
from langchain_mem.integrations.prompting import with_memories
from langchain_mem.integrations.recall import TOKENS, TOP_K, Recall, recalling
from langchain_mem.integrations.tools import owned_tools
from langchain_mem.memory.base import MemoryBase
from langchain_mem.model.scopes import Ids

HIDDEN: Final = TracePolicy(process_inputs=omit_payload, process_outputs=omit_payload)
"""Traces show that the hooks ran, and how long, but no text of memories."""

R = TypeVar("R")

_RUNS: Final = 1_000
"""At most so many runs under way have what was recalled at hand; for another one it is recalled again."""


class MemoryMiddleware(AgentMiddleware[MemoryAgentState, Any, Any]):
    """Gives an agent memory across threads.

        agent = create_agent(model, tools, middleware=[MemoryMiddleware(memory)], context_schema=MemoryContext)
        agent.invoke({"messages": [...]}, {"configurable": {"thread_id": "1"}}, context=MemoryContext(user_id="alex"))

    A sub-agent that runs inside a tool of another agent recalls memories, but neither adds nor forgets any, because the
    messages that it gets as a user's were written by a model.

    Args:
        memory: The memory to read and to write; `None` for the store of the run, such as that of LangGraph Server.
        top_k: At most so many memories are recalled, beside the core and the turns that they rest on; see
            `retrieval_node`.
        token_budget: At most so many tokens of all of it go into the prompt; `None` for no limit.
        write: When facts are extracted: before the agent returns (`"after"`), by a background worker (`"background"`),
            or never (`None`).
        after: With `write="background"`, how long a thread must be quiet before its messages are extracted; see
            `extraction_node`.
        after_tokens: The number of waiting tokens that are extracted at once; by default as many as one prompt
            contains.
        tools: Whether the agent gets tools to save, search, update and forget memories; see `memory_tools`.
        on_error: What happens if the memory fails. `"warn"` logs a warning and an event, and the agent answers without
            it; `"raise"` fails the run.
        name: Distinguishes several memories of one agent. It is part of the names of the tools.
        model: The model that extracts facts, if no memory is given. Without a model, messages are stored word for word.
        trace_policy: What traces of these hooks contain; no text by default, `None` for the application's default.
        **options: Any other argument of `retrieval_node`, such as `query`, `owner`, `pinned`, `layers`, `filters` or
            `instructions`, which are added to the system message. An id, such as `agent_id`, is added to those of the
            run, for reading and for writing.

    Raises:
        InvalidRequest: An option is out of its range.
        UnknownOption: There is no such option.
    """

    state_schema = MemoryAgentState

    def __init__(
        self,
        memory: MemoryBase | None = None,
        *,
        top_k: int = TOP_K,
        token_budget: int | None = TOKENS,
        write: Literal["after", "background"] | None = "after",
        after: timedelta | None = None,
        after_tokens: int | None = None,
        tools: bool = True,
        on_error: OnError = "warn",
        name: str | None = None,
        model: BaseChatModel | str | None = None,
        trace_policy: TracePolicy | None = HIDDEN,
        **options: Any,
    ) -> None:
        super().__init__()
        check_write(write, "after", "background", None)
        _check(name)
        place = Place(memory, model=model)
        ids = {id_: options[id_] for id_ in Ids.__annotations__ if id_ in options}
        self._name = f"MemoryMiddleware[{name}]" if name else "MemoryMiddleware"
        self._recalling = recalling(place, top_k=top_k, token_budget=token_budget, on_error=on_error, **options)
        self._extracting = extracting(
            place, background=write == "background", patience=patient(after, after_tokens), on_error=on_error,
            owner=options.get("owner"), **ids,
        )  # fmt: skip
        self._hearing = Hearing(self._name, self._extracting) if write is not None else None
        self._recalled: OrderedDict[str, Recall] = OrderedDict()
        self.trace_policy = trace_policy
        self.tools = owned_tools(place, top_k=top_k, name=name, owner=options.get("owner"), beside=ids) if tools else []

    @property
    @override
    def name(self) -> str:
        return self._name

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
        asked = run(self._injected(request))
        with watching_model_calls() as calls:
            result = handler(asked)
        return self._answered(request, calls, result)

    @override
    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ModelCallResult[Any]:
        asked = await arun(self._injected(request))
        with watching_model_calls() as calls:
            result = await handler(asked)
        return self._answered(request, calls, result)

    @override
    def after_model(self, state: MemoryAgentState, runtime: Any) -> dict[str, Any] | None:
        return self._hearing.heard(state) if self._hearing else None

    @override
    async def aafter_model(self, state: MemoryAgentState, runtime: Any) -> dict[str, Any] | None:
        return self._hearing.heard(state) if self._hearing else None

    @override
    def after_agent(self, state: MemoryAgentState, runtime: Any) -> dict[str, Any] | None:
        return run(self._end(state, runtime))

    @override
    async def aafter_agent(self, state: MemoryAgentState, runtime: Any) -> dict[str, Any] | None:
        return await arun(self._end(state, runtime))

    async def _begin(self, state: MemoryAgentState, runtime: Any) -> dict[str, Any]:
        begun = await self._hearing.begin(state, runtime) if self._hearing else {}
        number = value_in(state, "memory_run") or uuid.uuid4().hex
        self._keep(number, await self._recalling.recall(state, runtime))
        return {**begun, "memory_run": number}

    async def _injected(self, request: ModelRequest[Any]) -> ModelRequest[Any]:
        """The request with what was recalled; recalled again where an interrupt has taken it from the run."""
        if self._hearing:
            self._hearing.asked(request.messages, request.runtime)
        number = value_in(request.state, "memory_run")
        recall = self._recalled.get(number) if number else None
        if recall is None:
            recall = await self._recalling.recall(self._whole(request.state), request.runtime)
            if number:
                self._keep(number, recall)
        return with_memories(request, *self._recalling.texts(recall))

    def _answered(self, request: ModelRequest[Any], calls: list[str], result: R) -> R:
        """Notes that a model was given the request, and no guardrail answered in its place."""
        if self._hearing and calls:
            self._hearing.given(request.state)
        return result

    def _whole(self, state: Any) -> dict[str, Any]:
        """The state with the messages that a summary has replaced, the question among them."""
        return {**state, "messages": self._hearing.whole(state) if self._hearing else messages_in(state)}

    async def _end(self, state: MemoryAgentState, runtime: Any) -> dict[str, Any] | None:
        recall = self._recalled.pop(value_in(state, "memory_run") or "", None)
        if recall is not None:
            await self._extracting.count_used(recall.memories, messages_in(state), runtime)
        return await self._hearing.end(state, runtime) if self._hearing else None

    def _keep(self, number: str, recall: Recall) -> None:
        self._recalled[number] = recall
        while len(self._recalled) > _RUNS:
            self._recalled.popitem(last=False)


def _check(name: object) -> None:
    if name is not None and not (isinstance(name, str) and name.isidentifier()):
        raise InvalidRequest(f"name is a word of letters, digits and underscores, not {name!r:.200}.")
