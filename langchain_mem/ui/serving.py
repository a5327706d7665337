"""The inspector on a port of this machine: until it is interrupted, or beside an agent in its own process."""

from __future__ import annotations

import logging
import secrets
import socket
import threading
from collections.abc import Callable, Iterable
from functools import partial
from types import TracebackType
from typing import Any, Final

import uvicorn
from langgraph.checkpoint.base import BaseCheckpointSaver
from starlette.applications import Starlette

from langchain_mem._flow import run
from langchain_mem.errors import MemError
from langchain_mem.memory.base import MemoryBase
from langchain_mem.rendering.markup import tag
from langchain_mem.ui.app import build_app
from langchain_mem.ui.door import HOST

_START_SECONDS: Final = 20.0
_LOG: Final = logging.getLogger("langchain_mem")
_NOBODY: Final = "00000000-0000-0000-0000-000000000000"


def serve(
    memory: MemoryBase,
    *,
    port: int = 0,
    token: str | None = None,
    editable: bool = False,
    checkpointers: Iterable[BaseCheckpointSaver[Any]] = (),
    announce: Callable[[str], None] = print,
) -> None:
    """Serves the inspector on this machine until it is interrupted.

    Args:
        memory: What to look into.
        port: Where; 0 picks a free one.
        token: The key in the address; a random one if unset.
        editable: Whether memories may be edited, forgotten, restored and undone.
        checkpointers: Savers whose threads are shown.
        announce: What to tell the address.

    Raises:
        StoreError: The store cannot be read, for instance because another process has its folder open.
    """
    token = token or secrets.token_urlsafe(32)
    app = build_app(memory, token=token, editable=editable, checkpointers=checkpointers)
    check_readable(memory)
    read_ahead(memory)
    with socket.create_server((HOST, port)) as listener:
        announce(_address(listener, token))
        try:
            _Server(app).run(sockets=[listener])
        except KeyboardInterrupt:
            return


class Served:
    """An inspector that runs on a thread beside its process. Leaving it as a context manager stops it.

    Attributes:
        address: Where it is; whoever has the address gets in.
        app: The application, to be mounted elsewhere too.
    """

    def __init__(
        self, app: Starlette, token: str, port: int, *, meanwhile: Callable[[], object] = lambda: None
    ) -> None:
        self.app = app
        self._listener = socket.create_server((HOST, port))
        self.address = _address(self._listener, token)
        self._server = _Server(app)
        self._thread = threading.Thread(target=self._run, name="langchain-mem-ui", daemon=True)
        self._meanwhile = threading.Thread(target=meanwhile, name="langchain-mem-ui-ahead", daemon=True)

    def start(self) -> Served:
        """Begins to serve, and returns when it answers."""
        self._thread.start()
        self._server.ready.wait(_START_SECONDS)
        self._meanwhile.start()
        return self

    def stop(self) -> None:
        """Ends it; the address leads nowhere from then on. May be called twice."""
        self._server.should_exit = True
        self._thread.join()
        self._meanwhile.join()

    def __enter__(self) -> Served:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<inspector at {self.address}>"

    def _repr_html_(self) -> str:
        return str(tag("a", "Open the inspector", href=self.address, target="_blank"))

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._listener])
        finally:
            self._listener.close()


def start(
    memory: MemoryBase,
    *,
    port: int = 0,
    token: str | None = None,
    editable: bool = False,
    checkpointers: Iterable[BaseCheckpointSaver[Any]] = (),
    announce: Callable[[str], None] | None = print,
) -> Served:
    """Serves the inspector on a thread of this process; see `serve` for the arguments.

    Returns:
        What stops it, with its address.
    """
    token = token or secrets.token_urlsafe(32)
    app = build_app(memory, token=token, editable=editable, checkpointers=checkpointers)
    check_readable(memory)
    served = Served(app, token, port, meanwhile=partial(read_ahead, memory)).start()
    if announce is not None:
        announce(served.address)
    return served


def check_readable(memory: MemoryBase) -> None:
    """Reads once, so that a store that cannot be read is reported before an address is announced.

    Raises:
        StoreError: It cannot be read.
    """
    run(memory.operations.get(_NOBODY))


def read_ahead(memory: MemoryBase) -> None:
    """Takes in what the first page counts: of 10,000 memories that takes seconds, and from then on almost nothing."""
    try:
        run(memory.operations.census())
    except MemError as error:  # the page itself will say it
        _LOG.info("The inspector could not read ahead: %s", error)


class _Server(uvicorn.Server):
    """A server that says when it answers, and that ends open feeds when it ends."""

    def __init__(self, app: Starlette) -> None:
        # no access log: the address is the key
        super().__init__(uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off"))
        self.ready = threading.Event()
        self._feeds = app.state.feeds

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def shutdown(self, sockets: Any = None) -> None:
        for feed in list(self._feeds):
            feed.close()
        await super().shutdown(sockets)


def _address(listener: socket.socket, token: str) -> str:
    return f"http://{HOST}:{listener.getsockname()[1]}/{token}/"
