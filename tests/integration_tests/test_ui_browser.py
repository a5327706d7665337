"""The inspector in a real browser, headless: what is seen, what is live, and what is done with the mouse."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from langchain_mem import LongTermStore, Memory
from langchain_mem.testing import FakeClock, FakeEmbeddings
from langchain_mem.ui import Served, start
from tests.browser import CHROMIUM, Browser, wait

PAGES = ("", "owner?user_id=alex&deleted=1", "search?q=What+does+Alex+drink%3F", "core", "expiring", "growth", "feed")

BROKEN_WORDS = """
const broken = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node = walker.nextNode(); node; node = walker.nextNode()) {
  if (node.parentElement.closest("script, style, noscript, svg, details:not([open]) > :not(summary)")) continue;
  for (const word of node.data.matchAll(/[\\p{L}\\p{N}]+/gu)) {
    const range = document.createRange();
    range.setStart(node, word.index);
    range.setEnd(node, word.index + word[0].length);
    const lines = new Set([...range.getClientRects()].map((box) => Math.round(box.top)));
    if (lines.size > 1) broken.push(word[0]);
  }
}
return broken;
"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A headless Chromium that reaches nothing by itself."""
    browser = Browser(tmp_path_factory.mktemp("home"))
    yield browser
    browser.close()


@pytest.fixture
def memory() -> Iterator[Memory]:
    clock = FakeClock(datetime(2026, 3, 1, 9, tzinfo=UTC))
    store = LongTermStore.in_memory(embed=FakeEmbeddings(), clock=clock)
    with Memory(store, clock=clock, all_owners=True) as memory:
        memory.add("Is severely allergic to peanuts.", user_id="alex", metadata={"importance": "always"})
        tea = memory.add("Drinks black tea in the morning.", user_id="alex", categories=["food"])["results"][0]["id"]
        clock.advance(days=6)
        memory.add("Hotel voucher, valid for one night.", user_id="alex", expiration_date=timedelta(days=20))
        memory.update(tea, "Drinks green tea in the morning.")
        memory.delete(memory.add("Drives an old blue Volvo.", user_id="alex")["results"][0]["id"])
        yield memory


@pytest.fixture
def served(memory: Memory) -> Iterator[Served]:
    with start(memory, editable=True, announce=None) as served:
        yield served


def _memory_page(browser: Browser, served: Served) -> None:
    """Goes to the page of the tea, by clicking."""
    browser.open(f"{served.address}owner?user_id=alex")
    browser.click("a", "green tea")
    browser.until("location.href.includes('/memory?')")
    browser.until("document.readyState === 'complete'")


@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_is_cut_off_and_no_word_breaks(browser: Browser, served: Served, width: int):
    """On a phone and on a laptop every page fits the window, and every word stands on one line."""
    browser.resize(width)
    for page in PAGES:
        browser.open(served.address + page)
        assert browser.run("document.documentElement.scrollWidth") <= width, page
        assert browser.run(BROKEN_WORDS) == [], page


def test_no_page_has_an_error_or_loads_from_elsewhere(browser: Browser, served: Served):
    """The browser's console stays empty, so no script, style or connection was refused, and all came from here."""
    browser.resize(1280)
    browser.complaints()
    for page in PAGES:
        browser.open(served.address + page)
        loaded = browser.run("performance.getEntriesByType('resource').map((each) => each.name)")
        assert [name for name in loaded if not name.startswith(served.address)] == []
        assert browser.complaints() == [], page


def test_dark_where_the_system_is_dark(browser: Browser, served: Served):
    """The colors follow the system's."""
    seen = {}
    for scheme in ("light", "dark"):
        browser.prefer(scheme)
        browser.open(served.address)
        color = browser.run("getComputedStyle(document.body).backgroundColor")
        seen[scheme] = sum(map(int, color.removeprefix("rgb(").removesuffix(")").split(",")))
    assert seen["dark"] < 150 < 600 < seen["light"]


def test_the_decay_curve_is_drawn(browser: Browser, served: Served):
    """A memory's page shows a curve as wide as the page, with a dot for its use."""
    browser.resize(1280)
    _memory_page(browser, served)
    assert browser.run("document.querySelector('figure svg').getBoundingClientRect().width") > 800
    assert browser.run("document.querySelectorAll('figure circle.use').length") == 2


def test_the_filter_narrows_while_one_types(browser: Browser, served: Served):
    """The list follows the field without a button, and the address follows the list."""
    browser.open(f"{served.address}owner?user_id=alex")
    browser.write("#keywords", "voucher")
    browser.until_text("1 found")
    assert "keywords=voucher" in browser.run("location.href")
    assert "green tea" not in browser.text()


def test_the_feed_is_live(browser: Browser, served: Served, memory: Memory):
    """What happens after a page was loaded appears on it, deletions too."""
    browser.open(f"{served.address}feed")
    wait(lambda: len(memory.activity._watching) == 1, "a reader of the feed")
    memory.clock.advance(minutes=1)
    memory.delete(memory.add("Likes <b>rain</b>", user_id="bob")["results"][0]["id"])
    browser.until_text("user bob")
    browser.until_text("deleted")
    first = browser.text(".timeline li")
    assert "deleted" in first
    assert "Likes <b>rain</b>" in first


def test_edit_and_forget_with_the_mouse(browser: Browser, served: Served, memory: Memory):
    """Edit opens a form; forget asks before it does."""
    browser.resize(1280)
    _memory_page(browser, served)
    browser.click("summary", "Edit")
    browser.write("[name=text]", "Drinks nothing but water.")
    browser.click("button", "Save")
    browser.until_text("Saved.")
    assert [m["memory"] for m in memory.get_all(user_id="alex", keywords="water")["results"]]
    browser.click("summary", "Forget")
    assert memory.get_all(user_id="alex", keywords="water")["count"] == 1
    browser.click("button", "Yes, forget")
    browser.until_text("Forgotten.")
    assert memory.get_all(user_id="alex", keywords="water")["count"] == 0


def test_a_form_of_another_page_changes_nothing(browser: Browser, served: Served, memory: Memory, tmp_path: Path):
    """A page from elsewhere that knows the address still cannot send a form: the browser tells where it comes from."""
    _memory_page(browser, served)
    token = browser.run("document.querySelector('[name=form_token]').value")
    memory_id = browser.run("document.querySelector('[name=id]').value")
    elsewhere = tmp_path / "elsewhere.html"
    elsewhere.write_text(
        f'<form method="post" action="{served.address}forget"><input name="id" value="{memory_id}">'
        f'<input name="form_token" value="{token}"><button>Win</button></form>'
    )
    browser.open(elsewhere.as_uri())
    browser.click("button")
    browser.until_text("not from a page of this inspector")
    assert memory.get(memory_id) is not None
