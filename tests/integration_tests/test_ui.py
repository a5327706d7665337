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
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import MessagesState, StateGraph
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from langchain_mem import LongTermStore, Memory
from langchain_mem.checkpointers import InMemoryCheckpointer, Retention
from langchain_mem.testing import FakeClock, FakeEmbeddings
from langchain_mem.ui import build_app, start
from tests.memories import Bench, op, proposed

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


@contextmanager
def _served(memory: Memory, **options: Any) -> Iterator[str]:
    """The address of the inspector on a real server."""
    with start(memory, token=TOKEN, announce=None, **options) as served:
        yield served.address


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
    for name in ("edit", "forget", "restore", "undo"):
        assert page.request(method, name).status_code == 404


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
    assert {"style.css", "script.js", "htmx.js", "sse.js", "icon.svg", "feed", "search", "core", "growth"} <= seen
    assert sum(link.startswith("owner?") for link in seen) >= 3


def test_owners(memory: Memory, page: httpx.Client):
    """Everyone who has memories is listed with how many."""
    _add(memory, "Likes tea")
    _add(memory, "Likes rain")
    _add(memory, "Speaks briefly", agent_id="guide", user_id=None)
    text = page.get("").text
    assert re.search(r"alex</a></td><td[^>]*>2<", text)
    assert re.search(r"guide</a></td><td[^>]*>1<", text)


def test_an_owner_whose_memories_are_all_deleted_still_shows(memory: Memory, page: httpx.Client):
    """What is gone can be restored until it is purged, so its owner must be found."""
    memory.delete(_add(memory, "Likes tea"))
    assert re.search(r"alex</a></td><td[^>]*>0<.*1 deleted", page.get("").text, re.DOTALL)
    assert "Likes tea" in page.get("owner?user_id=alex&deleted=1").text


def test_an_owners_memories_are_filtered(memory: Memory, page: httpx.Client, clock: FakeClock):
    """Words, a category, and toggles for what is over narrow and widen the list; others' memories never show."""
    _add(memory, "Likes tea", categories=["food"])
    _add(memory, "Browses laptops", expiration_date=timedelta(days=1))
    _add(memory, "Bob's secret", user_id="bob")
    clock.advance(days=2)

    def shown(**asked: str) -> list[str]:
        text = page.get("owner", params={"user_id": "alex", **asked}).text
        return [name for name in ("Likes tea", "Browses laptops", "Bob's secret") if name.replace("'", "&#39;") in text]

    assert shown() == ["Likes tea"]
    assert shown(expired="1") == ["Likes tea", "Browses laptops"]
    assert shown(keywords="LAPTOP", expired="1") == ["Browses laptops"]
    assert shown(category="food", expired="1") == ["Likes tea"]


def test_pages_of_a_long_list(memory: Memory, page: httpx.Client):
    """More than a page's worth is turned."""
    for number in range(60):
        memory.add(f"Fact {number}", user_id="alex")
    first = page.get("owner?user_id=alex").text
    assert first.count('<a href="memory?id=') == 50
    assert 'rel="next"' in first
    assert page.get("owner?user_id=alex&page=2").text.count('<a href="memory?id=') == 10


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
    assert text.index(">changed</b>") < text.index(">added</b>")
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
    assert ">deleted</b>" in text


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
    assert text.count('class="bar"') == 2


def test_the_feed(memory: Memory, page: httpx.Client):
    """The latest changes are there, and what this process did."""
    memory.update(_add(memory, "Likes black tea"), "Likes green tea")
    memory.delete(_add(memory, "Plays chess", user_id="bob"))
    text = page.get("feed").text
    assert "<del>Likes black tea</del>" in text
    assert "<b>update</b>" in text
    assert re.search(r">deleted</b>.*?user bob.*?<del>Plays chess</del>", text, re.DOTALL)


@pytest.mark.parametrize(
    "name", ["", "owner?user_id=alex", "search?q=favorite", "feed", "search?q={}", "owner?user_id={}"]
)
def test_markup_in_a_memory_stays_text(memory: Memory, page: httpx.Client, name: str):
    """Whatever is stored or asked for, a page has only the script that it came with."""
    _add(memory, f"My favorite is {SCRIPT} \"'&", categories=[SCRIPT], metadata={SCRIPT: SCRIPT})
    _add(memory, "Likes tea", user_id=SCRIPT)
    text = page.get(name.format(httpx.QueryParams({"x": SCRIPT})["x"].replace("&", "%26"))).text
    assert text.count("<script") == 3
    assert "&lt;script&gt;" in text


