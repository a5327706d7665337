"""Agents and extraction on what providers' classes really send: OpenAI's two interfaces, and Anthropic's messages."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_openai import ChatOpenAI
from pydantic import PrivateAttr

from langchain_mem import InMemoryCheckpointer, Memory, MemoryMiddleware, extraction_node
from langchain_mem.testing import OpenAIPeer, ScriptedModel
from tests.integration_tests.agents import world
from tests.integration_tests.agents.world import ANSWER, SEATS, call, facts, find_seats, learned, remembering

APIS = pytest.mark.parametrize("responses", [False, True], ids=["chat completions", "responses"])


def _openai(peer: OpenAIPeer, responses: bool) -> ChatOpenAI:
    return ChatOpenAI(
        model="scripted", base_url=peer.base_url, api_key="key", max_retries=0, use_responses_api=responses
    )


@APIS
@pytest.mark.parametrize("form", ["invoke", "ainvoke", "stream:messages", "astream:messages"])
def test_an_agent_on_openais_interfaces(responses: bool, form: str):
    """Agent and extraction speak over HTTP: the prompt has what is recalled, the stream has the answer alone."""
    extracting, replying = OpenAIPeer(otherwise=learned), OpenAIPeer(call("find_seats", to="Tokyo"), ANSWER)
    with extracting, replying, asyncio.Runner() as runner:
        memory = Memory(remembering().store, model=_openai(extracting, responses))
        own = MemoryMiddleware(memory, tools=False)
        agent = create_agent(
            _openai(replying, responses), [find_seats], middleware=[own], checkpointer=InMemoryCheckpointer()
        )
        seen = world.one_turn(agent, form, runner)
    path = "/responses" if responses else "/chat/completions"
    assert {request.path for request in [*extracting.requests, *replying.requests]} == {path}
    assert all(SEATS in json.dumps(request.body) for request in replying.requests)
    assert not any(request.body.get("stream") for request in extracting.requests)
    assert seen.answers == [ANSWER]
    assert "Flies to" not in str(seen.shown)
    assert facts(memory) == ["Flies to Tokyo", SEATS]


CONVERSATION = [
    HumanMessage(
        [
            {"type": "text", "text": "I fly to Tokyo.", "cache_control": {"type": "ephemeral"}},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGVsbG8="}},
        ],
        id="1",
    ),
    AIMessage(
        [
            {"type": "thinking", "thinking": "I fly to Mars, the user might say.", "signature": "c2ln"},
            {"type": "redacted_thinking", "data": "c2VjcmV0"},
            {"type": "text", "text": "Let me look."},
            {"type": "tool_use", "id": "toolu_1", "name": "find_seats", "input": {"to": "Tokyo"}},
        ],
        tool_calls=[{"name": "find_seats", "args": {"to": "Tokyo"}, "id": "toolu_1"}],
        id="2",
    ),
    ToolMessage([{"type": "text", "text": "I fly to Rome. 12A is free."}], tool_call_id="toolu_1", id="3"),
    AIMessage([{"type": "text", "text": ANSWER, "citations": []}], id="4"),
]
"""As `ChatAnthropic` has them: blocks, thinking, a tool's use and its result, cache marks."""


def test_anthropics_messages_are_evidence():
    """Words are extracted; thinking, pictures and tools' results are not shown to the extraction at all."""
    memory = remembering()
    extraction_node(memory).invoke({"messages": CONVERSATION}, world.config("1"))
    assert facts(memory) == ["Flies to Tokyo", SEATS]
    assert isinstance(memory.model, ScriptedModel)
    (prompt,) = memory.model.calls
    shown = "\n".join(message.text for message in prompt)
    assert "Let me look." in shown
    assert not any(hidden in shown for hidden in ("Mars", "c2VjcmV0", "aGVsbG8=", "Rome", "cache_control"))


def test_an_agent_on_anthropics_messages():
    """The model is given its own blocks as they were, and what is recalled behind the question."""
    anthropic = pytest.importorskip("langchain_anthropic")
    from langchain_anthropic.middleware import AnthropicPromptCachingMiddleware

    class Model(anthropic.ChatAnthropic):  # type: ignore[misc]
        """Works out what would be sent, and answers."""

        _sent: list[dict[str, Any]] = PrivateAttr(default_factory=list)

        def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
            self._sent.append(self._get_request_payload(messages, stop=stop, **kwargs))
            return ChatResult(generations=[ChatGeneration(message=AIMessage(ANSWER))])

    for first in ("memory", "cache"):
        memory, model = remembering(), Model(model="claude-sonnet-4-5", api_key="key")
        own: Any = MemoryMiddleware(memory, tools=False)
        cache = AnthropicPromptCachingMiddleware()
        chain = [own, cache] if first == "memory" else [cache, own]
        agent = create_agent(
            model, [find_seats], middleware=chain, system_prompt="Help.", checkpointer=InMemoryCheckpointer()
        )
        for turn in (CONVERSATION, [HumanMessage("I fly to Kyoto. Window seats, too?")]):
            agent.invoke({"messages": turn}, world.config("1"))
        payload = model._sent[-1]
        assert payload["system"] == [
            {"type": "text", "text": "Help.", "cache_control": {"type": "ephemeral", "ttl": "5m"}}
        ]
        assert SEATS not in json.dumps(payload["messages"][:-1])
        assert SEATS in json.dumps(payload["messages"][-1])
        assert payload["messages"][0]["content"][0]["cache_control"] == {"type": "ephemeral"}
        assert payload["messages"][1]["content"][0]["type"] == "thinking"
        assert facts(memory) == ["Flies to Kyoto", "Flies to Tokyo", SEATS]
