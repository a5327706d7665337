"""Rows as Chroma records, and back. Nothing here talks to Chroma.

A row is one record, and one more for each vector after its first. They are upserted together and carry the row's
revision, so that a vector left over from an older revision is told apart. What a record's metadata holds:

    data       the row as JSON text, its value included: Chroma's own types would lose NaN, `2**70`, lists and dicts
    updated    `updated_at` in microseconds since 1970
    expires    `expires_at`, likewise, where the row expires; an earlier release wrote `NEVER_EXPIRES` where it does not
    tokens     what filters may ask for, in a collection that an earlier release made; see `where`
    digest     the value's field of that name, a short text, so that a row is found by it; not in older collections
    s1, s2 …   the namespace cut to 1, 2, … labels, so that a prefix is one equality
    touches0 … the touches of one lane as text, oldest first: a writer has one lane, a reader takes all of them
    keep       how many of them count, the newest: as the last touch said

The keys are few and always the same: Chroma keeps every key that a collection ever had in its schema and reads that
schema at each write, so a key for each touch made writes slower the more there had been. An update merges metadata key
by key, so processes in different lanes lose no touch of each other.

A record in Chroma must have a vector. One whose row has none gets a pseudo-random one, and `data` says so. Its document
is the row's text in lower case, because `$contains` minds case, followed by marks.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import zlib
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple
from urllib.parse import quote, unquote

import numpy as np
import orjson
from numpy.typing import NDArray

from langchain_mem.backends.base import Address, Namespace, Row, Vectors
from langchain_mem.backends.changes import Changes, fields_of
from langchain_mem.backends.chroma.where import marked, tokens, unmarked
from langchain_mem.filters.conditions import Path

NEVER_EXPIRES: Final = 2**62
"""`expires` of a row that does not expire: later than any date, and within the engine's 64 bits."""

DEAD: Final = "!dead"
"""`s1` of a record that was deleted and is about to go. No label reads so: `!` is escaped in them."""

LANES: Final = 16
"""How many lanes there are for touches: the first for a process that has the collection to itself."""

MOST_ID_BYTES: Final = 120
"""Longer ids are digests: Chroma Cloud takes 128 bytes, of which a vector's number needs some."""

DIGEST: Final = "digest"
"""The field of a value that a row is found by, and the key of metadata that repeats it."""

MOST_DIGEST: Final = 64
"""Longer texts are no digests."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TOUCHES = tuple(f"touches{number}" for number in range(LANES))
_DIGESTED = "~"
_DIGITS = bytes(ord("0") if chr(byte).isdecimal() else ord(" ") for byte in range(256))
_LONG_NUMBER = b"0" * 19


class Record(NamedTuple):
    """One record of a Chroma collection."""

    id: str
    embedding: NDArray[np.float32]
    metadata: Mapping[str, Any]
    document: str


def micros(instant: datetime) -> int:
    """Whole microseconds since 1970."""
    return (instant - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The instant so many microseconds after 1970, in UTC."""
    return _EPOCH + micros * _MICROSECOND


@lru_cache(maxsize=4_096)
def label(namespace: Namespace) -> str:
    """A namespace as text: equal for equal namespaces only, and a text prefix exactly where it is a prefix.

    >>> label(("memories", "user", "a/b"))
    'memories/user/a%2Fb/'
    """
    return "".join(f"{_quote(each)}/" for each in namespace)


def record_id(address: Address) -> str:
    """The id of the record at an address: readable, or a digest where that would be too long."""
    readable = f"{label(address.namespace)}={_quote(address.key)}"
    if len(readable) <= MOST_ID_BYTES:
        return readable
    return _DIGESTED + hashlib.blake2b(readable.encode(), digest_size=24).hexdigest()


def namespace_of(identifier: str) -> Namespace | None:
    """The namespace that an id tells, `None` where it is a digest."""
    if identifier.startswith(_DIGESTED):
        return None
    return tuple(unquote(each, errors="surrogatepass") for each in identifier.split("/")[:-1])


