"""Tests of whose memory a run uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from langgraph.runtime import ExecutionInfo, Runtime, ServerInfo
from pydantic import BaseModel

from langchain_mem import MemoryContext
from langchain_mem.errors import ScopeError
from langchain_mem.integrations.identity import whose


class _Context(BaseModel):
    user_id: str


@dataclass
class _User:
    identity: str


def _runtime(context: Any = None, identity: str | None = None) -> Runtime[Any]:
    server = ServerInfo(assistant_id="a", graph_id="g", user=_User(identity) if identity else None)  # type: ignore[arg-type]
    return Runtime(context=context, server_info=server)


def _config(**configurable: Any) -> Any:
    return {"configurable": configurable}


@pytest.mark.parametrize("context", [MemoryContext(user_id="ann"), {"user_id": "ann"}, _Context(user_id="ann")])
def test_the_order(context: Any):
    """The context comes first, then the configuration, then the server's own ids."""
    everywhere = _config(user_id="bob", langgraph_user_id="cid")
    assert whose(_runtime(context, "dan"), everywhere).owners == {"user_id": "ann"}
    assert whose(_runtime(None, "dan"), everywhere).owners == {"user_id": "bob"}
    assert whose(_runtime(None, "dan"), _config(langgraph_user_id="cid")).owners == {"user_id": "cid"}
    assert whose(_runtime(None, "dan"), _config()).owners == {"user_id": "dan"}


def test_each_id_is_looked_for_by_itself():
    """A user may come from the context and an agent from the configuration."""
    context = MemoryContext(user_id="ann", org_id="acme")
    found = whose(_runtime(context), _config(agent_id="tutor", app_id="school", user_id="bob"))
    assert found.owners == {"user_id": "ann", "agent_id": "tutor", "app_id": "school", "org_id": "acme"}


def test_ids_in_code_shut_the_others_out():
    """Where the application names an owner in code, nothing of the run is added to it."""
    found = whose(_runtime(MemoryContext(user_id="ann")), _config(agent_id="tutor"), user_id="eve")
    assert found.owners == {"user_id": "eve"}


@pytest.mark.parametrize("runtime", [None, _runtime(), _runtime({"user_id": None}), _runtime({"name": "ann"})])
def test_nobody_fails(runtime: Any):
    """A run that names no owner is refused, with what to do; a thread is no owner."""
    with pytest.raises(ScopeError, match="MemoryContext"):
        whose(runtime, _config(thread_id="1"))


@pytest.mark.parametrize("user_id", ["", 7])
def test_an_id_that_is_none_fails(user_id: Any):
    """An empty id or one that is no string is refused, not passed over for the next place."""
    with pytest.raises(ScopeError):
        whose(_runtime({"user_id": user_id}), _config(user_id="bob"))


def test_the_thread():
    """The thread is the source of what is written, and the session a read may see."""
    info = ExecutionInfo(checkpoint_id="c1", checkpoint_ns="remember:1", task_id="1", thread_id="t1")
    found = whose(Runtime(execution_info=info), _config(user_id="ann", thread_id="t1"))
    assert found.source(["m1"]) == {"thread_id": "t1", "checkpoint_id": "c1", "message_ids": ["m1"]}
    assert found.visible == {"user_id": "ann", "run_id": "t1"}
    assert found.owners == {"user_id": "ann"}


@pytest.mark.parametrize(
    ("namespace", "delegated"),
    [("", False), ("tools:1", False), ("agent:1|tools:2", False), ("tools:1|model:2", True), ("a:1|tools:2|b:3", True)],
)
def test_within_a_tool(namespace: str, delegated: bool):
    """A run that a tool of another agent started is told from one that a person speaks to."""
    assert whose(None, _config(user_id="ann", checkpoint_ns=namespace)).delegated is delegated
