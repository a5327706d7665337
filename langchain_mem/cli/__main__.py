"""`python -m langchain_mem.cli`."""

from __future__ import annotations

from langchain_mem.cli.app import app

if __name__ == "__main__":
    app(prog_name="langchain-mem")
