"""
Erase, for privacy (SPEC §8): find what is kept of a customer or a log, take it out, look for it.

Everything goes in small steps beside a server that writes. Rows go first and revisions last: one
that was interrupted finds by the revisions what is left, and goes on.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from shutil import disk_usage
from time import sleep
from typing import Any, Final
from urllib.parse import quote_plus

import msgspec
from sqlalchemy import LargeBinary, Table
from sqlalchemy.dialects import sqlite

from recontact.model import (
    ERASED,
    CustomerRevision,
    JournalEntry,
    Revision,
    fold,
    searched,
    unpacked,
)
from recontact.store import search, tables
from recontact.store.copying import Progress
from recontact.store.errors import DatabaseError
from recontact.store.sqlite import claim, driver
from recontact.store.tables import CUSTOMER_REVISIONS, LOGS, REVISIONS, Kept
from recontact.store.transaction import Driver, Statements
from recontact.store.upkeep import cut_wal, opened, opened_as_it_lies, told

Says = Callable[[bytes], bool]
"""Whether a body names whom is to be erased."""

_RECORDS: Final = 25
"""Logs that go in one step: some 5 ms in which nobody else can write."""
_REVISIONS: Final = 500
_BODIES: Final = 20
_PAUSE: Final = 0.01
"""Seconds between two steps, in which others can."""
_NUMBERS: Final = 20_000
"""LogIDs that are looked through in one snapshot."""
_PIECE: Final = 8 * 1024 * 1024
"""Bytes that are looked through at once."""
BEHIND: Final = 1.0
"""Seconds after which a server has written the entries of calls that changed nothing."""
_NAMES: Final = frozenset({"username", "email_address", "secondary_email_address"})
_SAID: Final = frozenset({"customer_name", "notes"})


@dataclass(slots=True)
class Findings:
    """
    What is kept of a customer or of one log.

    username: of the customer, "": one log alone. names: usernames and addresses of mail; texts: all
    else that is text; own: what logs say and no log of others does, by which calls can be told.
    requests: the journal's entries that touched them. passed_over: entries in which the name of an
    element names them. bodies, keys: of those entries, how many have bodies and Idempotency-Keys.
    """

    site: int
    username: str = ""
    customer_ids: set[int] = field(default_factory=set)
    log_ids: set[int] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    own: set[str] = field(default_factory=set)
    revisions: int = 0
    erased_before: int = 0
    requests: set[bytes] = field(default_factory=set)
    passed_over: set[bytes] = field(default_factory=set)
    bodies: int = 0
    keys: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to erase."""
        return self.revisions == self.erased_before


# -- find ----------------------------------------------------------------------------------------


def find_customer(
    path: Path, site: int, username: str, ids: Iterable[int], progress: Progress
) -> Findings:
    """
    A customer and all their logs, also those that were withdrawn.

    ids: of all customers that ever had that username. Raises DatabaseError.
    """
    found = Findings(site, username, set(ids), names={username})
    with _database(path) as database:
        _find_logs(database, found)
        _find_withdrawn(database, found, progress)
        _read_revisions(database, found)
        _find_own(database, found, progress)
    return found


def find_log(path: Path, site: int, log_id: int, progress: Progress) -> Findings:
    """One log alone, also one that was withdrawn. Raises DatabaseError."""
    found = Findings(site, log_ids={log_id})
    with _database(path) as database:
        _read_revisions(database, found)
        _find_own(database, found, progress)
    return found


def _find_logs(database: Driver, found: Findings) -> None:
    rows = database.execute(
        "SELECT log_id FROM customer_log WHERE site = ? AND username_folded = ?",
        (found.site, fold(found.username)),
    )
    found.log_ids.update(log_id for (log_id,) in rows.fetchall())


class _Named(msgspec.Struct):
    """The one change of a revision that says whose it is."""

    username: tuple[str | None, str | None] = (None, None)


def _find_withdrawn(database: Driver, found: Findings, progress: Progress) -> None:
    """The logs that are not there, but whose revisions name the customer."""
    wanted = fold(found.username)
    for some in _log_ids(database, found.site, progress):
        rows = database.execute(
            "SELECT log_id, changes FROM revision r WHERE site = ? AND log_id BETWEEN ? AND ?"
            " AND NOT EXISTS (SELECT 1 FROM customer_log l"
            " WHERE l.site = r.site AND l.log_id = r.log_id)",
            (found.site, some[0], some[-1]),
        )
        for log_id, changes in rows:
            old, new = msgspec.json.decode(changes, type=_Named).username
            if old != new and wanted in (fold(old or ""), fold(new or "")):
                found.log_ids.add(log_id)


