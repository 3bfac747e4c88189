"""The page that leads to the others."""

from typing import Final

from recontact.describe import markdown
from recontact.describe.xsd import xsd_files

_TEXT: Final = """\
# recontact

This server keeps a shop's customers and its customer logs: whom you spoke to, what was said, and
when to call back. Programs reach them by the Neto API, at `POST /do/WS/NetoAPI`. recontact is not
made by Neto or Maropost.

- [The API](api.md): how a call looks, and each action with its elements and samples that work.
- [Errors and warnings](errors.md): each message, its cause, and the way out.
- [Evidence](evidence.md): where each rule comes from, and how contradicting sources were resolved.
- [openapi.json](openapi.json): the same for programs, OpenAPI 3.1.

The XSD of each action's requests and answers:"""


def index_md() -> str:
    """The page."""
    files = xsd_files()
    pairs = [(name, f"{name.removesuffix('.xsd')}Response.xsd") for name in files]
    rows = [
        [f"[{request}](xsd/{request})", f"[{answer}](xsd/{answer})"]
        for request, answer in pairs
        if answer in files
    ]
    alone = "[NetoAPIResponse.xsd](xsd/NetoAPIResponse.xsd): an answer to no known action."
    return markdown.page(_TEXT, markdown.table(["Request", "Answer"], rows), alone)
