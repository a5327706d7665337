"""The documentation builds."""

from __future__ import annotations

import fcntl
import functools
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import langchain_mem
from tests.browser import CHROMIUM, Browser

ROOT = Path(__file__).parents[2]

# Without the collector of garbage, which takes a fifth of the time and finds nothing: the pages stay until the end.
BUILD = """
import gc, sys
gc.disable()
from mkdocs.__main__ import cli
cli(["build", "--strict", "--site-dir", sys.argv[1]])
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, testrun_uid: str) -> Path:
    """The site, built as `make docs` builds it: once for a run of the tests, whichever process asks first."""
    pytest.importorskip("mkdocs")
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder = shared / f"site-{testrun_uid}"
    with (shared / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _build(folder)
    return folder


def _build(folder: Path) -> None:
    """Builds the site, or fails with its warnings; what is built is there as a whole or not at all."""
    partly = folder.with_suffix(".partly")
    build = [sys.executable, "-c", BUILD, str(partly)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    # not --quiet: it hides the warnings that --strict is to count
    result = subprocess.run(build, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    warnings = [line for line in (result.stdout + result.stderr).splitlines() if "WARNING" in line or "ERROR" in line]
    assert (result.returncode, warnings) == (0, [])
    partly.rename(folder)


def test_every_public_name_is_in_the_reference(site: Path) -> None:
    """The reference has every public name, each on one page."""
    pages = [page.read_text("utf-8") for page in (site / "reference").rglob("index.html")]
    documented = set(re.findall(r'id="langchain_mem\.[\w.]*?(\w+)"', "".join(pages)))
    assert set(langchain_mem.__all__) - {"__version__"} <= documented


def test_every_operation_is_in_the_reference(site: Path) -> None:
    """The reference has each public method of `Memory`, and each operation in its plain form only."""
    page = (site / "reference" / "memory" / "index.html").read_text("utf-8")
    documented = set(re.findall(r'id="langchain_mem\.memory\.facade\.Memory\.(\w+)"', page))
    public = {name for name in dir(langchain_mem.Memory) if not name.startswith("_")}
    twins = {f"a{name}" for name in public} & public
    assert public - twins - {"operations"} <= documented
    assert documented & twins == set()


def test_every_page_is_in_the_navigation(site: Path) -> None:
    """No page can be reached by a search engine only."""
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8").partition("nav:")[2].partition("markdown_extensions:")[0]
    pages = {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")}
    assert {page for page in pages if page not in navigation} == set()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        """Says nothing."""


@pytest.fixture
def address(site: Path) -> Iterator[str]:
    """Where the site is served."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(site))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


CUT_OFF = """
const scrolls = (each) => innerWidth < 480 && getComputedStyle(each).overflowX == "auto";  // by a finger
const kinds = ["pre > code", "table", "p", ".md-typeset__scrollwrap"].map((kind) => `.md-content ${kind}`).join();
const wide = [...document.querySelectorAll(kinds)]
  .filter((each) => each.scrollWidth > each.clientWidth + 1 && !scrolls(each));
const page = document.documentElement;
const found = wide.map((each) => `${each.scrollWidth} > ${each.clientWidth}: ${each.innerText.slice(0, 60)}`);
return page.scrollWidth > page.clientWidth ? [`the page: ${page.scrollWidth}`, ...found] : found;
"""
LIKELIEST = ("guarantees/", "langchain/", "reference/backends/")
"""Pages with wide code, wide tables and long signatures."""


def _cut_off(browser: Browser, address: str, pages: Sequence[str]) -> dict[tuple[str, int], Any]:
    """What does not fit, by page and width of the window."""
    found = {}
    for width in (1400, 400):
        browser.resize(width)
        for page in pages:
            browser.open(address + page)
            found[page, width] = browser.run(CUT_OFF)
    return {place: texts for place, texts in found.items() if texts}


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("needs chromium")
    browser = Browser(tmp_path)
    yield browser
    browser.close()


def test_nothing_is_cut_off(browser: Browser, address: str):
    """Code, tables and signatures fit the window of a laptop and of a phone."""
    assert _cut_off(browser, address, LIKELIEST) == {}


@pytest.mark.soak
def test_nothing_is_cut_off_on_any_page(browser: Browser, address: str, site: Path):
    """The same, page by page."""
    pages = sorted(f"{page.parent.relative_to(site).as_posix()}/" for page in site.rglob("index.html"))
    assert _cut_off(browser, address, [page.removeprefix("./") for page in pages]) == {}
