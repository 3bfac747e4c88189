"""Commands of recontact, run in this process or on a terminal of their own."""

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import PATIENCE, RECONTACT, Answer, Neto, Output, clean_environ, site_of

from recontact.cli import main


@dataclass
class Ended:
    """A command that ended: its code, and what it wrote."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()


def recontact(neto: Neto, *words: object) -> Ended:
    """Run a command on a server's database, and on its site: in this process."""
    return run_here(neto.path, *words, "--site", site_of(neto))


def run_here(database: Path, *words: object, stdin: str = "") -> Ended:
    """Run a command in this process: to start a Python takes half a second."""
    argv = ["recontact", *map(str, words), "--database", f"sqlite:///{database}"]
    out, err = io.TextIOWrapper(io.BytesIO(), write_through=True), io.StringIO()
    code: Any = 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        for name in os.environ.keys() - clean_environ():
            patch.delenv(name)
        patch.setattr(sys, "stdin", io.StringIO(stdin))
        patch.setattr(sys, "argv", argv)
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
    assert isinstance(out.buffer, io.BytesIO)
    return Ended(code, out.buffer.getvalue(), err.getvalue())


def id_of(answer: Answer) -> str:
    return answer.headers["X-Request-Id"]


def on_terminal(columns: int, path: Path, *words: str) -> tuple[int, str]:
    """Run a command whose output is a terminal so wide; its code, and what it showed."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    output = Output(os.fdopen(ours, "rb", buffering=0))
    environ = clean_environ(TERM="xterm")
    environ.pop("COLUMNS", None)
    process = subprocess.Popen(
        [*RECONTACT, *words],
        cwd=path.parent,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.STDOUT,
    )
    os.close(theirs)
    code = process.wait(PATIENCE)
    return code, output.whole().replace("\r\n", "\n")


def plain(text: str) -> str:
    """Without the colours, which must be all that is sent to the terminal beside text."""
    without = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert all(line.isprintable() for line in without.split("\n")), without
    return without
