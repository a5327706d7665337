"""Commands on memories, one or a few at a time."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from langchain_mem.cli.opening import remembering
from langchain_mem.cli.options import Agent, App, EmbedderName, Ids, Json, MemoryId, Org, Run, Store, User
from langchain_mem.cli.printing import note, one_line, owner_of, show
from langchain_mem.errors import InvalidRequest, NotFound
from langchain_mem.rendering.tables import redated

if TYPE_CHECKING:
    from langchain_mem.memory.facade import Memory

_PANEL = "Memories"
_USEFUL_FOR = "A request that needs it without naming it, as 'planning a dinner'; repeatable, up to five."
_HAPPENED = "When what it tells of happened: a day, or 2027-01, 2027, 2027-01-03/2027-01-09."


def add_to(app: typer.Typer) -> None:
    """Adds this theme's commands to the program."""
    for command in (add, search, get, list_, update, delete, restore, undo, history):
        app.command(command.__name__.rstrip("_"), rich_help_panel=_PANEL)(command)


def add(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to remember; - reads it from standard input.")],
    store: Store = None,
    embedder: EmbedderName = None,
    user: User = None,
    agent: Agent = None,
    app: App = None,
    org: Org = None,
    run: Run = None,
    category: Annotated[list[str] | None, typer.Option(metavar="NAME", help="A category, repeatable.")] = None,
    metadata: Annotated[str | None, typer.Option(metavar="JSON", help="A JSON object to keep with it.")] = None,
    expires: Annotated[
        str | None, typer.Option(metavar="DATE", help="The last day it is shown, as 2027-01-31.")
    ] = None,
    happened: Annotated[str | None, typer.Option(metavar="DATE", help=_HAPPENED)] = None,
    useful_for: Annotated[list[str] | None, typer.Option(metavar="PHRASE", help=_USEFUL_FOR)] = None,
    json: Json = False,
) -> None:
    """Remember a text as it is."""
    said = typer.get_text_stream("stdin").read() if text == "-" else text
    ids = Ids(user=user, agent=agent, app=app, org=org, run=run).given()
    with remembering(store, embedder, new=True) as memory:
        more: dict[str, Any] = {"categories": category, "metadata": _object(metadata), "expiration_date": expires}
        done = memory.add(said, infer=False, event_date=happened, useful_for=useful_for, **more, **ids)
        show(done, lambda: _added(done), json=json)


def _added(done: Mapping[str, Any]) -> Iterator[str]:
    for each in done["results"]:
        yield f"{each['id']}  {each['event']}  {one_line(each['memory'])}"
    if not done["results"]:
        yield "Nothing new: it is known already."
    elif done.get("batch_id"):
        yield f"To take it back: langchain-mem undo {done['batch_id']}"


def _object(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return jsonlib.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"no JSON object: {error}", param_hint="--metadata") from error


def search(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="What to look for.")],
    store: Store = None,
    embedder: EmbedderName = None,
    user: User = None,
    agent: Agent = None,
    app: App = None,
    org: Org = None,
    run: Run = None,
    kind: Annotated[str | None, typer.Option(metavar="NAME", help="Only documents of this kind.")] = None,
    top_k: Annotated[int, typer.Option(metavar="N", help="At most so many.")] = 10,
    threshold: Annotated[
        float,
        typer.Option(metavar="N", min=0, max=1, help="The least relevance, 0 to 1; 0 shows the nearest."),
    ] = 0.1,
    explain: Annotated[bool, typer.Option("--explain", help="Show the numbers behind each score.")] = False,
    json: Json = False,
) -> None:
    """Find memories by meaning and words. Looking does not count as a use."""
    ids = Ids(user=user, agent=agent, app=app, org=org, run=run).given()
    with remembering(store, embedder, tell=True) as memory:
        how: dict[str, Any] = {"kind": kind, "top_k": top_k, "threshold": threshold, "explain": explain}
        found = memory.search(query, reinforce="none", **how, **ids)
        show(found, lambda: _found(found["results"], explain=explain), json=json)
        if not found["results"]:
            note("Nothing found." + (" With --threshold 0 the nearest are shown." if threshold else ""))


def _found(results: Sequence[Mapping[str, Any]], *, explain: bool) -> Iterator[str]:
    for each in results:
        yield f"{each['score']:.2f}  {each['id']}  {owner_of(each)}  {one_line(each['memory'])}"
        if explain:
            yield jsonlib.dumps(each["score_details"], indent=2)


def get(memory_id: MemoryId, store: Store = None, json: Json = False) -> None:
    """Show one memory with everything that is kept of it."""
    with remembering(store) as memory:
        found = _existing(memory, memory_id)
        show(found, lambda: _fields(found), json=json)


def _existing(memory: Memory, memory_id: str) -> Mapping[str, Any]:
    found = memory.get(memory_id)
    if found is None:
        raise NotFound(f"There is no memory {memory_id[:100]!r}.")
    return found


def _fields(found: Mapping[str, Any]) -> Iterator[str]:
    kept = {name: value for name, value in found.items() if value not in (None, "", [], {})}
    width = max(map(len, kept))
    for name, value in kept.items():
        yield f"{name:{width}}  {one_line(value if isinstance(value, str) else jsonlib.dumps(value))}"