def _find_own(database: Driver, found: Findings, progress: Progress) -> None:
    """Of what the logs say, leave what no other log says."""
    for some in _log_ids(database, found.site, progress) if found.own else ():
        rows = database.execute(
            "SELECT log_id, customer_name, notes FROM customer_log"
            " WHERE site = ? AND log_id BETWEEN ? AND ?",
            (found.site, some[0], some[-1]),
        )
        for log_id, *texts in rows:
            if log_id not in found.log_ids:
                found.own.difference_update(texts)


def _log_ids(database: Driver, site: int, progress: Progress) -> Iterator[range]:
    """All LogIDs of a site that were given, so many at a time: each is a snapshot of its own."""
    (end,) = database.execute("SELECT next_log_id FROM site WHERE site = ?", (site,)).fetchone()
    for first in range(1, end, _NUMBERS):
        progress(first, end)
        yield range(first, first + _NUMBERS)


def _read_revisions(database: Driver, found: Findings) -> None:
    """What the revisions say: all texts that the records ever had, and which calls wrote them."""
    found.revisions = found.erased_before = 0
    for one in _revisions_of(database, found):
        found.revisions += 1
        found.requests.add(one.request)
        if (ERASED, ERASED) in one.changes.values():
            found.erased_before += 1
            continue
        for key, pair in one.changes.items():
            # Whoever's log it is stays, where only the log goes.
            kind = found.names if found.username and key in _NAMES else found.texts
            values = [value for value in pair if type(value) is str]
            kind.update(values)
            if isinstance(one, Revision) and key in _SAID:
                found.own.update(values)


_Key = tuple[Kept[Any], int, int, int]
"""Of a revision: how it is kept, its site, the record's number, its own."""


def _revisions_of(database: Driver, found: Findings) -> Iterator[Revision | CustomerRevision]:
    """All revisions of the records."""
    for kept, number, records in _kinds(found):
        columns = _columns(kept.table)
        sql = f"SELECT {columns} FROM {kept.table.name} WHERE site = ? AND {number} = ?"  # noqa: S608  # ours
        for one in sorted(records):
            yield from map(kept.load, database.execute(sql, (found.site, one)))


def _keys_of(database: Driver, found: Findings) -> list[_Key]:
    """The keys of the same, of each record the newest first."""
    keys: list[_Key] = []
    for kept, number, records in _kinds(found):
        sql = (
            f"SELECT number FROM {kept.table.name} WHERE site = ? AND {number} = ?"  # noqa: S608  # ours
            " ORDER BY number DESC"
        )
        for one in sorted(records):
            rows = database.execute(sql, (found.site, one)).fetchall()
            keys += ((kept, found.site, one, revision) for (revision,) in rows)
    return keys


def _kinds(found: Findings) -> Iterator[tuple[Kept[Any], str, set[int]]]:
    yield REVISIONS, "log_id", found.log_ids
    yield CUSTOMER_REVISIONS, "customer_id", found.customer_ids


def _columns(table: Table) -> str:
    """The columns of a table in its order, which `load` expects."""
    return ", ".join(column.name for column in table.columns)


def find_bodies(
    path: Path, found: Findings, names: Says, progress: Progress, after: int = 0
) -> int:
    """
    Add the journal's entries that name them; the number of the last body.

    names: tells of a body. after: the number of a body, up to which nothing is looked for. It takes
    a minute for a million calls. Raises DatabaseError.
    """
    with _database(path) as database:
        (last,) = database.execute("SELECT ifnull(max(rowid), 0) FROM journal_body").fetchone()
        while True:
            length = 0
            rows = database.execute(
                "SELECT rowid, site, request, packed, request_body, answer_body"
                " FROM journal_body WHERE rowid > ? ORDER BY rowid",
                (after,),
            )
            for number, site, request, flags, came, answered in rows:
                after = number
                length += len(came or b"") + len(answered or b"")
                if site == found.site and request not in found.requests:
                    bodies = (
                        unpacked(body, bool(flags & flag))
                        for body, flag in ((came, 1), (answered, 2))
                        if body is not None
                    )
                    if any(map(names, bodies)):
                        found.requests.add(request)
                if length > _PIECE:
                    break
            rows.close()  # the snapshot: the WAL begins again only behind it
            progress(after, max(after, last))
            if not length:
                break
        _find_passed_over(database, found, names)
        _count(database, found)
    return after


