"""Tests of the middleware, each with a whole agent."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware, SummarizationMiddleware
from langchain.agents.structured_output import ToolStrategy
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import tool
from langchain_core.tracers.base import BaseTracer
from langgraph.types import Command
from pydantic import BaseModel

from langchain_mem import InMemoryCheckpointer, MemoryContext, MemoryMiddleware
from langchain_mem.errors import ExtractionError, ScopeError
from langchain_mem.testing import ScriptedModel
from tests.unit_tests.agents import facts, memory_with, prompt_of, texts, thread

ALEX = MemoryContext(user_id="alex")


def say(text: str) -> dict[str, Any]:
    return {"messages": [HumanMessage(text)]}


def calling(name: str, **args: Any) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": name, "args": args, "id": "call_1"}])


def test_an_agent_remembers_across_threads():
    """What was said in one thread is in the prompt of another."""
    memory = memory_with(facts("Prefers window seats"), facts())
    model = ScriptedModel("Noted.", "A window seat, of course.")
    agent = create_agent(
        model, middleware=[MemoryMiddleware(memory)], checkpointer=InMemoryCheckpointer(), context_schema=MemoryContext
    )
    agent.invoke(say("I prefer window seats."), thread("1"), context=ALEX)
    agent.invoke(say("Which seat shall I book?"), thread("2"), context=ALEX)
    assert "Prefers window seats" not in prompt_of(model.calls[0])
    assert "Prefers window seats" in prompt_of(model.calls[1])


async def test_an_agent_remembers_across_threads_on_an_event_loop():
    """The same through the async form."""
    memory = memory_with(facts("Prefers window seats"), facts())
    model = ScriptedModel("Noted.", "A window seat, of course.")
    agent = create_agent(model, middleware=[MemoryMiddleware(memory)], checkpointer=InMemoryCheckpointer())
    await agent.ainvoke(say("I prefer window seats."), thread("1"))
    await agent.ainvoke(say("Which seat shall I book?"), thread("2"))
    assert "Prefers window seats" in prompt_of(model.calls[1])


def test_another_user_sees_nothing_of_it():
    """Memory is its owner's."""
    memory = memory_with(facts("Prefers window seats"), facts())
    model = ScriptedModel("Noted.", "Which would you like?")
    agent = create_agent(model, middleware=[MemoryMiddleware(memory)], checkpointer=InMemoryCheckpointer())
    agent.invoke(say("I prefer window seats."), thread("1"))
    agent.invoke(say("Which seat shall I book?"), thread("2", user_id="bob"))
    assert "window" not in prompt_of(model.calls[1])


def test_no_owner_fails():
    """A run that names no owner does not run."""
    agent = create_agent(ScriptedModel("Hi."), middleware=[MemoryMiddleware(memory_with())])
    with pytest.raises(ScopeError, match="Whose memory"):
        agent.invoke(say("Hi"))


def test_the_thread_and_the_result_hold_no_recalled_text():
    """What is recalled goes into the prompt of a call, and nowhere else."""
    memory = memory_with()
    memory.add("Prefers window seats", user_id="alex", infer=False)
    agent = create_agent(
        ScriptedModel("Aisle or window?"),
        middleware=[MemoryMiddleware(memory, write=None)],
        checkpointer=InMemoryCheckpointer(),
        system_prompt="Be brief.",
    )
    result = agent.invoke(say("Which seat?"), thread())
    assert result.keys() == {"messages"}
    assert [message.type for message in result["messages"]] == ["human", "ai"]
    assert "Prefers window seats" not in str(agent.get_state(thread()).values)


def test_the_agents_own_instructions_stay_first():
    """The application's system prompt is as it was; recalled text follows the user's words."""
    memory = memory_with()
    memory.add("Prefers window seats", user_id="alex", infer=False)
    model = ScriptedModel("Window.")
    agent = create_agent(model, middleware=[MemoryMiddleware(memory, write=None)], system_prompt="Be brief.")
    agent.invoke(say("Which seat?"), thread())
    system, question = model.calls[0]
    assert system.text == "Be brief."
    assert question.text.startswith("Which seat?\n\n<recalled_memories>")


