"""Memory with each of LangChain's middlewares: before and after it, and as nodes around it, in every form and thread.

The full cross product is `make soak`'s. Here each middleware meets each position, and over all of them every form and
every kind of thread is met several times.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import (
    ClearToolUsesEdit,
    ContextEditingMiddleware,
    HumanInTheLoopMiddleware,
    LLMToolSelectorMiddleware,
    ModelCallLimitMiddleware,
    ModelFallbackMiddleware,
    ModelRetryMiddleware,
    PIIMiddleware,
    SummarizationMiddleware,
    TodoListMiddleware,
    ToolCallLimitMiddleware,
    ToolRetryMiddleware,
    dynamic_prompt,
    wrap_model_call,
)
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_core.messages import BaseMessage, SystemMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from pydantic import BaseModel

from langchain_mem import InMemoryCheckpointer, Memory, MemoryMiddleware, MemoryState, extraction_node, recalled
from langchain_mem.integrations import arecalled
from langchain_mem.testing import ScriptedModel
from tests.integration_tests.agents import world
from tests.integration_tests.agents.world import ANSWER, FORMS, SEATS, Seen, call, facts, find_seats, remembering


def agent_model(messages: list[BaseMessage]) -> Any:
    """Looks for seats once in each turn, and answers."""
    if messages[-1].type == "human":
        return call("find_seats", to="there")
    return ANSWER


class Seat(BaseModel):
    """A seat."""

    row: int


def _failing_first(reply: Callable[[list[BaseMessage]], Any]) -> Callable[[list[BaseMessage]], Any]:
    """A model whose first call of each turn fails."""
    asked: set[str] = set()

    def says(messages: list[BaseMessage]) -> Any:
        if messages[-1].type == "human" and messages[-1].text not in asked:
            asked.add(messages[-1].text)
            return TimeoutError("slow")
        return reply(messages)

    return says


@dynamic_prompt
def _brief(request: Any) -> str:
    return "Be very brief."


@dataclass(frozen=True, kw_only=True)
class Case:
    """A middleware, and what is different with it.

    Attributes:
        others: Makes the middlewares.
        model: What the agent's model says.
        answer: What the user reads last.
        options: Further options of the agent.
        saver: Whether it works on threads only.
        sees: A text that every prompt of the agent's model matches, beside what is recalled.
    """

    others: Callable[[], list[Any]]
    model: Callable[[], Any] = field(default=lambda: agent_model)
    answer: str = ANSWER
    options: Callable[[], dict[str, Any]] = dict
    saver: bool = False
    sees: str = ""


def _summarizing() -> list[Any]:
    return [SummarizationMiddleware(ScriptedModel(otherwise="S"), trigger=("messages", 5), keep=("messages", 3))]


def _selecting() -> list[Any]:
    chosen = ScriptedModel(otherwise={"tools": ["find_seats"]})
    return [LLMToolSelectorMiddleware(model=chosen, max_tools=1)]


def _structured(strategy: Callable[[], Any], reply: Any) -> dict[str, Any]:
    return {
        "options": lambda: {"response_format": strategy()},
        "model": lambda: lambda messages: reply,
    }


CASES = {
    "none": Case(others=list),
    "summarization": Case(others=_summarizing),
    "approval": Case(others=lambda: [HumanInTheLoopMiddleware(interrupt_on={"find_seats": True})], saver=True),
    "pii": Case(others=lambda: [PIIMiddleware("email", apply_to_output=True)]),
    "fallback": Case(
        others=lambda: [ModelFallbackMiddleware(ScriptedModel(otherwise=agent_model))],
        model=lambda: lambda messages: TimeoutError("slow"),
    ),
    "model retry": Case(
        others=lambda: [ModelRetryMiddleware(max_retries=2, initial_delay=0, jitter=False)],
        model=lambda: _failing_first(agent_model),
    ),
    "tool retry": Case(others=lambda: [ToolRetryMiddleware(max_retries=1, initial_delay=0, jitter=False)]),
    "model limit": Case(
        others=lambda: [ModelCallLimitMiddleware(run_limit=1, exit_behavior="end")],
        answer="Model call limits exceeded: run limit (1/1)",
    ),
    "tool limit": Case(others=lambda: [ToolCallLimitMiddleware(run_limit=5)]),
    "context editing": Case(others=lambda: [ContextEditingMiddleware(edits=[ClearToolUsesEdit(trigger=1, keep=0)])]),
    "todo": Case(others=lambda: [TodoListMiddleware()], sees="write_todos"),
    "tool selection": Case(others=_selecting),
    "dynamic prompt": Case(others=lambda: [_brief], sees="Be very brief."),
    "structured by tool": Case(
        others=list,
        **_structured(lambda: ToolStrategy(Seat), {"name": "Seat", "args": {"row": 12}}),
        answer="Returning structured response: row=12",
    ),
    "structured by provider": Case(
        others=list, **_structured(lambda: ProviderStrategy(Seat), '{"row": 12}'), answer='{"row": 12}'
    ),
}

PLACES = ("before", "after", "nodes")
"""Where the memory stands: before the other middleware, after it, or in nodes around the agent."""

TALKS: dict[str, Any] = {
    "new": world.one_turn,
    "no checkpointer": world.without_a_checkpointer,
    "resumed": world.resumed,
    "forked": world.forked,
    "edited": world.edited,
}

LEARNED = {
    "new": ["Flies to Tokyo"],
    "no checkpointer": ["Flies to Kyoto", "Flies to Tokyo"],
    "resumed": ["Flies to Kyoto", "Flies to Tokyo"],
    "forked": ["Flies to Bonn", "Flies to Kyoto", "Flies to Tokyo"],
    "edited": ["Flies to Oslo"],
}


def _everything() -> Iterator[tuple[str, str, str, str]]:
    for name, place, talk, form in itertools.product(CASES, PLACES, TALKS, FORMS):
        if not (CASES[name].saver and talk == "no checkpointer"):
            yield name, place, talk, form


def _diagonal() -> Iterator[tuple[str, str, str, str]]:
    """Each middleware in each position, the forms and the kinds of thread taken in turn."""
    turns = zip(itertools.product(CASES, PLACES), itertools.cycle(FORMS), itertools.count(), strict=False)
    for (name, place), form, turn in turns:
        talks = [talk for talk in TALKS if not (CASES[name].saver and talk == "no checkpointer")]
        yield name, place, talks[turn % len(talks)], form


def _check(name: str, place: str, talk: str, form: str, runner: asyncio.Runner) -> None:
    case, memory = CASES[name], remembering()
    model, others = ScriptedModel(otherwise=case.model()), case.others()
    saver = None if talk == "no checkpointer" else InMemoryCheckpointer()
    agent = _agent(case, memory, model, others, place, saver)
    seen: Seen = TALKS[talk](agent, form, runner)
    asked = [*model.calls, *_asked_of(others)]
    assert all(SEATS in "\n".join(message.text for message in prompt) for prompt in asked), "what the model saw"
    assert all(re.search(case.sees, str(prompt) + str(model.tools)) for prompt in asked), "what the model saw"
    assert set(seen.answers) == {case.answer}, "what the user saw"
    assert not re.search(rf"{SEATS}|recalled_memories|'evidence'|\"evidence\"", str(seen.shown)), "what the user saw"
    assert facts(memory) == sorted([*LEARNED[talk], SEATS]), "what was remembered"


def _agent(case: Case, memory: Memory, model: ScriptedModel, others: list[Any], place: str, saver: Any) -> Any:
    """The agent under test; with nodes, the agent is a node between those that recall and remember."""
    own: Any = _with_memories(memory) if place == "nodes" else MemoryMiddleware(memory, tools=False)
    chain = [own, *others] if place == "before" else [*others, own]
    kept = None if place == "nodes" else saver
    agent = create_agent(
        model, [find_seats], middleware=chain, checkpointer=kept, system_prompt="Help.", **case.options()
    )
    if place != "nodes":
        return agent
    builder = StateGraph(MemoryState, output_schema=MessagesState)
    builder.add_node("agent", agent).add_node("remember", extraction_node(memory))
    builder.add_edge(START, "agent").add_edge("agent", "remember").add_edge("remember", END)
    return builder.compile(checkpointer=saver)


def _with_memories(memory: Memory) -> Any:
    """Recalls where the model is called, so that what is recalled is in no state."""

    def shown(request: Any, known: str) -> Any:
        return request.override(system_message=SystemMessage(f"{request.system_prompt}\n{known}"))

    @wrap_model_call
    def recalling(request: Any, handler: Callable[[Any], Any]) -> Any:
        return handler(shown(request, recalled(request.state, request.runtime, memory=memory)["memory_context"]))

    @wrap_model_call
    async def arecalling(request: Any, handler: Callable[[Any], Any]) -> Any:
        known = await arecalled(request.state, request.runtime, memory=memory)
        return await handler(shown(request, known["memory_context"]))

    recalling.awrap_model_call = arecalling.awrap_model_call
    return recalling


def _asked_of(others: list[Any]) -> list[list[BaseMessage]]:
    """The prompts of a model that stood in for the agent's."""
    models = [model for other in others for model in getattr(other, "models", [])]
    return [prompt for model in models for prompt in model.calls]


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.mark.parametrize(("name", "place", "talk", "form"), list(_diagonal()))
def test_with_a_middleware(name: str, place: str, talk: str, form: str, runner: asyncio.Runner):
    """The model sees what is recalled, the user sees the answer and nothing else, and what was said is remembered."""
    _check(name, place, talk, form, runner)


@pytest.mark.soak
@pytest.mark.parametrize("name", CASES)
def test_everything_with_everything(name: str, runner: asyncio.Runner):
    """The same for every position, kind of thread and form."""
    for combination in _everything():
        if combination[0] == name:
            _check(*combination, runner)
