"""A graph for LangGraph Server: its store and checkpointer are those of memory.py, see langgraph.json.

    pip install "langgraph-cli[inmem]" langchain-mem
    cd examples/server && OPENAI_API_KEY=... langgraph dev

The server opens the store and hands it to every run, so `Memory(runtime.store)` is made where it is used. Whose memory
it is comes from the authenticated user, or from the run's context.
"""

import os
from typing import Any

from langchain.chat_models import init_chat_model
from langchain_core.messages import SystemMessage
from langchain_mem.nodes import arecalled
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.runtime import Runtime

from langchain_mem import Memory, MemoryContext, MemoryState, extraction_node

MODEL = os.environ.get("MODEL", "openai:gpt-4.1-mini")


async def reply(state: MemoryState, runtime: Runtime[MemoryContext]) -> dict[str, Any]:
    known = (await arecalled(state, runtime, top_k=5))["memory_context"]
    instructions = [SystemMessage(known)] if known else []
    return {"messages": await init_chat_model(MODEL).ainvoke([*instructions, *state["messages"]])}


async def remember(state: MemoryState, runtime: Runtime[MemoryContext]) -> dict[str, Any]:
    memory = Memory(runtime.store, model=MODEL)
    return await extraction_node(memory).ainvoke(state)


builder = StateGraph(MemoryState, context_schema=MemoryContext, output_schema=MessagesState)
builder.add_node("reply", reply)
builder.add_node("remember", remember)
builder.add_edge(START, "reply")
builder.add_edge("reply", "remember")
builder.add_edge("remember", END)
graph = builder.compile()
