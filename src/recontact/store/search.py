"""
Which logs have the words of a search: an index that is fed behind the writes, and what it lacks.

A log that changes is noted in `search_pending`, in the transaction that changes it, and the index
sees it later, in small steps between the calls: to write the index with the log made the slowest
calls ten times slower (DESIGN, trap 7). A search takes from the index the logs that are not noted,
and looks through the noted ones itself, so it sees every acknowledged write.

The index is FTS5 of SQLite. It holds words that `model.words` made and nothing else (contentless),
so it must be told the very words that it is to forget.
"""

import functools
import json
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Executable,
    LargeBinary,
    Select,
    and_,
    cast,
    column,
    func,
    literal,
    or_,
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
MERGED: Final = 32
"""Pages that are merged with each step. Without, segments grow in number, and slow down searches;
FTS5's own merging now and then took 30 to 60 ms in one transaction."""

BEGUN: Final = 50_000
"""Logs that have the words with one beginning, past which the index is not asked for that (6 ms;
for the 10,000 usernames that begin as most do it took 60, for the first of what it finds)."""
_HELD: Final = 3
"""Characters of the beginnings that the index holds; it merges the words with a longer one."""
WORDS: Final = (
    "CREATE VIRTUAL TABLE temp.log_search_word USING fts5vocab ('main', 'log_search', 'row')"
)
"""Makes, for a connection, the table of the index's words."""

_index = table("log_search", column("rowid"), column("log_search"))
_word = table("log_search_word", column("term"), column("doc")).c
_log = customer_log.c
_noted = search_pending.c
_is_noted = and_(_log.site == _noted.site, _log.log_id == _noted.log_id)
_texts = [_log[key] for key in SEARCHED]
_TEXTS_AT: Final = [customer_log.columns.keys().index(key) for key in SEARCHED]

ANY_NOTED: Final = select(_noted.site).limit(1)
"""Whether the index has yet to see any log."""


@dataclass(frozen=True, slots=True)
class Asked:
    """
    A search of one site: all of the words, the last as a beginning, in logs above LogID `after`.

    met: what the logs meet besides, that too.
    """

    site: Site
    words: list[str]
    after: int
    met: list[ColumnElement[bool]]
    limit: int
    offset: int


LOOKED_THROUGH: Final = 250
"""Logs that are looked through before the index is asked, where they meet something else too: often
these are all that do, while the index may list a million that do not."""


def page_of(
    asked: Asked, page: Callable[[int, int], Sequence[Sequence[Any]]], rows: Rows
) -> Sequence[Sequence[Any]]:
    """
    The rows of one page of the logs that a search finds, by LogID.

    page: gives the rows of those that meet all else: so many, from such an offset. rows: reads from
    one snapshot.
    """
    if asked.met:
        first = page(LOOKED_THROUGH, 0)
        hits = [row for row in first if finds(asked.words, _joined(row[at] for at in _TEXTS_AT))]
        if len(first) < LOOKED_THROUGH or len(hits) >= asked.offset + asked.limit:
            return hits[asked.offset : asked.offset + asked.limit]
    of_site = select(customer_log).where(_log.site == asked.site.site).order_by(_log.log_id)
    return rows(of_site.where(_log.log_id.in_(_found(asked, rows))))


def _found(asked: Asked, rows: Rows) -> Select[Any]:
    """The SELECT of the LogIDs of the page, by the index and the logs that it has not seen."""
    site = asked.site.site
    beside = list(islice(_beside(asked, rows), asked.offset + asked.limit))
    own = listed(beside).subquery().c.value

    def meets(log_id: ColumnElement[Any]) -> ColumnElement[bool]:
        one = select(_log.log_id).where(_log.site == site, _log.log_id == log_id, *asked.met)
        return one.exists()

    indexed = _seen(asked).where(meets(_index.c.rowid.bitwise_and(_LOG_ID)))
    others = select((literal(site << _LOG_ID_BITS) + own).label("number")).where(meets(own))
    both = union_all(indexed, others).order_by("number").limit(asked.limit).offset(asked.offset)
    return select(both.subquery().c.number.bitwise_and(_LOG_ID))


