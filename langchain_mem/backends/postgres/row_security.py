"""Postgres itself keeps owners apart: row-level security by the owner in each row's namespace.

Each operation says, for its own transaction, whose rows it is about; a policy on every table shows those rows and no
others. So a statement that forgot its WHERE, a mistake in this package or SQL that the application runs beside it sees
one owner's rows, and none where nobody is named. It is no wall against somebody who runs SQL of their own choice in the
application's session, for such a statement may name another owner.

Two roles: the *setup* role owns the tables and creates the policies, which do not apply to it; the *application's* role
has only what `grants` gives it, and may not bypass row security. The setup role's store, opened without
`row_security`, does what is about all owners: listing users, compacting.
"""

# ruff: noqa: S608 - what is put into the text is the checked name of the schema and fragments written here

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any, Final

from langchain_mem.backends.base import (
    WILDCARD,
    Address,
    Embedder,
    Match,
    Namespace,
    NamespaceQuery,
    Query,
    Row,
    Write,
)
from langchain_mem.backends.changes import Changes, Kept
from langchain_mem.backends.postgres.sql import Statement
from langchain_mem.backends.postgres.text import encode
from langchain_mem.errors import InvalidRequest, StoreError
from langchain_mem.filters.conditions import Path

DEPTH: Final = 3
"""How many labels name an owner in the namespaces of `Memory`: `("memories", "user", "alex")`."""

MOST: Final = 16
"""How many owners one operation may be about; the policy is written out for so many, so that each is an index range."""

TABLES: Final = ("items", "vectors", "gone", "used", "kept")
"""The tables that hold something of an owner, each with a policy."""

_SETTING: Final = "langchain_mem.shown"
_shown: ContextVar[tuple[Namespace, ...]] = ContextVar("langchain_mem_shown", default=())


def setting() -> Statement:
    """Says to Postgres whose rows the rest of the transaction is about."""
    owners = json.dumps([[encode(label) for label in owner] for owner in _shown.get()])
    return Statement(f"SELECT set_config('{_SETTING}', %(owners)s, TRUE)", {"owners": owners})


def policies(schema: str) -> list[Statement]:
    """What the setup role runs once: functions that read the setting, and a policy for each table.

    Args:
        schema: The schema's name as SQL has it, quoted.
    """
    ranges = " OR ".join(
        f"(namespace >= (SELECT {schema}.shown_from({n})) AND namespace < (SELECT {schema}.shown_to({n})))"
        for n in range(MOST)
    )
    using = {
        "items": ranges,
        # an item and its vectors are put by one statement, whose own rows only a volatile function sees
        "vectors": f"EXISTS (SELECT FROM {schema}.items i WHERE i.id = item) OR {schema}.is_shown(item)",
        "gone": f"scope = ANY ((SELECT {schema}.shown_scopes())::bigint[])",
        "used": f"scope = ANY ((SELECT {schema}.shown_scopes())::bigint[])",
        "kept": f"scopes <@ ((SELECT {schema}.shown_scopes())::bigint[])",
    }
    tables = [
        text
        for table, shown in using.items()
        for text in (
            f"ALTER TABLE {schema}.{table} ENABLE ROW LEVEL SECURITY",
            f"DROP POLICY IF EXISTS one_owner ON {schema}.{table}",
            f"CREATE POLICY one_owner ON {schema}.{table} USING ({shown})",
        )
    ]
    return [Statement(text.format(schema=schema, setting=_SETTING)) for text in (*_FUNCTIONS, *tables)]


def grants(role: str, schema: str = "langchain_mem") -> str:
    """The SQL that gives the application's role what it needs and nothing more.

    Args:
        role: The role's name.
        schema: Where the tables are.
    """
    role, schema = (f'"{name.replace(chr(34), chr(34) * 2)}"' for name in (role, schema))
    return "\n".join(
        f"GRANT {right} TO {role};"
        for right in (
            f"USAGE ON SCHEMA {schema}",
            f"SELECT ON {schema}.meta, {schema}.gone",
            f"SELECT, INSERT ON {schema}.used",
            f"SELECT, INSERT, UPDATE, DELETE ON {schema}.items, {schema}.vectors, {schema}.kept",
            f"USAGE ON SEQUENCE {schema}.writes",
            f"EXECUTE ON FUNCTION {schema}.purge_expired(timestamptz, bigint)",
        )
    )