def test_it_streams_only_the_agents_words():
    """Tokens of the extraction are not streamed to the user."""
    memory = memory_with(facts("SECRET fact"))
    agent = create_agent(
        ScriptedModel("Hello there, Alex."), middleware=[MemoryMiddleware(memory)], checkpointer=InMemoryCheckpointer()
    )
    streamed = list(agent.stream(say("SECRET fact"), thread(), stream_mode="messages"))
    assert "".join(chunk.text for chunk, _ in streamed) == "Hello there, Alex."
    assert "operations" not in str(streamed)
    assert texts(memory) == ["SECRET fact"]


async def test_it_streams_only_the_agents_words_on_an_event_loop():
    """The same through the async form."""
    memory = memory_with(facts("SECRET fact"))
    agent = create_agent(ScriptedModel("Hello there, Alex."), middleware=[MemoryMiddleware(memory)])
    streamed = [part async for part in agent.astream(say("SECRET fact"), thread(), stream_mode="messages")]
    assert "".join(chunk.text for chunk, _ in streamed) == "Hello there, Alex."
    assert "operations" not in str(streamed)


@pytest.mark.parametrize("first", ["memory", "summary"])
def test_no_fact_is_lost_to_summarization(first: str):
    """What the thread's summary replaced is extracted from what was said, in either order; the summary is not."""
    memory = memory_with(
        facts("Has a dog named Rex"), facts("Lives in Lisbon"), facts("Plays the cello"), facts("Is left-handed")
    )
    summarize = SummarizationMiddleware(
        ScriptedModel(otherwise="INVENTED SUMMARY"), trigger=("messages", 2), keep=("messages", 1)
    )
    chain = [MemoryMiddleware(memory, tools=False), summarize]
    agent = create_agent(
        ScriptedModel(otherwise="I see."),
        middleware=chain if first == "memory" else chain[::-1],
        checkpointer=InMemoryCheckpointer(),
    )
    for text in ("My dog is named Rex.", "I live in Lisbon.", "I play the cello.", "I am left-handed."):
        agent.invoke(say(text), thread())
    assert texts(memory) == ["Has a dog named Rex", "Is left-handed", "Lives in Lisbon", "Plays the cello"]
    assert isinstance(memory.model, ScriptedModel)
    assert "INVENTED SUMMARY" not in str(memory.model.calls)
    assert "INVENTED SUMMARY" in str(agent.get_state(thread()).values["messages"])


def test_the_current_message_survives_its_own_summary():
    """A run that summarizes its user message away before it ends extracts that message all the same."""

    @tool
    def read() -> str:
        """Reads much."""
        return "much"

    memory = memory_with(facts("Has a dog named Rex"))
    summarize = SummarizationMiddleware(
        ScriptedModel(otherwise="A SUMMARY"), trigger=("messages", 3), keep=("messages", 1)
    )
    agent = create_agent(
        ScriptedModel(calling("read"), "Done."),
        [read],
        middleware=[MemoryMiddleware(memory, tools=False), summarize],
        checkpointer=InMemoryCheckpointer(),
    )
    result = agent.invoke(say("My dog is named Rex."), thread())
    assert "My dog is named Rex." not in [message.text for message in result["messages"]]
    assert texts(memory) == ["Has a dog named Rex"]


def test_what_an_interrupt_took_is_recalled_again():
    """After a person approved a tool call, the next model call knows what was recalled before."""

    @tool
    def book(seat: str) -> str:
        """Books a seat."""
        return f"booked {seat}"

    memory = memory_with(facts("Flies to Tokyo"))
    memory.add("Prefers window seats", user_id="alex", infer=False)
    model = ScriptedModel(calling("book", seat="12A"), "Booked a window seat.")
    agent = create_agent(
        model,
        [book],
        middleware=[MemoryMiddleware(memory), HumanInTheLoopMiddleware(interrupt_on={"book": True})],
        checkpointer=InMemoryCheckpointer(),
    )
    paused = agent.invoke(say("Tokyo: which window seats?"), thread())
    assert "__interrupt__" in paused
    agent.invoke(Command(resume={"decisions": [{"type": "approve"}]}), thread())
    assert "Prefers window seats" in prompt_of(model.calls[1])
    assert texts(memory) == ["Flies to Tokyo", "Prefers window seats"]


