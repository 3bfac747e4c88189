"""The command line, run as people and scripts run it: in processes of its own."""

import json
import os
import pty
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import (
    KEY,
    KEYS_EVERY,
    PATIENCE,
    RECONTACT,
    Neto,
    Output,
    Served,
    clean_environ,
    served,
)

from recontact.config import Config, SettingError, load
from recontact.store import keys, open_store

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(database: Path) -> Run:
    """
    Run a command in a folder with the database that commands take by default.

    `run("key", "list", PORT="80")` sets RECONTACT_PORT.
    """

    def run(*words: str, **ours: str) -> subprocess.CompletedProcess[str]:
        environ = {f"RECONTACT_{name}": value for name, value in ours.items()}
        return subprocess.run(
            [*RECONTACT, *words],
            cwd=database.parent,
            env=clean_environ(**environ) | {"COLUMNS": "200"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    return run


# Commands one after the other in one process: half a second each is what starting Python takes.
ONE_AFTER_THE_OTHER = """
import contextlib, io, json, sys, traceback
from recontact.cli import main
ended = []
for words in json.loads(sys.argv[1]):
    out, err = (io.TextIOWrapper(io.BytesIO(), write_through=True) for _ in range(2))
    sys.argv = ["recontact", *words]
    code = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as exit:
            code = exit.code or 0
        except BaseException:
            traceback.print_exc()
            code = 1
    ended.append([words, code, *(one.buffer.getvalue().decode() for one in (out, err))])
print(json.dumps(ended))
"""


def run_all(folder: Path, *commands: tuple[str, ...]) -> list[subprocess.CompletedProcess[str]]:
    """Run commands in one process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", ONE_AFTER_THE_OTHER, json.dumps(commands)],
        cwd=folder,
        env=clean_environ() | {"COLUMNS": "200"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [subprocess.CompletedProcess(*one) for one in json.loads(done.stdout)]


def made(run: Run, *words: str) -> str:
    """A key that `key create` makes."""
    done = run("key", "create", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def listed(run: Run, *words: str) -> list[dict[str, Any]]:
    done = run("key", "list", "--json", *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def failed(done: subprocess.CompletedProcess[str], code: int, *said: str) -> None:
    """It ended with that code and a sentence that says this, and nothing else."""
    assert done.returncode == code, done
    assert "Traceback" not in done.stderr
    for words in said:
        assert words in done.stderr
    assert done.stdout == ""


def shop(neto: Neto, key: str) -> int:
    """The HTTP status that a key gets."""
    return neto.post("GetCustomerLog", b"{}", {"NETOAPI_KEY": key}).status


def within_a_second(done: Callable[[], Any]) -> None:
    """As SPEC §10 says of keys; but how long a busy machine takes for that is not looked at."""
    assert KEYS_EVERY < 1
    Neto.wait_for(done)


# -- serve: the first start and the next -------------------------------------------------------


def first_start(path: Path, **environ: str) -> Any:
    """`recontact serve` on a new file; a first key that is given replaces the one of all tests."""
    return served(path, **({"RECONTACT_FIRST_KEY": ""} | environ))


def the_curl_line(printed: str) -> str:
    (line,) = [line for line in printed.splitlines() if line.strip().startswith("curl")]
    return line


def test_the_first_start_prints_a_key_and_a_curl_line_that_works(tmp_path: Path) -> None:
    with first_start(tmp_path / "new.db") as server:
        Neto.wait_for(lambda: "curl" in server.out.text and server.out.text.endswith("\n"))
        printed = server.out.text
        (key,) = set(re.findall(r"(?<![\w-])rk_[\w-]{43}", printed))
        answer = subprocess.run(
            ["bash", "-c", the_curl_line(printed)],
            env=clean_environ(),
            capture_output=True,
            timeout=PATIENCE,
        )
        assert shop(server.neto, key) == 200
        assert server.stop() == 0

    assert server.url in printed.splitlines()[0]
    assert answer.returncode == 0
    assert json.loads(answer.stdout)["Ack"] == "Success"
    assert json.loads(answer.stdout)["CustomerLog"] == [{"LogID": "1"}]
    assert key not in server.err.whole()


def test_a_first_key_that_is_given_is_never_printed(tmp_path: Path) -> None:
    given = "chosen $HOME 'by' hand 1"
    with first_start(tmp_path / "new.db", RECONTACT_FIRST_KEY=f" {given}\n") as server:
        Neto.wait_for(lambda: "curl" in server.out.text)
        answer = subprocess.run(
            ["bash", "-c", the_curl_line(server.out.text)],
            env=clean_environ(RECONTACT_FIRST_KEY=given),
            capture_output=True,
            timeout=PATIENCE,
        )
        assert shop(server.neto, given) == 200
        assert server.stop() == 0

    assert json.loads(answer.stdout)["Ack"] == "Success"
    printed = server.out.whole() + server.err.whole()
    assert given not in printed
    assert not re.search(r"(?<![\w-])rk_", printed)


def test_a_first_key_that_is_short_is_refused_and_no_key_is_made(run: Run) -> None:
    database = "sqlite:///new.db"
    short = run("serve", "--port", "0", "--database", database, FIRST_KEY="x" * 19)
    failed(short, 2, "RECONTACT_FIRST_KEY", "20 characters")

    empty = run("key", "list", "--json", "--database", database)
    assert json.loads(empty.stdout) == []


def test_a_first_key_of_20_characters_will_do(tmp_path: Path) -> None:
    with first_start(tmp_path / "new.db", RECONTACT_FIRST_KEY="x" * 20) as server:
        assert shop(server.neto, "x" * 20) == 200


def test_the_second_start_prints_no_key_and_takes_no_other(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    with first_start(path) as server:
        Neto.wait_for(lambda: "curl" in server.out.text)
        (key,) = set(re.findall(r"(?<![\w-])rk_[\w-]{43}", server.out.text))
        server.stop()

    other = "another key that nobody made"
    with first_start(path, RECONTACT_FIRST_KEY=other) as server:
        assert shop(server.neto, key) == 200
        assert shop(server.neto, other) == 401
        server.stop()
    assert not re.search(r"(?<![\w-])rk_", server.out.whole())
    assert "curl" not in server.out.whole()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_can_be_stopped_as_soon_as_it_says_where_it_listens(
    database: Path, how: signal.Signals
) -> None:
    with subprocess.Popen(
        [*RECONTACT, "serve", "--port", "0", "--database", f"sqlite:///{database}"],
        cwd=database.parent,
        env=clean_environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            assert process.stdout
            assert b"listens on" in process.stdout.readline()
            process.send_signal(how)
            _, err = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()

    assert (process.returncode, err) == (0, b"")


def test_python_m_recontact_and_the_command_are_the_same(tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("recontact")
    one, two = (
        subprocess.run(
            [*start, "--version"],
            cwd=tmp_path,
            env=clean_environ(),
            capture_output=True,
            timeout=PATIENCE,
        )
        for start in (RECONTACT, (command,))
    )
    assert (one.returncode, one.stdout) == (two.returncode, two.stdout)


# -- serve: what keeps it from starting --------------------------------------------------------


def test_a_port_in_use_is_said(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        failed(run("serve", "--port", port), 1, f"127.0.0.1 port {port}", "in use", "--port")


def test_a_database_that_is_served_already_is_said_with_the_process(
    database: Path, run: Run
) -> None:
    with served(database) as server:
        second = run("serve", "--port", "0", "--database", f"sqlite:///{database}")
        failed(second, 1, "served already", str(server.process.pid))
        assert server.neto.add({"Notes": "undisturbed"}) == [1]
        server.process.kill()
        server.process.wait()
    with served(database) as server:  # the lock of one that was killed is gone
        assert server.neto.add({"Notes": "after"}) == [2]


def a_folder_that_may_not_be_written(tmp_path: Path) -> Path:
    if os.geteuid() != 0:
        folder = tmp_path / "locked"
        folder.mkdir()
        folder.chmod(0o500)
        return folder
    return Path("/proc")  # where even root may not


def test_a_database_that_cannot_be_opened_is_said_and_left_alone(tmp_path: Path) -> None:
    folder, letter, foreign = (tmp_path / name for name in ("folder", "letter", "foreign.db"))
    folder.mkdir()
    letter.write_bytes(b"a letter to somebody, that is no database. " * 200)
    with closing(sqlite3.connect(foreign)) as file:
        file.execute("CREATE TABLE moz_places (url)")
    locked = a_folder_that_may_not_be_written(tmp_path)
    paths = [tmp_path / "nowhere" / "x.db", locked / "x.db", folder, letter, foreign]
    before = [path.read_bytes() for path in (letter, foreign)]

    commands = [("key", "list"), ("serve", "--port", "0")]
    done = run_all(
        tmp_path,
        *((*command, "--database", f"sqlite:///{path}") for path in paths for command in commands),
    )

    for one in done:
        failed(one, 1, one.args[-1].removeprefix("sqlite:///"))
    assert [path.read_bytes() for path in (letter, foreign)] == before


def test_a_variable_that_is_no_database_is_wrong_use(run: Run) -> None:
    failed(run("serve", "--port", "0", DATABASE="shop.db"), 2, "sqlite:///")


@pytest.mark.parametrize("name", ["a b#c.db", "schöne%20.db?mode=ro"])
def test_a_file_may_have_any_name(run: Run, tmp_path: Path, name: str) -> None:
    key = made(run, "--database", f"sqlite:///{name}")
    assert (tmp_path / name).is_file()

    with served(tmp_path / name) as server:
        assert shop(server.neto, key) == 200


# -- key ---------------------------------------------------------------------------------------


def test_key_create_prints_the_key_alone_and_list_never_shows_it(run: Run, tmp_path: Path) -> None:
    new = ("--database", "sqlite:///new.db")  # whichever command comes first makes it
    key = made(run, *new)  # alone, as scripts read it
    created, table, listing = run_all(
        tmp_path,
        ("key", "create", *new, "--username", "ana", "--may", "read", "--expires", "90d"),
        ("key", "list", *new),
        ("key", "list", "--json", *new),
    )
    users = created.stdout.strip()

    assert re.fullmatch(r"rk_[\w-]{43}", key)
    for shown in (table, listing):
        assert (shown.returncode, shown.stderr) == (0, "")
        for secret in (key, users):
            assert secret[10:] not in shown.stdout
    one, two = json.loads(listing.stdout)
    assert one["starts"].startswith(key[:5])
    assert len(one["starts"]) < 12
    assert {name: one[name] for name in ("key", "username", "may", "state", "expires")} == {
        "key": 1,
        "username": "",
        "may": "read,write",
        "state": "valid",
        "expires": "",
    }
    assert (two["key"], two["username"], two["may"], two["state"]) == (2, "ana", "read", "valid")
    assert "ana" in table.stdout.splitlines()[2]
    assert "\x1b" not in table.stdout, "colours in a file"


def test_key_list_of_a_new_database_says_what_to_do(tmp_path: Path) -> None:
    (done,) = run_all(tmp_path, ("key", "list"))

    assert done.returncode == 0
    assert "recontact key create" in done.stdout


def test_key_list_shows_a_username_as_it_is(database: Path) -> None:
    usernames = ["[b]ana", "[/x]", ":smile:", "Ána Żółć", "x" * 300]
    now = datetime.now(UTC)
    with (
        closing(open_store(f"sqlite:///{database}", now=lambda: now)) as store,
        store.begin() as connection,
    ):
        site = keys.find_site(connection, None)
        for username in usernames:
            keys.add_key(connection, site, keys.new_key(), now=now, username=username)

    listing, table = run_all(database.parent, ("key", "list", "--json"), ("key", "list"))

    assert [key["username"] for key in json.loads(listing.stdout)] == ["", *usernames]
    assert (table.returncode, table.stderr) == (0, "")
    for username in usernames[:-1]:
        assert username in table.stdout


def test_a_running_server_takes_up_new_and_revoked_keys_within_a_second(
    run: Run, database: Path
) -> None:
    at = ("--database", f"sqlite:///{database}")
    with served(database) as server:
        key = made(run, *at)
        within_a_second(lambda: shop(server.neto, key) == 200)
        revoked = run("key", "revoke", "2", *at)
        assert (revoked.returncode, revoked.stderr) == (0, "")
        within_a_second(lambda: shop(server.neto, key) == 401)
        assert shop(server.neto, KEY) == 200

    assert [key["state"] for key in listed(run, *at)] == ["valid", "revoked"]


def test_a_key_is_revoked_once(database: Path) -> None:
    first, second = run_all(database.parent, *[("key", "revoke", "1")] * 2)

    assert (first.returncode, first.stderr) == (0, "")
    failed(second, 1, "no valid key 1")


def test_when_a_key_was_last_used_is_there_after_the_stop(run: Run, database: Path) -> None:
    made(run)
    before = datetime.now(UTC).replace(microsecond=0)
    with served(database) as server:
        assert shop(server.neto, KEY) == 200
        assert server.stop() == 0
    after = datetime.now(UTC)

    used, other = listed(run)
    assert other["last used"] == ""
    assert before <= datetime.fromisoformat(used["last used"] + "+00:00") <= after


ENDS = {
    "90d": timedelta(days=90),
    "2099-01-31": "2099-01-31 00:00:00",
    "2099-01-31T08:30:00+10:00": "2099-01-30 22:30:00",
}


def test_a_key_ends_when_it_is_told_to(database: Path) -> None:
    before = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    creations = [("key", "create", "--expires", given) for given in ENDS]
    *_, listing = run_all(database.parent, *creations, ("key", "list", "--json"))
    after = datetime.now(UTC).replace(tzinfo=None)

    found = [key["expires"] for key in json.loads(listing.stdout)][1:]
    for end, expected in zip(found, ENDS.values(), strict=True):
        if isinstance(expected, str):
            assert end == expected
        else:
            assert before + expected <= datetime.fromisoformat(end) <= after + expected


def test_a_key_may_do_what_it_was_made_for(database: Path) -> None:
    rights = ("read", "write", "write, read")
    done = run_all(database.parent, *(("key", "create", "--may", one) for one in rights))
    made_for = {one: created.stdout.strip() for one, created in zip(rights, done, strict=True)}
    may = {}
    with served(database) as server:
        for one, key in made_for.items():
            written = server.neto.post("UpdateCustomerLog", b"{}", {"NETOAPI_KEY": key})
            may[one] = (shop(server.neto, key), written.status)

    assert may == {"read": (200, 403), "write": (403, 200), "write, read": (200, 200)}


def test_a_site_is_asked_for_where_there_are_several(database: Path) -> None:
    with closing(sqlite3.connect(database)) as file:
        file.execute("INSERT INTO site (site, name, zone, created_at) VALUES (2, 'Two', 'UTC', 0)")
        file.commit()

    unnamed, by_name, by_number, both, two = run_all(
        database.parent,
        ("key", "create"),
        ("key", "create", "--site", "Two"),
        ("key", "create", "--site", "2"),
        ("key", "list", "--json"),
        ("key", "list", "--json", "--site", "Two"),
    )

    failed(unnamed, 1, "--site", "Shop", "Two")
    assert (by_name.returncode, by_number.returncode) == (0, 0)
    assert [key["site"] for key in json.loads(both.stdout)] == ["Shop", "Two", "Two"]
    assert [key["key"] for key in json.loads(two.stdout)] == [2, 3]


# -- settings ----------------------------------------------------------------------------------


def taken(run: Run, *flags: str, **ours: str) -> str:
    """Which port `serve` tries, for it fails: the address is nobody's here."""
    done = run("serve", "--host", "192.0.2.1", *flags, **ours)
    found = re.search(r"192\.0\.2\.1 port (\d+)", done.stderr)
    assert found, done.stderr
    return found[1]


def test_a_flag_counts_before_a_variable_before_the_file_before_the_default(
    run: Run, tmp_path: Path
) -> None:
    assert taken(run) == "8000"
    (tmp_path / "recontact.toml").write_text("port = 8001\nitem_limit = 5\n")
    assert taken(run) == "8001"
    assert taken(run, PORT="8002") == "8002"
    assert taken(run, "--port", "8003", PORT="8002") == "8003"


@pytest.mark.parametrize("how", ["flag", "variable", "file"])
def test_a_setting_holds_however_it_is_given(database: Path, tmp_path: Path, how: str) -> None:
    flags, environ = (), {}
    if how == "flag":
        flags = ("--item-limit", "2", "--notes-limit", "300", "--body-limit", "2000")
    elif how == "variable":
        environ = {
            "RECONTACT_ITEM_LIMIT": "2",
            "RECONTACT_NOTES_LIMIT": "300",
            "RECONTACT_BODY_LIMIT": "2000",
        }
    else:
        file = "item_limit = 2\nnotes_limit = 300\nbody_limit = 2000\n"
        (tmp_path / "recontact.toml").write_text(file)
    with served(database, *flags, **environ) as server:
        items = [{"Notes": "x"}] * 3
        too_many = server.neto.call("json", "AddCustomerLog", {"CustomerLogs": items})
        notes = server.neto.call("json", "AddCustomerLog", {"CustomerLogs": [{"Notes": "x" * 301}]})
        body = server.neto.post("AddCustomerLog", b" " * 2_001)

    assert (too_many.status, too_many.codes) == (400, ["RC016"])
    assert (notes.status, notes.codes) == (200, ["CL010"])
    assert (body.status, body.codes) == (413, ["RC019"])


NUMBERS = {
    "port": ("-1", "65536", "80.5", "8_0", "٨٠", "", "x", "1e3"),
    "body_limit": ("0", "1023", "x"),
    "bodies_limit": ("0", "1023", "x"),
    "item_limit": ("0", "-1"),
    "nesting_limit": ("3", "201"),
    "notes_limit": ("0", "254"),
    "request_timeout": ("0", "nan", "inf", "-1", "x"),
    "connection_limit": ("0", "100001", "x"),
    "queue_limit": ("0", "x"),
    "journal_days": ("0", "36501", "1.5", "x"),
    "journal_size": ("-1", "549755813889", "10GiB"),
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in NUMBERS.items() for value in values]
)
def test_a_wrong_value_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(SettingError) as refused:
        load({}, {f"RECONTACT_{name.upper()}": value})

    assert f"RECONTACT_{name.upper()} must be a number from " in str(refused.value)
    assert repr(value) in str(refused.value)


def test_every_number_among_the_settings_is_tried() -> None:
    numbers = {name for name, kind in Config.__annotations__.items() if kind in (int, float)}
    assert set(NUMBERS) == numbers


def test_a_wrong_value_stops_the_start(run: Run) -> None:
    failed(run("serve", PORT="65536"), 2, "RECONTACT_PORT must be", "65535", "65536")
    failed(run("key", "list", QUEUE_LIMIT="x"), 2, "RECONTACT_QUEUE_LIMIT", "'x'")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"port = 80.5", "port in recontact.toml must be"),
        (b"port = true", "port in recontact.toml must be"),
        (b"port = [80]", "port in recontact.toml must be"),
        (b'port = "x"', "port in recontact.toml must be"),
        (b"prot = 80", "prot in recontact.toml"),
        (b"[server]\nport = 80", "server in recontact.toml"),
        (b"port = ", "recontact.toml cannot be read"),
        (b"port = 1\nport = 2", "recontact.toml cannot be read"),
        (b"\xff\xfe", "recontact.toml cannot be read"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "recontact.toml").write_bytes(content)

    with pytest.raises(SettingError, match=re.escape(said)):
        load({}, {}, tmp_path)


