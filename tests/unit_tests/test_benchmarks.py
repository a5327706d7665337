"""What the benchmarks measure, on cases small enough to work out by hand."""

import doctest
import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from benchmarks import answers, consolidation, everyday, extraction, grounding, locomo, updates
from benchmarks.growth_bars import bars
from benchmarks.locomo import (
    CachedEmbeddings,
    Row,
    fused,
    main,
    measure,
    ndcg_at_k,
    one_owner,
    ranks,
    read,
    recall_at_k,
    reciprocal_rank,
    run,
    session_time,
    sessions,
    spoken,
    summary,
    turn_ids,
)
from benchmarks.updates import newer_first, planted
from langchain_mem.testing import FakeEmbeddings
from langchain_mem.testing.files import FileModel


def ranking(*results: str) -> list[frozenset[str]]:
    """Results that stand for the turns named, `"D1:1 D1:2"` for two."""
    return [frozenset(result.split()) for result in results]


@pytest.mark.parametrize(
    ("k", "expected"),
    [(1, 0.0), (2, 1 / 3), (3, 1 / 3), (4, 2 / 3)],
)
def test_recall_is_the_share_of_the_gold_found(k: int, expected: float) -> None:
    """What the first k results stand for counts, and a turn that is found twice counts once."""
    found = ranking("D9:9", "D1:1", "D1:1", "D2:2 D7:7")
    assert recall_at_k(found, {"D1:1", "D2:2", "D3:3"}, k) == expected


def test_a_result_recalls_all_turns_it_stands_for() -> None:
    """A fact that cites two gold turns finds both."""
    assert recall_at_k(ranking("D1:1 D2:2"), {"D1:1", "D2:2"}, 10) == 1.0


@pytest.mark.parametrize(
    ("found", "gold", "expected"),
    [
        (["D1:1"], {"D1:1"}, 1.0),
        (["D9:9", "D1:1"], {"D1:1"}, 1 / math.log2(3)),  # the second place counts 1/log2(3)
        (["D1:1", "D9:9", "D2:2"], {"D1:1", "D2:2"}, (1 + 1 / 2) / (1 + 1 / math.log2(3))),  # the third 1/log2(4)
        (["D9:9"], {"D1:1"}, 0.0),
        (["D1:1", "D1:1"], {"D1:1"}, 1.0),  # the same again gains nothing
        ([], {"D1:1"}, 0.0),
    ],
)
def test_ndcg_discounts_by_the_logarithm_of_the_rank(found: list[str], gold: set[str], expected: float) -> None:
    """Each fresh gold gains 1/log2(rank + 1), over what the best order would gain."""
    assert ndcg_at_k(ranking(*found), gold, 10) == pytest.approx(expected)


def test_ndcg_of_more_gold_than_places_can_be_one() -> None:
    """The best order is one of k results."""
    assert ndcg_at_k(ranking("D1:1", "D1:2"), {"D1:1", "D1:2", "D1:3"}, 2) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("found", "expected"), [(["D1:1"], 1.0), (["D9:9", "D8:8", "D1:1"], 1 / 3), (["D9:9"], 0.0), ([], 0.0)]
)
def test_the_reciprocal_rank_is_that_of_the_first_gold(found: list[str], expected: float) -> None:
    """One over the place of the first result that stands for gold."""
    assert reciprocal_rank(ranking(*found), {"D1:1", "D2:2"}) == expected


def test_sessions_stand_where_their_best_memory_stands() -> None:
    """A session counts once, at its first result."""
    assert sessions(ranking("D3:1", "D1:4", "D3:2", "D2:1")) == ranking("D3", "D1", "D2")


def test_sessions_are_looked_for_deeper_than_turns() -> None:
    """The second gold session is beyond the results that turns are counted in."""
    deep = ranking("D9:1", *["D1:1"] * 10, "D2:2")
    measured = measure(deep[:10], deep, {"D1:1", "D2:2"})
    assert measured["R@5"] == measured["R@10"] == 0.5
    assert measured["MRR"] == 0.5
    assert measured["session Hit@1"] == 0.0
    assert measured["session R@10"] == 1.0


def test_the_first_session_is_hit_or_not() -> None:
    """Any session with gold is a hit; without results there is none."""
    assert measure(ranking("D2:9"), ranking("D2:9"), {"D2:2"})["session Hit@1"] == 1.0
    assert measure([], [], {"D2:2"})["session Hit@1"] == 0.0


def test_ranks_are_fused_and_not_scores() -> None:
    """Reciprocal rank fusion sees places only, the first as 1."""
    one, other = np.array([[0.9, 0.1, 0.5]]), np.array([[3.0, 900.0, 2.0]])
    assert ranks(other).tolist() == [[1, 0, 2]]
    assert fused(one, other)[0] == pytest.approx([1 / 61 + 1 / 62, 1 / 63 + 1 / 61, 1 / 62 + 1 / 63])


