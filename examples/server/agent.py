"""An agent for LangGraph Server that remembers its users across threads.

    pip install "langgraph-cli[inmem]" langchain-mem
    cd examples/server && OPENAI_API_KEY=... TOKENS=secret-of-alex=alex langgraph dev

The server opens the store and the checkpointer of memory.py and hands them to every run, so the middleware needs no
memory of its own. auth.py says who is calling: whoever has authenticated is the owner of the memories, and a client
that names another user is refused.
"""

import os

from langchain.agents import create_agent

from langchain_mem import MemoryContext, MemoryMiddleware

MODEL = os.environ.get("MODEL", "openai:gpt-4.1-mini")

graph = create_agent(MODEL, middleware=[MemoryMiddleware(model=MODEL)], context_schema=MemoryContext)
