"""
A flood of calls on many connections, from a process of its own: `flood(...)` gives what came back.

Run as a program it takes a Load on stdin, and writes an Answer for each call to stdout, as JSON.
"""

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import uvloop

NUMBER = b"@@@@@@@@"
"""Stands in a call for eight digits that no other call has."""


class Answer(NamedTuple):
    """One answer. seconds: from sending the call to the last byte of the answer. wait: its
    Retry-After, if it has one."""

    status: int
    seconds: float
    wait: str | None


@dataclass
class Load:
    """
    Calls, as whole HTTP requests, sent in turn on so many connections for so many seconds.

    pace: how many a second, of all connections; 0: each sends as soon as it has its answer, which
    it does anyway when it is late.
    """

    port: int
    calls: list[str]
    connections: int
    seconds: float
    pace: float = 0


def flood(load: Load) -> list[Answer]:
    """What came back; fails where a connection was closed without an answer."""
    done = subprocess.run(
        [sys.executable, __file__],
        input=json.dumps(asdict(load)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [Answer(*one) for one in json.loads(done.stdout)]


def request(key: str, action: str, body: str) -> str:
    """A call as it goes over the wire."""
    head = f"Host: x\r\nNETOAPI_ACTION: {action}\r\nNETOAPI_KEY: {key}\r\n"
    head += f"Accept: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"POST /do/WS/NetoAPI HTTP/1.1\r\n{head}\r\n{body}"


@dataclass
class Flood:
    """What all connections share."""

    load: Load
    answers: list[Answer] = field(default_factory=list)
    calls: list[bytes] = field(init=False)
    began: float = 0
    sent: int = 0
    open: int = 0
    opening: set[Any] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.calls = [call.encode() for call in self.load.calls]

    def next_call(self) -> bytes:
        self.sent += 1
        call = self.calls[self.sent % len(self.calls)]
        return call.replace(NUMBER, b"%08d" % self.sent)

    async def open_connection(self, caller: "Caller") -> None:
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: caller, "127.0.0.1", self.load.port)

    def open_another(self, caller: "Caller") -> None:
        task = asyncio.ensure_future(self.open_connection(caller))
        self.opening.add(task)
        task.add_done_callback(self.opening.discard)

    async def run(self) -> None:
        """Open all connections, let the server accept them, and then begin."""
        callers = [Caller(self, number) for number in range(self.load.connections)]
        for caller in callers:
            await self.open_connection(caller)
        await asyncio.sleep(0.5)
        self.began = time.monotonic()
        self.open = len(callers)
        for caller in callers:
            caller.send_in_turn()
        while self.open:
            await asyncio.sleep(0.02)


class Caller(asyncio.Protocol):
    """One connection."""

    def __init__(self, flood: Flood, number: int) -> None:
        self.flood, self.load = flood, flood.load
        self.turn = number  # of all calls of all connections
        self.received = b""
        self.sent_at = 0.0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        if self.flood.began:
            self.send_in_turn()

    def send_in_turn(self) -> None:
        now = time.monotonic()
        due = self.flood.began + self.turn / self.load.pace if self.load.pace else now
        if max(now, due) >= self.flood.began + self.load.seconds:
            self.flood.open -= 1
            self.transport.close()
        elif due > now:
            asyncio.get_running_loop().call_later(due - now, self.send)
        else:
            self.send()

    def send(self) -> None:
        self.turn += self.load.connections
        self.received = b""
        self.sent_at = time.monotonic()
        self.transport.write(self.flood.next_call())

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, whole, body = self.received.partition(b"\r\n\r\n")
        headers = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:])
        if not whole or len(body) < int(headers[b"content-length"]):
            return
        wait = headers.get(b"retry-after")
        took = time.monotonic() - self.sent_at
        status = int(head.split(b" ", 2)[1])
        self.flood.answers.append(Answer(status, took, wait.decode() if wait else None))
        self.sent_at = 0.0
        if headers.get(b"connection") == b"close":
            self.flood.open_another(Caller(self.flood, self.turn))
        else:
            self.send_in_turn()

    def connection_lost(self, error: Exception | None) -> None:
        if self.sent_at:
            sys.exit(f"a connection was closed without an answer: {error}")


if __name__ == "__main__":
    one = Flood(Load(**json.loads(sys.stdin.read())))
    uvloop.run(one.run())
    json.dump(one.answers, sys.stdout)
