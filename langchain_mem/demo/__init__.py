"""The demo: one agent, two processes, days apart; or a conversation of your own, replayed and asked about.

Run by `langchain-mem demo`. Nothing here is needed to use the package, and everything here is how it is used. It
may import every room below it. Start reading with `agent`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path


def main(source: Path | None = None, picture: Path | None = None) -> None:
    """Runs the demo: on its own conversation, or on one from a file.

    Args:
        source: JSON: a list of messages (`role`, `content`, perhaps `timestamp`), or LoCoMo samples.
        picture: Where the picture of decay goes; `None` for beside the file, as `conversation.decay.svg`.

    Raises:
        InvalidRequest: The file is neither.
        SystemExit: One of the processes failed, and has said why.
    """
    with tempfile.TemporaryDirectory(prefix="langchain-mem-demo-") as folder:
        if source is None:
            _two_processes(folder)
            return
        from langchain_mem.demo.replay import replay

        replay(source, Path(folder), picture or source.with_suffix(".decay.svg"))


def _two_processes(folder: str) -> None:
    """A process each, so that what the second one knows can only come from disk."""
    for act in ("talk", "recall"):
        done = subprocess.run([sys.executable, "-m", "langchain_mem.demo", act, folder], check=False)  # noqa: S603 - ours
        if done.returncode:
            raise SystemExit(done.returncode)
