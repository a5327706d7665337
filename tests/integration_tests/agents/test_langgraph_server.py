"""The example project under `langgraph dev`: the server itself, its own client, and its authentication."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest
from langchain_core.messages import AIMessage
from langgraph_sdk import get_sync_client

from langchain_mem.testing import OpenAIPeer

pytest.importorskip("langgraph_api")

pytestmark = pytest.mark.soak
Enter: TypeAlias = Callable[[str | None], Any]
PROJECT = Path(__file__).parents[3] / "examples" / "server"


def _replies(messages: list[Any]) -> Any:
    """Extracts where extraction asks, answers otherwise."""
    if "<conversation>" in messages[-1].text:
        said = messages[-1].text.partition("<conversation>")[2]
        fact = {"action": "add", "text": "Prefers window seats", "evidence": [0]}
        return json.dumps({"operations": [fact] if "I prefer window seats." in said else []})
    known = "Prefers window seats" in "\n".join(message.text for message in messages)
    return AIMessage("A window seat." if known else "Noted.")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`langgraph dev` over a copy of the project, in a process of its own, on a free port."""
    folder = tmp_path_factory.mktemp("server") / "project"
    shutil.copytree(PROJECT, folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with OpenAIPeer(otherwise=_replies) as peer, (folder / "log").open("wb") as log:
        environment = {
            **os.environ, "OPENAI_API_KEY": "unused", "OPENAI_BASE_URL": peer.base_url, "MODEL": "openai:gpt-4.1-mini",
            "TOKENS": "a=alex,m=mallory", "LANGGRAPH_CLI_NO_ANALYTICS": "1", "LANGSMITH_TRACING": "false",
        }  # fmt: skip
        command = [sys.executable, "-m", "langgraph_cli", "dev", "--no-browser", "--no-reload", "--port", str(port)]
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            yield _answering(f"http://127.0.0.1:{port}", process, folder / "log")
        finally:
            process.terminate()
            process.wait(30)


def _answering(url: str, process: subprocess.Popen[bytes], log: Path) -> str:
    for _ in range(600):
        if process.poll() is not None:
            break
        try:
            if httpx.get(f"{url}/ok").status_code == 200:
                return url
        except httpx.TransportError:
            time.sleep(0.2)  # another process starts; nothing here can be told when it has
    pytest.fail(log.read_text()[-3000:])


@pytest.fixture
def enter(server: str) -> Iterator[Callable[[str | None], Any]]:
    """Gives the server's own client, by a user's token."""
    with ExitStack() as opened:

        def client(token: str | None) -> Any:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            return opened.enter_context(get_sync_client(url=server, headers=headers, timeout=300))

        yield client


def _ask(client: Any, text: str, **more: Any) -> Any:
    thread = client.threads.create()
    return client.runs.wait(
        thread["thread_id"], "agent", input={"messages": [{"role": "user", "content": text}]}, raise_error=False, **more
    )


def test_a_user_is_remembered_across_threads(enter: Enter):
    """The authenticated user is the owner, and what is said in one thread is known in another."""
    alex = enter("a")
    assert _ask(alex, "I prefer window seats.")["messages"][-1]["content"] == "Noted."
    assert _ask(alex, "Which seat?")["messages"][-1]["content"] == "A window seat."


@pytest.mark.parametrize("claim", [{"context": {"user_id": "alex"}}, {"config": {"configurable": {"user_id": "alex"}}}])
def test_a_client_that_names_another_user_is_refused(enter: Enter, claim: dict[str, Any]):
    """What mallory sends does not open Alex's memories, and mallory's own have nothing of them."""
    _ask(enter("a"), "I prefer window seats.")
    mallory = enter("m")
    refused = _ask(mallory, "Which seat?", **claim)
    assert "ScopeError" in json.dumps(refused)
    assert "window" not in json.dumps(refused)
    assert _ask(mallory, "Which seat?")["messages"][-1]["content"] == "Noted."


def test_nobody_is_refused(enter: Enter):
    """Without a token nothing runs, and the store itself is closed to clients."""
    with pytest.raises(Exception, match="Which user"):
        enter(None).threads.create()
    with pytest.raises(Exception, match="Forbidden"):
        enter("a").store.search_items(("memories",))


@pytest.mark.parametrize("mode", ["values", "messages", "messages-tuple", "updates", "events", "debug", "tasks"])
def test_no_mode_of_the_server_shows_memory(enter: Enter, mode: str):
    """In each of the server's stream modes a user sees the answer, no extraction and nothing recalled."""
    alex = enter("a")
    _ask(alex, "I prefer window seats.")
    thread = alex.threads.create()["thread_id"]
    said = {"messages": [{"role": "user", "content": "Which seat?"}]}
    shown = str(list(alex.runs.stream(thread, "agent", input=said, stream_mode=mode)))
    assert "seat." in shown
    assert "operations" not in shown
    if mode != "events":  # which shows the prompt of the agent's model call, as `astream_events` does
        assert "recalled_memories" not in shown
    assert "recalled_memories" not in json.dumps(alex.threads.get_state(thread))