_FUNCTIONS: Final = (
    """
    CREATE OR REPLACE FUNCTION {schema}.shown_from(n int) RETURNS text[] LANGUAGE sql STABLE AS $$
        SELECT (SELECT array_agg(label ORDER BY place)
            FROM jsonb_array_elements_text(owners -> n) WITH ORDINALITY AS each(label, place))
        FROM (SELECT nullif(current_setting('{setting}', TRUE), '')::jsonb) AS read(owners)
    $$
    """,
    """
    CREATE OR REPLACE FUNCTION {schema}.shown_to(n int) RETURNS text[] LANGUAGE sql STABLE AS $$
        SELECT owner[:cardinality(owner) - 1] || (owner[cardinality(owner)] || chr(1))
        FROM (SELECT {schema}.shown_from(n)) AS read(owner)
    $$
    """,
    """
    CREATE OR REPLACE FUNCTION {schema}.shown_scopes() RETURNS bigint[] LANGUAGE sql STABLE AS $$
        SELECT array_agg({schema}.scope_of({schema}.shown_from(n))) FROM generate_series(0, 15) AS n
        WHERE {schema}.shown_from(n) IS NOT NULL
    $$
    """,
    """
    CREATE OR REPLACE FUNCTION {schema}.is_shown(item bigint) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
        BEGIN
            RETURN EXISTS (SELECT FROM {schema}.items i WHERE i.id = is_shown.item);
        END $$
    """,
    "ALTER FUNCTION {schema}.note_gone() SECURITY DEFINER SET search_path = pg_catalog, pg_temp",
    # what has expired is nobody's any more, so everybody may sweep it; but nobody may call the future the present.
    # Notes of long ago on what went and what was used go with it, as by `Writing.forget_gone`
    """
    CREATE OR REPLACE FUNCTION {schema}.purge_expired(at timestamptz, most bigint) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        DELETE FROM {schema}.gone g WHERE g.at < now() - interval '1 day';
        DELETE FROM {schema}.used u WHERE u.at < now() - interval '1 day'
            AND NOT EXISTS (SELECT FROM {schema}.kept k WHERE k.scopes @> ARRAY[u.scope] AND k.at <= u.at);
        WITH expired AS MATERIALIZED (
            SELECT id FROM {schema}.items WHERE expires_at <= least(at, clock_timestamp()) LIMIT most
            FOR UPDATE SKIP LOCKED
        ),
        removed AS (DELETE FROM {schema}.items i USING expired WHERE i.id = expired.id RETURNING i.id)
        SELECT count(*) FROM removed
    $$
    """,
    "REVOKE ALL ON FUNCTION {schema}.purge_expired(timestamptz, bigint) FROM PUBLIC",
)


