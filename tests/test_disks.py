"""Disks that fail under a real server: full, read-only, and with errors that strace makes."""

import itertools
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from conftest import (
    FORMATS,
    PATIENCE,
    RECONTACT,
    Answer,
    Neto,
    Output,
    Served,
    clean_environ,
    served,
    to_body,
)
from mounts import copied, make_ext4, mounted
from test_crash import WRITERS, Call, Known, Ledger, Writer, check_file, end, read_all, start
from test_crash import check as check_writers

from recontact.store.sqlite import driver

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux fails to order")


class Client:
    """Adds logs, some in each call, and keeps what it was told of them."""

    def __init__(self) -> None:
        self._ledger = Ledger()
        self._not_saved: list[Call] = []
        self.unknown: list[Call] = []
        self._count = 0

    def add(self, neto: Neto, format: str = "json", padding: str = "", items: int = 3) -> Answer:
        """Try to add some."""
        self._count += 1
        notes = [f"{format} {self._count}.{item} {padding}".strip() for item in range(items)]
        tree = {"CustomerLogs": {"CustomerLog": [{"Notes": text} for text in notes]}}
        call = Call(to_body(format, "AddCustomerLog", tree), adds=notes)
        accept = "application/json" if format == "json" else "text/xml"
        answer = neto.post("AddCustomerLog", call.body, {"Accept": accept})
        if answer.status == 200:
            assert answer.ack == "Success"
            for log_id, text in zip(answer.log_ids, notes, strict=True):
                self._ledger.give(int(log_id), text)
            self._ledger.answer(call, answer.headers["X-Request-Id"], answer.body)
        else:
            assert (answer.status, answer.ack) == (503, "Error")
            told = {"RC030": self._not_saved, "RC031": self.unknown}
            told[answer.codes[0]].append(call)
        return answer

    def add_until_refused(self, neto: Neto, format: str = "json", **how: object) -> Answer:
        """The first answer that is not Success: a disk that fails may have been read before."""
        for _ in range(1_000):
            if (answer := self.add(neto, format, **how)).status != 200:  # type: ignore[arg-type]
                return answer
        raise AssertionError("the disk does not fail")

    def check(self, neto: Neto) -> int:
        """
        Each call that was answered `Success` is there, each `Not saved` is not, and each
        `Outcome unknown` is there whole or not at all; how many of those are there.
        """
        found = read_all(neto)
        absent = list(self._not_saved)
        for call in self.unknown:
            there = [notes for notes in call.adds if notes in found.with_notes]
            assert there in ([], call.adds), f"{len(there)} logs of a call are there"
            for notes in there:
                self._ledger.give(found.with_notes[notes], notes)
            if not there:
                absent.append(call)
        given = self._ledger.given
        assert found.logs == {log_id: Known(notes, 1) for log_id, notes in given.items()}
        check_file(neto.path, found, self._ledger, [call.body for call in absent])
        return len(self.unknown) + len(self._not_saved) - len(absent)


def is_not_saved(answer: Answer, why: str) -> bool:
    """Whether an answer says so in all the ways that it should, and why."""
    (error,) = answer.errors
    said = f"The database cannot be written now: {why}. Nothing was saved. Send the call again."
    assert (error["Message"], error["Description"]) == ("Not saved", f"{said} [RC030]")
    return int(answer.headers["Retry-After"]) > 0


def is_unknown(answer: Answer) -> bool:
    """Whether an answer says so; to wait and send it again would not be right."""
    (error,) = answer.errors
    assert (error["Message"], answer.codes) == ("Outcome unknown", ["RC031"])
    return "Retry-After" not in answer.headers


def readiness(neto: Neto) -> int:
    return neto.http.get("/readyz").status_code


# -- full --------------------------------------------------------------------------------------


class Full:
    """What fills up a disk."""

    def __init__(self, disk: Path) -> None:
        self._file = disk / "full"

    def fill(self) -> None:
        with self._file.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4_096))
            except OSError:
                return

    def free(self, size: int | None = None) -> None:
        """Free so many bytes; all of it without a size."""
        left = 0 if size is None else self._file.stat().st_size - size
        with self._file.open("r+b") as file:
            file.truncate(left)


