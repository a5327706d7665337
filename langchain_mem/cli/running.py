"""Commands that start something: the demo, a measurement, the inspector, the MCP server."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from langchain_mem.cli.opening import checkpointing, remembering
from langchain_mem.cli.options import Agent, EmbedderName, Json, Store, User
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


def mcp(store: Store = None, embedder: EmbedderName = None, user: User = None, agent: Agent = None) -> None:
    """Serve memories to a model's host over the Model Context Protocol."""
    with saying_errors():
        from langchain_mem.errors import MissingDependency

        try:
            from langchain_mem.integrations import mcp as protocol
        except ModuleNotFoundError as absent:
            raise MissingDependency('The MCP server needs: pip install "langchain-mem[mcp]"') from absent
        with remembering(store, embedder, new=True) as memory:
            protocol.serve(memory, user_id=user, agent_id=agent)
