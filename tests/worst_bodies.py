"""
The worst bodies under the limit of 8 MiB, and what it takes to decode them.

Run as a program it prints a line of JSON for each: its name, the MiB by which a process grows at
most, and the seconds of CPU.
"""

import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable

from recontact import actions, wire
from recontact.fields import ADD_CUSTOMER, ADD_CUSTOMER_LOG
from recontact.messages import RefusedError

MIB = 1024 * 1024
LIMIT = 8 * MIB
ELEMENTS = wire.Limits().elements
MANY = ELEMENTS - 72
"""Nearly as many elements as may be: each of them has room for 64 bytes."""
FACE = "\U0001f600"
"""With one such character in it Python keeps a text in four bytes for each of its characters."""


def filled(before: str, piece: str, after: str, most: int = LIMIT) -> bytes:
    """`before`, the piece as often as there is room and no more often than `most`, and `after`."""
    start, middle, end = before.encode(), piece.encode(), after.encode()
    times = min((LIMIT - len(start) - len(end)) // len(middle), most)
    return b"".join([start, middle * times, end])


def numbered(before: str, make: Callable[[int], str], after: str, times: int) -> bytes:
    body = "".join([before, *map(make, range(times)), after]).encode()
    assert len(body) <= LIMIT
    return body


_XML_NOTE = f"<u><CustomerLogs><CustomerLog>{{}}<Notes>{FACE}"
_XML_END = "</Notes></CustomerLog></CustomerLogs></u>"
_JSON_NOTE = f'{{{{"CustomerLogs":{{{{"CustomerLog":{{{{{{}}"Notes":"{FACE}'
_LATIN_1 = b"<?xml version='1.0' encoding='iso-8859-1'?><u>"

WORST: dict[str, Callable[[], bytes]] = {
    # Too many: refused before any is made.
    "XML, elements": lambda: filled("<u>", "<a/>", "</u>"),
    "XML, elements in elements": lambda: filled("<u>", "x<a>y<b/>z</a>", "</u>"),
    "XML, items": lambda: filled("<u><CustomerLogs>", "<CustomerLog/>", "</CustomerLogs></u>"),
    "XML, attributes": lambda: numbered("<u ", lambda n: f"a{n:x}='' ", "/>", 750_000),
    "XML, elements with attributes": lambda: filled("<u>", "<a b='c'/>", "</u>"),
    "XML, never closed": lambda: filled("<u>", "<a>", ""),
    "XML, UTF-16": lambda: f"<u>{'<a/>' * (LIMIT // 8 - 9)}</u>".encode("utf-16"),
    "JSON, arrays": lambda: filled('{"a":[', "[],", "1]}"),
    "JSON, objects": lambda: filled('{"a":[', '{"":{}},', "1]}"),
    "JSON, numbers": lambda: filled('{"a":[', "1.0,", "1]}"),
    "JSON, items": lambda: filled('{"CustomerLogs":[', "{},", "1]}"),
    "JSON, a lone surrogate first": lambda: filled('{"b":"\\ud800","a":[', "{},", "1]}"),
    "JSON, never closed": lambda: filled('{"a":[', "{},", ""),
    # As many as may be, and as large as there is room for.
    "XML, all that may be": lambda: numbered(
        "<u>", lambda n: f"x<a{n:05x}\U00010000>{'y' * 33}{FACE}</a{n:05x}\U00010000>", "</u>", MANY
    ),
    "XML, passwords": lambda: filled(
        "<u>", f"x<password>{'y' * 34}{FACE}</password>", "</u>", MANY
    ),
    "JSON, all that may be": lambda: numbered(
        '{"x":0', lambda n: f',"{n:05x}{FACE}{"y" * 12}":"{"z" * 30}{FACE}"', "}", MANY
    ),
    "JSON, passwords": lambda: filled(
        '{"a":[', f'{{"password":"{"y" * 105}{FACE}"}},', "1]}", MANY // 2
    ),
    # Few, and large.
    "XML, a text": lambda: filled(_XML_NOTE.format(""), "x", _XML_END),
    "XML, a text and a password": lambda: filled(
        _XML_NOTE.format("<Password>x</Password>"), "x", _XML_END
    ),
    "XML, a text in UTF-16": lambda: f"<u>{FACE}{'x' * (LIMIT // 2 - 12)}</u>".encode("utf-16"),
    "XML, a text in Latin-1": lambda: _LATIN_1 + b"\xe9" * (LIMIT - 60) + b"</u>",
    "XML, CDATA": lambda: filled("<u>", "<![CDATA[x]]>", "</u>"),
    "XML, comments and a password": lambda: filled("<u><password>x</password>", "<!---->", "</u>"),
    "XML, instructions before the root": lambda: filled("", "<?a?>", "<u/>"),
    "XML, blanks before the root": lambda: filled("<?a?>", "\n", "<u/>"),
    "XML, comments never closed": lambda: filled("<u>", "<!--", ""),
    "XML, CDATA never closed": lambda: filled("<u>", "<![CDATA[", ""),
    "XML, quotes never closed": lambda: filled("<u>", "<a b='\"", ""),
    "XML, references to nothing": lambda: filled("<u>", "&", "</u>"),
    "XML, signs in a text": lambda: filled("<u>", "=", "</u>"),
    "XML, a long name": lambda: filled("<", "n", "/>"),
    "XML, long names": lambda: filled("<u>", f"<{'n' * 50_000}/>", "</u>"),
    "XML, a long namespace": lambda: filled(f"<u xmlns='{'n' * 4 * MIB}'>", "<a/>", "</u>", MANY),
    "XML, many namespaces": lambda: numbered(
        "<u ", lambda n: f"xmlns:a{n}='b' ", f">{'<a0:a/><a64999:a/>' * 32_000}</u>", 65_000
    ),
    "JSON, a text": lambda: filled(_JSON_NOTE.format(""), "x", '"}}}'),
    "JSON, a text and a password": lambda: filled(
        _JSON_NOTE.format('"Password":"x",'), "x", '"}}}'
    ),
    "JSON, a text, a password and a lone surrogate": lambda: filled(
        _JSON_NOTE.format('"Password":"x","A":"\\ud800",'), "x", '"}}}'
    ),
    "JSON, escaped letters and a password": lambda: filled('{"password":1,"a":"', "\\u0070", '"}'),
    "JSON, signs in a text": lambda: filled('{"a":"', ",", '"}'),
    "JSON, signs in many texts": lambda: filled('{"a":[', f'"{"," * 60}",', "1]}", MANY),
    "JSON, quotes": lambda: filled('{"a":', '""', "}"),
    "JSON, backslashes": lambda: filled('{"', "\\", ""),
    "JSON, a number": lambda: filled('{"a":', "1", "}"),
    "blanks": lambda: b" " * LIMIT,
    "NULs": lambda: b"\xff\xfe" + bytes(LIMIT - 2),
    "customers without a right value": lambda: wrong_customers(1_000),
}


def wrong_customers(items: int) -> bytes:
    """Customers of whose hundred elements none has a value that can be read."""
    wrong = {
        name: dict.fromkeys(field.parts, True) if field.parts else True
        for name, field in ADD_CUSTOMER.item.items()
    }
    return json.dumps({"Customer": [wrong] * items}).encode()


def measure(body: bytes) -> tuple[float, float]:
    """MiB by which this process grows at most while it decodes the body, and seconds of CPU."""
    shape = ADD_CUSTOMER if body.startswith(b'{"Customer"') else ADD_CUSTOMER_LOG
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    try:
        call = wire.decode(body, shape, actions=actions.ACTIONS)
        wire.without_passwords(body, call.format, wire.Limits().nesting)
    except RefusedError:
        pass
    seconds = time.process_time() - began
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return grown * (1 if sys.platform == "darwin" else 1_024) / MIB, seconds


def in_a_child(do: Callable[[], object]) -> None:
    if not os.fork():
        do()
        sys.stdout.flush()
        os._exit(0)
    assert os.wait()[1] == 0


def main() -> None:
    for name, make in WORST.items():
        with tempfile.TemporaryFile() as file:
            # Whoever made it has touched more memory than it takes to decode it.
            in_a_child(lambda file=file, make=make: (file.write(make()), file.flush()))
            file.seek(0)
            in_a_child(
                lambda file=file, name=name: print(json.dumps([name, *measure(file.read())]))
            )


if __name__ == "__main__":
    main()
