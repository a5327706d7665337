"""Import paths of the first release that now lead elsewhere.

`from langchain_mem.nodes import retrieval_node` goes on to work: the module found is the very one that lies at its new
place. One finder keeps these names, so that no folder is cluttered with modules that only point on.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import ModuleType
from typing import Final

NEW_PATHS: Final = {
    "activity": "events.feed",
    "chat_history": "integrations.chat_history",
    "conditions": "filters.conditions",
    "consent": "extraction.user_intent",
    "context": "ranking.context",
    "copying": "migrate.stores",
    "expiry": "model.instants",
    "history": "model.history",
    "identity": "integrations.identity",
    "middleware": "integrations.middleware",
    "migration": "migrate.memories",
    "nodes": "integrations.nodes",
    "records": "model.records",
    "redaction": "extraction.redaction",
    "retriever": "integrations.retriever",
    "scopes": "model.scopes",
    "tools": "integrations.tools",
    "usage": "ranking.attribution",
}
"""From each documented module of the first release to where it is now, both below the package."""

_PACKAGE: Final = "langchain_mem."


class _Moved(MetaPathFinder, Loader):
    """Finds a module by its old name and hands out the one at its new place."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        old = fullname.removeprefix(_PACKAGE)
        return spec_from_loader(fullname, self) if old != fullname and old in NEW_PATHS else None

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = import_module(_PACKAGE + NEW_PATHS[module.__name__.removeprefix(_PACKAGE)])


def install() -> None:
    """Makes the old paths importable. Called once, by the package itself."""
    sys.meta_path.append(_Moved())
