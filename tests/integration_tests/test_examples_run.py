"""Every example runs, against a model that speaks the OpenAI protocol on this machine."""

from __future__ import annotations

import asyncio
import json
import os
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from langchain_core.messages import HumanMessage
from starlette.testclient import TestClient

from langchain_mem import MemoryContext
from langchain_mem.testing import FakeEmbeddings, OpenAIPeer

EXAMPLES = Path(__file__).parents[2] / "examples"

SEATS = {"operations": [{"action": "add", "text": "Prefers window seats", "evidence": [0]}]}
NOTHING: dict[str, Any] = {"operations": []}


@pytest.fixture
def peer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[OpenAIPeer]:
    """A model for the examples, which are run in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "unused")
    with OpenAIPeer() as peer:
        monkeypatch.setenv("OPENAI_BASE_URL", peer.base_url)
        yield peer


def test_the_minimal_agent(peer: OpenAIPeer, capsys: pytest.CaptureFixture[str]):
    """It says on Friday what it was told on Monday."""
    peer.model.script("Noted.", SEATS, "A window seat.", NOTHING)
    runpy.run_path(str(EXAMPLES / "minimal_agent.py"), run_name="__main__")
    assert capsys.readouterr().out.splitlines() == [
        "monday: Noted.",
        "friday: A window seat.",
        "remembered: ['Prefers window seats']",
    ]
    assert "Prefers window seats" in json.dumps(peer.requests[2].body["messages"][-1])


@pytest.fixture
def service(peer: OpenAIPeer, fresh_postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    monkeypatch.setenv("TOKENS", "t1=acme/alex,t2=globex/alex")
    build = runpy.run_path(str(EXAMPLES / "service" / "app.py"))["build"]
    app: FastAPI = build(fresh_postgres_dsn, "openai:gpt-4.1-mini", FakeEmbeddings())
    return app


def _as(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_the_service(peer: OpenAIPeer, service: FastAPI):
    """Two tenants have a user of the same name; neither sees, forgets or erases anything of the other's."""
    peer.model.script("Noted.", SEATS)
    with TestClient(service) as client:
        said = {"thread": "1", "text": "I prefer window seats."}
        assert client.post("/chat", json=said, headers=_as("t1")).json() == {"reply": "Noted."}
        service.state.memory.background.wait()
        (known,) = client.get("/memories", headers=_as("t1")).json()
        assert known["memory"] == "Prefers window seats"
        assert client.get("/memories", headers=_as("t2")).json() == []
        assert client.delete(f"/memories/{known['id']}", headers=_as("t2")).status_code == 404
        assert client.delete("/me", headers=_as("t2")).json()["threads"] == []
        assert client.get("/memories", headers=_as("t1")).json() != []
        assert client.delete(f"/memories/{known['id']}", headers=_as("t1")).json() == {
            "forgotten": "Prefers window seats"
        }
        assert client.delete("/me", headers=_as("t1")).json()["threads"] == ["acme/alex/1"]
        assert client.post("/chat", json=said, headers=_as("t3")).status_code == 401


def test_the_server_project(peer: OpenAIPeer, monkeypatch: pytest.MonkeyPatch):
    """What langgraph.json names can be imported, and the graph remembers through the store the server would hand it."""
    project = json.loads((EXAMPLES / "server" / "langgraph.json").read_text())
    for name, value in project["env"].items():
        monkeypatch.setenv(name, value)
    graph = _named(project["graphs"]["agent"])
    store, checkpointer = (_named(project[place]["path"]) for place in ("store", "checkpointer"))
    peer.model.script("Noted.", SEATS, "A window seat.", NOTHING)

    async def serve() -> None:
        async with store() as opened_store, checkpointer() as opened_checkpointer:
            graph.store, graph.checkpointer = opened_store, opened_checkpointer  # as the server does
            for thread_id, text in (("1", "I prefer window seats."), ("2", "Which seat?")):
                config = {"configurable": {"thread_id": thread_id}}
                said = {"messages": [HumanMessage(text)]}
                await graph.ainvoke(said, config, context=MemoryContext(user_id="alex"))

    asyncio.run(serve())
    assert "Prefers window seats" in json.dumps(peer.requests[2].body["messages"][-1])
    assert os.path.isdir("memory")


def _named(path: str) -> Any:
    """What a path of langgraph.json names: a file of the project, and what is in it."""
    file, _, attribute = path.partition(":")
    return runpy.run_path(str(EXAMPLES / "server" / file))[attribute]