def test_markup_in_one_memory_stays_text(memory: Memory, page: httpx.Client):
    """The page of a memory, too, with what is in its metadata and categories."""
    memory_id = _add(memory, SCRIPT, categories=[SCRIPT], metadata={SCRIPT: SCRIPT})
    text = page.get("memory", params={"id": memory_id}).text
    assert text.count("<script") == 3
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
        _, errors = process.communicate(timeout=300)
    assert (process.returncode, errors) == (0, "")


def test_a_superseded_text_does_not_look_inserted(memory: Memory, page: httpx.Client):
    """What was replaced by a newer memory is struck out where that happened, and stays inserted where it was added."""
    bench = Bench(
        proposed(op("add", "Lives in Oslo")), proposed(op("supersede", "Lives in Bergen", memory=0)), store=memory.store
    )
    old = bench.add("I live in Oslo", user_id="alex")["results"][0]["id"]
    bench.add("I live in Bergen", user_id="alex")
    text = page.get("memory", params={"id": old}).text
    (entry,) = re.findall(r'<li class="supersede">(.*?)</li>', text, re.DOTALL)
    assert "<del>Lives in Oslo</del>" in entry
    assert "<ins>" not in entry


def test_evidence_turns():
    """The page of a fact shows the turns it rests on, with who said them."""
    bench = Bench(proposed(op("add", "Moved to Bergen")), all_owners=True)
    fact = bench.add("I moved to Bergen last week.", user_id="alex")["results"][0]["id"]
    with _served(bench.memory) as address:
        text = httpx.get(f"{address}memory", params={"id": fact}).text
    assert re.search(r'<ol class="turns">.*user.*I moved to Bergen last week\.', text, re.DOTALL)


def test_refused_extractions():
    """What a model proposed and was refused is listed with the reason."""
    bench = Bench(proposed(op("add", "Owns three boats", evidence=[7])), all_owners=True)
    (refused,) = bench.add("I moved to Bergen.", user_id="alex")["rejected"]
    with _served(bench.memory) as address:
        text = httpx.get(f"{address}refused").text
    assert refused["reason"] in unescape(text)
    assert "Owns three boats" in text
    assert "user alex" in text


def test_doubted_extractions():
    """What was taken although nobody said it is listed with the reason, and marked on its own page."""
    bench = Bench(proposed(op("add", "Likes tea and marzipan")), all_owners=True)
    memory_id = bench.add("I like tea.", user_id="alex")["results"][0]["id"]
    found = bench.memory.get(memory_id)
    assert found is not None
    with _served(bench.memory) as address:
        listed, page = httpx.get(f"{address}refused").text, httpx.get(f"{address}memory?id={memory_id}").text
    assert found["doubt"]
    assert found["doubt"] in unescape(listed)
    assert f"In doubt: {found['doubt']}" in unescape(page)


def test_looking_leaves_no_event(memory: Memory, page: httpx.Client):
    """A search in the inspector is no search of the agent's."""
    _add(memory, "Likes tea")
    page.get("search?q=tea")
    assert [event["type"] for event in memory.events()] == ["add"]


def test_what_expires_soon(memory: Memory, page: httpx.Client):
    """It is listed soonest first; what lasts longer than asked for is left out."""
    _add(memory, "Voucher", expiration_date=timedelta(days=6))
    _add(memory, "Parking", expiration_date=timedelta(days=2))
    _add(memory, "Membership", expiration_date=timedelta(days=60))
    text = page.get("expiring?days=7").text
    assert text.index("Parking") < text.index("Voucher")
    assert "2 days" in text
    assert "Membership" not in text


def test_the_core(memory: Memory, page: httpx.Client):
    """What is always in context is listed by owner, and nothing else is."""
    _add(memory, "Allergic to nuts", metadata={"importance": "always"})
    extracting = Bench(proposed(op("add", "Has asthma", importance="always")), store=memory.store)
    extracting.add("I have asthma", user_id="alex")
    _add(memory, "Likes tea")
    text = page.get("core").text
    assert re.search(r"<h2>user alex</h2>.*Allergic to nuts", text, re.DOTALL)
    assert "Has asthma" in text
    assert "Likes tea" not in text


def test_growth_and_use(memory: Memory, page: httpx.Client, clock: FakeClock):
    """The charts count what was added, removed and used on each day."""
    _add(memory, "Likes tea")
    clock.advance(days=2)
    memory.delete(_add(memory, "Likes rain"))
    memory.search("tea", user_id="alex")
    memory.flush()
    text = page.get("growth?user_id=alex").text
    assert "2 added and 1 removed in 14 days" in text
    assert "1 memories at the end of 2026-01-03" in text
    assert "2026-01-03: 2 used" in text


