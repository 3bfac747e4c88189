"""
Nothing that was acknowledged is lost when the server is killed, or told to stop, under load.

CRASH_ROUNDS: how often it is killed. CRASH_REPEATS: how many calls with an Idempotency-Key are sent
again. CRASH_SEED: repeats the choices of a run that failed.
"""

import asyncio
import http.client
import itertools
import json
import os
import random
import re
import resource
import signal
import socket
import sqlite3
import sys
import threading
import time
import zlib
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from conftest import KEY, PATIENCE, Neto, Served, served

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "5"))
REPEATS = int(os.environ.get("CRASH_REPEATS", "2000"))
WRITERS = 16
REPEATERS = 256
"""So many calls are in flight whenever the server is killed, saved or not."""
HEADERS = {"NETOAPI_KEY": KEY, "Accept": "application/json"}


@dataclass
class Known:
    """A log as its one writer knows it."""

    notes: str
    revision: int


@dataclass
class Call:
    """A call that was sent: the Notes of the logs that it adds, or the new ones of others."""

    body: bytes
    adds: list[str] = field(default_factory=list)
    updates: list[tuple[int, str]] = field(default_factory=list)


class Ledger:
    """What all writers were told: which LogIDs were given, and the journal that must be there."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.given: dict[int, str] = {}
        self.answered: dict[bytes, tuple[bytes, bytes]] = {}

    def give(self, log_id: int, notes: str) -> None:
        with self._lock:
            assert self.given.setdefault(log_id, notes) == notes, f"LogID {log_id} was given twice"

    def answer(self, call: Call, request_id: str, body: bytes) -> None:
        with self._lock:
            self.answered[bytes.fromhex(request_id.replace("-", ""))] = call.body, body


class Writer:
    """One client with logs of its own: it adds and updates them until it gets no answer."""

    def __init__(self, name: str, ledger: Ledger, chance: random.Random) -> None:
        self._name, self._ledger, self._chance = name, ledger, chance
        self._count = itertools.count(1)
        self.logs: dict[int, Known] = {}
        self.unanswered: Call | None = None
        self.failed: BaseException | None = None

    def run(self, url: str) -> None:
        """Call after call, on one connection."""
        host, port = url.removeprefix("http://").rsplit(":", 1)
        try:
            with closing(http.client.HTTPConnection(host, int(port), timeout=20)) as connection:
                while self._send(connection, self._next_call()):
                    pass
        except BaseException as error:
            self.failed = error

    def _next_call(self) -> Call:
        """Some items with Notes that were never sent before; now and then many, or long ones."""
        number = next(self._count)
        padding = " x" * self._chance.choice((0, 10, 10, 100, 3_000))
        notes = [
            f"{self._name}.{number}.{item}{padding}"
            for item in range(self._chance.choice((1, 1, 1, 2, 5, 40)))
        ]
        if not self.logs or self._chance.random() < 0.3:
            items = [{"Notes": text} for text in notes]
            return Call(_body(items), adds=notes)
        # The same log may be named twice: the later item counts, each makes a revision.
        chosen = self._chance.choices(list(self.logs), k=len(notes))
        updates = list(zip(chosen, notes, strict=True))
        items = [{"LogID": str(log_id), "Notes": text} for log_id, text in updates]
        return Call(_body(items), updates=updates)

    def _send(self, connection: http.client.HTTPConnection, call: Call) -> bool:
        action = "AddCustomerLog" if call.adds else "UpdateCustomerLog"
        try:
            connection.request(
                "POST", "/do/WS/NetoAPI", call.body, HEADERS | {"NETOAPI_ACTION": action}
            )
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException):
            self.unanswered = call
            return False
        answer = json.loads(body)
        if response.status == 503:
            message = answer["Messages"]["Error"][0]["Message"]
            assert message in ("Not saved", "Outcome unknown")
            if message == "Outcome unknown":
                self.unanswered = call
            return message == "Not saved"
        assert (response.status, answer["Ack"]) == (200, "Success"), answer
        log_ids = [int(log["LogID"]) for log in answer.get("CustomerLog", [])]
        self.settle(call, log_ids)
        for log_id, notes in zip(log_ids, call.adds, strict=True):
            self._ledger.give(log_id, notes)
        self._ledger.answer(call, response.headers["X-Request-Id"], body)
        return response.headers.get("Connection") != "close"

    def settle(self, call: Call, log_ids: list[int]) -> None:
        """The call is saved: know what it wrote."""
        for log_id, notes in zip(log_ids, call.adds, strict=True):
            self.logs[log_id] = Known(notes, 1)
        for log_id, notes in call.updates:
            self.logs[log_id] = Known(notes, self.logs[log_id].revision + 1)


def _body(items: list[dict[str, str]]) -> bytes:
    return json.dumps({"CustomerLogs": {"CustomerLog": items}}).encode()


@dataclass
class Found:
    """All logs of the site, and where the notes are."""

    logs: dict[int, Known]

    def __post_init__(self) -> None:
        self.with_notes = {known.notes: log_id for log_id, known in self.logs.items()}
        assert len(self.with_notes) == len(self.logs), "two logs have the same Notes"


def read_all(neto: Neto) -> Found:
    """Every log, page after page, as a client reads them."""
    logs: dict[int, Known] = {}
    while True:
        answer = neto.get(
            LogIDAfter=max(logs, default=0), Limit=5_000, OutputSelector=["Notes", "Revision"]
        )
        assert answer.ack == "Success", answer.tree
        for log in answer.logs:
            logs[int(log["LogID"])] = Known(log["Notes"], int(log["Revision"]))
        if len(answer.logs) < 5_000:
            return Found(logs)


def is_there(call: Call, writer: Writer, found: Found) -> bool:
    """Whether a call that got no answer is in the database, where it must be whole if at all."""
    if call.adds:
        there = [notes for notes in call.adds if notes in found.with_notes]
        assert there in ([], call.adds), f"{len(there)} of a call's {len(call.adds)} logs are there"
        return bool(there)
    last = dict(call.updates)
    there_too = {log_id for log_id, notes in last.items() if found.logs[log_id].notes == notes}
    assert there_too in (set(), set(last)), "a part of a call is there"
    return bool(there_too)


def check(neto: Neto, writers: list[Writer], ledger: Ledger) -> int:
    """All that was acknowledged is there, and nothing else but whole calls; how many of those."""
    found = read_all(neto)
    saved_unanswered = 0
    missing: list[bytes] = []
    for writer in writers:
        if writer.failed:
            raise writer.failed
        call, writer.unanswered = writer.unanswered, None
        if call is None:
            continue
        if is_there(call, writer, found):
            log_ids = [found.with_notes[notes] for notes in call.adds]
            writer.settle(call, log_ids)
            for log_id, notes in zip(log_ids, call.adds, strict=True):
                ledger.give(log_id, notes)
            saved_unanswered += 1
        else:
            missing.append(call.body)
    known = {log_id: log for writer in writers for log_id, log in writer.logs.items()}
    assert found.logs == known
    check_file(neto.path, found, ledger, missing)
    return saved_unanswered


def check_file(path: Path, found: Found, ledger: Ledger, missing: list[bytes]) -> None:
    """Revisions and journal say the same as the logs, and SQLite finds no fault in the file."""
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert file.execute("PRAGMA foreign_key_check").fetchall() == []
        revisions = file.execute(
            "SELECT log_id, count(*), min(number), max(number) FROM revision GROUP BY site, log_id"
        )
        assert {row[0]: row[1:] for row in revisions} == {
            log_id: (log.revision, 1, log.revision) for log_id, log in found.logs.items()
        }
        written = file.execute(
            "SELECT log_id, number, json_extract(changes, '$.notes[1]') FROM revision"
        )
        last = {log_id: notes for log_id, _, notes in sorted(written)}
        assert last == {log_id: log.notes for log_id, log in found.logs.items()}
        (counter,) = file.execute("SELECT next_log_id FROM site").fetchone()
        assert counter == max(ledger.given, default=0) + 1

        bodies = file.execute(
            "SELECT j.request, packed, request_body, answer_body FROM journal j"
            " JOIN journal_body b ON b.site = j.site AND b.request = j.request WHERE j.changed > 0"
        )
        journal = {
            request: (
                zlib.decompress(sent) if packed & 1 else sent,
                zlib.decompress(answered) if packed & 2 else answered,
            )
            for request, packed, sent, answered in bodies
        }
        assert {request: journal.get(request) for request in ledger.answered} == ledger.answered
        assert not {sent for sent, _ in journal.values()} & set(missing)
        changes = file.execute("SELECT request, count(*) FROM revision GROUP BY request")
        changed = file.execute("SELECT request, changed FROM journal WHERE changed > 0")
        assert dict(changes) == dict(changed)


def seeded() -> random.Random:
    seed = int(os.environ.get("CRASH_SEED") or random.SystemRandom().randrange(2**32))
    print(f"CRASH_SEED={seed}")
    return random.Random(seed)


def start(writers: list[Writer], url: str) -> list[threading.Thread]:
    threads = [threading.Thread(target=writer.run, args=(url,), daemon=True) for writer in writers]
    for thread in threads:
        thread.start()
    return threads


def wait_for_answers(ledger: Ledger, least: int) -> None:
    """Until more than that have come."""
    Neto.wait_for(lambda: len(ledger.answered) > least)


def end(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive(), "a call got no answer, and its connection was not closed"


def test_what_was_acknowledged_survives_kill_9(database: Path) -> None:
    chance = seeded()
    ledger = Ledger()
    writers = [Writer(f"w{n}", ledger, random.Random(chance.random())) for n in range(WRITERS)]
    saved_unanswered = 0

    for number in range(1, ROUNDS + 1):
        with served(database) as server:
            if number > 1:
                saved_unanswered += check(server.neto, writers, ledger)
            threads = start(writers, server.url)
            time.sleep(chance.uniform(0.02, 1.2))  # real time: it is the server's that counts
            if number == ROUNDS:  # on a machine that stood still they hardly wrote before
                wait_for_answers(ledger, 10 * ROUNDS)
            server.process.kill()
            end(threads)
        print(f"round {number}: {len(ledger.given)} logs, {len(ledger.answered)} calls answered")

    with served(database) as server:
        saved_unanswered += check(server.neto, writers, ledger)
    print(f"{saved_unanswered} calls were saved and not answered")
    assert len(ledger.answered) > 10 * ROUNDS, "the writers hardly wrote"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can limit another process")
def test_a_disk_that_fails_under_load_takes_nothing_that_was_acknowledged(database: Path) -> None:
    """Calls are run on top of a commit that then fails, and its outcome is unknown."""
    chance = seeded()
    ledger = Ledger()
    writers = [Writer(f"w{n}", ledger, random.Random(chance.random())) for n in range(WRITERS)]
    wal = database.with_name(database.name + "-wal")

    with served(database) as server:
        process = server.process.pid
        _, most = resource.prlimit(process, resource.RLIMIT_FSIZE)
        for number in range(1, 5):
            threads = start(writers, server.url)
            time.sleep(chance.uniform(0.05, 0.4))
            wait_for_answers(ledger, 3 * number)
            resource.prlimit(process, resource.RLIMIT_FSIZE, (wal.stat().st_size, most))
            end(threads)
            resource.prlimit(process, resource.RLIMIT_FSIZE, (most, most))
            check(server.neto, writers, ledger)
        assert server.stop() == 0
    assert len(ledger.answered) > 10


def test_sigterm_under_load_answers_what_was_accepted_and_saves_nothing_else(
    database: Path,
) -> None:
    chance = seeded()
    ledger = Ledger()
    writers = [Writer(f"w{n}", ledger, random.Random(chance.random())) for n in range(WRITERS)]

    with served(database) as server:
        threads = start(writers, server.url)
        time.sleep(chance.uniform(0.3, 0.8))
        wait_for_answers(ledger, 10)
        exit_code = server.stop(signal.SIGTERM)
        end(threads)
        assert exit_code == 0
    assert "Traceback" not in printed(server)

    with served(database) as server:
        assert check(server.neto, writers, ledger) == 0, "a call was saved and not answered"
    assert len(ledger.answered) > 10


# -- calls with an Idempotency-Key ---------------------------------------------------------------


@dataclass
class Repeater:
    """
    A client that sends each of its calls until it is answered, and only then the next.

    answers: of each token, which its call notes in a log: the LogID and the bytes. repeats: calls
    that were sent again after the server died. replays: those that it had saved.
    """

    name: str
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    repeats: int = 0
    replays: int = 0
    _unanswered: str | None = None

    async def run(self, host: str, port: int, *, last: bool) -> None:
        """Until the server dies; if this is the `last`, until all is answered."""
        if last and self._unanswered is None:
            return
        with suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                self.repeats += self._unanswered is not None
                while not (last and self._unanswered is None):
                    self._unanswered = self._unanswered or f"{self.name}.{len(self.answers)}"
                    await self._send(self._unanswered, reader, writer)
            finally:
                writer.close()

    async def _send(
        self, token: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(raw_add(token, f"Idempotency-Key: key-of-{token}"))
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"(?i)content-length: (\d+)", head)
        assert length, head
        body = await reader.readexactly(int(length[1]))
        if head.startswith("HTTP/1.1 503 "):  # too many at a time: later
            await asyncio.sleep(0.05)
            return
        answer = json.loads(body)
        assert answer["Ack"] == "Success", answer
        self.replays += "idempotency-replayed: true" in head.lower()
        (log,) = answer["CustomerLog"]
        self.answers[token] = int(log["LogID"]), body
        self._unanswered = None


async def let_run(
    repeaters: list[Repeater], server: Served, seconds: float, *, last: bool = False
) -> None:
    """
    All at a time. The server is killed after so many seconds, and not before most had an answer,
    unless it is the last one.
    """
    host, port = server.url.removeprefix("http://").rsplit(":", 1)

    def count() -> int:
        return sum(len(one.answers) for one in repeaters)

    before = count()
    async with asyncio.timeout(2 * PATIENCE), asyncio.TaskGroup() as running:
        for one in repeaters:
            running.create_task(one.run(host, int(port), last=last))
        if not last:
            await asyncio.sleep(seconds)
            while count() < before + REPEATERS:
                await asyncio.sleep(0.01)
            server.process.kill()


def test_calls_with_a_key_that_are_repeated_after_each_kill_are_run_once(database: Path) -> None:
    chance = seeded()
    repeaters = [Repeater(f"r{n}") for n in range(REPEATERS)]

    def count(what: str) -> int:
        return sum(getattr(one, what) for one in repeaters)

    while count("repeats") < REPEATS:
        with served(database) as server:
            asyncio.run(let_run(repeaters, server, chance.uniform(0.1, 0.7)))
    with served(database) as server:
        asyncio.run(let_run(repeaters, server, 0, last=True))
        assert server.stop() == 0

    answers = {token: answer for one in repeaters for token, answer in one.answers.items()}
    print(f"{len(answers)} calls, {count('repeats')} sent again, {count('replays')} of them saved")
    with closing(sqlite3.connect(database)) as file:
        logs = file.execute("SELECT notes, log_id FROM customer_log").fetchall()
        assert len(logs) == len(answers)  # no token is there twice
        assert dict(logs) == {token: log_id for token, (log_id, _) in answers.items()}
        kept = file.execute(
            "SELECT substr(idempotency_key, 8), answer_body FROM idempotency"
            " JOIN journal_body USING (site, request)"
        )
        assert dict(kept) == {token: body for token, (_, body) in answers.items()}
    # Else too few were in flight for this to show anything.
    assert count("replays") > REPEATS / 20


# -- told to stop --------------------------------------------------------------------------------


def connect(server: Served) -> socket.socket:
    host, port = server.url.removeprefix("http://").rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=PATIENCE)


def raw_add(notes: str, *headers: str) -> bytes:
    """A whole request, byte by byte."""
    body = _body([{"Notes": notes}])
    head = "POST /do/WS/NetoAPI HTTP/1.1\r\nHost: x\r\nNETOAPI_ACTION: AddCustomerLog\r\n"
    head += f"NETOAPI_KEY: {KEY}\r\nAccept: application/json\r\nContent-Length: {len(body)}\r\n"
    return "".join([head, *(f"{one}\r\n" for one in headers), "\r\n"]).encode() + body


def terminate(server: Served, how: signal.Signals = signal.SIGTERM) -> None:
    """Send the signal, and wait until the server takes no new connection."""
    # An answer to a later request says that what was sent before has been read.
    assert server.neto.get(LogIDAfter=0).status == 200
    server.process.send_signal(how)
    Neto.wait_for(lambda: refuses_connections(server))


def refuses_connections(server: Served) -> bool:
    with suppress(OSError), connect(server):
        return False
    return True


def read_to_end(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65_536), b""))


ADDED_ONE = re.compile(rb'HTTP/1.1 200 .*"LogID":"1".*"Ack":"Success"', re.DOTALL)


def test_a_request_that_is_half_sent_at_sigterm_is_answered(database: Path) -> None:
    request = raw_add("half before, half after")
    with served(database) as server, connect(server) as connection:
        connection.sendall(request[:-20])
        terminate(server)
        connection.sendall(request[-20:])
        answer = read_to_end(connection)
        assert server.process.wait(PATIENCE) == 0

    assert ADDED_ONE.match(answer)
    with closing(sqlite3.connect(database)) as file:
        (notes,) = file.execute("SELECT notes FROM customer_log").fetchone()
    assert notes == "half before, half after"


PATIENT = f"""
from recontact.cli import main
from recontact.store import committer
committer.PATIENCE = {PATIENCE}
main()
"""
"""A server that waits long for whoever else holds the database: this process may stand still."""


def test_a_call_that_waits_for_the_database_at_sigterm_is_answered(database: Path) -> None:
    with (
        served(database, program=(sys.executable, "-c", PATIENT)) as server,
        connect(server) as connection,
        closing(sqlite3.connect(database, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        connection.sendall(raw_add("waits"))
        terminate(server)
        other.execute("ROLLBACK")
        answer = read_to_end(connection)
        assert server.process.wait(PATIENCE) == 0

    assert ADDED_ONE.match(answer)


def printed(server: Served) -> str:
    assert server.err
    return server.out.whole() + server.err.whole()


def test_ctrl_c_ends_without_a_traceback(database: Path) -> None:
    with served(database) as server:
        server.neto.add({"Notes": "on a connection that stays open"})
        assert server.stop(signal.SIGINT) == 0

    assert "Traceback" not in printed(server)


def test_a_second_ctrl_c_does_not_wait_for_a_request_that_is_half_sent(database: Path) -> None:
    # Waited for, it would be for an hour.
    with (
        served(database, "--request-timeout", "3600") as server,
        connect(server) as connection,
    ):
        connection.sendall(raw_add("never sent whole")[:-20])
        terminate(server, signal.SIGINT)
        assert server.process.poll() is None
        server.process.send_signal(signal.SIGINT)
        server.process.wait(PATIENCE)

    assert "Traceback" not in printed(server)