async def test_a_person_is_asked_on_an_event_loop():
    """The same through the async form: after the resume the tool has run, and both facts are remembered."""

    @tool
    async def book(seat: str) -> str:
        """Books a seat."""
        return f"booked {seat}"

    memory = memory_with(facts("Flies to Tokyo"))
    await memory.aadd("Prefers window seats", user_id="alex", infer=False)
    model = ScriptedModel(calling("book", seat="12A"), "Booked a window seat.")
    agent = create_agent(
        model,
        [book],
        middleware=[HumanInTheLoopMiddleware(interrupt_on={"book": True}), MemoryMiddleware(memory)],
        checkpointer=InMemoryCheckpointer(),
    )
    await agent.ainvoke(say("Tokyo: which window seats?"), thread())
    result = await agent.ainvoke(Command(resume={"decisions": [{"type": "approve"}]}), thread())
    assert "booked 12A" in [message.text for message in result["messages"]]
    assert "Prefers window seats" in prompt_of(model.calls[1])
    assert texts(memory) == ["Flies to Tokyo", "Prefers window seats"]


def test_structured_output():
    """An agent with a response format remembers, and answers in that form."""

    class Seat(BaseModel):
        """A seat."""

        row: int

    memory = memory_with(facts("Prefers row 12"))
    agent = create_agent(
        ScriptedModel({"name": "Seat", "args": {"row": 12}}),
        middleware=[MemoryMiddleware(memory)],
        response_format=ToolStrategy(Seat),
    )
    result = agent.invoke(say("I prefer row 12."), thread())
    assert result["structured_response"] == Seat(row=12)
    assert texts(memory) == ["Prefers row 12"]


def test_a_sub_agent_recalls_and_writes_nothing():
    """What a supervising model tells a sub-agent is not taken for a user's words."""
    memory = memory_with(facts("Flies to Tokyo"))
    memory.add("Prefers window seats", user_id="alex", infer=False)
    seat_model = ScriptedModel("12A is a window seat.")
    seats = create_agent(seat_model, middleware=[MemoryMiddleware(memory)])

    @tool
    def find_seat(task: str) -> str:
        """Finds a seat."""
        return str(seats.invoke(say(task))["messages"][-1].text)

    agent = create_agent(
        ScriptedModel(calling("find_seat", task="Which window seats?"), "12A."),
        [find_seat],
        middleware=[MemoryMiddleware(memory)],
        checkpointer=InMemoryCheckpointer(),
    )
    agent.invoke(say("I fly to Tokyo. Which seat?"), thread())
    assert "Prefers window seats" in prompt_of(seat_model.calls[0])
    assert texts(memory) == ["Flies to Tokyo", "Prefers window seats"]


def test_a_model_uses_the_tools():
    """The agent has tools of its own memory, and whose it is comes from the run."""
    memory = memory_with(facts())
    model = ScriptedModel(calling("save_memory", text="Likes green tea"), "Saved.")
    agent = create_agent(model, middleware=[MemoryMiddleware(memory)], context_schema=MemoryContext)
    agent.invoke(say("Remember: green tea."), context=ALEX)
    assert texts(memory) == ["Likes green tea"]
    assert set(model.tools[0]) == {"save_memory", "search_memories", "update_memory", "forget_memory"}


def test_no_tools():
    """`tools=False` gives the agent none."""
    model = ScriptedModel("Hi.")
    create_agent(model, middleware=[MemoryMiddleware(memory_with(), tools=False)]).invoke(say("Hi"), thread())
    assert model.tools == [[]]


