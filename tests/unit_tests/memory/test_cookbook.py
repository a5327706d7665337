"""The code of five published pages on memory, block by block, as they print it.

Only the import, the constructor and the ids of memories differ. A scripted model stands in for the real one.

- "Define short-term versus long-term retention so the store stays fresh"
- "What is the difference between short-term and long-term memory in AI agents?"
- "How Mem0 organizes memory"
- "Advanced memory operations"
- "Memory decay"
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from langchain_mem.memory.facade import AsyncMemory, Memory
from langchain_mem.store.long_term import LongTermStore
from langchain_mem.testing import FakeClock, FakeEmbeddings, ScriptedModel
from tests.memories import against, events, facts, op, proposed, texts


def _memory(*replies: Any, clock: FakeClock | None = None, **options: Any) -> Memory:
    clock = clock or FakeClock(datetime.now(UTC))
    store = LongTermStore.in_memory(embed=FakeEmbeddings(), clock=clock)
    return Memory(store, model=ScriptedModel(*replies) if replies else None, clock=clock, **options)


class TestRetention:
    """ "Define short-term versus long-term retention so the store stays fresh"."""

    def test_without_expiration_all_stays(self) -> None:
        """Half a year later both are still there."""
        clock = FakeClock(datetime.now(UTC))
        client = _memory(clock=clock)
        # Store user preference
        client.add("User prefers dark mode", user_id="sarah")

        # Store session context
        client.add("Currently browsing electronics category", user_id="sarah")

        # 6 months later - both still exist
        clock.advance(days=180)
        results = client.get_all(filters={"user_id": "sarah"})
        assert f"Total memories: {len(results['results'])}" == "Total memories: 2"

    def test_what_is_temporary_goes_by_itself(self) -> None:
        """After seven days the context is gone, and the preferences are listed as permanent."""
        clock = FakeClock(datetime.now(UTC))
        client = _memory(clock=clock)
        # Session context - expires in 7 days
        expires_at = (datetime.now() + timedelta(days=7)).isoformat()

        client.add("Currently browsing electronics category", user_id="sarah", expiration_date=expires_at)

        # User preference - no expiration, persists forever
        client.add("User prefers dark mode", user_id="sarah")

        client.add("User prefers email notifications", user_id="sarah")
        client.add("User's birthday is March 15th", user_id="sarah")
        client.add("User completed onboarding on Jan 5th", user_id="sarah")

        printed = []
        results = client.get_all(filters={"user_id": "sarah"})
        for memory in results["results"]:
            exp_date = memory.get("expiration_date")

            if exp_date:
                printed.append(f"Temporary: {memory['memory']}")
                printed.append(f"  Expires: {exp_date}\n")
            else:
                printed.append(f"Permanent: {memory['memory']}\n")
        assert [line.partition(":")[0].strip() for line in printed].count("Permanent") == 4
        assert [line.partition(":")[0].strip() for line in printed].count("Temporary") == 1
        assert next(line for line in printed if "Expires" in line).strip().endswith("Z")

        clock.advance(days=8)
        results = client.get_all(filters={"user_id": "sarah"})
        assert len(results["results"]) == 4
        assert "Currently browsing electronics category" not in texts(results)


class TestShortAndLongTerm:
    """ "What is the difference between short-term and long-term memory in AI agents?"."""

    def test_the_chat_function(self) -> None:
        """Long-term memories come into the prompt, and what is said goes back to long-term memory."""
        memory = _memory(facts("Works with PostgreSQL"), proposed())
        prompts: list[Any] = []

        def complete(model: str, messages: list[dict[str, str]]) -> Any:
            prompts.append(messages)
            reply = SimpleNamespace(message=SimpleNamespace(content="Noted."))
            return SimpleNamespace(choices=[reply])

        client = SimpleNamespace(chat=SimpleNamespace(completions=SimpleNamespace(create=complete)))

        def chat(user_id, user_message, session_messages):  # type: ignore[no-untyped-def]
            # Load long-term memories into short-term context
            memories = memory.search(user_message, user_id=user_id, limit=5)
            memory_context = "\n".join([m["memory"] for m in memories["results"]])

            messages = [
                {"role": "system", "content": f"Known facts about this user:\n{memory_context}"},
                *session_messages,
                {"role": "user", "content": user_message},
            ]

            response = client.chat.completions.create(model="gpt-4o", messages=messages)
            reply = response.choices[0].message.content

            # Write new facts back to long-term memory
            memory.add(
                [
                    {"role": "user", "content": user_message},
                    {"role": "assistant", "content": reply},
                ],
                user_id=user_id,
            )

            return reply

        assert chat("alex", "I work with PostgreSQL", []) == "Noted."
        assert chat("alex", "Which database with PostgreSQL?", []) == "Noted."
        assert prompts[0][0]["content"] == "Known facts about this user:\n"
        assert prompts[1][0]["content"] == "Known facts about this user:\nWorks with PostgreSQL"


class TestOrganization:
    """ "How Mem0 organizes memory"."""

    def test_session_and_user_memory(self) -> None:
        """A note of a session is found in that session with the user's lasting memories, and expires."""
        clock = FakeClock(datetime.now(UTC))
        memory = _memory(clock=clock)
        # Sticky note: conversation memory
        memory.add(
            ["I'm Alex and I prefer boutique hotels."],
            user_id="alex",
            session_id="trip-planning-2025",
        )

        # Later in the session, pull long-term + session context
        results = memory.search(
            "Any hotel preferences?",
            user_id="alex",
            session_id="trip-planning-2025",
        )
        assert texts(results) == ["I'm Alex and I prefer boutique hotels."]
        assert results["results"][0]["layer"] == "session"
        clock.advance(hours=25)
        assert memory.search("Any hotel preferences?", user_id="alex", session_id="trip-planning-2025")["results"] == []

    def test_user_memories_first_then_session_notes_then_raw_history(self) -> None:
        """The retrieval order of the page."""
        memory = _memory()
        memory.add("hotels by the sea", user_id="alex", session_id="trip")
        memory.add("hotels with breakfast", user_id="alex")
        thread = [{"role": "user", "content": "hotels?"}]
        found = memory.search("hotels", user_id="alex", session_id="trip", history=thread)["results"]
        assert [each["layer"] for each in found] == ["user", "session", "conversation"]