def address_of(identifier: str) -> Address | None:
    """Where the row of an id is, `None` where it is a digest.

    >>> address_of(record_id(Address(("memories", "user", "a=b"), "7/8")))
    Address(namespace=('memories', 'user', 'a=b'), key='7/8')
    """
    namespace = namespace_of(identifier)
    key = identifier.rpartition("/")[2].removeprefix("=")
    return None if namespace is None else Address(namespace, unquote(key, errors="surrogatepass"))


def part_ids(identifier: str, count: int) -> list[str]:
    """The ids of the records that hold a row's vectors after its first."""
    return [f"{identifier}#{number}" for number in range(1, count)]


def whole_id(identifier: str) -> str:
    """The id of the row that a record belongs to."""
    return identifier.partition("#")[0]


def scopes(prefixes: Iterable[Namespace]) -> list[dict[str, Any] | None]:
    """A `where` for each length of these prefixes: a row's namespace starts with one. For `()` it is `None`, all."""
    by_depth: dict[int, list[str]] = {}
    for prefix in dict.fromkeys(prefixes):
        by_depth.setdefault(len(prefix), []).append(label(prefix))
    return [{f"s{depth}": {"$in": labels}} if depth else None for depth, labels in by_depth.items()]


def placeholder(identifier: str, dims: int) -> NDArray[np.float32]:
    """A pseudo-random unit vector of shape (dims,), always the same one for an id."""
    digest = hashlib.blake2b(identifier.encode(), digest_size=8).digest()
    vector = np.random.default_rng(int.from_bytes(digest)).standard_normal(dims, dtype=np.float32)
    return vector / np.linalg.norm(vector)


def records_of(
    row: Row,
    dims: int,
    *,
    lane: str,
    old: Mapping[str, Any] | None = None,
    marks: bool = True,
    digests: bool = False,
) -> list[Record]:
    """A row as records, its own first.

    Args:
        row: What to store.
        dims: How long the collection's vectors are.
        lane: The metadata key of the writer's touches.
        old: The metadata that its record has already; the touches in it will stay.
        marks: Whether the collection keeps tokens as marks in the text.
        digests: Whether the collection keeps the digest of a row as a key of metadata.
    """
    identifier = record_id(row.address)
    parts = part_ids(identifier, len(row.vectors))
    first = row.vectors[0] if len(row.vectors) else placeholder(identifier, dims)
    said, labels = _text(row.text).lower(), _labels(row.address.namespace)
    told = (_digest(row, old or {}) if digests else {}) | _metadata(row, old or {})
    told |= _merged_touches(row, lane, old or {})
    held = tokens(row.address.key, row.value)
    asked: dict[str, Any] = labels | ({} if marks else {"tokens": held})
    records = [Record(identifier, first, asked | told, marked(said, held) if marks else said)]
    for id_, vector in zip(parts, row.vectors[1:], strict=True):
        part = asked | {"revision": row.revision}
        records.append(Record(id_, vector, part, marked("", held) if marks else ""))
    return records


def tombstone(identifier: str, dims: int) -> Record:
    """What takes the place of a record in the call that deletes it, so that a batch is one call."""
    gone = {"s1": DEAD, "data": "", "expires": 0, "updated": 0, "tokens": [DEAD], "revision": ""}
    return Record(identifier, placeholder(identifier, dims), gone, "")


def rows_of(records: Sequence[Record], fetch: Callable[[list[str]], Sequence[Record]] | None = None) -> list[Row]:
    """The rows that these records make up; parts without their row, and deleted ones, are passed over.

    Args:
        records: The records, their further vectors perhaps among them.
        fetch: Reads the records of those further vectors that are not among them, where they are wanted.
    """
    by_id = {record.id: record for record in records}
    told = _told(records)
    parts = [part_ids(record.id, stored["vectors"]) for record, stored in told if stored["vectors"] > 1]
    missing = [part for some in parts for part in some if part not in by_id]
    if missing and fetch is not None:
        by_id |= {record.id: record for record in fetch(missing)}
    return [_row(record, stored, by_id) for record, stored in told]


def single_rows(records: Sequence[Record]) -> list[Row] | None:
    """The rows that these records are; `None` where one of them has further vectors, in records of their own."""
    told = _told(records)
    if any(stored["vectors"] > 1 for _, stored in told):
        return None
    return [_row(record, stored, {}) for record, stored in told]