def list_(
    store: Store = None,
    user: User = None,
    agent: Agent = None,
    app: App = None,
    org: Org = None,
    run: Run = None,
    kind: Annotated[str | None, typer.Option(metavar="NAME", help="Only documents of this kind.")] = None,
    page: Annotated[int, typer.Option(metavar="N", help="Which page, from 1.")] = 1,
    page_size: Annotated[int, typer.Option(metavar="N", help="How many on a page.")] = 100,
    expired: Annotated[bool, typer.Option("--expired", help="Also what has expired.")] = False,
    json: Json = False,
) -> None:
    """List memories with owner and date, last changed first."""
    ids = Ids(user=user, agent=agent, app=app, org=org, run=run).given()
    with remembering(store) as memory:
        found = memory.get_all(kind=kind, page=page, page_size=page_size, show_expired=expired, **ids)
        show(found, lambda: _listed(found), json=json)


def _listed(found: Mapping[str, Any]) -> Iterator[str]:
    for each in found["results"]:
        until = f"  until {each['expiration_date'][:10]}" if each["expiration_date"] else ""
        yield f"{each['id']}  {each['updated_at'][:10]}  {owner_of(each)}  {one_line(each['memory'])}{until}"
    yield f"{found['count']} in all"


def update(
    memory_id: MemoryId,
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help="The new text.")] = None,
    store: Store = None,
    embedder: EmbedderName = None,
    category: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Instead of those it has.")] = None,
    metadata: Annotated[str | None, typer.Option(metavar="JSON", help="Merged into what is there.")] = None,
    expires: Annotated[str | None, typer.Option(metavar="DATE", help="The last day it is shown, or never.")] = None,
    happened: Annotated[str | None, typer.Option(metavar="DATE", help=f"{_HAPPENED} Or unknown.")] = None,
    useful_for: Annotated[list[str] | None, typer.Option(metavar="PHRASE", help=_USEFUL_FOR)] = None,
    json: Json = False,
) -> None:
    """Change a memory; its history keeps what it was."""
    changes: dict[str, Any] = {"text": text, "categories": category or None, "metadata": _object(metadata)}
    changes["useful_for"] = useful_for or None
    given = {name: value for name, value in changes.items() if value is not None}
    if expires is not None:
        given["expiration_date"] = None if expires == "never" else expires
    if happened is not None:
        given["event_date"] = None if happened == "unknown" else happened
    with remembering(store, embedder) as memory:
        if not given:
            raise InvalidRequest(
                "Nothing is to change: give a text, --category, --metadata, --expires, --happened or --useful-for."
            )
        changed = memory.update(memory_id, **given)
        show(changed, lambda: _fields(changed), json=json)


def delete(
    memory_ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of memories.")],
    store: Store = None,
    json: Json = False,
) -> None:
    """Delete memories. They can be undone until they are purged."""
    with remembering(store) as memory:
        done = memory.batch_delete([{"memory_id": each} for each in memory_ids])
        show(done, lambda: _deleted(done), json=json)


def _deleted(done: Mapping[str, Any]) -> Iterable[str]:
    return [f"{done['deleted']} deleted", f"To take it back: langchain-mem undo {done['batch_id']}"]


def restore(
    memory_id: MemoryId,
    version: Annotated[int | None, typer.Option(metavar="N", help="A version of its history; the last shown.")] = None,
    store: Store = None,
    embedder: EmbedderName = None,
    json: Json = False,
) -> None:
    """Put a memory back to what it was, or show a deleted one again."""
    with remembering(store, embedder) as memory:
        back = memory.restore(memory_id, version)
        show(back, lambda: _fields(back), json=json)


def undo(
    batch_id: Annotated[str | None, typer.Argument(metavar="[BATCH]", help="What a change printed.")] = None,
    thread: Annotated[str | None, typer.Option(metavar="ID", help="All that a thread's memories learned.")] = None,
    after_checkpoint: Annotated[
        str | None, typer.Option(metavar="ID", help="Of the thread, only what is later.")
    ] = None,
    store: Store = None,
    embedder: EmbedderName = None,
    json: Json = False,
) -> None:
    """Take back a change, or what was learned in a thread."""
    with remembering(store, embedder) as memory:
        done = memory.undo(batch_id, thread_id=thread, after_checkpoint=after_checkpoint)
        show(done, lambda: _undone(done), json=json)


def _undone(done: Mapping[str, Any]) -> Iterator[str]:
    told = {"restored": "put back", "removed": "gone again", "skipped": "left, for it changed since"}
    for name, meaning in told.items():
        for memory_id in done[name]:
            yield f"{memory_id}  {meaning}"
    if not any(done[name] for name in told):
        yield "Nothing to take back."


def history(memory_id: MemoryId, store: Store = None, json: Json = False) -> None:
    """Show every change of a memory, oldest first."""
    with remembering(store) as memory:
        changes = memory.history(memory_id)
        show(changes, lambda: map(_change, changes), json=json)


def _change(change: Mapping[str, Any]) -> str:
    said = one_line(change["new_memory"] or "(gone)")
    dated = f"  {moved}" if (moved := redated(change)) else ""
    return f"{change['version']:>3}  {change['created_at'][:19]}  {change['event']:10}  {said}{dated}"
