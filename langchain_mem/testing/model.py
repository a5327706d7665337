"""A chat model that says what it was told to say.

It is a `BaseChatModel` like any other: what a test drives with it goes through LangChain's own binding of tools,
structured output, streaming and callbacks. Only the thinking is scripted.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias
from uuid import uuid4

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.tool import tool_call, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel, PrivateAttr

Said: TypeAlias = str | AIMessage | dict[str, Any] | BaseModel | Exception | type[Exception]
"""What a model may answer; see `ScriptedModel`."""

Reply: TypeAlias = Said | Callable[[list[BaseMessage]], Said]
"""An answer, or what works it out from the messages of the call."""


class ScriptExhausted(AssertionError):
    """A `ScriptedModel` was called more often than its script has replies: the test expected fewer calls."""


class ScriptedModel(BaseChatModel):
    """A chat model whose replies are given in advance, one for each call.

    A reply is one of:

    - a `str`: the text of the answer, whatever was asked for; a model that ignores its tools does this;
    - a `dict` or a pydantic object: the arguments of a call of the bound tool (of several, `{"name": ..., "args": ...}`
      or the class's name says which), or JSON text where no tool is bound, as a model without tool calling writes it;
    - an `AIMessage`: the answer as it is, with several or invalid tool calls, token usage and so on;
    - an exception: raised, as a provider's error would be;
    - a callable: given the messages of the call, returns one of the above.

        model = ScriptedModel("Hello!", {"color": "green"}, TimeoutError("slow"))
        model.invoke("Hi").content                                  # 'Hello!'
        model.with_structured_output(Favorite).invoke("Mine?")      # Favorite(color='green')

    Models that LangChain derives from it (`bind_tools`, `with_config`, `model_copy`) share its script and its calls.

    Args:
        *replies: The script, in order.
        tool_calling: False imitates a model without tool calling: `bind_tools` and `with_structured_output` raise
            `NotImplementedError`, as LangChain's own models do.
        otherwise: The reply to every call after the script; `None` makes such a call fail with `ScriptExhausted`.
    """

    tool_calling: bool = True
    otherwise: Any = None
    _script: deque[Reply] = PrivateAttr(default_factory=deque)
    _calls: list[list[BaseMessage]] = PrivateAttr(default_factory=list)
    _tools: list[list[str]] = PrivateAttr(default_factory=list)

    def __init__(
        self, *replies: Reply, tool_calling: bool = True, otherwise: Reply | None = None, **fields: Any
    ) -> None:
        super().__init__(**fields)
        self.tool_calling = tool_calling
        self.otherwise = otherwise
        self.script(*replies)

    def script(self, *replies: Reply) -> None:
        """Adds replies to the end of the script."""
        self._script.extend(replies)

    @property
    def calls(self) -> list[list[BaseMessage]]:
        """The messages of each call, in the order of the calls, failed ones included."""
        return self._calls

    @property
    def tools(self) -> list[list[str]]:
        """The names of the tools that were bound at each call."""
        return self._tools

    @property
    def count(self) -> int:
        """How often the model was called."""
        return len(self._calls)

    @property
    def remaining(self) -> int:
        """How many replies of the script are left."""
        return len(self._script)

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """The model with tools to call.

        Args:
            tools: What `convert_to_openai_tool` accepts.
            tool_choice: Which tool must be called; recorded with the call, the script decides.
            **kwargs: Bound too.

        Returns:
            A runnable that shares this model's script.

        Raises:
            NotImplementedError: The model was made with `tool_calling=False`.
        """
        if not self.tool_calling:
            raise NotImplementedError("This model was scripted with tool_calling=False.")
        formatted = [convert_to_openai_tool(tool) for tool in tools]
        return super().bind(tools=formatted, tool_choice=tool_choice, **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        message = self._answer(messages, kwargs.get("tools") or [])
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for chunk in _chunks(self._answer(messages, kwargs.get("tools") or [])):
            yield ChatGenerationChunk(message=chunk)

    def _answer(self, messages: list[BaseMessage], tools: Sequence[dict[str, Any]]) -> AIMessage:
        names = [tool["function"]["name"] for tool in tools]
        self._calls.append(list(messages))
        self._tools.append(names)
        reply = self._next()
        said = reply(messages) if _works_it_out(reply) else reply
        return _message(said, names)

    def _next(self) -> Any:
        try:
            return self._script.popleft()
        except IndexError:
            if self.otherwise is not None:
                return self.otherwise
        asked = self._calls[-1][-1].text if self._calls[-1] else ""
        raise ScriptExhausted(
            f"Call {self.count} of this ScriptedModel has no reply left; its last message was {asked[:200]!r}. "
            "Script one reply for each expected call, or pass `otherwise=`."
        )

    @property
    def _llm_type(self) -> str:
        return "scripted"


def _works_it_out(reply: Reply) -> bool:
    return callable(reply) and not isinstance(reply, (type, BaseModel))


def _message(said: Any, tools: list[str]) -> AIMessage:
    """What was said, as the message a model would answer with."""
    if isinstance(said, Exception) or (isinstance(said, type) and issubclass(said, Exception)):
        raise said
    if isinstance(said, AIMessage):
        return said.model_copy()  # LangChain completes the message in place; a reply that repeats must not change
    if isinstance(said, str):
        return AIMessage(content=said)
    if isinstance(said, BaseModel):
        return _object(type(said).__name__, said.model_dump(mode="json"), tools)
    if isinstance(said, dict):
        return _object(None, said, tools)
    raise TypeError(f"A reply is a str, dict, pydantic object, AIMessage or exception, not {type(said).__name__}.")


def _object(name: str | None, fields: dict[str, Any], tools: list[str]) -> AIMessage:
    """An object is a tool call where tools are bound, and JSON text where none are."""
    if not tools:
        return AIMessage(content=json.dumps(fields, default=str))
    if fields.keys() == {"name", "args"} and fields["name"] in tools:
        name, fields = fields["name"], fields["args"]
    elif len(tools) == 1:
        name = tools[0]
    elif name not in tools:
        raise TypeError(f'Which tool? Reply {{"name": ..., "args": ...}} with a name of {tools}, or an AIMessage.')
    return AIMessage(content="", tool_calls=[tool_call(name=name, args=fields, id=f"call_{uuid4().hex}")])


def _chunks(message: AIMessage) -> Iterator[AIMessageChunk]:
    """The message as providers stream it: word by word, then each tool call, then the usage."""
    if isinstance(message.content, str):
        for word in re.findall(r"\s*\S+\s*$|\s*\S+|\s+", message.content):
            yield AIMessageChunk(content=word, id=message.id)
    else:
        yield AIMessageChunk(content=message.content, id=message.id)
    for chunk in _tool_chunks(message):
        yield AIMessageChunk(content="", id=message.id, tool_call_chunks=[chunk])
    yield AIMessageChunk(
        content="",
        id=message.id,
        additional_kwargs=message.additional_kwargs,
        response_metadata=message.response_metadata,
        usage_metadata=message.usage_metadata,
        chunk_position="last",
    )


def _tool_chunks(message: AIMessage) -> Iterator[Any]:
    """Each tool call in two pieces, its name first; arguments that are no JSON are streamed as they are."""
    valid = [(call["id"], call["name"], json.dumps(call["args"])) for call in message.tool_calls]
    invalid = [(call["id"], call["name"], call["args"]) for call in message.invalid_tool_calls]
    for index, (id_, name, args) in enumerate(valid + invalid):
        yield tool_call_chunk(name=name, args="", id=id_, index=index)
        yield tool_call_chunk(name=None, args=args, id=None, index=index)
