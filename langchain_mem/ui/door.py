"""Who gets in, and who may change something.

Three locks stand one behind the other. The server listens on this machine only, under this machine's names. A random
token is the first part of every address, so neither other users of the machine nor pages of other sites find anything.
And a change needs the form of a page that this server gave to this browser: see `Consent`.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from starlette.datastructures import URL
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

HOST: Final = "127.0.0.1"
"""The only address that is served."""

HOSTS: Final = (HOST, "localhost")
"""The names under which it answers; another name that was made to point here gets nothing."""

HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",  # the address is the key
    "X-Content-Type-Options": "nosniff",
}
"""What every answer carries."""

_COOKIE: Final = "langchain_mem_session"


class Guard:
    """Lets nobody in without the token, and says of nothing whether it is there."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or passes it on."""
        below = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        given = below.split("/")[1:2]
        if given and secrets.compare_digest(given[0].encode(), self._token):
            await self._app(scope, receive, send)
        else:
            await PlainTextResponse("Not found", status_code=404, headers=HEADERS)(scope, receive, send)


class Consent:
    """Tells a form of ours, sent by this browser, from one that another site made a browser send.

    A browser gets a random session in a cookie that scripts cannot read and other sites cannot send along. Each form
    carries what only this server can derive from that session. Beside that, the browser itself must say that the
    request comes from a page of this server.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def session(self, request: Request) -> str:
        """The browser's session, or a new one."""
        return request.cookies.get(_COOKIE) or secrets.token_urlsafe(24)

    def form_token(self, session: str) -> str:
        """What a form must carry for a session."""
        return hmac.new(self._key, session.encode(), sha256).hexdigest()

    def remember(self, response: Response, request: Request, session: str) -> None:
        """Puts the session into the browser."""
        if request.cookies.get(_COOKIE) != session:
            path = f"{request.scope['root_path']}/"
            response.set_cookie(_COOKIE, session, httponly=True, samesite="strict", path=path)

    def given(self, request: Request, form_token: str) -> bool:
        """Whether a change may be made."""
        session = request.cookies.get(_COOKIE, "")
        matches = hmac.compare_digest(self.form_token(session).encode(), form_token.encode())
        return bool(session) and matches and _same_origin(request)


def _same_origin(request: Request) -> bool:
    """Whether the browser says that a page of this server sent the request."""
    sites = request.headers.getlist("sec-fetch-site")
    if sites:
        return set(sites) == {"same-origin"}
    origin = URL(request.headers.get("origin", ""))
    return bool(origin.netloc) and (origin.scheme, origin.netloc) == (request.url.scheme, request.url.netloc)
