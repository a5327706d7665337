"""An agent that remembers its user across threads and restarts.

    pip install langchain-mem
    OPENAI_API_KEY=... python examples/minimal_agent.py

Memories lie in ./memory, threads in ./threads.sqlite. Run it twice: the second run knows what the first was told.
"""

import os

from langchain.agents import create_agent

from langchain_mem import Memory, MemoryContext, MemoryMiddleware, SqliteCheckpointer

MODEL = os.environ.get("MODEL", "openai:gpt-4.1-mini")


def main() -> None:
    with Memory(model=MODEL) as memory, SqliteCheckpointer.open("threads.sqlite") as checkpointer:
        agent = create_agent(
            MODEL,
            middleware=[MemoryMiddleware(memory)],
            checkpointer=checkpointer,
            context_schema=MemoryContext,
        )
        for thread_id, text in (
            ("monday", "I prefer window seats, and I eat no meat."),
            ("friday", "I am off to Tokyo. Which seat and which meal suit me?"),
        ):
            reply = agent.invoke(
                {"messages": [{"role": "user", "content": text}]},
                {"configurable": {"thread_id": thread_id}},
                context=MemoryContext(user_id="alex"),
            )
            print(f"{thread_id}: {reply['messages'][-1].text}")
        print("remembered:", [one["memory"] for one in memory.get_all(user_id="alex")["results"]])


if __name__ == "__main__":
    main()
