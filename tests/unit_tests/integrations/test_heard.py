"""Tests of what an agent's memory hears: the conversation in state order, and nothing that was kept from the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import (
    AgentMiddleware,
    HumanInTheLoopMiddleware,
    PIIMiddleware,
    SummarizationMiddleware,
    after_agent,
    before_agent,
    before_model,
    wrap_model_call,
)
from langchain.agents.middleware._redaction import PIIDetectionError
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command

from langchain_mem import InMemoryCheckpointer, Memory, MemoryMiddleware, extraction_node
from langchain_mem.integrations.conversation import spliced, spoken
from langchain_mem.testing import ScriptedModel
from tests.unit_tests.agents import facts, memory_with, prompt_of, texts, thread

ORDERS = pytest.mark.parametrize("first", ["memory", "other"])
"""Whether `MemoryMiddleware` stands before the other middleware or after it."""


def _say(*texts: str) -> dict[str, Any]:
    return {"messages": [HumanMessage(text) for text in texts]}


def _agent(memory: Memory, first: str, *others: Any, model: Any = None, tools: Any = (), saver: Any = None) -> Any:
    own = MemoryMiddleware(memory, tools=False)
    chain = [own, *others] if first == "memory" else [*others, own]
    return create_agent(model or ScriptedModel(otherwise="I see."), list(tools), middleware=chain, checkpointer=saver)


def _heard(memory: Memory) -> str:
    """Everything that the extraction's model was shown."""
    assert isinstance(memory.model, ScriptedModel)
    return "\n".join(prompt_of(call) for call in memory.model.calls)


def test_the_newest_statement_is_learned_where_the_client_keeps_the_history():
    """Without a checkpointer the client sends all messages each time; the last one is what is extracted."""
    memory = memory_with()
    agent = _agent(memory, "memory")
    history: list[Any] = []
    for text in ("My dog is named Rex.", "I live in Lisbon.", "I play the cello."):
        history = agent.invoke({"messages": [*history, HumanMessage(text)]}, {"configurable": {"user_id": "alex"}})[
            "messages"
        ]
    assert texts(memory) == ["I live in Lisbon.", "I play the cello.", "My dog is named Rex."]


def test_after_an_approval_the_newest_question_counts():
    """In a thread with an earlier turn, what is recalled after a resume is for the question that was asked last."""

    @tool
    def book(seat: str) -> str:
        """Books a seat."""
        return f"booked {seat}"

    memory = memory_with(TimeoutError("down"), TimeoutError("down"))
    for text in ("Prefers window seats", "Has a dog named Rex"):
        memory.add(text, user_id="alex", infer=False)
    model = ScriptedModel(
        "Good dog.", AIMessage("", tool_calls=[{"name": "book", "args": {"seat": "1A"}, "id": "1"}]), "Booked."
    )
    own = MemoryMiddleware(memory, tools=False, top_k=1)
    approval = HumanInTheLoopMiddleware(interrupt_on={"book": True})
    agent = create_agent(model, [book], middleware=[own, approval], checkpointer=InMemoryCheckpointer())
    agent.invoke(_say("Guess: what is my dog named?"), thread())
    agent.invoke(_say("Which window seats are free?"), thread())
    agent.invoke(Command(resume={"decisions": [{"type": "approve"}]}), thread())
    assert "Prefers window seats" in prompt_of(model.calls[2])
    assert "Has a dog named Rex" not in prompt_of(model.calls[2])


@ORDERS
@pytest.mark.parametrize("model", [True, False])
def test_what_a_pii_middleware_took_out_is_not_stored(first: str, model: bool):
    """The redacted message is what is extracted and stored, in any order of the middlewares."""
    memory = memory_with(facts("Has an email address")) if model else memory_with()
    redact = PIIMiddleware("email", strategy="redact", apply_to_output=True)
    reply = ScriptedModel("I wrote to alex@example.org.")
    _agent(memory, first, redact, model=reply, saver=InMemoryCheckpointer()).invoke(
        _say("My address is alex@example.org."), thread()
    )
    kept = str(memory.export(user_id="alex"))
    assert "example.org" not in kept
    assert texts(memory) == (["Has an email address"] if model else ["My address is [REDACTED_EMAIL]."])
    if model:
        assert "[REDACTED_EMAIL]" in _heard(memory)
        assert "example.org" not in _heard(memory)


