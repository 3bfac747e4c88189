"""A database with each record of another many times over, by SQL: 10 million logs in minutes."""

from contextlib import closing
from pathlib import Path
from typing import Any, Final

from recontact.model import words
from recontact.store import search
from recontact.store.sqlite import driver  # type: ignore[attr-defined]  # not exported

USERNAME: Final = "customer%05d"
"""Of a customer by their ID, for Python and SQL alike."""
HOST: Final = "shop.example"
"""Where customers have their mailboxes."""


def multiply(base: Path, path: Path, made: int, logs: int) -> None:
    """
    Fill the database at `path`, which has tables and no records, with copies of those of `base`.

    base: has the LogIDs from 1 to `made`, of which `logs` is a multiple. The copies of a log have
    LogIDs one after the other and the same dates, as if they were imported together, and each is of
    another customer. Their notes begin as one note of the base and end as another, so that words
    meet in them by chance, as in the base.
    """
    times, rest = divmod(logs, made)
    assert not rest, f"it can only be a multiple of {made}"
    with closing(driver.connect(str(path), isolation_level=None)) as db:
        # Quick, and not safe: when anything goes wrong, it is made again.
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000"):
            db.execute(f"PRAGMA {pragma}")
        db.execute("ATTACH ? AS base", (str(base),))
        _make_parts(db, times)
        indexes = _drop_indexes(db)
        _copy_records(db, times, made)
        for sql in indexes:
            db.execute(sql)
        db.execute("INSERT INTO sqlite_stat1 SELECT * FROM statistics")
        db.execute("PRAGMA journal_mode = WAL")


def _make_parts(db: Any, times: int) -> None:
    """Make tables of the numbers of the copies, and of the halves of all notes with their words."""
    db.execute("CREATE TEMP TABLE copies (copy INTEGER PRIMARY KEY)")
    db.executemany("INSERT INTO copies VALUES (?)", ((copy,) for copy in range(times)))
    for table in ("head", "tail"):
        db.execute(f"CREATE TEMP TABLE {table} (log_id INTEGER PRIMARY KEY, notes, words)")
    db.execute("CREATE TEMP TABLE named (log_id INTEGER PRIMARY KEY, words)")
    read = db.execute("SELECT log_id, customer_name, notes FROM base.customer_log")
    for log_id, name, notes in read.fetchall():
        parts = notes.split(" ")
        middle = len(parts) // 2
        for table, part in (("head", parts[:middle]), ("tail", parts[middle:])):
            row = (log_id, " ".join(part), " ".join(words(" ".join(part))))
            db.execute(f"INSERT INTO {table} VALUES (?, ?, ?)", row)
        db.execute("INSERT INTO named VALUES (?, ?)", (log_id, " ".join(words(name))))


def _drop_indexes(db: Any) -> list[str]:
    """Drop the indexes of logs, to make them later of whole tables; the statements that do."""
    # SQLite forgets an index's statistics with it, and has those of the migrations kept.
    db.execute("CREATE TEMP TABLE statistics AS SELECT * FROM sqlite_stat1")
    db.execute("DELETE FROM sqlite_stat1")
    indexes = db.execute(
        "SELECT name, sql FROM main.sqlite_master"
        " WHERE type = 'index' AND tbl_name = 'customer_log' AND sql IS NOT NULL"
    ).fetchall()
    for name, _ in indexes:
        db.execute(f"DROP INDEX {name}")
    return [sql for _, sql in indexes]


def _copy_records(db: Any, times: int, made: int) -> None:
    """Copy the records, each table by one statement, and make the index of the search."""

    def number(of: str) -> str:
        """Of a copy: those of record 1 come first."""
        return f"(({of} - 1) * {times} + copy + 1)"

    def copy(table: str, new: dict[str, str], source: str = "CROSS JOIN copies") -> None:
        """Copy a table of the base; `new`: the columns that are not as there."""
        columns = [column for _, column, *_ in db.execute(f"PRAGMA table_info({table})")]
        values = ", ".join(new.get(column, f"old.{column}") for column in columns)
        db.execute(f"INSERT INTO main.{table} SELECT {values} FROM base.{table} AS old {source}")

    counters = ("next_log_id", "next_customer_id")
    copy("site", {one: f"({one} - 1) * {times} + 1" for one in counters}, source="")
    copy("key", {}, source="")

    customer_id, log_id = number("old.customer_id"), number("old.log_id")
    username = f"printf('{USERNAME}', {customer_id})"
    email = f"{username} || '@{HOST}'"
    copy(
        "customer",
        {
            "customer_id": customer_id,
            "username": username,
            "username_folded": username,
            "details": f"json_set(old.details, '$.email_address', {email})",
            "email_address_folded": email,
        },
    )
    changes = f"json_set(old.changes, '$.username[1]', {username}, '$.email_address[1]', {email})"
    copy("customer_revision", {"customer_id": customer_id, "changes": changes})

    # Other halves for each copy.
    parts = f"""
        CROSS JOIN copies
        CROSS JOIN head ON head.log_id = (old.log_id + copy * 7919) % {made} + 1
        CROSS JOIN tail ON tail.log_id = (old.log_id * 3 + copy * 104729) % {made} + 1
    """
    its_customer = number("ltrim(old.username, 'customer')")
    username = f"printf('{USERNAME}', {its_customer})"
    copy(
        "customer_log",
        {
            "log_id": log_id,
            "username": username,
            "username_folded": username,
            "notes": "head.notes || ' ' || tail.notes",
        },
        parts,
    )
    changes = "json_set(old.changes, '$.username[1]', log.username, '$.notes[1]', log.notes)"
    its_log = f"main.customer_log AS log ON log.site = old.site AND log.log_id = {log_id}"
    copy(
        "revision",
        {"log_id": "log.log_id", "changes": changes},
        f"CROSS JOIN copies CROSS JOIN {its_log}",
    )
    # FTS5 then merges segments as they come, into such as the server's steps leave.
    db.execute("INSERT INTO log_search (log_search, rank) VALUES ('automerge', 4)")
    db.execute(
        "INSERT INTO log_search (rowid, words)"
        f" SELECT (old.site << {search._LOG_ID_BITS}) + {log_id},"
        f" named.words || ' ' || {username} || ' ' || head.words || ' ' || tail.words"
        f" FROM base.customer_log AS old {parts} CROSS JOIN named ON named.log_id = old.log_id"
    )
    db.execute("INSERT INTO log_search (log_search, rank) VALUES ('automerge', 0)")