@pytest.fixture
def disk(template: Path, tmp_path: Path) -> Iterator[Path]:
    """A small disk that has a database with the key of all tests."""
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=32m", "tmpfs") as folder:
        copied(template, folder)
        yield folder


def test_a_full_disk_saves_nothing_lets_read_and_recovers_by_itself(disk: Path) -> None:
    client, full = Client(), Full(disk)
    long = "\u00e9" * 60_000
    with served(disk / "recontact.db") as server:
        neto = server.neto
        client.add(neto)
        before = read_all(neto)
        for format in FORMATS:
            full.fill()
            assert is_not_saved(client.add_until_refused(neto, format), "its disk is full")
            # So much that no room in the WAL is enough.
            update = neto.update(format, *({"LogID": n, "Notes": long} for n in (1, 2, 3)))
            assert is_not_saved(update, "its disk is full")
            neto.wait_for(lambda: readiness(neto) == 503)
            assert neto.http.get("/healthz").status_code == 200
            assert read_all(neto).logs.items() >= before.logs.items()
            client.check(neto)

            full.free()
            assert client.add(neto, format).status == 200
            neto.wait_for(lambda: readiness(neto) == 200)
            client.check(neto)

        full.fill()
        client.add_until_refused(neto)
        assert server.stop() == 0

    full.free()
    with served(disk / "recontact.db") as server:
        client.check(server.neto)
        assert client.add(server.neto).status == 200


def test_what_was_refused_while_the_disk_was_full_does_not_keep_it_full(disk: Path) -> None:
    """The journal has refused calls too, but not at the price of those that could be saved."""
    client, full = Client(), Full(disk)
    noise = random.Random(1).randbytes(30_000).hex()
    with served(disk / "recontact.db") as server:
        full.fill()
        for _ in range(30):
            client.add_until_refused(server.neto, padding=noise)
        full.free(600_000)

        assert client.add(server.neto).status == 200
        client.check(server.neto)


def test_a_disk_that_fills_up_under_load_takes_nothing_that_was_acknowledged(disk: Path) -> None:
    ledger, full = Ledger(), Full(disk)
    writers = [Writer(f"w{n}", ledger, random.Random(n)) for n in range(WRITERS)]
    with served(disk / "recontact.db") as server:
        threads = start(writers, server.url)
        time.sleep(0.2)
        full.fill()
        time.sleep(0.5)
        full.free()
        saved = len(ledger.answered)
        server.neto.wait_for(lambda: len(ledger.answered) > saved + WRITERS)
        full.fill()
        time.sleep(0.2)
        server.process.kill()
        end(threads)
    full.free()

    with served(disk / "recontact.db") as server:
        check_writers(server.neto, writers, ledger)


# -- read-only ---------------------------------------------------------------------------------


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return make_ext4(tmp_path / "image")


READ_ONLY = "its file may not be written"
LOOP = ("-o", "loop,errors=remount-ro")


def test_a_database_that_may_not_be_written_is_read_and_recovers_by_itself(
    image: Path, template: Path, tmp_path: Path
) -> None:
    """
    Files that are made immutable stand for a disk that is remounted read-only and then not:
    Linux refuses that while a file on it is open for writing.
    """
    client = Client()
    with mounted(tmp_path / "disk", *LOOP, str(image)) as disk:
        database = copied(template, disk)
        with served(database) as server:
            neto = server.neto
            client.add(neto)
            before = read_all(neto)
            for format in FORMATS:
                with immutable(database, Path(f"{database}-wal")):
                    # A commit that is under way when it happens is unknown, our own or the call's.
                    first = client.add(neto, format)
                    assert "RC031" in first.codes or is_not_saved(first, READ_ONLY)
                    assert is_not_saved(client.add(neto, format), READ_ONLY)
                    neto.wait_for(lambda: readiness(neto) == 503)
                    assert read_all(neto).logs.items() >= before.logs.items()
                    read_at_once(neto)
                assert client.add(neto, format).status == 200
                neto.wait_for(lambda: readiness(neto) == 200)
                read_at_once(neto)
                client.check(neto)
            assert server.stop() == 0