def test_results_are_means_over_questions() -> None:
    """Every question counts the same, in percent; the milliseconds are a median."""
    perfect = dict.fromkeys(measure([], [], {"D1:1"}), 1.0)
    nothing = dict.fromkeys(perfect, 0.0)
    rows = [Row("a", "one", 1, perfect, 2.0), Row("a", "one", 4, nothing, 4.0), Row("a", "two", 4, perfect, 9.0)]
    found = summary(rows)
    assert found["all"]["R@10"] == 66.7
    assert found["categories"]["single-hop"]["R@10"] == 50.0
    assert found["conversations"]["two"]["R@10"] == 100.0
    assert found["milliseconds"] == 4.0


def test_evidence_is_read_as_it_is_spelled() -> None:
    """Several turns in one entry, a stray colon and a leading zero are read."""
    assert turn_ids(["D8:6; D9:17", "D:11:26", "D30:05", "D"]) == {"D8:6", "D9:17", "D11:26", "D30:5"}


def test_noon_and_midnight() -> None:
    """12 am is midnight and 12 pm noon."""
    assert session_time("12:09 am on 13 September, 2023").isoformat() == "2023-09-13T00:09:00+00:00"
    assert session_time("12:09 pm on 1 January, 2023").hour == 12


def test_the_annotators_query_is_not_said() -> None:
    """Speaker, text and caption are kept; what an annotator searched the picture by is not."""
    turn = {"speaker": "Ann", "text": "Look!", "blip_caption": "a cat", "query": "cute cat", "dia_id": "D1:1"}
    assert spoken(turn) == "Ann: Look! [shares a cat]"


def test_a_text_is_embedded_once() -> None:
    """What was embedded before, or twice in one call, is not embedded again; the vectors are the embedder's."""
    embedder = FakeEmbeddings()
    cached = CachedEmbeddings(embedder)
    assert cached.embed_documents(["a", "b", "a"]) == FakeEmbeddings().embed_documents(["a", "b", "a"])
    assert cached.embed_query("b") == FakeEmbeddings().embed_query("b")
    assert embedder.texts == ["a", "b"]


@pytest.fixture
def chat(tmp_path: Path) -> Path:
    """A file of one conversation in LoCoMo's form: two sessions, a text said in both, and two questions."""
    first = [
        {"speaker": "Ann", "dia_id": "D1:1", "text": "I bought a cello yesterday."},
        {"speaker": "Bob", "dia_id": "D1:2", "text": "Thanks!"},
    ]
    second = [
        {"speaker": "Ann", "dia_id": "D2:1", "text": "My sister moved to Oslo.", "blip_caption": "a photo of a fjord"},
        {"speaker": "Bob", "dia_id": "D2:2", "text": "Thanks!"},
    ]
    sample: dict[str, Any] = {
        "sample_id": "talk",
        "conversation": {
            "session_1": first,
            "session_1_date_time": "1:56 pm on 8 May, 2023",
            "session_2": second,
            "session_2_date_time": "9:00 am on 1 June, 2023",
        },
        "observation": {"session_1_observation": {"Ann": [["Ann plays an instrument.", "D1:1"]], "Bob": []}},
        "qa": [
            {"question": "What did Ann buy, a cello?", "evidence": ["D1:1"], "category": 4},
            {"question": "Who moved to Oslo?", "evidence": ["D2:1"], "category": 1},
            {"question": "Who said nothing?", "evidence": [], "category": 5},
        ],
    }
    path = tmp_path / "chat.json"
    path.write_text(json.dumps([sample]))
    return path


def test_a_file_is_read_whole(chat: Path) -> None:
    """Sessions in order with their times; a question without evidence is left out."""
    (talk,) = read(chat)
    assert [turn.key for turn in talk.turns] == ["D1:1", "D1:2", "D2:1", "D2:2"]
    assert talk.turns[2].when.isoformat() == "2023-06-01T09:00:00+00:00"
    assert talk.asked_at.isoformat() == "2023-06-02T09:00:00+00:00"
    assert [question.gold for question in talk.questions] == [{"D1:1"}, {"D2:1"}]
    assert talk.facts[0].turns == ("D1:1",)


