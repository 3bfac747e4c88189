"""The soak (see soak.py) for a quarter of a minute, and that it finds what grows."""

import sys
from pathlib import Path
from random import Random

import pytest
from conftest import Neto, served
from soak import BOUNDS, MB, P99, Load, judged, soak

MEMORY, DESCRIPTORS = "memory, MB", "descriptors"

# `recontact`, but each request that is over leaves something behind.
LEAKING = """
import os, sys, threading
from recontact.cli import main
from recontact.neto_api import Exchange

log, kept = Exchange.log, []

def log_and_leak(exchange, *told):
    log(exchange, *told)
    kept.append(os.urandom(262_144))
    if len(kept) % 10 == 0:
        kept.append(os.open(os.devnull, os.O_RDONLY))
        threading.Thread(target=threading.Event().wait, daemon=True).start()

Exchange.log = log_and_leak
main()
"""


# -- the detector ------------------------------------------------------------------------------


def grows(name: str, numbers: list[float]) -> bool:
    (row,) = judged({name: numbers})
    return row.grows


def wavering(chance: Random, by: float) -> list[float]:
    return [100 + chance.uniform(-by, by) for _ in range(240)]


def test_what_wavers_does_not_grow() -> None:
    assert not grows(MEMORY, wavering(Random(1), by=12))
    assert not grows(DESCRIPTORS, wavering(Random(2), by=6))


def test_what_fills_up_at_first_does_not_grow() -> None:
    assert not grows(MEMORY, [*range(0, 120, 2), *[120] * 180])


def test_a_peak_is_no_growth() -> None:
    flat = wavering(Random(3), by=1)
    for at in (70, 150, 236, 237, 238, 239):
        flat[at] += 500

    assert not grows(MEMORY, flat)


@pytest.mark.parametrize("name", [name for name, bound in BOUNDS.items() if bound.may_grow < 1e9])
def test_a_slow_leak_grows(name: str) -> None:
    """Twice what it may grow, evenly over all the time, below what it wavers from call to call."""
    step = 2 * BOUNDS[name].may_grow / 240
    flat = wavering(Random(4), by=BOUNDS[name].may_grow)

    assert grows(name, [number + at * step for at, number in enumerate(flat)])
    assert not grows(name, [number - at * step for at, number in enumerate(flat)])


def test_what_steps_up_and_stays_there_grows() -> None:
    assert grows(DESCRIPTORS, [50] * 120 + [60] * 120)
    assert not grows(DESCRIPTORS, [50] * 120 + [57] * 120)


def test_what_may_never_be_so_much_is_found_once() -> None:
    assert grows("WAL, MB", [16, 20, 81, 20, 16, 16, 16, 16])
    assert not grows("WAL, MB", [16, 20, 79, 64, 64, 64, 64, 64])
    assert grows("logs unseen by the search", [100, 25_001, 100, 100])


# -- servers -----------------------------------------------------------------------------------


def test_nothing_grows_under_a_mixed_load(database: Path) -> None:
    with served(database, "--journal-size", str(MB)) as server:
        rows, load = soak(server, seconds=15, rate=200, least=300)

        assert not load.unexpected
        # On a machine that stands still some are refused, and rightly.
        assert load.calls - load.busy >= 300
        # How fast it is says little here, where other tests run at the same time.
        assert [row for row in rows if row.grows and row.name != P99] == []
        assert server.stop() == 0


def test_a_server_that_leaks_is_found(database: Path) -> None:
    with served(database, program=(sys.executable, "-c", LEAKING)) as server:
        rows, _ = soak(server, seconds=5, rate=200, least=450)

    assert {row.name for row in rows if row.grows} >= {MEMORY, DESCRIPTORS, "threads"}


def test_other_answers_and_no_answers_are_told(database: Path) -> None:
    with served(database, "--item-limit", "10") as server:
        load = Load(server, rate=200)
        load.start()
        try:
            Neto.wait_for(lambda: "POST UpdateCustomerLog: 400, not (200,)" in load.unexpected)
            server.process.kill()
            Neto.wait_for(lambda: any("ended" in what for what in load.unexpected))
        finally:
            load.stop()
