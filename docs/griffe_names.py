"""What the reference shows of modules that are imported to be read."""

from __future__ import annotations

import ast
import builtins
import inspect
import re
import types
from datetime import timedelta, timezone
from typing import Any, Final

import griffe

LONG: Final = 300  # characters of a value that a reader would skip
_TYPES = (*vars(builtins).values(), types.UnionType, types.MappingProxyType, re.Pattern, timedelta, timezone)
OF_TYPES: Final = {inspect.getdoc(kind) for kind in _TYPES if isinstance(kind, type)} | {
    f"Alias for field number {number}" for number in range(20)
}
"""What Python says of a constant's type, where nothing is said of the constant."""


class OwnNamesOnly(griffe.Extension):
    """Forgets what an imported module merely uses, so that each name is documented once, where it is defined."""

    def on_module(self, *, mod: griffe.Module, **kwargs: Any) -> None:
        """Drops the names a module imports; those of a package's `__init__` are what it offers."""
        if not mod.is_init_module:
            _drop(mod, [name for name, member in mod.members.items() if member.is_alias and not member.is_exported])

    def on_function(self, *, func: griffe.Function, **kwargs: Any) -> None:
        """Shows a function as a reader calls it.

        A default that is no Python, such as `<factory>`, becomes `...`, because no formatter reads it. An operation of
        `Memory` is written as an `async def` that takes the settings of a memory first. Its caller gives no settings,
        and the plain form is not awaited, so neither is shown.
        """
        first = next(iter(func.parameters), None)
        if first is not None and first.name == "settings":
            del func.parameters["settings"]
            func.labels.discard("async")
        for parameter in func.parameters:
            if parameter.default is not None and not _is_python(str(parameter.default)):
                parameter.default = "..."

    def on_attribute(self, *, attr: griffe.Attribute, **kwargs: Any) -> None:
        """Leaves out a value that is no Python or longer than anybody reads, and what a type says of itself."""
        if attr.docstring is not None and attr.docstring.value in OF_TYPES:
            attr.docstring = None
        value = str(attr.value or "")
        if len(value) > LONG or not _is_python(value or "None"):
            attr.value = None

    def on_class(self, *, cls: griffe.Class, **kwargs: Any) -> None:
        """Drops the `__init__` that `typing` gives a protocol: nobody wrote it, and it leads out of the package."""
        init = cls.members.get("__init__")
        if isinstance(init, griffe.Alias) and init.target_path.startswith("typing."):
            _drop(cls, ["__init__"])


def _is_python(text: str) -> bool:
    try:
        ast.parse(text, mode="eval")
    except SyntaxError:
        return False
    return True


def _drop(parent: griffe.Module | griffe.Class, names: list[str]) -> None:
    for name in names:
        parent.del_member(name)