def test_conversations_become_one_owners(chat: Path) -> None:
    """Told again by each other's speakers, turns are rivals of the gold that no question asks for."""
    (talk,) = read(chat)
    other = replace(talk, name="other", turns=[replace(turn, text="Cid: Hi, Dot!") for turn in talk.turns[:1]])
    other.turns.append(replace(talk.turns[1], text="Dot: Hi, Cid!"))
    owner = one_owner([talk, other])
    assert [turn.key for turn in owner.turns] == [
        "talk/D1:1", "talk/D1:2", "other/D1:1", "other/D1:2", "talk/D2:1", "talk/D2:2"
    ]  # fmt: skip
    assert [question.gold for question in owner.questions][:2] == [{"talk/D1:1"}, {"talk/D2:1"}]
    large = one_owner([talk, other], retold=True)
    assert (len(large.turns), len(large.questions)) == (4 * 6, 4)
    said = {turn.key: turn.text for turn in large.turns}
    assert said["talk by Dot+Cid/D1:1"] == "Dot: I bought a cello yesterday."
    assert said["other by Ann+Bob/D1:1"] == "Ann: Hi, Bob!"
    assert not {turn.key for turn in owner.turns} - said.keys()


def test_memory_and_baselines_are_measured(chat: Path) -> None:
    """In a chat of four turns Memory finds the one that answers first, with decay and without."""
    results = run(chat, ["dictionary"], FakeEmbeddings())
    assert list(results) == [
        "vectors",
        "BM25",
        "RRF of both",
        *(f"Memory, dictionary, decay {d}" for d in ("off", "on")),
    ]
    for system in list(results)[-2:]:
        assert results[system]["questions"] == 2
        assert results[system]["all"] == dict.fromkeys(results[system]["all"], 100.0)


def test_a_missing_file_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """Where the data set is not there, the script says so and ends."""
    monkeypatch.setattr("sys.argv", ["locomo.py", str(tmp_path / "absent.json")])
    main()
    assert "Skipped: there is no file" in capsys.readouterr().out


@pytest.mark.parametrize("module", [answers, everyday, locomo, updates], ids=lambda module: str(module.__name__))
def test_doctests(module: Any) -> None:
    """What the benchmarks' docstrings show is what happens."""
    tried = doctest.testmod(module)
    assert tried.attempted > 0
    assert tried.failed == 0


def test_planted_updates_change_a_value_later() -> None:
    """Each person has each trait once, with another value at least a month later; equal seeds plant alike."""
    found = planted(3, "other words", seed=7)
    assert found == planted(3, "other words", seed=7) != planted(3, "other words", seed=8)
    assert len({(each.person, each.now) for each in found}) == len(found) == 3 * len(updates.TRAITS)
    assert all(30 <= (each.newer_at - each.older_at).days <= 300 for each in found)
    assert all(each.newer != each.older for each in found)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (["newer", "older"], True),
        (["older", "else", "newer"], False),
        (["else", "newer"], True),  # the older one was not found at all
        (["older"], False),
        (["else"], None),
    ],
)
def test_the_newer_statement_comes_first_or_not(found: list[str], expected: bool | None) -> None:
    """A statement that was not found comes after one that was."""
    pair = planted(1, "same words", seed=0)[0]
    texts = {"newer": pair.newer, "older": pair.older}
    assert newer_first([{"memory": texts.get(text, text)} for text in found], pair) is expected


def test_preferring_the_newer_never_puts_it_lower() -> None:
    """Asked about now, the newer statement comes first at least as often as without the preference."""
    rows = list(updates.results(1, 0, FakeEmbeddings()))
    for decay in ("on", "off"):
        for wording in ("same words", "other words"):
            first = {
                row["prefer newer"]: row["newer first"]
                for row in rows
                if (row["wording"], row["asked about"], row["decay"]) == (wording, "now", decay)
            }
            assert first["yes"] == first["auto"] >= first["no"]


class Parrot(BaseChatModel):
    """Extracts nothing, answers with what it was given, and judges by whether the gold answer is in the answer."""

    @property
    def _llm_type(self) -> str:
        return "parrot"

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        prompt = messages[-1].text
        judged = re.search("Gold answer: (.*)\nGenerated answer: (.*)\n\nGive one", prompt, re.DOTALL)
        reply = prompt if judged is None else json.dumps({"label": "CORRECT" if judged[1] in judged[2] else "WRONG"})
        return ChatResult(generations=[ChatGeneration(message=AIMessage(reply))])


def test_answers_come_from_what_is_recalled() -> None:
    """A model that says what it was given is right where recall gave the turn, and the context keeps to the budget."""
    turn = {"speaker": "Ann", "dia_id": "D1:1", "text": "We moved to Leeds in spring."}
    session = {"name": "session_1", "when": session_time("1:56 pm on 8 May, 2023"), "turns": [turn]}
    asked = [{"question": "Where does Ann live?", "answer": answer, "category": 4} for answer in ("Leeds", "York")]
    talk = answers.Talk("ann", ("Ann", "Bob"), [session], asked)
    models = answers.Models(Parrot(), Parrot(), Parrot())
    rows = answers.run(talk, "turns", models, FakeEmbeddings())
    assert [row.correct for row in rows] == [True, False]
    assert answers.summary(rows)["right"] == 50.0
    assert answers.run(talk, "turns", models, FakeEmbeddings(), budget=1)[0].context == ""