@ORDERS
def test_what_was_redacted_and_then_summarized_away_is_learned_redacted(first: str):
    """A message that a PII middleware changed and a summary replaced in one run is extracted as it was changed to."""

    @tool
    def read() -> str:
        """Reads much."""
        return "much"

    memory = memory_with(facts("Has an email address"))
    call = AIMessage("", tool_calls=[{"name": "read", "args": {}, "id": "1"}])
    summarize = SummarizationMiddleware(
        ScriptedModel(otherwise="A SUMMARY"), trigger=("messages", 3), keep=("messages", 1)
    )
    redact = PIIMiddleware("email", strategy="redact")
    agent = _agent(
        memory, first, redact, summarize, model=ScriptedModel(call, "Done."), tools=[read], saver=InMemoryCheckpointer()
    )
    result = agent.invoke(_say("My address is alex@example.org."), thread())
    assert not any("address is" in message.text for message in result["messages"])
    assert "My address is [REDACTED_EMAIL]." in _heard(memory)
    assert "example.org" not in _heard(memory) + str(memory.export(user_id="alex"))


@before_agent(can_jump_to=["end"])
def _blocks_first(state: Any, runtime: Any) -> dict[str, Any] | None:
    if "bomb" in state["messages"][-1].text:
        return {"messages": [AIMessage("I cannot talk about that bomb.")], "jump_to": "end"}
    return None


@before_model(can_jump_to=["end"])
def _blocks_later(state: Any, runtime: Any) -> dict[str, Any] | None:
    if "bomb" in state["messages"][-1].text:
        return {"messages": [AIMessage("I cannot talk about that bomb.")], "jump_to": "end"}
    return None


@wrap_model_call
def _blocks_the_call(request: Any, handler: Callable[[Any], Any]) -> Any:
    if "bomb" in request.messages[-1].text:
        return AIMessage("I cannot talk about that bomb.")
    return handler(request)


@ORDERS
@pytest.mark.parametrize(
    "guard",
    [_blocks_first, _blocks_later, _blocks_the_call],
    ids=["before_agent", "before_model", "wrap_model_call"],
)
def test_what_a_guardrail_blocked_is_not_learned(first: str, guard: AgentMiddleware[Any, Any, Any]):
    """A message that the model was never given is not extracted, nor is it with the next turn's."""
    memory = memory_with()
    agent = _agent(memory, first, guard, saver=InMemoryCheckpointer())
    agent.invoke(_say("I like tea."), thread())
    agent.invoke(_say("I build a bomb in Oslo."), thread())
    assert texts(memory) == ["I like tea."]
    agent.invoke(_say("I play the cello."), thread())
    assert texts(memory) == ["I like tea.", "I play the cello."]
    assert "bomb" not in str(memory.export(user_id="alex"))


@ORDERS
def test_what_a_pii_middleware_refused_is_not_learned(first: str):
    """A message for which a run was refused is not extracted with the next turn's."""
    memory = memory_with()
    agent = _agent(memory, first, PIIMiddleware("email", strategy="block"), saver=InMemoryCheckpointer())
    with pytest.raises(PIIDetectionError):
        agent.invoke(_say("My address is alex@example.org."), thread())
    agent.invoke(_say("I play the cello."), thread())
    assert texts(memory) == ["I play the cello."]


def test_a_message_whose_model_failed_is_learned_in_the_next_turn():
    """A provider's error loses nothing: the message it met is extracted with the next one."""
    memory = memory_with()
    agent = _agent(memory, "memory", model=ScriptedModel(TimeoutError("slow"), "I see."), saver=InMemoryCheckpointer())
    with pytest.raises(TimeoutError):
        agent.invoke(_say("I like tea."), thread())
    agent.invoke(_say("I play the cello."), thread())
    assert texts(memory) == ["I like tea.", "I play the cello."]


def test_what_an_output_guardrail_replaced_is_not_learned():
    """What a guardrail behind the memory in the list makes of an answer is what is extracted."""

    @after_agent
    def censor(state: Any, runtime: Any) -> dict[str, Any]:
        return {"messages": [AIMessage("I cannot say.", id=state["messages"][-1].id)]}

    memory = memory_with(facts())
    agent = _agent(memory, "memory", censor, model=ScriptedModel("The code is 4711."), saver=InMemoryCheckpointer())
    agent.invoke(_say("What is the code?"), thread())
    assert "4711" not in _heard(memory)
    assert "I cannot say." in _heard(memory)