def _find_passed_over(database: Driver, found: Findings, names: Says) -> None:
    last = b""
    while rows := database.execute(
        "SELECT request, passed_over FROM journal"
        " WHERE site = ? AND request > ? AND passed_over IS NOT NULL ORDER BY request LIMIT 1000",
        (found.site, last),
    ).fetchall():
        found.passed_over.update(request for request, text in rows if names(text.encode()))
        last = rows[-1][0]


def _count(database: Driver, found: Findings) -> None:
    counts = []
    # What tells a form of the panel from others, of key 0, is no client's.
    for among in ("journal_body WHERE true", "idempotency WHERE key_id > 0"):
        sql = f"SELECT count(*) FROM {among} AND site = ? AND request = ?"  # noqa: S608  # ours
        rows = (database.execute(sql, (found.site, one)).fetchone() for one in found.requests)
        counts.append(sum(number for (number,) in rows))
    found.bodies, found.keys = counts


def copies_of(path: Path) -> list[Path]:
    """Other databases of ours beside the file: copies made before migrations, and backups."""
    found = []
    for one in sorted(path.parent.iterdir()):
        is_copy = one.name.startswith(f"{path.name}.before-upgrade-from-")
        if one.is_file() and one != path and (is_copy or one.suffix == ".db"):
            with suppress(DatabaseError, driver.Error), opened_as_it_lies(one):
                found.append(one)
    return found


# -- take out ------------------------------------------------------------------------------------


def take_out(
    path: Path, found: Findings, names: Says, entry: JournalEntry, last: int, progress: Progress
) -> None:
    """
    Take all of it out of the tables, and enter in the journal that it was done.

    names, last: as `find_bodies` took and gave them. entry: names nobody. Raises DatabaseError.
    """
    with _database(path, writes=True) as database:
        _begin_index_anew(database)
        with _step(database):
            _take_forms(database, found, names)
        with _step(database):  # no log can be added for them from now on
            for one in found.customer_ids:
                database.execute(
                    "DELETE FROM customer WHERE site = ? AND customer_id = ?", (found.site, one)
                ).close()
        if found.username:
            _find_logs(database, found)
        _in_steps(database, sorted(found.log_ids), _RECORDS, _take_log, found, progress)
        _read_revisions(database, found)
    sleep(BEHIND)
    find_bodies(path, found, names, progress, last)
    with _database(path, writes=True) as database:
        # To delete a row may move others, and leave what they were in the places they had.
        _in_steps(database, sorted(found.requests), _BODIES, _zero_bodies, found, progress)
        _in_steps(database, sorted(found.requests), _BODIES, _take_bodies, found, progress)
        _in_steps(database, sorted(found.passed_over), _BODIES, _take_names, found, progress)
        # The first revisions go last: by them one that is interrupted finds the others.
        keys = _keys_of(database, found)
        for at in range(0, len(keys), _REVISIONS):
            progress(at, len(keys))
            with _step(database):
                _blank(database, keys[at : at + _REVISIONS])
        with _step(database):
            entry = msgspec.structs.replace(
                entry,
                items=len(found.log_ids) + len(found.customer_ids),
                changed=found.revisions - found.erased_before,
            )
            row = tables.dump_journal(entry)
            places = ", ".join(f":{name}" for name in row)
            sql = f"INSERT INTO journal ({', '.join(row)}) VALUES ({places})"  # noqa: S608  # ours
            database.execute(sql, row).close()


_LOG: Final = f"SELECT {_columns(LOGS.table)} FROM customer_log WHERE site = ? AND log_id = ?"  # noqa: S608  # ours


def _take_log(database: Driver, found: Findings, log_id: int) -> None:
    key = (found.site, log_id)
    row = database.execute(_LOG, key).fetchone()
    search.forget(database, *key, None if row is None else searched(LOGS.load(row)))
    database.execute("DELETE FROM customer_log WHERE site = ? AND log_id = ?", key).close()


