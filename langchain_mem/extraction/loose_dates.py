"""The dates that models write though they were asked for others: seasons, and what is only about right.

"spring 2024"  2024-03/2024-05      "about 2020"   2020      "2024-05-03 (Friday)"  2024-05-03
"winter 2024"  2024-12/2025-02      "2020s"        2020/2029
"""

from __future__ import annotations

import re
from typing import Final

from langchain_mem.errors import InvalidRequest
from langchain_mem.model.instants import event_span

_SEASONS: Final = {
    "spring": "{0}-03/{0}-05",
    "summer": "{0}-06/{0}-08",
    "autumn": "{0}-09/{0}-11",
    "fall": "{0}-09/{0}-11",
    "winter": "{0}-12/{1}-02",
}
_SEASON: Final = re.compile(
    rf"(?P<year>\d{{4}})[ -](?P<season>{'|'.join(_SEASONS)})|(?:{'|'.join(_SEASONS)})[ ,-]+\d{{4}}"
)
_DECADE: Final = re.compile(r"(\d{3})0s")
_AROUND: Final = re.compile(
    r"^(?:about|around|approximately|approx\.?|circa|ca\.?|c\.|early|mid|late|since|from|by|~)[ -]*"
)
_AFTER: Final = re.compile(r"\s*(?:\(.*\)|\?|~)$")


def loose_span(text: str) -> tuple[str, str | None]:
    """The date of an event as `event_span` gives it, of what a model wrote.

    >>> loose_span("spring 2024")
    ('2024-03-01T00:00:00.000000Z', '2024-05-31T23:59:59.999999Z')

    Raises:
        InvalidRequest: It is no date in these forms, either.
    """
    try:
        return event_span(text)
    except InvalidRequest:
        plain = _plain(text)
        if plain == text:
            raise
        return event_span(plain)


def _plain(text: str) -> str:
    """A date with its season or decade as a range, and without what makes it vague."""
    bare = _AFTER.sub("", _AROUND.sub("", text.strip().lower()))
    if found := _SEASON.fullmatch(bare):
        year = int(re.findall(r"\d{4}", bare)[0])
        season = next(name for name in _SEASONS if name in found[0])
        return _SEASONS[season].format(year, year + 1)
    if found := _DECADE.fullmatch(bare):
        return f"{found[1]}0/{found[1]}9"
    return bare.upper() if bare != text.strip().lower() else text