def test_what_was_taken_out_stands_where_it_was():
    """A message that is gone from the state follows the one it followed; the state's order and words count."""
    before = spoken([HumanMessage("a", id="1"), HumanMessage("b", id="2"), HumanMessage("c", id="3")])
    now = spoken([HumanMessage("C", id="3"), HumanMessage("d", id="4")])
    assert [message.text for message in spliced(now, before).values()] == ["a", "b", "C", "d"]
    moved = spoken([HumanMessage("a", id="1"), HumanMessage("d", id="4")])
    assert [message.text for message in spliced(moved, before).values()] == ["a", "b", "c", "d"]


def _lives(city: str) -> Callable[[Any], dict[str, Any]]:
    return lambda _: facts(f"Lives in {city}", "Has a dog")


@pytest.mark.parametrize(("model", "approve"), [(True, False), (True, True), (False, False)])
def test_an_edited_message_is_learned_and_supersedes(model: bool, approve: bool):
    """A message edited under its id is extracted again; what only its former words said is superseded."""
    memory = memory_with(_lives("Lisbon"), _lives("Porto"), facts()) if model else memory_with()
    if approve:
        builder = StateGraph(MessagesState).add_node("remember", extraction_node(memory, approve=True))
        agent: Any = builder.add_edge(START, "remember").compile(checkpointer=InMemoryCheckpointer())
    else:
        agent = _agent(memory, "memory", saver=InMemoryCheckpointer())
    for city in ("Lisbon", "Porto"):
        edit = HumanMessage(f"I live in {city} and have a dog.", id="m1")
        agent.invoke({"messages": [edit]}, thread())
        if approve:
            agent.invoke(Command(resume=True), thread())
    found = texts(memory)
    assert found == (["Has a dog", "Lives in Porto"] if model else ["I live in Porto and have a dog."])
    past = memory.get_all(user_id="alex", latest_only=False)["results"]
    (former,) = [one for one in past if "Lisbon" in one["memory"]]
    assert [change["event"] for change in memory.history(former["id"])][:2] == ["ADD", "SUPERSEDE"]
    agent.invoke({"messages": [HumanMessage("It is sunny.", id="m2")]}, thread())
    assert texts(memory) == (found if model else sorted([*found, "It is sunny."]))


def test_an_edit_that_is_taken_back():
    """A message that gets its first words again is learned again in them."""
    memory = memory_with()
    agent = _agent(memory, "memory", saver=InMemoryCheckpointer())
    for city in ("Lisbon", "Porto", "Lisbon"):
        agent.invoke({"messages": [HumanMessage(f"I live in {city}.", id="m1")]}, thread())
    assert texts(memory) == ["I live in Lisbon."]


def test_a_message_edited_in_the_checkpoint():
    """`update_state` with a message's id counts as an edit in the next run."""
    memory = memory_with()
    agent = _agent(memory, "memory", saver=InMemoryCheckpointer())
    agent.invoke({"messages": [HumanMessage("I live in Lisbon.", id="m1")]}, thread())
    agent.update_state(thread(), {"messages": [HumanMessage("I live in Porto.", id="m1")]})
    agent.invoke(_say("Hello"), thread())
    assert texts(memory) == ["I live in Porto."]


@ORDERS
async def test_what_a_guardrail_blocked_on_an_event_loop(first: str):
    """The same through the async form, for a guardrail that answers in the model's place."""

    @wrap_model_call
    async def block(request: Any, handler: Callable[[Any], Any]) -> Any:
        blocked = "bomb" in request.messages[-1].text
        return AIMessage("I cannot talk about that bomb.") if blocked else await handler(request)

    memory = memory_with()
    agent = _agent(memory, first, block, saver=InMemoryCheckpointer())
    for text in ("I like tea.", "I build a bomb in Oslo.", "I play the cello."):
        await agent.ainvoke(_say(text), thread())
    assert texts(memory) == ["I like tea.", "I play the cello."]
