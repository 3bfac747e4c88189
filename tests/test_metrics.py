"""`/metrics`: what is counted, that it is right, cheap, bounded, and tells nothing of customers."""

import asyncio
import math
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import KEY, PATIENCE, Neto, json_call, rows, served
from hypothesis import given
from hypothesis import strategies as some
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from recontact import actions
from recontact.counting import Histogram
from recontact.store import committer, keys
from recontact.store.retention import Retention
from recontact.store.sqlite import driver
from recontact.store.writer import Writer

UPDATE = "UpdateCustomerLog"


def scraped(neto: Neto) -> list[Metric]:
    """What a Prometheus would read."""
    answer = neto.http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return list(text_string_to_metric_families(answer.text))


def samples(neto: Neto) -> Callable[..., float]:
    """A scrape, as a function that gives a sample by its name and labels."""
    found = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in scraped(neto)
        for sample in family.samples
    }
    return lambda name, **labels: found.get((f"recontact_{name}", frozenset(labels.items())), 0.0)


def sample(neto: Neto, name: str, **labels: str) -> float:
    return samples(neto)(name, **labels)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another connection holds the write lock, as the command line would."""
    with closing(driver.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls wait for that as long as a machine that stands still may take."""
    monkeypatch.setattr(committer, "PATIENCE", PATIENCE)


def held_up(neto: Neto, write: threading.Thread, seconds: float) -> float:
    """Let a call wait so long for the database, or longer; how long it has at least."""
    with locked(neto.path):
        write.start()
        neto.wait_for(lambda: neto.store.figures().writes == 1)
        began = time.perf_counter()
        time.sleep(seconds)
        waited = time.perf_counter() - began
    write.join()
    return waited


# -- requests ----------------------------------------------------------------------------------


def test_requests_are_counted_by_action_ack_and_status(neto: Neto) -> None:
    neto.add({"Notes": "one"}, {"Notes": "two"})
    for _ in range(3):
        neto.update("xml", {"LogID": "1", "Status": "Completed"})
    neto.update("json", {"LogID": 1, "Status": "Done"}, {"LogID": 2, "Notes": "x"})
    neto.log(1)
    neto.post(UPDATE, b"{broken")
    neto.post(UPDATE, headers={"NETOAPI_KEY": "nobody's"})
    neto.post("updatecustomerlog", json_call("[]"))
    neto.post("Explode")
    neto.http.options("/do/WS/NetoAPI")
    neto.http.get("/do/WS/NetoAPI", headers={"Accept": "text/html"})
    neto.http.get("/healthz")
    neto.http.get("/nowhere")

    of = samples(neto)

    def answered(action: str, ack: str, http_status: int) -> float:
        return of("requests_total", action=action, ack=ack, status=str(http_status))

    assert answered("AddCustomerLog", "Success", 200) == 1
    assert answered(UPDATE, "Success", 200) == 3
    assert answered(UPDATE, "Error", 200) == 2
    assert answered(UPDATE, "Error", 400) == 1
    assert answered(UPDATE, "Error", 401) == 1
    assert answered("GetCustomerLog", "Success", 200) == 1
    assert answered("unknown", "Error", 400) == 1
    assert answered("unknown", "none", 204) == 1
    assert answered("unknown", "none", 405) == 1
    assert answered("other", "none", 200) == 1
    assert answered("other", "none", 404) == 1
    assert of("items_total", action="AddCustomerLog") == 2
    assert of("items_total", action=UPDATE) == 3 + 2
    assert of("request_duration_seconds_count", action=UPDATE) == 3 + 2 + 1 + 1


def test_a_request_whose_client_went_away_has_status_0(neto: Neto) -> None:
    url = httpx.URL(neto.url)
    with socket.create_connection((url.host, url.port)) as gone:
        lines = ["POST /do/WS/NetoAPI HTTP/1.1", "Host: x", f"NETOAPI_ACTION: {UPDATE}"]
        lines += [f"NETOAPI_KEY: {KEY}", "Content-Length: 100", "", "half of it"]
        gone.sendall("\r\n".join(lines).encode())

    neto.wait_for(lambda: sample(neto, "requests_total", action=UPDATE, ack="none", status="0"))


@pytest.mark.usefixtures("patient")
def test_the_time_of_a_request_is_in_its_bucket(neto: Neto) -> None:
    neto.add({"Notes": "quick"})
    late = threading.Thread(target=neto.update, args=("json", {"LogID": 1, "Notes": "late"}))
    began = time.perf_counter()
    held_up(neto, late, 0.3)
    took = time.perf_counter() - began

    of = samples(neto)
    seconds = of("request_duration_seconds_sum", action=UPDATE)
    assert 0.3 < seconds < took
    for bound in ("0.001", "0.25", "0.5", "10.0", "+Inf"):
        at_most = of("request_duration_seconds_bucket", action=UPDATE, le=bound)
        assert at_most == (seconds <= float(bound))
    assert of("request_duration_seconds_count", action="AddCustomerLog") == 1


