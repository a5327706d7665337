"""The statements that make the tables, bring them up to date and look after them."""

# ruff: noqa: S608 - what is put into the text is the checked name of the schema and fragments written here

from __future__ import annotations

from langchain_mem.backends.base import Embedder
from langchain_mem.backends.postgres.schema import MIGRATIONS, VERSION
from langchain_mem.backends.postgres.sql import Statement, Tables, indexed_type
from langchain_mem.backends.postgres.text import encode


class Making:
    """The statements about the tables themselves."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def lock(self) -> Statement:
        """Lets one process at a time migrate; the rest wait here until its transaction ends."""
        key = {"name": f"langchain_mem.{self._tables.schema}"}
        return Statement("SELECT pg_advisory_xact_lock(hashtextextended(%(name)s::text, 0))", key)

    def has_meta(self) -> Statement:
        """Whether anything was ever set up here: by the catalog, for `to_regclass` answers from a session's memory."""
        tables = "SELECT FROM pg_catalog.pg_tables WHERE schemaname = %(schema)s AND tablename = 'meta'"
        return Statement(f"SELECT EXISTS ({tables})", {"schema": self._tables.name})

    def meta(self) -> Statement:
        """The schema's version and the embedder: (version, name, dims)."""
        return Statement(f"SELECT version, embedder, dims FROM {self._tables.meta}")

    def create_meta(self) -> list[Statement]:
        """Makes the schema and its first table, of one row."""
        columns = "version int NOT NULL, embedder text, dims int, one boolean PRIMARY KEY DEFAULT TRUE CHECK (one)"
        return [
            Statement(f"CREATE SCHEMA IF NOT EXISTS {self._tables.schema}"),
            Statement(f"CREATE TABLE {self._tables.meta} ({columns})"),
            Statement(f"INSERT INTO {self._tables.meta} (version) VALUES (0)"),
        ]

    def migrate(self, version: int) -> list[Statement]:
        """Brings tables of this version up to `VERSION`."""
        pending = [step.format(schema=self._tables.schema) for steps in MIGRATIONS[version:] for step in steps]
        done = Statement(f"UPDATE {self._tables.meta} SET version = %(version)s", {"version": VERSION})
        return [*map(Statement, pending), done]

    def adopt(self, embedder: Embedder) -> list[Statement]:
        """Records whose vectors will come, and makes the index for them while the table is empty."""
        record = f"UPDATE {self._tables.meta} SET embedder = %(name)s, dims = %(dims)s"
        statements = [Statement(record, {"name": encode(embedder.name), "dims": embedder.dims})]
        if kind := indexed_type(embedder.dims):
            operators = f"{kind.partition('(')[0]}_ip_ops"  # of unit vectors the inner product is the cosine
            index = (
                f"CREATE INDEX vectors_embedding ON {self._tables.vectors} USING hnsw ((embedding::{kind}) {operators})"
            )
            statements.append(Statement(index))
        return statements

    def vacuum(self) -> Statement:
        """Rewrites tables and indexes from what lives. Locks them, and runs in no transaction."""
        return Statement(f"VACUUM (FULL, ANALYZE) {self._tables.items}, {self._tables.vectors}, {self._tables.kept}")
