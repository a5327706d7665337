"""The command line: the demo, what an operator does to a store, and coming from elsewhere.

What a command needs is imported when it runs, so that `--help` answers at once.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from langchain_mem.errors import InvalidRequest, MemError

if TYPE_CHECKING:
    from langchain_mem.memory.facade import Memory
    from langchain_mem.migrate.memories import Readout
    from langchain_mem.model.scopes import Scope
    from langchain_mem.store.long_term import LongTermStore

app = typer.Typer(
    help="Memory for LangGraph and LangChain.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)

Store = Annotated[
    str | None,
    typer.Option(envvar="LANGCHAIN_MEM_STORE", help="A folder, or a postgresql:// address; the embedded default."),
]
User = Annotated[str | None, typer.Option("--user", help="A user's id.")]
Agent = Annotated[str | None, typer.Option("--agent", help="An agent's id.")]
Origin = Annotated[str, typer.Option("--from", help="A postgresql:// address, or the path of an SQLite file.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and write nothing.")]


@contextmanager
def saying_errors() -> Iterator[None]:
    """What goes wrong is said in one line, and the exit code is 1."""
    try:
        yield
    except (MemError, OSError, UnicodeDecodeError) as error:
        typer.secho(one_line(str(error)), fg="red", err=True)
        raise typer.Exit(1) from error


@contextmanager
def opened(store: str | None, *, new: bool = False, dry_run: bool = False) -> Iterator[LongTermStore]:
    """The store that a command works on, closed afterwards.

    Args:
        store: A folder, a Postgres address, or the embedded default.
        new: Whether a folder that is not there is made.
        dry_run: Whether nothing is made after all.
    """
    from langchain_mem.memory.facade import DEFAULT_PATH
    from langchain_mem.migrate.stores import POSTGRES
    from langchain_mem.store.long_term import LongTermStore

    place = store or os.environ.get("LANGCHAIN_MEM_PATH", DEFAULT_PATH)
    if POSTGRES.match(place):
        with LongTermStore.postgres(place) as database:
            yield database
        return
    there = Path(place).is_dir()
    if not there and not new:
        raise InvalidRequest(f"There is no store in {place}; name one with --store or LANGCHAIN_MEM_STORE.")
    with LongTermStore.chroma(place) if there or not dry_run else LongTermStore.in_memory() as folder:
        yield folder


@contextmanager
def remembering(store: str | None, *, new: bool = False, dry_run: bool = False) -> Iterator[Memory]:
    """An administrator's memory over a store; see `opened`. What goes wrong is said in one line."""
    from langchain_mem.memory.facade import Memory

    with saying_errors(), opened(store, new=new, dry_run=dry_run) as place, Memory(place, all_owners=True) as memory:
        yield memory


def one_line(text: str) -> str:
    """A text for a terminal: what is stored there must not steer it."""
    return "".join(each if each.isprintable() else "\ufffd" for each in " ".join(text.split()))


def _ids(user: str | None, agent: str | None) -> dict[str, Any]:
    return {name: value for name, value in (("user_id", user), ("agent_id", agent)) if value is not None}


def _owner(user: str | None, agent: str | None) -> Scope | None:
    from langchain_mem.model.scopes import Scope

    return Scope(user_id=user, agent_id=agent) or None


@app.command()
def demo(source: Annotated[Path | None, typer.Argument(help="JSON: messages, or LoCoMo samples.")] = None) -> None:
    """Show an agent that remembers: two processes, days apart; or replay a conversation of your own."""
    with saying_errors():
        from langchain_mem.demo import main

        main(source)


@app.command()
def users(store: Store = None) -> None:
    """List who has memories."""
    with remembering(store) as memory:
        for each in memory.users()["results"]:
            since, last = each["created_at"][:10], each["updated_at"][:10]
            typer.echo(f"{each['type']:5}  {one_line(each['id'])}  {each['memories']} memories, {since} to {last}")


@app.command()
def search(
    query: str, store: Store = None, user: User = None, agent: Agent = None, top_k: int = 10, explain: bool = False
) -> None:
    """Find memories, without counting as a use of them."""
    with remembering(store) as memory:
        found = memory.search(query, top_k=top_k, explain=explain, reinforce="none", **_ids(user, agent))
        for result in found["results"]:
            typer.echo(f"{result['score']:.2f}  {one_line(result['memory'])}")
            if explain:
                typer.echo(json.dumps(result["score_details"], indent=2))


@app.command(name="list")
def list_(store: Store = None, user: User = None, agent: Agent = None, page: int = 1, expired: bool = False) -> None:
    """List memories, last changed first."""
    with remembering(store) as memory:
        found = memory.get_all(page=page, show_expired=expired, **_ids(user, agent))
        for each in found["results"]:
            typer.echo(f"{each['id']}  {one_line(each['memory'])}")
        typer.echo(f"{found['count']} in all")