def test_in_the_background():
    """With `write="background"` a worker extracts; a flush waits for it."""
    memory = memory_with(facts("Prefers window seats"))
    agent = create_agent(
        ScriptedModel("Noted."),
        middleware=[MemoryMiddleware(memory, write="background")],
        checkpointer=InMemoryCheckpointer(),
    )
    agent.invoke(say("I prefer window seats."), thread())
    memory.flush()
    assert texts(memory) == ["Prefers window seats"]


def test_what_failed_is_in_the_next_turn():
    """A turn whose extraction failed loses nothing: the next turn's has its messages, summarized away or not."""
    memory = memory_with(TimeoutError("slow"), facts("Has a dog named Rex"))
    summarize = SummarizationMiddleware(ScriptedModel(otherwise="S"), trigger=("messages", 2), keep=("messages", 1))
    agent = create_agent(
        ScriptedModel(otherwise="I see."),
        middleware=[MemoryMiddleware(memory, tools=False), summarize],
        checkpointer=InMemoryCheckpointer(),
    )
    agent.invoke(say("My dog is named Rex."), thread())
    assert texts(memory) == []
    agent.invoke(say("How are you?"), thread())
    assert texts(memory) == ["Has a dog named Rex"]


def test_a_failing_extraction_is_raised():
    """With `on_error="raise"` the run fails."""
    memory = memory_with(TimeoutError("slow"))
    agent = create_agent(ScriptedModel("I see."), middleware=[MemoryMiddleware(memory, on_error="raise")])
    with pytest.raises(ExtractionError):
        agent.invoke(say("My dog is named Rex."), thread())


class Traced(BaseTracer):
    """Keeps what a tracer would send."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: dict[str, str] = {}

    def _persist_run(self, run: Any) -> None:
        self._keep(run)

    def _keep(self, run: Any) -> None:
        self.sent[run.name] = self.sent.get(run.name, "") + f"{run.inputs} {run.outputs}"
        for child in run.child_runs:
            self._keep(child)


@pytest.mark.parametrize("hidden", [True, False])
def test_traces_of_the_hooks_hold_no_memories(hidden: bool):
    """The hooks' own spans never show a memory, and what was said only where the application wants it."""
    memory = memory_with()
    memory.add("Prefers window seats", user_id="alex", infer=False)
    options = {} if hidden else {"trace_policy": None}
    middleware = MemoryMiddleware(memory, write=None, **options)
    tracer = Traced()
    agent = create_agent(ScriptedModel("Window."), middleware=[middleware])
    agent.invoke(say("Which seat?"), {**thread(), "callbacks": [tracer]})
    for hook in ("MemoryMiddleware.before_agent", "MemoryMiddleware.after_agent"):
        assert ("Which seat?" in tracer.sent[hook]) is not hidden
        assert "Prefers window" not in tracer.sent[hook]


def test_only_what_an_answer_drew_on_is_used():
    """With `reinforce="used"` a recalled memory counts as used where the reply says what only it says."""
    memory = memory_with(reinforce="used")
    memory.add("Prefers window seats", user_id="alex", infer=False)
    memory.add("Plays the cello", user_id="alex", infer=False)
    agent = create_agent(ScriptedModel("She prefers window seats."), middleware=[MemoryMiddleware(memory, write=None)])
    agent.invoke(say("Window or cello?"), thread())
    memory.flush()
    found = memory.search("Window or cello?", user_id="alex", explain=True)["results"]
    assert {one["memory"]: one["score_details"]["touches"] for one in found} == {
        "Prefers window seats": 2,  # created, and used
        "Plays the cello": 1,
    }


def test_an_erased_user_leaves_no_thread():
    """Threads in which memories were only recalled are erased with their user, too."""
    memory, saver = memory_with(), InMemoryCheckpointer()
    agent = create_agent(
        ScriptedModel("Hi."), middleware=[MemoryMiddleware(memory, write=None)], checkpointer=saver,
        context_schema=MemoryContext,
    )  # fmt: skip
    agent.invoke(say("Hello"), {"configurable": {"thread_id": "t"}}, context=ALEX)
    assert memory.erase("alex", checkpointer=saver)["threads"] == ["t"]
    assert saver.get_tuple({"configurable": {"thread_id": "t"}}) is None
