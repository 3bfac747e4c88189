"""The story of docs/panel.md happens as it is told: its commands, its keys, and what is seen."""

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import PASSWORD, Neto, Served, clean_environ, served, signed_in, watched

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

DOC = (Path(__file__).parents[1] / "docs" / "panel.md").read_text()
URL = "http://127.0.0.1:8000"
EXPORT = "export KEY=rk_…"
TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


def blocks(language: str) -> list[str]:
    """The blocks of the page that are in this language."""
    return re.findall(rf"^```{language}\n(.*?)\n```$", DOC, re.DOTALL | re.MULTILINE)


def table(heading: str) -> list[list[str]]:
    """The rows of the first table under a heading, without its head."""
    section = re.split(r"^#+ ", DOC.partition(f" {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)
    rows = [line[2:-2].split(" | ") for line in section[0].splitlines() if line.startswith("| ")]
    assert len(rows) > 2, heading
    return rows[2:]


def run(command: str, **environ: str) -> str:
    """What a command of the page prints, in the shell that a person would paste it into."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        env=clean_environ(no_proxy="127.0.0.1", **environ),
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def text_of(page: "Page") -> str:
    """What can be read on a page, without the marks that isolate names and with single blanks."""
    text = re.sub(r"[\u2066-\u2069]", "", page.locator("body").inner_text())
    return re.sub(r"\s+", " ", text)


def see(page: "Page", words: str) -> None:
    """Wait until a page says this, and is ready for keys."""
    try:
        Neto.wait_for(lambda: re.search(rf"{re.escape(words)}(?!\w)", text_of(page)), 10)
    except AssertionError:
        pytest.fail(f"{page.url} does not say {words!r} but: {text_of(page)}")
    page.wait_for_load_state()


def press(page: "Page", keys: str) -> None:
    """Press keys as the page writes them down: in backticks, and within quotes what is typed."""
    for key in re.findall(r"`([^`]+)`", keys):
        if key[0] == '"':
            page.keyboard.type(key.strip('"'))
        else:
            page.keyboard.press(key.replace("Ctrl", "Control"))


def tab_to(page: "Page", id: str) -> None:
    """Press Tab until the field of that id has the focus."""
    for _ in range(30):
        if page.evaluate("document.activeElement.id") == id:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not lead to {id}")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    """A new server, as `make serve` starts one, but on a port of its own."""
    with served(tmp_path / "recontact.db") as one:
        yield one


def test_a_person_who_has_never_seen_it_gets_through(server: Served, browser: "Browser") -> None:
    """By keyboard alone, from the link to the empty queue: keys and words are the page's own."""
    Neto.wait_for(lambda: re.search(r"/setup/\S+\n", server.out.text))
    shown = blocks("text")[0].replace(URL, server.url).partition("\n")[2]
    pattern = re.escape(shown).replace("…", r"(\S+)")
    link = re.search(pattern, server.out.text)
    assert link, server.out.text
    serve, export, ten = blocks("bash")
    assert (serve, export) == ("make serve", EXPORT)

    with watched(browser) as page:
        page.goto(f"{server.url}/setup/{link[1]}")
        page.locator("#username:focus").wait_for()
        for typed in ("ana", PASSWORD, PASSWORD):
            page.keyboard.type(typed)
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        see(page, "Welcome, ana.")

        press(page, "`g` `k`")
        see(page, "New key")
        tab_to(page, "username")
        page.keyboard.type("warehouse")
        page.keyboard.press("Enter")
        see(page, "NETOAPI_KEY")
        curl, key = page.locator("#code-curl").inner_text(), page.locator("#key").input_value()
        for _ in range(15):  # a person is slower: the server looks for new keys twice a second
            answered = run(curl)
            if "[RC001]" not in answered:
                break
            time.sleep(1)  # or it is taken for somebody who guesses keys
        assert TIME.sub("", answered) == TIME.sub("", blocks("json")[0])
        page.get_by_role("link", name="Look again").press("Enter")
        see(page, "A call with this key came")
        run(ten.replace(URL, server.url), KEY=key)

        for _, keys, words in table("Ten, with the keyboard alone"):
            press(page, keys)
            see(page, words)
            if words == "Timeline":
                assert_it_says_who_changed_what(page)

        see(page, "Nothing is overdue")
    logs = [server.neto.log(one) for one in range(1, 12)]
    status = {log["CustomerName"]: log["Status"] for log in logs}
    assert status.pop("Bob Stone") == "Require Recontact"
    still = ("Beech", "Dogwood", "Elm")
    assert len(status) == 10
    assert {name for name, one in status.items() if one != "Completed"} == set(still)
    notes = {log["CustomerName"]: log["Notes"] for log in logs}
    assert notes["Dogwood"].endswith("ana, reached: Wants oak")
    assert notes["Elm"].endswith("ana, no answer: Rang twice")


def assert_it_says_who_changed_what(page: "Page") -> None:
    """That of a log which was added by the key, completed by the person, and opened by an undo."""
    assert page.locator("h1").inner_text() == "Fir"
    undone, done, added = page.locator(".timeline > li").all_inner_texts()
    assert "undo" in undone
    assert "Completed" in done
    assert "key 2, warehouse" in added
    assert "You" in page.locator("#b-status").inner_text()
    assert "Key 2, warehouse" in page.locator("#b-name").inner_text()


def test_the_page_has_the_keys_that_the_panel_shows_where_they_work(
    serve: Callable[..., AbstractContextManager[Neto]], page: "Page"
) -> None:
    told = table("The keys of the keyboard")
    assert {where for *_, where in told} == {"list", "queue", "log", "anywhere"}
    with serve() as neto:
        neto.add({"DateRequiredFollowUp": "2020-01-01"}, {"DateRequiredFollowUp": "2020-01-02"})
        signed_in(page, neto, "admin")
        for path, has in (
            ("/", ("list", "queue", "anywhere")),
            ("/logs/1?from=/", ("log", "anywhere")),
            ("/requests", ("list", "anywhere")),
            ("/settings", ("anywhere",)),
        ):
            page.goto(neto.url + path)
            page.keyboard.press("?")
            shown = page.get_by_role("dialog", name="Keyboard")
            shown.wait_for()
            keys, does = (shown.locator(tag).all_inner_texts() for tag in ("dt", "dd"))
            here = [[" ".join(key.split()), what] for key, what in zip(keys, does, strict=True)]
            assert here == [
                [key.replace("`", ""), what] for key, what, where in told if where in has
            ], path
