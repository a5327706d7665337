"""The public surface: `__all__` is what is importable, for Python and for type checkers alike."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from types import ModuleType

import pytest

from langchain_mem import _moved

ROOMS = ["checkpointers", "decay", "embeddings", "extraction", "filters", "integrations", "memory", "ranking", "store"]
PACKAGES = ["langchain_mem", "langchain_mem.testing", *(f"langchain_mem.{room}" for room in ROOMS)]


@pytest.fixture(params=PACKAGES)
def package(request: pytest.FixtureRequest) -> ModuleType:
    return importlib.import_module(request.param)


def _public(package: ModuleType) -> list[str]:
    return list(getattr(package, "__all__", []))


def _seen_by_type_checkers(package: ModuleType) -> set[str]:
    """Names of this distribution that the source imports, `if TYPE_CHECKING:` included."""
    nodes = ast.walk(ast.parse(inspect.getsource(package)))
    imports = [node for node in nodes if isinstance(node, ast.ImportFrom)]
    ours = [node for node in imports if re.match(r"langchain_mem\.[a-z]", node.module or "")]
    return {alias.asname or alias.name for node in ours for alias in node.names}


def test_every_public_name_is_importable(package: ModuleType):
    """Each name of `__all__` is there, also where it is loaded lazily, and no name is there twice."""
    names = _public(package)
    assert [name for name in names if not hasattr(package, name)] == []
    assert len(names) == len(set(names))


def test_a_star_import_brings_exactly_the_public_names(package: ModuleType):
    """`from package import *` and `__all__` agree."""
    found: dict[str, object] = {}
    exec(f"from {package.__name__} import *", found)
    assert found.keys() - {"__builtins__"} == set(_public(package))


def test_type_checkers_see_the_same_names(package: ModuleType):
    """The imports beside the lazy loading name what `__all__` names, no more and no less."""
    public = {name for name in _public(package) if not name.startswith("__")}
    assert _seen_by_type_checkers(package) == public


def test_public_names_are_documented(package: ModuleType):
    """Every public class and function has a docstring of its own."""
    things = {name: getattr(package, name) for name in _public(package)}
    described = [name for name, thing in things.items() if inspect.isclass(thing) or inspect.isfunction(thing)]
    assert [name for name in described if not things[name].__doc__] == []


def test_an_unknown_name_is_an_attribute_error(package: ModuleType):
    """Lazy loading does not change what Python says about a name that is not there."""
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = package.no_such_name


@pytest.mark.parametrize("old", _moved.NEW_PATHS)
def test_a_documented_path_of_the_first_release_stays(old: str):
    """The old path hands out the very module that lies at its new place."""
    new = importlib.import_module(f"langchain_mem.{_moved.NEW_PATHS[old]}")
    assert importlib.import_module(f"langchain_mem.{old}") is new
