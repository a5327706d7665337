"""What commands print: lines for people, JSON for programs, errors in one line, progress where somebody watches."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NoReturn

import typer

from langchain_mem.errors import EmbeddingMismatch, MemError, NotFound, StoreLocked

FAILED: Final = 1
NOT_FOUND: Final = 3
LOCKED: Final = 4
INCOMPLETE: Final = 5

_STEERING: Final = re.compile(r"[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")

_PASSWORD: Final = re.compile(r"(?<=:)[^:/@\s]+(?=@)")


@contextmanager
def saying_errors() -> Iterator[None]:
    """What goes wrong is said in one line on the error stream, and the exit code says of which kind it was."""
    try:
        yield
    except (MemError, OSError, UnicodeDecodeError) as error:
        said = _PASSWORD.sub("…", str(error))  # an address may stand where a file was asked for
        typer.secho(one_line(said) + _advice(error), fg="red", err=True)
        raise typer.Exit(_code(error)) from error


def _code(error: Exception) -> int:
    return LOCKED if isinstance(error, StoreLocked) else NOT_FOUND if isinstance(error, NotFound) else FAILED


def _advice(error: Exception) -> str:
    return " On the command line: --embedder NAME." if isinstance(error, EmbeddingMismatch) else ""


def one_line(text: str) -> str:
    """A text for a terminal: what is stored there must not steer it."""
    return "".join(each if each.isprintable() else "\ufffd" for each in " ".join(text.split()))


def as_json(value: Any) -> str:
    """JSON with indents; characters that steer a terminal are spelled out."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def show(value: Any, lines: Callable[[], Iterable[str]], *, json: bool) -> None:
    """Prints a result: as JSON, or as the lines that a person reads."""
    if json:
        typer.echo(as_json(value))
        return
    for line in lines():
        typer.echo(line)


def note(text: str) -> None:
    """Says something beside the result, on the error stream, so that the result can be piped."""
    typer.secho(one_line(text), fg="yellow", err=True)


def confirm(question: str, *, yes: bool) -> None:
    """Asks before what cannot be undone; ends the program where the answer is no, or nobody is there to answer."""
    if not yes:
        typer.confirm(f"{question} This cannot be undone.", abort=True, err=True)


def leave_incomplete(bad: Iterable[tuple[str, str]]) -> None:
    """Names what was left behind, a line each; then the exit code says so, for a script to notice."""
    named = [one_line(f"{place}: {why}") for place, why in bad]
    for line in named:
        typer.secho(line, fg="red", err=True)
    if named:
        _leave(INCOMPLETE)


def _leave(code: int) -> NoReturn:
    raise typer.Exit(code)


@contextmanager
def busy(what: str) -> Iterator[None]:
    """A spinner on the error stream where that is a terminal, for what does not say how far it is."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(what):
        yield


@contextmanager
def counting(what: str, *, shown: bool = True) -> Iterator[Callable[..., None]]:
    """A bar on the error stream where that is a terminal; gives what is told how many are done, and of how many."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not (shown and console.is_terminal)) as bar:
        task = bar.add_task(what, total=None)

        def told(done: int, total: int | None = None) -> None:
            bar.update(task, completed=done, total=total)

        yield told


def owner_of(memory: Mapping[str, Any]) -> str:
    """Whose a memory is, in two words a piece: `user alex, run trip`."""
    kinds = ("user", "agent", "app", "org", "run")
    return ", ".join(f"{kind} {one_line(memory[f'{kind}_id'])}" for kind in kinds if memory.get(f"{kind}_id"))
