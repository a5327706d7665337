"""A scripted model behind the OpenAI protocol, on this machine.

The real `openai` client and LangChain's `ChatOpenAI` and `OpenAIEmbeddings` talk to it over HTTP, so their own retries,
timeouts, errors, streaming and parsing are what a test sees. Spoken are `POST /chat/completions` and `POST /responses`
(each with tools, structured output and server-sent events) and `POST /embeddings` (numbers or base64).
"""

from __future__ import annotations

import base64
import json
import math
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import numpy as np
from langchain_core.embeddings import Embeddings
from langchain_core.messages import AIMessage, AIMessageChunk, convert_to_messages, convert_to_openai_messages
from langchain_core.messages.ai import UsageMetadata
from numpy.typing import NDArray

from langchain_mem.testing import responses
from langchain_mem.testing.embeddings import FakeEmbeddings
from langchain_mem.testing.model import Reply, ScriptedModel, ScriptExhausted


class Fault(Exception):
    """What a scripted request meets instead of an answer.

    Args:
        status: The HTTP status.
        message: The text of the error, in OpenAI's shape.
        retry_after: Seconds after which the client may ask again, sent as OpenAI sends them.
        body: Sent in place of the error.
        truncated: The connection ends in the middle of the body.
        silent: Nothing is sent until the peer closes: the client's timeout ends the wait.
    """

    def __init__(
        self,
        status: int = 500,
        *,
        message: str = "The server had an error (scripted).",
        retry_after: float | None = None,
        body: bytes | None = None,
        truncated: bool = False,
        silent: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        self.body = _json(_error(status, message)) if body is None else body
        self.truncated = truncated
        self.silent = silent

    @classmethod
    def rate_limit(cls, retry_after: float = 0.01) -> Self:
        """Status 429, which the client answers by asking again after `retry_after` seconds."""
        return cls(429, message="Rate limit reached (scripted).", retry_after=retry_after)

    @classmethod
    def malformed(cls, body: bytes = b'{"choices": [') -> Self:
        """Status 200 with a body that is no JSON."""
        return cls(200, body=body)

    @classmethod
    def cut_off(cls) -> Self:
        """Status 200 with half a body, after which the connection is gone."""
        return cls(200, body=_json(_completion({}, AIMessage("This answer never arrives whole."))), truncated=True)

    @classmethod
    def silence(cls) -> Self:
        """No answer at all, for a client that has a timeout."""
        return cls(silent=True)

    @property
    def headers(self) -> dict[str, str]:
        """What OpenAI's servers send with it: whole seconds, and milliseconds, which its client prefers."""
        if self.retry_after is None:
            return {}
        return {
            "Retry-After": str(math.ceil(self.retry_after)),
            "Retry-After-Ms": str(math.ceil(self.retry_after * 1000)),
        }


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it arrived.

    Attributes:
        path: Below the base URL, such as `/chat/completions`.
        body: The JSON that was sent.
        headers: By lower-case name.
    """

    path: str
    body: dict[str, Any]
    headers: dict[str, str]


class OpenAIPeer:
    """A local server that speaks the OpenAI protocol and answers from a script.

        with OpenAIPeer("Hello!", Fault.rate_limit(), {"color": "green"}) as peer:
            model = ChatOpenAI(model="any", base_url=peer.base_url, api_key="unused")
            model.invoke("Hi").content                                  # 'Hello!'
            model.with_structured_output(Favorite).invoke("Mine?")      # Favorite(color='green'), at the second try

    A reply is what `ScriptedModel` takes, or a `Fault`. Each request takes one, and so does each retry. A request
    beyond the script is refused with status 400, which clients do not retry.

    Args:
        *replies: The script of the chat completions and responses, in order.
        otherwise: The reply to every one of them after the script.
        embeddings: Computes the vectors of `/embeddings`; by default `FakeEmbeddings()`.
    """

    def __init__(self, *replies: Reply, otherwise: Reply | None = None, embeddings: Embeddings | None = None) -> None:
        self.model = ScriptedModel(*replies, otherwise=otherwise)
        self.embeddings = embeddings or FakeEmbeddings()
        self.requests: list[Request] = []
        self.closing = threading.Event()
        self._embedding_faults: deque[Fault] = deque()
        self._server = _Server(self)

    def __enter__(self) -> Self:
        # The short poll is how long leaving takes.
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def base_url(self) -> str:
        """What a client takes as `base_url`."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def script(self, *replies: Reply) -> None:
        """Adds replies to the end of the chat completions' script."""
        self.model.script(*replies)

    def fail_embeddings(self, *faults: Fault) -> None:
        """Lets the next requests for embeddings meet these faults, one each."""
        self._embedding_faults.extend(faults)

    def answer(self, request: Request) -> dict[str, Any] | list[dict[str, Any]]:
        """What a request is answered with.

        Args:
            request: The request.

        Returns:
            One JSON object, or the events of a stream.

        Raises:
            Fault: The script has a fault for this request, or it is none the peer can answer.
        """
        match request.path:
            case "/chat/completions":
                return self._chat(request.body)
            case "/responses":
                return self._respond(request.body)
            case "/embeddings":
                return self._embed(request.body)
            case path:
                raise Fault(404, message=f"This peer speaks /chat/completions, /responses and /embeddings, not {path}.")

    def _chat(self, body: dict[str, Any]) -> dict[str, Any] | list[dict[str, Any]]:
        messages, tools = convert_to_messages(body["messages"]), body.get("tools")
        try:
            if body.get("stream"):
                return list(_events(body, self.model.stream(messages, tools=tools)))
            return _completion(body, self.model.invoke(messages, tools=tools))
        except (ScriptExhausted, TypeError) as error:  # the test's own mistakes
            raise Fault(400, message=str(error)) from error

    def _respond(self, body: dict[str, Any]) -> dict[str, Any] | list[dict[str, Any]]:
        messages, tools = responses.messages_of(body), responses.tools_of(body)
        try:
            if body.get("stream"):
                return list(responses.events(body, self.model.stream(messages, tools=tools)))
            return responses.response(body, self.model.invoke(messages, tools=tools))
        except (ScriptExhausted, TypeError) as error:  # the test's own mistakes
            raise Fault(400, message=str(error)) from error

    def _embed(self, body: dict[str, Any]) -> dict[str, Any]:
        if self._embedding_faults:
            raise self._embedding_faults.popleft()
        given = body["input"]
        texts = [given] if isinstance(given, str) else [str(text) for text in given]
        vectors = _shortened(np.array(self.embeddings.embed_documents(texts), np.float32), body.get("dimensions"))
        as_base64 = body.get("encoding_format") == "base64"
        data = [
            {"object": "embedding", "index": index, "embedding": _base64(vector) if as_base64 else vector.tolist()}
            for index, vector in enumerate(vectors)
        ]
        words = sum(len(text.split()) for text in texts)
        usage = {"prompt_tokens": words, "total_tokens": words}
        return {"object": "list", "model": body.get("model"), "data": data, "usage": usage}


class _Server(ThreadingHTTPServer):
    def __init__(self, peer: OpenAIPeer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.peer = peer


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.close_connection = True  # a client that keeps its connections would leave threads behind
        request = self._request()
        self.server.peer.requests.append(request)
        try:
            answer = self.server.peer.answer(request)
        except Fault as fault:
            self._fail(fault)
            return
        if isinstance(answer, list):
            self._stream(answer)
        else:
            self._send(200, _json(answer))

    def _request(self) -> Request:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Request(self.path.removeprefix("/v1"), body, headers)

    def _fail(self, fault: Fault) -> None:
        if fault.silent:
            self.server.peer.closing.wait()
            return
        length = {"Content-Length": str(len(fault.body))}
        self._head(fault.status, {"Content-Type": "application/json", **length, **fault.headers})
        self.wfile.write(fault.body[: len(fault.body) // 2] if fault.truncated else fault.body)

    def _send(
        self, status: int, body: bytes, headers: dict[str, str] | None = None, *, sent: int | None = None
    ) -> None:
        length = {"Content-Length": str(len(body))}
        self._head(status, {"Content-Type": "application/json", **length, **(headers or {})})
        self.wfile.write(body[:sent])

    def _stream(self, events: list[dict[str, Any]]) -> None:
        """Server-sent events, each an HTTP chunk of its own."""
        self._head(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"})
        named = [b"event: %s\ndata: %s" % (one["type"].encode(), _json(one)) for one in events if "type" in one]
        for lines in named or [*(b"data: " + _json(one) for one in events), b"data: [DONE]"]:
            event = lines + b"\n\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
        self.wfile.write(b"0\r\n\r\n")

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Says nothing: tests read `requests`."""


def _completion(body: dict[str, Any], message: AIMessage) -> dict[str, Any]:
    finish = "tool_calls" if message.tool_calls else "stop"
    choice = {"index": 0, "message": _spoken(message), "finish_reason": finish, "logprobs": None}
    return {**_envelope(body, "chat.completion"), "choices": [choice], "usage": _usage(body, message)}


def _spoken(message: AIMessage) -> dict[str, Any]:
    """The message in OpenAI's shape, where calls with invalid arguments stand among the others."""
    said: dict[str, Any] = {**convert_to_openai_messages(message), "refusal": None}
    invalid = [
        {"type": "function", "id": call["id"], "function": {"name": call["name"], "arguments": call["args"]}}
        for call in message.invalid_tool_calls
    ]
    calls = [*said.pop("tool_calls", []), *invalid]
    return {**said, "tool_calls": calls} if calls else said


def _events(body: dict[str, Any], chunks: Iterable[AIMessageChunk]) -> Iterator[dict[str, Any]]:
    total = AIMessageChunk(content="")
    for chunk in chunks:
        total += chunk
        yield _event(body, _delta(chunk), None)
    yield _event(body, {}, "tool_calls" if total.tool_call_chunks else "stop")
    if (body.get("stream_options") or {}).get("include_usage"):
        yield {**_envelope(body, "chat.completion.chunk"), "choices": [], "usage": _usage(body, total)}


def _event(body: dict[str, Any], delta: dict[str, Any], finish: str | None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
    return {**_envelope(body, "chat.completion.chunk"), "choices": [choice]}


def _delta(chunk: AIMessageChunk) -> dict[str, Any]:
    calls = [
        {
            "index": call["index"],
            "function": {"arguments": call["args"], **({"name": call["name"]} if call["name"] else {})},
            **({"id": call["id"], "type": "function"} if call["id"] else {}),
        }
        for call in chunk.tool_call_chunks
    ]
    said = {"role": "assistant", "content": chunk.text}
    return {**said, "tool_calls": calls} if calls else said


def _envelope(body: dict[str, Any], kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-scripted", "object": kind, "created": 0, "model": body.get("model", "scripted")}


def _usage(body: dict[str, Any], message: AIMessage) -> dict[str, int]:
    """The scripted usage, or words where OpenAI counts tokens."""
    asked = sum(len(str(each.get("content")).split()) for each in body.get("messages", []))
    said = len(message.text.split())
    usage = message.usage_metadata or UsageMetadata(input_tokens=asked, output_tokens=said, total_tokens=asked + said)
    return {
        "prompt_tokens": usage["input_tokens"],
        "completion_tokens": usage["output_tokens"],
        "total_tokens": usage["total_tokens"],
    }


def _error(status: int, message: str) -> dict[str, Any]:
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}


def _shortened(vectors: NDArray[np.float32], dims: int | None) -> NDArray[np.float32]:
    """The first `dims` numbers of each vector, at unit length again, as OpenAI shortens them."""
    kept = vectors[:, :dims]
    return kept if dims is None else kept / np.linalg.norm(kept, axis=1, keepdims=True)


def _base64(vector: NDArray[np.float32]) -> str:
    """Little-endian float32, as OpenAI packs a vector."""
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
