"""
`make soak`: a real server under a mixed load for an hour, and what must not grow meanwhile.

All actions in both formats, calls that are refused or broken, connections that idle or hang up,
searches, keys that come and go, pages and probes. test_soak.py does the same for a quarter of a
minute.
"""

import argparse
import gzip
import http.client
import itertools
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median, quantiles
from typing import Any

import psutil
from conftest import FORMATS, KEY, RECONTACT, Served, clean_environ, served, to_body, to_xml
from prometheus_client.parser import text_string_to_metric_families

PATH = "/do/WS/NetoAPI"
MB = 1024 * 1024
MAY_BE_BUSY = 1 / 1_000
"""Of all calls: a machine that does something else now and then must not end the soak."""

# -- what must not grow ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bound:
    """How much a measured number may grow from its first quarter to its last, or be at all."""

    may_grow: float
    may_be: float = float("inf")


P99 = "p99 of good calls, ms"
BOUNDS = {
    # An hour makes 700,000 calls: 32 MB are 46 bytes for each. Two of the largest bodies that
    # happen to meet make the allocator keep 16 MB more, once.
    "memory, MB": Bound(32),
    # Connections come and go, so both waver by a few.
    "descriptors": Bound(8),
    "threads": Bound(4),
    # 64 MB is what its file keeps, and 16 MB what it may have when it is told to begin again.
    "WAL, MB": Bound(float("inf"), 80),
    # 20,000 is where the search's index is fed although calls wait.
    "logs unseen by the search": Bound(float("inf"), 25_000),
    P99: Bound(100),
}


@dataclass(frozen=True, slots=True)
class Row:
    """A number at first and at last, its highest, and whether that is within its bound."""

    name: str
    first: float
    last: float
    most: float
    bound: Bound

    @property
    def grows(self) -> bool:
        """Whether it grew, or was, more than it may."""
        return self.last - self.first > self.bound.may_grow or self.most > self.bound.may_be


