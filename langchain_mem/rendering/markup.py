"""HTML that is safe by construction: text is escaped unless it was made here."""

from __future__ import annotations

from html import escape
from typing import Final


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()

    def __html__(self) -> str:
        """What template engines ask for: this text needs no escaping."""
        return str(self)


_VOID: Final = ("input", "link", "meta")


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """One element.

    Args:
        name: What it is.
        *children: What it holds; escaped, unless it is markup. `None` is nothing.
        **attributes: What it has; `class_` and `for_` for Python's words, `aria_label` for hyphens. `None` and `False`
            are left out, `True` stands alone.

    Returns:
        Its markup.

    Example:
        >>> tag("a", "<b>", href="memory?id=1&x", class_="row")
        '<a href="memory?id=1&amp;x" class="row">&lt;b&gt;</a>'
    """
    given = "".join(_attribute(key, value) for key, value in attributes.items() if value not in (None, False))
    if name in _VOID:
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{joined(*children)}</{name}>")


def joined(*children: object) -> Markup:
    """Several children, one after the other."""
    shown = (child for child in children if child is not None)
    return Markup("".join(child if isinstance(child, Markup) else escape(str(child)) for child in shown))


def _attribute(key: str, value: object) -> str:
    name = key.rstrip("_").replace("_", "-")
    name = "viewBox" if name == "viewbox" else name
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'
