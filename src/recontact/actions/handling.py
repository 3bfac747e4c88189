"""What a call asks for beside its action: to be repeatable, all or nothing, or only tried."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from hashlib import sha256
from typing import Final

from recontact.catalogue import CATALOGUE, Message
from recontact.fields import Fields, Shape
from recontact.messages import MOST_PROBLEMS, Call, Format, RefusedError, Reply
from recontact.model import IDEMPOTENCY_DAYS, Repeatable
from recontact.values import quote, quote_name

# Preferences stand between commas, but for those in quotes (RFC 7240 §2). Possessive: whoever sends
# 32 KiB of quotes or blanks is not to hold the server up.
_PREFERENCE: Final = re.compile(r'(?:[^,"]++|"[^"]*+"?+)++')
IDEMPOTENCY_KEY: Final = "[!-~]{1,255}"
"""What an Idempotency-Key may be: visible ASCII, as a pattern."""
_LONGEST_NAME: Final = 100
"""Characters of a name up to which others are looked for that resemble it: it may have millions."""


@dataclass(frozen=True, slots=True)
class Handling:
    """
    How a call that writes is to be handled (SPEC §6).

    strict: all items or none, and unknown elements are errors. dry_run: nothing is written.
    idempotency_key: what tells this call from others of its key; "": nothing does, as in a dry run.
    fingerprint: the hash of all that a repeat of it has in common with it; without a key empty.
    """

    strict: bool = False
    dry_run: bool = False
    idempotency_key: str = ""
    fingerprint: bytes = b""

    @classmethod
    def read(
        cls, headers: Mapping[bytes, bytes], action: str, body: bytes, format: Format
    ) -> "Handling":
        """
        What the headers ask for. format: of the answer. body: unpacked, and without passwords: the
        journal has the rest of it, so whoever had the hash could find out a short one.

        Raises RefusedError (400) for a header whose value says something else, since what the
        caller relies on would not be done.
        """
        strict = _handling(headers.get(b"prefer", b"")) == "strict"
        wanted = headers.get(b"recontact-dry-run", b"false").lower()
        if wanted not in (b"true", b"false"):
            raise RefusedError("RC027", value=quote(wanted.decode("latin-1")))
        dry_run = wanted == b"true"
        key = headers.get(b"idempotency-key")
        if key is not None and not re.fullmatch(IDEMPOTENCY_KEY, text := key.decode("latin-1")):
            raise RefusedError("RC025")
        if key is None or dry_run:
            return cls(strict, dry_run)
        parts = (action, format.value, "strict" if strict else "", "")
        return cls(strict, dry_run, text, sha256("\n".join(parts).encode() + body).digest())

    @property
    def mode(self) -> str:
        """What the journal calls it."""
        return ", ".join(
            name for name, is_so in (("strict", self.strict), ("dry run", self.dry_run)) if is_so
        )

    @property
    def echo(self) -> dict[str, str]:
        """The headers by which the answer says that it was done."""
        return {
            **({"preference-applied": "handling=strict"} if self.strict else {}),
            **({"recontact-dry-run": "true"} if self.dry_run else {}),
        }

    def judge(self, known: Repeatable, now: datetime) -> bool:
        """
        Whether this call repeats the one that its Idempotency-Key stands for; False: that is over.

        Raises RefusedError (422): it is another call, or that one was erased.
        """
        if began(known.request) < now - timedelta(days=IDEMPOTENCY_DAYS):
            return False
        if not known.fingerprint:
            raise self.gone()
        if known.fingerprint != self.fingerprint:
            raise RefusedError("RC026", key=quote_name(self.idempotency_key))
        return True

    def gone(self) -> RefusedError:
        """The refusal of a repeat whose answer is not there any more."""
        return RefusedError("RC028", key=quote_name(self.idempotency_key))


def began(request: bytes) -> datetime:
    """When a request came, by its id: a UUIDv7 begins with milliseconds (RFC 9562 §5.7)."""
    return datetime.fromtimestamp(int.from_bytes(request[:6], "big") / 1000, UTC)


def all_or_none(call: Call, reply: Reply) -> bool:
    """Whether a strict call may be applied; if not, the reply tells why, and that nothing was."""
    names = list(dict.fromkeys(call.passed_over))
    reply.add(_unknown(name, call.shape) for name in names[:MOST_PROBLEMS])
    if reply.ack != "Error":
        return True
    reply.forget()
    reply.add([CATALOGUE["CL044"].message()])
    return False


def _unknown(name: str, shape: Shape) -> Message:
    near = nearest(name, shape)
    said = f"Did you mean {' or '.join(near)}?" if near else "Leave it out, or check its spelling."
    return CATALOGUE["CL009"].message(
        f"{said} Names count letter by letter.", element=quote_name(name), action=shape.action
    )


def nearest(name: str, shape: Shape) -> list[str]:
    """
    The names of elements of a call that look most like `name`, up to three.

    name: as a Call has those that were passed over: `BillingAddress/BillCty`.
    """
    if len(name) > _LONGEST_NAME:
        return []
    known = [*shape.path, *_names(shape.item), *shape.filters, *shape.selectors]
    if shape.filters:
        known += ["Filter", "OutputSelector"]
    names = {one.lower(): one for one in known}
    own = name.rpartition("/")[2].lower()
    return [names[one] for one in get_close_matches(own, names, 3, 0.75)]


def _names(fields: Fields) -> list[str]:
    return [one for name, field in fields.items() for one in (name, *_names(field.parts))]


def _handling(prefer: bytes) -> str:
    """What Prefer says of handling; if it does so twice, the first counts (RFC 7240 §2)."""
    for one in _PREFERENCE.findall(prefer.decode("latin-1")):
        name, _, said = one.partition(";")[0].partition("=")
        if name.strip().lower() == "handling":
            return str(said).strip().strip('"').lower()
    return ""
