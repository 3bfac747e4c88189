"""One call's view over the rows of its group: what it writes is its own until it keeps it."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from operator import itemgetter
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from msgspec.structs import replace
from sqlalchemy import Dialect, Executable, Select, and_, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from recontact.messages import Query
from recontact.model import (
    SEARCHED,
    By,
    Customer,
    CustomerLog,
    CustomerRevision,
    JournalEntry,
    Revision,
    Site,
    customer_revision_of,
    customer_withdrawal_of,
    fold,
    revision_of,
    searched,
    turn,
    unpacked,
    withdrawal_of,
)
from recontact.store import past, tables
from recontact.store.past import Found, Touched
from recontact.store.queries import fetched, logs_of
from recontact.store.search import indexed
from recontact.store.tables import (
    COUNTERS,
    CUSTOMER_REVISIONS,
    CUSTOMERS,
    LOGS,
    PENDING,
    REVISIONS,
    TALLIES,
    Counter,
    Kept,
    Pending,
    Tally,
)

R = TypeVar("R")
T = TypeVar("T")

Driver = Any
"""A connection of the database's own driver (PEP 249 has no type for it)."""
RowKey = tuple[Any, ...]
Rows = dict[Kept[Any], dict[RowKey, Any]]


ALONE = 1_000
"""The weight of a work that fills a batch: one that queries writes all before it once more."""


@dataclass(frozen=True, slots=True)
class Work(Generic[T]):
    """
    Something to do in a transaction of its own.

    run: it may be called twice, so it has no effect but on its transaction. log_ids: the logs
    that it will probably read; fetching them ahead is only speed. weight: items, which cap a group.
    queries: whether it asks `Transaction.find`, which only the connection that writes can answer.
    """

    site: Site
    run: Callable[["Transaction"], T]
    log_ids: Collection[int] = ()
    weight: int = 1
    queries: bool = False


