"""
One connection that asks a Get again and again, and looks at each answer.

Run as `python reading.py KIND PORT LOGS SECONDS PACE SEED`; PACE: calls a second, 0: each as the
one before is answered. Says `ready`, begins when it is sent a line, and says what it saw in JSON.
"""

import http.client
import json
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any, Final

import wording
from seeding import KEY, LOGS_EACH, NOW, username

from recontact.model import finds, words

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Question:
    """A Get. is_right: whether these records answer it; there is at least one."""

    action: str
    filter: dict[str, Any]
    is_right: Callable[[Rows], bool]


@dataclass(slots=True)
class Reads:
    """What was seen. took: ms of each call. empty: answers without a record; wrong: the first."""

    took: list[float] = field(default_factory=list)
    rows: int = 0
    empty: int = 0
    faults: int = 0
    wrong: str = ""

    def add(self, other: "Reads") -> None:
        """What another connection saw."""
        self.took += other.took
        self.rows += other.rows
        self.empty += other.empty
        self.faults += other.faults
        self.wrong = self.wrong or other.wrong


def customer(random: Random, logs: int) -> Question:
    """One customer of all, with all logs of theirs."""
    name = username(random.randint(1, logs // LOGS_EACH))

    def is_right(found: Rows) -> bool:
        (one,) = found
        theirs = one["CustomerLogs"]["CustomerLog"]
        return (
            one["Username"] == name
            and len(theirs) == LOGS_EACH
            and all(log["Customer"] == name for log in theirs)
            and _is_ordered(theirs)
        )

    selectors = ["EmailAddress", "BillingAddress", "CustomerLog"]
    return Question("GetCustomer", {"Username": name, "OutputSelector": selectors}, is_right)


_OPEN: Final = ["Require Recontact", "Recontacting"]


def status(random: Random, logs: int) -> Question:
    """What is due by today and not Completed: as often the first page as one somewhere behind."""
    after = random.choice((0, random.randrange(logs * 19 // 20)))
    today = NOW.date().isoformat()

    def is_right(found: Rows) -> bool:
        return (
            all(log["Status"] in _OPEN for log in found)
            and all("" < log["DateRequiredFollowUp"][:10] <= today for log in found)
            and int(found[0]["LogID"]) > after
            and _is_ordered(found)
        )

    wanted = {"Status": _OPEN, "DateRequiredFollowUpTo": today, "LogIDAfter": after}
    selectors = ["CustomerName", "AllocatedTo", "Status", "DateRequiredFollowUp", "Notes"]
    return Question("GetCustomerLog", wanted | {"OutputSelector": selectors}, is_right)


def search(random: Random, logs: int) -> Question:
    """One or two words by their frequency, some logs having them; of the last often a beginning."""
    asked = [""]
    while "" in asked or wording.expected(asked, logs) < 5:
        asked = list(set(wording.some_words(random, random.choice((1, 2)))))
    if len(asked[-1]) > 3 and random.random() < 0.3:
        asked[-1] = asked[-1][: random.randrange(3, len(asked[-1]))]
    wanted, looked_into = words(" ".join(asked)), ["CustomerName", "Username", "Notes"]

    def is_right(found: Rows) -> bool:
        texts = ("\n".join(log[name] for name in looked_into) for log in found)
        return all(finds(wanted, text) for text in texts) and _is_ordered(found)

    selectors = [*looked_into, "AllocatedTo", "Status"]
    return Question(
        "GetCustomerLog", {"Search": " ".join(asked), "OutputSelector": selectors}, is_right
    )


REVISIONS: Final = 10_000
"""Of the log whose history is read: see `legs.Bench.history`."""
_PAGE: Final = 100
"""Revisions that one call reads."""


def history(random: Random, logs: int) -> Question:
    """A page of the history of log 1: as often the newest as one somewhere behind."""
    newest = REVISIONS + 1
    before = random.choice((newest, random.randrange(_PAGE + 1, newest)))

    def is_right(found: Rows) -> bool:
        (log,) = found
        numbers = [int(one["Number"]) for one in log["History"]["Revision"]]
        return numbers == list(range(before - 1, before - 1 - _PAGE, -1))

    wanted = {"LogID": 1, "HistoryBefore": before, "OutputSelector": ["History"]}
    return Question("GetCustomerLog", wanted, is_right)


KINDS: Final = {"customer": customer, "status": status, "search": search, "history": history}


def _is_ordered(logs: Rows) -> bool:
    log_ids = [int(log["LogID"]) for log in logs]
    return log_ids == sorted(set(log_ids))


LEAST: Final = 10
"""Questions that are asked however long that takes."""


def ask(kind: str, port: int, logs: int, seconds: float, pace: float, random: Random) -> Reads:
    """Ask for so many seconds, and LEAST questions."""
    reads = Reads()
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        ends = time.perf_counter() + seconds
        while time.perf_counter() < ends or len(reads.took) < LEAST:
            if pace:
                time.sleep(random.expovariate(pace))
            question = KINDS[kind](random, logs)
            body = json.dumps({"Filter": question.filter})
            headers = {"NETOAPI_ACTION": question.action, "NETOAPI_KEY": KEY}
            headers["Accept"] = "application/json"
            started = time.perf_counter()
            connection.request("POST", "/do/WS/NetoAPI", body, headers)
            answer = connection.getresponse()
            content = answer.read()
            reads.took.append((time.perf_counter() - started) * 1000)
            _look(reads, question, answer.status, json.loads(content))
    return reads


def _look(reads: Reads, question: Question, http_status: int, tree: dict[str, Any]) -> None:
    found = tree.get(question.action.removeprefix("Get"), [])
    is_answered = http_status == 200 and tree["Ack"] == "Success"
    reads.rows += len(found)
    reads.empty += is_answered and not found
    if not is_answered or (found and not question.is_right(found)):
        reads.faults += 1
        reads.wrong = reads.wrong or f"{question.filter} was answered {str(tree)[:1000]}"


if __name__ == "__main__":
    kind, port, logs, seconds, pace, seed = sys.argv[1:]
    print("ready", flush=True)
    sys.stdin.readline()
    seen = ask(kind, int(port), int(logs), float(seconds), float(pace), Random(seed))
    print(json.dumps(asdict(seen)))
