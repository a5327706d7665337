"""How well grounding tells what was said from what was not: 246 true paraphrases, 251 planted falsehoods.

    python benchmarks/grounding.py [--split dev|dev_2|dev_3|held_out|all] [--show]

Each item (`benchmarks/data/grounding_*.json`) is a short conversation and a fact drawn from it. The true ones are
normalized as models do it: other words, numbers for number words, dates worked out, another language. The false ones
take for said what was denied, supposed, asked, swapped, outdated, or told of somebody else. The rules were tuned on
the splits "dev", "dev_2" and "dev_3"; of "held_out" only the numbers were looked at.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from langchain_mem.extraction.judgement import Judge
from langchain_mem.extraction.messages import turns_of
from langchain_mem.extraction.reconcile import Action, CheckedProposal

DATA = Path(__file__).parent / "data"
OUTCOMES = ("clear", "in doubt", "refused")


def outcome(item: Mapping[str, Any]) -> tuple[str, str]:
    """What becomes of one item, and why."""
    messages = [
        {key: message[key] for key in ("role", "content", "name") if message[key]} for message in item["messages"]
    ]
    judge = Judge(turns=turns_of(messages), observed=datetime.fromisoformat(item["date"]), known=item["known_names"])
    judged = judge(CheckedProposal(action=Action.ADD, text=item["fact"], evidence=tuple(item["cited"])))
    if judged.refused:
        return "refused", judged.refused
    return ("in doubt", judged.operation.doubt) if judged.operation.doubt else ("clear", "")


def items(name: str, split: str) -> Iterator[Mapping[str, Any]]:
    """The items of a set."""
    for item in json.loads((DATA / f"grounding_{name}.json").read_text()):
        if split in ("all", item["split"]):
            yield item


def measure(split: str) -> dict[str, Counter[str]]:
    """How many items of each set come out how."""
    return {name: Counter(outcome(item)[0] for item in items(name, split)) for name in ("true", "false")}


def main(argv: Sequence[str] | None = None) -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", choices=("dev", "dev_2", "dev_3", "held_out", "all"), default="all")
    parser.add_argument("--show", action="store_true", help="list every item with what becomes of it")
    arguments = parser.parse_args(argv)
    if arguments.show:
        for name in ("true", "false"):
            for item in items(name, arguments.split):
                print(name, item["kind"], item["language"], "|", item["fact"], "|", *outcome(item))
    table = Table("", *OUTCOMES)
    for name, counts in measure(arguments.split).items():
        table.add_row(
            f"{name} ({counts.total()})", *(f"{100 * counts[each] / counts.total():.0f} %" for each in OUTCOMES)
        )
    Console().print(table)


if __name__ == "__main__":
    main()