def test_threads(memory: Memory, clock: FakeClock):
    """A checkpointer's threads are listed with their size and when they go; a saver that is not ours is listed too."""
    saver = InMemoryCheckpointer(retention=Retention(thread_ttl=timedelta(days=30), keep_last=5))
    for each in (saver, foreign := InMemorySaver()):
        graph = StateGraph(MessagesState).add_node("reply", lambda _: {"messages": ["Yes."]}).set_entry_point("reply")
        config: Any = {"configurable": {"thread_id": "support-1", "user_id": "alex"}}
        graph.compile(checkpointer=each).invoke({"messages": ["Hello"]}, config)
    with _served(memory, checkpointers=[saver, foreign]) as address:
        text = httpx.get(address + "threads").text
    assert "a thread idle for 30 days goes, the last 5 checkpoints stay" in text
    ours, theirs = text.split("InMemorySaver")
    assert re.search(r"support-1.*alex.*>3<.*kB", ours, re.DOTALL)
    assert re.search(r"support-1.*>3<.*–", theirs, re.DOTALL)


# --- changing


@pytest.fixture
def editor(memory: Memory) -> Iterator[httpx.Client]:
    """A browser-like client of an inspector in which memories can be changed."""
    with (
        _served(memory, editable=True) as address,
        httpx.Client(base_url=address, headers={"Sec-Fetch-Site": "same-origin"}) as client,
    ):
        yield client


def _form(client: httpx.Client, memory_id: str) -> dict[str, str]:
    """What the forms of a memory's page carry."""
    text = client.get("memory", params={"id": memory_id}).text
    token = re.search(r'name="form_token" value="(\w+)"', text)
    assert token is not None
    return {"form_token": token[1], "id": memory_id}


def test_edit_forget_restore_undo(memory: Memory, editor: httpx.Client):
    """Each does what the operation of its name does, and says so on the memory's page."""
    memory_id = _add(memory, "Likes tea")
    form = _form(editor, memory_id)
    saved = editor.post("edit", data={**form, "text": "Likes <b>rain</b>", "categories": "a, b"}, follow_redirects=True)
    assert "Saved." in saved.text
    found = memory.get(memory_id)
    assert found is not None
    assert (found["memory"], found["categories"]) == ("Likes <b>rain</b>", ["a", "b"])
    dated = {**_form(editor, memory_id), "text": "Likes <b>rain</b>", "happened": "2026-06", "happened_before": ""}
    assert "happened 2026-06" in editor.post("edit", data=dated, follow_redirects=True).text
    found = memory.get(memory_id)
    assert found is not None
    assert found["event_end"] == "2026-06-30T23:59:59.999999Z"
    editor.post("forget", data=form)
    assert memory.get(memory_id) is None
    editor.post("restore", data={**form, "version": "1"})
    found = memory.get(memory_id)
    assert found is not None
    assert found["memory"] == "Likes tea"
    batch = memory.history(memory_id)[-1]["batch_id"]
    assert "Undone: 1 removed." in editor.post("undo", data={**form, "batch_id": batch}, follow_redirects=True).text
    assert memory.get(memory_id) is None


@pytest.mark.parametrize(
    "change",
    [
        {"headers": {"Sec-Fetch-Site": "cross-site"}},
        {"headers": {"Sec-Fetch-Site": "same-site"}},
        {"headers": {"Sec-Fetch-Site": "none"}},
        {"data": {"form_token": ""}},
        {"data": {"form_token": "0" * 64}},
        {"cookies": {"langchain_mem_session": "another-session"}},
        {"cookies": {}},
    ],
)
def test_nobody_else_changes_anything(memory: Memory, editor: httpx.Client, change: dict[str, Any]):
    """A form of another site, of another session or without the page's token is refused."""
    memory_id = _add(memory, "Likes tea")
    form, cookies = _form(editor, memory_id), dict(editor.cookies)
    headers = httpx.Headers(editor.headers)
    headers.update(change.get("headers", {}))
    data = {**form, **change.get("data", {})}
    with httpx.Client(base_url=editor.base_url, cookies=change.get("cookies", cookies), headers=headers) as other:
        assert other.post("forget", data=data).status_code == 403
    assert memory.get(memory_id) is not None
    with httpx.Client(base_url=editor.base_url, cookies=cookies, headers=dict(editor.headers)) as honest:
        assert honest.post("forget", data=form).status_code == 303
    assert memory.get(memory_id) is None


def test_an_old_browser_names_its_origin(memory: Memory, editor: httpx.Client):
    """A browser that sends no `Sec-Fetch-Site` is judged by its `Origin`; without either there is no consent."""
    form = _form(editor, _add(memory, "Likes tea"))
    del editor.headers["Sec-Fetch-Site"]
    own = str(editor.base_url).split(f"/{TOKEN}")[0]
    for origin in ({}, {"Origin": "null"}, {"Origin": "http://evil.example"}, {"Origin": "http://127.0.0.1:1"}):
        assert editor.post("forget", data=form, headers=origin).status_code == 403
    assert editor.post("forget", data=form, headers={"Origin": own}).status_code == 303


