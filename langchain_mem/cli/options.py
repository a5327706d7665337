"""Options that several commands share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

Store = Annotated[
    str | None,
    typer.Option(
        envvar="LANGCHAIN_MEM_STORE", metavar="PLACE", help="A folder or a postgresql:// address. Default: ./memory."
    ),
]
EmbedderName = Annotated[
    str | None,
    typer.Option(
        envvar="LANGCHAIN_MEM_EMBEDDER",
        metavar="NAME",
        help="minilm, multilingual, provider:model or a dotted path. Default: what the store was built with.",
    ),
]
Threads = Annotated[
    str,
    typer.Option(envvar="LANGCHAIN_MEM_THREADS", metavar="PLACE", help="An SQLite file or a postgresql:// address."),
]
User = Annotated[str | None, typer.Option("--user", metavar="ID", help="A user's id.")]
Agent = Annotated[str | None, typer.Option("--agent", metavar="ID", help="An agent's id.")]
App = Annotated[str | None, typer.Option("--app", metavar="ID", help="An app's id.")]
Org = Annotated[str | None, typer.Option("--org", metavar="ID", help="An organization's id.")]
Run = Annotated[str | None, typer.Option("--run", metavar="ID", help="A session's id.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and write nothing.")]
MemoryId = Annotated[str, typer.Argument(metavar="ID", help="A memory's id.")]
Source = Annotated[Path, typer.Argument(metavar="FILE")]
Days = Annotated[float | None, typer.Option(metavar="N", min=0, help="Days, at least 0.")]


@dataclass(frozen=True, kw_only=True)
class Ids:
    """The ids a command was given, as operations take them."""

    user: str | None = None
    agent: str | None = None
    app: str | None = None
    org: str | None = None
    run: str | None = None

    def given(self) -> dict[str, Any]:
        """Only those that were given: `{"user_id": "alex"}`."""
        return {f"{name}_id": value for name, value in vars(self).items() if value is not None}