def _take_forms(database: Driver, found: Findings, names: Says) -> None:
    """
    What the panel keeps of forms, all of it: nobody needs it for long. Views that name them too.

    Zeros are written in place first, as in `_zero_bodies`.
    """
    database.execute(
        "UPDATE session SET kept = substr(hex(zeroblob(length(kept))), 1, length(kept)),"
        " kept_path = substr(hex(zeroblob(length(kept_path))), 1, length(kept_path))"
    ).close()
    database.execute("UPDATE session SET kept = NULL, kept_path = NULL").close()
    views = database.execute(
        "SELECT staff_id, name, address FROM saved_view WHERE site = ?", (found.site,)
    ).fetchall()
    for staff_id, name, address in views:
        if names(f"{name}\n{address}".encode()):
            database.execute(
                "DELETE FROM saved_view WHERE site = ? AND staff_id = ? AND name = ?",
                (found.site, staff_id, name),
            ).close()


def _zero_bodies(database: Driver, found: Findings, request: bytes) -> None:
    """Zeros of the same length are written in place, and no repeat is answered from now on."""
    key = (found.site, request)
    database.execute(
        "UPDATE idempotency SET fingerprint = x'' WHERE site = ? AND request = ?", key
    ).close()
    database.execute(
        "UPDATE journal_body SET request_body = zeroblob(length(request_body)),"
        " answer_body = zeroblob(length(answer_body)) WHERE site = ? AND request = ?",
        key,
    ).close()


def _take_bodies(database: Driver, found: Findings, request: bytes) -> None:
    database.execute(
        "DELETE FROM journal_body WHERE site = ? AND request = ?", (found.site, request)
    ).close()


def _take_names(database: Driver, found: Findings, request: bytes) -> None:
    database.execute(
        "UPDATE journal SET passed_over = NULL WHERE site = ? AND request = ?",
        (found.site, request),
    ).close()


def _blank(database: Driver, keys: Iterable[_Key]) -> None:
    erased = []
    for kept, *key in keys:
        name = kept.table.name
        where = " AND ".join(f"{column} = ?" for column in kept.key)
        sql = f"SELECT changes FROM {name} WHERE {where}"  # noqa: S608  # ours
        (changes,) = database.execute(sql, key).fetchone()
        pairs = dict.fromkeys(msgspec.json.decode(changes), (ERASED, ERASED))
        sql = f"UPDATE {name} SET changes = ? WHERE {where}"  # noqa: S608  # ours
        erased.append((sql, msgspec.json.encode(pairs).decode(), key))
        blanks = " " * len(changes.encode())  # in place, as zeros of bodies are
        database.execute(sql, (blanks, *key)).close()
    for sql, changes, key in erased:
        database.execute(sql, (changes, *key)).close()


def _begin_index_anew(database: Driver) -> None:
    """Where another SQLite made the index of the search: it cannot be told what to forget."""
    statements = Statements(sqlite.dialect())
    maker = search.made_by(driver.sqlite_version)
    with _step(database):
        if not search.is_ours(lambda select: statements.rows(database, select), maker):
            search.begin_anew(database, lambda one: statements.run(database, one), maker)


def _in_steps(
    database: Driver,
    all_of_them: Sequence[Any],
    most: int,
    take: Callable[[Driver, Findings, Any], None],
    found: Findings,
    progress: Progress,
) -> None:
    for at in range(0, len(all_of_them), most):
        progress(at, len(all_of_them))
        with _step(database):
            for one in all_of_them[at : at + most]:
                take(database, found, one)


# -- and out of the file -------------------------------------------------------------------------


def clean_index(path: Path, progress: Progress) -> None:
    """Merge the index of the search until nothing is in it that was deleted."""
    with _database(path, writes=True) as database:
        (pages,) = database.execute("SELECT count(*) FROM log_search_data").fetchone()
        done, more = 0, True
        while more:
            with _step(database):
                more = search.merge_all(database, begins=not done)
            done += search.MERGED
            progress(min(done, pages), pages)


@contextmanager
def _database(path: Path, *, writes: bool = False) -> Iterator[Driver]:
    """A connection whose deletes leave zeros (https://sqlite.org/pragma.html#pragma_secure_delete)."""
    with told(f"erase in {path}"), opened(path, writes=writes) as (database, _):
        database.execute("PRAGMA secure_delete = ON").fetchall()
        yield database


@contextmanager
def _step(database: Driver) -> Iterator[None]:
    """A transaction, and a pause behind it."""
    database.execute("BEGIN IMMEDIATE").close()
    try:
        yield
    except BaseException:
        with suppress(driver.Error):
            database.execute("ROLLBACK").close()
        raise
    database.execute("COMMIT").close()
    sleep(_PAUSE)