def judged(measured: Mapping[str, Sequence[float]]) -> list[Row]:
    """
    Hold what was measured, one number after the other, against its bound.

    A first quarter is left out: caches fill. Of what is left the first quarter is compared with
    the last, each by its median, so that one peak is no growth, and a slow leak adds up.
    """
    rows = []
    for name, numbers in measured.items():
        warm = numbers[len(numbers) // 4 :]
        quarter = max(1, len(warm) // 4)
        first, last = median(warm[:quarter]), median(warm[-quarter:])
        rows.append(Row(name, first, last, max(numbers), BOUNDS[name]))
    return rows


# -- the load ----------------------------------------------------------------------------------

LOGS = 2_000
CUSTOMERS = 100
STATUSES = ("Require Recontact", "Recontacting", "Completed")
WORDS = (
    *("oak", "chair", "quote", "invoice", "delivery", "refund"),
    *("colour", "sample", "order", "visit", "Zürich", "café"),
)


def _notes(chance: Random) -> str:
    return " ".join(chance.choices(WORDS, k=chance.randint(3, 60)))


def _change(chance: Random) -> dict[str, str]:
    """An item that changes a log."""
    return {
        "LogID": str(chance.randint(1, LOGS)),
        "Status": chance.choice(STATUSES),
        "DateRequiredFollowUp": f"2026-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}",
        "Notes": _notes(chance),
    }


def _username(chance: Random) -> str:
    return f"user{chance.randint(1, CUSTOMERS)}"


def _filter(chance: Random) -> dict[str, Any]:
    """A question about logs, of one kind or another."""
    question = chance.choice(
        [
            {"Status": chance.choice(STATUSES), "DateRequiredFollowUpFrom": "2026-06-01"},
            {"LogID": [str(chance.randint(1, LOGS)) for _ in range(20)]},
            {"Search": " ".join(chance.sample(WORDS, 2))},
            {"Username": _username(chance), "Page": "0"},
        ]
    )
    return {"Filter": question | {"Limit": "20", "OutputSelector": ["Notes", "Status", "Revision"]}}


def _logs(*items: dict[str, Any]) -> dict[str, Any]:
    return {"CustomerLogs": {"CustomerLog": list(items)}}


_numbers = itertools.count(1)

# What a careful client sends: how often, the action, and its body as a tree.
GOOD: list[tuple[int, str, Callable[[Random], dict[str, Any]]]] = [
    (40, "UpdateCustomerLog", lambda chance: _logs(_change(chance))),
    (4, "UpdateCustomerLog", lambda chance: _logs(*(_change(chance) for _ in range(20)))),
    (1, "UpdateCustomerLog", lambda chance: _logs(_change(chance)) | _filter(chance)),
    # Seldom, so that the database grows little: its pages fill SQLite's caches.
    (1, "AddCustomerLog", lambda chance: _logs({"Notes": _notes(chance)})),
    (20, "GetCustomerLog", _filter),
    (
        4,
        "GetCustomer",
        lambda chance: {
            "Filter": {
                "Username": _username(chance),
                "OutputSelector": ["EmailAddress", "CustomerLog"],
            }
        },
    ),
    (
        1,
        "AddCustomer",
        lambda _: {"Customer": {"Username": f"new{next(_numbers)}", "Password": "sesame"}},
    ),
    (
        2,
        "UpdateCustomer",
        lambda chance: {"Customer": {"Username": _username(chance), "ABN": _notes(chance)[:200]}},
    ),
]

UPDATE = {"NETOAPI_ACTION": "UpdateCustomerLog", "NETOAPI_KEY": KEY}
WRONG = {"CustomerLogs": {"CustomerLog": [{"LogID": "1", "Status": "Lost"}, {"Notes": "whose?"}]}}
BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><UpdateCustomerLog>&a;</UpdateCustomerLog>'
PACKED = {"Content-Encoding": "gzip"}

# What others send, and how it is to be answered: method, path, headers, body, HTTP statuses.
Sent = tuple[str, str, dict[str, str], Any, tuple[int, ...]]
ODD: list[Sent] = [
    ("POST", PATH, UPDATE, json.dumps(WRONG).encode(), (200,)),
    ("POST", PATH, UPDATE, to_xml("UpdateCustomerLog", WRONG), (200,)),
    ("POST", PATH, UPDATE, [b'{"CustomerLogs": ', b'{"LogID": 1}}'], (200,)),  # in chunks
    ("POST", PATH, UPDATE, b'{"CustomerLogs": {', (400,)),
    ("POST", PATH, UPDATE, b"<UpdateCustomerLog><CustomerLogs>", (400,)),
    ("POST", PATH, UPDATE, BOMB, (400,)),
    ("POST", PATH, UPDATE, b"[" * 50_000, (400,)),
    ("POST", PATH, UPDATE, b"\xff\x00\xfe", (400,)),
    ("POST", PATH, UPDATE | PACKED, b"no gzip", (400,)),
    ("POST", PATH, UPDATE | PACKED, gzip.compress(b" " * 9_000_000), (413,)),
    ("POST", PATH, UPDATE | {"Content-Encoding": "br"}, b"?", (415,)),
    ("POST", PATH, UPDATE | {"NETOAPI_ACTION": "Explode"}, b"{}", (400,)),
    # Of one address only so many wrong keys a minute are looked at.
    ("POST", PATH, UPDATE | {"NETOAPI_KEY": "rk_nobody_has_this_one"}, b"{}", (401, 429)),
    ("GET", PATH, {}, None, (405,)),
    ("GET", "/healthz", {}, None, (200,)),
    ("GET", "/readyz", {}, None, (200,)),
    ("GET", "/metrics", {}, None, (200,)),
    ("GET", "/docs/api", {}, None, (200,)),
    ("GET", "/openapi.json", {}, None, (200,)),
    ("GET", "/nowhere", {}, None, (404,)),
]


def calls(chance: Random) -> Iterator[tuple[Sent, bool]]:
    """Calls without end, and whether each is a good one: nine of ten."""
    weights = [weight for weight, _, _ in GOOD]
    while True:
        if chance.random() < 0.1:
            yield chance.choice(ODD), False
            continue
        ((_, action, make),) = chance.choices(GOOD, weights)
        format = chance.choice(FORMATS)
        headers = {"NETOAPI_ACTION": action, "NETOAPI_KEY": KEY}
        if chance.random() < 0.5:
            headers["Accept"] = "application/json"
        body = to_body(format, action, make(chance))
        if chance.random() < 0.1:
            headers, body = headers | PACKED, gzip.compress(body)
        yield ("POST", PATH, headers, body, (200,)), True


class Load:
    """
    What is sent to a server by some threads, from `start` to `stop`, and what came back.

    rate: calls a second, all threads together. calls, busy: how many were answered, and of these
    with 503 because the server had too much to do. unexpected: other answers than there should be,
    and how many of each.
    """

    THREADS = 8
    IDLE = 30

    def __init__(self, server: Served, rate: float) -> None:
        self.calls = self.busy = 0
        self.unexpected: Counter[str] = Counter()
        self._server = server
        self._pause = self.THREADS / rate
        self._times: list[float] = []
        self._ending = threading.Event()
        works = [self._call] * self.THREADS + [self._idle, self._hang_up, self._change_keys]
        self._threads = [
            threading.Thread(target=self._watched, args=(work, Random(number)))
            for number, work in enumerate(works)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def take_times(self) -> list[float]:
        """The milliseconds of each good call since this was asked last."""
        times, self._times = self._times, []
        return times

    def _watched(self, work: Callable[[Random], None], chance: Random) -> None:
        try:
            work(chance)
        except Exception as error:
            self.unexpected[f"{work.__name__} ended: {error!r}"] += 1

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._server.url.removeprefix("http://"), timeout=30)

    def _socket(self) -> socket.socket:
        host, port = self._server.url.removeprefix("http://").split(":")
        return socket.create_connection((host, int(port)), timeout=30)

    def _call(self, chance: Random) -> None:
        """Send calls at an even pace over one connection; a new one when it is closed."""
        due = time.perf_counter()
        with closing(self._connect()) as connection:
            for (method, path, headers, body, expected), is_good in calls(chance):
                due = max(due + self._pause, time.perf_counter() - 1)  # what is late is caught up
                if self._ending.wait(max(0, due - time.perf_counter())):
                    return
                began = time.perf_counter()
                connection.request(method, path, body, headers)
                answer = connection.getresponse()
                answer.read()
                self.calls += 1
                if is_good:
                    self._times.append((time.perf_counter() - began) * 1000)
                if answer.status == 503 and answer.getheader("Retry-After"):
                    self.busy += 1
                elif answer.status not in expected:
                    name = headers.get("NETOAPI_ACTION", path)
                    self.unexpected[f"{method} {name}: {answer.status}, not {expected}"] += 1

    def _idle(self, chance: Random) -> None:
        """Hold connections that send nothing, and replace those that the server closes."""
        held: list[socket.socket] = []
        try:
            while not self._ending.wait(0.2):
                while len(held) < self.IDLE:
                    held.append(self._socket())
                    held[-1].setblocking(False)
                for one in tuple(held):
                    try:
                        one.recv(65_536)  # an end, or what it says before one
                    except BlockingIOError:
                        continue
                    except ConnectionResetError:
                        pass
                    held.remove(one)
                    one.close()
        finally:
            for one in held:
                one.close()

    def _hang_up(self, chance: Random) -> None:
        """Begin calls and go away amid their headers, their body or their answer."""
        head = "".join(f"{name}: {value}\r\n" for name, value in UPDATE.items())
        whole = f"POST {PATH} HTTP/1.1\r\nHost: x\r\n{head}Content-Length: 2\r\n\r\n{{}}".encode()
        while not self._ending.wait(0.3):
            with self._socket() as one:
                one.sendall(whole[: chance.randint(1, len(whole))])

    def _change_keys(self, chance: Random) -> None:
        """Make keys with the command line, use them, and take them back."""
        for number in itertools.count():
            key = self._recontact("key", "create", "--username", f"robot{number}").strip()
            self._until(key, (200,))
            rows = json.loads(self._recontact("key", "list", "--json"))
            (key_id,) = (row["key"] for row in rows if row["username"] == f"robot{number}")
            self._recontact("key", "revoke", str(key_id))
            self._until(key, (401, 429))
            if self._ending.wait(10):
                return

    def _recontact(self, *words: str) -> str:
        database = f"sqlite:///{self._server.path}"
        return subprocess.run(
            [*RECONTACT, *words, "--database", database],
            env=clean_environ(),
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    def _until(self, key: str, expected: tuple[int, ...]) -> None:
        """Call with a user's key until it is answered so, for a minute at most."""
        headers = {"NETOAPI_ACTION": "GetCustomerLog", "Authorization": f"Bearer {key}"}
        for _ in range(600):
            with closing(self._connect()) as connection:
                connection.request("POST", PATH, b"{}", headers)
                status = connection.getresponse().status
            if status in expected:
                return
            time.sleep(0.1)
        self.unexpected[f"a key was answered with {status}, not {expected}"] += 1


# -- the soak ----------------------------------------------------------------------------------


def fill(server: Served) -> None:
    """Add the customers and logs that the load is about."""
    for start in range(1, CUSTOMERS + 1, 50):
        names = [{"Username": f"user{n}"} for n in range(start, start + 50)]
        assert server.neto.call("json", "AddCustomer", {"Customer": names}).ack == "Success"
    chance = Random(0)
    for _ in range(0, LOGS, 500):
        server.neto.add(
            *({"Username": _username(chance), "Notes": _notes(chance)} for _ in range(500))
        )


def measure(server: Served, load: Load) -> dict[str, float]:
    """What the server takes now, by the names of BOUNDS."""
    process = psutil.Process(server.process.pid)
    wal = server.path.with_name(server.path.name + "-wal")
    page = server.neto.http.get("/metrics").text
    (unseen,) = (
        one.value
        for family in text_string_to_metric_families(page)
        for one in family.samples
        if one.name == "recontact_search_unseen_logs"
    )
    times = load.take_times()
    return {
        "memory, MB": process.memory_info().rss / MB,
        "descriptors": process.num_fds(),
        "threads": process.num_threads(),
        "WAL, MB": wal.stat().st_size / MB,
        "logs unseen by the search": unseen,
        P99: quantiles(times, n=100)[98] if len(times) > 1 else 0,
    }


def soak(server: Served, seconds: float, rate: float, least: int = 0) -> tuple[list[Row], Load]:
    """
    Load a server, and measure it 240 times meanwhile; now and then print what is measured.

    least: go on for up to two minutes until so many calls were served, on a machine that is busy.
    """
    fill(server)
    load = Load(server, rate)
    load.start()
    try:
        measured: dict[str, list[float]] = {name: [] for name in BOUNDS}
        every = max(0.25, seconds / 240)
        began = time.monotonic()
        while (passed := time.monotonic() - began) < seconds or (
            load.calls - load.busy < least and passed < 120
        ):
            time.sleep(every)
            now = measure(server, load)
            for name, number in now.items():
                measured[name].append(number)
            if len(measured[P99]) % 20 == 1:
                said = "; ".join(f"{name}: {number:.1f}" for name, number in now.items())
                print(f"{passed:5.0f} s, {load.calls:,} calls: {said}", flush=True)
    finally:
        load.stop()
    return judged(measured), load


def main() -> int:
    """Print a table; 1: something grew, or an answer was not the one expected."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3_600)
    parser.add_argument("--rate", type=float, default=200, help="calls a second")
    told = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        # So small a journal that it is swept all the time.
        served(Path(folder) / "recontact.db", "--journal-size", str(20 * MB)) as server,
    ):
        rows, load = soak(server, told.seconds, told.rate)
        exit_code = server.stop()
    print(f"\n{load.calls:,} calls in {told.seconds:g} s\n")
    print(f"{'':28}{'first':>10}{'last':>10}{'highest':>10}")
    for row in rows:
        said = "  GROWS" if row.grows else ""
        print(f"{row.name:28}{row.first:10.1f}{row.last:10.1f}{row.most:10.1f}{said}")
    print(f"{load.busy:,} calls were refused because there was too much to do")
    for what, count in load.unexpected.most_common():
        print(f"{count:,} times: {what}")
    is_well = not load.unexpected and load.busy <= load.calls * MAY_BE_BUSY and exit_code == 0
    return int(not is_well or any(row.grows for row in rows))


if __name__ == "__main__":
    sys.exit(main())
