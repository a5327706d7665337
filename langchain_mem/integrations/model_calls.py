"""Whether a model was called while something ran: a guardrail may answer in its place.

LangChain tells handlers of each call of a chat model. One of ours notes it in the context in which the call is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.tracers.context import register_configure_hook
from typing_extensions import override

_watching: Final = ContextVar[list[str] | None]("langchain_mem_watching_model_calls", default=None)


@contextmanager
def watching_model_calls() -> Iterator[list[str]]:
    """Gives a list that gets an entry for each call of a chat model within."""
    calls: list[str] = []
    around = _watching.get()
    token = _watching.set(calls)
    try:
        yield calls
    finally:
        _watching.reset(token)
        if around is not None:  # two memories of an agent watch the same call
            around.extend(calls)


class _Calls(BaseCallbackHandler):
    """Notes calls of chat models where somebody watches."""

    run_inline = True  # in the context of the call, on an event loop too
    ignore_llm = ignore_retry = ignore_retriever = ignore_agent = ignore_chain = ignore_custom_event = True

    @override
    def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
        calls = _watching.get()
        if calls is not None:
            calls.append("called")


_CALLS: Final = _Calls()

register_configure_hook(ContextVar("langchain_mem_model_calls", default=_CALLS), inheritable=True)
