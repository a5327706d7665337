"""What blocks an event loop, seen by Python's own profiler: each call of a C function that waits or touches a disk."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

FILES = {f"{kind}.{act}" for kind in ("FileIO", "BufferedReader", "BufferedWriter", "BufferedRandom", "TextIOWrapper")
         for act in ("read", "readline", "write", "flush")}  # fmt: skip
PATHS = {"stat", "mkdir", "rename", "replace", "remove", "unlink", "rmdir", "listdir", "scandir", "fsync", "link"}
SOCKETS = {f"socket.{act}" for act in ("accept", "connect", "recv", "recv_into", "send", "sendall", "sendto")}
DATABASES = {f"Cursor.{act}" for act in ("execute", "executemany", "executescript", "fetchone", "fetchall")} | {
    f"Connection.{act}" for act in ("execute", "executemany", "executescript", "commit", "rollback")
}
# What reads a file once (an import, the source line of a warning, the tables of a room of ours), and asyncio's own
# handing over to a thread.
MAY_BLOCK = (
    "<frozen importlib",
    "linecache.py",
    f"_pytest{os.sep}",
    f"ranking{os.sep}situations.py",
    f"ranking{os.sep}subjects.py",
    f"asyncio{os.sep}base_events.py",
    f"concurrent{os.sep}futures{os.sep}thread.py",
    f"{os.sep}threading.py",
)
LOOP = f"asyncio{os.sep}events.py"


def _waits(function: Callable[..., Any]) -> bool:
    """Whether a call of this C function may wait for a disk, a network or another thread."""
    module, name = getattr(function, "__module__", None), function.__qualname__
    on = getattr(function, "__self__", None)
    if name in SOCKETS:
        return bool(on.gettimeout() != 0)
    if name in ("lock.acquire", "lock.__enter__"):
        return bool(on.locked())
    if module in ("posix", "time", "io"):
        return name in {"posix": PATHS, "time": {"sleep"}, "io": {"open"}}[module]
    return name in FILES or name in DATABASES or name == "wait_c"  # psycopg's own wait for its socket


def _stack(frame: FrameType | None) -> Iterator[str]:
    """The calls from `frame` up to the event loop."""
    while frame and not frame.f_code.co_filename.endswith(LOOP):
        yield f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_name}"
        frame = frame.f_back


@contextmanager
def never_blocking() -> Iterator[None]:
    """Fail where anything within blocks the event loop that runs on this thread.

    A call is only noted while it happens, and all are reported at the end: code that swallows errors hides none.
    """
    seen: list[str] = []

    def watch(frame: FrameType, event: str, function: Any) -> None:
        if event != "c_call" or asyncio._get_running_loop() is None or not _waits(function):
            return
        stack = list(_stack(frame))
        if not any(part in line for line in stack for part in MAY_BLOCK):
            seen.append("\n    ".join([function.__qualname__, *stack[:6]]))

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        yield
    finally:
        sys.setprofile(before)
    assert not seen, f"{len(seen)} blocking calls on the event loop: " + "\n".join(seen[:5])
