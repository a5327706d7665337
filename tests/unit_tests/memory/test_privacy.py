"""What a memory is told in confidence is in nothing that it keeps, gives back, notes or says."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from pydantic import BaseModel

from langchain_mem import Hash, LongTermStore, Many, Mask, Memory
from langchain_mem._flow import run
from langchain_mem.background.waiting import Patience
from langchain_mem.decay import Decay
from langchain_mem.errors import InvalidRequest, MemError
from langchain_mem.testing import FakeClock, FakeEmbeddings, ScriptedModel

SECRET = "hunter2!plum"
TOLD = f"password: {SECRET}"
MAIL = "mira@example.com"


def _memory(**config: Any) -> Memory:
    clock = FakeClock()
    return Memory(LongTermStore.in_memory(embed=FakeEmbeddings(), clock=clock), **{"clock": clock, **config})


def _everything(memory: Memory, **ids: str) -> str:
    """All that a memory keeps and tells of an owner."""
    rows = memory.store.search(())
    told = [memory.export(**ids), memory.events(), memory.get_all(**ids), [row.value for row in rows]]
    return json.dumps(told, default=str)


def test_secrets_are_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    """Texts, metadata, categories, speakers' names, reasons and queries are masked in memories, events and logs."""
    caplog.set_level(logging.DEBUG)
    memory = _memory()
    said = HumanMessage(f"I like tea and my {TOLD}", name=TOLD.replace(" ", ""))
    (added,) = memory.add(
        [said], user_id="alex", metadata={TOLD: TOLD, "deep": [{"password": SECRET}]}, categories=[TOLD]
    )["results"]
    memory.search(f"tea, {TOLD}", user_id="alex")
    memory.update(added["id"], f"Likes tea. {TOLD}", user_id="alex", metadata={"note": TOLD}, categories=[TOLD])
    memory.feedback(added["id"], "NEGATIVE", f"wrong, {TOLD}", user_id="alex")
    assert SECRET not in _everything(memory, user_id="alex")
    assert SECRET not in caplog.text
    assert "redacted:password" in _everything(memory, user_id="alex")


class Login(BaseModel):
    """Where somebody signs in."""

    site: str
    note: str


class Trip(BaseModel):
    """A journey."""

    to: str


def test_secrets_are_in_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    """Nor in documents, instructions, what waits, plans, summaries of sessions, promoted notes or filters."""
    caplog.set_level(logging.DEBUG)
    model = ScriptedModel(otherwise=lambda _: {"operations": []})
    memory = _memory(schemas=[Login, Many(Trip)], log_text=True)
    ids = {"user_id": "alex"}
    memory.set_document(Login(site="x.org", note=f"my {TOLD}"), **ids)
    memory.set_document(Login(site="y.org", note=f"my {TOLD}"), **ids)
    (trip,) = memory.add_document(Trip(to=f"Rome, {TOLD}"), metadata={TOLD: TOLD}, categories=[TOLD], **ids)["results"]
    memory.update_document(trip["id"], {"to": f"Ostia, {TOLD}"}, **ids)
    memory.instruct(f"Sign in with {TOLD}", agent_id="bot", reason=f"since {TOLD}")
    memory.add(f"the gate's {TOLD}", run_id="s", **ids)
    memory.promote(run_id="s", metadata={"why": TOLD}, **ids)
    memory.add(f"the door's {TOLD}", run_id="t", **ids)
    memory.end_session("t", **ids)
    memory.search("tea", filters={"metadata.note": f"my {TOLD}"}, **ids)
    memory.explain(f"tea, {TOLD}", **ids)
    planning = Memory(memory.store, clock=memory.clock, model=model, log_text=True)
    planning.plan(f"my {TOLD}", source={"thread_id": "t", "message_ids": ["m"]}, **ids)
    waits = [{"role": "user", "content": f"my {TOLD}", "id": "w"}]
    patience = Patience(after=timedelta(hours=1))
    run(planning.operations.wait(waits, message_ids=["w"], thread_id="t", patience=patience, **ids))
    planning.flush()
    told = [_everything(memory, **ids), planning.events(), memory.instructions(agent_id="bot"), caplog.text]
    asked = [[message.text for message in call] for call in model.calls]
    assert SECRET not in json.dumps([told, asked], default=str)
    assert "redacted:password" in told[0]