@app.command()
def history(memory_id: str, store: Store = None) -> None:
    """Show every change of a memory."""
    with remembering(store) as memory:
        for change in memory.history(memory_id):
            said = one_line(change["new_memory"] or "(gone)")
            typer.echo(f"{change['created_at'][:19]}  {change['event']:10}  {said}")


@app.command()
def export(store: Store = None, user: User = None, agent: Agent = None) -> None:
    """Write memories with their history as JSON lines."""
    with remembering(store) as memory:
        for line in memory.export(**_ids(user, agent)):
            sys.stdout.write(line + "\n")


@app.command(name="import")
def import_(source: Path, store: Store = None, replace: bool = False) -> None:
    """Take memories that `export` wrote."""
    with remembering(store, new=True) as memory, source.open(encoding="utf-8") as lines:
        done = memory.import_(lines, on_conflict="replace" if replace else "skip")
        typer.echo(f"{done['imported']} imported, {done['replaced']} replaced, {done['skipped']} skipped")


@app.command()
def erase(
    user: str, store: Store = None, yes: Annotated[bool, typer.Option(help="Do not ask.")] = False, compact: bool = True
) -> None:
    """Remove a person's data at once and for good, and what the files still hold of it."""
    if not yes:
        typer.confirm(f"Remove everything of user {user!r} for good?", abort=True)
    with remembering(store) as memory:
        typer.echo(f"{memory.erase(user)['erased']} records removed")
        if compact:
            memory.compact()


@app.command()
def purge(store: Store = None, days: float = 30.0) -> None:
    """Remove for good what expired, was superseded or was deleted so many days ago."""
    with remembering(store) as memory:
        typer.echo(f"{memory.purge_expired(older_than=timedelta(days=days))} memories removed")


@app.command()
def import_mem0(
    source: Annotated[Path, typer.Argument(help="JSON: a list of memories, what get_all returned, or JSON lines.")],
    store: Store = None,
    user: User = None,
    agent: Agent = None,
    dry_run: DryRun = False,
) -> None:
    """Take memories that Mem0 kept; `--user` or `--agent` owns those that name nobody."""
    with remembering(store, new=True, dry_run=dry_run) as memory:
        from langchain_mem.migrate.memories import read_mem0

        text = source.read_text(encoding="utf-8")
        _take(memory, read_mem0(text, now=memory.clock(), owner=_owner(user, agent)), dry_run)


@app.command()
def import_langmem(
    origin: Origin,
    namespace: Annotated[str, typer.Option(help="Which namespaces, and which labels are ids.")] = "memories/{user_id}",
    store: Store = None,
    user: User = None,
    agent: Agent = None,
    dry_run: DryRun = False,
) -> None:
    """Take memories that LangMem put into a LangGraph store; `--user` or `--agent` owns those that name nobody."""
    with remembering(store, new=True, dry_run=dry_run) as memory:
        from langchain_mem.migrate.memories import read_langmem
        from langchain_mem.migrate.stores import items_of

        read = read_langmem(items_of(origin), namespace, owner=_owner(user, agent))
        for labels, count in read.elsewhere.items():
            typer.echo(f"{count} left in {one_line('/'.join(labels))}, which is not {namespace}")
        _take(memory, read, dry_run)


@app.command()
def copy_store(
    origin: Origin,
    to: Annotated[str, typer.Option(help="A folder, or a postgresql:// address.")],
    field: Annotated[list[str] | None, typer.Option(help="A path to embed, repeatable; the whole value.")] = None,
    dry_run: DryRun = False,
) -> None:
    """Copy every item of a LangGraph store; again, and only what is new or changed is copied."""
    with saying_errors():
        from langchain_mem.migrate.stores import copy_items, items_of

        with opened(to, new=True, dry_run=dry_run) as store:
            done = copy_items(store, items_of(origin), fields=field or None, dry_run=dry_run)
        verb = "would be copied" if dry_run else "copied"
        typer.echo(f"{done.copied} {verb}, {done.present} there already, {done.expired} expired")
        _name_bad(done.bad)


@app.command()
def ui(store: Store = None, port: Annotated[int, typer.Option(help="0 picks a free one.")] = 0) -> None:
    """Look into a store with a browser, on this machine only."""
    with remembering(store) as memory:
        from langchain_mem.ui import serve

        serve(memory, port=port, announce=typer.echo)


def _take(memory: Memory, read: Readout, dry_run: bool) -> None:
    from langchain_mem.migrate.memories import take

    done = take(memory, read.memories, dry_run=dry_run)
    verb = "would be imported" if dry_run else "imported"
    typer.echo(f"{done.imported} {verb}, {done.present} here already, {done.repeated} say the same as another")
    _name_bad(read.bad)


def _name_bad(bad: list[tuple[str, str]]) -> None:
    """Names what was left behind; then the exit code is 1, so that a script notices."""
    for place, why in bad:
        typer.secho(one_line(f"{place}: {why}"), fg="red", err=True)
    if bad:
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