@contextmanager
def immutable(*files: Path) -> Iterator[None]:
    """Nobody may write these files, not even who has them open."""
    names = [str(file) for file in files]
    subprocess.run(["chattr", "+i", *names], check=True)
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", *names], check=True)


def read_at_once(neto: Neto) -> None:
    """More reads at once than the server has connections open."""
    answers: list[Answer] = []
    threads = [
        threading.Thread(target=lambda: answers.append(neto.get(LogIDAfter=0))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.ack for answer in answers] == ["Success"] * 8


def test_a_file_system_that_made_itself_read_only_is_read_until_somebody_mends_it(
    image: Path, template: Path, tmp_path: Path
) -> None:
    """ext4 does so after an error; only to mount it again ends that."""
    client = Client()
    with mounted(tmp_path / "disk", *LOOP, str(image)) as disk:
        database = copied(template, disk)
        with served(database) as server:
            neto = server.neto
            device = disk.stat().st_dev
            name = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}").resolve().name
            client.add(neto)
            before = read_all(neto)
            client.add(neto)  # and before the next checkpoint
            Path(f"/sys/fs/ext4/{name}/trigger_fs_error").write_text("test_disks")

            client.add(neto)
            assert is_not_saved(client.add(neto), READ_ONLY)
            neto.wait_for(lambda: readiness(neto) == 503)
            assert read_all(neto).logs.items() >= before.logs.items()
            read_at_once(neto)
            assert server.stop() == 0
        assert "Read-only file system" in serve_in_vain(database)

    subprocess.run(["fsck.ext4", "-p", str(image)], capture_output=True)
    with mounted(disk, *LOOP, str(image)), served(database) as server:
        client.check(server.neto)
        assert client.add(server.neto).status == 200


