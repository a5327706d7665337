"""Commands that bring memories in and out: export, import, and moving from elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from langchain_mem.cli.opening import opened, remembering
from langchain_mem.cli.options import Agent, App, DryRun, EmbedderName, Ids, Json, Org, Source, Store, User, Yes
from langchain_mem.cli.printing import (
    confirm,
    counting,
    leave_incomplete,
    note,
    one_line,
    saying_errors,
    show,
)

if TYPE_CHECKING:
    from langchain_mem.memory.facade import Memory
    from langchain_mem.migrate.memories import Readout
    from langchain_mem.model.scopes import Scope

_PANEL = "In and out"

Origin = Annotated[str, typer.Option("--from", metavar="PLACE", help="A postgresql:// address or an SQLite file.")]
Namespace = Annotated[str, typer.Option(metavar="PATTERN", help="Which namespaces, and which labels are ids.")]
Fields = Annotated[list[str] | None, typer.Option(metavar="PATH", help="What to embed, repeatable; the whole value.")]
To = Annotated[str, typer.Option(metavar="PLACE", help="A folder or a postgresql:// address.")]


def add_to(app: typer.Typer) -> None:
    """Adds this theme's commands to the program; the first release's names of three of them stay, unlisted."""
    for command in (export, import_):
        app.command(command.__name__.rstrip("_"), rich_help_panel=_PANEL)(command)
    migrate = typer.Typer(help="Move from Mem0, LangMem or a LangGraph store.", no_args_is_help=True)
    ways: tuple[tuple[str, str, Callable[..., None]], ...] = (
        ("mem0", "import-mem0", from_mem0),
        ("langmem", "import-langmem", from_langmem),
        ("store", "copy-store", copy_store),
    )
    for name, old, way in ways:
        migrate.command(name)(way)
        app.command(old, hidden=True)(way)
    app.add_typer(migrate, name="migrate", rich_help_panel=_PANEL)


def export(store: Store = None, user: User = None, agent: Agent = None, app: App = None, org: Org = None) -> None:
    """Print memories with their history as JSON lines, a memory each."""
    with remembering(store) as memory, counting("Exporting", shown=not sys.stdout.isatty()) as told:
        memory.export_to(sys.stdout, progress=told, **Ids(user=user, agent=agent, app=app, org=org).given())


def import_(
    source: Source,
    store: Store = None,
    embedder: EmbedderName = None,
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite live memories that have the same id.")] = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Take memories that export printed."""
    if replace:
        confirm("Overwrite memories that have the same id?", yes=yes)
    with remembering(store, embedder, new=True) as memory:
        with source.open(encoding="utf-8") as lines, counting("Importing") as told:
            done = memory.import_(lines, on_conflict="replace" if replace else "skip", progress=told)
        show(done, lambda: [", ".join(f"{count} {name}" for name, count in done.items())], json=json)


def from_mem0(
    source: Source,
    store: Store = None,
    embedder: EmbedderName = None,
    user: User = None,
    agent: Agent = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Take memories that Mem0 kept: a JSON list, what get_all returned, or JSON lines.

    --user or --agent owns those that name nobody.
    """
    with remembering(store, embedder, new=True, dry_run=dry_run) as memory:
        from langchain_mem.migrate.memories import read_mem0

        text = source.read_text(encoding="utf-8")
        _take(memory, read_mem0(text, now=memory.clock(), owner=_owner(user, agent)), dry_run=dry_run, json=json)


def from_langmem(
    origin: Origin,
    namespace: Namespace = "memories/{user_id}",
    store: Store = None,
    embedder: EmbedderName = None,
    user: User = None,
    agent: Agent = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Take memories that LangMem put into a LangGraph store.

    --user or --agent owns those that name nobody.
    """
    with remembering(store, embedder, new=True, dry_run=dry_run) as memory:
        from langchain_mem.migrate.memories import read_langmem
        from langchain_mem.migrate.stores import items_of

        read = read_langmem(items_of(origin), namespace, owner=_owner(user, agent))
        for labels, count in read.elsewhere.items():
            note(f"{count} left in {'/'.join(labels)}, which is not {namespace}")
        _take(memory, read, dry_run=dry_run, json=json)


def copy_store(
    origin: Origin,
    to: To,
    field: Fields = None,
    embedder: EmbedderName = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Copy every item of a LangGraph store; again, and only what is new or changed is copied."""
    with saying_errors():
        from langchain_mem.migrate.stores import copy_items, items_of

        with opened(to, embedder, new=True, dry_run=dry_run) as store, counting("Copying") as told_of:
            done = copy_items(store, items_of(origin), fields=field or None, dry_run=dry_run, progress=told_of)
        counts = {"copied": done.copied, "present": done.present, "expired": done.expired, "bad": done.bad}
        verb = "would be copied" if dry_run else "copied"
        told = f"{done.copied} {verb}, {done.present} there already, {done.expired} expired"
        show(counts, lambda: [told], json=json)
        leave_incomplete(done.bad)


def _owner(user: str | None, agent: str | None) -> Scope | None:
    from langchain_mem.model.scopes import Scope

    return Scope(user_id=user, agent_id=agent) or None


def _take(memory: Memory, read: Readout, *, dry_run: bool, json: bool) -> None:
    from langchain_mem.migrate.memories import take

    with counting("Importing") as told_of:
        done = take(memory, read.memories, dry_run=dry_run, progress=told_of)
    counts = {"imported": done.imported, "present": done.present, "repeated": done.repeated, "bad": read.bad}
    verb = "would be imported" if dry_run else "imported"
    told = f"{done.imported} {verb}, {done.present} here already, {done.repeated} say the same as another"
    show(counts, lambda: [told], json=json)
    leave_incomplete((one_line(place), why) for place, why in read.bad)
