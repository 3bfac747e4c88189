"""The forms of the panel: read up to a limit, and written down to be shown again."""

import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request

from recontact.body import Bodies

FIELDS: Final = 2_000
"""Fields of one form."""
FORM_LIMIT: Final = 1_048_576
"""Bytes of a form."""
STRANGERS_LIMIT: Final = 262_144
"""Bytes of a form that comes without a session, or is kept until there is one: 15 ms to read."""
PACKED_LIMIT: Final = 131_072
"""Characters of a form that was packed, inside such a one."""
SECRETS: Final = ("password", "again", "before")
"""Fields that hold passwords, in all forms of ours."""
MEDIA_TYPE: Final = "application/x-www-form-urlencoded"


class FormError(Exception):
    """What came is no form that a page of ours sends. http_status: of the answer."""

    def __init__(self, http_status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.http_status = http_status


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form in order; a name may come several times. Lines end with \\n."""

    fields: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str | bytes) -> "Form":
        """The form that is written so; FormError for too many fields."""
        if isinstance(text, bytes):
            text = text.decode(errors="replace")
        try:
            pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS)
        except ValueError:
            raise FormError(413, f"A form has at most {FIELDS:,} fields.") from None
        return cls.of(pairs)

    @classmethod
    def of(cls, fields: Iterable[tuple[str, str]]) -> "Form":
        """The form with these fields."""
        # Browsers send CRLF for each line end of a text field, whatever was put into it.
        return cls(tuple((name, value.replace("\r\n", "\n")) for name, value in fields))

    def get(self, name: str, default: str = "") -> str:
        """The first value of that name."""
        return next((value for one, value in self.fields if one == name), default)

    def all(self, name: str) -> list[str]:
        """All values of that name."""
        return [value for one, value in self.fields if one == name]

    def __contains__(self, name: object) -> bool:
        return any(one == name for one, _ in self.fields)

    def without(self, names: Iterable[str]) -> "Form":
        """The same form, but for the fields of those names."""
        return Form(tuple(field for field in self.fields if field[0] not in names))

    def encode(self) -> str:
        """As it can be parsed again."""
        return urlencode(self.fields)

    def pack(self) -> str:
        """As another form can hold it in a field, however it comes back: short, and all ASCII."""
        return urlsafe_b64encode(zlib.compress(self.encode().encode(), 1)).decode()

    @classmethod
    def unpack(cls, text: str) -> "Form | None":
        """The form that was packed so; None: there is none."""
        unpacking = zlib.decompressobj()
        try:
            whole = unpacking.decompress(urlsafe_b64decode(text), STRANGERS_LIMIT)
            form = cls.parse(whole) if unpacking.eof else None
        except (ValueError, zlib.error, FormError):
            return None
        # Written down again, a character can take nine of what it took.
        return form if form and len(form.encode()) <= STRANGERS_LIMIT else None


def number_in(text: str) -> int | None:
    """The number, of at most ten digits, that an address or a form has there; None: none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 10 else None


async def read_form(request: Request, bodies: Bodies, id: bytes) -> Form:
    """
    The form in a request's body. id: of the request, for `bodies`, whose limits hold.

    Raises FormError, and what `Bodies.read` raises.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != MEDIA_TYPE:
        raise FormError(415, "That was not sent by a form of this panel.")
    announced = request.headers.get("content-length", "").encode()
    try:
        return Form.parse(await bodies.read(id, request.scope, request.receive, announced))
    finally:
        bodies.release(id)
