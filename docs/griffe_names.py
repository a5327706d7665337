"""What the reference shows of modules that are imported to be read."""

from __future__ import annotations

from typing import Any

import griffe


class OwnNamesOnly(griffe.Extension):
    """Forgets what an imported module merely uses, so that each name is documented once, where it is defined."""

    def on_module(self, *, mod: griffe.Module, **kwargs: Any) -> None:
        """Drops the names a module imports; those of a package's `__init__` are what it offers."""
        if not mod.is_init_module:
            _drop(mod, [name for name, member in mod.members.items() if member.is_alias and not member.is_exported])

    def on_class(self, *, cls: griffe.Class, **kwargs: Any) -> None:
        """Drops the `__init__` that `typing` gives a protocol: nobody wrote it, and it leads out of the package."""
        init = cls.members.get("__init__")
        if isinstance(init, griffe.Alias) and init.target_path.startswith("typing."):
            _drop(cls, ["__init__"])


def _drop(parent: griffe.Module | griffe.Class, names: list[str]) -> None:
    for name in names:
        parent.del_member(name)
