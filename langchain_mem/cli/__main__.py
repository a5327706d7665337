"""`python -m langchain_mem.cli`."""

from __future__ import annotations

from langchain_mem.cli.app import app

app(prog_name="langchain-mem")