def _seen(asked: Asked) -> Select[Any]:
    """The SELECT of the numbers of the logs with the words, of those that the index has seen."""
    first = asked.site.site << _LOG_ID_BITS
    number = _index.c.rowid  # to sort by this and nothing else, or FTS5 gives all hits at once
    *whole, last = asked.words
    query = " ".join([*(f'"{word}"' for word in whole), f'"{last}" *'])
    is_noted = select(_noted.log_id).where(
        _noted.site == asked.site.site, _noted.log_id == number.bitwise_and(_LOG_ID)
    )
    return select(number.label("number")).where(
        _index.c.log_search.op("MATCH")(query),
        number.between(first + asked.after + 1, first + _LOG_ID),
        ~is_noted.exists(),
    )


def asked_quickly(words: list[str], rows: Rows) -> list[str]:
    """The first of these words that the index is quick to find, the last of them as a beginning."""
    while words and _begins_many(words[-1], rows):
        words = words[:-1]
    return words


def _begins_many(word: str, rows: Rows) -> bool:
    if len(word) <= _HELD:
        return False
    logs = func.sum(_word.doc).over(order_by=_word.term, rows=(None, 0)).label("logs")
    # No word has a character above, and the sum ends where it is enough.
    begun = select(logs).where(_word.term >= word, _word.term < word + "\U0010ffff").subquery()
    return bool(rows(select(literal(1)).where(begun.c.logs > BEGUN).select_from(begun).limit(1)))


def hits(site: Site, words: list[str], most: int, rows: Rows) -> tuple[Select[Any], int] | None:
    """The SELECT of the LogIDs of all logs with the words, and how many; None: over `most`."""
    asked = Asked(site, words, 0, [], most + 1, 0)
    seen = _seen(asked).limit(most + 1).subquery().c.number.bitwise_and(_LOG_ID)
    beside = list(islice(_beside(asked, rows), most + 1))
    found = union_all(select(seen.label("log_id")), listed(beside)).subquery()
    number = rows(select(func.count()).select_from(found))[0][0]
    return (select(found), number) if number <= most else None


def _beside(asked: Asked, rows: Rows) -> Iterator[int]:
    """The noted logs that have the words, by LogID, read in small pieces: there may be many."""
    *whole, last_one = asked.words
    has_all = [func.instr(_noted.words, f" {word} ") > 0 for word in whole]
    has_all.append(func.instr(_noted.words, f" {last_one}") > 0)
    noted = select(_log.log_id, _noted.words, *_texts)
    noted = noted.join_from(search_pending, customer_log, _is_noted)
    noted = noted.where(_noted.site == asked.site.site, or_(_noted.words.is_(None), and_(*has_all)))
    noted = noted.order_by(_noted.log_id).limit(_PIECE)
    last = asked.after
    while piece := rows(noted.where(_noted.log_id > last)):
        for log_id, words_now, *texts in piece:
            if words_now is not None or finds(asked.words, _joined(texts)):
                yield log_id
        last = piece[-1][0]
        if len(piece) < _PIECE:
            return


_PIECE: Final = 500


def feed(driver: Any, rows: Rows, most: int) -> int:
    """
    Let the index see up to `most` of the noted logs; how many it saw.

    In the caller's transaction. rows: runs a SELECT in it.
    """
    seen = rows(_next(most))
    gone, come, done = [], [], []
    length = 0
    for site, log_id, was, words_now, is_there, *texts in seen:
        if length > most * _LENGTH_EACH:
            break
        done.append((site, log_id))
        length += sum(len(text) for text in (was, *texts) if text)
        number = (site << _LOG_ID_BITS) + log_id
        if was is not None:
            gone.append((number, indexed(was)))
        if is_there is not None:
            come.append((number, words_now or indexed(_joined(texts))))
    for statement, values in (
        ("INSERT INTO log_search (log_search, rowid, words) VALUES ('delete', ?, ?)", gone),
        ("INSERT INTO log_search (rowid, words) VALUES (?, ?)", come),
        ("INSERT INTO log_search (log_search, rank) VALUES ('merge', ?)", [(MERGED,)]),
        ("DELETE FROM search_pending WHERE site = ? AND log_id = ?", done),
    ):
        driver.executemany(statement, values).close()
    return len(done)


