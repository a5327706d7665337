"""Which part of a listing a call asks for: all of it, a numbered page, or what follows a cursor.

A cursor says when the last memory of its page was changed, and how many of that instant were shown. What is written
afterwards is newer and stands before it, so the pages that follow neither repeat nor skip what was there.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from langchain_mem.errors import InvalidRequest
from langchain_mem.filters.conditions import Condition, Kind, Operator, Path, Test
from langchain_mem.model.instants import parse_iso
from langchain_mem.model.records import StoredMemory

PAGE_LIMIT: Final = 10_000
"""At most so many memories a page."""

PAGE_SIZE: Final = 100
"""So many memories a page, where nobody says otherwise."""

_LAST_PAGE: Final = 2**31
_UPDATED: Final = Path(("updated_at",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A part of a listing.

    Attributes:
        page: Its number, from 1.
        limit: At most so many memories; `None` for all.
        offset: Skip so many first.
        updated_at: Only what was changed at this instant or before, ISO text.
    """

    page: int
    limit: int | None
    offset: int
    updated_at: str | None = None

    def until(self) -> list[Condition]:
        """The conditions that keep to what the cursor describes."""
        if self.updated_at is None:
            return []
        return [Test(_UPDATED, Operator.lte, self.updated_at, Kind.instant)]

    def after(self, shown: Sequence[StoredMemory]) -> str | None:
        """The cursor of what follows these memories."""
        if not shown:
            return None
        last = shown[-1]["updated_at"]
        seen = sum(memory["updated_at"] == last for memory in shown)
        if last == self.updated_at:
            seen += self.offset
        told = json.dumps([self.page + 1, last, seen])
        return base64.urlsafe_b64encode(told.encode()).decode()


def cut_of(page: int | None, page_size: int | None, cursor: str | None) -> Cut:
    """The part that a call asks for.

    Raises:
        InvalidRequest: A number is out of its range, the cursor is none, or both a page and a cursor are given.
    """
    if page is None and page_size is None and cursor is None:
        return Cut(page=1, limit=None, offset=0)
    size = PAGE_SIZE if page_size is None else _whole("page_size", page_size, PAGE_LIMIT)
    if cursor is not None:
        if page is not None:
            raise InvalidRequest("Give `page` or `cursor`, not both.")
        number, updated_at, seen = _read(cursor)
        return Cut(page=number, limit=size, offset=seen, updated_at=updated_at)
    number = 1 if page is None else _whole("page", page, _LAST_PAGE)
    return Cut(page=number, limit=size, offset=(number - 1) * size)


def check_output_format(output_format: object) -> None:
    """Refuses a form of results that is not offered.

    Raises:
        InvalidRequest: It is not `None` or "v1.1".
    """
    if output_format not in (None, "v1.1"):
        raise InvalidRequest('output_format is "v1.1" or None: results come as {"results": [...]}, not as a bare list.')


def _whole(name: str, number: Any, most: int) -> int:
    if isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= most:
        return number
    raise InvalidRequest(f"{name} must be a whole number from 1 to {most}, not {str(number)[:40]}.")


def _read(cursor: object) -> tuple[int, str, int]:
    try:
        number, updated_at, seen = json.loads(
            base64.urlsafe_b64decode(
                str(cursor),
            )
        )
        parse_iso(updated_at)
        return _whole("page", number, _LAST_PAGE), updated_at, _whole("offset", seen, _LAST_PAGE)
    except (ValueError, TypeError, AttributeError, binascii.Error) as error:
        raise InvalidRequest("`cursor` is none that `get_all` returned.") from error
