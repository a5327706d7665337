"""Commands on whose memories and threads there are, and on removing them for good."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from langchain_mem.cli.opening import checkpointing, remembering
from langchain_mem.cli.options import Agent, App, Days, Ids, Json, Org, Store, Threads, User, Yes
from langchain_mem.cli.printing import busy, confirm, one_line, show

_PANEL = "Owners, threads, and what goes for good"


def add_to(app: typer.Typer) -> None:
    """Adds this theme's commands to the program."""
    for command in (users, threads, stats, purge, sweep, erase):
        app.command(command.__name__, rich_help_panel=_PANEL)(command)


def users(store: Store = None, json: Json = False) -> None:
    """List who has memories."""
    with remembering(store) as memory:
        found = memory.users()
        show(found, lambda: map(_owner, found["results"]), json=json)


def _owner(each: Mapping[str, Any]) -> str:
    since, last = each["created_at"][:10], each["updated_at"][:10]
    return f"{each['type']:5}  {one_line(each['id'])}  {each['memories']} memories, {since} to {last}"


def threads(threads: Threads, user: User = None, json: Json = False) -> None:
    """List a checkpointer's threads with their size, largest first."""
    with checkpointing(threads) as saver:
        found = [dict(each) for each in saver.sizes() if user is None or each["user_id"] == user]
        found.sort(key=lambda each: (-int(str(each["bytes"])), str(each["thread_id"])))
        show(found, lambda: _threads(found), json=json)


def _threads(found: list[dict[str, Any]]) -> Iterator[str]:
    for each in found:
        whose = f"  user {one_line(each['user_id'])}" if each["user_id"] else ""
        size = f"{each['checkpoints']} checkpoints, {each['bytes'] / 1e6:.1f} MB"
        yield f"{one_line(each['thread_id'])}{whose}  {size}"
    yield f"{len(found)} in all"


def stats(store: Store = None, user: User = None, agent: Agent = None, json: Json = False) -> None:
    """Count memories by state, layer and category."""
    with remembering(store) as memory:
        found = memory.stats(**Ids(user=user, agent=agent).given())
        show(found, lambda: _counts(found), json=json)


def _counts(found: Mapping[str, Any]) -> Iterator[str]:
    for name, value in found.items():
        if not isinstance(value, Mapping):
            yield f"{name:12}  {value}"
            continue
        for kind, count in sorted(value.items(), key=lambda each: (-each[1], each[0])):
            yield f"{name.removeprefix('by_'):12}  {one_line(kind)}  {count}"


def purge(
    store: Store = None,
    user: User = None,
    agent: Agent = None,
    app: App = None,
    org: Org = None,
    days: Annotated[float, typer.Option(metavar="N", min=0, help="At least so many days ago.")] = 30.0,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Remove for good what expired, was superseded or was deleted long ago."""
    confirm(f"Remove for good what has been expired, superseded or deleted for {days:g} days?", yes=yes)
    ids = Ids(user=user, agent=agent, app=app, org=org).given()
    with remembering(store) as memory, busy("Removing"):
        done = {"purged": memory.purge_expired(older_than=timedelta(days=days), **ids)}
        show(done, lambda: [f"{done['purged']} memories removed"], json=json)


def sweep(
    threads: Threads,
    idle_days: Days = None,
    keep_last: Annotated[int | None, typer.Option(metavar="N", min=1, help="Checkpoints that stay of each.")] = None,
    max_age_days: Days = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Apply retention to threads: idle ones go, long ones are cut.

    --idle-days: a thread that was idle for so long goes. --max-age-days: checkpoints that are older go.
    """
    from langchain_mem.checkpointers.retention import Retention

    if idle_days is None and keep_last is None and max_age_days is None:
        raise typer.BadParameter("name what may go: --idle-days, --keep-last or --max-age-days")
    confirm(f"Remove checkpoints from {threads}?", yes=yes)
    retention = Retention(thread_ttl=_days(idle_days), keep_last=keep_last, max_age=_days(max_age_days))
    with checkpointing(threads, retention) as saver, busy("Sweeping"):
        swept = saver.sweep(datetime.now(UTC))
        done = {"threads": list(swept.threads), "checkpoints": swept.checkpoints}
        show(done, lambda: [f"{len(swept.threads)} threads and {swept.checkpoints} checkpoints removed"], json=json)


def _days(number: float | None) -> timedelta | None:
    return None if number is None else timedelta(days=number)


def erase(
    user: Annotated[str, typer.Argument(metavar="USER", help="A user's id.")],
    store: Store = None,
    threads: Annotated[
        str | None, typer.Option(metavar="PLACE", help="Also their threads in this SQLite file or database.")
    ] = None,
    compact: Annotated[
        bool, typer.Option(help="Also rewrite the files, so that nothing can be read from them.")
    ] = True,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Remove a person's data at once and for good, from the files too."""
    confirm(f"Remove everything of user {one_line(user)!r} for good?", yes=yes)
    with remembering(store) as memory, busy("Erasing"):
        if threads is None:
            done = memory.erase(user)
        else:
            with checkpointing(threads) as saver:
                done = memory.erase(user, checkpointer=saver)
        if compact:
            memory.compact()
        show(done, lambda: [f"{done['erased']} records and {len(done['threads'])} threads removed"], json=json)