def forget(driver: Any, site: int, log_id: int, now: str | None) -> None:
    """
    Take a log out of the index and out of what it has yet to see, before its row goes.

    now: what Search looks into, of the log as it is; None: it is not there any more. The words stay
    in older parts of the index until `merge_all` is through.
    """
    key = (site, log_id)
    noted = driver.execute(
        "SELECT was FROM search_pending WHERE site = ? AND log_id = ?", key
    ).fetchone()
    known = now if noted is None else noted[0]
    if known is not None:
        driver.execute(
            "INSERT INTO log_search (log_search, rowid, words) VALUES ('delete', ?, ?)",
            ((site << _LOG_ID_BITS) + log_id, indexed(known)),
        ).close()
    driver.execute("DELETE FROM search_pending WHERE site = ? AND log_id = ?", key).close()


def merge_all(driver: Any, *, begins: bool) -> bool:
    """
    One step of making the index one part, without what was deleted; whether there is more to do.

    begins: for the first step (https://sqlite.org/fts5.html#the_merge_command). Some 5 ms.
    """
    sql = "INSERT INTO log_search (log_search, rank) VALUES (?, ?)"
    # Or two or three new parts, which a server makes, would keep it from going on with the old.
    driver.execute(sql, ("usermerge", 2)).close()
    before = driver.total_changes
    driver.execute(sql, ("merge", -MERGED if begins else MERGED)).close()
    has_done = driver.total_changes - before >= 2
    driver.execute(sql, ("usermerge", _USERMERGE)).close()
    return bool(has_done)


_USERMERGE: Final = 4
"""Parts of one age from which FTS5 merges them: its own default."""

_LENGTH_EACH: Final = 256
"""Characters for each log of a step. Past them it ends: words are made while other writes wait."""


@functools.cache
def _next(most: int) -> Select[Any]:
    """The SELECT of noted logs, as they were and as they are."""
    return (
        select(*_noted, _log.log_id, *_texts)
        .join_from(search_pending, customer_log, _is_noted, isouter=True)
        .limit(most)
    )


_COUNT: Final = select(func.count()).select_from(select(_noted.site).limit(10_000).subquery())


def count_noted(rows: Rows) -> int:
    """How many logs the index has yet to see, of some thousands."""
    return int(rows(_COUNT)[0][0])


def listed(values: Sequence[Any]) -> Select[Any]:
    """The SELECT of these very numbers or texts, as many as there are."""
    return select(func.json_each(json.dumps(values)).table_valued("value").c.value)


def may_have(word: str, texts: Sequence[ColumnElement[Any]]) -> ColumnElement[bool]:
    """
    Whether some texts may have a word, or one that it begins, for SQLite to pass over most rows.

    A text that is all ASCII has it as it is; whether another has it, only `finds` knows.
    """
    lengths = ((func.length(cast(text, LargeBinary)), func.length(text)) for text in texts)
    other = or_(*(octets > characters for octets, characters in lengths))
    if not word.isascii():
        return other
    return or_(*(func.instr(func.lower(text), word) > 0 for text in texts), other)


def _joined(texts: Iterable[str | None]) -> str:
    return "\n".join(filter(None, texts))


def indexed(text: str) -> str:
    """The words of a text, each once, with a blank before and after each; "" where it has none."""
    found = dict.fromkeys(words(text))
    return f" {' '.join(found)} " if found else ""


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
