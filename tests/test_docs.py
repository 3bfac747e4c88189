"""The README does what it says: its commands run, from top to bottom, and answer as shown."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
from conftest import PATIENCE, Neto, Output, clean_environ
from test_cli import run_all

from recontact.store.sqlite import claim

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "THIRD_PARTY.md")),
    *(
        ROOT / "docs" / name
        for name in ("why.md", "security.md", "performance.md", "history.md", "panel.md")
    ),
]

URL = "http://127.0.0.1:8000"
SERVE, TEST, EXPORT = "make serve", "make test", "export KEY=rk_…"


@dataclass
class Block:
    """One fenced block of a page."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page} line {self.line}: {self.text.splitlines()[0]}"

    @property
    def is_command(self) -> bool:
        return self.language in ("bash", "python")


def blocks_of(page: str) -> list[Block]:
    text = (ROOT / page).read_text()
    return [
        Block(page, text[: found.start()].count("\n") + 1, found[1], found[2])
        for found in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    ]


BLOCKS = blocks_of("README.md")


def answer_of(command: Block, blocks: list[Block] = BLOCKS) -> Block | None:
    """The block that shows what a command answers: the one that follows it."""
    following = blocks[blocks.index(command) + 1 :]
    return following[0] if following and not following[0].is_command else None


# -- a server, run as the README says --------------------------------------------------------------


@dataclass
class Shell:
    """Runs commands of the README in the checkout, beside the server that `make serve` runs."""

    url: str
    environ: dict[str, str]

    def run(self, block: Block) -> str:
        text = block.text.replace(URL, self.url)
        command = ["bash", "-euo", "pipefail"] if block.language == "bash" else [sys.executable]
        done = subprocess.run(
            [*command, "-c", text],
            cwd=ROOT,
            env=self.environ,
            capture_output=True,
            encoding="utf-8",
            timeout=2 * PATIENCE,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stderr}"
        return done.stdout


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Another database than the README's, and nothing of the `make` that runs this test."""
    kept = clean_environ(
        HOME=str(tmp_path),
        RECONTACT_DATABASE=f"sqlite:///{tmp_path / 'recontact.db'}",
        PYTHONUTF8="1",
        no_proxy="127.0.0.1",
    )
    of_make = ("ARGS", "MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS")
    return {name: value for name, value in kept.items() if name not in of_make}


