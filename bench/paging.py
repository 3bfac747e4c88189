"""
One member of staff who asks for the pages of the panel again and again, and looks at each.

Run as `python paging.py PORT SESSION LOGS SECONDS PACE SEED`; PACE: pages a second, 0: each as the
one before is answered. Says `ready`, begins when it is sent a line, and says what it saw in JSON.
"""

import gzip
import http.client
import json
import re
import sys
import time
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from random import Random
from typing import Final
from urllib.parse import quote

import wording
from seeding import LOGS_EACH, username

from recontact.clock import SYSTEM
from recontact.store.followups import Cursor

LISTS: Final = "queue"
"""What the names of the queue's pages begin with; `queue` itself is where the day begins."""


def pages(random: Random, logs: int) -> dict[str, str]:
    """The pages that are asked for: their addresses by their names."""
    today = SYSTEM.now().date()
    past = Cursor(1, today - timedelta(days=random.randrange(100, 900))).write()
    soon = Cursor(1, today + timedelta(days=random.randrange(2, 20))).write()
    common, rare = wording.VOCABULARY[20], wording.VOCABULARY[-20]
    log = random.randint(1, logs)
    return {
        "queue": "/",
        "queue, today": "/?tab=today",
        "queue, upcoming": "/?tab=upcoming",
        "queue, no date": "/?tab=no-date",
        "queue, completed": "/?tab=completed",
        "queue, further on": f"/?after={past}",
        "queue, further back": f"/?before={past}",
        "queue, upcoming, further on": f"/?tab=upcoming&after={soon}",
        "queue, newest first, further on": f"/?order=newest&after={past}",
        "queue, by customer": "/?order=customer",
        "queue, mine": "/?who=me",
        "queue, nobody's": "/?who=nobody",
        "queue, nobody's by phone": "/?who=nobody&type=Phone",
        "queue, mine in hand by e-mail": "/?who=me&type=Email&status=Recontacting",
        "queue, a common word": f"/?q={quote(common)}",
        "queue, a rare word": f"/?q={quote(rare)}",
        "queue, how many words begin": "/?q=de",
        "queue, how usernames begin": "/?tab=upcoming&q=customer1",
        "log": f"/logs/{log}",
        "log, from the queue": f"/logs/{log}?from=/&at={log}.{past.partition('.')[2]}",
        "customer": f"/customers/{username(random.randint(1, logs // LOGS_EACH))}",
        "customers": "/customers",
        "find": f"/find?q={quote(rare)}",
        "find, how many words begin": "/find?q=de",
    }


NAMES: Final = tuple(pages(Random(1), LOGS_EACH))


@dataclass(slots=True)
class Seen:
    """
    What was seen, by the name of the page. took: ms of each. raw, packed: bytes, at most.

    empty: queues without a row. faults: answers that were no such page; wrong: the first of them.
    """

    took: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in NAMES})
    raw: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAMES, 0))
    packed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAMES, 0))
    empty: list[str] = field(default_factory=list)
    faults: int = 0
    wrong: str = ""


_IS_PAGE: Final = re.compile(rb"<title>[^<]+</title>.*</html>\s*", re.DOTALL)


def ask(port: int, session: str, logs: int, seconds: float, pace: float, random: Random) -> Seen:
    """Ask for so many seconds, for each page as often, and at least once."""
    seen = Seen()
    headers = {"Cookie": f"recontact={session}", "Accept": "text/html", "Accept-Encoding": "gzip"}
    turns: list[tuple[str, str]] = []
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        ends = time.perf_counter() + seconds
        while time.perf_counter() < ends or not all(seen.took.values()):
            if pace:
                time.sleep(random.expovariate(pace))
            turns = turns or random.sample(list(pages(random, logs).items()), len(NAMES))
            name, path = turns.pop()
            started = time.perf_counter()
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            packed = answer.read()
            seen.took[name].append((time.perf_counter() - started) * 1000)
            is_packed = answer.headers["Content-Encoding"] == "gzip"
            raw = gzip.decompress(packed) if is_packed else packed
            seen.raw[name] = max(seen.raw[name], len(raw))
            seen.packed[name] = max(seen.packed[name], len(packed))
            if answer.status != 200 or not _IS_PAGE.search(raw):
                seen.faults += 1
                seen.wrong = seen.wrong or f"{path} was answered {answer.status}: {raw[:300]!r}"
            elif name.startswith(LISTS) and b"id=log-" not in raw:
                seen.empty.append(name)
    return seen


if __name__ == "__main__":
    port, session, logs, seconds, pace, seed = sys.argv[1:]
    print("ready", flush=True)
    sys.stdin.readline()
    seen = ask(int(port), session, int(logs), float(seconds), float(pace), Random(seed))
    print(json.dumps(asdict(seen)))