class Group:
    """
    The rows that the calls of one commit have read and written.

    driver: where they are read. below: the group that is being committed meanwhile; what it
    wrote counts as if it were in the database.
    """

    def __init__(
        self, driver: Driver, statements: "Statements", below: "Group | None" = None
    ) -> None:
        self.driver = driver
        self.statements = statements
        self.entries: list[JournalEntry] = []
        self._below: Rows = below._written if below else {}
        self._entries_below = below.entries if below else []
        self._found: Rows = defaultdict(dict)  # as it was before this group; None: there is none
        self._written: Rows = defaultdict(dict)

    def get(self, kept: Kept[R], key: RowKey) -> R | None:
        """The record as the calls before left it, else as the database has it."""
        written = self._written[kept]
        if key in written:
            return written[key]  # type: ignore[no-any-return]  # a dict of many kinds of record
        found = self._found[kept]
        if key not in found:
            below = self._below.get(kept, {})
            if key in below:
                found[key] = below[key]
            else:
                row = self.statements.row(self.driver, kept, key)
                found[key] = kept.load(row) if row is not None else None
        return found[key]  # type: ignore[no-any-return]

    def fetch_logs(self, works: Iterable[Work[Any]]) -> None:
        """Read ahead the logs that the works name, some hundred with one statement."""
        wanted: dict[int, set[int]] = defaultdict(set)
        for work in works:
            wanted[work.site.site].update(work.log_ids)
        found, below = self._found[LOGS], self._below.get(LOGS, {})
        for site, log_ids in wanted.items():
            unknown = [n for n in log_ids if (site, n) not in found and (site, n) not in below]
            if len(unknown) < 2:
                continue  # `get` reads it
            found.update({(site, log_id): None for log_id in unknown})
            for row in self.statements.logs(self.driver, site, sorted(unknown)):
                found[site, row[1]] = LOGS.load(row)

    @property
    def noted(self) -> int:
        """How many logs changed that the index of the search is to see."""
        return len(self._written[PENDING])

    def keep(self, own: Rows, entries: list[JournalEntry]) -> None:
        """Take over what a call wrote."""
        for kept, rows in own.items():
            written = self._written[kept]
            if merge := kept.merge:
                for key, record in rows.items():
                    written[key] = merge(written[key], record) if key in written else record
            else:
                written.update(rows)
        self.entries += entries

    def write(self, driver: Driver) -> None:
        """Write everything, one statement for all rows of a table that change alike."""
        self.write_rows(driver, self._written)
        entries = self.entries
        self.statements.insert(driver, tables.journal, [tables.dump_journal(e) for e in entries])
        bodies = [tables.dump_bodies(e) for e in entries if e.request_body or e.answer_body]
        self.statements.insert(driver, tables.journal_body, bodies)

    def write_rows(self, driver: Driver, written: Rows) -> None:
        """Write these rows of this group."""
        for kept, rows in written.items():
            found = self._found[kept]
            if kept.merge:
                self.statements.merge(driver, kept, [kept.dump(one) for one in rows.values()])
                continue
            new = []
            gone = []
            changed: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
            for key, record in rows.items():
                before = found.get(key)
                if record is None:
                    if before is not None:
                        gone.append(dict(zip(kept.key, key, strict=True)))
                    continue
                row = kept.dump(record)
                if before is None:
                    new.append(row)
                else:
                    old = kept.dump(before)
                    # Only the columns that differ: an index on the others need not be touched.
                    if columns := tuple(name for name, value in row.items() if old[name] != value):
                        changed[columns].append(row)
            self.statements.delete(driver, kept, gone)
            self.statements.insert(driver, kept.table, new)
            for columns, alike in changed.items():
                self.statements.update(driver, kept, columns, alike)

    def ask(self, tables: Iterable[Kept[Any]], own: Rows, read: Callable[[Driver], T]) -> T:
        """
        What `read` finds in these tables after this group and a call that wrote `own`.

        Both are written for as long as it takes, and taken back. Only on a connection that writes.
        """
        driver = self.driver
        driver.execute("SAVEPOINT asked").close()
        # Where SQLite gave the whole transaction up, the savepoint is gone: tell why it did.
        try:
            self.write_rows(
                driver, {kept: self._written[kept] | own.get(kept, {}) for kept in tables}
            )
            found = read(driver)
        except BaseException:
            with suppress(Exception):
                self._forget(driver)
            raise
        self._forget(driver)
        return found

    def answer(self, site: int, request: bytes) -> tuple[str, bytes] | None:
        """The Ack and the bytes that a call was answered; None where they are not kept."""
        for entry in (*self.entries, *self._entries_below):
            if entry.request == request and entry.site == site:
                if entry.answer_body is None:
                    return None
                return entry.ack, unpacked(entry.answer_body, bool(entry.packed & 2))
        return self.statements.answer(self.driver, site, request)

    @staticmethod
    def _forget(driver: Driver) -> None:
        """Take back what was written for a question."""
        driver.execute("ROLLBACK TO asked").close()
        driver.execute("RELEASE asked").close()


