"""Every error this package raises, one tree.

    MemError(Exception)
    ├── ScopeError(ValueError)            no owner, an empty id
    ├── FilterError(ValueError)           an unknown field or operator, a wrong type
    ├── InvalidRequest(ValueError)        an argument that cannot be: an empty query, `top_k` below 1, no date
    ├── NotFound(LookupError)             update, delete or restore of an unknown id
    ├── ExtractionError                   the model failed, or gave nothing valid after one retry; nothing was written
    ├── StoreError                        the backend failed; the cause is kept
    │   ├── Conflict                      what was read has changed meanwhile; read again and retry
    │   ├── StoreLocked                   another process holds this folder
    │   └── EmbeddingMismatch             this store was built with another embedder or dimension
    └── MissingDependency(ImportError)    an optional package is absent; says the pip line that mends it

Each also derives from the built-in that fits, so `except ValueError` catches bad input without an import.
"""

from __future__ import annotations


class MemError(Exception):
    """The root of every error this package raises."""


class ScopeError(MemError, ValueError):
    """A call names no owner, or an id is empty or no string."""


class FilterError(MemError, ValueError):
    """A filter names an unknown field or operator, or gives a value of the wrong type."""


class InvalidRequest(MemError, ValueError):
    """An argument is out of its range; the message says what is allowed."""


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
