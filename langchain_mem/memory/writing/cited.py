"""Which kept turns are shown or hidden with the facts that rest on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from langchain_mem.backends.base import Address
from langchain_mem.model.history import merged_away, never_was
from langchain_mem.model.records import State, StoredMemory
from langchain_mem.model.scopes import TURNS, Namespace, reroot


def turns_to_settle(
    before: Mapping[Address, StoredMemory],
    after: Mapping[Address, StoredMemory],
    moved: Sequence[tuple[Namespace, Namespace, str]],
) -> dict[Namespace, dict[str, State]]:
    """The kept turns whose facts were hidden or shown again, by where they lie: ids and the state to bring them to.

    A turn that some retired fact cites is hidden, whatever else cites it. A fact that was merged into another one
    hides none, and one whose addition is undone only those that no fact cites which is shown again.

    Args:
        before: The memories that change, as they were.
        after: The same, as they will be.
        moved: Which of them move: from where, to where, and their ids.
    """
    wanted: dict[Namespace, dict[str, State]] = {}
    for address, memory in after.items():
        if address.namespace[0] == TURNS or merged_away(memory) or never_was(memory):
            continue
        turns = wanted.setdefault(reroot(address.namespace, TURNS), {})
        earlier, now = _shown_by(before[address]), _shown_by(memory)
        turns |= dict.fromkeys((key for key in now if key not in earlier and key not in turns), "live")
        turns |= dict.fromkeys((key for key in earlier if key not in now), "deleted")
    for here, there, key in moved:
        cited = _shown_by(after[Address(there, key)])
        wanted.setdefault(reroot(here, TURNS), {}).update(dict.fromkeys(cited, "deleted"))
        wanted.setdefault(reroot(there, TURNS), {}).update(dict.fromkeys(cited, "live"))
    for address, memory in after.items():
        if address.namespace[0] != TURNS and never_was(memory):
            hidden: dict[str, State] = dict.fromkeys(_shown_by(before[address]), "deleted")
            home = reroot(address.namespace, TURNS)
            wanted[home] = {**hidden, **wanted.get(home, {})}
    return {home: turns for home, turns in wanted.items() if turns}


def _shown_by(memory: StoredMemory) -> list[str]:
    """The turns that are shown for the sake of a memory."""
    return memory["cites"] if memory["state"] == "live" else []
