"""One service, many tenants, on Postgres: FastAPI, an agent, its threads and its memories.

    pip install "langchain-mem[local,postgres]" fastapi uvicorn
    DATABASE_URL=postgresql://... OPENAI_API_KEY=... uvicorn examples.service.app:app

Who calls is known from the token, never from the body: the ids of memories and threads are made from it, so no request
can name another tenant's. What an organization shares is read by all its users and changed by none of them.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, NamedTuple

from fastapi import Depends, FastAPI, Header, HTTPException, Request
from langchain.agents import create_agent
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel
from pydantic import BaseModel

from langchain_mem import (
    Decay,
    LongTermStore,
    Memory,
    MemoryContext,
    MemoryMiddleware,
    PostgresCheckpointer,
    Retention,
)


class Caller(NamedTuple):
    """Who calls, as the token says."""

    tenant: str
    user: str

    @property
    def user_id(self) -> str:
        return f"{self.tenant}/{self.user}"  # the same name in two tenants is two people

    def thread(self, name: str) -> str:
        return f"{self.user_id}/{name}"


class Said(BaseModel):
    thread: str
    text: str


def caller(authorization: Annotated[str, Header()]) -> Caller:
    """Looks the token up. Put your own identity provider here; `TOKENS` is `token=tenant/user,...`."""
    tokens = dict(entry.split("=", 1) for entry in os.environ.get("TOKENS", "").split(",") if entry)
    known = tokens.get(authorization.removeprefix("Bearer "))
    if known is None:
        raise HTTPException(401, "Unknown token.")
    return Caller(*known.split("/", 1))


Known = Annotated[Caller, Depends(caller)]


def build(dsn: str, model: BaseChatModel | str, embed: Embeddings | None = None) -> FastAPI:
    """The service over a database and a model."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        retention = Retention(keep_last=20)
        async with (
            LongTermStore.postgres(dsn, embed=embed) as store,
            PostgresCheckpointer.open(dsn, retention=retention) as checkpointer,
            Memory(store, model=model, decay=Decay()) as memory,
        ):
            app.state.memory, app.state.checkpointer = memory, checkpointer
            app.state.agent = create_agent(
                model,
                middleware=[MemoryMiddleware(memory, write="background")],
                checkpointer=checkpointer,
                context_schema=MemoryContext,
            )
            yield

    app = FastAPI(title="An agent that remembers", lifespan=lifespan)
    app.post("/chat")(chat)
    app.get("/memories")(memories)
    app.delete("/memories/{memory_id}")(forget)
    app.delete("/me")(erase)
    return app


async def chat(said: Said, who: Known, request: Request) -> dict[str, str]:
    """Answers; what was said is remembered in the background."""
    result = await request.app.state.agent.ainvoke(
        {"messages": [{"role": "user", "content": said.text}]},
        {"configurable": {"thread_id": who.thread(said.thread)}},
        context=MemoryContext(user_id=who.user_id, org_id=who.tenant),
    )
    return {"reply": result["messages"][-1].text}


async def memories(who: Known, request: Request) -> list[dict[str, Any]]:
    """What is remembered of the caller."""
    page = await request.app.state.memory.aget_all(user_id=who.user_id)
    return page["results"]


async def forget(memory_id: str, who: Known, request: Request) -> dict[str, str]:
    """Forgets one memory of the caller; another's is not found."""
    memory: Memory = request.app.state.memory
    if await memory.aget(memory_id, user_id=who.user_id) is None:
        raise HTTPException(404, "No such memory.")
    gone = await memory.adelete(memory_id, user_id=who.user_id)
    return {"forgotten": gone["memory"]}


async def erase(who: Known, request: Request) -> dict[str, Any]:
    """Erases the caller: memories, their history, and threads."""
    return dict(await request.app.state.memory.aerase(who.user_id, checkpointer=request.app.state.checkpointer))


def __getattr__(name: str) -> FastAPI:
    """`uvicorn examples.service.app:app` builds it from the environment."""
    if name != "app":
        raise AttributeError(name)
    return build(os.environ["DATABASE_URL"], os.environ.get("MODEL", "openai:gpt-4.1-mini"))
