"""The command line: the demo, what an operator does to a store, and coming from elsewhere.

    app         the program: its options, and the commands of every theme
    memories    one memory: add, search, get, list, update, delete, restore, undo, history
    owners      whose memories and threads there are, and removing them: users, threads, stats, purge, sweep, erase
    transfer    export, import, migrate
    doctor      whether a store is sound, and mending it
    running     what starts something: demo, bench, ui, mcp
    opening     the store, the embedder and the checkpointer that a command works on
    options     the options that several commands share
    printing    lines for people, JSON for programs, progress

What a command needs is imported when it runs, so that `--help` answers at once. It may import every room below it, and
the other doors. Start reading with `memories`.
"""

from __future__ import annotations

from langchain_mem.cli.app import app

__all__ = ["app"]
