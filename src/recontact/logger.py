"""What the server says of itself: one line an event, JSON for programs, columns for people."""

import logging
import sys
from contextlib import suppress
from typing import IO, Any

import msgspec
import structlog

from recontact.clock import SYSTEM


def configure() -> None:
    """Send the events of this process, uvicorn's too, to stderr."""
    for_people = sys.stderr.isatty()
    stream: Any = _Quiet(sys.stderr if for_people else sys.stderr.buffer)
    structlog.configure(
        processors=[structlog.processors.add_log_level, _add_time, *_RENDERERS[for_people]],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        logger_factory=(
            structlog.PrintLoggerFactory(stream)
            if for_people
            else structlog.BytesLoggerFactory(stream)
        ),
    )
    logging.basicConfig(handlers=[_Passing()], level=logging.WARNING, force=True)


class _Quiet:
    """A stream whose reader may go away: what cannot be written is lost, and nobody is harmed."""

    def __init__(self, stream: IO[Any]) -> None:
        self._stream = stream

    def write(self, line: Any) -> None:
        with suppress(OSError, ValueError):
            self._stream.write(line)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


class _Passing(logging.Handler):
    """Passes what the libraries say on, so that all lines have one form."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(
            record.levelno, record.getMessage(), source=record.name, exc_info=record.exc_info
        )


def _add_time(_logger: object, _name: str, event: Any) -> Any:
    event["timestamp"] = SYSTEM.now()
    return event


def _to_json(event: Any, **_: Any) -> bytes:
    return msgspec.json.encode(event)


_RENDERERS: dict[bool, list[Any]] = {
    # Plain tracebacks: rich ones show local variables, and among them are keys and notes.
    True: [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)],
    False: [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(serializer=_to_json),
    ],
}