def test_what_cannot_be_done_says_why(memory: Memory, editor: httpx.Client):
    """An error of the operation is a page, and nothing is changed."""
    memory_id = _add(memory, "Likes tea")
    form = _form(editor, memory_id)
    assert editor.post("edit", data={**form, "text": " "}).status_code == 400
    assert editor.post("forget", data={**form, "id": "nobody"}).status_code == 404
    assert editor.post("restore", data={**form, "version": "x"}).status_code == 400
    assert editor.post("edit", content=b"text=" + b"x" * 2_000_000).status_code == 403
    assert memory.history(memory_id)[-1]["event"] == "ADD"


# --- live


def test_the_feed_is_live(memory: Memory, page: httpx.Client):
    """A reader of the stream is told of additions and deletions with their owner, and of operations, as they happen."""
    with page.stream("GET", "live", timeout=300) as stream:
        lines = stream.iter_lines()
        next(lines)
        memory.delete(_add(memory, f"Likes {SCRIPT}", user_id="bob"))
        told = ""
        while ">deleted</b>" not in told or "<b>delete</b>" not in told:
            told += next(lines) + "\n"
    assert "event: change" in told
    assert "user bob" in told
    assert "<script" not in told


def test_changes_of_other_processes_are_live_too(memory: Memory, page: httpx.Client):
    """What another `Memory` over the same store writes is found by looking."""
    with Memory(memory.store, clock=memory.clock) as other, page.stream("GET", "live", timeout=300) as stream:
        lines = stream.iter_lines()
        next(lines)
        other.add("Likes rain", user_id="bob")
        assert any("Likes rain" in line for line in lines)


# --- in a process


def test_it_is_mounted_in_another_application(memory: Memory):
    """Under a path of another application the door is as closed as alone."""
    _add(memory, "Likes tea")
    outer = Starlette(routes=[Mount("/memory", app=build_app(memory, token=TOKEN))])
    with TestClient(outer, base_url="http://127.0.0.1") as client:
        assert "alex" in client.get(f"/memory/{TOKEN}/").text
        assert client.get("/memory/wrong/").status_code == 404
        assert client.get("/memory/").status_code == 404
        assert client.get(f"/memory/{TOKEN}/", headers={"Host": "evil.example"}).status_code == 400


def test_it_runs_beside_an_agent(memory: Memory):
    """`memory.ui()` answers from a thread, says where, is a link in a notebook, and ends when it is told to."""
    said: list[str] = []
    with memory.ui(announce=said.append) as served:
        assert said == [served.address]
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{40,}/", served.address)
        assert httpx.get(served.address).status_code == 200
        assert served.address in served._repr_html_()
    with pytest.raises(httpx.ConnectError):
        httpx.get(served.address)


def test_a_locked_folder_is_reported_before_an_address(tmp_path: Path):
    """Where another process has the folder open, nothing is announced: the error is, in one line and by exit code 4."""
    folder = tmp_path / "memory"
    with LongTermStore.chroma(folder, embed=FakeEmbeddings()) as store, Memory(store) as memory:
        _add(memory, "Likes tea")
        command = [sys.executable, "-m", "langchain_mem.cli", "ui", "--store", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (4, "", 1)
    assert "Another process" in done.stderr


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
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=True)
    return done.stdout


def test_documents_and_instructions(memory: Memory, page: httpx.Client):
    """A document shows its fields and is found by its kind; what agents are told stands on a page of its own."""

    class Task(BaseModel):
        title: str

    key = memory.add_document(Task(title="Buy milk"), user_id="alex")["results"][0]["id"]
    memory.add("Likes tea", user_id="alex", infer=False)
    listed = page.get("owner", params={"user_id": "alex", "kind": "Task"}).text
    assert ("Buy milk" in listed, "Likes tea" in listed) == (True, False)
    assert "<dt>title</dt><dd>Buy milk</dd>" in page.get("memory", params={"id": key}).text
    memory.instruct("Be brief.", agent_id="tutor")
    memory.instruct("Be <kind>.", agent_id="tutor")
    told = page.get("instructions").text
    assert "Be &lt;kind&gt;." in told
    assert "-Be brief." in told


def test_the_inspector_of_a_process_reads_ahead(memory: Memory, monkeypatch: pytest.MonkeyPatch):
    """`memory.ui()` takes in what the first page counts before anybody opens it."""
    _add(memory, "Likes tea")
    counted = threading.Event()
    inner = memory.settings.overview.briefs  # type: ignore[union-attr]

    async def noted(*args: Any, **options: Any) -> Any:
        found = await inner(*args, **options)
        counted.set()
        return found

    monkeypatch.setattr(memory.settings.overview, "briefs", noted)
    with memory.ui(announce=None):
        assert counted.wait(60)
