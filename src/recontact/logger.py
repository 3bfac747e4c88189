"""What the server says of itself: one line an event, JSON for programs, columns for people."""

import asyncio
import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any

import msgspec
import structlog

from recontact.clock import SYSTEM


class RequestLog:
    """
    The log's lines of requests, as JSON on a stream, all of one turn of the event loop at once.

    structlog takes 30 us for a line, which is a fifth of a call; this takes 4.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._lines: list[bytes] = []

    def line(self, **facts: Any) -> None:
        """Write one line soon; from the event loop."""
        if not self._lines:
            asyncio.get_running_loop().call_soon(self._flush)
        self._lines.append(_to_json(facts))

    def _flush(self) -> None:
        lines, self._lines = self._lines, []
        self._stream.write(b"\n".join(lines) + b"\n")
        self._stream.flush()


def _for_people(**facts: Any) -> None:
    structlog.get_logger().info(facts.pop("event"), **facts)


def request_log() -> Callable[..., None]:
    """What takes the facts of a request and writes its line, in the form that stderr asks for."""
    return _for_people if sys.stderr.isatty() else RequestLog(_Quiet(sys.stderr.buffer)).line


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


_encoder = msgspec.json.Encoder()


def _to_json(event: Any, **_: Any) -> bytes:
    return _encoder.encode(event)


_RENDERERS: dict[bool, list[Any]] = {
    # Plain tracebacks: rich ones show local variables, and among them are keys and notes.
    True: [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)],
    False: [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(serializer=_to_json),
    ],
}
