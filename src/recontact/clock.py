"""The only reader of the time."""

import random
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
    noise = random.getrandbits(74)  # seeded by the system; it must be unique, not secret
    return stamp + (7 << 76 | noise >> 62 << 64 | 2 << 62 | noise & _LAST_62).to_bytes(10, "big")


_LAST_62 = (1 << 62) - 1
