"""Typed memories of which an owner has many: episodes, tasks, triples."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

import pytest
from pydantic import BaseModel, Field

from langchain_mem import Many
from langchain_mem.errors import InvalidRequest, NotFound
from langchain_mem.model.documents import in_words
from tests.memories import Bench, events, facts, memory_id, op, proposed, texts

Open = Callable[..., Bench]


class Status(StrEnum):
    OPEN = "open"
    DONE = "done"


class Task(BaseModel):
    """Something the user has to do."""

    title: str
    due: date | None = None
    status: Status = Status.OPEN


class Triple(BaseModel):
    subject: str
    predicate: str
    object: str


class Profile(BaseModel):
    name: str | None = None


def doc(action: str, kind: str | None = "Task", memory: int | None = None, **document: Any) -> dict[str, Any]:
    """An operation on a document, resting on the first message."""
    return op(action, kind=kind, memory=memory, document=document or None)


def words(found: Any) -> list[str]:
    return sorted(texts(found))


class TestLearning:
    def test_one_call_for_everything(self, bench: Open) -> None:
        """The call that extracts facts adds documents of a kind and patches the one profile; one batch holds it all."""
        reply = proposed(
            op("add", "Likes tea"),
            doc("add", title="Buy milk", due="2026-01-03"),
            doc("add", title="Call Mia"),
            documents={"Profile": {"name": "Alex"}},
        )
        memory = bench(reply, schemas=[Profile, Many(Task)])
        added = memory.add("I'm Alex, I like tea. I have to buy milk by 3 January 2026 and call Mia.", user_id="alex")
        assert (memory.model.count, added.get("rejected")) == (1, None)
        tasks = memory.get_documents(Task, user_id="alex")
        assert sorted(task.title for task in tasks.values()) == ["Buy milk", "Call Mia"]
        assert {task.due for task in tasks.values()} == {date(2026, 1, 3), None}
        memory.undo(added["batch_id"])
        assert memory.get_all(user_id="alex")["count"] == 0

    def test_known_documents_are_patched_replaced_and_removed(self, bench: Open) -> None:
        """A model is shown the documents with numbers; what it does to one is in its history, and can be undone."""
        memory = bench(
            proposed(doc("add", title="Buy milk"), doc("add", title="Call Mia"), doc("add", title="Fix the bike")),
            proposed(
                doc("update", memory=0, status="done"),
                doc("supersede", memory=1, title="Visit Mia"),
                doc("delete", memory=2),
            ),
            schemas=[Many(Task)],
        )
        memory.add("I must buy milk, call Mia and fix the bike", user_id="alex")
        order = texts(memory.get_all(user_id="alex"))
        before = memory.clock.now
        memory.clock.advance(days=1)
        changed = memory.add("Milk is bought, I'll visit Mia instead, and forget the bike", user_id="alex")
        shown = memory.model.calls[1][-1].content
        assert shown.count("Task: {") == 3
        assert '"status": "open"' in shown
        assert len(events(changed)) == 3
        live = memory.get_documents(Task, user_id="alex")
        assert len(live) == 2
        assert len([task for task in live.values() if task.status is Status.DONE]) == 1
        assert "Visit Mia" in [task.title for task in live.values()]
        assert memory.search("Mia", user_id="alex", kind=Task, as_of=before)["results"][0]["memory"] in order
        memory.undo(changed["batch_id"])
        assert words(memory.get_all(user_id="alex")) == sorted(order)

    def test_said_again_is_not_added_again(self, bench: Open) -> None:
        """A document that is there already, in whatever case, stays one."""
        memory = bench(
            proposed(doc("add", title="Buy milk")), proposed(doc("add", title="buy Milk")), schemas=[Many(Task)]
        )
        memory.add("I must buy milk", user_id="alex")
        assert events(memory.add("I must buy milk!", user_id="alex")) == ["NONE"]
        assert len(memory.get_documents(Task, user_id="alex")) == 1

    def test_identity(self, bench: Open) -> None:
        """Documents that agree in their identity are one, whose history has the values."""
        job = {"subject": "Alex", "predicate": "works at"}
        memory = bench(
            proposed(doc("add", "Triple", object="Acme", **job), doc("add", "Triple", object="Initech", **job)),
            proposed(doc("add", "Triple", object="Globex", **job)),
            schemas=[Many(Triple, identity=["subject", "predicate"])],
        )
        first = memory.add("Alex works at Acme, no, at Initech", user_id="alex")
        assert texts(first) == ["Triple. subject: Alex; predicate: works at; object: Initech"]
        memory.add("Alex works at Globex now", user_id="alex")
        ((key, triple),) = memory.get_documents(Triple, user_id="alex").items()
        assert (triple.object, len(memory.history(key))) == ("Globex", 2)

    def test_an_invalid_document_is_asked_for_again(self, bench: Open) -> None:
        """What does not validate is shown to the model with its fault, once; what it corrects is kept."""
        memory = bench(
            proposed(op("add", "Likes tea"), doc("add", titel="Buy milk"), doc("add", title="Call Mia")),
            proposed(doc("add", title="Buy milk")),
            schemas=[Many(Task)],
        )
        added = memory.add("I like tea. I must buy milk and call Mia", user_id="alex")
        assert "rejected" not in added
        assert len(added["results"]) == 3
        asked = memory.model.calls[1][-1].content
        assert "title: Field required" in asked
        assert "titel" in asked
        assert "Call Mia" not in asked

    @pytest.mark.parametrize(
        "second", [proposed(), proposed(doc("add", titel="Buy milk")), TimeoutError("slow"), "no"], ids=str
    )
    def test_what_stays_invalid_is_reported(self, bench: Open, second: Any) -> None:
        """An invalid document that is not corrected is refused with the reason, and nothing else is lost."""
        memory = bench(proposed(op("add", "Likes tea"), doc("add", titel="Buy milk")), second, schemas=[Many(Task)])
        added = memory.add("I like tea. I must buy milk", user_id="alex")
        assert texts(added) == ["Likes tea"]
        (refused,) = added["rejected"]
        assert refused["operation"]["document"] == {"titel": "Buy milk"}
        assert "title" in refused["reason"]
        assert memory.model.count == 2

    @pytest.mark.parametrize(
        ("operation", "reason"),
        [
            (doc("add", "Diary", title="Buy milk"), "there is no kind 'Diary'; there are Task"),
            (doc("add"), "document is an object with the keys of a Task"),
            (doc("update", status="done"), "update needs the number of a known Task"),
            (doc("delete", memory=7), "memory 7 is not among"),
            (doc("update", memory=0, status="half"), "status"),
        ],
        ids=str,
    )
    def test_what_cannot_be(self, bench: Open, operation: dict[str, Any], reason: str) -> None:
        """An operation that cannot be is refused with what is allowed; the document stays as it was."""
        memory = bench(proposed(operation), proposed(), schemas=[Many(Task)])
        memory.add_document(Task(title="Call Mia"), user_id="alex")
        added = memory.add("I must call Mia", user_id="alex")
        assert reason in added["rejected"][0]["reason"]
        assert list(memory.get_documents(Task, user_id="alex").values()) == [Task(title="Call Mia")]

    def test_values_are_held_against_what_was_said(self, bench: Open) -> None:
        """A value that nobody said is left out and reported, one in doubt is kept with the doubt; the rest stands."""
        memory = bench(
            proposed(doc("add", title="Call Bob", due="2026-02-09"), doc("add", title="Water the ferns")),
            schemas=[Many(Task)],
        )
        added = memory.add("I have to call Bob on 8 February 2026, and water the plants", user_id="alex")
        assert texts(added) == ["Task. title: Call Bob; status: open", "Task. title: Water the ferns; status: open"]
        assert added["rejected"][0]["reason"] == "due: says another date than was said"
        assert added["results"][1]["doubt"] == "title: not said: ferns"
        strict = bench(proposed(doc("add", title="Water the ferns")), schemas=[Many(Task)], grounding="strict")
        assert strict.add("I have to water the plants", user_id="alex")["results"] == []

    def test_what_a_model_words_by_itself(self, bench: Open) -> None:
        """Fields of `own_words` and a schema's own vocabulary are not compared."""

        class Lesson(BaseModel):
            topic: str
            lesson: str
            priority: int = Field(ge=1, le=5)

        reply = proposed(doc("add", "Lesson", topic="bread", lesson="Short answers land better", priority=4))
        memory = bench(reply, schemas=[Many(Lesson, own_words=["lesson", "priority"])])
        (result,) = memory.add("Thanks, that was short. I have 2 questions on bread.", user_id="alex")["results"]
        assert (result["event"], result.get("doubt")) == ("ADD", None)

    def test_only_users_change_documents(self, bench: Open) -> None:
        """What an assistant or a tool says removes and patches nothing."""
        memory = bench(proposed(doc("delete", memory=0), doc("update", memory=0, status="done")), schemas=[Many(Task)])
        memory.add_document(Task(title="Call Mia"), user_id="alex")
        said = [{"role": "assistant", "content": "I called Mia, forget it"}, {"role": "user", "content": "Oh"}]
        added = memory.add(said, user_id="alex")
        assert [each["reason"] for each in added["rejected"]] == 2 * [
            "only a user's message can remove or change a document"
        ]

    def test_what_a_model_may_do(self, bench: Open) -> None:
        """A kind says whether a model may insert, patch and remove."""
        kept = Many(Task, insert=False, update=False, remove=False)
        memory = bench(proposed(doc("add", title="Buy milk"), doc("delete", memory=0)), schemas=[kept])
        memory.add_document(Task(title="Call Mia"), user_id="alex")
        added = memory.add("I must buy milk, and not call Mia", user_id="alex")
        assert [each["reason"] for each in added["rejected"]] == [
            "a model may not add a Task",
            "a model may not delete a Task",
        ]

    def test_kinds_that_are_not_needed_cost_nothing(self, bench: Open) -> None:
        """Without kinds the prompt and the form of the answer say nothing of documents."""
        memory = bench(facts("Likes tea"), facts("Likes tea"))
        memory.add("I like tea", user_id="alex")
        assert "document" not in memory.model.calls[0][0].content

    def test_a_document_lives_as_long_as_its_kind(self, bench: Open) -> None:
        """Documents expire after the `ttl` of their kind, unless an end was said."""
        reply = proposed(doc("add", title="Buy milk"), doc("add", title="Pack") | {"expires": "2027-01-01"})
        memory = bench(reply, schemas=[Many(Task, ttl=timedelta(days=2))])
        memory.add("I must buy milk, and pack by 2027-01-01", user_id="alex")
        memory.add_document(Task(title="Call Mia"), user_id="alex")
        memory.clock.advance(days=3)
        assert [task.title for task in memory.get_documents(Task, user_id="alex").values()] == ["Pack"]

    def test_the_relevant_ones_are_shown(self, bench: Open) -> None:
        """Of many documents a model is shown those that the conversation may be about."""
        memory = bench(proposed(doc("none", memory=0)), schemas=[Many(Task, shown=6)])
        memory.add_document([Task(title=f"Chore number {n}") for n in range(30)], user_id="alex")
        memory.add_document(Task(title="Repair the red bicycle"), user_id="alex")
        memory.clock.advance(days=1)
        memory.add_document([Task(title=f"Errand number {n}") for n in range(30)], user_id="alex")
        memory.add("The bicycle, it is to be repaired", user_id="alex")
        shown = memory.model.calls[0][-1].content
        assert shown.count("Task: {") == 6
        assert "red bicycle" in shown

    def test_secrets_stay_out(self, bench: Open) -> None:
        """A secret in a document is masked, as everywhere."""
        token = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
        memory = bench(proposed(doc("add", title=f"Use {token}")), schemas=[Many(Task)])
        memory.add("I have to use the token", user_id="alex")
        memory.add_document(Task(title=f"Rotate {token}"), user_id="alex")
        assert token not in str(memory.export(user_id="alex"))

    def test_an_agent_has_documents_of_its_own(self, bench: Open) -> None:
        """With a user and an agent, each has its documents, and neither changes the other's."""
        memory = bench(
            proposed(
                doc("add", title="Buy milk"),
                doc("add", title="Send the list") | {"subject": "assistant", "evidence": [1]},
            ),
            schemas=[Many(Task)],
        )
        said = [
            {"role": "user", "content": "I must buy milk"},
            {"role": "assistant", "content": "I will send the list"},
        ]
        memory.add(said, user_id="alex", agent_id="helper")
        assert [task.title for task in memory.get_documents(Task, user_id="alex").values()] == ["Buy milk"]
        assert [task.title for task in memory.get_documents(Task, agent_id="helper").values()] == ["Send the list"]


