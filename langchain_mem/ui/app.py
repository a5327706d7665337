"""The inspector as an ASGI application."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from importlib.resources import files
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from langgraph.checkpoint.base import BaseCheckpointSaver
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from langchain_mem.errors import InvalidRequest, MemError, NotFound
from langchain_mem.memory.base import MemoryBase
from langchain_mem.model.scopes import IDS
from langchain_mem.rendering.tables import happened, owner_in_words, redated, when
from langchain_mem.ui import live
from langchain_mem.ui.acts import ACTS, Act
from langchain_mem.ui.door import HEADERS, HOSTS, Consent, Guard
from langchain_mem.ui.pages import PAGES, Inspected, Page, Shown, ids_in, ids_of
from langchain_mem.ui.threads import named

_FILES: Final = {
    "style.css": "text/css",
    "script.js": "text/javascript",
    "htmx.js": "text/javascript",
    "sse.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
_NAV: Final = {
    ".": "Owners",
    "search": "Search",
    "core": "Always",
    "expiring": "Expiring",
    "growth": "Growth",
    "threads": "Threads",
    "refused": "Refused",
    "instructions": "Instructions",
    "feed": "Feed",
}
_NO_CONSENT: Final = "This form is not from a page of this inspector, or its session ended. Load the page again."
_LARGEST_FORM: Final = 1_000_000  # bytes


def build_app(
    memory: MemoryBase,
    *,
    token: str,
    editable: bool = False,
    checkpointers: Iterable[BaseCheckpointSaver[Any]] = (),
) -> Starlette:
    """The inspector as an ASGI application, to be served alone or mounted in another one.

    It answers to this machine's names only, wherever it is mounted.

    Args:
        memory: What to look into; with `all_owners=True` it shows everyone's.
        token: The first part of every address; without it nothing is there.
        editable: Whether memories may be edited, forgotten, restored and undone.
        checkpointers: Savers whose threads are shown.
    """
    inspected = Inspected(memory=memory, checkpointers=named(checkpointers), editable=editable)
    desk = Desk(inspected)
    routes: list[BaseRoute] = [Route(path, desk.page(page), methods=["GET"]) for path, page in PAGES.items()]
    routes += [Route(path, desk.act(act), methods=["POST"]) for path, act in ACTS.items() if editable]
    routes += [Route(f"/{name}", _file(name, kind), methods=["GET"]) for name, kind in _FILES.items()]
    routes += [Route("/live", live.stream(inspected, desk.fragment), methods=["GET"])]
    guards = [Middleware(TrustedHostMiddleware, allowed_hosts=list(HOSTS)), Middleware(Guard, token=token)]
    app = Starlette(routes=[Mount(f"/{token}", routes=routes)], middleware=guards)
    app.state.feeds = inspected.feeds
    return app


class Desk:
    """Makes answers: pages from templates, and acts from forms."""

    def __init__(self, inspected: Inspected) -> None:
        self._inspected = inspected
        self._consent = Consent()
        self._templates = Environment(
            loader=PackageLoader("langchain_mem.ui"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        self._templates.filters.update(when=when, whose=owner_in_words, bytes=_bytes, pretty=_pretty, redated=redated)
        self._templates.globals.update(
            link=link,
            ids_in=ids_in,
            id_names=IDS,
            nav=_NAV,
            editable=inspected.editable,
            token="",
            done=None,
            happened=happened,
        )

    def page(self, page: Page) -> Callable[[Request], Response]:
        """What answers with a page."""

        def respond(request: Request) -> Response:  # no coroutine: Starlette runs it on a thread
            asked = dict(request.query_params)
            try:
                return self._answer(request, page(self._inspected, asked), 200)
            except (MemError, ValueError) as error:
                return self._problem(request, error)

        return respond

    def act(self, act: Act) -> Callable[[Request], Any]:
        """What carries out a form, and then shows the memory."""

        async def respond(request: Request) -> Response:
            form = await _form(request)
            if not self._consent.given(request, form.get("form_token", "")):
                return self._problem(request, InvalidRequest(_NO_CONSENT), 403)
            try:
                done = await run_in_threadpool(act, self._inspected.memory, form)
            except (MemError, ValueError) as error:
                return self._problem(request, error)
            return RedirectResponse(link("memory", id=form.get("id", ""), done=done), 303, headers=HEADERS)

        return respond

    def fragment(self, template: str, **values: Any) -> str:
        """A part of a page."""
        return self._templates.get_template(template).render(values)

    def _problem(self, request: Request, error: Exception, status: int = 0) -> Response:
        status = status or (404 if isinstance(error, NotFound) else 400)
        title = "There is no such memory" if isinstance(error, NotFound) else "That cannot be shown"
        return self._answer(request, Shown("problem.html", title, {"problem": str(error)[:500]}), status)

    def _answer(self, request: Request, shown: Shown, status: int) -> Response:
        asked, session = dict(request.query_params), self._consent.session(request)
        html = self._templates.get_template(shown.template).render(
            title=shown.title,
            asked=asked,
            ids=ids_of(asked),
            here=request.url.path.rsplit("/", 1)[-1] or ".",
            token=self._consent.form_token(session),
            done=asked.get("done"),
            **shown.values,
        )
        response = HTMLResponse(html, status, headers=HEADERS)
        if self._inspected.editable:
            self._consent.remember(response, request, session)
        return response


def link(page: str, given: Mapping[str, Any] | None = None, /, **values: Any) -> str:
    """The address of a page, relative to the others; values that are `None` or empty are left out."""
    asked = {name: value for name, value in {**(given or {}), **values}.items() if value not in (None, "")}
    return f"{page}?{urlencode(asked)}" if asked else page


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form; one that is too large has none."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _LARGEST_FORM:
            return {}
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def _file(name: str, kind: str) -> Callable[[Request], Response]:
    content = files("langchain_mem.ui").joinpath("static", name).read_text("utf-8")
    return lambda _: Response(content, media_type=kind, headers=HEADERS)


def _bytes(count: int | None) -> str:
    """A size in words."""
    if count is None:
        return "–"
    size, units = float(count), ["B", "kB", "MB", "GB"]
    while size >= 1000 and len(units) > 1:
        size, units = size / 1000, units[1:]
    return f"{size:.0f} {units[0]}" if size >= 10 or units[0] == "B" else f"{size:.1f} {units[0]}"


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)
