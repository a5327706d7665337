"""Documents as a model writes them: which kind an operation is about, and whether the document is valid.

An invalid document is a `DocumentFault`, so that the model can be asked for it once more.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from langchain_mem.errors import InvalidRequest, shown
from langchain_mem.extraction.reconcile import Action, CheckedProposal
from langchain_mem.model.documents import JsonDocument, document_of, dumped_whole, in_words, merged, read_by
from langchain_mem.model.kinds import Kinds, Many
from langchain_mem.model.records import Rejected, sound


class DocumentFault(InvalidRequest):
    """A document that is not valid, or an operation on a document that cannot be."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a model wrote of a document beside the fields of a fact.

    Attributes:
        kind: Its kind.
        document: It, or a patch.
    """

    kind: str | None
    document: Any


def about_document(operation: CheckedProposal, written: Written, kinds: Kinds) -> CheckedProposal:
    """An operation with the document it is about; a fact as it is.

    The kind may be left to the known document, or to the only kind there is.

    Raises:
        DocumentFault: There is no such kind, or the document is not valid; says what is wrong.
    """
    many = _kind(operation, written, kinds)
    if many is None:
        return operation
    target = operation.target
    if target is not None and target["schema"] != many.name:
        raise DocumentFault(f"memory is a {target['schema'] or 'fact'}, and not a {many.name}")
    if operation.action in (Action.DELETE, Action.CLOSE, Action.KEEP):
        return replace(operation, kind=many.name, text="")
    if operation.action is not Action.ADD and target is None:
        raise DocumentFault(f"{operation.action} needs the number of a known {many.name} as memory")
    document = _as_json(written.document, many)
    before = document_of(target) if target is not None and operation.action is Action.UPDATE else {}
    try:
        whole = dumped_whole(read_by(many.schema, merged(before, document)))
    except InvalidRequest as error:
        raise DocumentFault(str(error)) from error
    told = document if operation.action is Action.UPDATE else whole
    return replace(operation, kind=many.name, document=told, text=in_words(many.name, whole))


def _kind(operation: CheckedProposal, written: Written, kinds: Kinds) -> Many | None:
    """The kind that an operation is about; `None` for a fact."""
    known = operation.target["schema"] if operation.target is not None else None
    name = written.kind or known
    if name is None and isinstance(written.document, Mapping) and written.document:
        if len(kinds.many) != 1:
            raise DocumentFault(f"a document needs its kind: {', '.join(kinds.many)}")
        return next(iter(kinds.many.values()))
    if name is None:
        return None
    if name not in kinds.many:
        raise DocumentFault(f"there is no kind {shown(name)}; there are {', '.join(kinds.many) or 'none'}")
    return kinds.many[name]


def _as_json(document: Any, many: Many) -> JsonDocument:
    if not isinstance(document, Mapping) or not document:
        raise DocumentFault(f"document is an object with the keys of a {many.name}")
    try:
        plain: JsonDocument = json.loads(sound(json.dumps(document, ensure_ascii=False, allow_nan=False)))
    except (TypeError, ValueError, RecursionError) as error:
        raise DocumentFault(f"document is no JSON: {error}"[:200]) from error
    return plain


def faulty_patches(
    patches: Mapping[str, Any], current: Mapping[str, JsonDocument], kinds: Kinds
) -> Iterator[tuple[str, str]]:
    """Patches of the documents of which an owner has one that cannot be: by name, with the reason."""
    for name, patch in patches.items():
        schema = kinds.one.get(name)
        if schema is None:
            yield name, f"there is no schema {shown(name)}; there are {', '.join(kinds.one) or 'none'}"
        elif not isinstance(patch, Mapping):
            yield name, "a patch is an object with the keys that change"
        else:
            try:
                read_by(schema, merged(current.get(name, {}), patch))
            except InvalidRequest as error:
                yield name, str(error)


def as_operations(patches: Mapping[str, Any], kinds: Kinds) -> list[dict[str, Any]]:
    """Documents of which an owner has many, but which a model wrote among those it has one of, as additions."""
    found: list[dict[str, Any]] = []
    for name in patches.keys() & kinds.many.keys():
        several = patches[name] if isinstance(patches[name], list) else [patches[name]]
        found += [{"action": "add", "kind": name, "document": document} for document in several if document]
    return found


def unmended(faults: Sequence[Rejected], mended: Sequence[CheckedProposal | str]) -> list[Rejected]:
    """Those of the faults for which a second answer has nothing: no operation like it, or no patch of the name."""
    left = list(mended)
    missing: list[Rejected] = []
    for fault in faults:
        found = next((each for each in left if _mends(each, fault["operation"])), None)
        if found is None:
            missing.append(fault)
        else:
            left.remove(found)
    return missing


def _mends(mended: CheckedProposal | str, told: Mapping[str, Any]) -> bool:
    if isinstance(mended, str):
        return told.get("document") == mended
    return isinstance(told.get("action"), str) and told["action"].strip().lower() == mended.action