def test_replies_come_by_files(tmp_path: Path) -> None:
    """A reply that lies in the folder is found by its prompt; without one the prompt waits there."""
    model = answers.Exchange(folder=tmp_path, timeout=0)
    with pytest.raises(TimeoutError):
        model.invoke("Where does Ann live?")
    (prompt,) = (tmp_path / "q").iterdir()
    (tmp_path / "a" / prompt.name).write_text("Leeds\n")
    assert model.invoke("Where does Ann live?").text == "Leeds"


def test_a_conversation_is_ingested_and_counted(tmp_path: Path) -> None:
    """From a conversation with what was planted in it, and kept replies, to shares: one change, made right."""
    path = tmp_path / "tea.json"
    path.write_text(json.dumps(TEA))
    replies = [
        {"operations": [{"action": "add", "text": "Drinks tea every morning", "evidence": [0]}]},
        {"operations": [{"action": "supersede", "memory": 0, "text": "Drinks coffee every morning", "evidence": [0]}]},
    ]
    folder = tmp_path / "replies"
    (folder / "a").mkdir(parents=True)
    for number, reply in enumerate(replies, 1):
        (folder / "a" / f"{number:04d}.txt").write_text(json.dumps(reply))
    model = FileModel(folder=str(folder), timeout=60)
    report = extraction.Ingestion(extraction.Conversation(path), model, FakeEmbeddings(), []).run()
    counts = report.counts
    assert (counts["proposed"], counts["carried out"], counts["calls"], counts["sessions"]) == (2, 2, 2, 2)
    assert (counts["updates"], counts["updates shown"], counts["updates right"]) == (1, 1, 1)
    assert report.memories == ["Drinks coffee every morning"]
    assert report.share("carried out", "proposed") == 1.0


TEA: dict[str, Any] = {
    "id": "tea",
    "sessions": [
        {"id": "s1", "date": "2024-01-01T10:00:00+00:00", "messages": [
            {"id": "m1", "role": "user", "name": None, "content": "I drink tea every morning"}]},
        {"id": "s2", "date": "2024-02-01T10:00:00+00:00", "messages": [
            {"id": "m2", "role": "user", "name": None, "content": "I drink coffee every morning now"}]},
    ],
    "planted": {
        "facts": [
            {"id": "f1", "text": "Drinks tea every morning", "messages": ["m1"], "importance": "normal"},
            {"id": "f2", "text": "Drinks coffee every morning", "messages": ["m2"], "importance": "normal"},
        ],
        "updates": [{"id": "u1", "old": "f1", "new": "f2", "messages": ["m2"], "kind": "update"}],
        "relative_dates": [],
        "never_said": ["Drinks milk"],
    },
}  # fmt: skip


def test_the_outcome_of_one_fact() -> None:
    """A fact of the grounding sets comes out clear, in doubt or refused, with the reason."""
    said = {"role": "user", "name": None, "content": "I am thirty-four"}
    item = {"messages": [said], "date": "2024-01-01T00:00:00+00:00", "known_names": [], "cited": [0]}
    assert grounding.outcome({**item, "fact": "Is 34 years old"}) == ("clear", "")
    assert grounding.outcome({**item, "fact": "Is 43 years old"}) == ("refused", "says 43 where 34 was said")


def test_consolidation_counts_what_is_there_before_and_after():
    """Played replies name memories by their texts; an operation whose memories are not all shown is left out."""
    data = json.loads((consolidation.DATA / "consolidation" / "household.json").read_text())
    kept = {**data, "memories": [one for one in data["memories"] if re.search("Gerald|Wet Paint|bass", one["memory"])]}
    told = consolidation.measured(kept, None, FakeEmbeddings())
    assert (told["memories"], told["merged"], told["calls"], told["refused"]) == ("7 -> 6", "2 into 1", 2, 0)


def test_growth_is_held_against_its_bars() -> None:
    """A value is held against a number, or against what another store needed in the same run; without that, not."""
    one = {"memories": 10_000, "owners": 1}
    report = [
        {"side": "postgres", **one, "search": 13.0, "page": 9.0, "add 1,000, per s": 700, "import, per s": 600},
        {"side": "raw postgres", **one, "add 1,000, per s": 1_000},
        {"side": "chroma", **one, "search": 7.0, "add 1,000, per s": 1, "import, per s": 1},
    ]
    found = {(each.what, each.side): each.is_met for each in bars(report)}
    assert found == {
        ("search, 10,000 of one owner", "chroma"): True,
        ("search, 10,000 of one owner", "postgres"): False,
        ("page, 10,000 of one owner", "postgres"): True,
        ("add 1,000, per s: 0.7 x raw postgres", "postgres"): True,
        ("import, per s: 0.7 x raw postgres", "postgres"): False,
    }