ALEX = [
    {"role": "user", "content": "Hi, I'm Alex. I'm a vegetarian and I'm allergic to nuts."},
    {
        "role": "assistant",
        "content": "Hello Alex! I've noted that you're a vegetarian and have a nut allergy. I'll keep this in mind for "
        "any food-related recommendations or discussions.",
    },
]
LEARNED = proposed(
    op("add", "Name is Alex", categories=["personal_details"]),
    op("add", "Is a vegetarian", categories=["food_preferences"]),
    op("add", "Is allergic to nuts", categories=["food_preferences"]),
)
CATEGORIES = {"personal_details": "who they are", "food_preferences": "food and diet", "likes": "what they like"}


class TestAdvancedCreation:
    """ "Advanced memory operations": creation."""

    async def test_async_client(self) -> None:
        """The coroutine form has the plain names."""
        client = AsyncMemory(
            LongTermStore.in_memory(embed=FakeEmbeddings()), model=ScriptedModel(facts("Is travelling to SF"))
        )

        async def main() -> Any:
            messages = [{"role": "user", "content": "I'm travelling to SF"}]
            return await client.add(messages, user_id="john")

        assert texts(await main()) == ["Is travelling to SF"]
        await client.close()

    def test_long_term_memory_with_full_context(self) -> None:
        """Metadata is stored with each fact, and can be filtered by."""
        client = _memory(LEARNED, categories=CATEGORIES)
        messages = ALEX

        client.add(messages, user_id="alex", metadata={"food": "vegan"})
        found = client.get_all(user_id="alex", filters={"metadata": {"food": "vegan"}})
        assert len(found["results"]) == 3

    def test_short_term_memory_for_sessions(self) -> None:
        """With a run id the facts are notes of that session."""
        client = _memory(
            facts("Plans a trip to Japan next month", "Wants vegetarian restaurants in Tokyo", evidence=[0, 2])
        )
        messages = [
            {"role": "user", "content": "I'm planning a trip to Japan next month."},
            {
                "role": "assistant",
                "content": "That's exciting, Alex! A trip to Japan next month sounds wonderful. Would you like some "
                "recommendations for vegetarian-friendly restaurants in Japan?",
            },
            {"role": "user", "content": "Yes, please! Especially in Tokyo."},
            {
                "role": "assistant",
                "content": "Great! I'll remember that you're interested in vegetarian restaurants in Tokyo for your "
                "upcoming trip. I'll prepare a list for you in our next interaction.",
            },
        ]

        client.add(messages, user_id="alex", run_id="trip-planning-2024")
        found = client.get_all(user_id="alex", run_id="trip-planning-2024")["results"]
        assert [(each["layer"], each["run_id"]) for each in found] == [("session", "trip-planning-2024")] * 2
        assert all(each["expiration_date"] for each in found)

    def test_agent_memories(self) -> None:
        """An agent's memories rest on what the assistant says, and what it is told to be."""
        client = _memory(facts("Is an AI tutor called Alice", evidence=[1]))
        messages = [
            {"role": "system", "content": "You are an AI tutor with a personality. Give yourself a name for the user."},
            {
                "role": "assistant",
                "content": "Understood. I'm an AI tutor with a personality. My name is Alice.",
            },
        ]

        client.add(messages, agent_id="ai-tutor")
        (found,) = client.get_all(agent_id="ai-tutor")["results"]
        assert (found["agent_id"], found["user_id"], found["layer"]) == ("ai-tutor", None, "agent")

    def test_dual_user_and_agent_memories(self) -> None:
        """Each side's memories are stored for its own id."""
        client = _memory(
            proposed(
                op("add", "Is travelling to San Francisco", subject="user", evidence=[0]),
                op("add", "Is going to Dubai next month", subject="assistant", evidence=[1]),
            )
        )
        messages = [
            {"role": "user", "content": "I'm travelling to San Francisco"},
            {"role": "assistant", "content": "That's great! I'm going to Dubai next month."},
        ]

        client.add(messages=messages, user_id="user1", agent_id="agent1")
        assert texts(client.get_all(user_id="user1")) == ["Is travelling to San Francisco"]
        assert texts(client.get_all(agent_id="agent1")) == ["Is going to Dubai next month"]


