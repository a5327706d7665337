"""How an operation gets its forms.

An operation is written once, as an `async def` whose first argument is the `Settings` of a memory, in the file of its
name. Beneath it one line makes both its forms, which `facade` takes into the classes that people use:

    async def _search(settings: Settings, query: str, …) -> SearchResult:
        …

    search, asearch = operation(_search)

`search` is a method that does it on the calling thread in `Memory`, and a coroutine in `AsyncMemory`; `asearch` is a
coroutine in both. `search.body` is the `async def` itself, for other operations. What only surfaces call is made with
`Operation` alone, and is a method of `memory.operations`.

Every form is watched: its duration and its errors (see `langchain_mem.watching`). What people are returned draws
itself as a table in a notebook, and is otherwise the plain dict or list.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, Concatenate, Generic, ParamSpec, TypeAlias, TypeVar, overload

from langchain_mem._flow import Body, arun, run
from langchain_mem.errors import SHOWN, UnknownOption, meant
from langchain_mem.memory.settings import Settings
from langchain_mem.model.scopes import IDS
from langchain_mem.rendering.tables import as_table
from langchain_mem.watching.telemetry import watched
from langchain_mem.watching.tracing import traced

P = ParamSpec("P")
R = TypeVar("R")


class OnThread:
    """A memory whose plain names run on the calling thread."""

    settings: Settings


class OnLoop:
    """A memory whose plain names are coroutines."""

    settings: Settings


class Undriven:
    """A memory whose plain names are bodies, for what runs in both forms itself; see `langchain_mem._flow`."""

    settings: Settings


_Memory: TypeAlias = OnThread | OnLoop | Undriven


class Operation(Generic[P, R]):
    """An operation as a method, in the form that the plain names of its class have."""

    def __init__(self, body: Callable[Concatenate[Settings, P], Body[R]], *, run_name: str | None = None) -> None:
        self.body = body
        self.__doc__ = body.__doc__
        seen = watched(body)
        public = seen if run_name is None else traced(run_name, seen)
        self._undriven = _of_a_memory(body, seen)
        self._sync = _of_a_memory(body, lambda *args, **kwargs: as_table(run(public(*args, **kwargs))))
        self.coroutine = CoroutineForm(body, public)

    @overload
    def __get__(self, memory: None, owner: type) -> Callable[Concatenate[Any, P], Any]: ...
    @overload
    def __get__(self, memory: OnThread, owner: type) -> Callable[P, R]: ...
    @overload
    def __get__(self, memory: OnLoop | Undriven, owner: type) -> Callable[P, Body[R]]: ...
    def __get__(self, memory: _Memory | None, owner: type) -> Any:
        if issubclass(owner, OnLoop):
            return self.coroutine.__get__(memory, owner)
        form = self._undriven if issubclass(owner, Undriven) else self._sync
        return form.__get__(memory, owner)


class CoroutineForm(Generic[P, R]):
    """An operation as a coroutine method."""

    def __init__(
        self, body: Callable[Concatenate[Settings, P], Body[R]], public: Callable[Concatenate[Settings, P], Body[R]]
    ) -> None:
        self.__doc__ = body.__doc__

        known = _keywords(body)

        async def form(memory: _Memory, /, *args: P.args, **kwargs: P.kwargs) -> R:
            if not kwargs.keys() <= known:
                raise _unknown(kwargs.keys() - known, known)
            return as_table(await arun(public(memory.settings, *args, **kwargs)))

        self._form: Any = _described(form, body)

    @overload
    def __get__(self, memory: None, owner: type) -> Callable[Concatenate[Any, P], Body[R]]: ...
    @overload
    def __get__(self, memory: _Memory, owner: type) -> Callable[P, Body[R]]: ...
    def __get__(self, memory: _Memory | None, owner: type) -> Any:
        return self._form.__get__(memory, owner)


def operation(
    body: Callable[Concatenate[Settings, P], Body[R]], *, run_name: str | None = None
) -> tuple[Operation[P, R], CoroutineForm[P, R]]:
    """Both forms of an operation, to be taken into a class under its name and under its name with an `a` before it.

    Args:
        body: What it does.
        run_name: Of the retriever run that a trace of LangChain shows for it; `None` for none.
    """
    made = Operation(body, run_name=run_name)
    return made, made.coroutine


def _of_a_memory(body: Callable[..., Any], form: Callable[..., Any]) -> Any:
    """A function of a memory that hands the memory's settings to one of a body's forms."""
    known = _keywords(body)

    def method(memory: _Memory, /, *args: Any, **kwargs: Any) -> Any:
        if not kwargs.keys() <= known:
            raise _unknown(kwargs.keys() - known, known)
        return form(memory.settings, *args, **kwargs)

    return _described(method, body)


def _keywords(body: Callable[..., Any]) -> frozenset[str]:
    """The keywords that an operation takes: its own, and the ids where it takes those."""
    _, *parameters = inspect.signature(body).parameters.values()
    own = {each.name for each in parameters if each.kind is not inspect.Parameter.VAR_KEYWORD}
    return frozenset(own) if len(own) == len(parameters) else frozenset({*own, *IDS, "session_id"})


def _unknown(names: Iterable[str], known: Iterable[str]) -> UnknownOption:
    name = min(names)
    return UnknownOption(
        f"There is no option {name[:SHOWN]}.{meant(name, known)} There are: {', '.join(sorted(known))}."
    )


def _described(method: Callable[..., Any], body: Callable[..., Any]) -> Callable[..., Any]:
    """A method with the name, the documentation and the parameters of a body; `self` stands for the settings."""
    functools.update_wrapper(method, body)
    settings, *others = inspect.signature(body).parameters.values()
    method.__name__ = body.__name__.strip("_")
    method.__signature__ = inspect.Signature([settings.replace(name="self", annotation=settings.empty), *others])  # type: ignore[attr-defined]
    return method
