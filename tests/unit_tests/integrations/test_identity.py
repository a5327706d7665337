"""Tests of whose memory a run uses."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from langchain_core.runnables import RunnableLambda
from langgraph.runtime import ExecutionInfo, Runtime, ServerInfo
from pydantic import BaseModel

from langchain_mem import MemoryContext
from langchain_mem.errors import InvalidRequest, ScopeError
from langchain_mem.integrations.delegation import delegated
from langchain_mem.integrations.identity import check_owner, whose


class _Context(BaseModel):
    user_id: str


@dataclass
class _User:
    identity: str
    org_id: str | None = None


def _runtime(context: Any = None, identity: str | None = None, **more: Any) -> Runtime[Any]:
    user: Any = None if identity is None else _User(identity, **more)
    return Runtime(context=context, server_info=ServerInfo(assistant_id="a", graph_id="g", user=user))


def _config(**configurable: Any) -> Any:
    return {"configurable": configurable}


@pytest.mark.parametrize("context", [MemoryContext(user_id="ann"), {"user_id": "ann"}, _Context(user_id="ann")])
def test_the_order(context: Any):
    """The context comes first, then the configuration."""
    assert whose(_runtime(context), _config(user_id="bob")).owners == {"user_id": "ann"}
    assert whose(_runtime(None), _config(user_id="bob")).owners == {"user_id": "bob"}


@pytest.mark.parametrize(
    ("runtime", "config"),
    [
        (_runtime(None, "ann"), _config()),
        (_runtime({"user_id": "ann"}, "ann"), _config(user_id="ann")),
        (_runtime(None), _config(langgraph_auth_user={"identity": "ann"})),
        (_runtime(None), _config(langgraph_auth_user_id="ann")),
        (_runtime(None), _config(langgraph_user_id="ann")),
    ],
)
def test_an_authenticated_user_is_the_owner(runtime: Any, config: Any):
    """Whoever LangGraph Server has authenticated, in each of the places where it says so."""
    assert whose(runtime, config).owners == {"user_id": "ann"}


@pytest.mark.parametrize(
    ("context", "configurable"),
    [
        ({"user_id": "bob"}, {}),
        (None, {"user_id": "bob"}),
        ({"user_id": "mallory"}, {"user_id": "bob"}),
        ({"org_id": "acme"}, {}),
        (None, {"agent_id": "tutor"}),
    ],
)
def test_a_client_that_names_another_owner_is_refused(context: Any, configurable: dict[str, str]):
    """What a client sends beside an authenticated user must be that user's, an organization too."""
    with pytest.raises(ScopeError, match="authenticated"):
        whose(_runtime(context, "mallory"), _config(**configurable))
    with pytest.raises(ScopeError, match="authenticated"):
        whose(_runtime(context, "mallory"), _config(**configurable), owner=lambda run: {"user_id": "bob"})


def test_an_authenticated_users_own_organization():
    """What the authentication says of its user is the user's."""
    runtime = _runtime({"org_id": "acme"}, "ann", org_id="acme")
    assert whose(runtime, _config()).owners == {"user_id": "ann", "org_id": "acme"}


@pytest.mark.parametrize("identity", ["", None])
def test_nobody_is_authenticated(identity: str | None):
    """A server without authentication has a user without a name: whoever the run names counts."""
    assert whose(_runtime({"user_id": "ann"}, identity)).owners == {"user_id": "ann"}
    with pytest.raises(ScopeError, match="Whose memory"):
        whose(_runtime(None, identity), _config(langgraph_auth_user_id=""))


_UUID = UUID("12345678123456781234567812345678")


@pytest.mark.parametrize(
    ("rule", "owners"),
    [
        (lambda run: run.context.user.id, {"user_id": "7"}),
        (lambda run: _UUID, {"user_id": str(_UUID)}),
        (lambda run: MemoryContext(user_id="ann", org_id=3), {"user_id": "ann", "org_id": "3"}),
        ("{context.user.id}", {"user_id": "7"}),
        ("{configurable.tenant}/{context.user.id}", {"user_id": "acme/7"}),
        ({"org_id": "acme"}, {"org_id": "acme"}),
        ({"user_id": "{context.user.id}", "agent_id": lambda run: "tutor"}, {"user_id": "7", "agent_id": "tutor"}),
    ],
)
def test_an_owner_of_the_applications_choice(rule: Any, owners: dict[str, str]):
    """A function, a template or a mapping of them says whose memory it is, and the run's own ids are not asked."""
    context = SimpleNamespace(user=SimpleNamespace(id=7), user_id="nobody")
    assert whose(_runtime(context), _config(tenant="acme"), owner=rule).owners == owners


