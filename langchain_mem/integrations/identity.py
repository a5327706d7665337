"""Whose memory: the ids of a run, from where the application put them. Never from a model.

    an authenticated user of LangGraph Server      wins; a run that names another user is refused
    owner=…, where a surface was given one         a function, a template, or a mapping of them
    runtime.context.user_id                        what the run says
    config["configurable"]["user_id"]

The same, in this order, for `agent_id`, `app_id` and `org_id`. The thread is where a memory came from and the session
whose notes a read may see; it is no owner. A run that names no owner fails.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, TypeAlias, Unpack, cast
from uuid import UUID

from langchain_core.runnables import RunnableConfig
from langgraph.config import get_config
from langgraph.runtime import get_runtime

from langchain_mem.errors import InvalidRequest, ScopeError
from langchain_mem.integrations.delegation import is_delegated
from langchain_mem.model.records import Source, source_of
from langchain_mem.model.scopes import OWNER_IDS, Ids, Scope

OwnerRule: TypeAlias = Callable[[Any], Any] | str | Mapping[str, Any]
"""How an application says whose memory a run uses.

A function gets the runtime and returns a user's id, or a mapping or `MemoryContext` of several ids. A template such as
`"{context.user.id}"` is filled from `context`, `configurable` and the authenticated `user`. A mapping has one of the
two, or a plain id, for each kind of owner: `{"org_id": "acme"}`.
"""


@dataclass(frozen=True, kw_only=True)
class MemoryContext:
    """A `context_schema` that says whose memory a run may use.

    Attributes:
        user_id: The person. A number or a UUID is taken as text, here as everywhere.
        agent_id: The assistant, where it has memories of its own.
        app_id: The application, whose memories all its users share.
        org_id: The organization, likewise.
    """

    user_id: str | int | UUID | None = None
    agent_id: str | int | UUID | None = None
    app_id: str | int | UUID | None = None
    org_id: str | int | UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whose memory a run uses, and where it stands.

    Attributes:
        owners: The ids of whose memories these are.
        thread_id: The thread, where there is one.
        checkpoint_id: The checkpoint the step began from, where there is one.
        delegated: Whether a tool of another agent started this run, so that its "user" is a model.
    """

    owners: Ids
    thread_id: str | None = None
    checkpoint_id: str | None = None
    delegated: bool = False

    @property
    def visible(self) -> Ids:
        """What a read may see: the owners' memories, and of sessions only this thread's notes."""
        session = self.owners.get("run_id") or self.thread_id
        return self.owners if session is None else {**self.owners, "run_id": session}

    def source(self, message_ids: list[str]) -> Source:
        """Where what these messages say comes from."""
        return source_of(self.thread_id, self.checkpoint_id, message_ids)


