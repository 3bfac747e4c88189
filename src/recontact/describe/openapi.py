"""The OpenAPI description: every action at the one address, and each at a path of its own."""

import json
from typing import Any, Final

from recontact import __version__
from recontact.actions import ACTIONS, Action, Writing
from recontact.actions.handling import IDEMPOTENCY_KEY
from recontact.catalogue import CATALOGUE, Severity
from recontact.describe import schemas
from recontact.describe.samples import SAMPLES, Sample
from recontact.describe.schemas import Schema, reference
from recontact.fields import Shape
from recontact.messages import Format
from recontact.model import IDEMPOTENCY_DAYS, Dialect

ADDRESS: Final = "/do/WS/NetoAPI"

_DESCRIPTION: Final = f"""\
recontact keeps a shop's customers and customer logs, and speaks the Neto API. It is not made by
Neto or Maropost.

The API has one address, `{ADDRESS}`, and the header NETOAPI_ACTION says what to do. OpenAPI allows
one operation for a path and a method, so each action is described a second time at a path of its
own, such as `/UpdateCustomerLog{ADDRESS}`: the server takes any path before the address. Programs
that generate clients should use these. They are the same calls, and need the header too.

Answers are JSON if Accept names application/json, else XML: a generated client that reads JSON
must be told to send that header. Schemas with Live in their name are of
the live dialect, in which a site can be set to answer as the real service was seen to. Schemas of
requests describe what a careful client sends; the server reads more forms of a value, and passes
over elements that it does not know. `x-evidence` says where an element comes from; `extension`
marks what is ours.
"""


def _credential(name: str, doc: str) -> Schema:
    return {"type": "apiKey", "in": "header", "name": name, "description": doc}


_CREDENTIALS: Final[dict[str, Schema]] = {
    "key": _credential(
        "NETOAPI_KEY", "A key of the site, or of a user: then NETOAPI_USERNAME too."
    ),
    "username": _credential("NETOAPI_USERNAME", "The name that a user's key was made for."),
    "access": _credential("X_ACCESS_KEY", "Any text, beside X_SECRET_KEY: as add-ons send a key."),
    "secret": _credential("X_SECRET_KEY", "The key, beside X_ACCESS_KEY."),
    "bearer": {"type": "http", "scheme": "bearer", "description": "The key."},
}
_SECURITY: Final[list[Schema]] = [
    {"key": []},
    {"key": [], "username": []},
    {"access": [], "secret": []},
    {"bearer": []},
]


def _asked(name: str, doc: str, schema: Schema) -> Schema:
    return {"name": name, "in": "header", "description": doc, "schema": schema}


HANDLING: Final[dict[str, Schema]] = {
    "IdempotencyKey": _asked(
        "Idempotency-Key",
        "Makes a call that writes safe to repeat: sent again with the same one, by the same key "
        f"and within {IDEMPOTENCY_DAYS} days, it is answered as the first time, and not run again.",
        {"type": "string", "pattern": f"^{IDEMPOTENCY_KEY}$"},
    ),
    "Prefer": _asked(
        "Prefer",
        "`handling=strict`: all items of a call that writes or none, and an element that the "
        "action does not know is an error. Other preferences are not looked at.",
        {"type": "string", "pattern": "^handling=(strict|lenient)$"},
    ),
    "DryRun": _asked(
        "Recontact-Dry-Run",
        "`true`: answer what a call that writes would do, and what its records would become, and "
        "write nothing.",
        {"type": "string", "enum": ["true", "false"]},
    ),
}
"""The headers that say how a call that writes is to be handled."""
_DONE: Final[dict[str, Schema]] = {
    "Idempotency-Replayed": {
        "description": "`true`: the answer is that of an earlier call with the Idempotency-Key.",
        "schema": {"type": "string", "const": "true"},
    },
    "Preference-Applied": {
        "description": "The call was strict, as Prefer asked.",
        "schema": {"type": "string", "const": "handling=strict"},
    },
    "Recontact-Dry-Run": {
        "description": "`true`: nothing was written.",
        "schema": {"type": "string", "const": "true"},
    },
}
_HEADERS: Final[dict[str, Schema]] = {
    "X-Request-Id": {
        "description": "Finds the call in the server's log.",
        "schema": {"type": "string", "format": "uuid"},
    },
    "Recontact-Passed-Over": {
        "description": "Names the elements that were passed over: the action does not know them.",
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "After how many seconds to send the call again.",
        "schema": {"type": "integer", "minimum": 0},
    },
    **_DONE,
}
STATUSES: Final = {
    200: "The action ran: see Ack.",
    400: "The call cannot be read, or its action is not known.",
    401: "No key, or none that lets in.",
    403: "The key may not do this.",
    405: "Another method than POST.",
    408: "The request did not arrive in time.",
    413: "The body is too large.",
    415: "The body is packed in a way that is not known.",
    422: "The Idempotency-Key stands for another call.",
    429: "Too many calls in too short a time.",
    431: "The headers are too large.",
    500: "A defect of the server.",
    503: "Not saved, or it is not known whether it was.",
}
"""What each HTTP status means."""
_MAY_WAIT: Final = (429, 503)
_MEDIA_TYPES: Final = {"application/json": Format.JSON, "text/xml": Format.XML}