def test_an_import_is_masked() -> None:
    """What an export from elsewhere holds in clear is masked as `add` masks it, in the history, too."""
    there, here = _memory(redact=None), _memory()
    (added,) = there.add(f"Likes tea. {TOLD}", user_id="alex", metadata={"note": TOLD}, categories=[TOLD])["results"]
    there.update(added["id"], f"Likes jam. {TOLD}", user_id="alex")
    there.feedback(added["id"], "NEGATIVE", f"wrong, {TOLD}", user_id="alex")
    lines = there.export(user_id="alex")
    assert SECRET in str(lines)
    assert here.import_(lines)["imported"] > 0
    assert SECRET not in _everything(here, user_id="alex")
    assert here.search("jam", user_id="alex")["results"][0]["id"] == added["id"]
    assert here.import_(here.export(user_id="alex"), on_conflict="replace")["replaced"] > 0  # masked once
    plain = _memory(redact=None)
    plain.import_(lines)
    assert SECRET in _everything(plain, user_id="alex")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda memory: memory.search("x", user_id="alex", filters={"password: " + SECRET: 1}),
        lambda memory: memory.search("x", user_id="alex", order=TOLD),
        lambda memory: memory.get_all(user_id="alex", filters={"confidence": TOLD}),
        lambda memory: memory.feedback("1", TOLD, user_id="alex"),
    ],
)
def test_errors_say_no_secret(wrong: Any) -> None:
    """A message shows a part of what was wrong, without its secrets."""
    with pytest.raises(MemError) as raised:
        wrong(_memory())
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    ("pii", "kept"), [("leave", MAIL), ("mask", "[redacted:email]"), (Mask(kinds=("phone",)), MAIL)]
)
def test_personal_data_by_a_switch(pii: Any, kept: str) -> None:
    """Personal data stays by default, and is masked where that is asked for."""
    memory = _memory(pii=pii)
    memory.add(f"Write to {MAIL}", user_id="alex")
    assert memory.get_all(user_id="alex")["results"][0]["memory"] == f"Write to {kept}"


def test_hashed_personal_data_is_found() -> None:
    """What is known of an address is found by the address, which is nowhere."""
    memory = _memory(pii=Hash(key="sixteen bytes or more"))
    memory.add(f"The invoice of March goes to {MAIL}", user_id="alex")
    memory.add("The invoice of April goes to omar@example.com", user_id="alex")
    found = memory.search(MAIL.upper(), user_id="alex", top_k=1)["results"][0]
    assert "March" in found["memory"]
    assert "mira" not in _everything(memory, user_id="alex").lower()


@pytest.mark.parametrize(
    ("call", "meant"),
    [
        (lambda memory: memory.search("x", userid="alex"), "user_id"),
        (lambda memory: memory.add("x", user="alex"), "user_id"),
        (lambda memory: memory.search("x", user_id="alex", topk=3), "top_k"),
        (lambda memory: memory.search("x", user_id="alex", filters={"food": "tea"}), "metadata.food"),
        (lambda memory: memory.search("x", user_id="alex", filters={"categorys": "tea"}), "categories"),
        (lambda memory: memory.search("x", user_id="alex", filters={"confidence": {"gtee": 1}}), "gte"),
        (lambda memory: memory.search("x", user_id="alex", filters={"ANDD": []}), "AND"),
    ],
)
def test_says_which_name_was_meant(call: Any, meant: str) -> None:
    """A name that is nearly right is answered by the right one."""
    with pytest.raises(MemError, match=rf"Did you mean {meant}\?"):
        call(_memory())


@pytest.mark.parametrize(
    "wrong",
    [
        {"session_ttl": 3600},
        {"purge_after": 30},
        {"purge_after": timedelta(0)},
        {"min_confidence": "0.5"},
        {"model": "foo:bar"},
        {"model": 5},
        {"categories": ["food"]},
        {"redact": "yes"},
        {"pii": "drop"},
        {"schemas": [dict]},
        {"clock": 5},
        {"instructions": 5},
        {"decay": "on"},
        {"reinforce": "always"},
    ],
)
def test_arguments_are_checked_when_it_is_made(wrong: dict[str, Any]) -> None:
    """A wrong argument is told at once, and says what is allowed."""
    with pytest.raises(MemError):
        _memory(**wrong)


@pytest.mark.parametrize("place", ["mysql://app:s3cr3t@host/db", "https://app:s3cr3t@host", ""])
def test_a_place_that_is_none_is_not_shown(place: str) -> None:
    """An address may hold a password: it is refused without a word of it, and no folder is made of it."""
    with pytest.raises(InvalidRequest) as raised:
        Memory(place)
    assert "s3cr3t" not in str(raised.value)


def test_a_file_is_no_store(tmp_path: Any) -> None:
    """A store's path is a folder."""
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InvalidRequest, match="folder"):
        Memory(tmp_path / "notes.txt")


def test_a_policy_keeps_as_many_uses_as_it_reads() -> None:
    """`max_touches` above the default is not cut to the default."""
    memory = _memory(decay=Decay(max_touches=50))
    clock = memory.clock
    memory.add("I like tea", user_id="alex")
    for _ in range(40):
        clock.advance(hours=1)  # type: ignore[attr-defined]
        memory.search("tea", user_id="alex")
        memory.flush()
    rows = run(memory.store.items.backend.scan(((),), memory.clock(), 100))  # type: ignore[attr-defined]
    assert max(len(row.touches) for row in rows) > 30
