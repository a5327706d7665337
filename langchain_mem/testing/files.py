"""A chat model whose replies come by files: whoever plays the model reads a prompt and writes an answer.

    model = FileModel(folder="exchange")
    memory = Memory("./memory", model=model)

Each prompt is written to `exchange/q/0001.txt`, and the call waits for `exchange/a/0001.txt` (write it under another
name, then rename it). Replies are kept in `exchange/replies.json` and found again by the conversation in the prompt, so
that they can be played against code that chooses or writes the rest of the prompt differently: a reply names known
memories by number, and each number is looked up by the memory's text among those now shown.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import Field
from typing_extensions import override

_CONVERSATION = re.compile(r"<conversation>.*</conversation>", re.DOTALL)
_KNOWN = re.compile(r"<known>\n(.*?)\n</known>", re.DOTALL)
_LINE = re.compile(r"\[\d+\] (.*?)(?: \(noted [^()]*\))?$", re.MULTILINE)


class FileModel(BaseChatModel):
    """Writes prompts to files and reads replies from files.

    Attributes:
        folder: Holds `replies.json`, and `q` and `a` where replies are waited for.
        timeout: Seconds to wait for a reply before `TimeoutError`; 0 to know only the replies that were kept.
        asked: The prompts of this process, with their replies, oldest first.
    """

    folder: str
    timeout: float = 1800.0
    asked: list[tuple[str, str]] = Field(default_factory=list)

    @property
    @override
    def _llm_type(self) -> str:
        return "files"

    @override
    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        prompt = "\n\n=====\n\n".join(f"<<{message.type}>>\n{message.text}" for message in messages)
        kept, key = self._kept(), _key(messages)
        if key not in kept:
            kept[key] = {"known": _known(prompt), "reply": self._awaited(prompt)}
            Path(self.folder, "replies.json").write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
        reply = _renumbered(kept[key]["reply"], kept[key]["known"], _known(prompt))
        self.asked.append((prompt, reply))
        return ChatResult(generations=[ChatGeneration(message=AIMessage(reply))])

    def _kept(self) -> dict[str, Any]:
        file = Path(self.folder, "replies.json")
        kept: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
        return kept

    def _awaited(self, prompt: str) -> str:
        if not self.timeout:
            raise TimeoutError(f"There is no reply to this prompt in {self.folder}: {prompt[-200:]}")
        questions, answers = (Path(self.folder, part) for part in "qa")
        for place in (questions, answers):
            place.mkdir(parents=True, exist_ok=True)
        name = f"{len(list(questions.glob('*.txt'))) + 1:04d}.txt"
        draft = questions / f"{name}.part"
        draft.write_text(prompt)
        draft.rename(questions / name)
        return self._read(answers / name)

    def _read(self, answer: Path) -> str:
        end = time.monotonic() + self.timeout
        while not answer.exists():
            if time.monotonic() > end:
                raise TimeoutError(f"There is no reply in {answer}.")
            time.sleep(0.5)
        return answer.read_text()


def _key(messages: Sequence[BaseMessage]) -> str:
    """What a reply is found by: what was said, and how often it was asked for."""
    found = _CONVERSATION.search(messages[1].text if len(messages) > 1 else messages[0].text)
    said = found[0] if found else "\n".join(message.text for message in messages)
    return hashlib.sha256(f"{len(messages)}\n{said}".encode()).hexdigest()[:16]


def _known(prompt: str) -> list[str]:
    found = _KNOWN.search(prompt)
    return _LINE.findall(found[1]) if found else []


def _renumbered(reply: str, then: Sequence[str], now: Sequence[str]) -> str:
    """A reply with the numbers that its known memories have now; one no longer shown gets a number that is none."""
    if list(then) == list(now):
        return reply
    places = {text: number for number, text in enumerate(now)}

    def renumber(found: re.Match[str]) -> str:
        number = int(found[2])
        return f"{found[1]}{places.get(then[number], len(now)) if number < len(then) else number}"

    return re.sub(r'("memory"\s*:\s*)(\d+)', renumber, reply)
