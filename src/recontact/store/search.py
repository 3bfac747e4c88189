"""
Which logs have the words of a search: an index that is fed behind the writes, and what it lacks.

A log that changes is noted in `search_pending`, in the transaction that changes it, and the index
sees it later, in small steps between the calls: to write the index with the log made the slowest
calls ten times slower (DESIGN, trap 7). A search takes from the index the logs that are not noted,
and looks through the noted ones itself, so it sees every acknowledged write.

The index is FTS5 of SQLite. It holds words that `model.words` made and nothing else (contentless),
so it must be told the very words that it is to forget.
"""

import json
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Executable,
    Select,
    and_,
    column,
    func,
    literal,
    select,
    table,
    union_all,
)

from recontact.model import SEARCHED, Site, finds, words
from recontact.store.tables import customer_log, search_index, search_pending

Rows = Callable[[Executable], Sequence[Sequence[Any]]]
"""Runs a SELECT and gives its rows."""

_LOG_ID_BITS: Final = 34
"""Of the one number that a log has in the index, these are its LogID; the site's are above."""
_LOG_ID: Final = (1 << _LOG_ID_BITS) - 1
_MERGED: Final = 32
"""Pages that are merged with each step. Without, segments grow in number, and slow down searches;
FTS5's own merging now and then took 30 to 60 ms in one transaction."""

_index = table("log_search", column("rowid"), column("log_search"))
_log = customer_log.c
_noted = search_pending.c
_is_noted = and_(_log.site == _noted.site, _log.log_id == _noted.log_id)
_texts = [_log[key] for key in SEARCHED]
_TEXTS_AT: Final = [customer_log.columns.keys().index(key) for key in SEARCHED]

ANY_NOTED: Final = select(_noted.site).limit(1)
"""Whether the index has yet to see any log."""


def page_of(
    of_site: Select[Any], site: Site, wanted: list[str], limit: int, offset: int, rows: Rows
) -> Sequence[Sequence[Any]]:
    """
    One page of the logs that have the words `wanted`.

    of_site: the SELECT of the site's logs that meet all else, by LogID. rows: reads from one
    snapshot.
    """
    first = rows(of_site.limit(LOOKED_THROUGH))
    hits = [row for row in first if finds(wanted, _joined(row[at] for at in _TEXTS_AT))]
    if len(first) < LOOKED_THROUGH or len(hits) >= offset + limit:
        return hits[offset : offset + limit]
    return rows(of_site.where(_log.log_id.in_(_found(of_site, site, wanted, limit, offset, rows))))


LOOKED_THROUGH: Final = 250
"""Logs that are looked through before the index is asked. Where few logs meet all else these are
all there are; and a word that most logs have fills the page with them, while the index would list
a million before it gives the first (80 ms)."""


def _found(
    of_site: Select[Any], site: Site, wanted: list[str], limit: int, offset: int, rows: Rows
) -> Select[Any]:
    """The SELECT of the LogIDs of the page, by the index and the logs that it has not seen."""
    noted = select(_log.log_id, *_texts).join_from(search_pending, customer_log, _is_noted)
    beside = [
        log_id
        for log_id, *texts in rows(noted.where(_noted.site == site.site))
        if finds(wanted, _joined(texts))
    ]
    first = site.site << _LOG_ID_BITS
    number = _index.c.rowid  # to sort by this and nothing else, or FTS5 gives all hits at once
    *whole, last = wanted
    asked = " ".join([*(f'"{word}"' for word in whole), f'"{last}" *'])
    is_noted = select(_noted.log_id).where(
        _noted.site == site.site, _noted.log_id == number.bitwise_and(_LOG_ID)
    )
    own = listed(beside).subquery().c.value

    def meets(log_id: ColumnElement[Any]) -> ColumnElement[bool]:
        return of_site.order_by(None).where(_log.log_id == log_id).exists()

    indexed = select(number.label("number")).where(
        _index.c.log_search.op("MATCH")(asked),
        number.between(first, first + _LOG_ID),
        ~is_noted.exists(),
        meets(number.bitwise_and(_LOG_ID)),
    )
    others = select((literal(first) + own).label("number")).where(meets(own))
    page = union_all(indexed, others).order_by("number").limit(limit).offset(offset).subquery()
    return select(page.c.number.bitwise_and(_LOG_ID))


def feed(driver: Any, rows: Rows, most: int) -> int:
    """
    Let the index see up to `most` of the noted logs; how many it saw.

    In the caller's transaction. rows: runs a SELECT in it.
    """
    seen = rows(
        select(*_noted, _log.log_id, *_texts)
        .join_from(search_pending, customer_log, _is_noted, isouter=True)
        .limit(most)
    )
    gone, come = [], []
    for site, log_id, was, is_there, *texts in seen:
        number = (site << _LOG_ID_BITS) + log_id
        if was is not None:
            gone.append((number, _as_indexed(was)))
        if is_there is not None:
            come.append((number, _as_indexed(_joined(texts))))
    for statement, values in (
        ("INSERT INTO log_search (log_search, rowid, words) VALUES ('delete', ?, ?)", gone),
        ("INSERT INTO log_search (rowid, words) VALUES (?, ?)", come),
        ("INSERT INTO log_search (log_search, rank) VALUES ('merge', ?)", [(_MERGED,)]),
        ("DELETE FROM search_pending WHERE site = ? AND log_id = ?", [row[:2] for row in seen]),
    ):
        driver.executemany(statement, values).close()
    return len(seen)


def listed(values: Sequence[Any]) -> Select[Any]:
    """The SELECT of these very numbers or texts, as many as there are."""
    return select(func.json_each(json.dumps(values)).table_valued("value").c.value)


def _joined(texts: Iterable[str | None]) -> str:
    return "\n".join(filter(None, texts))


def _as_indexed(text: str) -> str:
    return " ".join(dict.fromkeys(words(text)))


# -- who made the index ------------------------------------------------------------------------


def made_by(sqlite_version: str) -> str:
    """
    Who makes an index here: the versions of SQLite and of Unicode.

    An index that two versions of SQLite had merged found words that were gone (measured: 3.40 and
    3.53, in 2 of 20 runs); and words made by another Unicode may not be the ones to forget.
    """
    return f"SQLite {sqlite_version}, Unicode {unicodedata.unidata_version}"


def is_ours(rows: Rows, maker: str) -> bool:
    """Whether the index was made by `maker`."""
    return any(row[0] == maker for row in rows(select(search_index.c.made_by)))


def begin_anew(driver: Any, run: Callable[[Executable], None], maker: str) -> None:
    """Empty the index and note every log, in the caller's transaction."""
    for statement in (
        "INSERT INTO log_search (log_search) VALUES ('delete-all')",
        "INSERT INTO log_search (log_search, rank) VALUES ('automerge', 0)",
        "INSERT INTO log_search (log_search, rank) VALUES ('crisismerge', 1000)",
    ):
        driver.execute(statement).close()
    run(search_pending.delete())
    every = select(_log.site, _log.log_id)
    run(search_pending.insert().from_select(["site", "log_id"], every))
    run(search_index.delete())
    run(search_index.insert().values(made_by=maker))