def whose(
    runtime: Any = None,
    config: RunnableConfig | None = None,
    *,
    owner: OwnerRule | None = None,
    beside: Mapping[str, Any] | None = None,
    **given: Unpack[Ids],
) -> Identity:
    """Whose memory this run uses.

    Args:
        runtime: LangGraph's `Runtime` or a tool's `ToolRuntime`; that of the running step where there is none.
        config: The run's configuration. What it does not say is asked of the running step.
        owner: How the application finds the owner, instead of the run's own ids.
        beside: Ids set by the application in code, beside those that are found.
        **given: Ids set by the application in code; with any of them nothing else is asked.

    Returns:
        The ids, the thread and the checkpoint.

    Raises:
        ScopeError: Nothing names an owner, an id is none, or the run names somebody other than the authenticated user.
    """
    run = Run.current(runtime, config)
    fixed = Scope.of(cast(Ids, _ids(given)))
    owners = fixed.ids() if fixed else {**run.owners(owner), **_ids(beside or {})}
    if not owners:
        raise ScopeError(_UNKNOWN)
    execution = getattr(run.runtime, "execution_info", None)
    thread_id = run.configurable.get("thread_id") or getattr(execution, "thread_id", None)
    return Identity(
        owners=cast(Ids, Scope.of(cast(Ids, owners)).ids()),
        thread_id=str(thread_id) if thread_id else None,
        checkpoint_id=getattr(execution, "checkpoint_id", None) or run.configurable.get("checkpoint_id"),
        delegated=is_delegated(run.config),
    )


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a run says of itself: its runtime and its configuration."""

    runtime: Any
    config: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def current(cls, runtime: Any = None, config: RunnableConfig | None = None) -> Run:
        """The run of these two; what is missing is asked of the running step."""
        return cls(runtime=runtime if runtime is not None else _runtime(), config=_config(runtime, config))

    @property
    def configurable(self) -> Mapping[str, Any]:
        """The `configurable` part of the configuration."""
        return self.config.get("configurable") or {}

    @cached_property
    def user(self) -> Any:
        """The user that LangGraph Server has authenticated; `None` where there is none."""
        server = getattr(getattr(self.runtime, "server_info", None), "user", None)
        for user in (server, self.configurable.get("langgraph_auth_user")):
            if _of(user, "identity"):
                return user
        named = self.configurable.get("langgraph_auth_user_id") or self.configurable.get("langgraph_user_id")
        return {"identity": named} if named else None

    def owners(self, rule: OwnerRule | None) -> dict[str, str]:
        """The owners, by a rule or as the run says, where the authenticated user agrees.

        Raises:
            ScopeError: The run names somebody else.
        """
        if rule is None:
            return self._named() if self.user is None else self._authenticated()
        found = _ids(_fill(rule, self))
        if not found:
            raise ScopeError("owner=… found nobody: it gave no id for this run.")
        if not _is_of_user(rule):
            self._check(found.get("user_id"))
        return found

    def _named(self) -> dict[str, str]:
        context = getattr(self.runtime, "context", None)
        said = {name: (_of(context, name), self.configurable.get(name)) for name in OWNER_IDS}
        return _ids({name: one if one is not None else other for name, (one, other) in said.items()})

    def _authenticated(self) -> dict[str, str]:
        """The authenticated user's ids. What the run says beside them is a client's word and must be the same."""
        own = {name: _of(self.user, name) for name in OWNER_IDS if name != "user_id"}
        ids = _ids({"user_id": _of(self.user, "identity"), **own})
        context = getattr(self.runtime, "context", None)
        for name in OWNER_IDS:
            for said in (_of(context, name), self.configurable.get(name)):
                if said is not None and _id(name, said) != ids.get(name):
                    raise ScopeError(_FOREIGN.format(name=name))
        return ids

    def _check(self, user_id: str | None) -> None:
        if self.user is not None and user_id is not None and user_id != _id("user_id", _of(self.user, "identity")):
            raise ScopeError(_FOREIGN.format(name="user_id"))


_UNKNOWN: Final = (
    'Whose memory? Invoke with context=MemoryContext(user_id=…), or with config={"configurable": {"user_id": …}}; '
    "agent_id, app_id and org_id work alike. On LangGraph Server an authentication handler says it."
)
_FOREIGN: Final = (
    "The run names a {name} that is not the authenticated user's. Leave it out; where the application means another "
    "owner, it says so in code, with owner=…."
)


def check_owner(rule: OwnerRule | None, beside: Mapping[str, Any]) -> None:
    """Refuses, when a surface is made, what can never say whose memory a run uses.

    Raises:
        InvalidRequest: The rule has a form that is none; says which are.
        ScopeError: An id in code is none.
    """
    Scope.of(cast(Ids, _ids(beside)))
    rules = rule if isinstance(rule, Mapping) else {"user_id": rule}
    unknown = rules.keys() - {*OWNER_IDS, "run_id"}
    if unknown:
        raise InvalidRequest(f"owner=… names {', '.join(OWNER_IDS)}, not {', '.join(map(str, sorted(unknown)))[:200]}.")
    for each in rules.values():
        if isinstance(each, str):
            _check_template(each)
        elif not (each is None or callable(each) or isinstance(each, (int, UUID))) or isinstance(each, bool):
            raise InvalidRequest(f"owner=… is a function, a template or an id, not a {type(each).__name__}.")


_FIELD: Final = re.compile(r"\{([^{}]*)\}")
_ROOTS: Final = ("context", "configurable", "user")


def _check_template(template: str) -> None:
    if not template or re.search(r"[{}]", _FIELD.sub("", template)):
        raise InvalidRequest('A template is text such as "{context.user.id}".')
    for path in _FIELD.findall(template):
        root, *steps = path.split(".")
        if root not in _ROOTS or not steps or not all(steps):
            raise InvalidRequest(f"A template's fields begin with {', '.join(_ROOTS)}, as {{context.user.id}} does.")


def _fill(rule: Any, run: Run) -> Mapping[str, Any]:
    """What a rule comes to in a run: ids by name."""
    found = rule(run.runtime) if callable(rule) else rule
    if isinstance(found, str) and found is rule:
        found = _template(found, run)
    if isinstance(found, Mapping):
        return {name: _value(each, run) for name, each in found.items()}
    if isinstance(found, MemoryContext):
        return {name: getattr(found, name) for name in OWNER_IDS}
    return {"user_id": found}


def _value(each: Any, run: Run) -> Any:
    if callable(each):
        return each(run.runtime)
    return _template(each, run) if isinstance(each, str) else each


def _template(template: str, run: Run) -> str:
    return _FIELD.sub(lambda found: _looked_up(found[1], run), template)


def _looked_up(path: str, run: Run) -> str:
    root, *steps = path.split(".")
    value = {"context": getattr(run.runtime, "context", None), "configurable": run.configurable, "user": run.user}[root]
    for step in steps:
        value = _of(value, step)
    found = _id(path, value)
    if not found:
        raise ScopeError(f"owner=… found nothing at {{{path}}} in this run.")
    return found


def _is_of_user(rule: OwnerRule) -> bool:
    """Whether a rule reads nothing but the authenticated user, whom no client can name."""
    given = rule.get("user_id") if isinstance(rule, Mapping) else rule
    if not isinstance(given, str):
        return False
    paths = _FIELD.findall(given)
    return bool(paths) and all(path.startswith("user.") for path in paths)


def _ids(values: Mapping[str, Any]) -> dict[str, str]:
    """Ids that are set, as text."""
    found = {name: _id(name, value) for name, value in values.items()}
    return {name: value for name, value in found.items() if value is not None}


def _id(name: str, value: Any) -> str | None:
    """An id as text; what is neither text, a number nor a UUID is refused."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (int, UUID)) and not isinstance(value, bool):
        return str(value)
    raise ScopeError(f"{name} must be a string, a whole number or a UUID, not {type(value).__name__}.")


def _of(value: Any, name: str) -> Any:
    """What a context, a user or a mapping holds under a name; `None` where there is nothing."""
    if isinstance(value, Mapping):
        return value.get(name)
    try:
        found = getattr(value, name, None)
    except NotImplementedError:  # a user whom Starlette did not authenticate has no identity
        return None
    if found is None and hasattr(value, "__getitem__") and not isinstance(value, (str, bytes)):
        try:
            return value[name]
        except (KeyError, TypeError, IndexError):
            return None
    return found


def _config(runtime: Any, config: RunnableConfig | None) -> Mapping[str, Any]:
    """The configuration given, or a tool's, filled up from that of the running step."""
    own = config if config is not None else getattr(runtime, "config", None) or {}
    running = _running()
    configurable = {**(running.get("configurable") or {}), **(own.get("configurable") or {})}
    return {**running, **{name: value for name, value in own.items() if value}, "configurable": configurable}


def _running() -> RunnableConfig:
    try:
        return get_config()
    except RuntimeError:  # outside of any run
        return {}


def _runtime() -> Any:
    try:
        return get_runtime()
    except (RuntimeError, KeyError):  # outside of a graph
        return None