def _told(records: Sequence[Record]) -> list[tuple[Record, Any]]:
    """Those of the records that stand for rows, each with what its `data` says."""
    return [(record, _read(record.metadata["data"])) for record in records if is_row(record)]


def changes_of(
    records: Sequence[Record], paths: Sequence[Path], *, stamp: Hashable, whole: bool, more: bool = False
) -> Changes:
    """The rows of a scope as columns, without making a row of each."""
    mine = [record for record in records if is_row(record)]
    told = [_read(record.metadata["data"]) for record in mine]
    expiries = [record.metadata.get("expires", NEVER_EXPIRES) for record in mine]
    addresses = [Address(tuple(stored["namespace"]), stored["key"]) for stored in told]
    return Changes(
        stamp=stamp,
        whole=whole,
        more=more,
        handles=addresses,
        addresses=addresses,
        fields=fields_of((stored["value"] for stored in told), paths),
        expiries=[None if expires == NEVER_EXPIRES else from_micros(expires) for expires in expiries],
        vectors=np.stack([record.embedding for record in mine]) if mine else np.zeros((0, 0), dtype=np.float32),
        has=np.array([stored["vectors"] > 0 for stored in told], dtype=bool),
        uses=[tuple(map(from_micros, touches(record.metadata))) for record in mine],
        values=[stored["value"] for stored in told],
    )


def _read(data: str) -> Any:
    """JSON text, quickly where that reads what `json` does: `orjson` takes no NaN, nor numbers beyond 64 bits."""
    spelled = data.encode()
    if _LONG_NUMBER in spelled.translate(_DIGITS):
        return json.loads(data)
    try:
        return orjson.loads(spelled)
    except orjson.JSONDecodeError:
        return json.loads(data)


def is_row(record: Record) -> bool:
    """Whether a record stands for a row: it is not a further vector of one, not deleted, not the journal's."""
    return bool(record.metadata.get("data"))


def is_row_id(identifier: str) -> bool:
    """Whether an id is that of a row: not of a further vector or the journal. Labels and keys escape both signs."""
    return "#" not in identifier and not identifier.startswith("!")


def size(record: Record) -> int:
    """About how many bytes a record takes in memory."""
    return record.embedding.nbytes + 4 * len(record.metadata.get("data", "")) + 2_000


def parts_of(record: Record) -> list[str]:
    """The ids of the records that hold the further vectors of this row."""
    return part_ids(record.id, _read(record.metadata["data"])["vectors"])


def revision(record: Record) -> str:
    """The revision of the row that this record stands for."""
    revision: str = _read(record.metadata["data"])["revision"]
    return revision


def hidden(record: Record, now: datetime) -> bool:
    """Whether the row that this record stands for has expired."""
    return bool(record.metadata.get("expires", NEVER_EXPIRES) <= micros(now))


def lane(*, shared: bool) -> str:
    """The metadata key of this process's touches.

    Args:
        shared: Whether other processes write too. Neighboring process ids of one machine have different lanes.
    """
    mixed = os.getpid() + zlib.crc32(socket.gethostname().encode())
    return _TOUCHES[1 + mixed % (LANES - 1) if shared else 0]


def touch(
    metadata: Mapping[str, Any], instants: Iterable[datetime], keep: int, *, lane: str
) -> dict[str, str | int | None]:
    """The change of metadata that adds these touches in a lane and leaves the `keep` newest of all."""
    mine = [*_lane(metadata, lane), *map(micros, instants)]
    others = [each for key in _TOUCHES if key != lane for each in _lane(metadata, key)]
    newest = Counter(_newest([*mine, *others], keep))
    return {lane: _spelled((newest & Counter(mine)).elements()), "keep": keep}


def touches(metadata: Mapping[str, Any]) -> list[int]:
    """The newest touches of all lanes in microseconds since 1970, oldest first."""
    every = [each for key in _TOUCHES if key in metadata for each in _lane(metadata, key)]
    return _newest(every, metadata.get("keep") or len(every))


