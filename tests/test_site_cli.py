"""`recontact site create|list|set`, and how a running server takes it up."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Served, add_customers, customer, served
from test_cli import failed, run_all, within_a_second

Done = subprocess.CompletedProcess[str]


def site(*words: str) -> tuple[str, ...]:
    return ("site", *words)


def listed(done: Done) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


SHOP = {
    "site": 1,
    "name": "Shop",
    "zone": "UTC",
    "dialect": "documented",
    "cors origins": "",
}


# -- create, list, set ---------------------------------------------------------------------------


def test_a_site_is_made_listed_and_changed(database: Path) -> None:
    one, two, three, before, changed, cleared, after, table = run_all(
        database.parent,
        site("create", "--name", " Harbour Stra\u00dfe ", "--zone", "Australia/Sydney"),
        site("create", "--name", "Live", "--dialect", "live"),
        site(
            *("create", "--name", "Web", "--cors-origins"),
            " https://shop.example  http://localhost:3000 ",
        ),
        site("list", "--json"),
        site(
            *("set", "--site", "2", "--name", "Quay", "--zone", "America/Lima"),
            *("--dialect", "live", "--cors-origins", "https://quay.example:8443"),
        ),
        site("set", "--site", "Web", "--cors-origins", ""),
        site("list", "--json"),
        site("list"),
    )

    assert [done.returncode for done in (one, two, three, changed, cleared)] == [0] * 5
    assert "Site 2, " in one.stdout
    assert "recontact key create --site 2" in one.stdout
    assert listed(before) == [
        SHOP,
        SHOP | {"site": 2, "name": "Harbour Stra\u00dfe", "zone": "Australia/Sydney"},
        SHOP | {"site": 3, "name": "Live", "dialect": "live"},
        SHOP
        | {"site": 4, "name": "Web", "cors origins": "http://localhost:3000 https://shop.example"},
    ]
    assert "Site 2, Quay: America/Lima, live" in changed.stdout
    assert listed(after)[1:] == [
        {
            "site": 2,
            "name": "Quay",
            "zone": "America/Lima",
            "dialect": "live",
            "cors origins": "https://quay.example:8443",
        },
        SHOP | {"site": 3, "name": "Live", "dialect": "live"},
        SHOP | {"site": 4, "name": "Web"},
    ]
    for word in ("Name", "Zone", "Dialect", "Quay", "America/Lima", "documented"):
        assert word in table.stdout


def test_what_is_not_set_stays_as_it_is(database: Path) -> None:
    site_of_all = {
        "site": 2,
        "name": "Two",
        "zone": "Asia/Tokyo",
        "dialect": "live",
        "cors origins": "https://two.example",
    }
    _, *done = run_all(
        database.parent,
        site(
            *("create", "--name", "Two", "--zone", "Asia/Tokyo", "--dialect", "live"),
            *("--cors-origins", "https://two.example"),
        ),
        site("set", "--site", "Two", "--name", "TWO"),
        site("list", "--json"),
        site("set", "--site", "2", "--zone", "UTC"),
        site("list", "--json"),
        site("set", "--site", "2", "--dialect", "documented"),
        site("list", "--json"),
    )

    assert [one.returncode for one in done] == [0] * 6
    assert listed(done[1])[1] == site_of_all | {"name": "TWO"}
    assert listed(done[3])[1] == site_of_all | {"name": "TWO", "zone": "UTC"}
    assert listed(done[5])[1] == site_of_all | {
        "name": "TWO",
        "zone": "UTC",
        "dialect": "documented",
    }


def test_the_only_site_is_set_without_a_name(database: Path) -> None:
    done, after = run_all(
        database.parent, site("set", "--zone", "Europe/Vienna"), site("list", "--json")
    )

    assert done.returncode == 0
    assert listed(after) == [SHOP | {"zone": "Europe/Vienna"}]


def test_a_site_is_asked_for_where_there_are_several(database: Path) -> None:
    _, unnamed, unnamed_key, named, key, after = run_all(
        database.parent,
        site("create", "--name", "Two"),
        site("set", "--zone", "Europe/Vienna"),
        ("key", "create"),
        site("set", "--site", "Two", "--zone", "Europe/Vienna"),
        ("key", "create", "--site", "Two"),
        site("list", "--json"),
    )

    failed(unnamed, 1, "--site", "Shop", "Two")
    failed(unnamed_key, 1, "--site", "Shop", "Two")
    assert (named.returncode, key.returncode) == (0, 0)
    assert [one["zone"] for one in listed(after)] == ["UTC", "Europe/Vienna"]


def test_a_database_that_is_not_there_is_made(tmp_path: Path) -> None:
    none, made, after, other = run_all(
        tmp_path,
        site("list"),
        site("create", "--name", "First", "--zone", "Asia/Tokyo"),
        site("list", "--json"),
        site("list", "--json", "--database", "sqlite:///other.db"),
    )

    assert (none.returncode, made.returncode) == (0, 0)
    assert "recontact serve" in none.stdout
    assert listed(after) == [SHOP | {"name": "First", "zone": "Asia/Tokyo"}]
    assert listed(other) == []


WRONG = {
    "no name": (("create",), ["--name"]),
    "an empty name": (("create", "--name", ""), ["1 to 100 characters"]),
    "a blank name": (("create", "--name", " \t"), ["1 to 100 characters"]),
    "a long name": (("create", "--name", "x" * 101), ["1 to 100 characters", "x" * 70]),
    "a number for a name": (("create", "--name", "12"), ["just a number", "'12'"]),
    "a number of another script": (("create", "--name", "\u0661"), ["just a number"]),
    "two lines for a name": (("create", "--name", "a\nb"), ["\\u000a"]),
    "a name that is taken": (("create", "--name", "Shop"), ["Shop already"]),
    "a name taken in another case": (("create", "--name", " sHOP "), ["already"]),
    "no such zone": (("create", "--name", "x", "--zone", "Sydney"), ["'Sydney'", "IANA"]),
    "an offset for a zone": (("create", "--name", "x", "--zone", "+10:00"), ["'+10:00'"]),
    "a path for a zone": (("create", "--name", "x", "--zone", "../etc/passwd"), ["time zone"]),
    "an empty zone": (("create", "--name", "x", "--zone", ""), ["time zone"]),
    "no such dialect": (("create", "--name", "x", "--dialect", "old"), ["'old'", "live"]),
    "a dialect in another case": (("create", "--name", "x", "--dialect", "Live"), ["'Live'"]),
    "an empty dialect": (("create", "--name", "x", "--dialect", ""), ["dialect"]),
    "a star for an origin": (("create", "--name", "x", "--cors-origins", "*"), ["'*'"]),
    "a host for an origin": (
        ("create", "--name", "x", "--cors-origins", "shop.example"),
        ["'shop.example'", "https://shop.example"],
    ),
    "a path behind an origin": (
        ("create", "--name", "x", "--cors-origins", "https://a.example https://b.example/"),
        ["'https://b.example/'"],
    ),
    "origins with commas": (
        ("create", "--name", "x", "--cors-origins", "https://a.example,https://b.example"),
        ["is no origin"],
    ),
    "nothing to set": (("set",), ["--name", "--zone", "--dialect", "--cors-origins"]),
    "set to an empty name": (("set", "--site", "1", "--name", ""), ["1 to 100 characters"]),
    "set to no zone": (("set", "--site", "1", "--zone", "Nowhere/City"), ["'Nowhere/City'"]),
    "set to an empty zone": (("set", "--site", "1", "--zone", ""), ["time zone"]),
    "set to no dialect": (("set", "--site", "1", "--dialect", "old"), ["'old'"]),
    "set to no origin": (("set", "--site", "1", "--cors-origins", "null"), ["'null' is no origin"]),
    "one wrong of two": (
        ("set", "--site", "1", "--name", "Other", "--zone", "Nowhere"),
        ["'Nowhere'"],
    ),
    "a word too many": (("list", "Two"), ["Two"]),
    "no such command": (("delete",), ["delete"]),
    "no such flag": (("set", "--colour", "red"), ["--colour"]),
}


@pytest.fixture(scope="module")
def refused(template: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Done]:
    """What became of each, and in the end of a look at the sites. For `x` each has a new name."""
    folder = tmp_path_factory.mktemp("refused")
    (folder / "recontact.db").write_bytes(template.read_bytes())
    commands = [
        site(*(f"New {n}" if word == "x" else word for word in words))
        for n, (words, _) in enumerate(WRONG.values())
    ]
    done = run_all(folder, *commands, site("list", "--json"))
    return dict(zip([*WRONG, "sites"], done, strict=True))


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_value_is_wrong_use_and_said_in_a_sentence(
    refused: dict[str, Done], what: str
) -> None:
    failed(refused[what], 2, *WRONG[what][1])


def test_a_wrong_value_changes_nothing(refused: dict[str, Done]) -> None:
    assert listed(refused["sites"]) == [SHOP]


def test_a_site_that_is_not_there_is_a_failure(database: Path) -> None:
    (done,) = run_all(database.parent, site("set", "--site", "Three", "--zone", "UTC"))

    failed(done, 1, "no site Three")


def test_every_command_helps_with_an_example(tmp_path: Path) -> None:
    commands = [("site",), *(site(word) for word in ("create", "list", "set"))]

    for done in run_all(tmp_path, *((*command, "--help") for command in commands)):
        assert (done.returncode, done.stderr) == (0, ""), done.args
        assert "Usage: " in done.stdout
        if len(done.args) > 2:
            assert "Example: recontact site " in done.stdout, done.args
    assert list(tmp_path.iterdir()) == []


# -- a running server ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("running") / "recontact.db") as running:
        yield running


def set_shop(server: Served, zone: str, dialect: str, origins: str) -> None:
    (done,) = run_all(
        server.path.parent,
        site(
            *("set", "--site", "1", "--zone", zone, "--dialect", dialect),
            *("--cors-origins", origins),
        ),
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_running_server_takes_up_a_zone_a_dialect_and_cors_origins(server: Served) -> None:
    neto = server.neto
    add_customers(neto, {"Username": "ana"})
    (log_id,) = neto.add({"Username": "ana", "DateRequiredFollowUp": "2026-12-01"})

    def starts() -> str:
        log = neto.get("xml", LogID=log_id, OutputSelector="DateRequiredFollowUpUTC").logs[0]
        return log["DateRequiredFollowUpUTC"]

    def is_live() -> bool:
        unknown = neto.update("json", {"LogID": 9_999_999})
        answers = [unknown, neto.update("xml", {"LogID": log_id})]
        logs = customer(neto, "ana", "CustomerLog")["CustomerLogs"]
        seen = {
            unknown.ack == "Warning",
            isinstance(next(iter(unknown.tree["Messages"].values())), dict),
            answers[1].root == "UpdateCustomerLogResponse",
            isinstance(logs, list),
        }
        assert len(seen) == 1
        return seen.pop()

    def lets_in(origin: str) -> bool:
        call = neto.post("GetCustomer", b"", {"Origin": origin})
        preflight = neto.http.options("/do/WS/NetoAPI", headers={"Origin": origin})
        allowed = [one.headers.get("access-control-allow-origin") for one in (call, preflight)]
        assert allowed in ([origin] * 2, [None] * 2)
        return allowed[0] is not None

    assert (starts(), is_live()) == ("2026-12-01 00:00:00", False)
    assert not lets_in("https://shop.example")

    set_shop(server, "Australia/Sydney", "live", "https://shop.example https://two.example")
    within_a_second(lambda: starts() == "2026-11-30 13:00:00")

    assert is_live()
    assert lets_in("https://shop.example")
    assert lets_in("https://two.example")
    assert not lets_in("https://three.example")
    found = neto.get(LogID=log_id, DateRequiredFollowUpTo="2026-11-30 13:00:00")
    assert found.log_ids == [str(log_id)]
    set_shop(server, "UTC", "documented", "")
    within_a_second(lambda: starts() == "2026-12-01 00:00:00")
    assert not is_live()
    assert not lets_in("https://shop.example")


def test_a_running_server_takes_up_a_site_with_its_key(server: Served) -> None:
    made, key = run_all(
        server.path.parent,
        site("create", "--name", "Two", "--zone", "Asia/Tokyo", "--dialect", "live"),
        ("key", "create", "--site", "Two"),
    )
    assert (made.returncode, key.returncode) == (0, 0)
    theirs = {"NETOAPI_KEY": key.stdout.strip()}
    body = b'{"Filter": {"LogIDAfter": 0, "OutputSelector": "LogID"}}'
    server.neto.add({})

    within_a_second(lambda: server.neto.post("GetCustomerLog", body, theirs).status == 200)

    assert server.neto.post("GetCustomerLog", body, theirs).logs == []
    assert server.neto.post("GetCustomerLog", body).logs != []
    answer = server.neto.post("UpdateCustomerLog", b"", theirs | {"Accept": "text/xml"})
    assert answer.root == "UpdateCustomerLogResponse"
