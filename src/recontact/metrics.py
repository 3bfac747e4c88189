"""
What `/metrics` tells, in the text format of Prometheus: numbers only, and no customer's data.

Imported when it is first asked for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from prometheus_client import Metric, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)

from recontact import __version__
from recontact.counting import Histogram, Requests
from recontact.store import Figures

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""Of the text format (prometheus.io/docs/instrumenting/exposition_formats)."""


def exposition(requests: Requests, figures: Figures, keys_at: float) -> bytes:
    """The answer, of MEDIA_TYPE. keys_at: when the keys were last read, in seconds since 1970."""
    return generate_latest(_Collector(requests, figures, keys_at))


@dataclass(frozen=True, slots=True)
class _Collector:
    """A collector as prometheus-client knows it: what gives metrics when it is asked."""

    requests: Requests
    figures: Figures
    keys_at: float

    def collect(self) -> Iterator[Metric]:
        info = InfoMetricFamily("recontact_build", "The release that runs.")
        info.add_metric([], {"version": __version__})
        yield info
        yield from _of_requests(self.requests)
        yield from _of_the_store(self.figures)
        yield GaugeMetricFamily(
            "recontact_keys_read_timestamp_seconds",
            "When keys and sites were last read from the database, in seconds since 1970. Twice a "
            "second is usual; a revoked key stays valid until they are read again.",
            value=self.keys_at,
        )
        yield from ProcessCollector(registry=None).collect()


def _of_requests(requests: Requests) -> Iterator[Metric]:
    answers = CounterMetricFamily(
        "recontact_requests",
        "Requests that are over. action: of the API; unknown: it has none of that name; other: "
        "another address. ack: of the answer; none: it had none. status: of HTTP; 0: the client "
        "was gone before the answer.",
        labels=["action", "ack", "status"],
    )
    items = CounterMetricFamily(
        "recontact_items", "Items of the calls that could be read.", labels=["action"]
    )
    seconds = HistogramMetricFamily(
        "recontact_request_duration_seconds",
        "Time from the arrival of a request's headers to its answer.",
        labels=["action"],
    )
    for action, counts in requests.by_action():
        for (ack, http_status), count in sorted(counts.answers.copy().items()):
            answers.add_metric([action, ack or "none", str(http_status)], count)
        items.add_metric([action], counts.items)
        seconds.add_metric([action], *_buckets(counts.seconds))
    yield from (answers, items, seconds)


def _of_the_store(figures: Figures) -> Iterator[Metric]:
    commits = figures.commits
    for name, doc, histogram in (
        (
            "duration_seconds",
            "Time of a commit: the database writes a group of calls and waits for the disk.",
            commits.seconds,
        ),
        ("calls", "Calls in a commit that had any.", commits.calls),
        (
            "items",
            "Items of those calls. Some 1,000 fill a commit, and so does a call with a Filter.",
            commits.items,
        ),
    ):
        family = HistogramMetricFamily(f"recontact_commit_{name}", doc)
        family.add_metric([], *_buckets(histogram))
        yield family
    yield CounterMetricFamily(
        "recontact_commits_failed",
        "Commits that did not go through: the disk is full or fails, or another program holds the "
        "database. Their calls were answered with 503.",
        value=commits.failed,
    )
    waiting = GaugeMetricFamily(
        "recontact_calls_waiting",
        "Calls that wait for the database or are in it. Past the setting queue_limit the next is "
        "answered with 503.",
        labels=["to"],
    )
    waiting.add_metric(["read"], figures.reads)
    waiting.add_metric(["write"], figures.writes)
    yield waiting
    for name, doc, value in (
        (
            "search_unseen_logs",
            "Changed logs that the search's index has yet to see. Searches find them all the same, "
            "by looking through them: 20,000 take some 5 ms.",
            figures.unseen,
        ),
        ("database_bytes", "Size of the database file.", figures.size),
        (
            "wal_bytes",
            "Size of the file that takes the writes until they are copied into the database. It "
            "keeps up to 64 MB; when it is longer, something holds the copying up, such as a long "
            "read by another program.",
            figures.wal,
        ),
        (
            "journal_bodies",
            "Calls whose bytes the journal has, by the numbers of the first and the last.",
            figures.journal_bodies,
        ),
        (
            "journal_bytes",
            "Bytes of those calls, as they are kept. Counting them takes a while after a start.",
            figures.journal_size,
        ),
    ):
        if value is not None:
            yield GaugeMetricFamily(f"recontact_{name}", doc, value=value)


def _buckets(histogram: Histogram) -> tuple[list[tuple[str, int]], float]:
    """The buckets of a histogram and its sum, as prometheus-client takes them."""
    bounds = [*(str(float(bound)) for bound in histogram.bounds), "+Inf"]
    return list(zip(bounds, histogram.up_to(), strict=True)), histogram.total