def test_what_is_wrong_in_the_file_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "recontact.toml").write_text("port = 80.5")

    for done in run_all(tmp_path, ("serve",), ("key", "list")):
        failed(done, 2, "port in recontact.toml")


def test_an_unknown_variable_stops_the_start(run: Run) -> None:
    failed(run("serve", PROT="80"), 2, "RECONTACT_PROT", "port")
    failed(run("key", "list", PROT="80"), 2, "RECONTACT_PROT")


def test_a_first_key_in_the_file_is_no_setting(run: Run, tmp_path: Path) -> None:
    (tmp_path / "recontact.toml").write_text(f'first_key = "{KEY}"\n')

    done = run("serve")

    failed(done, 2, "first_key in recontact.toml")
    assert KEY not in done.stderr


# -- help, version, wrong use ------------------------------------------------------------------


def test_the_version_is_the_projects(run: Run) -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]

    assert run("--version").stdout == f"recontact {project['version']}\n"


COMMANDS = [
    (),
    ("serve",),
    ("key",),
    *(("key", command) for command in ("create", "list", "revoke")),
    ("db",),
    *(("db", command) for command in ("upgrade", "check", "backup", "restore", "compact")),
]


def test_every_command_helps_with_an_example_and_touches_nothing(tmp_path: Path) -> None:
    for done in run_all(tmp_path, *((*command, "--help") for command in COMMANDS)):
        command = done.args[:-1]
        assert (done.returncode, done.stderr) == (0, ""), command
        assert "Usage: " in done.stdout
        if command not in ([], ["key"], ["db"]):
            assert "Example: recontact " in done.stdout, command
        if command == ["serve"]:
            check_help_of_serve(done.stdout)
    assert list(tmp_path.iterdir()) == []