class OwnersApart:
    """Before a Postgres backend: says whose rows each operation is about, and refuses what is about everybody's.

    Args:
        inner: The backend, whose statements follow `setting`.
        schema: Where its tables are.
        depth: How many labels of a namespace name an owner.
    """

    def __init__(self, inner: Any, *, schema: str, depth: int = DEPTH) -> None:
        if isinstance(depth, bool) or not isinstance(depth, int) or depth < 1:
            raise InvalidRequest("row_security is True, or how many labels of a namespace name an owner: 1 or more.")
        self._inner = inner
        self._schema = f'"{schema}"'
        self._depth = depth
        self._applies = False

    async def setup(self, embedder: Embedder | None) -> None:
        """Makes the tables ready, and with the setup role the policies.

        Raises:
            StoreError: The policies are missing and this role may not make them.
        """
        await self._inner.setup(embedder)
        enabled, self._applies = await self._state()
        if not enabled:
            await self._inner.send(self._inner.lock(), *policies(self._schema))
            _, self._applies = await self._state()

    async def _state(self) -> tuple[bool, bool]:
        """Whether the policies are in force, and whether they apply to this role."""
        tables = ", ".join(f"to_regclass('{self._schema}.{table}')" for table in TABLES)
        asked = (
            "SELECT bool_and(relrowsecurity), bool_and(row_security_active(oid)) FROM pg_catalog.pg_class"
            f" WHERE oid IN ({tables})"
        )
        ((enabled, applies),) = (await self._inner.send(Statement(asked)))[-1]
        return enabled, applies

    @contextmanager
    def _about(self, namespaces: Sequence[Namespace]) -> Iterator[None]:
        """For the statements within: these owners' rows.

        Raises:
            StoreError: The policies do not apply to this role.
            InvalidRequest: The operation is about everybody, or about too many.
        """
        if not self._applies:
            raise StoreError(
                "Row-level security does not apply to this role: it owns the tables or may bypass it. Connect with the "
                "application's role, or open the store without row_security to look after it."
            )
        owners = tuple(dict.fromkeys(self._owner(namespace) for namespace in namespaces))
        if len(owners) > MOST:
            raise InvalidRequest(f"With row_security an operation is about at most {MOST} owners, not {len(owners)}.")
        token = _shown.set(owners)
        try:
            yield
        finally:
            _shown.reset(token)

    def _owner(self, namespace: Namespace) -> Namespace:
        owner = tuple(namespace[: self._depth])
        if len(owner) < self._depth or WILDCARD in owner:
            raise InvalidRequest(
                "With row_security an operation names its owner, such as user_id. What is about all owners is for "
                "the setup role, without row_security."
            )
        return owner

    async def get(self, addresses: Sequence[Address], now: datetime) -> list[Row | None]:
        """The unexpired rows at these addresses, in order; `None` where there is none."""
        with self._about([address.namespace for address in addresses]):
            found: list[Row | None] = await self._inner.get(addresses, now)
        return found

    async def write(self, batch: Sequence[Write], now: datetime) -> None:
        """Does all of the batch or none of it."""
        with self._about([each.address.namespace for each in batch]):
            await self._inner.write(batch, now)

    async def search(self, query: Query) -> list[Match]:
        """The rows that the query describes, in its order."""
        with self._about(query.prefixes):
            found: list[Match] = await self._inner.search(query)
        return found

    async def count(self, query: Query) -> int:
        """How many rows the query describes."""
        with self._about(query.prefixes):
            return int(await self._inner.count(query))

    async def namespaces(self, query: NamespaceQuery) -> list[Namespace]:
        """The namespaces of one owner."""
        with self._about([query.prefix]):
            found: list[Namespace] = await self._inner.namespaces(query)
        return found

    async def refresh(self, addresses: Sequence[Address], now: datetime) -> None:
        """Lets rows with a sliding expiry live on."""
        with self._about([address.namespace for address in addresses]):
            await self._inner.refresh(addresses, now)

    async def purge(self, now: datetime, limit: int | None = None) -> int:
        """Removes what has expired by `now` and by the database's clock, whoever's it was, and says how many."""
        purge = f"SELECT {self._schema}.purge_expired(%(now)s, %(limit)s)"
        return int((await self._inner.send(Statement(purge, {"now": now, "limit": limit})))[0][0][0])

    async def close(self) -> None:
        """Closes the inner backend."""
        await self._inner.close()

    async def scan(self, prefixes: tuple[Namespace, ...], now: datetime, limit: int) -> list[Row] | None:
        """Every unexpired row in scope, in order of address; `None` where there are over `limit`."""
        with self._about(prefixes):
            rows: list[Row] | None = await self._inner.scan(prefixes, now, limit)
        return rows

    async def stamp(self, prefixes: tuple[Namespace, ...]) -> Hashable | None:
        """The inner backend's stamp."""
        with self._about(prefixes):
            stamp: Hashable | None = await self._inner.stamp(prefixes)
        return stamp

    async def changes(
        self, scopes: tuple[Namespace, ...], paths: Sequence[Path], since: Hashable | None, limit: int
    ) -> Changes | None:
        """What was written in these scopes since a stamp, or all there is."""
        with self._about(scopes):
            changes: Changes | None = await self._inner.changes(scopes, paths, since, limit)
        return changes

    async def keep(self, scopes: tuple[Namespace, ...], name: str, content: bytes, stamp: Hashable) -> bool:
        """Keeps something derived from one owner's rows."""
        with self._about(scopes):
            return bool(await self._inner.keep(scopes, name, content, stamp))

    async def kept(self, scopes: tuple[Namespace, ...], name: str) -> Kept | None:
        """What was kept of one owner."""
        with self._about(scopes):
            kept: Kept | None = await self._inner.kept(scopes, name)
        return kept

    async def forget_kept(self) -> None:
        """Drops what is kept of everybody, which only the setup role may do."""
        await self._inner.forget_kept()

    async def forget_lost(self) -> None:
        """Drops what is kept and holds anything that was removed, which every role may do."""
        await self._inner.forget_lost()

    async def lexical(self, query: Query, words: Sequence[str]) -> list[Match]:
        """The rows that hold at least one of the words."""
        with self._about(query.prefixes):
            found: list[Match] = await self._inner.lexical(query, words)
        return found

    async def touch(self, touches: Mapping[Address, Sequence[datetime]], keep: int) -> None:
        """Notes uses, so many owners at a time: searches for any number of owners may have gathered them."""
        owners = list(dict.fromkeys(self._owner(address.namespace) for address in touches))
        for start in range(0, len(owners), MOST):
            about = {*owners[start : start + MOST]}
            some = {address: uses for address, uses in touches.items() if self._owner(address.namespace) in about}
            with self._about([address.namespace for address in some]):
                await self._inner.touch(some, keep)

    async def compact(self) -> None:
        """Rewrites the tables, which only the setup role may do."""
        await self._inner.compact()