@pytest.fixture
def stocked() -> Memory:
    client = _memory(LEARNED, categories=CATEGORIES, all_owners=True)
    client.add(ALEX, user_id="alex", metadata={"food": "vegan"})
    client.add("I like to play chess", user_id="alex", infer=False, categories=["likes"])
    client.add("I book aisle seats", agent_id="travel-assistant", infer=False)
    client.add("I prefer short walks", user_id="alex", run_id="trip", infer=False)
    client.add("What do you know about me?", user_id="bob", infer=False)
    return client


class TestAdvancedSearch:
    """ "Advanced memory operations": search with filters."""

    query = "What do you know about me?"

    def _found(self, client: Memory, filters: dict[str, Any]) -> set[str]:
        result = client.search(self.query, version="v2", filters=filters, threshold=0.0, top_k=50)
        assert sorted(texts(client.get_all(version="v2", filters=filters))) == sorted(texts(result))
        return set(texts(result))

    def test_example_1_user_and_agent_filters(self, stocked: Memory) -> None:
        """Either owner's."""
        filters = {"OR": [{"user_id": "alex"}, {"agent_id": {"in": ["travel-assistant", "customer-support"]}}]}
        assert self._found(stocked, filters) == {
            "Name is Alex",
            "Is a vegetarian",
            "Is allergic to nuts",
            "I like to play chess",
            "I book aisle seats",
            "I prefer short walks",
        }

    def test_example_2_date_filters(self, stocked: Memory) -> None:
        """A range that cannot hold is the empty set."""
        filters = {"AND": [{"created_at": {"gte": "2024-07-20", "lte": "2024-07-10"}}, {"user_id": "alex"}]}
        assert self._found(stocked, filters) == set()

    def test_example_3_metadata_and_categories(self, stocked: Memory) -> None:
        """Both at once; an administrator's client names no owner."""
        filters = {"AND": [{"metadata": {"food": "vegan"}}, {"categories": {"contains": "food_preferences"}}]}
        assert self._found(stocked, filters) == {"Is a vegetarian", "Is allergic to nuts"}

    def test_example_4_not_filters(self, stocked: Memory) -> None:
        """All but those."""
        filters = {"NOT": [{"categories": {"contains": "food_preferences"}}]}
        assert self._found(stocked, filters) == {
            "Name is Alex",
            "I like to play chess",
            "I book aisle seats",
            "I prefer short walks",
            "What do you know about me?",
        }

    def test_example_5_wildcard_filters(self, stocked: Memory) -> None:
        """Every run of one user."""
        filters = {
            "AND": [
                {"user_id": "alex"},
                {"run_id": "*"},  # Matches all run_ids
            ]
        }
        assert self._found(stocked, filters) == {"I prefer short walks"}


