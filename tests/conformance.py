"""Every answer of the suite is held against the XSD and the OpenAPI description that we publish."""

import functools
import json
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from lxml import etree

from recontact.actions import ACTIONS
from recontact.describe import UNKNOWN_ACTION, openapi, xsd_files

ENDS = 20
"""Of a list of thousands only so many records at each end are looked at: each takes 0.1 ms."""


def check_answer(action: str | None, format: str, body: bytes, http_status: int) -> None:
    """
    Assert that an answer is as described, in either dialect.

    action: as it was sent, in any case, known or not.
    """
    names = {name.lower(): name for name in ACTIONS}
    known = names.get((action or "").lower())
    if format == "xml":
        schema = response_xsd(known or UNKNOWN_ACTION)
        root = etree.fromstring(body)
        assert schema.validate(root), f"{schema.error_log.last_error}\n{body.decode()[:2_000]}"
    else:
        tree = {name: _ends(value) for name, value in json.loads(body).items()}
        validators = _answer_validators(known, http_status)
        if not any(one.is_valid(tree) for one in validators):
            errors = [best_match(one.iter_errors(tree)) for one in validators]
            raise AssertionError("\n".join([*map(str, errors), body.decode()[:2_000]]))


def _ends(value: Any) -> Any:
    return value[:ENDS] + value[ENDS:][-ENDS:] if isinstance(value, list) else value


@functools.cache
def request_xsd(action: str) -> etree.XMLSchema:
    return _compiled(f"{action}.xsd")


@functools.cache
def response_xsd(action: str) -> etree.XMLSchema:
    return _compiled(f"{action}Response.xsd")


@functools.cache
def _files() -> dict[str, str]:
    return xsd_files()


def _compiled(file: str) -> etree.XMLSchema:
    return etree.XMLSchema(etree.fromstring(_files()[file].encode()))


def _answer_validators(action: str | None, http_status: int) -> list[Draft202012Validator]:
    if http_status != 200:
        names = ["Refusal", "LiveRefusal"]
    else:
        names = [f"{action}Answer", f"{action}LiveAnswer"] if action else []
        names.append("LiveRefusal")  # a refused key, as the real service answers it
    return [validator(name) for name in names]


@functools.cache
def validator(component: str) -> Draft202012Validator:
    """The validator of one schema of the OpenAPI description."""
    return Draft202012Validator(_inlined({"$ref": f"#/components/schemas/{component}"}))


@functools.cache
def _description() -> dict[str, Any]:
    return openapi()


def _inlined(schema: Any) -> Any:
    """The schema with its references filled in, which saves two thirds of the time."""
    if isinstance(schema, list):
        return [_inlined(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(_description()["components"]["schemas"][schema["$ref"].split("/")[-1]])
    return {name: _inlined(value) for name, value in schema.items()}
