"""The command `doctor`: whether a store is sound, and mending what may be mended."""

from __future__ import annotations

import json as jsonlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Annotated, Any

import typer

from langchain_mem.cli.opening import opened
from langchain_mem.cli.options import EmbedderName, Json, Store
from langchain_mem.cli.printing import INCOMPLETE, counting, one_line, saying_errors, show

if TYPE_CHECKING:
    from langchain_mem.backends.base import Address
    from langchain_mem.cli.checkup import StoreProblem
    from langchain_mem.memory.facade import Memory
    from langchain_mem.store.long_term import LongTermStore

_PANEL = "Operation"
_PACKAGES = ("langchain-mem", "langgraph", "chromadb", "psycopg", "onnxruntime")


def add_to(app: typer.Typer) -> None:
    """Adds this theme's command to the program."""
    app.command(rich_help_panel=_PANEL)(doctor)


def doctor(
    store: Store = None,
    embedder: EmbedderName = None,
    repair: Annotated[bool, typer.Option("--repair", help="Mend what may be mended.")] = False,
    json: Json = False,
) -> None:
    """Check a store: index, orphans, embedder, versions, locks.

    Only what is derived is mended: missing vectors are computed, the index is rebuilt, records of memories that are
    gone are removed. The exit code is 5 where something is left that is not right.
    """
    with saying_errors(), opened(store, embedder, tell=True) as place:
        from langchain_mem.memory.facade import Memory

        with Memory(place, all_owners=True) as memory, counting("Checking") as told:
            report, findings = _examined(memory, place, store, told)
            if repair and findings:
                for finding in findings:
                    _mend(memory, place, finding)
                report["repaired"] = [_told(finding) for finding in findings if finding.repair]
                again, findings = _examined(memory, place, store, told)
                report |= {name: again[name] for name in ("memories", "findings")}
        show(report, lambda: _lines(report), json=json)
    if findings:
        raise typer.Exit(INCOMPLETE)


def _examined(
    memory: Memory, place: LongTermStore, store: str | None, told: Callable[[int, int], None]
) -> tuple[dict[str, Any], Sequence[StoreProblem]]:
    from langchain_mem._flow import run
    from langchain_mem.cli.checkup import Checkup
    from langchain_mem.store.place import default_place, without_password

    recorded = run(place.items.backend.setup(None))
    checkup = Checkup(place.items.backend, recorded, memory.clock(), progress=told)
    findings = checkup.findings()
    report = {
        "place": without_password(store or default_place()),
        "embedder": recorded and {"name": recorded.name, "dims": recorded.dims},
        "versions": {"python": ".".join(map(str, sys.version_info[:3])), **dict(_versions())},
        "memories": checkup.memories,
        "findings": [_told(finding) for finding in findings],
    }
    return report, findings


def _versions() -> Iterator[tuple[str, str]]:
    for name in _PACKAGES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue


def _told(finding: StoreProblem) -> dict[str, Any]:
    ids = [address.key for address in finding.addresses]
    return {"problem": finding.problem, "count": len(ids), "ids": ids[:20], "repair": finding.repair}


def _mend(memory: Memory, place: LongTermStore, finding: StoreProblem) -> None:
    from langgraph.store.base import PutOp

    from langchain_mem.cli.checkup import AT_ONCE

    if finding.repair == "remove":
        for start in range(0, len(finding.addresses), AT_ONCE):
            place.batch([PutOp(*address, None) for address in finding.addresses[start : start + AT_ONCE]])
    elif finding.repair == "rebuild":
        memory.compact()
    elif finding.repair == "embed":
        _embed(memory, finding.addresses)


def _embed(memory: Memory, addresses: Sequence[Address]) -> None:
    """Writes memories again as they are, history included, so that their texts are embedded; owner by owner."""
    from langchain_mem.model.scopes import ids_of

    wanted = {address.key for address in addresses}
    for owner in dict.fromkeys(address.namespace[:3] for address in addresses):
        mine: Any = ids_of(owner)
        memory.import_([line for line in memory.export(**mine) if _id_of(line) in wanted], on_conflict="replace")


def _id_of(line: str) -> str | None:
    found = jsonlib.loads(line).get("memory")
    return found.get("id") if isinstance(found, dict) else None


def _lines(report: Mapping[str, Any]) -> Iterator[str]:
    embedder = report["embedder"]
    yield f"place     {one_line(report['place'])}"
    yield f"embedder  {embedder['name']}, {embedder['dims']} dimensions" if embedder else "embedder  none recorded"
    yield "versions  " + ", ".join(f"{name} {number}" for name, number in report["versions"].items())
    yield f"memories  {report['memories']}"
    for each in report.get("repaired", ()):
        yield f"mended    {each['count']}: {each['problem']}"
    for each in report["findings"]:
        yield f"wrong     {each['count']}: {each['problem']}{_advice(each)}"
        yield f"          {', '.join(map(one_line, each['ids'][:5]))}"
    if not report["findings"]:
        yield "sound: nothing is wrong"


def _advice(found: Mapping[str, Any]) -> str:
    return "; doctor --repair mends it" if found["repair"] else ""