def openapi() -> dict[str, Any]:
    """The description, OpenAPI 3.1."""
    actions = list(ACTIONS.values())
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "recontact",
            "summary": "Customers and customer logs, in the words of the Neto API.",
            "description": _DESCRIPTION,
            "version": __version__,
            "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        },
        "security": _SECURITY,
        "paths": {
            ADDRESS: {"post": _any_action(actions)},
            **{f"/{one.shape.action}{ADDRESS}": {"post": _one_action(one)} for one in actions},
        },
        "components": {
            "schemas": _schemas([action.shape for action in actions]),
            "responses": {f"Refused{status}": _refused(status) for status in _refusals()},
            "parameters": HANDLING,
            "headers": _HEADERS,
            "securitySchemes": _CREDENTIALS,
        },
    }


# -- operations --------------------------------------------------------------------------------


def _any_action(actions: list[Action]) -> Schema:
    names = [action.shape.action for action in actions]
    requests = {"anyOf": [reference(f"{name}Request") for name in names]}
    return {
        "operationId": "call",
        "summary": "Call any action.",
        "description": "The true address. To generate a client, take the paths of one action each.",
        "parameters": _parameters(actions),
        "requestBody": {"content": {kind: {"schema": requests} for kind in _MEDIA_TYPES}},
        "responses": _responses(actions),
    }


def _one_action(action: Action) -> Schema:
    shape = action.shape
    ours = " It is ours: the vendor has no action of that name." * (shape.evidence == "extension")
    sample = next((one for one in SAMPLES if one.action == shape.action), None)
    body = {"schema": reference(f"{shape.action}Request")}
    return {
        "operationId": shape.action[0].lower() + shape.action[1:],
        "summary": shape.doc,
        "description": f"Needs a key with the right to {action.right}.{ours}",
        "tags": [shape.record],
        "x-evidence": shape.evidence,
        "parameters": _parameters([action]),
        "requestBody": {
            "required": True,
            "content": {
                kind: body | ({"example": _value(sample.request(format), format)} if sample else {})
                for kind, format in _MEDIA_TYPES.items()
            },
        },
        "responses": _responses([action], sample),
    }


def _parameters(actions: list[Action]) -> list[Schema]:
    names = [action.shape.action for action in actions]
    wanted = _asked("NETOAPI_ACTION", "What to do.", {"type": "string", "enum": names})
    if len(names) == 1:
        wanted["schema"]["default"] = names[0]
    asked = HANDLING if _may_write(actions) else ()
    handling = [{"$ref": f"#/components/parameters/{name}"} for name in asked]
    return [wanted | {"required": True}, *handling]


def _may_write(actions: list[Action]) -> bool:
    return any(isinstance(action, Writing) for action in actions)


def _value(text: str, format: Format) -> Any:
    """A sample as OpenAPI shows it: JSON as it is, XML as text."""
    return json.loads(text) if format is Format.JSON else text


# -- answers -----------------------------------------------------------------------------------


def _responses(actions: list[Action], sample: Sample | None = None) -> Schema:
    documented = [f"{action.shape.action}Answer" for action in actions]
    live = [f"{action.shape.action}LiveAnswer" for action in actions]
    # In XML the dialects differ in the root alone. A live site refuses a key with 200.
    names = {Format.JSON: [*documented, *live, "LiveRefusal"], Format.XML: documented}
    content = {
        kind: {"schema": {"anyOf": list(map(reference, names[format]))}}
        | ({"example": _value(sample.answer(format), format)} if sample else {})
        for kind, format in _MEDIA_TYPES.items()
    }
    ran = {
        "description": STATUSES[200],
        "headers": _headers(
            "X-Request-Id", "Recontact-Passed-Over", *(_DONE if _may_write(actions) else ())
        ),
        "content": content,
    }
    refused = {
        str(status): {"$ref": f"#/components/responses/Refused{status}"} for status in _refusals()
    }
    return {"200": ran} | refused


def _refusals() -> list[int]:
    """The HTTP statuses of calls that do not run."""
    return sorted({entry.http_status for entry in CATALOGUE.values()} - {200})


def _refused(status: int) -> Schema:
    """The answer of that HTTP status, with the messages that it can have."""
    entries = [entry for entry in CATALOGUE.values() if entry.http_status == status]
    texts = "".join(f"\n- {entry.code}: {entry.text}" for entry in entries)
    waits = ["Retry-After"] if status in _MAY_WAIT else []
    json_answers = [reference("Refusal"), reference("LiveRefusal")]
    return {
        "description": f"{STATUSES[status]}\n{texts}",
        "headers": _headers("X-Request-Id", *waits),
        "content": {
            "application/json": {"schema": {"anyOf": json_answers}},
            "text/xml": {"schema": reference("Refusal")},
        },
    }


def _headers(*names: str) -> Schema:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _schemas(shapes: list[Shape]) -> dict[str, Schema]:
    named: dict[str, Schema] = {}
    for shape in shapes:
        named[f"{shape.action}Request"] = schemas.request(shape)
        if shape.path:
            named[f"{shape.action}Item"] = schemas.item(shape)
        if shape.filters:
            named[f"{shape.action}Filter"] = schemas.filters(shape)
        for dialect in Dialect:
            named[schemas.record_name(shape, dialect)] = schemas.record(shape, dialect)
            name = f"{shape.action}{schemas.prefix(dialect)}Answer"
            named[name] = schemas.answer(shape, dialect)
    for dialect in Dialect:
        named[f"{schemas.prefix(dialect)}Refusal"] = schemas.refusal(dialect)
        named[f"{schemas.prefix(dialect)}Messages"] = schemas.messages(dialect)
    for severity in Severity:
        named[f"{severity}Message"] = schemas.message(severity)
    return named
