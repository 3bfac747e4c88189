"""The only reader of the time."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Clock:
    """
    Where the time comes from; tests bring their own.

    now: the time, aware, in UTC. elapsed: seconds since some fixed moment; it never goes back.
    """

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    elapsed: Callable[[], float] = time.perf_counter


SYSTEM = Clock()


def new_request_id(at: datetime) -> bytes:
    """A UUIDv7 (RFC 9562 §5.7) of 16 bytes: milliseconds of `at`, then random bits."""
    stamp = int(at.timestamp() * 1000).to_bytes(6, "big")
    noise = bytearray(os.urandom(10))
    noise[0] = 0x70 | noise[0] & 0x0F
    noise[2] = 0x80 | noise[2] & 0x3F
    return stamp + noise
