"""Every error this package raises, one tree.

    MemError(Exception)
    ├── ScopeError(ValueError)            no owner, an empty id
    ├── FilterError(ValueError)           an unknown field or operator, a wrong type
    ├── InvalidRequest(ValueError)        an argument that cannot be: an empty query, `top_k` below 1, no date
    │   └── UnknownOption(TypeError)      a keyword that an operation does not have; says which one is nearly the same
    ├── NotFound(LookupError)             update, delete or restore of an unknown id
    ├── ExtractionError                   the model failed, or gave nothing valid after one retry; nothing was written
    ├── StoreError                        the backend failed; the cause is kept
    │   ├── Conflict                      what was read has changed meanwhile; read again and retry
    │   ├── StoreLocked                   another process holds this folder
    │   └── EmbeddingMismatch             this store was built with another embedder or dimension
    └── MissingDependency(ImportError)    an optional package is absent; says the pip line that mends it

Each also derives from the built-in that fits, so `except ValueError` catches bad input without an import.

What was wrong is `shown` in a message, never whole: an input may be long, and is somebody's data. Where a name is
nearly right, `meant` says which one is.
"""

from __future__ import annotations

import difflib
import re
import reprlib
from collections.abc import Iterable
from typing import Any, Final

SHOWN: Final = 80
"""How many characters of an input a message shows at most."""


class _Short(reprlib.Repr):
    """Writes little of what is large, without writing all of it first."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxstring, self.maxother = 3, SHOWN, SHOWN
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = 4


_SHORT: Final = _Short()


def shown(value: Any) -> str:
    """A value as an error message shows it: as Python writes it, cut in the middle where it is long.

    >>> shown("food"), len(shown("x" * 5000))
    ("'food'", 80)
    """
    try:
        text = _SHORT.repr(value)
    except Exception:  # noqa: BLE001 - a `__repr__` of the caller's own; the error to report is another one
        return f"a {type(value).__name__}"
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 20]}…{text[-19:]}"


_QUOTED: Final = re.compile(
    r"(?<!\w)(['\"`]).*?\1(?!\w)|\[[^\]]*\]|\{[^}]*\}|\([^)]*\)=\(.*?\)|(?<=duplicates of: ).*", re.DOTALL
)
_ID: Final = re.compile(r"(?<!\S)(?!\d{1,5}[.,;:]?(?!\S))\S*(?:[\d_@~/|\\]|[^\x00-\x7f])\S*")
_READ: Final = 2_000
_SAID: Final = 160


def unquoted(error: BaseException) -> str:
    """What another library's error says, without what it quotes of the call: ids, texts and values of somebody's rows.

    The error itself says no more afterwards, so that a traceback that shows the cause does not either.

    >>> error = ValueError("Key (prefix, key)=(memories.alex, 1) already exists in 'items'.")
    >>> unquoted(error), str(error)
    ('Key … already exists in …', 'Key … already exists in …')
    """
    said = _ID.sub("…", _QUOTED.sub("…", str(error)[:_READ])).strip()[:_SAID] or type(error).__name__
    if error.args and isinstance(error.args[0], str):
        error.args = (said, *error.args[1:])
    return said


def meant(name: object, known: Iterable[str]) -> str:
    """What to add to a message about an unknown name: the known one that is nearly the same, or nothing.

    >>> meant("userid", ["user_id", "agent_id"])
    ' Did you mean user_id?'
    >>> meant("color", ["user_id", "agent_id"])
    ''
    """
    spelled = {each.lower(): each for each in sorted(known)}
    found = difflib.get_close_matches(str(name)[:SHOWN].lower(), spelled, n=1, cutoff=0.7)
    return f" Did you mean {spelled[found[0]]}?" if found else ""


class MemError(Exception):
    """The root of every error this package raises."""


class ScopeError(MemError, ValueError):
    """A call names no owner, or an id is empty or no string."""


class FilterError(MemError, ValueError):
    """A filter names an unknown field or operator, or gives a value of the wrong type."""


class InvalidRequest(MemError, ValueError):
    """An argument is out of its range; the message says what is allowed."""


class UnknownOption(InvalidRequest, TypeError):
    """An operation has no keyword of this name."""


class NotFound(MemError, LookupError):
    """No memory with this id is visible to this call."""


class ExtractionError(MemError):
    """The model failed, or gave no valid output after one retry. Nothing was written."""


class StoreError(MemError):
    """The backend failed. `__cause__` is the engine's own error."""


class Conflict(StoreError):
    """A record changed between reading and writing it. Nothing was written; read again and retry."""


class StoreLocked(StoreError):
    """Another process holds this folder open. Several processes use the HTTP mode or Postgres."""


class EmbeddingMismatch(StoreError):
    """This store was built with another embedder or another number of dimensions."""


class MissingDependency(MemError, ImportError):
    """An optional package is not installed; the message is the command that installs it."""
