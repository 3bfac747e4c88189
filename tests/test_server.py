"""The server itself: health, other addresses, and what it does when something is broken."""

import os
import resource
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import FORMATS, KEY, PATIENCE, Neto, Served, clean_environ, readers_held, served
from test_http import connected

from recontact.store import committer

# Files of a server of this process are opened with its own SQLite, never with another one.
from recontact.store.sqlite import driver
from recontact.store.writer import Writer


@pytest.fixture
def server(database: Path) -> Iterator[Served]:
    """A server in a process of its own."""
    with served(database) as one:
        yield one


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """
    Another connection holds the write lock, as the command line would.

    A server of this process waits for it, for as long as that is.
    """
    with (
        pytest.MonkeyPatch.context() as patch,
        closing(driver.connect(path, timeout=PATIENCE, isolation_level=None)) as other,
    ):
        patch.setattr(committer, "PATIENCE", PATIENCE)
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def behind_its_back(path: Path, *statements: str) -> None:
    """Change the file as no command of ours would."""
    with closing(driver.connect(path, isolation_level=None)) as other:
        for statement in statements:
            other.execute(statement)


def is_ready(neto: Neto) -> bool:
    answer = neto.http.get("/readyz")
    assert answer.status_code in (200, 503)
    return answer.status_code == 200


# -- health and other addresses ----------------------------------------------------------------


def test_it_is_alive_and_ready(neto: Neto) -> None:
    for path in ("/healthz", "/readyz"):
        answer = neto.http.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        assert answer.headers["X-Request-Id"]


def test_it_is_not_ready_while_another_process_holds_the_lock(neto: Neto) -> None:
    with locked(neto.path):
        waiting: list[httpx.Response] = []
        thread = threading.Thread(target=lambda: waiting.append(neto.http.get("/readyz")))
        thread.start()
        Neto.wait_for(lambda: neto.http.get("/healthz").status_code == 200)
        thread.join(PATIENCE)

    assert [answer.status_code for answer in waiting] == [503]
    Neto.wait_for(lambda: is_ready(neto))


def test_asking_whether_it_is_ready_changes_nothing(neto: Neto) -> None:
    neto.add({"Notes": "before"})
    tables = ("site", "customer_log", "revision", "journal")

    def content() -> list[Any]:
        with closing(driver.connect(neto.path)) as file:
            return [file.execute(f"SELECT * FROM {name}").fetchall() for name in tables]

    before = content()
    for _ in range(5):
        assert neto.http.get("/readyz").status_code == 200

    assert content() == before
    assert neto.add({"Notes": "after"}) == [2]


@pytest.mark.parametrize(
    ("method", "path", "http_status"),
    [
        ("GET", "/", 303),  # to the login
        ("GET", "/nothing", 404),
        ("POST", "/do/WS/NetoApi", 404),
        ("POST", "/do/WS", 404),
        ("POST", "/do/WS/NetoAPI/more", 404),
        ("GET", "/do/WS/NetoAPI%00", 404),
        ("GET", "/../../etc/passwd", 404),
        ("POST", "/healthz", 405),
        ("DELETE", "/", 405),
    ],
)
def test_other_addresses(neto: Neto, method: str, path: str, http_status: int) -> None:
    answer = neto.http.request(method, path)

    assert answer.status_code == http_status
    assert answer.headers["X-Request-Id"]


# -- a defect ----------------------------------------------------------------------------------

REFUSES_POISON = (
    "CREATE TRIGGER refuse BEFORE INSERT ON customer_log WHEN new.notes LIKE 'POISON%'"
    " BEGIN SELECT raise(ABORT, 'the trigger said no'); END"
)


@pytest.mark.parametrize("format", FORMATS)
def test_a_defect_is_answered_without_details_and_logged_with_them(
    server: Served, format: str
) -> None:
    behind_its_back(server.path, REFUSES_POISON)
    poison = {"CustomerLogs": {"CustomerLog": [{"Notes": "fine"}, {"Notes": "POISON of a person"}]}}

    answer = server.neto.call(format, "AddCustomerLog", poison)
    after = server.neto.add({"Notes": "after"})
    assert server.stop() == 0

    request_id = answer.headers["X-Request-Id"]
    assert (answer.status, answer.ack, answer.codes) == (500, "Error", ["RC032"])
    assert answer.format == format
    assert answer.errors[0]["Message"] == "Internal server error"
    assert request_id in answer.errors[0]["Description"]
    for detail in (b"trigger", b"customer_log", b"sqlite", b"Traceback", b"INSERT", b"POISON"):
        assert detail not in answer.body
    assert after == [1], "something of the call was saved"

    lines = [line for line in server.log_lines() if line.get("request_id") == request_id]
    assert [line["event"] for line in lines] == ["a call failed", "request"]
    assert "the trigger said no" in lines[0]["exception"]
    assert lines[1]["http_status"] == 500
    assert KEY not in server.err.whole()
    assert "POISON of a person" not in server.err.whole(), "a customer's note is in the log"