class Transaction:
    """
    One call's view: reads see its own writes, then the group's; nothing is written before `keep`.

    site: whose data it sees. now: aware, UTC; the time of all that it writes.
    """

    def __init__(self, group: Group, site: Site, now: datetime) -> None:
        self._group = group
        self._own: Rows = defaultdict(dict)
        self._entries: list[JournalEntry] = []
        self._kept = False
        self.site = site
        self.now = now

    def get(self, kept: Kept[R], *key: Any) -> R | None:
        """The record of that key, or None."""
        own = self._own[kept]
        return own[key] if key in own else self._group.get(kept, key)

    def put(self, kept: Kept[R], record: R) -> None:
        """Write a record, new or in place of the one with its key."""
        self._own[kept][tuple(getattr(record, name) for name in kept.key)] = record

    def log(self, log_id: int) -> CustomerLog | None:
        """The log of this site with that LogID."""
        return self.get(LOGS, self.site.site, log_id)

    def revision(self, log_id: int, number: int) -> Revision | None:
        """That revision of a log of this site."""
        return self.get(REVISIONS, self.site.site, log_id, number)

    def customer(self, username: str) -> Customer | None:
        """The customer of this site with that username, in whatever case."""
        return self.get(CUSTOMERS, self.site.site, fold(username))

    def remove(self, kept: Kept[Any], *key: Any) -> None:
        """Delete the record of that key."""
        self._own[kept][key] = None

    def ask(self, tables: Iterable[Kept[Any]], read: Callable[[Driver], T]) -> T:
        """What `read` finds in these tables with all that is written; of a work that queries."""
        return self._group.ask(tables, self._own, read)

    def find(self, query: Query) -> list[CustomerLog]:
        """The logs of this site that meet `query` with what was written so far; one page."""

        def read(driver: Driver) -> list[CustomerLog]:
            return logs_of(query, self.site, partial(self._group.statements.rows, driver))

        return self.ask((LOGS, PENDING), read)  # all that a query looks at

    def found(self, some: Iterable[Touched]) -> list[Found]:
        """Records that are to be undone, and their revisions; of a work that queries."""

        def read(driver: Driver) -> list[Found]:
            return past.found(partial(self._group.statements.given, driver), self.site.site, some)

        return self.ask((LOGS, CUSTOMERS, REVISIONS, CUSTOMER_REVISIONS), read)

    def has_logs(self, username: str, but: Collection[int] = ()) -> bool:
        """Whether any log is of that customer, but for those; of a work that queries."""

        def read(driver: Driver) -> bool:
            rows = partial(self._group.statements.given, driver)
            return past.has_logs(rows, self.site.site, username, but)

        return self.ask((LOGS,), read)

    def answer(self, request: bytes) -> tuple[str, bytes] | None:
        """The Ack and the bytes that a call of this site was answered, where they are kept."""
        return self._group.answer(self.site.site, request)

    def save(self, log: CustomerLog, before: CustomerLog | None, by: By) -> None:
        """Write a log and the revision that made it of `before`."""
        self.put(LOGS, log)
        self.put(REVISIONS, revision_of(before, log, by))
        if before is None:
            self._note_search(log, None)
        elif any(log.value(key) != before.value(key) for key in SEARCHED):
            self._note_search(log, searched(before))

    def withdraw(self, log: CustomerLog, by: By) -> None:
        """Take a log away, and write the revision that says so: nobody finds it, until restored."""
        self.remove(LOGS, log.site, log.log_id)
        self.put(REVISIONS, withdrawal_of(log, self.now, by))
        self._note_search(log, searched(log))

    def _note_search(self, log: CustomerLog, was: str | None) -> None:
        """Note that the index of the search is to see the log again."""
        key = log.site, log.log_id
        before = self._own[PENDING].get(key)
        pending = Pending(*key, before.was if before else was, indexed(searched(log)))
        self._own[PENDING][key] = pending

    def save_customer(self, customer: Customer, before: Customer | None, by: By) -> None:
        """Write a customer and the revision that made it of `before`."""
        self.put(CUSTOMERS, customer)
        self.put(CUSTOMER_REVISIONS, customer_revision_of(before, customer, by))

    def withdraw_customer(self, customer: Customer, by: By) -> None:
        """Take a customer away, and write the revision that says so."""
        self.remove(CUSTOMERS, customer.site, customer.username_folded)
        self.put(CUSTOMER_REVISIONS, customer_withdrawal_of(customer, self.now, by))

    def become(
        self, before: CustomerLog | Customer | None, after: CustomerLog | Customer | None, by: By
    ) -> Revision | CustomerRevision:
        """Write that a record became another, or went (None), or came back; the revision of it."""
        match before or after:  # whether its row is there decides how it is written
            case CustomerLog() as log:
                self.log(log.log_id)
            case Customer() as customer:
                self.customer(customer.username)
        if isinstance(after, CustomerLog):
            self.save(after, before if isinstance(before, CustomerLog) else None, by)
        elif isinstance(after, Customer):
            self.save_customer(after, before if isinstance(before, Customer) else None, by)
        elif isinstance(before, CustomerLog):
            self.withdraw(before, by)
        elif before is not None:
            self.withdraw_customer(before, by)
        return turn(before, after, self.now, by)

    def next_log_id(self) -> int:
        """A LogID that the site never gave; given only if this transaction is kept."""
        counter = self._counter()
        next_one = Counter(counter.site, counter.next_log_id + 1, counter.next_customer_id)
        self.put(COUNTERS, next_one)
        return counter.next_log_id

    def next_customer_id(self) -> int:
        """A customer's ID that the site never gave; given only if this transaction is kept."""
        counter = self._counter()
        next_one = Counter(counter.site, counter.next_log_id, counter.next_customer_id + 1)
        self.put(COUNTERS, next_one)
        return counter.next_customer_id

    def _counter(self) -> Counter:
        counter = self.get(COUNTERS, self.site.site)
        if counter is None:
            raise LookupError(f"site {self.site.site} has no row")
        return counter

    def enter(self, entry: JournalEntry) -> None:
        """Write an entry of the journal with what the call did."""
        self._entries.append(entry)

    def tally(self, entry: JournalEntry, changed: int, warnings: int) -> None:
        """
        Enter what a call of several transactions did up to this one; see `Tally`.

        Its entry comes with its first change.
        """
        ack = "Warning" if warnings else entry.ack
        if self.get(TALLIES, entry.site, entry.request) is not None:
            self.put(TALLIES, Tally(entry.site, entry.request, changed, warnings, ack))
        elif changed:
            self.enter(replace(entry, changed=changed, warnings=warnings, ack=ack))

    def discard(self) -> None:
        """Forget all that was written so far."""
        self._own.clear()

    def keep(self) -> None:
        """Make what is written the group's, once the work has returned."""
        self._kept = True

    def end(self) -> None:
        """Hand what was written to the group, if it is to be kept."""
        if self._kept:
            self._group.keep(self._own, self._entries)