@contextmanager
def make_serve(environ: dict[str, str]) -> Iterator[Output]:
    """What `make serve` prints, while it runs; ended by Ctrl-C, and gone with all it started."""
    process = subprocess.Popen(
        # -o: .venv is taken as it is; to set it up anew would pull it from under the tests.
        [*shlex.split(SERVE), "-o", ".venv/ok", "ARGS=--port 0"],
        cwd=ROOT,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout
    assert process.stderr
    out, err = Output(process.stdout), Output(process.stderr)
    try:
        Neto.wait_for(lambda: out.text.count("\n") > 1 or process.poll() is not None)
        assert process.poll() is None, err.whole()
        yield out
        os.killpg(process.pid, signal.SIGINT)  # as the terminal does: to make and the server
        process.wait(PATIENCE)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def without_times(text: str) -> str:
    return re.sub(r"(CurrentTime\W+)\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", r"\1…", text)


def normal(language: str, text: str) -> str:
    """An answer without the times, and without the line breaks that the README adds."""
    text = without_times(text)
    if language == "json":
        return json.dumps(json.loads(text))
    if language == "xml":
        return ElementTree.canonicalize(text, strip_text=True)
    return text


def matches(shown: str, printed: str) -> bool:
    """Whether the README shows what was printed, with `…` for any text within a line."""
    pattern = re.escape(shown.strip()).replace("…", ".+")
    return re.fullmatch(pattern, printed.strip()) is not None


def test_every_command_of_the_readme_runs_and_answers_as_shown(environ: dict[str, str]) -> None:
    (serve,) = (block for block in BLOCKS if block.text.strip() == SERVE)
    assert EXPORT in [block.text.strip() for block in BLOCKS]
    shown = answer_of(serve)
    assert shown

    with make_serve(environ) as out:
        Neto.wait_for(lambda: "curl" in out.text)
        url, database = re.findall(r"listens on (\S+) and keeps (\S+)", out.text)[0]
        as_by_default = out.text.replace(url, URL).replace(database, "sqlite:///recontact.db")
        assert matches(shown.text, as_by_default), out.text

        (key,) = re.findall(r"^  (rk_\S+)$", out.text, re.MULTILINE)
        shell = Shell(url, environ | {"KEY": key})
        for block in BLOCKS:
            if not block.is_command or block.text.strip() in (SERVE, TEST, EXPORT):
                continue
            answered = shell.run(block)
            if answer := answer_of(block):
                language = answer.language
                assert normal(language, answered) == normal(language, answer.text), str(block)

    # Nobody serves it any more; the port may be another's by now.
    claim(Path(environ["RECONTACT_DATABASE"].removeprefix("sqlite:///"))).close()
    with make_serve(environ) as again:  # on the same file, so with the keys that it has
        Neto.wait_for(lambda: "listens on" in again.text)
        assert "first key" not in again.text


# -- the story of docs/history.md ----------------------------------------------------------------

ID = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"
TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
VARYING = re.compile(rf"{ID}|{TIME}(?:\.\d{{3}} UTC, [\d,]+\.\d ms)?")


def learn(shown: str, printed: str) -> dict[str, str]:
    """The ids and times that were printed, by those that the page shows in their place."""
    known = VARYING.findall(shown)
    pattern = VARYING.sub("VARYING", shown)
    pattern = re.escape(pattern).replace("VARYING", f"({VARYING.pattern})")
    found = re.fullmatch(pattern, printed)
    assert found, f"{shown}\n--- but it printed\n{printed}"
    return dict(zip(known, found.groups(), strict=True))


def without_blanks_at_ends(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def test_the_story_of_the_history_happens_as_it_is_told(
    environ: dict[str, str], tmp_path: Path
) -> None:
    """Each command of docs/history.md runs, one after the other, and prints what it shows."""
    blocks = blocks_of("docs/history.md")
    real: dict[str, str] = {}
    with make_serve(environ) as out:
        Neto.wait_for(lambda: "curl" in out.text)
        (url,) = re.findall(r"listens on (\S+)", out.text)
        (key,) = re.findall(r"^  (rk_\S+)$", out.text, re.MULTILINE)
        kept = tmp_path / "environ"
        shell = Shell(url, environ | {"KEY": key})
        for block in filter(lambda block: block.is_command, blocks):
            command = block.text
            for told, learnt in real.items():
                command = command.replace(told, learnt)
                if re.fullmatch(ID, told):  # its beginning too; here all came in one minute
                    command = command.replace(told[:13], learnt[:18])
            # What is exported is there for the next, as in one terminal; and a second passes.
            command += f"\nenv -0 > {shlex.quote(str(kept))}\nsleep 1.1"
            command = "set +o pipefail\n" + command  # head takes what it wants, and goes
            printed = shell.run(Block(block.page, block.line, block.language, command))
            lines = kept.read_text().split("\0")
            shell.environ |= dict(line.split("=", 1) for line in lines if line)
            if answer := answer_of(block, blocks):
                shown, printed = map(without_blanks_at_ends, (answer.text, printed))
                real |= learn(shown, printed)
    assert len(real) > 3


# -- what the pages name is there --------------------------------------------------------------


def test_the_readme_shows_an_answer_for_each_call() -> None:
    calls = [block for block in BLOCKS if "/do/WS/NetoAPI" in block.text and block.is_command]

    assert len(calls) > 8
    assert [str(block) for block in calls if answer_of(block) is None] == []


def test_each_make_target_that_the_readme_names_is_in_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    named = set(re.findall(r"\bmake ([a-z-]+)", README))

    assert {SERVE, TEST} <= {f"make {name}" for name in named}
    assert named <= targets


def test_each_command_that_the_readme_names_is_in_the_help(tmp_path: Path) -> None:
    code = "\n".join([*re.findall(r"`([^`\n]+)`", README), *(block.text for block in BLOCKS)])
    named = {
        tuple(words.split())
        for words in re.findall(
            r"\brecontact ((?:(?:customer|db|journal|key|log|site|staff|undo) )?[a-z]+)", code
        )
    }

    assert named >= {("serve",), ("key", "create"), ("key", "list"), ("key", "revoke")}
    pages = run_all(tmp_path, *((*group, "--help") for *group, _ in named))
    for (*_, command), page in zip(named, pages, strict=True):
        assert page.returncode == 0
        assert re.search(rf"^\W*{command}\b", page.stdout, re.MULTILINE), command


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_link_to_a_file_or_a_heading_resolves(page: Path) -> None:
    text = page.read_text()
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    for target in links + re.findall(r'\bsrc(?:set)?="([^"]+)"', text):
        if urlsplit(target).scheme:
            continue
        name, _, anchor = target.partition("#")
        linked = page.parent / name if name else page
        assert linked.is_file(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", linked.read_text(), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings]


def test_the_changelog_says_what_is_unreleased_one_sentence_a_line() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    section = changelog.partition("\n## Unreleased\n")[2].partition("\n## ")[0]

    kinds = re.findall(r"^### (.*)$", section, re.MULTILINE)
    lines = [line for line in section.splitlines() if line and not line.startswith("###")]

    assert kinds
    assert set(kinds) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert lines
    assert [line for line in lines if not re.fullmatch(r"- \S.*\.", line)] == []


def test_each_decision_has_a_date_and_what_was_refused() -> None:
    why = (ROOT / "docs/why.md").read_text()

    decisions = re.split(r"^### ", why, flags=re.MULTILINE)[1:]

    assert decisions
    for decision in decisions:
        title, text = decision.split("\n", 1)
        assert re.match(r"\n\d{4}-\d\d-\d\d\. ", text), title
        assert "Refused: " in text.replace("\n", " "), title


def test_each_promise_names_tests_that_are_there() -> None:
    page = (ROOT / "docs/security.md").read_text()
    promises = [
        line for line in page.splitlines() if line.startswith("| ") and "shown by" not in line
    ]
    assert len(promises) > 15
    for promise in promises:
        shown_by = promise.rsplit(" | ", 1)[1]
        named = re.findall(r"`(tests/\w+\.py)(?:::(\w+))?`", shown_by)
        assert named or "tests/" in shown_by, promise
        for file, test in named:
            assert (ROOT / file).is_file(), file
            assert not test or f"def {test}(" in (ROOT / file).read_text(), test