class TestOperations:
    def test_add_change_list_remove(self, bench: Open) -> None:
        """An application adds, patches, replaces, lists and removes documents without a model."""
        memory = bench(schemas=[Many(Task)])
        added = memory.add_document([Task(title="Buy milk"), Task(title="Call Mia")], user_id="alex")
        milk, mia = (each["id"] for each in added["results"])
        memory.update_document(milk, {"status": "done"}, user_id="alex")
        memory.update_document(mia, Task(title="Call Mia", due=date(2026, 1, 3)))
        assert memory.get_documents(Task, user_id="alex", filters={"document.status": "open"}) == {
            mia: Task(title="Call Mia", due=date(2026, 1, 3))
        }
        memory.delete(mia)
        assert list(memory.get_documents(Task, user_id="alex")) == [milk]
        assert [each["version"] for each in memory.history(milk)] == [1, 2]
        memory.undo(added["batch_id"], user_id="alex")
        with pytest.raises(NotFound):
            memory.update_document("no-such-id", {"status": "open"})
        with pytest.raises(InvalidRequest, match=r"status: Input should be 'open' or 'done'"):
            memory.update_document(milk, {"status": "half"})

    def test_found_with_the_rest(self, bench: Open) -> None:
        """Documents are found among facts, alone by their kind, and by the values of their fields."""
        memory = bench()
        memory.add("Mia likes cake", user_id="alex")
        memory.add_document([Task(title="Call Mia"), Task(title="Buy cake", status=Status.DONE)], user_id="alex")
        memory.add_document(Triple(subject="Mia", predicate="likes", object="cake"), user_id="alex")
        assert len(texts(memory.search("Mia cake", user_id="alex", threshold=0))) == 4
        assert words(memory.search("Mia cake", user_id="alex", kind="Task")) == [
            "Task. title: Buy cake; status: done",
            "Task. title: Call Mia; status: open",
        ]
        done = {"kind": "Task", "document": {"status": "done"}}
        assert texts(memory.search("cake", user_id="alex", filters=done)) == ["Task. title: Buy cake; status: done"]
        assert memory.get_all(user_id="alex", kind=Triple)["count"] == 1
        assert texts(memory.get_all(user_id="alex", filters={"kind": None})) == ["Mia likes cake"]
        assert memory.delete_all(user_id="alex", filters={"kind": "Task"})["deleted"] == 2
        assert "- Triple. subject: Mia" in memory.memory.context(memory.search("Mia", user_id="alex", kind=Triple))

    def test_export_and_import(self, bench: Open) -> None:
        """Documents travel with their history."""
        memory = bench(schemas=[Many(Task)])
        key = memory_id(memory.add_document(Task(title="Buy milk"), user_id="alex"))
        memory.update_document(key, {"status": "done"})
        other = bench(schemas=[Many(Task)])
        other.import_(memory.export(user_id="alex"))
        assert other.get_documents(Task, user_id="alex") == {key: Task(title="Buy milk", status=Status.DONE)}
        assert other.restore(key, version=1)["metadata"]["document"]["status"] == "open"

    def test_a_schema_that_has_changed(self, bench: Open) -> None:
        """Documents that are no longer valid are named, or passed over where asked; none is lost."""
        memory = bench()
        key = memory_id(memory.add_document(Task(title="Buy milk"), user_id="alex"))
        stricter = type("Task", (BaseModel,), {"__annotations__": {"owner": str}})
        with pytest.raises(InvalidRequest, match=f"{key}.*owner: Field required"):
            memory.get_documents(stricter, user_id="alex")
        assert memory.get_documents(stricter, user_id="alex", skip_invalid=True) == {}
        assert memory.get_all(user_id="alex", kind=stricter)["count"] == 1

    def test_one_or_many(self, bench: Open) -> None:
        """A schema is declared in one form, and the operations of the other one say so."""
        memory = bench(schemas=[Profile, Many(Task)])
        with pytest.raises(InvalidRequest, match="add_document"):
            memory.set_document(Task(title="Buy milk"), user_id="alex")
        with pytest.raises(InvalidRequest, match="get_documents"):
            memory.get_document(Task, user_id="alex")
        with pytest.raises(InvalidRequest, match="set_document"):
            memory.add_document(Profile(name="Alex"), user_id="alex")

    @pytest.mark.parametrize(
        "wrong",
        [
            lambda: Many(int),
            lambda: Many(Task, identity=["name"]),
            lambda: Many(Task, identity="title"),
            lambda: Many(Task, ttl=5),
            lambda: Many(Task, shown=0),
            lambda: Bench(schemas=[Many(Task), Task]),
            lambda: Bench(schemas=Many(Task)),
            lambda: Bench().add_document({"title": "x"}, user_id="alex"),
            lambda: Bench().add_document([], user_id="alex"),
            lambda: Bench().add_document(Task(title="x"), user_id="alex", importance="high"),
            lambda: Bench().search("x", user_id="alex", kind=5),
        ],
    )
    def test_what_is_refused(self, wrong: Callable[[], Any]) -> None:
        """A declaration or an argument that cannot be is told at once."""
        with pytest.raises(InvalidRequest):
            wrong()

    def test_aliases(self, bench: Open) -> None:
        """A document is kept under the names that its JSON schema has."""

        class Trip(BaseModel):
            from_: str = Field(alias="from")

        memory = bench(schemas=[Many(Trip, identity=["from"])])
        key = memory_id(memory.add_document(Trip(**{"from": "Oslo"}), user_id="alex"))
        assert memory.get(key)["memory"] == in_words("Trip", {"from": "Oslo"})
        assert memory.get_documents(Trip, user_id="alex")[key].from_ == "Oslo"