class TestAdvancedRetrieval:
    """ "Advanced memory operations": get all."""

    def test_pages_categories_and_keywords(self, stocked: Memory) -> None:
        """The blocks of "Get all memories"."""
        client = stocked
        memories = client.get_all(user_id="alex", page=1, page_size=50)
        assert (memories["count"], memories["next"]) == (5, None)

        # Get memories with specific categories
        memories = client.get_all(user_id="alex", categories=["likes"])
        assert texts(memories) == ["I like to play chess"]

        # Get memories with multiple categories
        memories = client.get_all(user_id="alex", categories=["likes", "food_preferences"])
        assert memories["count"] == 3

        # Custom pagination with categories
        memories = client.get_all(user_id="alex", categories=["likes"], page=1, page_size=50)
        assert memories["count"] == 1

        # Get memories with specific keywords
        memories = client.get_all(user_id="alex", keywords="to play", page=1, page_size=50)
        assert texts(memories) == ["I like to play chess"]

    def test_custom_filters(self) -> None:
        """July's food preferences, with and without pages."""
        client = _memory(clock=FakeClock(datetime(2024, 7, 15, tzinfo=UTC)))
        client.add("Eats rice", user_id="alex", categories=["food_preferences"])
        filters = {
            "AND": [
                {"user_id": "alex"},
                {"created_at": {"gte": "2024-07-01", "lte": "2024-07-31"}},
                {"categories": {"contains": "food_preferences"}},
            ]
        }

        # Default (No Pagination)
        assert texts(client.get_all(version="v2", filters=filters)) == ["Eats rice"]

        # Pagination (You can also use the page and page_size parameters)
        assert texts(client.get_all(version="v2", filters=filters, page=1, page_size=50)) == ["Eats rice"]


class TestManagement:
    """ "Advanced memory operations": management."""

    def test_history_update_and_batches(self) -> None:
        """History tells what became of a memory; updates come alone and in batches."""
        client = _memory(
            facts("Loved trying chicken"),
            against(op("supersede", "Is vegetarian now", memory="Loved trying chicken", evidence=[1])),
        )
        # Add some message to create history
        messages = [
            {
                "role": "user",
                "content": "I recently tried chicken and I loved it. I'm thinking of trying more non-vegetarian "
                "dishes..",
            }
        ]
        client.add(messages, user_id="alex")

        # Add second message to update history
        messages.append({"role": "user", "content": "I turned vegetarian now."})
        client.add(messages, user_id="alex")

        # Get history of how memory changed over time
        memory_id = client.get_all(user_id="alex")["results"][0]["id"]
        history = client.history(memory_id)
        assert [each["event"] for each in history] == ["ADD", "SUPERSEDE", "ADD"]
        assert (history[0]["new_memory"], history[-1]["new_memory"]) == ("Loved trying chicken", "Is vegetarian now")

        client.update(
            memory_id=memory_id,
            text="I am now a vegetarian.",
            metadata={"diet": "vegetarian"},
        )
        changed = client.get(memory_id)
        assert changed is not None
        assert (changed["memory"], changed["metadata"]) == ("I am now a vegetarian.", {"diet": "vegetarian"})

        one, two = (each["id"] for each in client.add(["a", "b"], user_id="alex", infer=False)["results"])
        update_memories = [
            {"memory_id": one, "text": "Watches football"},
            {"memory_id": two, "text": "Loves to travel"},
        ]

        response = client.batch_update(update_memories)
        assert texts(response) == ["Watches football", "Loves to travel"]

        delete_memories = [{"memory_id": one}, {"memory_id": two}]

        response = client.batch_delete(delete_memories)
        assert response["deleted"] == 2
        assert client.get_all(user_id="alex")["count"] == 1

    def test_entities_and_deletion(self, stocked: Memory) -> None:
        """Who has memories; one, all of a user, a user, an agent, everything."""
        client = stocked
        assert {(each["type"], each["id"]) for each in client.users()["results"]} == {
            ("user", "alex"),
            ("user", "bob"),
            ("agent", "travel-assistant"),
            ("run", "trip"),
        }
        memory_id = client.get_all(user_id="alex")["results"][0]["id"]
        client.delete(memory_id)
        assert client.get_all(user_id="alex")["count"] == 4
        client.delete_all(user_id="alex")
        assert client.get_all(user_id="alex")["count"] == 0
        # Delete specific user
        client.delete_users(user_id="bob")

        # Delete specific agent
        client.delete_users(agent_id="travel-assistant")
        assert client.users()["results"] == []
        client.reset()
        assert client.export() == []

    def test_natural_language_delete(self) -> None:
        """Exactly the food preferences go."""
        client = _memory(
            LEARNED,
            against(op("delete", memory="Is a vegetarian"), op("delete", memory="Is allergic to nuts")),
            categories=CATEGORIES,
        )
        client.add(ALEX, user_id="alex")
        messages = [{"role": "user", "content": "Delete all of my food preferences"}]
        assert events(client.add(messages, user_id="alex")) == ["DELETE", "DELETE"]
        assert texts(client.get_all(user_id="alex")) == ["Name is Alex"]

    def test_monitoring(self, stocked: Memory) -> None:
        """Operations can be watched."""
        stocked.search("chess", user_id="alex")
        assert stocked.events(types=["search"])[0]["details"]["query"] == "chess"


