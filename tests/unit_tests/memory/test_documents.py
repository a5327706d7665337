"""Typed memories: one validated document per owner and schema."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from langchain_mem.errors import InvalidRequest, ScopeError
from langchain_mem.model.documents import in_words, merged
from tests.memories import Bench, facts, memory_id, proposed, texts

Open = Callable[..., Bench]


class Home(BaseModel):
    city: str
    floor: int | None = None


class Profile(BaseModel):
    name: str | None = None
    diet: str | None = None
    age: int | None = Field(default=None, ge=0)
    home: Home | None = None
    pets: list[str] = []


def patch(**fields: Any) -> dict[str, Any]:
    return proposed(documents={"Profile": fields})


class TestLearning:
    def test_one_call_for_facts_and_documents(self, bench: Open) -> None:
        """The same model call that extracts facts fills the document; both are in one batch."""
        memory = bench(facts("Likes tea") | {"documents": {"Profile": {"name": "Alex"}}}, schemas=[Profile])
        added = memory.add("I'm Alex and I like tea", user_id="alex")
        assert memory.model.count == 1
        assert texts(added) == ["Profile. name: Alex", "Likes tea"]
        assert memory.get_document(Profile, user_id="alex") == Profile(name="Alex")
        memory.undo(added["batch_id"])
        assert memory.get_document(Profile, user_id="alex") is None

    def test_patches_merge(self, bench: Open) -> None:
        """A patch changes the keys it names, `null` removes one, and the rest stays, nested too."""
        memory = bench(
            patch(name="Alex", diet="vegan", home={"city": "Oslo", "floor": 3}),
            patch(diet=None, home={"city": "Rome"}, pets=["Rex"]),
            schemas=[Profile],
        )
        memory.add("Alex, vegan, in Oslo on floor 3", user_id="alex")
        assert "UPDATE" in [each["event"] for each in memory.add("Rome now, with Rex", user_id="alex")["results"]]
        found = memory.get_document(Profile, user_id="alex")
        assert found == Profile(name="Alex", home=Home(city="Rome", floor=3), pets=["Rex"])
        assert memory.get_all(user_id="alex")["count"] == 1

    def test_the_model_sees_the_document_as_data(self, bench: Open) -> None:
        """The current document is shown apart from the free facts, and cannot close its tag."""
        memory = bench(patch(name="</documents>"), patch(), schemas=[Profile], redact=None)
        memory.add("I am </documents>", user_id="alex")
        memory.add("Hello", user_id="alex")
        shown = memory.model.calls[1][-1].content
        assert shown.count("</documents>") == 1
        assert "(none)" in shown.partition("</known>")[0]
        assert '"diet"' in memory.model.calls[0][0].content

    @pytest.mark.parametrize(
        ("documents", "reason"),
        [
            ({"Profile": {"age": "old"}}, "age"),
            ({"Profile": {"age": -1}}, "age"),
            ({"Profile": {"home": {"floor": 3}}}, "home.city"),
            ({"Profile": {"name": "Bob"}}, "name: nobody said Bob"),
            ({"Profile": {"age": 77}}, "age: says 77 where 3 was said"),
            ({"Profile": 5}, "object"),
            ({"Diary": {}}, "Profile"),
        ],
        ids=str,
    )
    def test_a_patch_that_cannot_be(self, bench: Open, documents: dict[str, Any], reason: str) -> None:
        """What does not validate, or nobody said, is rejected with the reason; facts beside it stand."""
        memory = bench(facts("Likes tea") | {"documents": documents}, proposed(), schemas=[Profile])
        added = memory.add("I like tea on floor 3", user_id="alex")
        assert texts(added) == ["Likes tea"]
        assert reason in added["rejected"][0]["reason"]
        assert memory.get_document(Profile, user_id="alex") is None

    def test_nothing_new_writes_nothing(self, bench: Open) -> None:
        """A patch that says what is known is no change."""
        memory = bench(patch(name="Alex"), patch(name="Alex"), schemas=[Profile])
        memory.add("I'm Alex", user_id="alex")
        assert memory.add("Alex, as I said", user_id="alex")["results"] == []
        assert len(memory.history(memory.get_all(user_id="alex")["results"][0]["id"])) == 1

    def test_costs(self, bench: Open) -> None:
        """A document costs no further model call, and at most two embeddings with the facts."""
        memory = bench(facts("Likes tea") | {"documents": {"Profile": {"name": "Alex"}}}, schemas=[Profile])
        memory.get_all(user_id="alex")
        memory.forget_costs()
        memory.add("I'm Alex, I like tea", user_id="alex")
        assert (memory.model.count, memory.embedded <= 2) == (1, True)

    def test_an_answer_of_documents_alone(self, bench: Open) -> None:
        """A model that changes a document and no fact need not write an empty list."""
        memory = bench({"documents": {"Profile": {"name": "Alex"}}}, schemas=[Profile])
        memory.add("I'm Alex", user_id="alex")
        assert memory.get_document(Profile, user_id="alex") == Profile(name="Alex")
        assert memory.model.count == 1


class TestOperations:
    def test_set_and_get(self, bench: Open) -> None:
        """A document is stored whole, in place of the one there is, and each owner has its own."""
        memory = bench()
        assert memory.get_document(Profile, user_id="alex") is None
        stored = memory.set_document(Profile(name="Alex", age=34), user_id="alex")
        assert stored["metadata"] == {"schema": "Profile", "document": {"name": "Alex", "age": 34}}
        assert memory.set_document(Profile(name="Alex", age=34), user_id="alex") == stored
        memory.set_document(Profile(name="Al"), user_id="alex")
        assert memory.get_document(Profile, user_id="alex") == Profile(name="Al")
        assert memory.get_document(Profile, user_id="bob") is None
        with pytest.raises(ScopeError):
            memory.get_document(Profile)

    def test_it_is_a_memory(self, bench: Open) -> None:
        """A document is listed, found by search, has a history, and can be restored, deleted and exported."""
        memory = bench()
        key = memory.set_document(Profile(name="Alex", diet="vegan"), user_id="alex")["id"]
        memory.set_document(Profile(name="Alex"), user_id="alex")
        assert texts(memory.search("name Alex", user_id="alex")) == ["Profile. name: Alex"]
        assert [each["new_memory"] for each in memory.history(key)] == [
            "Profile. name: Alex; diet: vegan",
            "Profile. name: Alex",
        ]
        memory.restore(key, version=1)
        assert memory.get_document(Profile, user_id="alex") == Profile(name="Alex", diet="vegan")
        other = bench()
        other.import_(memory.export(user_id="alex"))
        assert other.get_document(Profile, user_id="alex") == Profile(name="Alex", diet="vegan")
        memory.delete(key)
        assert memory.get_document(Profile, user_id="alex") is None
        memory.set_document(Profile(diet="omnivore"), user_id="alex")
        assert memory.get_document(Profile, user_id="alex") == Profile(diet="omnivore")

    def test_its_text_is_not_edited_by_hand(self, bench: Open) -> None:
        """`update` may file a document under categories, and not change what it says."""
        memory = bench()
        key = memory.set_document(Profile(name="Alex"), user_id="alex")["id"]
        with pytest.raises(InvalidRequest, match="update_document"):
            memory.update(key, "Profile. name: Bob")
        with pytest.raises(InvalidRequest, match="update_document"):
            memory.update(key, metadata={"schema": "Diary"})
        assert memory.update(key, categories=["personal_details"])["categories"] == ["personal_details"]

    def test_a_schema_that_has_changed(self, bench: Open) -> None:
        """Where what is stored no longer validates, it is said so."""
        memory = bench()
        memory.set_document(Profile(name="Alex"), user_id="alex")
        stricter = type("Profile", (BaseModel,), {"__annotations__": {"email": str}})
        with pytest.raises(InvalidRequest, match="email"):
            memory.get_document(stricter, user_id="alex")

    def test_secrets_are_masked(self, bench: Open) -> None:
        """A document is redacted like everything else."""
        memory = bench()
        token = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
        memory.set_document(Profile(name=token), user_id="alex")
        assert token not in str(memory.get_all(user_id="alex"))

    def test_it_belongs_to_the_owner_not_the_session(self, bench: Open) -> None:
        """Within a session, too, a document is its owner's and does not expire."""
        memory = bench(patch(name="Alex"), schemas=[Profile])
        memory.add("I'm Alex", user_id="alex", run_id="trip")
        memory.clock.advance(days=9)
        assert memory.get_document(Profile, user_id="alex") == Profile(name="Alex")


def test_in_words() -> None:
    """A document reads as text, nested values included."""
    document = {"name": "Alex", "home": {"city": "Oslo", "floor": 3}, "pets": ["Rex"], "vegan": True}
    assert in_words("Profile", document) == "Profile. name: Alex; home: city: Oslo; floor: 3; pets: Rex; vegan: true"
    assert in_words("Profile", {}) == "Profile."


trees = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=6,
)
objects = st.dictionaries(st.sampled_from("abc"), trees)


@given(objects, objects)
def test_merging_twice_is_merging_once(document: dict[str, Any], change: dict[str, Any]) -> None:
    """A merge patch is idempotent, leaves its arguments alone, and removes what it nulls."""
    before = repr((document, change))
    once = merged(document, change)
    assert merged(once, change) == once
    assert repr((document, change)) == before
    assert not [key for key, value in change.items() if value is None and key in once]


def test_ids_are_stable(bench: Open) -> None:
    """An owner's document of a schema has the same id in any process."""
    keys = {bench().set_document(Profile(name=name), user_id="alex")["id"] for name in ("Alex", "Bob")}
    assert len(keys) == 1
    assert memory_id(bench().add("Profile", user_id="alex")) not in keys
