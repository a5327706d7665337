"""A page to look into a store with: owners, memories, histories, decay, searches with their scores, threads, the feed.

    langchain-mem ui --store ./memory

or, to see what a running application does, from within it: `memory.ui()`. It only reads unless it is asked for an
editable one. It answers on this machine only, and only to who has the address: a random token is part of it, so that
neither other users of the machine nor pages of other sites get in.

    app         the application: which address leads to which page
    door        who gets in, and who may change something
    pages       what each page shows; the HTML is in `templates`
    acts        edit, forget, restore, undo
    live        the feed as it happens
    threads     what a checkpointer holds
    curve       the decay of a memory as a picture
    charts      growth and use as pictures
    serving     on a port of this machine

It may import every room below it. Start reading with `pages`. `static` holds the style, and htmx with its extension for
server-sent events (both under the Zero-Clause BSD license, unchanged), so that nothing is loaded from elsewhere.
"""

from __future__ import annotations

from langchain_mem.errors import MissingDependency

try:
    from langchain_mem.ui.app import build_app
    from langchain_mem.ui.serving import Served, serve, start
except ModuleNotFoundError as error:
    if error.name not in ("starlette", "uvicorn", "jinja2"):
        raise
    raise MissingDependency('The inspector needs: pip install "langchain-mem[ui]"') from error

__all__ = ["Served", "build_app", "serve", "start"]