class TestDecay:
    """ "Memory decay": what is claimed there is measured here, through `search`."""

    @pytest.mark.parametrize(
        ("idle", "low", "high"),
        [
            (timedelta(0), 1.45, 1.5),
            (timedelta(hours=8), 1.2, 1.4),
            (timedelta(days=3), 0.6, 1.0),
            (timedelta(days=21), 0.4, 0.6),
            (timedelta(days=400), 0.3, 0.31),
        ],
        ids=["just", "today", "days", "weeks", "years"],
    )
    def test_the_bands(self, idle: timedelta, low: float, high: float) -> None:
        """The table of states and factors."""
        clock = FakeClock()
        memory = _memory(clock=clock)
        memory.add("Drinks tea", user_id="alex")
        clock.advance(idle)
        (found,) = memory.search("tea", user_id="alex", explain=True)["results"]
        assert low <= found["score_details"]["factor"] <= high
        assert 0 <= found["score"] <= 1

    def test_a_search_reinforces_what_it_returns(self) -> None:
        """A memory returned by a search ranks like a fresh one in the next, and at most 20 touches are kept."""
        clock = FakeClock()
        memory = _memory(clock=clock)
        memory.add("Drinks tea", user_id="alex")
        clock.advance(days=100)
        for _ in range(30):
            clock.advance(minutes=1)
            memory.search("tea", user_id="alex")
        memory.flush()
        clock.advance(minutes=1)
        (found,) = memory.search("tea", user_id="alex", explain=True)["results"]
        assert found["score_details"]["factor"] == pytest.approx(1.5)
        assert found["score_details"]["touches"] == 20

    def test_it_never_filters(self) -> None:
        """What surfaces without decay surfaces with it, at worst further down."""
        clock = FakeClock()
        memory = _memory(clock=clock)
        memory.add([f"Drinks tea number {number}" for number in range(12)], user_id="alex")
        clock.advance(days=2000)
        with_decay = memory.search("tea", user_id="alex", top_k=50, reinforce="none")
        without = memory.search("tea", user_id="alex", top_k=50, decay=False, reinforce="none")
        assert sorted(texts(with_decay)) == sorted(texts(without))

    def test_the_threshold_comes_first(self) -> None:
        """The threshold is applied before decay, so a stale memory may come back with a score below it."""
        clock = FakeClock()
        memory = _memory(clock=clock)
        memory.add("Drinks tea", user_id="alex")
        clock.advance(days=2000)
        (found,) = memory.search("tea", user_id="alex", threshold=0.9)["results"]
        assert found["score"] < 0.9

    def test_the_toggle(self) -> None:
        """The flag is readable, reversible and idempotent."""
        memory = _memory()
        assert memory.decay is True
        memory.decay = False
        memory.decay = False
        assert memory.decay is False
        memory.decay = True
        assert memory.decay is True