def test_what_is_sent_makes_no_labels(shared: Neto) -> None:
    """A time series for each word that somebody sends would fill the memory of both sides."""
    for n in range(40):
        shared.post(f"Explode{n}")
        shared.post(UPDATE, json_call("[]"), {"NETOAPI_KEY": f"wrong {n}"})
        shared.http.get(f"/nowhere/{n}")
        shared.http.request(f"VERB{n}", "/do/WS/NetoAPI")

    labels: dict[str, set[str]] = defaultdict(set)
    for family in scraped(shared):
        for one in family.samples:
            for name, value in one.labels.items():
                labels[name].add(value)
    assert labels["action"] <= {*actions.ACTIONS, "unknown", "other"}
    assert labels["ack"] <= {"Success", "Warning", "Error", "none"}
    assert labels["to"] == {"read", "write"}
    assert all(len(status) <= 3 for status in labels["status"])
    assert set(labels) == {"action", "ack", "status", "to", "le", "version"}


def test_it_tells_nothing_of_keys_and_customers(neto: Neto) -> None:
    secrets = ("Zaphod", "Betelgeuse", "zb@example.com", "sesame", "Heartofgold")
    user = neto.new_key(username="Heartofgold")
    item = {"Username": "Zaphod", "EmailAddress": "zb@example.com", "Password": "sesame"}
    neto.call("json", "AddCustomer", {"Customer": [item]})
    neto.add({"Username": "Zaphod", "Notes": "Betelgeuse", "AllocatedTo": "Heartofgold"})
    neto.get(Search="Betelgeuse", Username="Zaphod")
    neto.get(Nonsense="Betelgeuse")
    neto.post("Zaphod", b"Betelgeuse")
    neto.post(UPDATE, b"Betelgeuse", {"NETOAPI_KEY": user, "NETOAPI_USERNAME": "Heartofgold"})
    neto.http.get("/Zaphod?Betelgeuse")

    page = neto.http.get("/metrics").text

    for secret in (*secrets, KEY, user, KEY[:7], user[:7]):
        assert secret not in page


def test_anybody_may_read_it_and_nobody_write_it(shared: Neto) -> None:
    assert shared.http.get("/metrics").status_code == 200
    assert shared.http.head("/metrics").status_code == 200
    for method in ("POST", "PUT", "DELETE"):
        assert shared.http.request(method, "/metrics").status_code == 405
    assert "X-Request-Id" in shared.http.get("/metrics").headers


# -- the store ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("patient")
def test_calls_that_wait_are_seen_and_so_is_how_they_were_committed(neto: Neto) -> None:
    """Calls that come while the database is held are one commit, once it is free."""
    neto.add({"Notes": "first"})
    neto.wait_for(lambda: sample(neto, "search_unseen_logs") == 0)  # no feeding in between
    before = samples(neto)
    with locked(neto.path):
        threads = [
            threading.Thread(target=neto.update, args=("json", *[{"LogID": 1}] * 3))
            for _ in range(5)
        ]
        for thread in threads:
            thread.start()
        neto.wait_for(lambda: sample(neto, "calls_waiting", to="write") == 5)
    for thread in threads:
        thread.join()

    after = samples(neto)
    assert after("calls_waiting", to="write") == 0
    for name, new in (("calls", 5), ("items", 15)):
        name = f"commit_{name}_sum"
        assert after(name) - before(name) == new
    new = after("commit_calls_count") - before("commit_calls_count")
    assert 1 <= new <= 3
    assert after("commit_duration_seconds_count") - before("commit_duration_seconds_count") >= new
    assert after("commit_duration_seconds_sum") > before("commit_duration_seconds_sum")


@pytest.mark.usefixtures("patient")
def test_a_commit_is_timed_and_not_the_wait_for_it(neto: Neto) -> None:
    waited = held_up(neto, threading.Thread(target=neto.add, args=({"Notes": "late"},)), 0.5)

    of = samples(neto)
    took = of("request_duration_seconds_sum", action="AddCustomerLog")
    assert 0 < of("commit_duration_seconds_sum") <= took - waited


def test_a_read_that_waits_is_seen(
    serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Retention, "start", lambda _: None)  # it reads now and then
    with serve() as neto:
        see_a_read_that_waits(neto)


def see_a_read_that_waits(neto: Neto) -> None:
    reading, go_on = threading.Event(), threading.Event()

    def read(_: Any) -> None:
        reading.set()
        go_on.wait(PATIENCE)

    with neto.store.begin() as connection:
        site = keys.first_site(connection, neto.clock.now())
    thread = threading.Thread(target=lambda: asyncio.run(neto.store.view(site, read)))  # type: ignore[arg-type]
    thread.start()
    assert reading.wait(PATIENCE)

    waiting = sample(neto, "calls_waiting", to="read")
    go_on.set()
    thread.join()

    assert waiting == 1
    assert sample(neto, "calls_waiting", to="read") == 0


