"""Where recalled text goes in a model call, so that a provider's prompt cache survives it.

A provider caches the beginning of a prompt. What changes with each question stands at the end, behind the words of the
last user message; only the core, which seldom changes, is in the system message.
"""

from __future__ import annotations

from typing import Any, cast

from langchain.agents.middleware.types import ModelRequest
from langchain_core.messages import AnyMessage, HumanMessage, SystemMessage
from typing_extensions import override


def with_memories(request: ModelRequest[Any], core: str, found: str) -> ModelRequest[Any]:
    """A request that shows a model what was recalled.

    Args:
        request: The request; it is not changed.
        core: Text for the system message, which survives a middleware that sets another one, as `@dynamic_prompt` does.
        found: Text for the last user message; for the system message where there is none.
    """
    messages = _beside_question(request.messages, found) if found else request.messages
    if messages is None:
        core, messages = f"{core}\n\n{found}".strip(), request.messages
    changed = request.override(messages=messages)
    return _Remembering.of(changed, core) if core else changed


class _Remembering(ModelRequest[Any]):
    """A request whose system message has the core memories at its end, whoever sets it."""

    cores: tuple[str, ...]

    @classmethod
    def of(cls, request: ModelRequest[Any], core: str) -> _Remembering:
        """A request with a core beside those that it has."""
        cores = (*getattr(request, "cores", ()), core)
        return cls(**{name: getattr(request, name) for name in ModelRequest.__dataclass_fields__})._keeping(cores)

    @override
    def override(self, **changes: Any) -> ModelRequest[Any]:
        return cast(_Remembering, super().override(**changes))._keeping(self.cores)

    def _keeping(self, cores: tuple[str, ...]) -> _Remembering:
        system = self.system_message
        for core in cores:
            if system is None or core not in system.text:
                system = _with(system, core)
        # the base class deprecates assignment, for a middleware; this is a request's own making
        object.__setattr__(self, "cores", cores)
        object.__setattr__(self, "system_message", system)
        return self


def _beside_question(messages: list[AnyMessage], text: str) -> list[AnyMessage] | None:
    """The messages with a text behind the last user message; `None` where there is none."""
    asked = [place for place, message in enumerate(messages) if isinstance(message, HumanMessage)]
    if not asked:
        return None
    message = messages[asked[-1]]
    shown = message.model_copy(update={"content": _appended(message.content, text)})
    return [*messages[: asked[-1]], shown, *messages[asked[-1] + 1 :]]


def _with(system: SystemMessage | None, text: str) -> SystemMessage:
    return (
        SystemMessage(text)
        if system is None
        else system.model_copy(update={"content": _appended(system.content, text)})
    )


def _appended(content: Any, text: str) -> Any:
    """Content with a text at its end: after its words, or as a block of its own."""
    if isinstance(content, str):
        return f"{content}\n\n{text}" if content else text
    return [*content, {"type": "text", "text": text}]
