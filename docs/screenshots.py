"""Takes the pictures of the inspector in `docs/images`: `python docs/screenshots.py`.

It needs chromium and Pillow, and the local embedder for real scores.
"""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from langchain_core.messages import HumanMessage
from langgraph.graph import MessagesState, StateGraph
from PIL import Image

from langchain_mem import LongTermStore, Memory
from langchain_mem.checkpointers import InMemoryCheckpointer, Retention
from langchain_mem.testing import FakeClock, ScriptedModel

sys.path.insert(0, str(Path(__file__).parents[1]))  # the browser is the tests'

from tests.browser import Browser

IMAGES = Path(__file__).parent / "images"

FACTS = (
    (0, "Is severely allergic to peanuts.", {"categories": ["health"], "metadata": {"importance": "always"}}),
    (0, "Drinks black tea in the morning.", {"categories": ["food"]}),
    (4, "Works as a bridge engineer at a firm in Trondheim.", {"categories": ["work"]}),
    (7, "Sister Ida lives in Bergen and visits every summer.", {"categories": ["family"]}),
    (12, "Wants a window seat on night trains.", {"categories": ["travel"]}),
    (13, "Train to Oslo leaves at 22:40 from platform 4.", {"categories": ["travel"], "run_id": "oslo-trip"}),
    (15, "Hotel voucher BERG-2291 is valid for one night.", {"expiration_date": timedelta(days=24)}),
    (16, "Plays the cello in an amateur orchestra.", {"categories": ["music"]}),
    (19, "Is learning Italian for a trip to Bologna.", {"categories": ["travel"]}),
    (24, "Prefers answers in two sentences at most.", {"categories": ["style"]}),
)
QUESTIONS = (
    (5, "What does Alex drink in the morning?"),
    (14, "Which seat on the train?"),
    (21, "A drink for breakfast?"),
    (23, "Where does Ida live?"),
    (26, "When does the train leave?"),
)


def furnish() -> tuple[Memory, InMemoryCheckpointer, str]:
    """A made-up month: a memory, the threads beside it, and the id of the memory to look at."""
    start = datetime(2026, 3, 1, 8, tzinfo=UTC)
    clock, ids = FakeClock(start), {}
    model = ScriptedModel(
        {"operations": [{"action": "add", "text": "Moved to a flat near the harbor.", "evidence": [0]},
                        {"action": "add", "text": "Owns three boats.", "evidence": [4]}]}
    )  # fmt: skip
    memory = Memory(LongTermStore.in_memory(embed=_local(), clock=clock), clock=clock, model=model, all_owners=True)
    for day in range(28):
        clock.now = start + timedelta(days=day)
        for _, text, given in (fact for fact in FACTS if fact[0] == day):
            ids[text] = memory.add(text, user_id="alex", infer=False, **given)["results"][0]["id"]
        for _, question in (each for each in QUESTIONS if each[0] == day):
            memory.search(question, user_id="alex", top_k=2)
            memory.flush()
    tea = ids["Drinks black tea in the morning."]
    memory.add("We have moved to a flat near the harbor.", user_id="alex")
    memory.update(tea, "Drinks green tea in the morning.")
    memory.delete(ids["Plays the cello in an amateur orchestra."])
    memory.add("Refunds are possible within 30 days.", app_id="shop", infer=False)
    return memory, _threads(), tea


def _local() -> Any:
    from langchain_mem.embeddings import local_embeddings

    return local_embeddings()


def _threads() -> InMemoryCheckpointer:
    saver = InMemoryCheckpointer(retention=Retention(keep_last=20, thread_ttl=timedelta(days=30)))
    graph = StateGraph(MessagesState).add_node("reply", lambda _: {"messages": [("ai", "Gladly.")]})
    chat = graph.set_entry_point("reply").compile(checkpointer=saver)
    for thread, turns in (("support-4711", 6), ("travel-oslo", 3), ("onboarding", 1)):
        for turn in range(turns):
            said = HumanMessage(f"Message {turn}, about something that takes a little longer to say.")
            chat.invoke({"messages": [said]}, {"configurable": {"thread_id": thread, "user_id": "alex"}})
    return saver


class Camera:
    """A browser that takes pictures of pages."""

    def __init__(self) -> None:
        self._browser = Browser(Path(mkdtemp()))

    def take(self, address: str, *, width: int, height: int, dark: bool = False) -> Image.Image:
        """A page in a window of a size, at most as high as the page is."""
        self._browser.prefer("dark" if dark else "light")
        self._browser.resize(width, 400)
        self._browser.open(address)
        self._browser.resize(width, min(height, self._browser.run("document.documentElement.scrollHeight")))
        return Image.open(io.BytesIO(self._browser.picture())).convert("RGB")

    def close(self) -> None:
        self._browser.close()


def save(picture: Image.Image, name: str) -> None:
    """Writes a picture with a palette: a page has few colors."""
    picture.quantize(200, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(IMAGES / name, optimize=True)


def beside(pictures: list[Image.Image]) -> Image.Image:
    """Several pictures in a row."""
    gap = 16
    width = sum(picture.width + gap for picture in pictures) - gap
    row = Image.new("RGB", (width, max(picture.height for picture in pictures)), "white")
    left = 0
    for picture in pictures:
        row.paste(picture, (left, 0))
        left += picture.width + gap
    return row


def main() -> None:
    memory, saver, tea = furnish()
    camera = Camera()
    with memory.ui(editable=True, checkpointers=[saver], announce=None) as served:

        def page(path: str, width: int = 1200, height: int = 1400, **how: Any) -> Image.Image:
            return camera.take(served.address + path, width=width, height=height, **how)

        save(page("search?q=What+does+Alex+drink+for+breakfast%3F&user_id=alex", height=640), "inspector-search.png")
        save(page(f"memory?id={tea}", height=900), "inspector-memory.png")
        save(page("growth?user_id=alex", height=1000), "inspector-growth.png")
        save(page("feed", height=760, dark=True), "inspector-feed.png")
        phone = [page(path, width=400, height=800, dark=dark) for path, dark in (
            ("owner?user_id=alex", False), (f"memory?id={tea}", True), ("threads", False))]  # fmt: skip
        save(beside(phone), "inspector-phone.png")
    camera.close()
    memory.close()


if __name__ == "__main__":
    main()
