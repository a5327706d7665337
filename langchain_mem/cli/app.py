"""The program: `langchain-mem`, its own options, and the commands of every theme."""

from __future__ import annotations

import gc
from typing import Annotated

import typer

from langchain_mem.cli import doctor, instructing, memories, owners, running, tidying, transfer

_HELP = """Memory for LangGraph and LangChain.

Exit codes: 0 done, 1 failed, 2 wrong arguments, 3 no such memory, 4 the folder is in use by another process,
5 done in part: something was left behind, or doctor found what is not right.
"""

app = typer.Typer(
    help=_HELP, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=True, rich_markup_mode="markdown"
)


def _version(wanted: bool) -> None:
    if wanted:
        from langchain_mem._version import __version__

        typer.echo(f"langchain-mem {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """What every command shares."""
    gc.set_threshold(20_000, 20, 20)  # most of what a command makes is what it imports, and that stays


memories.add_to(app)
instructing.add_to(app)
tidying.add_to(app)
owners.add_to(app)
transfer.add_to(app)
doctor.add_to(app)
running.add_to(app)
