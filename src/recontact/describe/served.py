"""What the server shows of the descriptions: the pages in HTML, their sheet, OpenAPI, the XSD."""

import functools
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from typing import Final

from recontact.actions import ACTIONS
from recontact.describe.api_page import api_md
from recontact.describe.errors_page import errors_md
from recontact.describe.evidence_page import evidence_md
from recontact.describe.index_page import index_md
from recontact.describe.openapi import openapi
from recontact.describe.xsd import UNKNOWN_ACTION, xsd_files


@dataclass(frozen=True, slots=True)
class Document:
    """What an address answers."""

    media_type: str
    body: bytes
    etag: str


def document(path: str) -> Document | None:
    """What is at that path; None: nothing. It is made when it is first asked for, and kept."""
    return _made(path) if path in _MAKERS else None


@functools.cache
def _made(path: str) -> Document:
    media_type, make = _MAKERS[path]
    body = make().encode()
    return Document(media_type, body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


SHEET: Final = "/assets/docs.css"
_PAGES: Final = {
    "/docs": ("Overview", index_md),
    "/docs/api": ("API", api_md),
    "/docs/errors": ("Errors", errors_md),
    "/docs/evidence": ("Evidence", evidence_md),
}


def _page(path: str) -> str:
    # Imported here: a server that shows no page must not pay for it at its start.
    from recontact.describe.html_page import html_page

    links = {where: title for where, (title, _) in _PAGES.items()}
    return html_page(_PAGES[path][1](), path, links)


def _xsd(file: str) -> str:
    return xsd_files()[file]


def _sheet() -> str:
    return resources.files("recontact.describe").joinpath("docs.css").read_text("utf-8")


_XSD_NAMES: Final = [
    *(f"{action}{suffix}.xsd" for action in ACTIONS for suffix in ("", "Response")),
    f"{UNKNOWN_ACTION}Response.xsd",
]
_MAKERS: Final[dict[str, tuple[str, Callable[[], str]]]] = {
    **{path: ("text/html", functools.partial(_page, path)) for path in _PAGES},
    **{
        f"/assets/api/{name}": ("application/xml", functools.partial(_xsd, name))
        for name in _XSD_NAMES
    },
    SHEET: ("text/css", _sheet),
    "/openapi.json": ("application/json", lambda: json.dumps(openapi(), ensure_ascii=False)),
}
