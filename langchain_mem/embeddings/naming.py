"""An embedder by its name, as a command line, a setting or an environment variable spells it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final, cast

from langchain_core.embeddings import Embeddings

from langchain_mem.embeddings.local import local_embeddings
from langchain_mem.errors import InvalidRequest, MissingDependency

LOCAL: Final = ("minilm", "multilingual")

FORMS: Final = (
    '"minilm" and "multilingual" run on this machine; "openai:text-embedding-3-small" is a provider and its model, as '
    '`init_embeddings` of LangChain takes them; "package.module.name" is an embedder of yours, or what makes one'
)
"""What may stand where an embedder is named."""

_CLASSES: Final = {
    "AzureOpenAIEmbeddings": "azure_openai",
    "CohereEmbeddings": "cohere",
    "GoogleGenerativeAIEmbeddings": "google_genai",
    "HuggingFaceEmbeddings": "huggingface",
    "MistralAIEmbeddings": "mistralai",
    "OllamaEmbeddings": "ollama",
    "OpenAIEmbeddings": "openai",
}


def name_of_recorded(recorded: str) -> str | None:
    """The name under which the embedder is made that a store remembers by its class and its model.

    Args:
        recorded: As `OpenAIEmbeddings:text-embedding-3-small`.

    Returns:
        As `openai:text-embedding-3-small`; `None` for an embedder of somebody's own.
    """
    kind, _, model = recorded.partition(":")
    local = {"LocalEmbeddings": "minilm", "MultilingualEmbeddings": "multilingual"}.get(kind)
    provider = _CLASSES.get(kind)
    return local or (f"{provider}:{model}" if provider and model else None)


def embedder_named(name: str) -> Embeddings:
    """The embedder that a name means.

    Args:
        name: `"minilm"`, `"multilingual"`, `"provider:model"`, or the dotted path of an embedder, of a class of them or
            of a function that makes one without arguments.

    Raises:
        InvalidRequest: Nothing has this name; the message says what may stand here.
        MissingDependency: The provider's package is not installed.
    """
    if name in LOCAL:
        return local_embeddings(cast(Any, name))
    provider, colon, _ = name.partition(":")
    if colon and "." not in provider:
        return _provided(name)
    if "." in name and not colon:
        return _imported(name)
    raise InvalidRequest(f"No embedder is called {name[:100]!r}: {FORMS}.")


def _provided(name: str) -> Embeddings:
    from langchain.embeddings import init_embeddings

    try:
        return init_embeddings(name)
    except ImportError as error:
        raise MissingDependency(f"The embedder {name[:100]!r} cannot be loaded: {error}") from error
    except Exception as error:
        said = str(error).splitlines()[0][:200]
        raise InvalidRequest(
            f"The embedder {name[:100]!r} cannot be made ({said}). What may stand here: {FORMS}."
        ) from error


def _imported(path: str) -> Embeddings:
    module, _, attribute = path.rpartition(".")
    try:
        found: object = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise InvalidRequest(f"The embedder {path[:100]!r} cannot be imported: {str(error)[:200]}.") from error
    made = _made(found, path) if callable(found) and not isinstance(found, Embeddings) else found
    if not isinstance(made, Embeddings):
        raise InvalidRequest(f"{path[:100]!r} is a {type(made).__name__}, and no LangChain Embeddings.")
    return made


def _made(found: Callable[[], object], path: str) -> object:
    try:
        return found()
    except TypeError as error:
        raise InvalidRequest(f"{path[:100]!r} cannot be called without arguments: {str(error)[:200]}.") from error
