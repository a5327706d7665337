"""What a surface recalls unless it is told otherwise."""

from __future__ import annotations

from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.messages.utils import count_tokens_approximately

from langchain_mem import Memory
from langchain_mem.embeddings.local import local_embeddings
from langchain_mem.integrations.conversation import searchable
from langchain_mem.integrations.nodes import retrieval_node
from langchain_mem.integrations.recall import CORE_TOKENS, TOKENS, TOP_K
from langchain_mem.integrations.tools import memory_tools
from langchain_mem.store.long_term import LongTermStore
from tests.unit_tests.agents import facts, memory_with

FACTS = [
    "Lives in Berlin, on the fourth floor",
    "Manager at work is called Petra Schulz",
    "Has a cat called Pixel that gets insulin twice a day",
    "Takes a flat white with oat milk",
    "Goes to work by bike",
    "Plays the cello on Thursday evenings",
]


def memory() -> Memory:
    made = Memory(LongTermStore.in_memory(embed=local_embeddings()), reinforce="none")
    made.add(FACTS, user_id="alex", infer=False)
    made.add("Is allergic to nuts", user_id="alex", infer=False, importance="always")
    return made


def recalled(made: Memory, *messages: object, **options: object) -> list[str]:
    node = retrieval_node(made, user_id="alex", **options)
    return [one["memory"] for one in node.invoke({"messages": list(messages)})["memories"]]


def test_what_must_never_be_missed_is_always_there() -> None:
    """The core comes first, whatever is asked; also after a greeting, which finds nothing else."""
    made = memory()
    assert recalled(made, HumanMessage("Who invented the zip?"))[0] == "Is allergic to nuts"
    assert recalled(made, HumanMessage("Good morning!")) == ["Is allergic to nuts"]
    assert "Is allergic to nuts" not in recalled(made, HumanMessage("Good morning!"), pinned=None)


def test_the_core_keeps_to_its_budget() -> None:
    """Where too much is marked, the newest stays, oldest first."""
    made = memory()
    for number in range(40):
        made.add(f"Rule {number}: " + "mind the gap " * 10, user_id="alex", infer=False, importance="always")
    core = recalled(made, HumanMessage("Good morning!"))
    assert core[-1].startswith("Rule 39:")
    assert not any(line.startswith("Rule 0:") for line in core)
    assert sum(len(line) for line in core) / 4 <= CORE_TOKENS


def test_a_request_gets_the_nearest_few() -> None:
    """What a request needs is there though it shares no word with it."""
    made = memory()
    for request, needed in {"Find a vet nearby": FACTS[2], "Order me a coffee": FACTS[3]}.items():
        found = recalled(made, HumanMessage(request))
        assert needed in found
        assert len(found) <= TOP_K + 1


def test_what_lasts_stands_above_what_passed() -> None:
    """Events and opinions that a request has nothing to do with give way to what holds; also in another language."""
    made = memory()
    passed = [
        "Was in Munich for a day in 2021, it rained",
        "Old flatmate Dagmar is vegetarian except at Christmas",
        "Friend Zofia is allergic to penicillin",
        "Took a cat to a shelter in June 2019",
        "Thinks cats look best on a sofa",
        "Cousin Edgar is allergic to cats",
        "Had lentil soup every day for a week in January 2017",
        "Ex-colleague Sunniva is gluten-free by choice",
        "Considers brunch a meal without a purpose",
        "Ate at a canteen in Oslo in 2017",
    ]
    made.add(passed, user_id="alex", infer=False)
    found = recalled(made, HumanMessage("What should I cook on Saturday?"))
    assert not {*found} & {passed[0], passed[3], passed[4], passed[9]}
    assert recalled(made, HumanMessage("Busca un veterinario para mi gato"))[1] == FACTS[2]


def test_whoever_asks_about_the_past_finds_what_passed() -> None:
    """What happened once is no less to a question about it."""
    made = memory()
    made.add("Was in Rome for a day in 2021, it rained", user_id="alex", infer=False)
    assert recalled(made, HumanMessage("When was I in Rome?"), pinned=None)[0].startswith("Was in Rome")


def test_a_message_that_names_nothing_is_searched_with_what_it_answers() -> None:
    """ "yes" and "And when is it?" take the messages before them along, newest first until one names something."""
    talk = [HumanMessage("I need a vet for Pixel"), AIMessage("Shall I book Dr. Klein on Friday?"), HumanMessage("yes")]
    assert searchable(talk) == "Shall I book Dr. Klein on Friday?\nyes"
    assert searchable([*talk, AIMessage("Done."), HumanMessage("And when is it?")]).startswith("Shall I book")
    assert searchable([HumanMessage("Hello!")]) == ""
    assert searchable([HumanMessage("Where is my bike?")]) == "Where is my bike?"


def test_the_query_can_be_replaced() -> None:
    """`query=` says what is searched for."""
    made = memory()
    assert recalled(made, HumanMessage("yes"), query=lambda _: "cello", top_k=1)[-1] == FACTS[5]


SAID = "We took the ferry to the green island with Maria"


def _told() -> Memory:
    """A memory that has drawn a fact from what was said."""
    made = memory_with(facts("Was on the green island"))
    made.add(SAID, user_id="alex")
    return made


def test_facts_come_with_the_turns_they_rest_on() -> None:
    """A prompt holds the fact and, after it, what was said; `history=False` gives the fact alone."""
    made = _told()
    assert recalled(made, HumanMessage("Who was with me on the green island?")) == ["Was on the green island", SAID]
    node = retrieval_node(made, user_id="alex")
    text = node.invoke({"messages": [HumanMessage("Who was with me on the green island?")]})["memory_context"]
    assert text.index("Was on the green island") < text.index(f"Said earlier:\n- {SAID}")
    assert recalled(made, HumanMessage("Who was on the green island?"), history=False) == ["Was on the green island"]


def test_nothing_is_quoted_where_nothing_near_was_said() -> None:
    """Turns come where they have to do with the question."""
    assert SAID not in recalled(_told(), HumanMessage("Which laptop should I buy?"))


def test_turns_fill_what_memories_leave_of_the_budget() -> None:
    """Where not all fits, memories stay before turns, however near those are."""
    made = memory_with(*(facts(f"Was on island {number}") for number in range(12)))
    for number in range(12):
        made.add(f"Our trip to the island: {number} " + "days of sun and wind and sea " * 20, user_id="alex")
    asked = HumanMessage("How was the trip to the island?")
    text = retrieval_node(made, user_id="alex").invoke({"messages": [asked]})["memory_context"]
    assert text.count("Was on island") == TOP_K
    assert 0 < text.count("Our trip") < 12
    assert count_tokens_approximately([HumanMessage(text)]) <= TOKENS


def test_the_tool_shows_turns_without_an_id() -> None:
    """What was said comes after the memories, and a model has nothing to change it by."""
    tools = {tool.name: tool for tool in memory_tools(_told(), user_id="alex")}
    told = tools["search_memories"].invoke({"query": "the green island"})
    fact, turn = told.splitlines()
    assert fact.endswith(": Was on the green island")
    assert turn == f"Said earlier: {SAID}"
