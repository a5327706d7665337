"""A batch of writes as what to upsert and what to delete. Nothing here talks to Chroma."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from langchain_mem.backends.base import ANY, Row, Write
from langchain_mem.backends.chroma import records as rows
from langchain_mem.backends.chroma.records import Record, record_id
from langchain_mem.errors import Conflict, StoreError, shown


class Form(NamedTuple):
    """How a collection keeps rows."""

    dims: int
    """How long its vectors are."""
    lane: str
    """The metadata key of this process's touches."""
    marks: bool
    """Whether tokens are marks in the text."""
    digests: bool
    """Whether a row's digest is a key of its metadata."""


def _check_revision(write: Write, there: Record | None, now: datetime) -> None:
    """Compares what a write expects with what is there.

    Raises:
        Conflict: It is something else.
    """
    if write.expects is ANY:
        return
    revision = None if there is None or rows.hidden(there, now) else rows.revision(there)
    if write.expects != revision:
        raise Conflict(
            f"{shown(write.address.key)} has changed since it was read. Nothing was written; read again and retry."
        )


def _check_length(row: Row | None, dims: int) -> None:
    """Refuses vectors of another length than the collection's.

    Raises:
        StoreError: They are longer or shorter.
    """
    if row is not None and len(row.vectors) and row.vectors.shape[1] != dims:
        raise StoreError(
            f"An item has vectors of {row.vectors.shape[1]} dimensions, and this collection takes "
            f"{dims}. Nothing was written."
        )


def changes_of(
    batch: Sequence[Write], before: Mapping[str, Record], now: datetime, form: Form
) -> tuple[list[Record], list[str]]:
    """What to upsert, and which ids to delete.

    Args:
        batch: What to write.
        before: What is there now, by id.
        now: The present.
        form: How the collection keeps rows.

    Raises:
        Conflict: A write expects something else than what is there.
        StoreError: Vectors are longer or shorter than the collection's.
    """
    puts: dict[str, Record] = {}
    dead: list[str] = []
    olds = [before.get(id_) for id_ in map(record_id, [write.address for write in batch])]
    for write, old in zip(batch, olds, strict=True):
        _check_revision(write, old, now)
        _check_length(write.row, form.dims)
    for write, old in zip(batch, olds, strict=True):
        if write.row is not None:
            puts |= {record.id: record for record in _replacing(write.row, old, now, form)}
        if old is not None:
            dead += [old.id, *rows.parts_of(old)]
    return list(puts.values()), [identifier for identifier in dead if identifier not in puts]


def _replacing(row: Row, old: Record | None, now: datetime, form: Form) -> list[Record]:
    """A row's records, to be merged by the engine into what is there: touches stay, unless they expired."""
    known = None if old is None else old.metadata
    if old is not None and rows.hidden(old, now):
        known = {key: value for key, value in old.metadata.items() if key == "expires"}
    record, *parts = rows.records_of(row, form.dims, lane=form.lane, old=known, marks=form.marks, digests=form.digests)
    if old is not None and known is not old.metadata:
        record = record._replace(metadata={**rows.untouched(old.metadata), **record.metadata})
    return [record, *parts]
