"""Who calls, and may the call go on: decided by the headers alone."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from recontact.messages import RefusedError
from recontact.model import Key

Keyring = Mapping[bytes, Key]
"""Every key by the SHA-256 of it."""

# A proxy and a server that pick different ones of a doubled header are a hole.
_SINGLE: Final = frozenset(
    {
        b"netoapi_action",
        b"netoapi_key",
        b"netoapi_username",
        b"x_access_key",
        b"x_secret_key",
        b"authorization",
        b"content-encoding",
        b"idempotency-key",
        b"recontact-dry-run",
    }
)
# Whoever sends one of these relies on what it asks for, so an empty one does not pass as absent.
_RELIED_ON: Final = frozenset({b"idempotency-key", b"recontact-dry-run"})
_OTHERS: Final = frozenset(
    {b"accept", b"origin", b"content-length", b"transfer-encoding", b"prefer"}
)


def read_headers(headers: Iterable[tuple[bytes, bytes]]) -> tuple[dict[bytes, bytes], str]:
    """
    The headers that count, and the name of a doubled one that must be single ("": there is none).

    By lower-case name, without outer blanks; an empty one is absent, unless something else would be
    done then than was asked for. Others are joined by commas.
    """
    read: dict[bytes, bytes] = {}
    single = set()
    doubled = ""
    for name, value in headers:
        if name in _SINGLE:
            if name in single:
                doubled = name.decode()
                read.pop(name, None)
                continue
            single.add(name)
            if (value := value.strip()) or name in _RELIED_ON:
                read[name] = value
        elif name in _OTHERS:
            read[name] = read[name] + b", " + value if name in read else value
    return read, doubled


def admit(headers: Mapping[bytes, bytes], keyring: Keyring, now: datetime) -> Key:
    """
    The valid key that the headers hold, in any form the API knows.

    headers: as `read_headers` gives them. now: aware, UTC. Raises RefusedError (401), in the same
    words for a key that is unknown, revoked, expired, or a user's without its username.
    """
    scheme, _, bearer = headers.get(b"authorization", b"").partition(b" ")
    named = headers.get(b"netoapi_key")
    # In these two forms the key alone lets in, also a user's.
    alone = [
        headers.get(b"x_secret_key") if b"x_access_key" in headers else None,
        bearer.strip() if scheme.lower() == b"bearer" else None,
    ]
    offered = {key for key in (named, *alone) if key}
    if not offered:
        raise RefusedError("RC002", _half_sent(headers))
    if len(offered) > 1:
        detail = "NETOAPI_KEY, X_SECRET_KEY and Authorization hold different keys: send one."
        raise RefusedError("RC003", detail)
    key = keyring.get(hashlib.sha256(offered.pop()).digest())
    if key is None or not key.is_valid(now):
        raise RefusedError("RC001")
    if key.username is not None and not any(alone):
        username = _text(headers.get(b"netoapi_username", b""))
        if username.casefold() != key.username.casefold():
            raise RefusedError("RC001")
    return key


def _half_sent(headers: Mapping[bytes, bytes]) -> str:
    """What is missing of a credential that came in part; "" where none came."""
    if b"x_secret_key" in headers:
        return "X_SECRET_KEY came without X_ACCESS_KEY: send both."
    if b"x_access_key" in headers:
        return "X_ACCESS_KEY came without X_SECRET_KEY, which holds the key: send both."
    if b"authorization" in headers:
        return "Authorization came in another form than Bearer: send Authorization: Bearer KEY."
    if b"netoapi_username" in headers:
        return "NETOAPI_USERNAME came without NETOAPI_KEY: send both."
    return ""


def _text(value: bytes) -> str:
    """A header's text: UTF-8, or as Python's and .NET's clients send it, ISO-8859-1."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def may(key: Key, right: str, action: str) -> None:
    """Raise RefusedError (403) unless the key has the right that `action` needs."""
    if right not in key.may:
        rights = " and ".join(sorted(key.may)) or "nothing"
        raise RefusedError(
            "RC005",
            f"{action} needs the right to {right}, and the key may {rights}. Use another key, or "
            "make one: recontact key create --may read,write.",
            action=action,
        )
