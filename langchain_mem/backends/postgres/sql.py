"""What is common to all that is said to Postgres: statements, the tables' names, and the rows of a scope.

Nothing here runs anything. A `Statement` is text and parameters, so that what is sent can be read, tested and explained
by itself. `making` has the statements that make and look after the tables, `reading` those that read, `writing` those
that write. They need Postgres 14 and pgvector 0.8, or later.

Namespaces are `text[]`, compared label by label in the order of code points. All that begin with `(a, b)` stand
together in that order, from `(a, b)` itself up to and without `(a, b + U+0001)`: U+0001 ends no label (see
`text`). So one range of one index is exactly one scope, by whole labels, and touches nobody else's rows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, NamedTuple

from langchain_mem.backends.base import Address, Namespace
from langchain_mem.backends.postgres.text import array, encode, literal
from langchain_mem.errors import InvalidRequest, shown

VECTOR_LIMIT: Final = 2_000
"""Dimensions up to which pgvector's HNSW takes `vector` …"""

HALFVEC_LIMIT: Final = 4_000
"""… and `halfvec`, 16-bit floats. Vectors with more are searched exactly, without an index."""

MICROSECOND: Final = timedelta(microseconds=1)

GONE_KEPT: Final = timedelta(days=1)
"""How long it is noted that an item was removed. Whoever has not asked for so long takes a scope anew."""

ALIVE: Final = "(i.expires_at IS NULL OR i.expires_at > %(now)s)"
"""The rows of `items AS i` that have not expired."""

VECTOR: Final = "coalesce(v.embedding, v.fresh)"
"""The embedding of a row of `vectors AS v`, whether the vector index has taken it in or not."""

CONFLICT: Final = "LM001"
"""What the function `expect` raises where a write does not find what it expects, with the row's key as the detail."""

HERE: Final = "i.namespace = %(namespace)s::text[] AND i.key = %(key)s"
"""The row at one address."""

_SCHEMA = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


class Statement(NamedTuple):
    """What to say, and the values that it refers to as `%(name)s`."""

    query: str
    parameters: Mapping[str, Any] = {}


class Tables:
    """The names of the tables.

    Args:
        schema: Where they are: letters, digits and `_`, at most 63.

    Raises:
        InvalidRequest: Postgres does not take the name as it is.
    """

    def __init__(self, schema: str) -> None:
        if not _SCHEMA.fullmatch(schema):
            raise InvalidRequest(f"`schema` is {shown(schema)}; it takes ASCII letters, digits and `_`, at most 63.")
        self.name = schema
        self.schema = f'"{schema}"'
        self.items = f"{self.schema}.items"
        self.vectors = f"{self.schema}.vectors"
        self.meta = f"{self.schema}.meta"
        self.gone = f"{self.schema}.gone"
        self.used = f"{self.schema}.used"
        self.kept = f"{self.schema}.kept"

    def at(self, addresses: Sequence[Address]) -> Statement:
        """Those rows of `items AS i` that are at these addresses, as a part of a statement."""
        wanted = "unnest(%(namespaces)s::text[], %(keys)s::text[]) AS wanted(namespace, key)"
        rows = f"{wanted} JOIN {self.items} i ON i.namespace = wanted.namespace::text[] AND i.key = wanted.key"
        namespaces = literal(array(address.namespace) for address in addresses)  # see `writing` for why
        return Statement(
            rows, {"namespaces": namespaces, "keys": literal(encode(address.key) for address in addresses)}
        )


def indexed_type(dims: int) -> str | None:
    """The type under which vectors of this length are in the HNSW index; `None` where there is no index for them."""
    if dims <= VECTOR_LIMIT:
        return f"vector({dims})"
    return f"halfvec({dims})" if dims <= HALFVEC_LIMIT else None


def labels_of(namespace: Namespace) -> list[str]:
    """A namespace as Postgres takes it."""
    return [encode(label) for label in namespace]


def within(prefixes: Sequence[Namespace]) -> tuple[str, dict[str, Any]]:
    """The rows whose namespace starts with a prefix; see the module's docstring."""
    if () in prefixes:
        return "TRUE", {}
    parameters: dict[str, Any] = {}
    ranges = []
    for number, prefix in enumerate(dict.fromkeys(prefixes)):
        *above, last = labels_of(prefix)
        parameters[f"from_{number}"] = [*above, last]
        parameters[f"to_{number}"] = [*above, last + "\x01"]
        ranges.append(f"(i.namespace >= %(from_{number})s::text[] AND i.namespace < %(to_{number})s::text[])")
    return f"({' OR '.join(ranges)})" if ranges else "FALSE", parameters
