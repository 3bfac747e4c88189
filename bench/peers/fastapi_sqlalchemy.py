"""
What one would write in place of recontact: UpdateCustomerLog over JSON, by FastAPI and the ORM.

As their documentation shows it: a plain endpoint with a Session, pydantic models, one commit a
call. It is as durable (WAL, synchronous=FULL), and keeps a revision of each change and each call
with its bytes, as recontact does; it knows one key, no XML, and feeds no index of a search.

Run as `python fastapi_sqlalchemy.py serve --port PORT --database URL`, of a database of the bench,
whose logs it takes into a table of its own.
"""

import argparse
import hashlib
import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from time import perf_counter
from typing import Annotated, Any, Literal

import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_pascal
from sqlalchemy import JSON, Connection, Engine, ForeignKey, String, create_engine, event, text
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    relationship,
    sessionmaker,
)

# -- what is kept ----------------------------------------------------------------------------------


class Base(DeclarativeBase):
    """The tables."""


class Status(StrEnum):
    """How far a log is."""

    REQUIRE_RECONTACT = "Require Recontact"
    RECONTACTING = "Recontacting"
    COMPLETED = "Completed"


class CustomerLog(Base):
    """A record of contact with a customer."""

    __tablename__ = "log"

    log_id: Mapped[int] = mapped_column(primary_key=True)
    allocated_to: Mapped[str | None]
    follow_up_type: Mapped[str | None]
    username: Mapped[str | None] = mapped_column(index=True)
    customer_name: Mapped[str | None]
    last_contacted: Mapped[datetime | None]
    date_required_follow_up: Mapped[datetime | None] = mapped_column(index=True)
    status: Mapped[str] = mapped_column(index=True)
    notes: Mapped[str | None]
    date_added: Mapped[datetime]
    date_updated: Mapped[datetime] = mapped_column(index=True)
    revision: Mapped[int]


