"""The command line: the demo, and what an operator does to a store."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from langchain_mem.errors import MemError
from langchain_mem.memory import Memory
from langchain_mem.store import LongTermStore

app = typer.Typer(help="Memory for LangGraph and LangChain.", no_args_is_help=True, pretty_exceptions_enable=False)
_console = Console()

Store = Annotated[
    str | None,
    typer.Option(envvar="LANGCHAIN_MEM_STORE", help="A folder, or a postgresql:// address; the embedded default."),
]
User = Annotated[str | None, typer.Option("--user", help="A user's id.")]
Agent = Annotated[str | None, typer.Option("--agent", help="An agent's id.")]


def open_memory(store: str | None, **policies: Any) -> Memory:
    """A `Memory` over a folder, a Postgres address, or the embedded default."""
    if store is not None and store.startswith(("postgresql://", "postgres://")):
        return Memory(LongTermStore.postgres(store), **policies)
    return Memory(store, **policies)


@contextmanager
def _memory(store: str | None) -> Iterator[Memory]:
    """An administrator's memory; what goes wrong is said in one line."""
    try:
        with open_memory(store, all_owners=True) as memory:
            try:
                yield memory
            finally:
                if isinstance(memory.store, LongTermStore):
                    memory.store.close()
    except MemError as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(1) from error


def _ids(user: str | None, agent: str | None) -> dict[str, Any]:
    return {name: value for name, value in (("user_id", user), ("agent_id", agent)) if value is not None}


@app.command()
def demo(source: Annotated[Path | None, typer.Argument(help="JSON: messages, or LoCoMo samples.")] = None) -> None:
    """Show an agent that remembers: two processes, days apart; or replay a conversation of your own."""
    from langchain_mem.demo import main

    try:
        main(source)
    except MemError as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(1) from error


@app.command()
def users(store: Store = None) -> None:
    """List who has memories."""
    with _memory(store) as memory:
        table = Table("type", "id", "memories", "since", "last change")
        for user in memory.users()["results"]:
            table.add_row(
                user["type"], user["id"], str(user["memories"]), user["created_at"][:10], user["updated_at"][:10]
            )
        _console.print(table)


@app.command()
def search(
    query: str, store: Store = None, user: User = None, agent: Agent = None, top_k: int = 10, explain: bool = False
) -> None:
    """Find memories, without counting as a use of them."""
    with _memory(store) as memory:
        found = memory.search(query, top_k=top_k, explain=explain, reinforce="none", **_ids(user, agent))
        for result in found["results"]:
            _console.print(f"{result['score']:.2f}  {result['memory']}", highlight=False)
            if explain:
                _console.print_json(json.dumps(result["score_details"]))


@app.command(name="list")
def list_(store: Store = None, user: User = None, agent: Agent = None, page: int = 1, expired: bool = False) -> None:
    """List memories, last changed first."""
    with _memory(store) as memory:
        found = memory.get_all(page=page, show_expired=expired, **_ids(user, agent))
        for memory_ in found["results"]:
            _console.print(f"{memory_['id']}  {memory_['memory']}", highlight=False)
        _console.print(f"{found['count']} in all")


@app.command()
def history(memory_id: str, store: Store = None) -> None:
    """Show every change of a memory."""
    with _memory(store) as memory:
        for change in memory.history(memory_id):
            _console.print(
                f"{change['created_at'][:19]}  {change['event']:10}  {change['new_memory'] or '(gone)'}",
                highlight=False,
            )


@app.command()
def export(store: Store = None, user: User = None, agent: Agent = None) -> None:
    """Write memories with their history as JSON lines."""
    with _memory(store) as memory:
        for line in memory.export(**_ids(user, agent)):
            sys.stdout.write(line + "\n")


@app.command(name="import")
def import_(source: Path, store: Store = None, replace: bool = False) -> None:
    """Take memories that `export` wrote."""
    with _memory(store) as memory, source.open(encoding="utf-8") as lines:
        _console.print(memory.import_(lines, on_conflict="replace" if replace else "skip"))


@app.command()
def erase(
    user: str, store: Store = None, yes: Annotated[bool, typer.Option(help="Do not ask.")] = False, compact: bool = True
) -> None:
    """Remove a person's data at once and for good, and what the files still hold of it."""
    if not yes:
        typer.confirm(f"Remove everything of user {user!r} for good?", abort=True)
    with _memory(store) as memory:
        _console.print(memory.erase(user))
        if compact:
            memory.compact()


@app.command()
def purge(store: Store = None, days: float = 30.0) -> None:
    """Remove for good what expired, was superseded or was deleted so many days ago."""
    with _memory(store) as memory:
        _console.print(f"{memory.purge_expired(older_than=timedelta(days=days))} memories removed")