@pytest.mark.parametrize("table", ["journal", "revision", "customer_log"])
@pytest.mark.parametrize("action", ["AddCustomerLog", "UpdateCustomerLog", "GetCustomerLog"])
def test_a_table_that_is_missing_is_a_defect(neto: Neto, table: str, action: str) -> None:
    neto.add({"Notes": "before"})
    item = {"LogID": 1, "Notes": "never"}
    tree = {"CustomerLogs": [item], "Filter": {"LogID": "1", "OutputSelector": "Notes"}}

    behind_its_back(neto.path, f"ALTER TABLE {table} RENAME TO away")
    answer = neto.call("json", action, tree)
    alive = neto.http.get("/healthz")
    behind_its_back(neto.path, f"ALTER TABLE away RENAME TO {table}")

    touched = action != "GetCustomerLog" or table == "customer_log"
    assert (answer.status, answer.codes) == ((500, ["RC032"]) if touched else (200, []))
    assert b"no such table" not in answer.body
    assert "Retry-After" not in answer.headers
    assert alive.status_code == 200
    assert neto.log(1)["Notes"] == "before"
    assert neto.add({"Notes": "after"}) == [2]


def test_a_defect_of_one_call_is_not_the_others(neto: Neto) -> None:
    behind_its_back(neto.path, REFUSES_POISON)
    answers: dict[str, int] = {}

    def add(notes: str) -> None:
        answer = neto.call("json", "AddCustomerLog", {"CustomerLogs": [{"Notes": notes}]})
        answers[notes] = answer.status

    wanted = {f"{'POISON' if n % 5 == 0 else 'fine'} {n}" for n in range(25)}
    with locked(neto.path):  # so that they wait together
        threads = [threading.Thread(target=add, args=(notes,)) for notes in wanted]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
    for thread in threads:
        thread.join(PATIENCE)

    assert answers == {notes: 500 if notes.startswith("POISON") else 200 for notes in wanted}
    stored = neto.get(LogIDAfter=0, OutputSelector="Notes").logs
    assert {log["Notes"] for log in stored} == {n for n in wanted if n.startswith("fine")}
    assert [log["LogID"] for log in stored] == [str(n) for n in range(1, 21)]


def test_a_row_that_cannot_be_read_is_a_defect_of_its_call_alone(neto: Neto) -> None:
    neto.add({"Notes": "one"}, {"Notes": "two"}, {"Notes": "three"})
    behind_its_back(neto.path, "UPDATE customer_log SET status = 'Odd' WHERE log_id = 2")

    with_it = neto.update("json", {"LogID": 1, "Notes": "x"}, {"LogID": 2, "Notes": "x"})
    without = neto.update("json", {"LogID": 1, "Notes": "y"}, {"LogID": 3, "Notes": "y"})
    read = neto.get(LogIDAfter=0)

    assert (with_it.status, with_it.codes) == (500, ["RC032"])
    assert (without.status, without.ack) == (200, "Success")
    assert (read.status, read.codes) == (500, ["RC032"])
    assert [neto.log(log_id)["Notes"] for log_id in (1, 3)] == ["y", "y"]


# -- what is broken around it ------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can limit another process")
def test_a_disk_that_fails_is_said_and_survived(server: Served) -> None:
    """No file may be written, which fails each commit as a disk with faults does."""
    (log_id,) = server.neto.add({"Notes": "before"})
    _, most = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)

    # Not what the files have now: a WAL that begins again at its start would have room.
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (1, most))
    for _ in range(2):
        answer = server.neto.update("json", {"LogID": log_id, "Notes": "in doubt"})
        assert (answer.status, answer.ack, answer.codes) == (503, "Error", ["RC031"]), answer.tree
        assert answer.errors[0]["Message"] == "Outcome unknown"
        assert "Retry-After" not in answer.headers
        Neto.wait_for(lambda: not is_ready(server.neto))
        assert server.neto.http.get("/healthz").status_code == 200
        assert server.neto.log(log_id)["Notes"] == "before"
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (most, most))

    Neto.wait_for(lambda: is_ready(server.neto))
    assert server.neto.update("json", {"LogID": log_id, "Notes": "after"}).ack == "Success"
    assert server.stop() == 0
    with closing(sqlite3.connect(server.path)) as file:
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert file.execute("SELECT notes, revision FROM customer_log").fetchall() == [("after", 2)]
        assert file.execute("SELECT count(*) FROM revision").fetchone() == (2,)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can limit another process")
@pytest.mark.parametrize("wrote", [False, True], ids=["before the first write", "after one"])
def test_running_out_of_files_is_survived(server: Served, wrote: bool) -> None:
    """More clients than the process may have files: some wait, and none for ever."""
    host, port = server.url.removeprefix("http://").rsplit(":", 1)
    assert server.neto.get(LogIDAfter=0).status == 200
    if wrote:
        server.neto.add({"Notes": "before"})
    _, most = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (40, most))
    idle = [socket.create_connection((host, int(port)), timeout=PATIENCE) for _ in range(50)]
    try:
        time.sleep(0.3)
        answer = server.neto.call("json", "AddCustomerLog", {"CustomerLogs": [{"Notes": "x"}]})
        assert answer.status in (200, 503)
    finally:
        for connection in idle:
            connection.close()
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (most, most))

    assert server.neto.add({"Notes": "after"}) == [1 + wrote + (answer.status == 200)]
    Neto.wait_for(lambda: is_ready(server.neto))
    assert server.stop() == 0


