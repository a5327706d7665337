"""The peer, met by the real `openai` client and by LangChain's own OpenAI classes."""

from __future__ import annotations

import base64
import operator
from collections.abc import Iterator
from functools import reduce
from typing import Any

import numpy as np
import openai
import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.messages.tool import invalid_tool_call, tool_call
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel, ValidationError

from langchain_mem.testing.embeddings import FakeEmbeddings
from langchain_mem.testing.peer import Fault, OpenAIPeer


class Favorite(BaseModel):
    """What somebody likes best."""

    color: str


@tool
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


@pytest.fixture
def peer() -> Iterator[OpenAIPeer]:
    with OpenAIPeer() as peer:
        yield peer


@pytest.fixture
def client(peer: OpenAIPeer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=peer.base_url, api_key="key", max_retries=1) as client:
        yield client


def _chat(peer: OpenAIPeer, **options: Any) -> ChatOpenAI:
    return ChatOpenAI(model="scripted", base_url=peer.base_url, api_key="key", **{"max_retries": 0, **options})


APIS = pytest.mark.parametrize("responses", [False, True], ids=["chat completions", "responses"])
"""Which of OpenAI's two interfaces LangChain's class speaks."""


def _ask(client: openai.OpenAI, **options: Any) -> Any:
    return client.chat.completions.create(model="scripted", messages=[{"role": "user", "content": "Hi"}], **options)


def test_a_completion_arrives(peer: OpenAIPeer, client: openai.OpenAI):
    """The client parses the scripted text, why it ended and what it cost."""
    peer.script("Hello there!")
    answer = _ask(client)
    assert answer.choices[0].message.content == "Hello there!"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == 3
    assert answer.model == "scripted"


def test_a_request_is_recorded(peer: OpenAIPeer, client: openai.OpenAI):
    """Path, body and headers are kept as they arrived; the model's script sees messages."""
    peer.script(lambda messages: messages[-1].text.upper())
    assert _ask(client, temperature=0.5).choices[0].message.content == "HI"
    (request,) = peer.requests
    assert request.path == "/chat/completions"
    assert request.body["temperature"] == 0.5
    assert request.headers["authorization"] == "Bearer key"
    assert peer.model.calls == [[HumanMessage("Hi")]]


@APIS
def test_langchain_streams_it(peer: OpenAIPeer, responses: bool):
    """The text arrives in pieces that add up to it, with the usage."""
    peer.script("Hello there, you.")
    chunks = list(_chat(peer, stream_usage=True, use_responses_api=responses).stream("Hi"))
    assert [chunk.text for chunk in chunks if chunk.text] == ["Hello", " there,", " you."]
    assert sum((chunk.usage_metadata or {}).get("output_tokens", 0) for chunk in chunks) == 3


@APIS
async def test_langchain_speaks_to_it_asynchronously(peer: OpenAIPeer, responses: bool):
    """`ainvoke` and `astream` work as their sync forms do."""
    peer.script("Hello!", "Hello again!")
    model = _chat(peer, use_responses_api=responses)
    assert (await model.ainvoke("Hi")).text == "Hello!"
    assert "".join([chunk.text async for chunk in model.astream("Hi")]) == "Hello again!"


@APIS
@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
def test_structured_output_is_parsed(peer: OpenAIPeer, method: Any, responses: bool):
    """An object serves each of LangChain's ways to ask for one."""
    peer.script({"color": "green"}, Favorite(color="blue"))
    structured = _chat(peer, use_responses_api=responses).with_structured_output(Favorite, method=method)
    assert [structured.invoke("Mine, as JSON?") for _ in range(2)] == [Favorite(color="green"), Favorite(color="blue")]


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_structured_output_of_the_wrong_shape_is_the_clients_error(peer: OpenAIPeer, method: Any):
    """What does not fit the schema fails in LangChain's own validation."""
    peer.script({"colour": "green"})
    with pytest.raises(ValidationError):
        _chat(peer).with_structured_output(Favorite, method=method).invoke("Mine?")


@APIS
def test_tool_calls_arrive(peer: OpenAIPeer, responses: bool):
    """Whole or streamed, several calls at once, one of them with arguments that are no JSON."""
    said = AIMessage(
        "Let me add.",
        tool_calls=[tool_call(name="add", args={"a": 1, "b": 2}, id="1"), tool_call(name="add", args={}, id="2")],
        invalid_tool_calls=[invalid_tool_call(name="add", args="a is 1", id="3")],
    )
    peer.script(said, said)
    model = _chat(peer, use_responses_api=responses).bind_tools([add])
    for answer in model.invoke("1 + 2?"), reduce(operator.add, model.stream("1 + 2?")):
        assert [call["args"] for call in answer.tool_calls] == [{"a": 1, "b": 2}, {}]
        assert [call["args"] for call in answer.invalid_tool_calls] == ["a is 1"]
        assert answer.text == "Let me add."


@APIS
def test_a_conversation_with_tools_is_understood(peer: OpenAIPeer, responses: bool):
    """What LangChain sends back, the call and the tool's answer, reaches the script as messages."""
    peer.script({"a": 1, "b": 2}, lambda messages: f"It is {messages[-1].text}.")
    model = _chat(peer, use_responses_api=responses).bind_tools([add])
    question = HumanMessage("1 + 2?")
    call = model.invoke([question])
    answer = model.invoke([question, call, add.invoke(call.tool_calls[0])])
    assert answer.text == "It is 3."


