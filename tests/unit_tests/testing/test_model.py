"""The scripted model is a chat model like any other, except that it says what it was told to."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage
from langchain_core.messages.tool import invalid_tool_call, tool_call
from langchain_core.tools import tool
from pydantic import BaseModel, ValidationError

from langchain_mem.testing.model import ScriptedModel, ScriptExhausted


class Favorite(BaseModel):
    """What somebody likes best."""

    color: str


@tool
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


@tool
def double(a: int) -> int:
    """Doubles a number."""
    return 2 * a


def test_replies_come_in_the_order_of_the_script():
    """Each call takes the next reply."""
    model = ScriptedModel("one", "two")
    assert [model.invoke("?").text for _ in range(2)] == ["one", "two"]


def test_every_call_is_recorded():
    """The messages of each call are kept, failed calls included."""
    model = ScriptedModel(TimeoutError("slow"), "fine")
    with pytest.raises(TimeoutError, match="slow"):
        model.invoke("first")
    model.invoke([SystemMessage("be brief"), HumanMessage("second")])
    assert [[message.text for message in call] for call in model.calls] == [["first"], ["be brief", "second"]]
    assert model.count == 2
    assert model.remaining == 0


def test_a_recorded_call_does_not_change_afterwards():
    """Appending to the list that was sent leaves the record as it was sent."""
    model, messages = ScriptedModel("fine"), [HumanMessage("first")]
    model.invoke(messages)
    messages.append(HumanMessage("later"))
    assert len(model.calls[0]) == 1


def test_a_script_that_ran_out_says_so():
    """A call too many fails as an assertion and quotes what was asked."""
    model = ScriptedModel("only")
    model.invoke("?")
    with pytest.raises(ScriptExhausted, match=r"Call 2 .* 'and then\?'"):
        model.invoke("and then?")
    assert issubclass(ScriptExhausted, AssertionError)


def test_otherwise_answers_every_call_after_the_script():
    """The script comes first; what follows is answered by `otherwise`."""
    model = ScriptedModel("scripted", otherwise=lambda messages: messages[-1].text.upper())
    assert [model.invoke(text).text for text in ("a", "b", "c")] == ["scripted", "B", "C"]


def test_a_script_can_grow():
    """Replies added later come after the ones there are."""
    model = ScriptedModel("one")
    model.script("two", "three")
    assert [model.invoke("?").text for _ in range(3)] == ["one", "two", "three"]


@pytest.mark.parametrize("reply", [ValueError("no"), ValueError, lambda _: ValueError("no")])
def test_an_exception_is_raised(reply: Any):
    """An instance, a class or a callable's answer: each is raised from the call."""
    with pytest.raises(ValueError):
        ScriptedModel(reply).invoke("?")


@pytest.mark.parametrize("reply", [{"color": "green"}, Favorite(color="green"), lambda _: {"color": "green"}])
def test_an_object_is_structured_output(reply: Any):
    """LangChain's own parser makes the schema's object of the scripted tool call."""
    assert ScriptedModel(reply).with_structured_output(Favorite).invoke("?") == Favorite(color="green")


def test_an_object_of_the_wrong_shape_fails_as_with_a_real_model():
    """The schema is checked by LangChain's parser, not by the fake."""
    with pytest.raises(ValidationError):
        ScriptedModel({"colour": "green"}).with_structured_output(Favorite).invoke("?")


def test_a_model_may_ignore_the_tool_it_is_to_call():
    """Text where a tool call was asked for parses to nothing."""
    structured = ScriptedModel("I would rather talk.").with_structured_output(Favorite, include_raw=True)
    answer = structured.invoke("?")
    assert answer["parsed"] is None
    assert answer["raw"].text == "I would rather talk."


def test_an_object_is_json_text_where_no_tool_is_bound():
    """A model without tool calling writes the object out."""
    model = ScriptedModel(Favorite(color="green"), {"color": "blue"}, tool_calling=False)
    assert [model.invoke("?").content for _ in range(2)] == ['{"color": "green"}', '{"color": "blue"}']


def test_a_model_without_tool_calling_refuses_tools():
    """`bind_tools` and `with_structured_output` raise what LangChain's own models raise."""
    model = ScriptedModel("text", tool_calling=False)
    with pytest.raises(NotImplementedError):
        model.bind_tools([add])
    with pytest.raises(NotImplementedError):
        model.with_structured_output(Favorite)


def test_of_several_tools_the_reply_names_one():
    """The call names its tool, and the tools bound are recorded."""
    model = ScriptedModel({"name": "add", "args": {"a": 2, "b": 3}})
    message = model.bind_tools([add, double]).invoke("2 + 3?")
    assert add.invoke(message.tool_calls[0]).content == "5"
    assert model.tools == [["add", "double"]]


def test_of_several_tools_an_unnamed_reply_is_refused():
    """The fake does not guess which tool was meant."""
    with pytest.raises(TypeError, match="Which tool"):
        ScriptedModel({"a": 2}).bind_tools([add, double]).invoke("?")


def test_a_reply_of_another_type_is_refused():
    """The error lists what a reply may be."""
    with pytest.raises(TypeError, match="not int"):
        ScriptedModel(7).invoke("?")  # type: ignore[arg-type]


def test_a_repeated_message_stays_as_scripted():
    """LangChain completes each answer with an id; the scripted message has none afterwards."""
    said = AIMessage("same")
    model = ScriptedModel(said, said)
    assert model.invoke("?").id != model.invoke("?").id
    assert said.id is None


async def test_the_async_form_takes_from_the_same_script():
    """`ainvoke`, `astream` and `invoke` share one script."""
    model = ScriptedModel("one", "two words", "three")
    assert (await model.ainvoke("?")).text == "one"
    assert [chunk.text async for chunk in model.astream("?") if chunk.text] == ["two", " words"]
    assert model.invoke("?").text == "three"


@pytest.mark.parametrize("text", ["", " ", "Hello, you there.", " a\n\n b  "])
def test_a_stream_adds_up_to_the_text(text: str):
    """Word by word, nothing is lost."""
    chunks = list(ScriptedModel(text).stream("?"))
    assert "".join(chunk.text for chunk in chunks) == text


def test_a_stream_adds_up_to_the_message():
    """Tool calls, invalid ones too, and token usage survive being streamed in pieces."""
    usage = {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}
    said = AIMessage(
        content="Let me see.",
        tool_calls=[tool_call(name="add", args={"a": 1, "b": 2}, id="1")],
        invalid_tool_calls=[invalid_tool_call(name="add", args="a is 1", id="2")],
        usage_metadata=usage,
    )
    total = AIMessageChunk(content="")
    for chunk in ScriptedModel(said).stream("?"):
        total += chunk
    assert total.text == said.text
    assert [(call["name"], call["args"], call["id"]) for call in total.tool_calls] == [("add", {"a": 1, "b": 2}, "1")]
    assert [call["args"] for call in total.invalid_tool_calls] == ["a is 1"]
    assert total.usage_metadata == usage


def test_derived_models_share_the_script():
    """A copy or a binding takes from the same script and is recorded in the same calls."""
    model = ScriptedModel("one", "two", {"a": 1})
    model.model_copy().invoke("?")
    model.with_config(tags=["x"]).invoke("?")
    model.bind_tools([double]).invoke("?")
    assert model.count == 3


@pytest.mark.parametrize("again", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_can_be_copied_deeply_and_pickled(again: Any):
    """A deep copy has the rest of the script to itself."""
    model = ScriptedModel("one", "two")
    model.invoke("?")
    other = again(model)
    assert other.invoke("?").text == "two"
    assert model.remaining == 1
