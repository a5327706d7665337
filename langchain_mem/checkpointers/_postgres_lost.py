"""A call whose connection is lost in the middle is made once more, on a new connection.

A connection may end while the server works on a call: a proxy closes it, the server restarts or fails over. Then nobody
knows whether the call was carried out. LangGraph's calls may be repeated all the same: what reads changes nothing, a
checkpoint and its writes are stored under their own ids, and deleting what is gone does nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

import psycopg

from langchain_mem.backends.postgres.connections import Silent

P = ParamSpec("P")
R = TypeVar("R")


class ConnectionLost(psycopg.OperationalError):
    """The connection was lost during a call, and it is not known whether the call was carried out."""


class Held:
    """The connection that a call uses, once it has one.

    Attributes:
        connection: The connection; `None` while there is none yet.
    """

    connection: psycopg.Connection[object] | psycopg.AsyncConnection[object] | None = None


@contextmanager
def noticing_loss() -> Iterator[Held]:
    """Tells a connection that was lost on the way from one that could not be made, and from a server that is silent.

    Raises:
        ConnectionLost: psycopg failed, and the connection is closed.
    """
    held = Held()
    try:
        yield held
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        if held.connection is None or not held.connection.closed or isinstance(error, Silent):
            raise
        raise ConnectionLost(str(error)) from error


def twice(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Makes a call, and once more where its connection was lost."""
    try:
        return function(*args, **kwargs)
    except ConnectionLost:
        return function(*args, **kwargs)


async def atwice(function: Callable[P, Awaitable[R]], *args: P.args, **kwargs: P.kwargs) -> R:
    """The async form of `twice`."""
    try:
        return await function(*args, **kwargs)
    except ConnectionLost:
        return await function(*args, **kwargs)
