"""Encryption of what is kept, with the application's own key.

    sealed       `key id . base64(nonce, tag, ciphertext)`: AES-256 in EAX mode, as LangGraph's `EncryptedSerializer`
                 uses it, bound to the row's address, so that no row can be given out as another
    words        each word of a text as a keyed hash, HMAC-SHA256, of which 64 bits are kept

Both keys are derived from the application's, one for each purpose.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from langchain_mem.backends.base import Address
from langchain_mem.errors import InvalidRequest, MissingDependency, StoreError

_KEY_BYTES: Final = 16
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NONCE, _TAG = 16, 16  # bytes
_WORD: Final = re.compile(r"\w+")
_HASH_CHARACTERS: Final = 16


@dataclass(frozen=True, kw_only=True)
class Encryption:
    """The keys with which a store encrypts its values.

    To change the key, give the new one as `key` with a new `key_id`, and the old one in `retired`. New values are
    encrypted with the new key. `rotate_keys()` of the store encrypts the others anew; after that the old key is not
    needed.

    Attributes:
        key: Encrypts new values: at least 16 random bytes, such as `secrets.token_bytes(32)`.
        key_id: The name of the key in the database: ASCII letters, digits, `_` and `-`, at most 64 characters.
        retired: Earlier keys by their names, for values that they encrypted.

    Raises:
        InvalidRequest: A key is too short, a name is not valid, or `key_id` is also the name of a retired key.
    """

    key: bytes = field(repr=False)
    key_id: str = "1"
    retired: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.key_id in self.retired:
            raise InvalidRequest("key_id is also the id of a retired key. A new key takes a new id.")
        for key_id, key in self.keys.items():
            if not isinstance(key_id, str) or not _ID.fullmatch(key_id):
                raise InvalidRequest("A key's id takes ASCII letters, digits, `_` and `-`, at most 64.")
            if not isinstance(key, bytes) or len(key) < _KEY_BYTES:
                raise InvalidRequest(f"A key must be at least {_KEY_BYTES} bytes, such as secrets.token_bytes(32).")
        _aes()

    @property
    def keys(self) -> dict[str, bytes]:
        """Every key by its id, the one for new rows first."""
        return {self.key_id: self.key, **self.retired}

    def seal(self, address: Address, content: Mapping[str, Any]) -> str:
        """Encrypts a JSON object for one address."""
        cipher = _cipher(self.key, None, _bound(self.key_id, address))
        sealed, tag = cipher.encrypt_and_digest(
            json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        )
        return f"{self.key_id}.{base64.b64encode(cipher.nonce + tag + sealed).decode()}"

    def open(self, address: Address, sealed: str) -> bytes:
        """What was sealed for an address, as JSON text.

        Raises:
            StoreError: The key is not among these, or it is another, or the row was changed or moved.
        """
        key_id, _, encoded = sealed.partition(".")
        key = self.keys.get(key_id)
        if key is None:
            raise StoreError(
                f"A row is encrypted with the key {key_id[:64]!r}, which is not given. Add it to `retired`."
            )
        try:
            read = base64.b64decode(encoded, validate=True)
            cipher = _cipher(key, read[:_NONCE], _bound(key_id, address))
            plain: bytes = cipher.decrypt_and_verify(read[_NONCE + _TAG :], read[_NONCE : _NONCE + _TAG])
        except (binascii.Error, ValueError) as error:
            raise StoreError(
                f"A row does not open with the key {key_id!r}: it is another key of that id, or the row was changed."
            ) from error
        return plain

    def is_current(self, sealed: str) -> bool:
        """Whether a sealed value has the key for new rows."""
        return sealed.startswith(f"{self.key_id}.")

    def hidden_text(self, text: str) -> str:
        """The distinct words of a text, each hashed with the key for new rows, in an order that says nothing."""
        return " ".join(sorted(_hidden(self.key, set(_WORD.findall(text.lower())))))

    def hidden_words(self, words: Iterable[str]) -> list[str]:
        """Words to search for, hashed with every key."""
        wanted = set(words)
        return [word for key in self.keys.values() for word in _hidden(key, wanted)]


def _hidden(key: bytes, words: Iterable[str]) -> list[str]:
    secret = _derived(key, "words")
    digests = (hmac.digest(secret, word.encode("utf-8", "surrogatepass"), "sha256") for word in words)
    return [digest.hex()[:_HASH_CHARACTERS] for digest in digests]


def _bound(key_id: str, address: Address) -> bytes:
    return json.dumps([key_id, list(address.namespace), address.key]).encode()


@functools.lru_cache(maxsize=64)
def _derived(key: bytes, purpose: str) -> bytes:
    """32 bytes for one purpose, so that a hash of a word says nothing of the key that encrypts."""
    return hmac.digest(key, f"langchain_mem {purpose}".encode(), hashlib.sha256)


def _cipher(key: bytes, nonce: bytes | None, bound: bytes) -> Any:
    aes = _aes()
    cipher = aes.new(_derived(key, "values"), aes.MODE_EAX, nonce=nonce, mac_len=_TAG)
    cipher.update(bound)
    return cipher


def _aes() -> Any:
    try:
        from Crypto.Cipher import AES
    except ImportError as error:
        raise MissingDependency('Encryption needs pycryptodome: pip install "langchain-mem[encryption]"') from error
    return AES
