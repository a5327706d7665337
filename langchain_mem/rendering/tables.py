"""Results as tables.

`as_table` turns what an operation returns into the same value that a notebook draws as a table. It stays a dict or a
list: it equals the plain one, `json.dumps` takes it, and so does the state of a graph.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias, TypeVar, cast

from langchain_mem.model import instants
from langchain_mem.rendering import scores
from langchain_mem.rendering.markup import Markup, joined, tag

R = TypeVar("R")
Cell: TypeAlias = Callable[[Mapping[str, Any]], object]
"""What a column shows of one row; markup, or something whose text is shown."""

_ROWS: Final = 200  # a notebook shows so many; more is said below the table
_LONG: Final = 300  # characters of one text
_LEFT: Final = "text-align:left;vertical-align:top"


class ShownDict(dict[str, Any]):
    """A result that a notebook draws."""

    def _repr_html_(self) -> str:
        return str(drawn(self))


class ShownList(list[Any]):
    """Results that a notebook draws."""

    def _repr_html_(self) -> str:
        return str(drawn(self))


def as_table(result: R) -> R:
    """A result as a notebook draws it; anything but a dict or a list of dicts is returned as it is.

    Args:
        result: What an operation returned.

    Returns:
        An equal value.
    """
    plain: Any = result
    if type(plain) is dict:
        return cast(R, ShownDict(plain))
    if type(plain) is list and plain and all(isinstance(row, dict) for row in plain):
        return cast(R, ShownList(plain))
    return result


def drawn(result: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> Markup:
    """A result as HTML: the rows as a table, and what else it says in a line below."""
    if not isinstance(result, Mapping):
        return _table(result)
    rows = result.get("results")
    if not isinstance(rows, list):
        return _pairs(result)
    rest = {name: value for name, value in result.items() if name not in ("results", "rejected")}
    refused = result.get("rejected")
    tables = [_table(rows), *([_heading("Refused"), _table(refused)] if refused else [])]
    return tag("div", *tables, _below(rest) if rest else None)


def _table(rows: Sequence[Mapping[str, Any]]) -> Markup:
    if not rows:
        return tag("p", tag("em", "Nothing."))
    columns = _columns(rows)
    head = tag("tr", *(tag("th", name, style=_LEFT) for name in columns))
    body = (tag("tr", *(tag("td", cell(row), style=_LEFT) for cell in columns.values())) for row in rows[:_ROWS])
    more = tag("p", f"… and {len(rows) - _ROWS} more") if len(rows) > _ROWS else None
    legend = scores.legend() if "relevance" in columns else None
    return tag("div", legend, tag("table", tag("thead", head), tag("tbody", *body)), more)


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, Cell]:
    """The columns that suit rows, by what the first of them is; columns that would be empty are left out."""
    first = rows[0]
    for keys, columns in _KINDS:
        if keys <= first.keys():
            return {name: cell for name, cell in columns.items() if any(_filled(cell(row)) for row in rows[:_ROWS])}
    names = dict.fromkeys(name for row in rows[:_ROWS] for name in row)
    return {name: _field(name) for name in names}


def _filled(value: object) -> bool:
    return value not in (None, "", [], {})


def _field(name: str) -> Cell:
    return lambda row: _plain(row.get(name))


def _when(name: str) -> Cell:
    return lambda row: when(row.get(name))


def _owner(row: Mapping[str, Any]) -> str:
    return owner_in_words(row)


def _score(row: Mapping[str, Any]) -> str:
    return f"{row['score']:.2f}" if "score" in row else ""


def _bar(row: Mapping[str, Any]) -> Markup | None:
    return scores.bar(row["score_details"]) if "score_details" in row else None


def _factor(row: Mapping[str, Any]) -> str:
    return f"× {row['score_details']['factor']:.2f}" if "score_details" in row else ""


def _changed(row: Mapping[str, Any]) -> Markup:
    """What a text was and what it became; what was replaced by another memory is struck out, not added."""
    old, new = row.get("old_memory"), row.get("new_memory")
    if new is None or row.get("event") in ("SUPERSEDE", "DELETE"):
        return tag("s", _short(old or new or ""))
    before = joined(tag("s", _short(old)), " → ") if old and old != new else None
    dated = f" ({told})" if (told := redated(row)) else None
    return joined(before, _short(new), dated)


def redated(change: Mapping[str, Any]) -> str:
    """What a change did to the date of what a memory tells of, in words; "" where nothing.

    >>> redated({"new_memory": "Moved", "old_memory": "Moved", "old_event_date": None, "new_event_date": "2026-05-01"})
    'happened 2026-05-01'
    """
    dates = [_happened(change, which) for which in ("old", "new")]
    if change.get("new_memory") is None or dates[0] == dates[1]:
        return ""
    return f"happened {' → '.join(filter(None, dates))}" if dates[1] else f"no longer dated {dates[0]}"


def happened(start: str | None, end: str | None = None) -> str:
    """The date of what a memory tells of, as short as it was given; "" where it has none."""
    return instants.shown(start, end) if start else ""


def _happened(change: Mapping[str, Any], which: str) -> str:
    return happened(change.get(f"{which}_event_date"), change.get(f"{which}_event_end"))


def _ids(row: Mapping[str, Any]) -> str:
    return owner_in_words(row["ids"])


def _numbers(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_count(value)}" for name, value in row["details"].items())


_MEMORY: Final[dict[str, Cell]] = {
    "memory": _field("memory"),
    "score": _score,
    "relevance": _bar,
    "decay": _factor,
    "outcome": _field("outcome"),
    "owner": _owner,
    "layer": _field("layer"),
    "categories": _field("categories"),
    "changed": _when("updated_at"),
    "expires": _when("expiration_date"),
    "id": _field("id"),
}

_KINDS: Final[tuple[tuple[set[str], dict[str, Cell]], ...]] = (
    (
        {"memory_id", "version", "new_memory"},
        {
            "when": _when("created_at"),
            "event": _field("event"),
            "memory": _changed,
            "reason": _field("reason"),
            "version": _field("version"),
        },
    ),
    ({"operation", "reason"}, {"refused": _field("operation"), "reason": _field("reason")}),
    (
        {"id", "memory", "event"},
        {
            "event": _field("event"),
            "memory": _field("memory"),
            "before": _field("previous_memory"),
            "id": _field("id"),
        },
    ),
    ({"id", "memory"}, _MEMORY),
    (
        {"type", "created_at", "ids", "details"},
        {"when": _when("created_at"), "event": _field("type"), "owner": _ids, "details": _numbers},
    ),
)
"""By the keys that a row has at least: its columns."""


def owner_in_words(row: Mapping[str, Any]) -> str:
    """Whose something is, in words."""
    names = ("user", "agent", "app", "org", "run")
    return ", ".join(f"{name} {row[f'{name}_id']}" for name in names if row.get(f"{name}_id"))


def when(text: str | None) -> str:
    """An instant to the minute."""
    return f"{text[:10]} {text[11:16]}" if text else ""


def _pairs(result: Mapping[str, Any]) -> Markup:
    rows = (
        tag("tr", tag("th", name.replace("_", " "), style=_LEFT), tag("td", _plain(value), style=_LEFT))
        for name, value in result.items()
        if _filled(value)
    )
    return tag("table", tag("tbody", *rows))


def _below(rest: Mapping[str, Any]) -> Markup:
    said = (f"{name.replace('_', ' ')} {_plain(value)}" for name, value in rest.items() if _filled(value))
    return tag("p", tag("small", " · ".join(said)))


def _heading(text: str) -> Markup:
    return tag("p", tag("strong", text))


def _plain(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return _short(", ".join(value))
    if value is None or isinstance(value, str):
        return _short(value or "")
    return _short(json.dumps(value, ensure_ascii=False, default=str))


def _short(text: str) -> str:
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}…"


def _count(value: Any) -> str:
    return str(len(value)) if isinstance(value, Sequence | Mapping) and not isinstance(value, str) else _plain(value)