def check_help_of_serve(text: str) -> None:
    """It names every setting with its default."""
    shown = re.sub(r"\s+", " ", text)
    for name, setting in Config.__dataclass_fields__.items():
        assert f"--{name.replace('_', '-')}" in shown
        default = f"{setting.default:g}" if name == "request_timeout" else str(setting.default)
        assert f"default: {default}" in shown, name


# -- wrong use -----------------------------------------------------------------------------------

REFUSED = {
    "no such command": (("serv",), 2, ["serv"]),
    "no such command of keys": (("key", "make"), 2, ["make"]),
    "a word too many": (("key", "create", "extra"), 2, ["extra"]),
    "no such flag": (("serve", "--nothing", "1"), 2, ["--nothing"]),
    "a port too high": (("serve", "--port", "65536"), 2, ["--port", "65535"]),
    "a port in words": (("serve", "--port", "x"), 2, ["--port"]),
    "a host that is not ours": (
        ("serve", "--port", "0", "--host", "192.0.2.1"),
        1,
        ["192.0.2.1", "--host"],
    ),
    "no host": (("serve", "--port", "0", "--host", "not a host"), 1, ["not a host", "--host"]),
    "a long host": (("serve", "--port", "0", "--host", "x" * 64), 1, ["x" * 64, "--host"]),
    "another database": (("key", "list", "--database", "mysql://h/d"), 2, ["sqlite:///"]),
    "no file": (("key", "list", "--database", "sqlite:///"), 2, ["sqlite:///"]),
    "memory": (("key", "list", "--database", "sqlite:///:memory:"), 2, ["sqlite:///"]),
    "a bare file": (("key", "list", "--database", "shop.db"), 2, ["sqlite:///"]),
    "an empty database": (("key", "list", "--database", ""), 2, ["sqlite:///"]),
    "no end": (("key", "create", "--expires", ""), 2, ["--expires"]),
    "no days": (("key", "create", "--expires", "0d"), 2, ["--expires"]),
    "an odd digit": (("key", "create", "--expires", "²d"), 2, ["--expires"]),
    "days ago": (("key", "create", "--expires", "-1d"), 2, ["--expires"]),
    "days beyond all dates": (("key", "create", "--expires", "99999999d"), 2, ["--expires"]),
    "no date": (("key", "create", "--expires", "soon"), 2, ["--expires"]),
    "a date that is past": (("key", "create", "--expires", "2020-01-01"), 2, ["--expires"]),
    "a day that is none": (("key", "create", "--expires", "2099-02-30"), 2, ["--expires"]),
    "no right": (("key", "create", "--may", ""), 2, ["--may", "read", "write"]),
    "no right but a comma": (("key", "create", "--may", ","), 2, ["--may"]),
    "a right that is none": (("key", "create", "--may", "read,admin"), 2, ["--may", "admin"]),
    "no username": (("key", "create", "--username", ""), 2, ["--username"]),
    "a blank username": (("key", "create", "--username", "  "), 2, ["--username"]),
    "no such site": (("key", "create", "--site", "Three"), 1, ["no site Three"]),
    "no such site to list": (("key", "list", "--site", "Three"), 1, ["no site Three"]),
    "no such key": (("key", "revoke", "99"), 1, ["no valid key 99"]),
    "a key in words": (("key", "revoke", "x"), 2, ["number"]),
    "a key and a half": (("key", "revoke", "1.5"), 2, ["number"]),
}