def test_a_commit_that_fails_is_counted(neto: Neto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committer, "PATIENCE", 0.1)
    assert sample(neto, "commits_failed_total") == 0

    with locked(neto.path):
        refused = neto.call("json", "AddCustomerLog", {"CustomerLogs": [{"Notes": "x"}]})
        of = samples(neto)

    assert refused.status == 503
    assert of("commits_failed_total") >= 1
    assert of("requests_total", action="AddCustomerLog", ack="Error", status="503") == 1


def test_logs_that_the_search_has_not_seen(neto: Neto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Writer, "feed", lambda _writer, _most: 0)
    neto.add(*({"Notes": f"{n}"} for n in range(7)))

    assert sample(neto, "search_unseen_logs") == 7
    monkeypatch.undo()
    neto.wait_for(lambda: sample(neto, "search_unseen_logs") == 0)


def test_sizes_are_those_of_the_files_and_the_journal(neto: Neto) -> None:
    for n in range(20):
        neto.add({"Notes": f"{n} " + "words " * n})
    neto.log(1)

    def is_right() -> bool:
        of = samples(neto)
        size = "ifnull(length(request_body), 0) + ifnull(length(answer_body), 0)"
        ((bodies, length),) = rows(neto, f"SELECT count(*), sum({size}) FROM journal_body")
        return (
            of("journal_bodies") == bodies == 21
            and of("journal_bytes") == length
            and of("database_bytes") == neto.path.stat().st_size
            and of("wal_bytes") == Path(f"{neto.path}-wal").stat().st_size > 0
        )

    neto.wait_for(is_right)  # the read is written behind, and bodies are counted now and then


def test_it_answers_though_the_journal_cannot_be_read(neto: Neto) -> None:
    neto.add({"Notes": "x"})
    with closing(driver.connect(neto.path, isolation_level=None)) as other:
        other.execute("ALTER TABLE journal_body RENAME TO away")

    names = {family.name for family in scraped(neto)}

    assert "recontact_journal_bodies" not in names
    assert {"recontact_requests", "recontact_database_bytes"} <= names


# -- the server --------------------------------------------------------------------------------


def test_it_says_when_the_keys_were_read(neto: Neto) -> None:
    name = "keys_read_timestamp_seconds"
    now = neto.clock.now().timestamp()
    neto.wait_for(lambda: sample(neto, name) > now)  # they are read twice a second
    assert sample(neto, name) < neto.clock.now().timestamp()

    neto.clock.move(days=1)
    neto.wait_for(lambda: sample(neto, name) > now + 86_000)


def test_each_server_counts_for_itself(serve: Callable[..., Any]) -> None:
    with serve() as one:
        one.add({"Notes": "x"})
    with serve() as two:
        labels = {"action": "AddCustomerLog", "ack": "Success", "status": "200"}
        assert sample(two, "requests_total", **labels) == 0
        assert sample(two, "items_total", action="AddCustomerLog") == 0


def test_what_the_process_takes(database: Path) -> None:
    with served(database) as server:
        families = scraped(server.neto)
        of = {one.name: one.value for family in families for one in family.samples}

        if Path("/proc/self/stat").exists():  # elsewhere the library has none of these
            descriptors = len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))
            assert abs(of["process_open_fds"] - descriptors) < 5
            assert 20e6 < of["process_resident_memory_bytes"] < 500e6
            assert of["process_cpu_seconds_total"] > 0


def test_names_and_words_are_as_prometheus_has_them(shared: Neto) -> None:
    """prometheus.io/docs/practices/naming, as `promtool check metrics` holds it."""
    shared.add({"Notes": "x"})
    text = shared.http.get("/metrics").text

    helps = dict(
        line.removeprefix("# HELP ").split(" ", 1)
        for line in text.splitlines()
        if line.startswith("# HELP ")
    )
    families = scraped(shared)
    ours = [family for family in families if not family.name.startswith("process_")]
    assert len({family.name for family in families}) == len(families)
    for family in ours:
        assert family.name.startswith("recontact_")
        said = helps[f"{family.name}_total" if family.type == "counter" else family.name]
        assert said.endswith("."), f"{family.name} has no words"
        is_total = all(one.name.endswith("_total") for one in family.samples)
        assert is_total == (family.type == "counter"), family.name
        assert not family.name.endswith(("_ms", "_milliseconds", "_kb", "_mb", "_count", "_sum"))
    assert {family.type for family in ours} == {"counter", "gauge", "histogram"}


# -- the histogram -----------------------------------------------------------------------------


@given(some.lists(some.floats(0, 20), max_size=50))
def test_a_histogram_counts_what_is_at_most_each_bound(values: list[float]) -> None:
    bounds = (0.5, 1, 2.5, 10)
    histogram = Histogram(bounds)

    for value in values:
        histogram.add(value)

    assert histogram.up_to() == [
        sum(value <= bound for value in values) for bound in (*bounds, math.inf)
    ]
    assert histogram.total == pytest.approx(sum(values))


def test_a_value_on_a_bound_is_at_most_that() -> None:
    histogram = Histogram((1, 2))
    for value in (1, 2):
        histogram.add(value)

    assert histogram.up_to() == [1, 2, 2]