def test_a_template_of_the_authenticated_user():
    """A template that reads nothing but the authenticated user may name another owner than its identity."""
    assert whose(_runtime(None, "ann", org_id="acme"), owner="{user.org_id}:{user.identity}").owners == {
        "user_id": "acme:ann"
    }


@pytest.mark.parametrize("rule", ["{context.user.id}", lambda run: None, {"user_id": "{configurable.nobody}"}])
def test_an_owner_that_is_not_found_fails(rule: Any):
    """A rule that finds nobody does not fall back to another owner."""
    with pytest.raises(ScopeError, match="owner="):
        whose(_runtime({"user_id": "ann"}), _config(user_id="bob"), owner=rule)


@pytest.mark.parametrize("rule", ["", "{user_id}", "{context}", "{state.user}", "{context.a", 1.5, {"name": "x"}, True])
def test_an_owner_that_cannot_be_is_refused_at_once(rule: Any):
    """What is no rule is refused when a surface is made."""
    with pytest.raises(InvalidRequest):
        check_owner(rule, {})


def test_each_id_is_looked_for_by_itself():
    """A user may come from the context and an agent from the configuration."""
    context = MemoryContext(user_id="ann", org_id="acme")
    found = whose(_runtime(context), _config(agent_id="tutor", app_id="school", user_id="bob"))
    assert found.owners == {"user_id": "ann", "agent_id": "tutor", "app_id": "school", "org_id": "acme"}


def test_ids_in_code_shut_the_others_out():
    """Where the application names an owner in code, nothing of the run is added to it."""
    found = whose(_runtime(MemoryContext(user_id="ann")), _config(agent_id="tutor"), user_id="eve")
    assert found.owners == {"user_id": "eve"}


def test_ids_in_code_beside_those_of_the_run():
    """A surface with an agent of its own keeps the run's user."""
    found = whose(_runtime(MemoryContext(user_id="ann")), beside={"agent_id": "tutor"})
    assert found.owners == {"user_id": "ann", "agent_id": "tutor"}


def test_a_partial_configuration_is_filled_up():
    """Within a run, what a given configuration does not say is asked of the run."""
    found = RunnableLambda(lambda _: whose(config=_config(thread_id="9")).owners)
    assert found.invoke(None, _config(user_id="ann")) == {"user_id": "ann"}


@pytest.mark.parametrize("runtime", [None, _runtime(), _runtime({"user_id": None}), _runtime({"name": "ann"})])
def test_nobody_fails(runtime: Any):
    """A run that names no owner is refused, with what to do; a thread is no owner."""
    with pytest.raises(ScopeError, match="MemoryContext"):
        whose(runtime, _config(thread_id="1"))


@pytest.mark.parametrize("user_id", ["", 1.5, True, ["ann"]])
def test_an_id_that_is_none_fails(user_id: Any):
    """An empty id or one that is no id is refused, not passed over for the next place."""
    with pytest.raises(ScopeError):
        whose(_runtime({"user_id": user_id}), _config(user_id="bob"))


def test_the_thread():
    """The thread is the source of what is written, and the session a read may see."""
    info = ExecutionInfo(checkpoint_id="c1", checkpoint_ns="remember:1", task_id="1", thread_id="t1")
    found = whose(Runtime(execution_info=info), _config(user_id="ann", thread_id="t1"))
    assert found.source(["m1"]) == {"thread_id": "t1", "checkpoint_id": "c1", "message_ids": ["m1"]}
    assert found.visible == {"user_id": "ann", "run_id": "t1"}
    assert found.owners == {"user_id": "ann"}


def test_a_run_may_say_that_it_is_delegated():
    """A program that calls a sub-agent itself says so."""
    assert whose(None, delegated(_config(user_id="ann"))).delegated
    assert not whose(None, _config(user_id="ann", checkpoint_ns="tools:1|model:2")).delegated