@pytest.fixture(scope="module")
def refusals(
    template: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, subprocess.CompletedProcess[str]]:
    """What became of each, and in the end of a look at the keys."""
    folder = tmp_path_factory.mktemp("refusals")
    shutil.copy(template, folder / "recontact.db")
    commands = [words for words, _, _ in REFUSED.values()]
    done = run_all(folder, *commands, ("key", "list", "--json"))
    return dict(zip([*REFUSED, "keys"], done, strict=True))


@pytest.mark.parametrize("what", REFUSED)
def test_wrong_use_is_said_in_a_sentence(
    refusals: dict[str, subprocess.CompletedProcess[str]], what: str
) -> None:
    _, code, said = REFUSED[what]

    failed(refusals[what], code, *said)
    assert "Unknown error" not in refusals[what].stderr


def test_wrong_use_makes_no_key(
    refusals: dict[str, subprocess.CompletedProcess[str]],
) -> None:
    assert [key["key"] for key in json.loads(refusals["keys"].stdout)] == [1]


# -- the log -----------------------------------------------------------------------------------


def raw(server: Served, sent: bytes) -> bytes:
    host, port = server.url.removeprefix("http://").rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection:
        connection.sendall(sent)
        return connection.recv(65_536)


def test_the_log_on_a_pipe_is_json_a_line_a_request_without_keys_or_notes(database: Path) -> None:
    secret = "a note about a person"
    with served(database) as server:
        answers = [
            server.neto.call("json", "AddCustomerLog", {"CustomerLogs": [{"Notes": secret}] * 2}),
            server.neto.call("xml", "GetCustomerLog", {"Filter": {"LogIDAfter": "0"}}),
            server.neto.post("UpdateCustomerLog", secret.encode()),
            server.neto.post("Nothing", b"{}"),
            server.neto.post("GetCustomerLog", b"{}", {"NETOAPI_KEY": "rk_wrong_one_of_somebody"}),
            server.neto.post(
                "GetCustomerLog",
                b"{}",
                {"NETOAPI_KEY": None, "Authorization": f"Bearer {KEY}"},
            ),
        ]
        others = [server.neto.http.get(path) for path in ("/healthz", "/nothing", f"/x?{KEY}")]
        broken = raw(server, b"no HTTP at all\r\n\r\n")
        assert server.stop() == 0

    lines = server.log_lines()  # each is JSON
    by_id = {line["request_id"]: line for line in lines if line["event"] == "request"}
    sent = [answer.headers["X-Request-Id"] for answer in [*answers, *others]]
    assert broken.startswith(b"HTTP/1.1 400 ")
    assert f"x-request-id: {list(by_id)[-1]}\r\n".encode() in broken
    assert list(by_id)[:-1] == sent
    added = by_id[sent[0]]
    assert {
        name: added[name] for name in ("action", "http_status", "ack", "site", "key", "items")
    } == {
        "action": "AddCustomerLog",
        "http_status": 200,
        "ack": "Success",
        "site": 1,
        "key": 1,
        "items": 2,
    }
    assert datetime.fromisoformat(added["timestamp"]).tzinfo is not None
    assert [by_id[one]["http_status"] for one in sent] == [
        200,
        200,
        400,
        400,
        401,
        200,
        200,
        404,
        404,
    ]
    log = server.err.whole()
    for hidden in (KEY, secret, "rk_wrong_one", KEY[5:25]):
        assert hidden not in log
    assert not [line for line in lines if line.get("level") == "error"]


