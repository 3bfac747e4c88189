"""
Write tests/schemas/NNNN.sql: a database of the schema of today, with rows in every table.

Later tests upgrade it. Written once, when the schema is new; it must never change afterwards.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import recontact

try:
    from pysqlite3 import dbapi2 as sqlite
except ImportError:
    import sqlite3 as sqlite

FOLDER = Path(__file__).parents[1] / "tests" / "schemas"
KEY = "rk_the_key_of_all_tests_0123456789"
PASSWORD = "correct horse battery"
RECONTACT = (sys.executable, "-m", "recontact")
CALLS: tuple[tuple[str, Any], ...] = (
    (
        "AddCustomer",
        {"Customer": [{"Username": "Ana", "EmailAddress": "ana@shop.example", "Active": "True"}]},
    ),
    ("UpdateCustomer", {"Customer": [{"Username": "ana", "CreditLimit": "12.50"}]}),
    (
        "AddCustomerLog",
        {
            "CustomerLogs": [
                {
                    "CustomerName": "Bob Stone",
                    "FollowUpType": "Phone",
                    "DateRequiredFollowUp": "2026-11-24",
                    "LastContacted": "2026-11-20 09:30:00",
                    "Notes": "Asked for a quote on 40 chairs",
                },
                {"CustomerName": "Café Lumière", "DateRequiredFollowUp": "2026-11-24T15:00:00Z"},
            ]
        },
    ),
    (
        "UpdateCustomerLog",
        {"CustomerLogs": [{"LogID": 1, "AllocatedTo": "ana", "Status": "Recontacting"}]},
    ),
    ("UpdateCustomerLog", {"CustomerLogs": [{"LogID": 2, "Notes": "long " * 1_000}]}),
    ("UpdateCustomerLog", {"CustomerLogs": [{"LogID": 99, "Notes": "of no log"}]}),
    ("GetCustomerLog", {"Filter": {"LogID": 1, "OutputSelector": ["Notes"]}}),
)
"""What every schema is to hold, as far as its release knows the action."""
COMMANDS = (
    ("key", "create", "--username", "ana", "--may", "read"),
    ("key", "create"),
    ("key", "revoke", "3"),
    ("log", "withdraw", "2"),
    ("undo", "revision", "3", "--log-id", "2"),
    ("staff", "create", "--username", "Ana", "--role", "admin"),
    ("site", "create", "--name", "Harbour"),  # without staff, so it gets a set-up link
)
"""What is done between the calls, without a key."""
REPEATABLE = {"Idempotency-Key": "the-key-of-a-repeat", "Prefer": "handling=strict"}
"""What is sent with the last call of all."""


@contextmanager
def served(path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`recontact serve`, and its address."""
    process = subprocess.Popen(
        [*RECONTACT, "serve", "--port", "0", "--database", f"sqlite:///{path}"],
        cwd=path.parent,
        env=os.environ | {"RECONTACT_FIRST_KEY": KEY},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout
    try:
        found = re.search(r"listens on (\S+)", process.stdout.readline())
        assert found, "it did not start"
        yield process, found[1]
    finally:
        process.kill()
        process.wait()


def call(url: str, action: str, body: Any, more: Mapping[str, str] = {}) -> None:
    """A call with more headers, whatever is answered."""
    headers = {"NETOAPI_ACTION": action, "NETOAPI_KEY": KEY, "Accept": "application/json", **more}
    request = urllib.request.Request(
        f"{url}/do/WS/NetoAPI", json.dumps(body).encode(), headers, method="POST"
    )
    try:
        urllib.request.urlopen(request, timeout=30).close()
    except urllib.error.HTTPError as refused:
        refused.close()


def log_in(url: str) -> None:
    """Let Ana begin a session in the panel, with a form that she had filled in before."""
    form = {"username": "ana", "password": PASSWORD, "then": "/logs/1", "kept": "notes=oak"}
    body, headers = urllib.parse.urlencode(form).encode(), {"Origin": url}
    try:  # it leads on to a page that only who sends the cookie may see
        urllib.request.urlopen(urllib.request.Request(f"{url}/login", body, headers), timeout=30)
    except urllib.error.HTTPError as refused:
        refused.close()


def fill(path: Path) -> None:
    """Make a database with rows in every table."""
    with served(path) as (process, url):
        for action, body in CALLS:
            call(url, action, body)
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    for words in COMMANDS:
        subprocess.run(
            [*RECONTACT, *words, "--database", f"sqlite:///{path}"],
            cwd=path.parent,
            input=f"{PASSWORD}\n".encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
    with closing(sqlite.connect(path)) as file, file:
        file.execute("INSERT INTO saved_view VALUES (1, 1, 'Mine by phone', 'who=me&type=Phone')")
    with served(path) as (_, url):
        log_in(url)
        # It is killed then, before the index of the search has seen this one.
        last = {"CustomerLogs": [{"LogID": 1, "Notes": "Wants the chairs in oak"}]}
        call(url, "UpdateCustomerLog", last, REPEATABLE)


def dump(file: Any) -> Iterator[str]:
    """The statements that make a database such as this one."""
    named = file.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
    virtual = [name for name, sql in named if sql.startswith("CREATE VIRTUAL")]
    shadows = {name for name, _ in named if name.startswith(tuple(f"{one}_" for one in virtual))}
    yield from ("PRAGMA auto_vacuum = INCREMENTAL;", "BEGIN;")
    for name, sql in named:
        if name == "sqlite_stat1":
            yield "ANALYZE sqlite_schema;"
            yield "DELETE FROM sqlite_stat1;"
        elif name not in shadows and not name.startswith("sqlite_"):
            yield f"{sql};"
    for name, _ in named:
        if name in shadows:  # made with the table that they are of, and not empty then
            yield f"DELETE FROM {name};"
    for name, _ in named:
        if name not in virtual and name != "sqlite_stat4":
            rows = list(inserts(file, name))
            assert rows, f"{name} has no rows"
            yield from rows
    for (sql,) in file.execute(
        "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    ):
        yield f"{sql};"
    yield "COMMIT;"


def inserts(file: Any, table: str) -> Iterator[str]:
    """A statement for each row."""
    columns = [name for _, name, *_ in file.execute(f"PRAGMA table_info({table})")]
    quoted = " || ', ' || ".join(f"quote({name})" for name in columns)
    for (values,) in file.execute(f"SELECT {quoted} FROM {table}"):
        yield f"INSERT INTO {table} VALUES ({values});"


def main() -> None:
    """Write it, unless it is there."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recontact.db"
        fill(path)
        with closing(sqlite.connect(path)) as file:
            ((revision,),) = file.execute("SELECT version_num FROM alembic_version").fetchall()
            text = "\n".join(dump(file))
    to = FOLDER / f"{revision}.sql"
    if to.exists():
        sys.exit(f"{to} is there, and must stay as it is.")
    FOLDER.mkdir(exist_ok=True)
    to.write_text(f"-- Schema {revision}, as recontact {recontact.__version__} wrote it.\n{text}\n")
    print(f"Wrote {to}")


if __name__ == "__main__":
    main()
