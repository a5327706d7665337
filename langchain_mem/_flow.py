"""One body, two drivers: an operation is written once and runs on a thread or on an event loop.

A *body* is an `async def` that awaits only other bodies and `call(sync_form, async_form, *args)`. `run` drives it on
the calling thread: at each `call` it invokes the sync form. `arun` drives it on the running loop: at each `call` it
awaits the async form. Nothing else may be awaited inside a body, and `run` says so when something is.

    async def _read(path):                       # the body
        return await call(open_and_read, aopen_and_read, path)

    run(_read(path))                             # on this thread
    await arun(_read(path))                      # on this event loop

The technique is psycopg's generators and httpx's `auth_flow`, spelled `await` so that type checkers infer through it
and a forgotten `await` is caught.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

Body = Coroutine[Any, Any, R]
"""What an operation's `async def` returns before a driver runs it."""


class _Call(Generic[R]):
    """A leaf: one thing to do, in both its forms."""

    __slots__ = ("args", "async_form", "kwargs", "sync_form")

    def __init__(
        self,
        sync_form: Callable[..., R],
        async_form: Callable[..., Awaitable[R]],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        self.sync_form = sync_form
        self.async_form = async_form
        self.args = args
        self.kwargs = kwargs

    def __await__(self) -> Generator[_Call[R], R, R]:
        return (yield self)


async def call(
    sync_form: Callable[P, R], async_form: Callable[P, Awaitable[R]], *args: P.args, **kwargs: P.kwargs
) -> R:
    """Does one thing: with `sync_form` under `run`, with `async_form` under `arun`."""
    result: R = await _Call(sync_form, async_form, args, kwargs)
    return result


async def offload(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Does one blocking thing that has no async form: in place under `run`, in a worker thread under `arun`."""
    result: R = await _Call(function, functools.partial(asyncio.to_thread, function), args, kwargs)
    return result


def run(body: Body[R]) -> R:
    """Drives a body to its result on the calling thread.

    Args:
        body: What calling an operation's `async def` returned.

    Returns:
        What the body returns.

    Raises:
        RuntimeError: The body awaited something that is no `call`, such as a future of an event loop.
    """
    step: Callable[[Any], Any] = body.send
    value: Any = None
    try:
        while True:
            leaf = step(value)
            if not isinstance(leaf, _Call):
                body.close()
                raise RuntimeError(f"A body may await only other bodies and call(), not {leaf!r}.")
            try:
                value = leaf.sync_form(*leaf.args, **leaf.kwargs)
                step = body.send
            except BaseException as error:  # noqa: BLE001 - the body decides, as at any await
                value, step = error, body.throw
    except StopIteration as stop:
        result: R = stop.value
        return result
    finally:
        body.close()


async def arun(body: Body[R]) -> R:
    """Drives a body to its result on the running event loop; see `run`."""
    step: Callable[[Any], Any] = body.send
    value: Any = None
    try:
        while True:
            leaf = step(value)
            if not isinstance(leaf, _Call):
                raise RuntimeError(f"A body may await only other bodies and call(), not {leaf!r}.")
            try:
                value = await leaf.async_form(*leaf.args, **leaf.kwargs)
                step = body.send
            except BaseException as error:  # noqa: BLE001 - the body decides, as at any await
                value, step = error, body.throw
    except StopIteration as stop:
        result: R = stop.value
        return result
    finally:
        body.close()


async def gather(*bodies: Body[R]) -> list[R]:
    """Drives several bodies: one after the other under `run`, concurrently under `arun`.

    Args:
        *bodies: The bodies. Under `arun` the first error cancels the rest and is raised.

    Returns:
        Their results, in order.
    """
    results: list[R] = await _Call(_one_by_one, _together, bodies, {})
    return results


def _one_by_one(*bodies: Body[R]) -> list[R]:
    try:
        return [run(body) for body in bodies]
    finally:
        for body in bodies:
            body.close()


async def _together(*bodies: Body[R]) -> list[R]:
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(arun(body)) for body in bodies]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None  # the one `run` would raise, so that both forms fail alike
    return [task.result() for task in tasks]
