"""An agent that recalls, replies and remembers: in one process, and in another one days later."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, SystemMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.state import CompiledStateGraph
from rich.markup import escape
from rich.table import Table

from langchain_mem.checkpointers.sqlite import SqliteCheckpointer
from langchain_mem.demo.opening import console, open_memory
from langchain_mem.integrations.nodes import MemoryState, extraction_node, retrieval_node
from langchain_mem.memory.facade import Memory
from langchain_mem.model.records import FoundMemory

DAYS: Final = 6
"""How much later the second process runs."""

_SAID: Final = (
    "Hi! I'm Alex. I'm a vegetarian, and I'm allergic to nuts.",
    "My sister Mia lives in Lisbon; I visit her every spring.",
    "On trains I always take a window seat.",
    "My favorite color is green.",
)
_ASKED: Final = (
    "Any food allergies I should mention at the restaurant?",
    "I visit Mia this spring. Which seat do I take on the train?",
    "And where does my sister live?",  # her memory has just been used, so it has not faded
)
_ENOUGH: Final = 0.2  # relevance: what has little to do with a question stays out of a small prompt


def talk(folder: Path) -> None:
    """The first process: Alex talks to the agent in one thread."""
    console().rule("[bold]Today, process 1, thread monday")
    with open_memory(folder, days=0) as memory, SqliteCheckpointer.open(folder / "threads.db") as checkpointer:
        agent = build_agent(memory, checkpointer)
        for text in _SAID:
            _say(agent, "monday", text)
        memory.add("Is comparing hotels in Porto.", user_id="alex", infer=False, expiration_date=timedelta(days=2))
        _show_remembered(memory.get_all(user_id="alex")["results"][::-1])


def recall(folder: Path) -> None:
    """The second process, days later: another thread, and the agent still knows."""
    console().rule(f"[bold]{DAYS} days later, process 2, thread sunday")
    with open_memory(folder, days=DAYS) as memory, SqliteCheckpointer.open(folder / "threads.db") as checkpointer:
        agent = build_agent(memory, checkpointer)
        for text in _ASKED:
            found = memory.search(text, top_k=3, threshold=_ENOUGH, explain=True, reinforce="none", user_id="alex")
            _show_found(text, found["results"])
            console().print(f"[bold]What the model sees[/]\n{escape(memory.context(found))}", highlight=False)
            _say(agent, "sunday", text)
            memory.flush()  # so that the next question shows what this one counted as used
        _show_expired(memory)


def build_agent(memory: Memory, checkpointer: Any) -> CompiledStateGraph[Any, Any, Any, Any]:
    """An agent that recalls, replies and remembers."""
    graph = StateGraph(MemoryState, output_schema=MessagesState)
    graph.add_node("recall", retrieval_node(memory, top_k=3, threshold=_ENOUGH))
    reply: Any = _reply_with(memory.model) if memory.model else _reply_plainly
    graph.add_node("reply", reply)
    graph.add_node("remember", extraction_node(memory))
    for start, end in ((START, "recall"), ("recall", "reply"), ("remember", END)):
        graph.add_edge(start, end)
    # without a model a message is kept as it is, and a question tells nothing
    graph.add_conditional_edges("reply", lambda state: "remember" if memory.model or not _asks(state) else END)
    return graph.compile(checkpointer=checkpointer)


def _asks(state: MemoryState) -> bool:
    """Whether the last human message is a question."""
    said = [message for message in state["messages"] if message.type == "human"]
    return said[-1].text.rstrip().endswith("?")


def _reply_with(model: BaseChatModel) -> Callable[[MemoryState], dict[str, Any]]:
    def reply(state: MemoryState) -> dict[str, Any]:
        prompt = SystemMessage(f"You are a travel guide. Answer in two sentences.\n{state.get('memory_context') or ''}")
        return {"messages": [model.invoke([prompt, *state["messages"]])]}

    return reply


def _reply_plainly(state: MemoryState) -> dict[str, Any]:
    """The agent without a model: it says what it recalls."""
    if not _asks(state):
        return {"messages": [AIMessage("Noted.")]}
    memories = [memory["memory"] for memory in state.get("memories") or ()]
    return {"messages": [AIMessage(f"You told me: {' '.join(memories)}" if memories else "You have not told me yet.")]}


def _say(agent: CompiledStateGraph[Any, Any, Any, Any], thread: str, text: str) -> None:
    config: Any = {"configurable": {"thread_id": thread, "user_id": "alex"}}
    reply = agent.invoke({"messages": [("user", text)]}, config)["messages"][-1]
    console().print(f"[bold cyan]Alex [/] {text}\n[bold green]Guide[/] {escape(reply.text)}", highlight=False)


def _show_remembered(memories: Sequence[Mapping[str, Any]]) -> None:
    table = Table("memory", "layer", "expires", title="Remembered about Alex")
    for memory in memories:
        table.add_row(escape(memory["memory"]), memory["layer"], (memory["expiration_date"] or "never")[:10])
    console().print(table)


def _show_found(query: str, memories: Sequence[FoundMemory]) -> None:
    table = Table("memory", "relevance", "decay", "score", title=f"Found for: {query}", min_width=len(query) + 11)
    for memory in memories:
        details = memory["score_details"]
        numbers = (details["relevance"], details["factor"], memory["score"])
        table.add_row(escape(memory["memory"]), *(f"{number:.2f}" for number in numbers))
    console().print(table)


def _show_expired(memory: Memory) -> None:
    live = {one["id"] for one in memory.get_all(user_id="alex")["results"]}
    every = memory.get_all(user_id="alex", show_expired=True)["results"]
    for one in every:
        if one["id"] not in live:
            console().print(f"[yellow]Expired[/] on {(one['expiration_date'] or '')[:10]}: {escape(one['memory'])}")