def test_many_who_ask_whether_it_is_ready_do_not_hold_up_the_writes(
    neto: Neto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is open to everybody, and each asks the disk: but all who wait share one try."""
    tries: list[Any] = []
    all_ask = threading.Event()

    def probe(self: Writer) -> None:
        tries.append(self)
        all_ask.wait(PATIENCE)

    monkeypatch.setattr(Writer, "probe", probe)
    with ExitStack() as stack, ThreadPoolExecutor(1) as aside:
        asking = [stack.enter_context(connected(neto)) for _ in range(20)]
        for connection in asking:
            connection.send_bytes(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
            neto.server.connection(connection.socket, connection.sent)
        writing = aside.submit(neto.add, {"Notes": "x"})
        all_ask.set()

        assert writing.result(PATIENCE) == [1]
        heads = [connection.socket.recv(12, socket.MSG_WAITALL) for connection in asking]
    assert set(heads) == {b"HTTP/1.1 200"}
    assert len(tries) == 1


def test_a_server_whose_stderr_is_gone_still_answers(database: Path) -> None:
    """`recontact serve 2>&1 | head` must not bring it down."""
    reader, writer = os.pipe()
    with served(database, stderr=writer) as server:
        os.close(writer)
        assert server.neto.add({"Notes": "one"}) == [1]
        os.close(reader)
        for log_id in (2, 3, 4):
            assert server.neto.add({"Notes": "nobody reads the log"}) == [log_id]
        behind_its_back(database, REFUSES_POISON)  # a defect is logged as well,
        poison = {"CustomerLogs": [{"Notes": "POISON"}]}
        assert server.neto.call("json", "AddCustomerLog", poison).status == 500
        if sys.platform == "linux":  # and a batch that is not saved
            _, most = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (1, most))
            assert server.neto.update("json", {"LogID": 1, "Notes": "never"}).status == 503
            resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (most, most))
        assert server.neto.update("json", {"LogID": 1, "Notes": "after"}).ack == "Success"
        assert server.stop() == 0


def test_keys_are_taken_up_again_after_they_could_not_be_read(server: Served) -> None:
    """A refresh that fails, whatever the reason, is tried again: else revoked keys stay valid."""
    behind_its_back(server.path, "UPDATE site SET zone = 'Mars/Olympus'")
    Neto.wait_for(lambda: "the keys could not be read" in server.err.text)
    revoke = "UPDATE key SET revoked_at = 1"
    behind_its_back(server.path, "UPDATE site SET zone = 'UTC'", revoke)

    Neto.wait_for(lambda: server.neto.get(LogIDAfter=0).status == 401)


def test_slow_reads_do_not_keep_a_revoked_key_valid(neto: Neto) -> None:
    with readers_held(neto):
        behind_its_back(neto.path, "UPDATE key SET revoked_at = 1")
        # By far sooner than the readers are let go.
        neto.wait_for(lambda: neto.post("Nothing").status == 401, PATIENCE / 3)


def test_a_connection_that_is_dropped_amid_a_body_leaves_no_trace(server: Served) -> None:
    host, port = server.url.removeprefix("http://").rsplit(":", 1)
    for length in (0, 5):
        with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection:
            head = "POST /do/WS/NetoAPI HTTP/1.1\r\nHost: x\r\nNETOAPI_ACTION: AddCustomerLog\r\n"
            head += f"NETOAPI_KEY: {KEY}\r\nContent-Length: 60\r\n\r\n"
            connection.sendall(head.encode() + b'{"Customer'[:length])

    assert server.neto.add({"Notes": "after"}) == [1]
    assert server.stop() == 0
    assert "Traceback" not in server.err.whole()


def test_reads_past_the_queue_are_refused_at_once(serve: Callable[..., Any]) -> None:
    with serve(queue_limit=1) as neto:
        with readers_held(neto, 1):
            refused = neto.get(LogIDAfter=0)
        after = neto.get(LogIDAfter=0)

    assert (refused.status, refused.codes) == (503, ["RC030"])
    assert int(refused.headers["Retry-After"]) > 0
    assert after.status == 200


def test_a_server_that_cannot_read_its_keys_does_not_start(database: Path) -> None:
    """It would serve on, and let nobody in."""
    program = (
        "from recontact.store.sqlite import SqliteStore\n"
        "def keys(self): raise OSError('no keys to be had')\n"
        "SqliteStore.keys = keys\n"
        "from recontact.cli import main\n"
        "main()"
    )
    command = [sys.executable, "-c", program, "serve", "--port", "0"]
    ended = subprocess.run(
        [*command, "--database", f"sqlite:///{database}"],
        env=clean_environ(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )

    assert ended.returncode == 1
    assert "listens on" not in ended.stdout
    assert "no keys to be had" in ended.stderr
    assert "could not start" in ended.stderr
