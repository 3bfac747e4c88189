"""The API described, from the field table and the catalogue: XSD, OpenAPI, and pages to read."""

from recontact.describe.api_page import api_md
from recontact.describe.errors_page import errors_md
from recontact.describe.evidence_page import evidence_md
from recontact.describe.index_page import index_md
from recontact.describe.openapi import openapi
from recontact.describe.xsd import UNKNOWN_ACTION, xsd_files

__all__ = [
    "UNKNOWN_ACTION",
    "api_md",
    "errors_md",
    "evidence_md",
    "index_md",
    "openapi",
    "xsd_files",
]