def serve_in_vain(database: Path) -> str:
    """The sentence with which a server says that it cannot start."""
    done = subprocess.run(
        [*RECONTACT, "serve", "--port", "0", "--database", f"sqlite:///{database}"],
        env=clean_environ(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


# -- errors ------------------------------------------------------------------------------------


@contextmanager
def failing(server: Served, files: Iterable[Path], *faults: str) -> Iterator[Path]:
    """
    Let the server's system calls on these files end so, without being done: `pwrite64:error=EIO`.

    Gives where strace writes down how they ended. The server must outlive it: strace waits for ever
    for some of the threads of a process that is killed under it.
    """
    trace = server.path.with_name("trace")
    calls = ",".join(fault.partition(":")[0] for fault in faults)
    strace = subprocess.Popen(
        [
            *("strace", "-fy", "-o", trace, "-e", f"trace=openat,pwrite64,{calls}"),
            *(word for fault in faults for word in ("-e", f"inject={fault}")),
            *(word for file in files for word in ("-P", str(file))),
            *("-p", str(server.process.pid)),
        ],
        stderr=subprocess.PIPE,
    )
    assert strace.stderr
    said = Output(strace.stderr)
    try:
        Neto.wait_for(lambda: "attached" in said.text or strace.poll() is not None)
        assert strace.poll() is None, said.text
        yield trace
    finally:
        strace.terminate()
        try:
            strace.wait(PATIENCE)
        finally:
            strace.kill()


FSYNC = "fsync,fdatasync"


def wal_of(database: Path) -> Path:
    return database.with_name(f"{database.name}-wal")


@pytest.mark.parametrize(
    ("calls", "error", "why"),
    [
        pytest.param(FSYNC, "EIO", None, id="fsync fails"),
        pytest.param(FSYNC, "ENOSPC", None, id="fsync finds no room"),
        pytest.param("pwrite64", "EIO", None, id="a write fails"),
        pytest.param("pwrite64", "ENOSPC", "its disk is full", id="a write finds no room"),
    ],
)
def test_a_commit_that_fails_is_told_as_what_it_is(
    database: Path, calls: str, error: str, why: str | None
) -> None:
    client = Client()
    with served(database) as server:
        neto = server.neto
        client.add(neto)
        before = read_all(neto)
        with failing(server, [wal_of(database)], f"{calls}:error={error}"):
            for format in FORMATS * 2:
                answer = client.add_until_refused(neto, format)
                assert is_not_saved(answer, why) if why else is_unknown(answer)
                assert read_all(neto).logs.items() >= before.logs.items()
            neto.wait_for(lambda: readiness(neto) == 503)

        assert client.add(neto).status == 200
        neto.wait_for(lambda: readiness(neto) == 200)
        client.check(neto)
        server.process.kill()
    with served(database) as server:
        client.check(server.neto)
        assert client.add(server.neto).status == 200


def test_after_an_unknown_outcome_the_file_is_opened_again_before_it_is_written(
    database: Path,
) -> None:
    client = Client()
    with served(database) as server:
        client.add(server.neto)
        with failing(server, [wal_of(database)], f"{FSYNC}:error=EIO") as trace:
            for _ in range(3):
                client.add_until_refused(server.neto)
        calls = [line.split(maxsplit=1) for line in trace.read_text().splitlines()]
    # Who makes checkpoints brings the file to the disk too, between the steps of who writes it; and
    # where that fails, writes as well. Each has its own connection.
    writers = {thread for thread, call in calls if call.startswith("pwrite64")}
    failures = 0
    for writer in writers:
        steps = [call for thread, call in calls if thread == writer]
        failed = [n for n, call in enumerate(steps) if "(INJECTED)" in call]
        failures += len(failed)
        for one in failed[:-1]:
            then = itertools.takewhile(lambda call: not call.startswith("pwrite64"), steps[one:])
            assert any(call.startswith("openat(") and "O_RDWR" in call for call in then)
    assert failures >= 3


def test_an_unknown_outcome_may_be_either(database: Path) -> None:
    """What was not on disk for sure is there when the server is killed, and the kernel is not."""
    client = Client()
    saved = 0
    for _ in range(8):
        with served(database) as server:
            saved = client.check(server.neto)
            if saved:
                break
            with failing(server, [wal_of(database)], f"{FSYNC}:error=EIO"):
                assert is_unknown(client.add_until_refused(server.neto))
            server.process.kill()
    assert saved, "each of them was lost: is it not known then?"


def test_an_unknown_outcome_is_settled_for_who_reads(database: Path) -> None:
    """Who reads, finds nothing and sends the call again must not have it twice."""
    client = Client()
    absent: list[str] = []
    with served(database) as server:
        client.add(server.neto)
        with failing(server, [wal_of(database)], f"{FSYNC}:error=EIO"):
            began = time.monotonic()
            # Some rounds of checkpoints fail too.
            while time.monotonic() - began < (0.6 if absent else PATIENCE):
                client.add_until_refused(server.neto)
                found = read_all(server.neto).with_notes
                absent += [notes for notes in client.unknown[-1].adds if notes not in found]
        time.sleep(0.6)
        assert absent
        assert not read_all(server.neto).with_notes.keys() & set(absent)
        client.check(server.neto)


def test_a_disk_that_cannot_be_read_is_no_defect_of_ours(database: Path) -> None:
    client = Client()
    with served(database) as server:
        neto = server.neto
        client.add(neto)
        with failing(server, [database, wal_of(database)], "pread64:error=EIO"):
            with closing(driver.connect(database)) as other:  # what is in memory counts no more
                other.execute("UPDATE site SET name = name || '!'")
                other.commit()
            for format in FORMATS:
                refused = {"read": neto.get(format, LogIDAfter=0), "written": client.add(neto)}
                for what, answer in refused.items():
                    assert (answer.status, answer.codes) == (503, ["RC030"])
                    # SQLite tells the one from the other only where it reads no page of a table.
                    said = answer.errors[0]["Description"]
                    assert f"cannot be {what} now: its disk fails." in said or (
                        f"cannot be {what} now: its file is damaged, or its disk cannot" in said
                    )
                    assert int(answer.headers["Retry-After"]) > 0
            neto.wait_for(lambda: readiness(neto) == 503)

        assert client.add(neto).status == 200
        neto.wait_for(lambda: readiness(neto) == 200)
        client.check(neto)


def test_a_checkpoint_that_fails_loses_nothing_and_is_made_later(database: Path) -> None:
    client = Client()
    size = database.stat().st_size

    def fill_the_log(neto: Neto) -> None:
        while wal_of(database).stat().st_size < 6_000_000:  # it has a checkpoint at 4,000,000
            assert client.add(neto).status == 200

    with served(database) as server:
        with failing(server, [database], f"pwrite64,{FSYNC}:error=EIO"):
            fill_the_log(server.neto)
        assert database.stat().st_size == size
        assert client.add(server.neto).status == 200
        server.neto.wait_for(lambda: database.stat().st_size > size)
        client.check(server.neto)
        with failing(server, [database], f"{FSYNC}:error=EIO"):
            fill_the_log(server.neto)
        server.process.kill()
    with served(database) as server:
        client.check(server.neto)


NO_ROOM = "No space left on device"


def beginning_of(wal: Path) -> bytes:
    """The header of a WAL, which is another each time that it begins again."""
    with wal.open("rb") as file:
        return file.read(32)


def test_what_the_system_failed_to_write_is_copied_again(template: Path, tmp_path: Path) -> None:
    """
    After a failed fsync Linux takes for written what it could not write: the next one succeeds.

    So it is when the disk is an image on a smaller one, and that is full for a while.
    """
    client = Client()
    with mounted(tmp_path / "below", "-t", "tmpfs", "-o", "size=64m", "tmpfs") as below:
        image = make_ext4(below / "image", "-O", "^has_journal", "-E", "nodiscard")
        # So that ext4 itself has little to write.
        options = ("-o", "loop,errors=continue,dioread_lock,nodelalloc")
        with mounted(tmp_path / "disk", *options, str(image)) as disk:
            database = copied(template, disk)
            with served(database) as server:
                while wal_of(database).stat().st_size < 4_000_000:  # this much has its room
                    client.add(server.neto)
                began = beginning_of(wal_of(database))
                while beginning_of(wal_of(database)) == began:
                    time.sleep(0.5)  # it begins again after a round of checkpoints
                    client.add(server.neto)
                subprocess.run(["sync", "-f", str(disk)], check=True)
                full = Full(below)
                full.fill()
                for last in (False, False, False, True):
                    # Beside a read that goes on, SQLite copies a part, and waits for no fsync.
                    with closing(driver.connect(database, isolation_level=None)) as reader:
                        reader.execute("BEGIN")
                        reader.execute("SELECT * FROM site").fetchall()
                        assert client.add(server.neto, padding="x" * 3_000, items=20).status == 200
                        time.sleep(0.3)  # more than a round of checkpoints
                        if last:
                            server.neto.wait_for(lambda: NO_ROOM in server.err.text)
                full.free()
                for _ in range(4):
                    assert client.add(server.neto).status == 200
                    time.sleep(0.3)
                assert server.stop() == 0
                assert NO_ROOM in server.err.whole()
        with mounted(disk, *options, str(image)), served(database) as server:
            client.check(server.neto)


def test_no_room_for_what_the_connections_share_is_unknown_and_lets_read(database: Path) -> None:
    """SQLite makes that file larger as its log grows, when a commit is on disk already."""
    client = Client()
    shared = database.with_name(f"{database.name}-shm")
    with served(database) as server:
        neto = server.neto
        client.add(neto)
        with failing(server, [database, shared], f"pwrite64,{FSYNC}:error=ENOSPC"):
            assert is_unknown(client.add_until_refused(neto))
            assert wal_of(database).stat().st_size > 4_000 * 4_096
            assert neto.log(1)["Revision"] == "1"
        assert client.add(neto).status == 200
        client.check(neto)


def test_a_disk_that_fails_under_load_takes_nothing_that_was_acknowledged(database: Path) -> None:
    """Calls are run on top of a commit whose outcome is then unknown."""
    ledger = Ledger()
    writers = [Writer(f"w{n}", ledger, random.Random(n)) for n in range(WRITERS)]
    wal = wal_of(database)
    with served(database) as server:
        for calls in (FSYNC, "pwrite64", FSYNC):
            threads = start(writers, server.url)
            time.sleep(0.3)
            with failing(server, [wal], f"{calls}:error=EIO"):
                end(threads)
            check_writers(server.neto, writers, ledger)
        server.process.kill()
    with served(database) as server:
        check_writers(server.neto, writers, ledger)
