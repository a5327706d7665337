"""The inspector in a real browser, headless: what is seen, what is live, and what is done with the mouse."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from langchain_mem import LongTermStore, Memory
from langchain_mem.testing import FakeClock, FakeEmbeddings
from langchain_mem.ui import Served, start

webdriver = pytest.importorskip("selenium.webdriver")

from selenium.common.exceptions import StaleElementReferenceException  # noqa: E402 - only where selenium is
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
PAGES = ("", "owner?user_id=alex&deleted=1", "search?q=What+does+Alex+drink%3F", "core", "expiring", "growth", "feed")
SECONDS = 20

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

pytestmark = pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="needs chromium and chromium-driver")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A headless Chromium that reaches nothing by itself."""
    home = tmp_path_factory.mktemp("home")
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in ("headless=new", "no-sandbox", "disable-gpu", "disable-background-networking", "hide-scrollbars"):
        options.add_argument(f"--{flag}")
    options.add_argument(f"--user-data-dir={home / 'profile'}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = Service(str(DRIVER), env={**os.environ, "HOME": str(home), "SE_OFFLINE": "true"})
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


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


def _resize(browser: Any, width: int) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def _memory_page(browser: Any, served: Served) -> None:
    """Goes to the page of the tea, by clicking."""
    browser.get(f"{served.address}owner?user_id=alex")
    browser.find_element(By.PARTIAL_LINK_TEXT, "green tea").click()


def _until(browser: Any, text: str) -> None:
    waiting = WebDriverWait(browser, SECONDS, ignored_exceptions=[StaleElementReferenceException])  # the page may go
    waiting.until(lambda _: text in browser.find_element(By.TAG_NAME, "body").text)


@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_is_cut_off_and_no_word_breaks(browser: Any, served: Served, width: int):
    """On a phone and on a laptop every page fits the window, and every word stands on one line."""
    _resize(browser, width)
    for page in PAGES:
        browser.get(served.address + page)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width, page
        assert browser.execute_script(BROKEN_WORDS) == [], page


def test_no_page_has_an_error_or_loads_from_elsewhere(browser: Any, served: Served):
    """The browser's console stays empty, so no script, style or connection was refused, and all came from here."""
    _resize(browser, 1280)
    browser.get_log("browser")
    for page in PAGES:
        browser.get(served.address + page)
        loaded = browser.execute_script("return performance.getEntriesByType('resource').map((each) => each.name)")
        assert [name for name in loaded if not name.startswith(served.address)] == []
        assert browser.get_log("browser") == [], page


def test_dark_where_the_system_is_dark(browser: Any, served: Served):
    """The colors follow the system's."""
    seen = {}
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        browser.get(served.address)
        color = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        seen[scheme] = sum(map(int, color.removeprefix("rgb(").removesuffix(")").split(",")))
    assert seen["dark"] < 150 < 600 < seen["light"]


def test_the_decay_curve_is_drawn(browser: Any, served: Served):
    """A memory's page shows a curve as wide as the page, with a dot for its use."""
    _resize(browser, 1280)
    _memory_page(browser, served)
    assert browser.find_element(By.CSS_SELECTOR, "figure svg").size["width"] > 800
    assert len(browser.find_elements(By.CSS_SELECTOR, "figure circle.use")) == 2


def test_the_filter_narrows_while_one_types(browser: Any, served: Served):
    """The list follows the field without a button, and the address follows the list."""
    browser.get(f"{served.address}owner?user_id=alex")
    browser.find_element(By.ID, "keywords").send_keys("voucher")
    _until(browser, "1 found")
    assert "keywords=voucher" in browser.current_url
    assert "green tea" not in browser.find_element(By.TAG_NAME, "body").text


def test_the_feed_is_live(browser: Any, served: Served, memory: Memory):
    """What happens after a page was loaded appears on it, deletions too."""
    browser.get(f"{served.address}feed")
    WebDriverWait(browser, SECONDS).until(lambda _: len(memory.activity._watching) == 1)
    memory.clock.advance(minutes=1)
    memory.delete(memory.add("Likes <b>rain</b>", user_id="bob")["results"][0]["id"])
    _until(browser, "user bob")
    _until(browser, "deleted")
    first = browser.find_element(By.CSS_SELECTOR, ".timeline li").text
    assert "deleted" in first
    assert "Likes <b>rain</b>" in first


def test_edit_and_forget_with_the_mouse(browser: Any, served: Served, memory: Memory):
    """Edit opens a form; forget asks before it does."""
    _resize(browser, 1280)
    _memory_page(browser, served)
    browser.find_element(By.XPATH, "//summary[text()='Edit']").click()
    field = browser.find_element(By.NAME, "text")
    field.clear()
    field.send_keys("Drinks nothing but water.")
    browser.find_element(By.XPATH, "//button[text()='Save']").click()
    _until(browser, "Saved.")
    assert [m["memory"] for m in memory.get_all(user_id="alex", keywords="water")["results"]]
    browser.find_element(By.XPATH, "//summary[text()='Forget']").click()
    assert memory.get_all(user_id="alex", keywords="water")["count"] == 1
    browser.find_element(By.XPATH, "//button[text()='Yes, forget']").click()
    _until(browser, "Forgotten.")
    assert memory.get_all(user_id="alex", keywords="water")["count"] == 0


def test_a_form_of_another_page_changes_nothing(browser: Any, served: Served, memory: Memory, tmp_path: Path):
    """A page from elsewhere that knows the address still cannot send a form: the browser tells where it comes from."""
    _memory_page(browser, served)
    token = browser.find_element(By.NAME, "form_token").get_attribute("value")
    memory_id = browser.find_element(By.NAME, "id").get_attribute("value")
    elsewhere = tmp_path / "elsewhere.html"
    elsewhere.write_text(
        f'<form method="post" action="{served.address}forget"><input name="id" value="{memory_id}">'
        f'<input name="form_token" value="{token}"><button>Win</button></form>'
    )
    browser.get(elsewhere.as_uri())
    browser.find_element(By.TAG_NAME, "button").click()
    _until(browser, "not from a page of this inspector")
    assert memory.get(memory_id) is not None