def untouched(metadata: Mapping[str, Any]) -> dict[str, None]:
    """The change of metadata that forgets all touches."""
    return dict.fromkeys(key for key in (*_TOUCHES, "keep") if key in metadata)


def is_touch(key: str) -> bool:
    """Whether a key of metadata tells of uses."""
    return key == "keep" or key in _TOUCHES


def merged(old: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata after a change, as Chroma merges it: key by key, and `None` removes a key."""
    return {key: value for key, value in {**old, **change}.items() if value is not None}


def _merged_touches(row: Row, lane: str, old: Mapping[str, Any]) -> dict[str, str | None]:
    """The change of metadata that adds those touches of a row that its record does not have."""
    added = Counter(map(micros, row.touches)) - Counter(touches(old))
    return {lane: _spelled([*_lane(old, lane), *added.elements()])} if added else {}


def _lane(metadata: Mapping[str, Any], key: str) -> list[int]:
    return [int(each) for each in (metadata.get(key) or "").split()]


def _newest(touches: Iterable[int], keep: int) -> list[int]:
    return sorted(touches, reverse=True)[:keep][::-1]


def _spelled(touches: Iterable[int]) -> str | None:
    return " ".join(map(str, sorted(touches))) or None


def _metadata(row: Row, old: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {"data": _data(row), "updated": micros(row.updated_at)}
    if row.expires_at is not None:
        metadata["expires"] = micros(row.expires_at)
    elif "expires" in old:
        metadata["expires"] = NEVER_EXPIRES
    return metadata


def _digest(row: Row, old: Mapping[str, Any]) -> dict[str, str | None]:
    """The change of metadata that tells a row's digest, if it has one that is short enough."""
    digest = row.value.get(DIGEST)
    if isinstance(digest, str) and len(digest) <= MOST_DIGEST and digest == _text(digest):
        return {DIGEST: digest}
    return {DIGEST: None} if DIGEST in old else {}


def _data(row: Row) -> str:
    stored = {
        "namespace": row.address.namespace,
        "key": row.address.key,
        "revision": row.revision,
        "created": micros(row.created_at),
        "ttl": None if row.ttl is None else row.ttl // _MICROSECOND,
        "digests": row.digests,
        "vectors": len(row.vectors),
        "value": row.value,
    }
    text = json.dumps(stored, ensure_ascii=False)
    return text if text == _text(text) else json.dumps(stored)


def _row(record: Record, stored: Mapping[str, Any], by_id: Mapping[str, Record]) -> Row:
    expires = record.metadata.get("expires", NEVER_EXPIRES)
    said = record.document if "tokens" in record.metadata else unmarked(record.document)
    return Row(
        address=Address(tuple(stored["namespace"]), stored["key"]),
        value=stored["value"],
        created_at=from_micros(stored["created"]),
        updated_at=from_micros(record.metadata["updated"]),
        revision=stored["revision"],
        expires_at=None if expires == NEVER_EXPIRES else from_micros(expires),
        ttl=None if stored["ttl"] is None else stored["ttl"] * _MICROSECOND,
        vectors=_vectors(record, stored, by_id),
        digests=tuple(stored["digests"]),
        texts=(said,) if said else (),
        touches=tuple(map(from_micros, touches(record.metadata))),
    )


def _vectors(record: Record, stored: Mapping[str, Any], by_id: Mapping[str, Record]) -> Vectors:
    if not stored["vectors"]:
        return np.zeros((0, 0), dtype=np.float32)
    if stored["vectors"] == 1:
        return record.embedding[None]
    parts = [by_id[each] for each in part_ids(record.id, stored["vectors"]) if each in by_id]
    current = [each for each in parts if each.metadata["revision"] == stored["revision"]]
    return np.stack([record.embedding, *(each.embedding for each in current)])


def _labels(namespace: Namespace) -> dict[str, str]:
    return {f"s{depth}": label(namespace[:depth]) for depth in range(1, len(namespace) + 1)}


def _quote(text: str) -> str:
    return quote(text, safe="", errors="surrogatepass")


def _text(text: str) -> str:
    """What of a text UTF-8 can say: no half of a surrogate pair."""
    return text if text.isascii() else text.encode(errors="replace").decode()
