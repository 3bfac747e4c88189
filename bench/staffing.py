"""A database as staff see it in the panel: many follow-ups that are open today, and one of them."""

from contextlib import closing
from pathlib import Path
from typing import Final

from seeding import NOW

from recontact.clock import SYSTEM
from recontact.store import keys, open_store, staff
from recontact.store.sqlite import driver  # type: ignore[attr-defined]  # not exported

USERNAME: Final = "Anna"
"""Who is signed in; the seed allocates one log in eight to her."""
NOBODYS: Final = 20
"""Of so many open logs one is allocated to nobody."""


def let_in(path: Path, open_logs: int) -> str:
    """
    Leave so many logs open, due about today as the seed's are about its own day, and sign an admin
    in: her session's token.

    As SQL, so without revisions: the panel's lists do not read them.
    """
    now = SYSTEM.now()
    days = (now.date() - NOW.date()).days
    with closing(driver.connect(str(path), isolation_level=None)) as db:
        db.execute("PRAGMA synchronous = OFF")
        db.execute("BEGIN")
        # Those that the seed left open come first, then others, spread over all years.
        db.execute(
            "CREATE TEMP TABLE chosen AS SELECT site, log_id FROM customer_log"
            " ORDER BY status = 'Completed', log_id * 7919 % 1000003 LIMIT ?",
            (open_logs,),
        )
        db.execute(
            "UPDATE customer_log SET status = 'Completed' WHERE status <> 'Completed'"
            " AND (site, log_id) NOT IN chosen"
        )
        db.execute(
            "UPDATE customer_log SET status = 'Require Recontact' WHERE status = 'Completed'"
            " AND (site, log_id) IN chosen"
        )
        db.execute(
            "UPDATE customer_log SET follow_up_day = date(follow_up_day, ? || ' days'),"
            " follow_up_at = follow_up_at + 86400 * ? WHERE status <> 'Completed'",
            (days, days),
        )
        db.execute(
            "UPDATE customer_log SET allocated_to = NULL, allocated_to_folded = NULL"
            " WHERE status <> 'Completed' AND log_id % ? = 0",
            (NOBODYS,),
        )
        db.execute("COMMIT")
    with (
        closing(open_store(f"sqlite:///{path}", now=SYSTEM.now)) as store,
        store.begin() as connection,
    ):
        (site,) = keys.sites(connection).values()
        one = staff.add(connection, site, USERNAME, "admin", "of nobody", now)
        return staff.sign_in(connection, one, now, address="127.0.0.1", agent="the bench")
