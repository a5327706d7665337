"""The command that tidies what is known of an owner."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from langchain_mem.cli.opening import remembering
from langchain_mem.cli.options import Agent, App, DryRun, EmbedderName, Ids, Json, Org, Store, User
from langchain_mem.cli.printing import one_line, show

_PANEL = "Memories"


def add_to(app: typer.Typer) -> None:
    """Adds this theme's command to the program."""
    app.command("consolidate", rich_help_panel=_PANEL)(consolidate)


def consolidate(
    store: Store = None,
    embedder: EmbedderName = None,
    user: User = None,
    agent: Agent = None,
    app: App = None,
    org: Org = None,
    model: Annotated[
        str | None,
        typer.Option(
            envvar="LANGCHAIN_MEM_MODEL",
            metavar="NAME",
            help="provider:model; without one only duplicates go.",
        ),
    ] = None,
    max_calls: Annotated[int, typer.Option(metavar="N", min=0, help="At most so many model calls.")] = 10,
    profile: Annotated[bool, typer.Option(help="Write a short profile, too.")] = True,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Merge what says the same, retire what is outdated, and write a profile. It can be undone."""
    ids = Ids(user=user, agent=agent, app=app, org=org).given()
    with remembering(store, embedder, model=model) as memory:
        done = memory.consolidate(profile=profile, max_calls=max_calls, dry_run=dry_run, **ids)
        show(done, lambda: _told(done, dry_run=dry_run), json=json)


def _told(done: Mapping[str, Any], *, dry_run: bool) -> Iterator[str]:
    for each in done["merged"]:
        yield f"merged   {one_line(each['memory'])}"
        yield from (f"         - {one_line(one['memory'])}" for one in each["of"])
    for each in done["retired"]:
        yield f"retired  {one_line(each['memory'])}, by {one_line(each['by']['memory'])}"
    if done["profile"]:
        yield f"profile  {one_line(done['profile']['memory'])}"
    changed = bool(done["merged"] or done["retired"])
    yield f"{done['before']} memories, {done['after']} after it; {done['calls']} model calls"
    if changed and not dry_run:
        yield f"To take it back: langchain-mem undo {done['batch_id']}"
