"""What a model is told of documents: the kinds there are, their schemas, and how to change them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from langchain_mem.model.kinds import Kinds, Many

ONE: Final = (
    "Beside the operations, keep the documents in <documents> up to date. Return `documents`: for each that the "
    "conversation changes, by name, only the keys that change, null for one that no longer holds. What goes into a "
    "document needs no operation. Their JSON schemas:\n{schemas}\n"
)
"""Added where an owner has one document of a schema."""

MANY: Final = """\
Some things are kept as documents and not as facts: whatever fits one of the kinds below. An operation on a document \
has `kind`, its name, and `document`; `text` is empty.
- "add": a new document, whole. One operation for each.
- "update": `memory` is the number of the known document, `document` has only the keys that change, null for one that \
no longer holds. A list is written whole.
- "supersede": `memory` is outdated, and is to stay as history; `document` is the new one, whole.
- "delete": the known document is wrong or no longer wanted, or done with where none of its keys can say so. \
`document` is null.
Known documents stand in <known> with their kind. Before you add one, look whether it is there. Fill in what was said \
or follows from it, in the conversation's language, and leave out what nobody said. Dates are worked out like those of \
facts; a key that wants a whole day is left out where none was said. The other fields are as for a fact; what a \
document says needs no fact beside it.
Kinds, what may be done with them, and their JSON schemas:
{kinds}
"""
"""Added where an owner has many documents of a kind."""

AGAIN: Final = """\
Of your operations, these are not valid:
{faults}
Answer again with these only, corrected, in the same form and order. Leave out one that cannot be corrected from what \
was said: invent nothing."""
"""Asks for invalid documents once more."""


def document_rules(kinds: Kinds) -> str:
    """What is added to the rules of an extraction; empty where no kind is kept."""
    one = {name: brief(schema.model_json_schema()) for name, schema in kinds.one.items()}
    parts = [ONE.format(schemas=json.dumps(one, ensure_ascii=False))] if one else []
    parts += [MANY.format(kinds="\n".join(map(_kind, kinds.many.values())))] if kinds.many else []
    return "\n".join(parts)


def _kind(many: Many) -> str:
    schema = json.dumps(brief(many.schema.model_json_schema()), ensure_ascii=False)
    same = f" One for each {', '.join(many.identity)}." if many.identity else ""
    return f"- {many.name} ({', '.join(many.actions())}).{same} {schema}"


def brief(schema: Any) -> Any:
    """A JSON schema without the titles that pydantic makes of the names, which say nothing more."""
    if isinstance(schema, list):
        return [brief(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    return {key: brief(value) for key, value in schema.items() if key != "title" or not isinstance(value, str)}


def again(faults: Sequence[tuple[Mapping[str, Any], str]]) -> str:
    """The request to correct documents: each operation as it was written, and what is wrong with it."""
    lines = [f"- {json.dumps(told, ensure_ascii=False, default=repr)}\n  {reason}" for told, reason in faults]
    return AGAIN.format(faults="\n".join(lines))
