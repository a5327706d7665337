"""The profile of an owner: a short text on what matters of all that is known, and what each sentence rests on.

A profile is a memory of a kind of its own, one an owner. It never says more than the memories it rests on: where one
of them is changed, deleted or superseded, the sentences that rest on it go in the same write.

    metadata: {"kind": "profile", "sentences": [{"text": "Has a dog named Rex.", "rests_on": ["5f…"]}], "of": "9a…"}
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypedDict

from langchain_mem.backends.base import Address
from langchain_mem.model.history import merged_away
from langchain_mem.model.records import StoredMemory, id_for, is_live
from langchain_mem.model.scopes import Namespace

PROFILE: Final = "langchain_mem.profile"
"""The kind of a profile. No schema of a user has such a name, for no class may hold a dot."""


class Sentence(TypedDict):
    """A sentence of a profile, and the ids of the memories it rests on."""

    text: str
    rests_on: list[str]


def place_of_profile(home: Namespace) -> Address:
    """Where the profile of an owner lies."""
    return Address(home, id_for((*home, "schema"), PROFILE))


def profile_fields(sentences: Sequence[Sentence], of: str | None = None) -> dict[str, Any]:
    """What of a profile's memory its sentences make: text and metadata.

    Args:
        sentences: What it says.
        of: What it was made of, see `state_of`; `None` where it is no longer whole.
    """
    metadata = {"kind": "profile", "sentences": list(sentences), "of": of}
    return {"memory": " ".join(one["text"] for one in sentences), "metadata": metadata}


def state_of(memories: Iterable[StoredMemory]) -> str:
    """What stands for memories as they are: equal as long as none of them has changed."""
    versions = sorted(f"{memory['id']}:{memory['version']}" for memory in memories)
    return hashlib.blake2b("\n".join(versions).encode(), digest_size=12).hexdigest()


def without_what_changed(profile: StoredMemory, after: Mapping[str, StoredMemory]) -> dict[str, Any] | None:
    """What becomes of a profile after other memories change; `None` where nothing does.

    What was merged into another memory is said by that one now. What else has changed takes its sentences with it.

    Args:
        profile: As it is.
        after: The memories whose text or state changes, by id, as they will be.
    """
    if profile["state"] != "live":
        return None
    sentences: list[Sentence] = profile["metadata"].get("sentences", [])
    kept = [_moved(one, after) for one in sentences if all(_stands(key, after) for key in one["rests_on"])]
    if kept == sentences:
        return None
    return profile_fields(kept) if kept else {"state": "deleted"}


def _stands(key: str, after: Mapping[str, StoredMemory]) -> bool:
    memory = after.get(key)
    return memory is None or merged_away(memory)


def _moved(sentence: Sentence, after: Mapping[str, StoredMemory]) -> Sentence:
    moved = [after[key]["superseded_by"] or key if key in after else key for key in sentence["rests_on"]]
    return {**sentence, "rests_on": moved}


def is_whole(profile: StoredMemory | None, of: str, now: str) -> bool:
    """Whether a profile is shown and was made of memories as they are."""
    return profile is not None and is_live(profile, now) and profile["metadata"].get("of") == of
