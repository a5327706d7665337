"""The inspector, over real HTTP, and in a browser where there is one."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
import uvicorn

from langchain_mem import LongTermStore, Memory
from langchain_mem.testing import FakeClock, FakeEmbeddings
from langchain_mem.ui import build_app

TOKEN = "a-token-that-only-this-test-knows"
SCRIPT = "<script>document.title='stolen'</script>"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def memory(clock: FakeClock) -> Iterator[Memory]:
    store = LongTermStore.in_memory(embed=FakeEmbeddings(), clock=clock)
    with Memory(store, clock=clock, all_owners=True, reinforce="returned") as memory:
        yield memory


class _Server(uvicorn.Server):
    """A server that says when it answers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@contextmanager
def _served(memory: Memory) -> Iterator[str]:
    """The address of the inspector on a real server."""
    server = _Server(uvicorn.Config(build_app(memory, token=TOKEN), port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    assert server.ready.wait(20)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/{TOKEN}/"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def page(memory: Memory) -> Iterator[httpx.Client]:
    """A client of the inspector, whose addresses are relative to it."""
    with _served(memory) as address, httpx.Client(base_url=address) as client:
        yield client


def _add(memory: Memory, text: str, **given: Any) -> str:
    return memory.add(text, **{"user_id": "alex", **given})["results"][0]["id"]


class _Links(HTMLParser):
    """The addresses a page leads to, and what it loads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in ("href", "src", "action") and value]


def _links(text: str) -> list[str]:
    reader = _Links()
    reader.feed(text)
    return reader.found


@pytest.mark.parametrize("path", ["", "/", "/wrong/", f"/{TOKEN}x/", "/style.css", "/search?q=tea", f"/{TOKEN[:-1]}/"])
def test_without_the_token_nothing_is_there(memory: Memory, page: httpx.Client, path: str):
    """Whoever does not know the address learns nothing, not even whether a page exists."""
    _add(memory, "Likes tea")
    root = str(page.base_url).replace(f"/{TOKEN}/", "")
    answer = httpx.get(root + path)
    assert (answer.status_code, answer.text) == (404, "Not found")


def test_another_host_is_refused(page: httpx.Client):
    """A name that was made to point here, as in DNS rebinding, does not get in."""
    assert page.get("", headers={"Host": "evil.example"}).status_code == 400


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_it_only_reads(page: httpx.Client, method: str):
    """There is nothing that another site could make a browser change."""
    for name in ("", "owner", "memory", "search", "feed"):
        assert page.request(method, name).status_code == 405


def test_nothing_comes_from_elsewhere(memory: Memory, page: httpx.Client):
    """No page loads from, leads to, or may connect to another place; its address is told to nobody."""
    _add(memory, "Likes tea")
    for name in ("", "owner?user_id=alex", "search?q=tea", "feed"):
        answer = page.get(name)
        assert not [link for link in _links(answer.text) if "//" in link]
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"


def test_every_link_leads_somewhere(memory: Memory, page: httpx.Client):
    """Starting at the owners, whatever is linked is there, odd ids included."""
    _add(memory, "Likes tea", user_id="a/b&c=d?é#", categories=["food & drink"])
    _add(memory, "Gate B12", run_id="flight")
    memory.update(_add(memory, "Likes black tea"), "Likes green tea")
    seen, left = set[str](), [""]
    while left:
        name = left.pop()
        answer = page.get(urljoin(str(page.base_url), name))  # as a browser reads "."
        assert answer.status_code == 200, name
        seen.add(name)
        found = _links(answer.text) if answer.headers["content-type"].startswith("text/html") else []
        left += [link for link in found if link not in seen and not link.startswith("#") and link not in left]
    assert {"style.css", "script.js", "feed", "search"} <= seen
    assert sum(link.startswith("owner?") for link in seen) >= 3


def test_owners(memory: Memory, page: httpx.Client):
    """Everyone who has memories is listed with how many."""
    _add(memory, "Likes tea")
    _add(memory, "Likes rain")
    _add(memory, "Speaks briefly", agent_id="guide", user_id=None)
    text = page.get("").text
    assert re.search(r"alex</a></td><td[^>]*>2<", text)
    assert re.search(r"guide</a></td><td[^>]*>1<", text)


def test_an_owners_memories_are_filtered(memory: Memory, page: httpx.Client, clock: FakeClock):
    """Words, a category, and toggles for what is over narrow and widen the list; others' memories never show."""
    _add(memory, "Likes tea", categories=["food"])
    _add(memory, "Browses laptops", expiration_date=timedelta(days=1))
    _add(memory, "Bob's secret", user_id="bob")
    clock.advance(days=2)

    def shown(**asked: str) -> list[str]:
        text = page.get("owner", params={"user_id": "alex", **asked}).text
        return [
            name for name in ("Likes tea", "Browses laptops", "Bob's secret") if name.replace("'", "&#x27;") in text
        ]

    assert shown() == ["Likes tea"]
    assert shown(expired="1") == ["Likes tea", "Browses laptops"]
    assert shown(keywords="LAPTOP", expired="1") == ["Browses laptops"]
    assert shown(category="food", expired="1") == ["Likes tea"]


def test_pages_of_a_long_list(memory: Memory, page: httpx.Client):
    """More than a page's worth is turned."""
    for number in range(60):
        memory.add(f"Fact {number}", user_id="alex")
    first = page.get("owner?user_id=alex").text
    assert first.count("<li><a") == 50
    assert 'rel="next"' in first
    assert page.get("owner?user_id=alex&page=2").text.count("<li><a") == 10


def test_one_memory(memory: Memory, page: httpx.Client, clock: FakeClock):
    """Its history is told newest first, and its decay is drawn with a dot for each use."""
    memory_id = _add(memory, "Likes black tea", metadata={"mood": "calm"})
    clock.advance(days=3)
    memory.search("tea", user_id="alex")
    memory.flush()
    clock.advance(days=4)
    memory.update(memory_id, "Likes green tea")
    clock.advance(days=30)
    text = page.get("memory", params={"id": memory_id}).text
    assert text.index("<b>UPDATE</b>") < text.index("<b>ADD</b>")
    assert "<del>Likes black tea</del>" in text
    assert "calm" in text
    assert text.count('class="use"') == 3
    found = memory.explain("tea", user_id="alex")["results"][0]
    assert f"Decay factor {found['score_details']['factor']:.2f} now" in text


def test_a_deleted_memory_still_has_a_history(memory: Memory, page: httpx.Client):
    """What was deleted is not shown as it was, and when it went can be seen."""
    memory_id = _add(memory, "Likes tea")
    memory.delete(memory_id)
    text = page.get("memory", params={"id": memory_id}).text
    assert "A deleted memory" in text
    assert "<b>DELETE</b>" in text


def test_a_search_explains_and_counts_as_no_use(memory: Memory, page: httpx.Client, clock: FakeClock):
    """Scores come with their parts, what falls below is shown too, and decay sees nothing of it."""
    _add(memory, "Likes green tea")
    _add(memory, "Lives in Oslo")
    clock.advance(days=10)
    before = memory.export(user_id="alex")
    text = page.get("search", params={"q": "green tea", "user_id": "alex"}).text
    memory.flush()
    assert memory.export(user_id="alex") == before
    assert text.index("Likes green tea") < text.index("Lives in Oslo")
    assert "below the threshold" in text
    assert "lexical" in text


def test_the_feed(memory: Memory, page: httpx.Client):
    """The latest changes are there, and what this process did."""
    memory.update(_add(memory, "Likes black tea"), "Likes green tea")
    text = page.get("feed").text
    assert "<del>Likes black tea</del>" in text
    assert "<b>update</b>" in text


@pytest.mark.parametrize(
    "name", ["", "owner?user_id=alex", "search?q=favorite", "feed", "search?q={}", "owner?user_id={}"]
)
def test_markup_in_a_memory_stays_text(memory: Memory, page: httpx.Client, name: str):
    """Whatever is stored or asked for, a page has only the script that it came with."""
    _add(memory, f"My favorite is {SCRIPT} \"'&", categories=[SCRIPT], metadata={SCRIPT: SCRIPT})
    _add(memory, "Likes tea", user_id=SCRIPT)
    text = page.get(name.format(httpx.QueryParams({"x": SCRIPT})["x"].replace("&", "%26"))).text
    assert text.count("<script") == 1
    assert "&lt;script&gt;" in text


def test_markup_in_one_memory_stays_text(memory: Memory, page: httpx.Client):
    """The page of a memory, too, with what is in its metadata and categories."""
    memory_id = _add(memory, SCRIPT, categories=[SCRIPT], metadata={SCRIPT: SCRIPT})
    text = page.get("memory", params={"id": memory_id}).text
    assert text.count("<script") == 1
    assert text.count("&lt;script&gt;") >= 4


@pytest.mark.parametrize("name", ["owner?user_id=alex&page=x", "owner?user_id=alex&page=0"])
def test_what_cannot_be_shown_says_why(page: httpx.Client, name: str):
    """An address that makes no sense is answered with a page that says so."""
    answer = page.get(name)
    assert answer.status_code == 400
    assert "That cannot be shown" in answer.text


def test_one_owners_memory_shows_no_others():
    """A `Memory` that is no administrator's refuses what would show everyone's."""
    with Memory(LongTermStore.in_memory(embed=FakeEmbeddings())) as memory, _served(memory) as address:
        _add(memory, "Likes tea")
        assert httpx.get(address + "search?q=tea").status_code == 400
        assert "Likes tea" in httpx.get(address + "search?q=tea&user_id=alex").text


def test_the_command(tmp_path: Path):
    """It tells an address on this machine with a key in it, and ends cleanly."""
    folder = tmp_path / "memory"
    with Memory(folder) as memory:
        _add(memory, "Likes tea")
    command = [sys.executable, "-m", "langchain_mem.cli", "ui", "--store", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{40,}/", address)
        assert "alex" in httpx.get(address).text
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")


@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")
def test_in_a_browser(memory: Memory, tmp_path: Path):
    """A browser loads the page with its style and its script, and runs nothing that a memory holds."""
    _add(memory, f"Likes tea {SCRIPT}")
    with _served(memory) as address:
        text = _dump(f"{address}owner?user_id=alex", tmp_path)
    assert "<title>user alex · langchain-mem</title>" in text
    assert "Likes tea &lt;script&gt;" in text


def _dump(address: str, folder: Path) -> str:
    """The document as a browser has it after its scripts ran."""
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    command = [str(CHROMIUM), *flags, f"--user-data-dir={folder / 'profile'}", "--dump-dom", address]
    environment = {**os.environ, "HOME": str(folder)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout
