"""Undo, as the command line does it: from another process than the server's, beside it."""

from contextlib import closing
from functools import partial
from pathlib import Path

from recontact import undo
from recontact.clock import SYSTEM, new_request_id
from recontact.model import JournalEntry
from recontact.store import Span, keys, open_store


def take_back(database: Path, request: bytes) -> int:
    """Undo what a request of the one site did; how many logs it changed."""
    now = SYSTEM.now()
    with closing(open_store(f"sqlite:///{database}", now=SYSTEM.now)) as store:
        with store.begin() as connection:
            (site,) = {key.site for key in keys.keys(connection).values()}
        chosen = Span(request, request)
        records = store.read(site, partial(undo.touched, chosen=chosen))
        made_by = (site.site, new_request_id(now), now, 0, "Undo", "", "", 200, "Success")
        works = undo.steps(site, records, chosen, JournalEntry(*made_by, who="the bench"))
        return sum(len(store.write(work).made) for work in works)