_LEAST: Final = 6
"""Characters of a text that is looked for in the file: shorter ones are there by chance."""
_LOOKED_FOR: Final = 24
"""Characters of a text that are looked for at its beginning and at its end."""
_WORK: Final = 20_000_000_000
"""Bytes times texts that are looked through: a minute."""


@dataclass(frozen=True, slots=True)
class Left:
    """
    What a look through the file found of the erased texts.

    unused: those in no record; named: the names that records of others have; looked_for: how many.
    """

    unused: set[str]
    named: set[str]
    looked_for: int


def left_in(path: Path, found: Findings, progress: Progress) -> Left:
    """
    Look for the erased texts in each byte of the file and its WAL.

    Names, and of the others as many as time allows, the longest first. No connection of this
    process may be open: to read the file gives up its locks. Raises DatabaseError.
    """
    files = [one for one in (path, path.with_name(f"{path.name}-wal")) if one.exists()]
    size = sum(one.stat().st_size for one in files)
    wanted = sorted(found.names) + sorted(found.texts, key=len, reverse=True)
    wanted = [text for text in wanted if len(text) >= _LEAST and text != ERASED]
    needles = {text: _needles(text) for text in wanted[: 2 + _WORK // (1 + size)]}
    there: dict[str, set[bytes]] = {}
    with told(f"look through {path}"):
        for number, piece in enumerate(_pieces(files)):
            progress(number * _PIECE, size)
            for text, some in needles.items():
                if hits := {one for one in some if one in piece}:
                    there.setdefault(text, set()).update(hits)
    if there:
        _drop_what_others_have(path, there)
    unused = {text for text, some in there.items() if some}
    return Left(unused, (there.keys() - unused) & found.names, len(needles))


def _needles(text: str) -> set[bytes]:
    """What tells that a text is there: its beginning or its end, in the ways bodies spell it."""
    parts = text[:_LOOKED_FOR], text[-_LOOKED_FOR:]
    forms = {form.encode() for part in parts for form in (part, fold(part))}
    first = parts[0]
    forms |= {first.encode("utf-16-le"), first.encode("ascii", "xmlcharrefreplace")}
    return forms | {json.dumps(first)[1:-1].encode(), quote_plus(first).encode()}


def _pieces(files: Iterable[Path]) -> Iterator[bytes]:
    """The bytes of the files; each piece begins with the end of the one before."""
    for one in files:
        rest = b""
        with one.open("rb") as read:
            while piece := read.read(_PIECE):
                yield rest + piece
                rest = piece[-8 * _LOOKED_FOR :]


def _drop_what_others_have(path: Path, there: dict[str, set[bytes]]) -> None:
    """Of what was found in the file, drop what a record has."""
    with _database(path) as database:
        for table in tables.metadata.tables.values():
            sql = f"SELECT {_columns(table)} FROM {table.name}"  # noqa: S608  # ours
            for row in database.execute(sql):
                has = b"\0".join(_bytes_in(table, row))
                for some in there.values():
                    some -= {one for one in some if one in has}


def _bytes_in(table: Table, row: Sequence[Any]) -> Iterator[bytes]:
    """The texts and bytes of a row, as they are and folded."""
    for column, value in zip(table.columns, row, strict=True):
        if isinstance(value, str):
            yield value.encode()
            yield fold(value).encode()
        elif isinstance(column.type, LargeBinary) and value is not None:
            yield value


def rewrite(path: Path) -> None:
    """
    Write the whole file anew, without anything that no record has.

    Raises DatabaseError, where a server runs, or there is no room.
    """
    size, free = path.stat().st_size, disk_usage(path.parent).free
    if free < 2 * size:
        raise DatabaseError(
            f"There is no room to write {path} anew: {size:,} bytes are needed twice and {free:,} "
            "are free. Make room and run it again."
        )
    made = path.with_name(f"{path.name}.rewritten")
    with claim(path):
        made.unlink(missing_ok=True)  # what one that was killed left
        made.touch(0o600)
        try:
            # Not VACUUM alone: the driver keeps what is temporary in memory, so the whole file.
            with _database(path, writes=True) as database:
                database.execute("VACUUM INTO ?", (str(made),)).close()
                with closing(driver.connect(made)) as source:
                    source.backup(database)
                cut_wal(database)
        finally:
            made.unlink()
