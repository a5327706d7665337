"""Draws the two pictures of the architecture page: the rooms on their floors, and the three ways through them.

    python docs/draw_architecture.py        # writes docs/images/rooms.svg and docs/images/ways.svg

The floors come from the same table that the tests keep, so the picture cannot tell another story than the code.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from tests.unit_tests.test_layering import FLOORS

IMAGES = Path(__file__).parent / "images"

SAYS = {
    "cli": "the commands",
    "server": "LangGraph Server's factories",
    "ui": "the inspector",
    "demo": "make demo",
    "integrations": "nodes, middleware, tools, retriever",
    "migrate": "from Mem0, LangMem, other stores",
    "testing": "fakes and conformance suites",
    "memory": "the operations a user calls, a file each",
    "repository": "what operations know of a store",
    "events": "what operations did",
    "background": "work no reply waits for",
    "store": "LongTermStore, the long-term contract",
    "checkpointers": "threads with retention",
    "backends": "dictionary, Chroma, Postgres",
    "embeddings": "embedders on this machine",
    "extraction": "messages to proposed facts",
    "filters": "the filter language",
    "decay": "the decay formula",
    "ranking": "words and meaning to relevance",
    "rendering": "results as tables and pictures",
    "watching": "logs, traces, metrics",
    "model": "what a memory is",
    "errors": "one tree of errors",
}
"""What each room is for, in a few words. A module that begins with an underscore is not drawn."""

WAYS = (
    (
        "Write",
        ("messages", "extraction", "memory.add", "memory.writing", "store", "backend"),
        "a fact and its history land in one write",
    ),
    (
        "Read",
        ("query", "memory.search", "ranking", "decay", "context", "prompt"),
        "relevance decides, decay breaks near ties",
    ),
    (
        "Thread",
        ("graph step", "checkpointer", "retention", "sweep"),
        "the newest state always stays",
    ),
)

WIDTH = 960
STYLE = """
  text { font-family: system-ui, sans-serif; fill: #222; }
  .name { font-size: 15px; font-weight: 600; } .says { font-size: 12px; opacity: .75; }
  .floor { font-size: 12px; opacity: .6; }
  rect { fill: #5c6bc022; stroke: #5c6bc0; rx: 6; }
  path { stroke: #5c6bc0; fill: none; stroke-width: 1.5; marker-end: url(#tip); }
"""
TIP = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0,0 L8,4 L0,8 z" style="fill:#5c6bc0;stroke:none;marker-end:none"/></marker></defs>'
)


def box(x: float, y: float, width: float, name: str, says: str = "", height: float = 46) -> Iterator[str]:
    """A labelled box."""
    middle, line = x + width / 2, y + (height / 2 + 5 if not says else 20)
    yield f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{height:.0f}"/>'
    yield f'<text class="name" x="{middle:.0f}" y="{line:.0f}" text-anchor="middle">{escape(name)}</text>'
    if says:
        yield f'<text class="says" x="{middle:.0f}" y="{line + 16:.0f}" text-anchor="middle">{escape(says)}</text>'


def svg(parts: Sequence[str], height: float, title: str) -> str:
    """A whole picture."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img">'
    paper = f'<rect style="fill:#fff;stroke:none" width="{WIDTH}" height="{height:.0f}"/>'  # legible on a dark page too
    return "\n".join(
        [head, f"<title>{escape(title)}</title>", f"<style>{STYLE}</style>", TIP, paper, *parts, "</svg>", ""]
    )


def rooms() -> str:
    """The rooms, the top floor first."""
    parts: list[str] = []
    y = 10.0
    for floor in sorted(FLOORS, reverse=True):
        names = [name for name in FLOORS[floor].split() if not name.startswith("_")]
        parts.append(f'<text class="floor" x="4" y="{y + 28:.0f}">{floor}</text>')
        width = (WIDTH - 34 - 10 * (len(names) - 1)) / len(names)
        for place, name in enumerate(names):
            parts += box(30 + place * (width + 10), y, width, name, SAYS[name])
        y += 66
        if floor:
            parts.append(f'<path d="M{WIDTH / 2:.0f},{y - 20:.0f} V{y - 2:.0f}"/>')
    return svg(parts, y, "The rooms of langchain_mem: imports point down")


def ways() -> str:
    """The three ways, one below the other."""
    parts: list[str] = []
    y = 10.0
    for name, stations, says in WAYS:
        parts.append(f'<text class="name" x="4" y="{y + 14:.0f}">{name}</text>')
        parts.append(f'<text class="says" x="70" y="{y + 14:.0f}">{escape(says)}</text>')
        width = (WIDTH - 8 - 26 * (len(stations) - 1)) / len(stations)
        for place, station in enumerate(stations):
            x = 4 + place * (width + 26)
            parts += box(x, y + 24, width, station, height=36)
            if place:
                parts.append(f'<path d="M{x - 24:.0f},{y + 42:.0f} H{x - 2:.0f}"/>')
        y += 82
    return svg(parts, y, "How a memory is written, how it is read, and how a thread is kept")


if __name__ == "__main__":
    (IMAGES / "rooms.svg").write_text(rooms())
    (IMAGES / "ways.svg").write_text(ways())
