"""What the journal tells of a call: what came, what was answered, and what it did, in words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from json import loads
from typing import Any, Final

from recontact.history import AnyRevision, Kind, effect, kind_of
from recontact.model import JournalEntry
from recontact.store import View

OWN_ACTIONS: Final = (
    "NetoAPI", "Undo", "Withdraw", "Erase", "Login", "Logout", "SignOutEverywhere", "SetUp",
    "ChangePassword", "CreateStaff", "SetStaff", "RevokeStaff", "CreateKey", "RevokeKey",
    "CreateSite", "SetSite", "SaveView", "ForgetView", "Leave",
)  # fmt: skip
"""In the journal beside the API's: calls that name none of those; what commands and pages do."""
_MOST_REVISIONS: Final = 10_000
"""Revisions that are put in words."""


@dataclass(frozen=True, slots=True)
class Body:
    """
    The bytes of one direction, or None, and why they are not kept: "": there never were any.

    length: of what came; digest: its SHA-256, where that is all that is kept.
    """

    kept: bytes | None
    why: str
    length: int
    digest: bytes | None = None


@dataclass(frozen=True, slots=True)
class PastCall:
    """
    A journal entry, and what it tells.

    effect: what it did, in words. errors, warnings: of its answer. passed_over: each element that
    the action does not know, with the names that look most like it.
    """

    entry: JournalEntry
    effect: list[str]
    errors: list[str]
    warnings: list[str]
    passed_over: dict[str, list[str]]
    request: Body
    answer: Body


def past_call(view: View, request: bytes) -> PastCall | None:
    """All of the call with that id; None: the journal has it no longer."""
    entry = view.journal_entry(request)
    if entry is None:
        return None
    revisions = view.made_by(request, _MOST_REVISIONS) if entry.changed else []
    messages = _messages(entry.answer_body)
    return PastCall(
        entry,
        _effect(entry, revisions),
        messages.get("Error", []),
        messages.get("Warning", []),
        _passed_over(entry),
        *_bodies(entry, revisions),
    )


def _effect(entry: JournalEntry, revisions: Sequence[AnyRevision]) -> list[str]:
    if len(revisions) < entry.changed:
        first = f"of the first {len(revisions):,} of its {entry.changed:,} changes:"
        return [first, *effect(revisions)] if revisions else []
    return effect(revisions)


def _passed_over(entry: JournalEntry) -> dict[str, list[str]]:
    from recontact.actions import ACTIONS
    from recontact.actions.handling import nearest

    action = ACTIONS.get(entry.action)
    return {
        name: nearest(name.rpartition("/")[2], action.shape) if action else []
        for name in dict.fromkeys(entry.passed_over)
    }


def _bodies(entry: JournalEntry, revisions: Iterable[AnyRevision]) -> tuple[Body, Body]:
    """Both directions; of what is not kept, why."""
    came, answered = entry.request_body, entry.answer_body
    gone = "not kept any more: it went for the limits of the journal, or was erased"
    if any(kind_of(one) is Kind.ERASED for one in revisions):
        gone = "erased"
    if not entry.request_length:
        no_request = "none came, or none was read" if entry.key_id else ""
    elif entry.request_hash is not None:
        no_request = "not kept: it could not be read, or might hold a password"
    else:
        no_request = gone
    if not entry.key_id:
        no_answer = ""
    elif entry.changed and came is None:
        no_answer = gone
    else:
        no_answer = "not kept, as this call changed nothing"
    return (
        Body(
            came,
            no_request,
            entry.request_length,
            entry.request_hash if entry.request_length else None,
        ),
        Body(answered, no_answer, len(answered or b"")),
    )


def _messages(answer: bytes | None) -> dict[str, list[str]]:
    """What an answer said, by severity, in either format and dialect."""
    if answer is None:
        return {}
    from recontact import wire
    from recontact.messages import Format
    from recontact.wire import xmlwire

    tree: Any
    if wire.format_of(answer) is Format.JSON:
        tree = loads(answer)
    else:
        _, tree = xmlwire.decode(answer, wire.Limits().nesting, len(answer))
    said = tree.get("Messages") or {}
    found: dict[str, list[str]] = {}
    for severity, some in said.items():
        # The live dialect writes one as it is, as XML does.
        for one in some if isinstance(some, list) else [some]:
            found.setdefault(severity, []).append(one.get("Description") or one["Message"])
    return found
