"""An index as bytes, so that the process that opens a store next need not make it anew.

The bytes are a pickle of the index's own classes, with each array apart. What was kept by other code than this, or is
damaged, is not read: an index is derived, and the rows are the truth. A pickle can name anything that can be imported;
this one may name the classes of `ranking`, addresses and instants, and nothing else, so that a folder from a stranger
runs no code.

    16 bytes   the digest of the code that wrote it
    8 bytes    the checksum of the rest
    8 bytes    how long the pickle is
    the pickle, and then the arrays one after the other, each at a multiple of 64 bytes
"""

from __future__ import annotations

import gc
import inspect
import io
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, reduce
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import numpy as np

from langchain_mem.backends.changes import Uses
from langchain_mem.ranking.index import Index

_DIGEST: Final = 16
_NUMBER: Final = 8
_HEAD: Final = _DIGEST + 2 * _NUMBER
_ALIGNED: Final = 64
_RANKING: Final = "langchain_mem.ranking."
_OTHERS: Final = {
    ("langchain_mem.backends.base", "Address"),
    ("datetime", "datetime"),
    ("datetime", "timedelta"),
    ("datetime", "timezone"),
    ("array", "_array_reconstructor"),
    ("array", "array"),
    ("builtins", "list"),
    ("builtins", "dict"),
    ("langchain_mem.filters.conditions", "Path"),
}


class Unreadable(Exception):
    """What was kept is damaged, or was kept by other code."""


def packed(state: Any) -> bytes:
    """What an index is made of, as bytes."""
    return joined(pieces_of(state))


def pieces_of(state: Any) -> list[bytes]:
    """The same in pieces, which no change to the index reaches any more."""
    file = io.BytesIO()
    pickler = _Pickler(file)
    pickler.dump(state)
    pickled = file.getvalue()
    pieces, size = [_number(len(pickled)), pickled], _HEAD + len(pickled)
    for array in pickler.arrays:
        pieces += [bytes(-size % _ALIGNED), array.tobytes()]
        size += -size % _ALIGNED + array.nbytes
    return pieces


def joined(pieces: list[bytes]) -> bytes:
    """What `unpacked` reads."""
    checksum = reduce(lambda sum_, piece: crc32(piece, sum_), pieces, 0)
    return b"".join([_code(), _number(checksum), *pieces])


def unpacked(content: bytes | bytearray | memoryview) -> Any:
    """What `packed` was given. Vectors are parts of the content, and other arrays too where it is a `bytearray`.

    Args:
        content: The bytes, which are the caller's to give away: nobody may change them afterwards.

    Raises:
        Unreadable: It was kept by other code, or is damaged.
    """
    view = memoryview(content)
    code, checksum, rest = view[:_DIGEST], view[_DIGEST : _DIGEST + _NUMBER], view[_DIGEST + _NUMBER :]
    if bytes(code) != _code() or bytes(checksum) != _number(crc32(rest)):
        raise Unreadable
    end = _HEAD + int.from_bytes(rest[:_NUMBER], "little")
    try:
        with without_collecting():
            return _Unpickler(view[_HEAD:end], view, end).load()
    except (pickle.UnpicklingError, AttributeError, LookupError, TypeError, ValueError, EOFError) as error:
        raise Unreadable from error


@contextmanager
def without_collecting() -> Iterator[None]:
    """Looks for no garbage meanwhile, and not among what was made: many small objects come, and none goes.

    To freeze and unfreeze puts every object among the old ones, which a collection seldom looks at, and costs nothing.
    Without it the next collection, of the young ones, would take a third of the time of reading an index. A process
    that has frozen objects of its own is left as it is.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            if not gc.get_freeze_count():
                gc.freeze()
                gc.unfreeze()
            gc.enable()


class _Pickler(pickle.Pickler):
    """Leaves each array out, and remembers it.

    What is done for arrays stands in a table, where the pickler looks for types that it does not know itself. A method
    `persistent_id` would be asked about every text and number, which takes nine times as long.
    """

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=5)
        self.arrays: list[np.ndarray[Any, Any]] = []
        self.dispatch_table = {np.ndarray: self._leave_out}

    def _leave_out(self, array: np.ndarray[Any, Any]) -> tuple[Any, tuple[str, tuple[int, ...]]]:
        """An array's type and shape; arrays are read in the order in which they were left out."""
        self.arrays.append(np.ascontiguousarray(array))
        return _array, (array.dtype.str, array.shape)


def _array(dtype: str, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Stands in a pickle for the next array; `_Unpickler` puts its own method in this place."""
    raise pickle.UnpicklingError("An array is read by what reads indexes.")


class _Unpickler(pickle.Unpickler):
    """Puts each array in, and makes nothing but parts of an index."""

    def __init__(self, pickled: memoryview, content: memoryview, start: int) -> None:
        super().__init__(io.BytesIO(pickled))
        self._content = content
        self._start = start

    def _next_array(self, name: str, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
        """The next array, of this type and shape."""
        dtype = np.dtype(name)
        if dtype.hasobject:
            raise pickle.UnpicklingError("An array holds numbers or text.")
        self._start += -self._start % _ALIGNED
        array = np.frombuffer(self._content, dtype, int(np.prod(shape, dtype=np.int64)), self._start).reshape(shape)
        self._start += array.nbytes
        in_place = array.flags.aligned and (array.flags.writeable or len(shape) > 1)  # vectors are never written to
        return array if in_place else array.copy()

    def find_class(self, module: str, name: str) -> Any:
        """A class of an index, or what reads the next array.

        Raises:
            UnpicklingError: It is neither.
        """
        if (module, name) == (__name__, _array.__name__):
            return self._next_array
        if (module, name) in _OTHERS:
            return super().find_class(module, name)
        found = super().find_class(module, name) if module.startswith(_RANKING) and "." not in name else None
        if not isinstance(found, type) or found.__module__ != module:
            raise pickle.UnpicklingError(f"{module}.{name} is no part of an index.")
        return found


def _number(number: int) -> bytes:
    return number.to_bytes(_NUMBER, "little")


@cache
def _code() -> bytes:
    """The digest of the files that an index is made by: after an upgrade indexes are made anew."""
    files = sorted(Path(inspect.getfile(Index)).parent.glob("*.py"))
    here = Path(__file__)
    files += [here, *map(here.with_name, ("living.py", "condensed.py")), Path(inspect.getfile(Uses))]
    written = b"".join(file.read_bytes() for file in files)
    return blake2b(written, digest_size=_DIGEST).digest()