class Change(Base):
    """A revision of a log: old and new value of each element that changed."""

    __tablename__ = "change"

    log_id: Mapped[int] = mapped_column(ForeignKey("log.log_id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    call_id: Mapped[int] = mapped_column(ForeignKey("call.call_id"))
    changed: Mapped[dict[str, Any]] = mapped_column(JSON)


class Call(Base):
    """What came over the wire, and what was answered."""

    __tablename__ = "call"

    call_id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    action: Mapped[str] = mapped_column(String(40))
    address: Mapped[str] = mapped_column(String(64))
    ack: Mapped[str] = mapped_column(String(10))
    duration: Mapped[float]
    request: Mapped[bytes]
    answer: Mapped[bytes]
    changes: Mapped[list[Change]] = relationship()


# -- what is said ----------------------------------------------------------------------------------


class Wire(BaseModel):
    """Elements are named as the API names them: AllocatedTo."""

    model_config = ConfigDict(
        alias_generator=to_pascal, validate_by_name=True, serialize_by_alias=True
    )


class Item(Wire):
    """The elements of one log to set; those that are not sent stay as they are."""

    log_id: Annotated[int, Field(alias="LogID", ge=1)]
    allocated_to: Annotated[str | None, Field(max_length=100)] = None
    follow_up_type: Annotated[str | None, Field(max_length=50)] = None
    customer_name: Annotated[str | None, Field(max_length=50)] = None
    last_contacted: datetime | None = None
    date_required_follow_up: datetime | Literal[""] | None = None
    status: Status | None = None
    notes: Annotated[str | None, Field(max_length=65_535)] = None


class Items(Wire):
    """A list, as the API wraps it."""

    customer_log: list[Item]


class Update(Wire):
    """The body of a call."""

    customer_logs: Items


class Problem(Wire):
    """Why an item was not applied."""

    message: str
    severity_code: str = "Error"


class Answer(Wire):
    """The answer of a call."""

    current_time: datetime
    ack: str
    problems: list[Problem]


# -- the service -----------------------------------------------------------------------------------

KEY_HASH = hashlib.sha256(b"rk_the_key_of_the_bench_0123456789").digest()  # seeding.KEY

app = FastAPI(strict_content_type=False)  # clients of the API send none
make_session = sessionmaker()


def get_session() -> Iterator[Session]:
    """A session for a call."""
    with make_session() as session:
        yield session


def check_key(
    key: Annotated[str, Header(alias="NETOAPI_KEY")],
    action: Annotated[str, Header(alias="NETOAPI_ACTION")],
) -> None:
    """Let nobody in without the key."""
    if not secrets.compare_digest(hashlib.sha256(key.encode()).digest(), KEY_HASH):
        raise HTTPException(401, "unknown key")
    if action != "UpdateCustomerLog":
        raise HTTPException(400, "unknown action")


async def get_body(request: Request) -> bytes:
    """The bytes that came."""
    return await request.body()


@app.post("/do/WS/NetoAPI", dependencies=[Depends(check_key)])
def update_customer_log(
    update: Update,
    request: Request,
    body: Annotated[bytes, Depends(get_body)],
    session: Annotated[Session, Depends(get_session)],
) -> Response:
    """Set the elements that were sent, of each log that there is."""
    started, now = perf_counter(), datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    problems, changes = [], []
    for item in update.customer_logs.customer_log:
        log = session.get(CustomerLog, item.log_id)
        if log is None:
            problems.append(Problem(message=f"Cannot find CustomerLog {item.log_id}"))
        elif changed := amend(log, item):
            log.date_updated = now
            log.revision += 1
            changes.append(Change(log_id=log.log_id, number=log.revision, at=now, changed=changed))
    answer = Answer(current_time=now, ack="Error" if problems else "Success", problems=problems)
    written = answer.model_dump_json()
    session.add(
        Call(
            at=now,
            action="UpdateCustomerLog",
            address=request.client.host if request.client else "",
            ack=answer.ack,
            duration=perf_counter() - started,
            request=body,
            answer=written.encode(),
            changes=changes,
        )
    )
    session.commit()
    return Response(written, media_type="application/json")


def amend(log: CustomerLog, item: Item) -> dict[str, tuple[Any, Any]]:
    """Set what was sent; old and new value of each element that changed."""
    changed = {}
    for name in item.model_fields_set - {"log_id"}:
        old, sent = getattr(log, name), getattr(item, name)
        new = None if sent == "" else sent
        if sent is not None and new != old:
            setattr(log, name, new)
            changed[name] = (old, new)
    return changed


# -- the database ----------------------------------------------------------------------------------


def open_database(url: str, connections: int | None) -> Engine:
    """
    An engine whose commits are on the disk, and whose transactions do not overlap.

    connections: None: the pool of SQLAlchemy's defaults, 15, of which one waits for another's lock.
    """
    engine = create_engine(
        url,
        connect_args={"timeout": 30},
        json_serializer=partial(json.dumps, default=str),
        **({"pool_size": connections, "max_overflow": 0} if connections else {}),
    )

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # `begin` begins, as SQLAlchemy's page on SQLite advises
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


COPY = """
INSERT INTO log (
    log_id, allocated_to, follow_up_type, username, customer_name, last_contacted,
    date_required_follow_up, status, notes, date_added, date_updated, revision
) SELECT
    log_id, allocated_to, follow_up_type, username, customer_name,
    datetime(last_contacted, 'unixepoch'),
    coalesce(datetime(follow_up_at, 'unixepoch'), follow_up_day || ' 00:00:00'),
    status, notes, datetime(date_added, 'unixepoch'), datetime(date_updated, 'unixepoch'), revision
FROM customer_log
"""


def main() -> None:
    """Take over the logs, and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("--port", type=int)
    parser.add_argument("--database")
    parser.add_argument("--connections", type=int)
    options = parser.parse_args()
    engine = open_database(options.database, options.connections)
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(text(COPY))
    make_session.configure(bind=engine)
    uvicorn.run(app, port=options.port)


if __name__ == "__main__":
    main()
