"""A page to look into a store with: owners, memories, histories, decay, searches with their scores, and the feed.

    langchain-mem ui --store ./memory

or, to see what a running application does, from within it: `serve(memory)` on a thread. It only reads, answers on this
machine only, and only to who has the address: a random token is part of it, so that neither other users of the machine
nor pages of other sites get in.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from langchain_mem.errors import MemError, MissingDependency
from langchain_mem.memory.facade import Memory
from langchain_mem.ui import pages
from langchain_mem.ui.markup import Markup, tag

try:
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.requests import Request
    from starlette.responses import HTMLResponse, PlainTextResponse, Response
    from starlette.routing import Mount, Route
except ImportError as error:
    raise MissingDependency('The page needs: pip install "langchain-mem[ui]"') from error

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

Page = Callable[[Memory, pages.Asked], tuple[str, Markup]]
"""What makes a page: its title and its body."""

_HOST: Final = "127.0.0.1"
_PAGES: Final[dict[str, Page]] = {
    "/": pages.owners,
    "/owner": pages.owner,
    "/memory": pages.one,
    "/search": pages.search,
    "/feed": pages.feed,
}
_FILES: Final = {"style.css": "text/css", "script.js": "text/javascript"}
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",  # the address is the key
    "X-Content-Type-Options": "nosniff",
}


def build_app(memory: Memory, *, token: str) -> Starlette:
    """The inspector as an ASGI application.

    Args:
        memory: What to look into; with `all_owners=True` it shows everyone's.
        token: The first part of every address; without it nothing is there.
    """
    routes = [Route(path, _shown(memory, page), methods=["GET"]) for path, page in _PAGES.items()]
    routes += [Route(f"/{name}", _file(name, kind), methods=["GET"]) for name, kind in _FILES.items()]
    guards = [Middleware(TrustedHostMiddleware, allowed_hosts=[_HOST, "localhost"]), Middleware(_Guard, token=token)]
    return Starlette(routes=[Mount(f"/{token}", routes=routes)], middleware=guards)


def serve(memory: Memory, *, port: int = 0, token: str | None = None, announce: Callable[[str], None] = print) -> None:
    """Serves the inspector on this machine until it is interrupted.

    Args:
        memory: What to look into.
        port: Where; 0 picks a free one.
        token: The key in the address; a random one if unset.
        announce: What to tell the address.
    """
    try:
        import uvicorn
    except ImportError as error:
        raise MissingDependency('The page needs: pip install "langchain-mem[ui]"') from error

    token = token or secrets.token_urlsafe(32)
    with socket.create_server((_HOST, port)) as listener:
        announce(f"http://{_HOST}:{listener.getsockname()[1]}/{token}/")
        # no access log: the address is the key
        config = uvicorn.Config(build_app(memory, token=token), log_level="warning", access_log=False, lifespan="off")
        try:
            uvicorn.Server(config).run(sockets=[listener])
        except KeyboardInterrupt:
            return


class _Guard:
    """Lets nobody in without the token, and says of nothing whether it is there."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = scope.get("path", "").split("/")[1:2]
        if given and secrets.compare_digest(given[0].encode(), self._token):
            await self._app(scope, receive, send)
        else:
            await PlainTextResponse("Not found", status_code=404, headers=_HEADERS)(scope, receive, send)


def _shown(memory: Memory, page: Page) -> Callable[[Request], Response]:
    def respond(request: Request) -> Response:  # no coroutine: Starlette runs it on a thread
        asked, status = dict(request.query_params), 200
        try:
            title, body = page(memory, asked)
        except (MemError, ValueError) as error:
            title, body, status = "That cannot be shown", tag("p", str(error), class_="empty"), 400
        return HTMLResponse(pages.document(title, body, asked), status, headers=_HEADERS)

    return respond


def _file(name: str, kind: str) -> Callable[[Request], Response]:
    content = files("langchain_mem.ui").joinpath(name).read_text("utf-8")
    return lambda _: Response(content, media_type=kind, headers=_HEADERS)