@pytest.fixture
def terminal() -> tuple[int, Output]:
    """The number of a pseudo-terminal for a process to write to, and what it writes."""
    ours, theirs = pty.openpty()
    output = Output(os.fdopen(ours, "rb", buffering=0))
    return theirs, output


def test_the_log_on_a_terminal_is_for_people_and_shows_no_keys_or_notes(
    database: Path, terminal: tuple[int, Output]
) -> None:
    number, shown = terminal
    with closing(sqlite3.connect(database)) as file:
        file.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON customer_log WHEN new.notes LIKE 'POISON%'"
            " BEGIN SELECT raise(ABORT, 'the trigger said no'); END"
        )
    with served(database, stderr=number) as server:
        os.close(number)
        server.neto.add({"Notes": "fine"})
        broken = server.neto.call(
            "json", "AddCustomerLog", {"CustomerLogs": [{"Notes": "POISON of a person"}]}
        )
        assert broken.status == 500
        assert server.stop() == 0

    text = shown.whole()
    assert "AddCustomerLog" in text
    assert "the trigger said no" in text
    assert not text.lstrip().startswith("{")
    for hidden in (KEY, KEY[5:25], "POISON of a person"):
        assert hidden not in text


def test_a_server_without_a_stderr_starts(database: Path) -> None:
    """Some init scripts close it: `serve 2>&-`."""
    line = f"exec {sys.executable} -m recontact serve --port 0 --database sqlite:///{database} 2>&-"
    process = subprocess.Popen(
        ["bash", "-c", line], env=clean_environ(), cwd=database.parent, stdout=subprocess.PIPE
    )
    try:
        server = Served(database, process, None)
        with closing(server.neto.http):
            assert server.neto.add({"Notes": "x"}) == [1]
        assert server.stop() == 0
    finally:
        process.kill()
        process.wait()
