"""A server to measure, wrk to load it, and readers beside that."""

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom
from typing import Any
from uuid import UUID

from reading import Reads
from seeding import KEY, LOGS

from recontact.config import PREFIX

HERE = Path(__file__).parent
RECONTACT = ("-m", "recontact")
BARE_HTTP = (str(HERE / "bare_http.py"),)
RECORDING = (str(HERE / "recording.py"),)
PEER = (str(HERE / "peers" / "fastapi_sqlalchemy.py"),)
PEER_IN_TURN = (*PEER, "--connections", "1")

CHANGES = "changes.txt"
"""The file beside a database that updates are made of: see seeding.write_changes."""
READERS = 2
"""Connections that read, a process each."""

_HEADERS = {
    "NETOAPI_ACTION": "UpdateCustomerLog",
    "NETOAPI_KEY": KEY,
    "Accept": "application/json",
}
_FIRST_CALL = '{"CustomerLogs":{"CustomerLog":[{"LogID":1,"Notes":"The first call"}]}}'


@dataclass(frozen=True, slots=True)
class Updates:
    """
    What wrk sends: calls of `items`, each changing one log of `logs`, on so many connections.

    pace: some so many calls a second; 0: each as the one before is answered. with_key: each has an
    Idempotency-Key of its own.
    """

    format: str = "json"
    items: int = 1
    connections: int = 32
    logs: int = LOGS
    pace: int = 0
    with_key: bool = False


@dataclass(frozen=True, slots=True)
class Load:
    """
    What wrk saw. acknowledged: requests answered with 200 and Ack Success; lost: with nothing.

    p50, p99: milliseconds of a request.
    """

    requests: int
    acknowledged: int
    lost: int
    seconds: float
    p50: float
    p99: float


@dataclass(frozen=True, slots=True)
class Server:
    """
    A server that answers. start: seconds to its first answer, which had `answer` bytes.

    changes: the file that updates are made of.
    """

    process: subprocess.Popen[bytes]
    port: int
    start: float
    answer: int
    changes: Path

    def update(self, items: Iterable[dict[str, Any]]) -> bytes:
        """UpdateCustomerLog with these items, which must succeed; the request's id."""
        body = json.dumps({"CustomerLogs": {"CustomerLog": list(items)}})
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request("POST", "/do/WS/NetoAPI", body, _HEADERS)
            answer = connection.getresponse()
            said = answer.read()
        if answer.status != 200 or b'"Ack":"Success"' not in said:
            sys.exit(f"A call was answered {answer.status}: {said.decode()}")
        return UUID(answer.headers["X-Request-Id"]).bytes

    def load(self, seconds: int, updates: Updates) -> Load:
        """Send UpdateCustomerLog on all connections."""
        run = time.monotonic_ns() % 10**9  # no two runs send the same values
        rest = 1000 * updates.connections // updates.pace if updates.pace else 0
        command = ["wrk", "--threads=1", f"--connections={updates.connections}"]
        command += [f"--duration={seconds}s", "--timeout=30s", f"--script={HERE / 'update.lua'}"]
        command += [f"http://127.0.0.1:{self.port}/do/WS/NetoAPI", "--", updates.format]
        command += [str(n) for n in (updates.items, updates.logs, KEY, run, self.changes, rest)]
        command += ["key"] if updates.with_key else []
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return Load(**json.loads(said.splitlines()[-1]))

    def load_and_read(
        self, seconds: int, updates: Updates, kind: str, pace: float
    ) -> tuple[Load, Reads]:
        """
        Send UpdateCustomerLog, and ask Gets meanwhile on READERS other connections.

        kind: of reading.KINDS. pace: reads a second of all readers; 0: they do not pause.
        """
        command = [str(HERE / "reading.py"), kind]
        command += [str(n) for n in (self.port, updates.logs, seconds, pace / READERS)]
        load, seen = self.load_beside(seconds, updates, [command] * READERS)
        reads = Reads()
        for one in seen:
            reads.add(Reads(**one))
        return load, reads

    def load_beside(
        self, seconds: int, updates: Updates, programs: list[list[str]]
    ) -> tuple[Load, list[Any]]:
        """
        Send UpdateCustomerLog while programs of ours ask, each with a seed as its last argument.

        What each of them says in the end is JSON.
        """
        with ExitStack() as stack:
            readers = [
                stack.enter_context(
                    subprocess.Popen(
                        [sys.executable, *program, f"{time.monotonic_ns()} {number}"],
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        text=True,
                    )
                )
                for number, program in enumerate(programs)
            ]
            for reader in readers:
                assert reader.stdout, "it is a pipe"
                reader.stdout.readline()  # it is ready
            for reader in readers:
                print("go", file=reader.stdin, flush=True)
            load = self.load(seconds, updates)
            return load, [json.loads(reader.communicate()[0]) for reader in readers]

    def megabytes(self) -> float:
        """The memory that it holds (RSS)."""
        command = ["ps", "-o", "rss=", "-p", str(self.process.pid)]
        return int(subprocess.run(command, capture_output=True, check=True).stdout) / 1024

    def peak_megabytes(self) -> float:
        """The most that it ever held, where the system tells; else what it holds."""
        status = Path(f"/proc/{self.process.pid}/status")
        found = status.exists() and re.search(r"VmHWM:\s*(\d+) kB", status.read_text())
        return int(found[1]) / 1024 if found else self.megabytes()


@contextmanager
def serve(database: Path, program: tuple[str, ...] | None = None) -> Iterator[Server]:
    """`recontact serve`, or another program that takes its arguments; gone at the end."""
    port = _free_port()
    command = [sys.executable, *(program or RECONTACT), "serve", "--port", str(port)]
    log = database.with_suffix(".log")  # gets a line for each request, as journald would
    with log.open("wb") as stderr:
        started = time.perf_counter()
        process = subprocess.Popen(
            [*command, "--database", f"sqlite:///{database}"],
            cwd=database.parent,
            env={name: v for name, v in os.environ.items() if not name.startswith(PREFIX)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
        try:
            while not (answer := _first_answer(port)):
                if process.poll() is not None:
                    sys.exit(f"The server ended before it answered:\n{log.read_text()}")
                time.sleep(0.01)
            start = time.perf_counter() - started
            yield Server(process, port, start, answer, database.with_name(CHANGES))
        finally:
            process.terminate()
            try:
                process.wait(40)  # it finishes what it accepted
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    """A port that is free, and that no system gives to whoever asks it for any meanwhile."""
    while True:
        port = SystemRandom().randrange(20_000, 32_768)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def _first_answer(port: int) -> int:
    """Call UpdateCustomerLog; how many bytes the answer has, 0 when there was none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", "/do/WS/NetoAPI", _FIRST_CALL, _HEADERS)
        answer = connection.getresponse()
        body = answer.read()
    except OSError:
        return 0
    finally:
        connection.close()
    if answer.status != 200 or b'"Ack":"Success"' not in body:
        sys.exit(f"The first call was answered {answer.status}: {body.decode()}")
    return len(answer.headers.as_bytes()) + len(body)
