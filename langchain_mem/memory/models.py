"""The chat model that an operation asks, from what a caller gave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_mem.errors import InvalidRequest, MissingDependency, shown

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel


def chat_model(model: BaseChatModel | str | None) -> BaseChatModel | None:
    """A chat model, made by `init_chat_model` where only its name is given.

    Raises:
        InvalidRequest: No model can be made of the name.
        MissingDependency: The provider's package is missing.
    """
    if not isinstance(model, str):
        return model
    from langchain.chat_models import init_chat_model

    try:
        return init_chat_model(model)
    except ImportError as error:
        raise MissingDependency(f"The model {shown(model)} needs a package: {str(error)[:120]}") from error
    except Exception as error:  # a provider's own: a key that is missing, a name that it does not know
        raise InvalidRequest(f"No model can be made of {shown(model)}: {str(error)[:120]}") from error
