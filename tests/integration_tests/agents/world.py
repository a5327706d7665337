"""What the tests of agents share: a memory that learns, a tool, and the ways to run an agent.

Each test says what the model saw, what the user saw, and what was remembered.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage
from langchain_core.tools import tool
from langgraph.types import Command

from langchain_mem import LongTermStore, Memory
from langchain_mem.testing import FakeClock, FakeEmbeddings, ScriptedModel

SEATS: Final = "Prefers window seats"
"""What is known before anything is said."""

MODES: Final = ("values", "updates", "messages", "custom", "checkpoints", "tasks", "debug")
FORMS: Final = ("invoke", "ainvoke", *(f"{form}:{mode}" for form in ("stream", "astream") for mode in MODES))
"""The ways to run an agent: at once, or in each stream mode; in sync and async form."""

ANSWER: Final = "12A is free."

_CLAIMS: Final = ((r"I fly to (\w+)", "Flies to {}"), (r"My address is (\S+)\.", "Has the address {}"))


def learned(messages: list[BaseMessage]) -> dict[str, Any]:
    """Extracts as a model would: a fact for each thing a user says of itself."""
    said = messages[-1].text.partition("<conversation>")[2]
    operations = [
        {"action": "add", "text": fact.format(*found.groups()), "evidence": [int(line[1])]}
        for line in re.finditer(r"^\[(\d+)\] user \(user\).*?: (.*)$", said, re.MULTILINE)
        for claim, fact in _CLAIMS
        for found in re.finditer(claim, line[2])
    ]
    return {"operations": operations}


def remembering(**options: Any) -> Memory:
    """A memory that knows which seats Alex prefers, and that learns."""
    clock = FakeClock()
    store = LongTermStore.in_memory(embed=FakeEmbeddings(), clock=clock)
    memory = Memory(store, model=ScriptedModel(otherwise=learned), clock=clock, **options)
    memory.add(SEATS, user_id="alex", infer=False)
    return memory


def facts(memory: Memory, **ids: str) -> list[str]:
    """What is remembered, sorted."""
    return sorted(one["memory"] for one in memory.get_all(**(ids or {"user_id": "alex"}))["results"])


@tool
def find_seats(to: str) -> str:
    """Finds free seats."""
    return f"12A is free to {to}. The user lives in Oslo. I fly to Rome."


def call(name: str, **args: Any) -> AIMessage:
    """A model's call of a tool."""
    return AIMessage("", tool_calls=[{"name": name, "args": args, "id": f"call-{name}"}])


def config(thread_id: str | None, user_id: str = "alex", **more: str) -> Any:
    """A run's configuration."""
    named = {} if thread_id is None else {"thread_id": thread_id}
    return {"configurable": {"user_id": user_id, **named, **more}}


def say(text: str, history: Sequence[AnyMessage] = ()) -> dict[str, Any]:
    """What a client sends."""
    return {"messages": [*history, HumanMessage(text)]}


@dataclass
class Seen:
    """What a user saw of some runs.

    Attributes:
        shown: Everything that was streamed or returned.
        answers: The last words of each run.
        messages: The messages that the last run ended with.
    """

    shown: list[Any] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    messages: list[AnyMessage] = field(default_factory=list)

    def add(self, shown: Any, values: dict[str, Any]) -> None:
        """Adds what one run showed and ended with."""
        self.shown.append(shown)
        self.messages = list(values["messages"])
        self.answers.append(self.messages[-1].text)


def drive(agent: Any, given: Any, settings: Any, form: str, runner: asyncio.Runner, seen: Seen) -> None:
    """Runs an agent in one form; what it asks of a person is approved.

    A stream's values are read from the saver afterwards, or without one from its own `values`.
    """
    kind, _, mode = form.partition(":")
    if kind in ("invoke", "ainvoke"):
        result = agent.invoke(given, settings) if kind == "invoke" else runner.run(agent.ainvoke(given, settings))
        shown: Any = result
    else:
        modes = sorted({mode, "values"})
        if kind == "stream":
            parts = list(agent.stream(given, settings, stream_mode=modes))
        else:
            parts = runner.run(_gathered(agent.astream(given, settings, stream_mode=modes)))
        result = [part for which, part in parts if which == "values"][-1]
        shown = parts
    newest = config(settings["configurable"].get("thread_id"))
    if agent.checkpointer is not None and runner.run(agent.aget_state(newest)).interrupts:
        seen.shown.append(shown)
        drive(agent, Command(resume={"decisions": [{"type": "approve"}]}), newest, form, runner, seen)
        return
    seen.add(shown, result)


async def _gathered(stream: Any) -> list[Any]:
    return [part async for part in stream]


Talk = Callable[[Any, str, asyncio.Runner], Seen]
"""How a conversation goes: an agent, the form of its runs, an event loop."""


def one_turn(agent: Any, form: str, runner: asyncio.Runner, thread: str | None = "1") -> Seen:
    """A new thread with one question."""
    seen = Seen()
    drive(agent, say("I fly to Tokyo. Which window seats are free?"), config(thread), form, runner, seen)
    return seen


def without_a_checkpointer(agent: Any, form: str, runner: asyncio.Runner) -> Seen:
    """Two questions, where the client sends the history."""
    seen = one_turn(agent, form, runner, None)
    drive(agent, say("I fly to Kyoto. Window seats, too?", seen.messages), config(None), form, runner, seen)
    return seen


def resumed(agent: Any, form: str, runner: asyncio.Runner) -> Seen:
    """Two questions in one thread."""
    seen = one_turn(agent, form, runner)
    drive(agent, say("I fly to Kyoto. Window seats, too?"), config("1"), form, runner, seen)
    return seen


def edited(agent: Any, form: str, runner: asyncio.Runner) -> Seen:
    """A question, its words changed in the thread, and another question."""
    seen = one_turn(agent, form, runner)
    first = runner.run(agent.aget_state(config("1"))).values["messages"][0]
    changed = HumanMessage("I fly to Oslo. Which window seats are free?", id=first.id)
    runner.run(agent.aupdate_state(config("1"), {"messages": [changed]}))
    drive(agent, say("Are there more window seats?"), config("1"), form, runner, seen)
    return seen


def forked(agent: Any, form: str, runner: asyncio.Runner) -> Seen:
    """Two questions, and then another one from where the first was answered."""
    seen = one_turn(agent, form, runner)
    checkpoint = runner.run(agent.aget_state(config("1"))).config["configurable"]["checkpoint_id"]
    drive(agent, say("I fly to Bonn. Window seats, too?"), config("1"), form, runner, seen)
    drive(agent, say("I fly to Kyoto. Window seats, too?"), config("1", checkpoint_id=checkpoint), form, runner, seen)
    return seen
