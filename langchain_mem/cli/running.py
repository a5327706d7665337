"""Commands that start something: the demo, a measurement, the inspector, the MCP server."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from langchain_mem.cli.opening import checkpointing, remembering
from langchain_mem.cli.options import Agent, EmbedderName, Ids, Json, Store, User
from langchain_mem.cli.printing import saying_errors, show

_PANEL = "Operation"


def add_to(app: typer.Typer) -> None:
    """Adds this theme's commands to the program."""
    for command in (demo, bench, ui, mcp):
        app.command(command.__name__, rich_help_panel=_PANEL)(command)


def demo(
    source: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="JSON: a list of messages, or LoCoMo samples.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the picture of decay goes; beside the file.")
    ] = None,
) -> None:
    """Show an agent that remembers over days, or replay a conversation of yours."""
    with saying_errors():
        from langchain_mem.demo import main

        main(source, picture)


def bench(
    memories: Annotated[int, typer.Option(metavar="N", min=10, help="How many one owner has.")] = 1_000,
    searches: Annotated[int, typer.Option(metavar="N", min=1, help="How many searches are timed.")] = 100,
    embedder: EmbedderName = None,
    json: Json = False,
) -> None:
    """Measure adding and searching on this machine, in a store that is thrown away."""
    with saying_errors():
        from langchain_mem.cli.measuring import measure

        result = measure(memories, searches, embedder)
        show(result, lambda: [f"{name:24}  {value:,.1f}" for name, value in result.items()], json=json)


def ui(
    store: Store = None,
    embedder: EmbedderName = None,
    port: Annotated[int, typer.Option(metavar="N", help="0 picks a free one.")] = 0,
    editable: Annotated[bool, typer.Option("--editable", help="Let it edit, forget, restore and undo.")] = False,
    threads: Annotated[
        list[str] | None, typer.Option(metavar="PLACE", help="An SQLite file or a database with threads; repeatable.")
    ] = None,
) -> None:
    """Look into a store with a browser, on this machine only."""
    with ExitStack() as opened:
        memory = opened.enter_context(remembering(store, embedder))
        from langchain_mem.ui import serve

        savers = [opened.enter_context(checkpointing(each)) for each in threads or ()]
        serve(memory, port=port, editable=editable, checkpointers=savers, announce=typer.echo)


def mcp(
    store: Store = None,
    embedder: EmbedderName = None,
    user: User = None,
    agent: Agent = None,
    http: Annotated[bool, typer.Option("--http", help="Over HTTP on this machine, not standard input.")] = False,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where, over HTTP.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="N", help="Where, over HTTP.")] = 8765,
    tokens: Annotated[
        str | None,
        typer.Option(
            envvar="LANGCHAIN_MEM_TOKENS", metavar="TOKEN=USER", help="Over HTTP: whose memories a token opens."
        ),
    ] = None,
) -> None:
    """Serve memories to assistants (Model Context Protocol): one owner's, or those of whoever has a token."""
    with remembering(store, embedder, new=True) as memory:
        from langchain_mem.integrations.mcp import serve, tokens_of

        opens, transport = tokens_of(tokens) if tokens else None, "http" if http else "stdio"
        owner = Ids(user=user, agent=agent).given()
        serve(memory, transport=transport, host=host, port=port, tokens=opens, **owner)  # type: ignore[arg-type]
