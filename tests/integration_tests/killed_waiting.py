"""Three turns of a chat whose messages wait for extraction, in a process that is then killed; run as a program."""

from __future__ import annotations

import os
import signal
import sys
from datetime import timedelta
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import END, START, MessagesState, StateGraph

from langchain_mem import InMemoryCheckpointer, LongTermStore, Memory, extraction_node
from langchain_mem.testing import FakeEmbeddings, ScriptedModel

SAID = ("My dog is named Rex.", "He is old.", "He likes snow.")


def store_at(engine: str, place: str) -> LongTermStore:
    """The store of an engine at a folder or a DSN."""
    opener = LongTermStore.postgres if engine == "postgres" else LongTermStore.chroma
    return opener(place, embed=FakeEmbeddings())


def chat(memory: Memory) -> None:
    """Says it all in one thread."""
    builder = StateGraph(MessagesState)
    builder.add_node("reply", lambda _: {"messages": [AIMessage("I see.")]})
    builder.add_node("remember", extraction_node(memory, write="background", after=timedelta(minutes=5)))
    for one, next_one in ((START, "reply"), ("reply", "remember"), ("remember", END)):
        builder.add_edge(one, next_one)
    graph = builder.compile(checkpointer=InMemoryCheckpointer())
    for text in SAID:
        graph.invoke({"messages": [HumanMessage(text)]}, {"configurable": {"thread_id": "1", "user_id": "alex"}})


def _die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    _, engine, place, when = sys.argv
    memory = Memory(store_at(engine, place), model=ScriptedModel(_die))
    chat(memory)
    if when == "reading":
        memory.extract_waiting(everything=True)  # the model kills it
    _die()
