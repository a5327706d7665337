"""Commands on what agents are told to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer

from langchain_mem.cli.opening import remembering
from langchain_mem.cli.options import Agent, App, DryRun, Ids, Json, Org, Store
from langchain_mem.cli.printing import show

_PANEL = "Instructions"

Name = Annotated[str, typer.Option(metavar="NAME", help="Which instructions.")]


def add_to(app: typer.Typer) -> None:
    """Adds this theme's commands to the program."""
    for command in (instructions, instruct):
        app.command(command.__name__, rich_help_panel=_PANEL)(command)


def instructions(
    store: Store = None,
    agent: Agent = None,
    app: App = None,
    org: Org = None,
    diff: Annotated[str | None, typer.Option(metavar="NAME", help="Show the last change of these instead.")] = None,
    json: Json = False,
) -> None:
    """Show what an agent is told to do, under each name, with the version."""
    ids = Ids(agent=agent, app=app, org=org).given()
    with remembering(store) as memory:
        if diff is not None:
            changed = memory.diff_instructions(diff, **ids)
            show(changed, lambda: changed.splitlines(), json=json)
            return
        found = memory.list_instructions(**ids)
        show(found, lambda: _listed(found), json=json)


def _listed(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for each in found:
        yield f"{each['id']}  {each['updated_at'][:10]}  {each['name']}, version {each['version']}"
        yield from (f"    {line}" for line in each["text"].splitlines())


def instruct(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The instructions, whole; - reads standard input.")],
    store: Store = None,
    agent: Agent = None,
    app: App = None,
    org: Org = None,
    name: Name = "system",
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why, for the history.")] = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Tell an agent what to do from now on; the history keeps what it was told before."""
    said = typer.get_text_stream("stdin").read() if text == "-" else text
    ids = Ids(agent=agent, app=app, org=org).given()
    with remembering(store, new=True) as memory:
        done = memory.instruct(said, name=name, reason=reason, dry_run=dry_run, **ids)
        show(done, lambda: _told(done), json=json)


def _told(done: Mapping[str, Any]) -> Iterator[str]:
    yield from done["diff"].splitlines() or ["It is told so already."]
    if done["batch_id"]:
        yield f"To take it back: langchain-mem undo {done['batch_id']}"