def test_a_rate_limit_is_waited_for(peer: OpenAIPeer, client: openai.OpenAI):
    """The client's own retry asks again after the time the peer named, and succeeds."""
    peer.script(Fault.rate_limit(retry_after=0.02), "Hello!")
    assert _ask(client).choices[0].message.content == "Hello!"
    assert [request.headers["x-stainless-retry-count"] for request in peer.requests] == ["0", "1"]


def test_a_rate_limit_without_a_retry_is_the_clients_error(peer: OpenAIPeer, client: openai.OpenAI):
    """The error carries the status, the message and the time to wait."""
    peer.script(Fault.rate_limit(retry_after=7))
    with pytest.raises(openai.RateLimitError, match="Rate limit reached") as raised:
        _ask(client.with_options(max_retries=0))
    assert raised.value.response.headers["retry-after"] == "7"


def test_a_server_error_is_the_clients_error(peer: OpenAIPeer):
    """Status 500 raises openai's own error through LangChain."""
    peer.script(Fault(500, message="out of order"))
    with pytest.raises(openai.InternalServerError, match="out of order"):
        _chat(peer).invoke("Hi")


async def test_a_server_error_ends_a_stream(peer: OpenAIPeer):
    """A stream that cannot begin fails as a call does."""
    peer.script(Fault(503))
    with pytest.raises(openai.InternalServerError):
        _ = [chunk async for chunk in _chat(peer).astream("Hi")]


def test_a_malformed_answer_is_an_error(peer: OpenAIPeer):
    """A body that is no JSON is not mistaken for an answer."""
    peer.script(Fault.malformed())
    with pytest.raises(ValueError):
        _chat(peer).invoke("Hi")


def test_a_cut_off_answer_is_a_connection_error(peer: OpenAIPeer, client: openai.OpenAI):
    """Half a body does not pass for an answer; one retry brings the whole."""
    peer.script(Fault.cut_off(), "whole")
    assert _ask(client).choices[0].message.content == "whole"
    peer.script(Fault.cut_off())
    with pytest.raises(openai.APIConnectionError):
        _ask(client.with_options(max_retries=0))


def test_silence_ends_with_the_clients_timeout(peer: OpenAIPeer):
    """A peer that never answers is given up by the client."""
    peer.script(Fault.silence())
    with pytest.raises(openai.APITimeoutError):
        _chat(peer, timeout=0.1).invoke("Hi")


def test_a_request_beyond_the_script_is_refused(peer: OpenAIPeer, client: openai.OpenAI):
    """It fails at once, without retries, and says that the script is too short."""
    with pytest.raises(openai.BadRequestError, match="has no reply left"):
        _ask(client)
    assert len(peer.requests) == 1


def test_another_endpoint_is_refused(client: openai.OpenAI):
    """The error lists what the peer speaks."""
    with pytest.raises(openai.NotFoundError, match="speaks /chat/completions, /responses"):
        client.completions.create(model="scripted", prompt="Hi")


@pytest.mark.parametrize("encoding", ["float", "base64", openai.NOT_GIVEN])
def test_vectors_arrive_in_every_encoding(peer: OpenAIPeer, client: openai.OpenAI, encoding: Any):
    """The client reads the vectors of the peer's embedder, whichever way they travel."""
    answer = client.embeddings.create(model="scripted", input=["a cat", "a dog"], encoding_format=encoding)
    expected = FakeEmbeddings().embed_documents(["a cat", "a dog"])
    for item, vector in zip(answer.data, expected, strict=True):
        got = (
            np.frombuffer(base64.b64decode(item.embedding), "<f4")
            if isinstance(item.embedding, str)
            else item.embedding
        )
        np.testing.assert_allclose(got, vector, atol=1e-6)


def test_vectors_are_shortened_on_demand(client: openai.OpenAI):
    """`dimensions` cuts a vector, which keeps unit length."""
    vector = client.embeddings.create(model="scripted", input="a cat", dimensions=8).data[0].embedding
    assert len(vector) == 8
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)


async def test_langchain_embeds_through_it(peer: OpenAIPeer):
    """`OpenAIEmbeddings` works in both forms, and its own retry outlasts a rate limit."""
    embeddings = OpenAIEmbeddings(
        model="scripted", base_url=peer.base_url, api_key="key", check_embedding_ctx_length=False, max_retries=1
    )
    expected = FakeEmbeddings().embed_documents(["a cat", "a dog"])
    peer.fail_embeddings(Fault.rate_limit())
    np.testing.assert_allclose(embeddings.embed_documents(["a cat", "a dog"]), expected, atol=1e-6)
    np.testing.assert_allclose(await embeddings.aembed_query("a cat"), expected[0], atol=1e-6)
    assert [request.path for request in peer.requests] == ["/embeddings"] * 3


def test_a_failing_embedder_is_the_clients_error(peer: OpenAIPeer, client: openai.OpenAI):
    """Faults of embeddings are a script of their own: chat goes on."""
    peer.fail_embeddings(Fault(500, message="no vectors"))
    peer.script("Hello!")
    assert _ask(client).choices[0].message.content == "Hello!"
    with pytest.raises(openai.InternalServerError, match="no vectors"):
        client.with_options(max_retries=0).embeddings.create(model="scripted", input="a cat")