class Statements:
    """
    The statements of the write path: built by SQLAlchemy Core, compiled once for a dialect.

    The driver then runs them with many rows at once: Core itself costs twice the driver's time.
    Errors are the driver's own.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._selects: WeakKeyDictionary[Executable, tuple[str, list[tuple[str, Any]]]] = (
            WeakKeyDictionary()
        )
        self._compiled: dict[Any, tuple[str, Callable[[Mapping[str, Any]], Any]]] = {}

    def row(self, driver: Driver, kept: Kept[Any], key: RowKey) -> Sequence[Any] | None:
        """The row of that key."""
        sql, _ = self._compile(kept, lambda: select(kept.table).where(*_key_is(kept)))
        found: Sequence[Any] | None = driver.execute(sql, key).fetchone()
        return found

    def logs(self, driver: Driver, site: int, log_ids: list[int]) -> Iterator[Sequence[Any]]:
        """The rows of the logs with these LogIDs."""
        for chunk in (log_ids[at : at + 256] for at in range(0, len(log_ids), 256)):
            # A power of two of places, the last LogID repeated: few statements to compile.
            places = 1 << (len(chunk) - 1).bit_length()
            sql, _ = self._compile(("logs", places), partial(_logs_of, places))
            padded = (site, *chunk, *chunk[-1:] * (places - len(chunk)))
            yield from driver.execute(sql, padded).fetchall()

    def insert(self, driver: Driver, table: Any, rows: list[dict[str, Any]]) -> None:
        """Add rows."""
        if rows:
            sql, values = self._compile(table, lambda: insert(table))
            driver.executemany(sql, [values(row) for row in rows]).close()

    def delete(self, driver: Driver, kept: Kept[Any], rows: list[dict[str, Any]]) -> None:
        """Delete rows; each has the columns of the key."""
        if rows:
            sql, values = self._compile(
                ("delete", kept), lambda: delete(kept.table).where(*_key_is(kept))
            )
            driver.executemany(sql, [values(row) for row in rows]).close()

    def answer(self, driver: Driver, site: int, request: bytes) -> tuple[str, bytes] | None:
        """The Ack and the bytes of an answer that the journal has."""
        sql, _ = self._compile("answer", _answer_of)
        found = driver.execute(sql, (site, request)).fetchone()
        if found is None or found[1] is None:
            return None
        ack, body, flags = found
        return ack, unpacked(body, bool(flags & 2))

    def merge(self, driver: Driver, kept: Kept[Any], rows: list[dict[str, Any]]) -> None:
        """Add rows; one whose key is there already gives that its `kept.new` columns."""
        if rows:
            sql, values = self._compile(("merge", kept), lambda: self._merge(kept))
            driver.executemany(sql, [values(row) for row in rows]).close()

    def _merge(self, kept: Kept[Any]) -> Any:
        """INSERT in the dialect's own form, which alone knows what to do about conflicts."""
        own = (sqlite if self._dialect.name == "sqlite" else postgresql).insert(kept.table)
        new = {name: own.excluded[name] for name in kept.new}
        return own.on_conflict_do_update(index_elements=list(kept.key), set_=new)

    def rows(self, driver: Driver, statement: Executable) -> list[Sequence[Any]]:
        """What a SELECT gives, with the values it holds; compiled once for as long as it lives."""
        return fetched(driver.execute(*self._select(statement, {})))

    def given(
        self, driver: Driver, statement: Executable, values: Mapping[str, Any]
    ) -> list[Sequence[Any]]:
        """What a SELECT gives for these values of its parameters, however much it is."""
        found: list[Sequence[Any]] = driver.execute(*self._select(statement, values)).fetchall()
        return found

    def _select(self, statement: Executable, values: Mapping[str, Any]) -> tuple[str, list[Any]]:
        if statement not in self._selects:
            compiled: Any = statement.compile(  # type: ignore[attr-defined]
                dialect=self._dialect, compile_kwargs={"render_postcompile": True}
            )
            params = compiled.params  # made anew each time it is asked for
            own = [(name, params[name]) for name in compiled.positiontup]
            self._selects[statement] = str(compiled), own
        sql, own = self._selects[statement]
        return sql, [values.get(name, value) for name, value in own]

    def update(
        self, driver: Driver, kept: Kept[Any], columns: tuple[str, ...], rows: list[dict[str, Any]]
    ) -> None:
        """Write these columns of rows that are there."""
        sql, values = self._compile(
            (kept, columns),
            lambda: (
                update(kept.table)
                .where(and_(*_key_is(kept)))
                .values({name: bindparam(f"set__{name}") for name in columns})
            ),
        )
        driver.executemany(sql, [values(row) for row in rows]).close()

    def run(self, driver: Driver, statement: Executable) -> None:
        """One statement that is not worth keeping, with the values it holds."""
        compiled: Any = statement.compile(dialect=self._dialect)  # type: ignore[attr-defined]
        params = compiled.params
        values = [params[name] for name in compiled.positiontup]
        driver.execute(str(compiled), values).close()

    def _compile(
        self, name: Any, build: Callable[[], Any]
    ) -> tuple[str, Callable[[Mapping[str, Any]], Any]]:
        """The text of a statement, and what takes its values from a row in the right order."""
        if name not in self._compiled:
            compiled = build().compile(dialect=self._dialect)
            names = [n.removeprefix("set__").removeprefix("is__") for n in compiled.positiontup]
            self._compiled[name] = str(compiled), itemgetter(*names)
        return self._compiled[name]


def _logs_of(places: int) -> Select[Any]:
    log = tables.customer_log.c
    ids: list[Any] = [bindparam(f"log_id_{n}") for n in range(places)]
    return select(tables.customer_log).where(log.site == bindparam("site"), log.log_id.in_(ids))


def _answer_of() -> Select[Any]:
    journal, body = tables.journal.c, tables.journal_body.c
    both = and_(body.site == journal.site, body.request == journal.request)
    return (
        select(journal.ack, body.answer_body, body.packed)
        .join_from(tables.journal, tables.journal_body, both)
        .where(journal.site == bindparam("site"), journal.request == bindparam("request"))
    )


def _key_is(kept: Kept[Any]) -> list[Any]:
    return [kept.table.c[name] == bindparam(f"is__{name}") for name in kept.key]
