"""One turn of a graph that is killed before or after its facts were written, run as a program; or resumed."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import END, START, MessagesState, StateGraph

from langchain_mem import LongTermStore, Memory, SqliteCheckpointer, extraction_node
from langchain_mem.testing import FakeEmbeddings, ScriptedModel

FACT = {"operations": [{"action": "add", "text": "Prefers window seats", "evidence": [0]}]}


def _die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def turn(folder: Path, when: str) -> tuple[list[str], int, int]:
    """Runs or resumes a turn.

    Returns:
        What is remembered, how often that changed, and how often the model was asked.
    """
    model = ScriptedModel(_die if when == "before" else FACT)
    memory = Memory(LongTermStore.chroma(folder / "memory", embed=FakeEmbeddings()), model=model)
    node = extraction_node(memory)

    def remember(state: MessagesState) -> dict[str, Any]:
        node.invoke(state)
        if when == "after":
            _die()
        return {}

    builder = StateGraph(MessagesState)
    builder.add_node("reply", lambda _: {"messages": AIMessage("Noted.")})
    builder.add_node("remember", remember)
    for one, next_one in ((START, "reply"), ("reply", "remember"), ("remember", END)):
        builder.add_edge(one, next_one)
    said = {"messages": [HumanMessage("I prefer window seats.")]} if when != "resume" else None
    with memory, SqliteCheckpointer.open(folder / "threads.sqlite") as saver:
        graph = builder.compile(checkpointer=saver)
        graph.invoke(said, {"configurable": {"thread_id": "1", "user_id": "alex"}}, durability="sync")
        found = memory.get_all(user_id="alex")["results"]
        changes = sum(len(memory.history(one["id"])) for one in found)
    memory.store.close()  # type: ignore[attr-defined]
    return [one["memory"] for one in found], changes, model.count


if __name__ == "__main__":
    turn(Path(sys.argv[1]), sys.argv[2])
