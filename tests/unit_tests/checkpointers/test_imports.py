from __future__ import annotations

import subprocess
import sys

import pytest

from langchain_mem import checkpointers


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=300)
    return done.stdout.strip()


def test_no_driver_is_loaded_before_it_is_asked_for() -> None:
    """Importing the package, and using the saver in memory, loads no database driver."""
    loaded = python(
        "import sys, langchain_mem.checkpointers as c; c.InMemoryCheckpointer(retention=c.Retention());"
        "print([m for m in ('psycopg', 'psycopg_pool', 'aiosqlite', 'sqlite3') if m in sys.modules])"
    )
    assert loaded == "[]"


def test_a_missing_driver_says_what_installs_it() -> None:
    """Without psycopg the Postgres saver raises with the command that mends it, and the others work."""
    said = python(
        "import sys; sys.modules['psycopg'] = None\n"
        "import langchain_mem.checkpointers as c\n"
        "from langchain_mem.errors import MissingDependency\n"
        "c.SqliteCheckpointer.open(':memory:').close()\n"
        "try: c.PostgresCheckpointer\n"
        "except MissingDependency as error: print(error)"
    )
    assert said == 'pip install "langchain-mem[postgres]"'


def test_every_public_name_can_be_imported() -> None:
    """`__all__` is what is there, and nothing else is found by accident."""
    assert [getattr(checkpointers, name).__name__ for name in checkpointers.__all__] == dir(checkpointers)
    with pytest.raises(AttributeError, match="Saver"):
        _ = checkpointers.Saver
