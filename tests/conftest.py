"""What the tests share: a real server on a real database file, and a client of both formats."""

import asyncio
import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar
from xml.sax.saxutils import escape

import httpx
import hypothesis
import pytest
import uvicorn
from conformance import check_answer
from lxml import etree

from recontact import server as server_module
from recontact.clock import SYSTEM, Clock
from recontact.config import Config
from recontact.fields import GET_CUSTOMER_LOG
from recontact.limits import Backlog, Rate
from recontact.model import Site
from recontact.protocol import HttpProtocol, protocol_class
from recontact.server import create_app
from recontact.store import JournalLimits, Store, keys, open_store, staff
from recontact.store.staff import Passwords

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

KEY = "rk_the_key_of_all_tests_0123456789"
FORMATS = ("xml", "json")
QUICK = Passwords(passes=1, memory=8, lanes=1)
"""Hashes passwords in no time, for servers that nobody is kept out of."""

# The machine may stand still at any moment, which is no fault of what is tested: a property may
# take its time, a read whose turn comes late is answered, and calls that take long together do not
# let fewer in. Who tests just that sets both back.
hypothesis.settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("unhurried")
LATE, SECONDS = Backlog.LATE, Backlog.SECONDS
Backlog.LATE = Backlog.SECONDS = 60  # type: ignore[misc]
KEYS_EVERY = server_module.KEYS_EVERY
"""Seconds, at most, until a server knows a new key; here 0.05, as hundreds of tests wait for it."""
server_module.KEYS_EVERY = 0.05  # type: ignore[misc]
PATIENCE = 60
"""Seconds after which what must come is given up: only a test that fails waits for so long."""


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skipped test is a failure: everything it needs is installed there."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    # To mount a disk and cut its power needs root, which not every CI gives.
    if os.environ.get("CI") and any("test_power_cut.py" not in one.nodeid for one in skipped):
        reporter.write_line("CI allows no skipped test.", red=True)
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED


class TestClock:
    """A clock that goes on by itself, and can be moved ahead, or told to stand still."""

    __test__ = False

    def __init__(self) -> None:
        self._ahead = timedelta()
        self._still: datetime | None = None

    def now(self) -> datetime:
        return self._still or datetime.now(UTC) + self._ahead

    def move(self, **ahead: float) -> None:
        """Let so much time pass: `move(days=1)`."""
        self._ahead += timedelta(**ahead)

    def stand_at(self, moment: datetime | None) -> None:
        """Stand still there; None: go on as before."""
        self._still = moment

    def move_to(self, hour: int) -> None:
        """Let time pass until that full hour of UTC."""
        now = self.now()
        at = now.replace(hour=hour, minute=0, second=0, microsecond=0)
        self._ahead += at - now + timedelta(days=int(at < now))


# -- bodies in both formats --------------------------------------------------------------------


def to_xml(root: str, tree: Any) -> bytes:
    """A tree of dicts, lists and texts as a document."""

    def write(name: str, value: Any) -> str:
        if isinstance(value, list):
            return "".join(write(name, one) for one in value)
        if isinstance(value, dict):
            inside = "".join(write(key, one) for key, one in value.items())
        else:
            inside = escape(str(value), {"\r": "&#13;"})
        return f"<{name}>{inside}</{name}>"

    return ('<?xml version="1.0" encoding="utf-8"?>\n' + write(root, tree)).encode()


def to_body(format: str, action: str, tree: Any) -> bytes:
    return to_xml(action, tree) if format == "xml" else json.dumps(tree).encode()


def from_xml(body: bytes) -> tuple[str, dict[str, Any]]:
    """An XML answer as the JSON one would be: lists where the documented answer has lists."""

    def read(element: etree._Element) -> Any:
        if not len(element):
            return element.text or ""
        tree: dict[str, Any] = {}
        for child in element:
            # `Customer` is a record under the root, and the plain username in a log.
            repeats = child.tag in ("CustomerLog", "Change", "Error", "Warning")
            if repeats or (element.tag, child.tag) in lists:
                tree.setdefault(child.tag, []).append(read(child))
            else:
                assert child.tag not in tree, f"{child.tag} stands twice"
                tree[child.tag] = read(child)
        return tree

    root = etree.fromstring(body)
    lists = {
        (root.tag, "Customer"),
        ("ShippingAddressBook", "ShippingAddress"),
        ("History", "Revision"),
    }
    return root.tag, read(root)


def one_or_many(value: Any) -> list[Any]:
    """A list of the live dialect, which writes one as it is and none as empty text."""
    return value if isinstance(value, list) else [value] if value else []


@dataclass
class Answer:
    """An answer in either format, as the JSON one is documented."""

    status: int
    headers: httpx.Headers
    body: bytes
    format: str = field(init=False)
    root: str = field(init=False, default="")
    tree: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.format = "json" if self.headers["content-type"] == "application/json" else "xml"
        if self.format == "json":
            self.tree = json.loads(self.body)
        else:
            assert self.headers["content-type"] == "text/xml; charset=utf-8"
            self.root, self.tree = from_xml(self.body)

    @property
    def ack(self) -> str:
        return self.tree["Ack"]

    @property
    def errors(self) -> list[dict[str, str]]:
        return one_or_many(self.tree.get("Messages", {}).get("Error", []))

    @property
    def warnings(self) -> list[dict[str, str]]:
        return one_or_many(self.tree.get("Messages", {}).get("Warning", []))

    @property
    def codes(self) -> list[str]:
        """The code of each error, as its description ends with it."""
        return [error["Description"].rpartition("[")[2].rstrip("]") for error in self.errors]

    @property
    def logs(self) -> list[dict[str, str]]:
        return one_or_many(self.tree.get("CustomerLog", []))

    @property
    def log_ids(self) -> list[str]:
        return [log["LogID"] for log in self.logs]


ALL_SELECTORS = [name for name in GET_CUSTOMER_LOG.selectors if name != "History"]


def new_client(url: str, **how: Any) -> httpx.Client:
    """A client of HTTP without TLS: to read the authorities it would trust takes 20 ms of each."""
    return httpx.Client(base_url=url, timeout=PATIENCE, verify=False, **how)


class Neto:
    """
    A client of one running server, on one site, with one key.

    server: that server, if it is one of this process.
    """

    server: "QuickServer"

    def __init__(self, url: str, key: str, store: Store, clock: TestClock, path: Path) -> None:
        self.url, self.key, self.store, self.clock, self.path = url, key, store, clock, path
        self.http = new_client(url)

    def post(
        self, action: str | None, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Answer:
        """POST these very bytes; a header given as None in `headers` is left out."""
        sent: dict[str, str | None] = {
            "NETOAPI_ACTION": action,
            "NETOAPI_KEY": self.key,
            "Accept": "application/json",
        }
        sent |= headers or {}
        given = {name: value for name, value in sent.items() if value is not None}
        # A server in a process of its own may refuse a read as late: do as it says, like clients.
        is_aside = self.store is None and (action or "").startswith("Get")
        for _ in range(PATIENCE if is_aside else 1):
            answer = self.http.post("/do/WS/NetoAPI", content=body, headers=given)
            if b"Send the call again after a second" not in answer.content:
                break
            time.sleep(1 if is_aside else 0)
        reply = Answer(answer.status_code, answer.headers, answer.content)
        check_answer(action, reply.format, reply.body, reply.status)
        return reply

    def call(self, format: str, action: str, tree: Any, **headers: str) -> Answer:
        """Call an action with a tree of dicts and lists, sent and answered in `format`."""
        accept = "application/json" if format == "json" else "text/xml"
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.post(action, to_body(format, action, tree), {"Accept": accept} | sent)

    def add(self, *items: dict[str, Any], format: str = "json") -> list[int]:
        """Add logs that must be added, and give their LogIDs."""
        answer = self.call(format, "AddCustomerLog", {"CustomerLogs": {"CustomerLog": list(items)}})
        assert answer.ack == "Success", answer.tree
        return [int(log_id) for log_id in answer.log_ids]

    def update(self, format: str, *items: dict[str, Any]) -> Answer:
        return self.call(
            format, "UpdateCustomerLog", {"CustomerLogs": {"CustomerLog": list(items)}}
        )

    def get(self, format: str = "json", **filters: Any) -> Answer:
        """Read logs, with all elements unless OutputSelector says otherwise."""
        tree = {
            "Filter": filters | {"OutputSelector": filters.get("OutputSelector", ALL_SELECTORS)}
        }
        return self.call(format, "GetCustomerLog", tree)

    def log(self, log_id: int, format: str = "json") -> dict[str, str]:
        """One log as it stands, all elements."""
        (log,) = self.get(format, LogID=log_id).logs
        return log

    def new_key(self, **facts: Any) -> str:
        """Another key of the first site; the running server knows it when this returns."""
        key = keys.new_key()
        with self.store.begin() as connection:
            site = facts.pop("site", None) or keys.first_site(connection, self.clock.now())
            keys.add_key(connection, site, key, now=self.clock.now(), **facts)
        self.wait_for(
            lambda: (
                self.post("Nothing", headers={"NETOAPI_KEY": key}).status != 401
                or facts.get("username")
                or facts.get("expires_at")
            )
        )
        return key

    @staticmethod
    def wait_for(done: Callable[[], Any], seconds: float = PATIENCE) -> None:
        """
        Wait until `done()`; the test fails when that takes too long.

        It counts its own rounds, so that no time goes by while this process stands still.
        """
        waited = threading.Event()
        pauses = itertools.chain((0.001, 0.002, 0.005, 0.01), itertools.repeat(0.02))
        for pause in itertools.islice(pauses, int(seconds / 0.02)):
            if done():
                return
            waited.wait(pause)
        raise AssertionError(f"not done after {seconds} s")


# -- a server ----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database file with one site and one key; copying it takes 2 ms, making it 300."""
    path = tmp_path_factory.mktemp("template") / "recontact.db"
    with (
        closing(open_store(f"sqlite:///{path}", now=lambda: datetime.now(UTC))) as store,
        store.begin() as connection,
    ):
        site = keys.first_site(connection, datetime.now(UTC))
        keys.add_key(connection, site, KEY, now=datetime.now(UTC))
    return path


@contextmanager
def computing(most: float) -> Iterator[None]:
    """
    Fails when this process, with its servers, computes for more seconds than that.

    How long it waits until a busy machine lets it compute does not count.
    """
    began = time.process_time()
    yield
    took = time.process_time() - began
    assert took < most, f"it computed for {took:.1f} s"


def observed(config: Config) -> Any:
    """The protocol class of a server that a test looks into: its connections by their port."""

    class Observed(protocol_class(config)):  # type: ignore[misc]
        open: ClassVar[Any] = weakref.WeakValueDictionary()
        made: ClassVar[int] = 0
        received = 0

        def connection_made(self, transport: Any) -> None:
            self.open[transport.get_extra_info("peername")[1]] = self
            super().connection_made(transport)
            Observed.made += 1

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self.received += len(data)

    return Observed


class QuickServer(uvicorn.Server):
    """
    uvicorn, but it looks every 5 ms whether it should end, where uvicorn looks every 100.

    Its protocol is one of `observed`; a test lets time pass for its connections, beside that which
    passes anyway.
    """

    loop: asyncio.AbstractEventLoop

    async def main_loop(self) -> None:
        self.loop = asyncio.get_running_loop()
        while not self.should_exit:
            await asyncio.sleep(0.005)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """uvicorn's, which sleeps for 0.1 s, only where somebody is still connected."""
        for _ in range(20):
            if not (self.server_state.connections or self.server_state.tasks):
                break
            await asyncio.sleep(0.001)
        else:
            await super().shutdown(sockets)
            return
        for listener in (*self.servers, *(sockets or ())):
            listener.close()
        await self.lifespan.shutdown()

    def pass_time(self, seconds: float) -> None:
        """Let all connections be so much older; what is due then is done when this returns."""
        traffic: Any = self.config.http.traffic  # type: ignore[union-attr]

        async def age() -> None:
            all_of_them = (traffic.idle, traffic.slow, traffic.refused)
            for waiting in all_of_them:
                began = waiting._began
                waiting._began = {one: at - seconds for one, at in began.items()}
            for waiting in all_of_them:  # which may give one to the next, where its time begins
                waiting._sweep(self.loop)
            for _ in range(3):  # who was told of it gets a turn
                await asyncio.sleep(0)

        asyncio.run_coroutine_threadsafe(age(), self.loop).result(PATIENCE)

    def connection(self, client: socket.socket, received: int = 0) -> HttpProtocol:
        """The server's side of a connection, once so many bytes came and were looked at."""
        port = client.getsockname()[1]
        known: Any = self.config.http.open  # type: ignore[union-attr]
        Neto.wait_for(lambda: port in known and known[port].received >= received)
        self.pass_time(0)
        return known[port]


@contextmanager
def serving(path: Path, clock: TestClock, **settings: Any) -> Iterator[Neto]:
    """
    A server of this process on a free port of 127.0.0.1, ended at the end.

    It answers any number of wrong keys with 401, unless the settings say otherwise. passwords: what
    hashes those of the panel's staff; not at all safely, unless said otherwise. elapsed: gives the
    seconds by which rates are kept, which go on by themselves, unless said otherwise.
    """
    passwords = settings.pop("passwords", QUICK)
    times = Clock(now=clock.now, elapsed=settings.pop("elapsed", SYSTEM.elapsed))
    config = Config(**{"database": f"sqlite:///{path}", "failure_limit": Rate()} | settings)
    store = open_store(
        config.database,
        now=clock.now,
        queue_limit=config.queue_limit,
        serves=True,
        journal=JournalLimits(config.journal_days, config.journal_size),
    )
    app = create_app(store, config, times, passwords)
    server = QuickServer(
        uvicorn.Config(
            app,
            http=observed(config),
            log_config=None,
            proxy_headers=False,
            timeout_graceful_shutdown=5,
        )
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        neto = Neto(f"http://127.0.0.1:{listener.getsockname()[1]}", KEY, store, clock, path)
        neto.server = server
        try:
            Neto.wait_for(lambda: hasattr(server, "loop"))  # it has started
            yield neto
        finally:
            neto.http.close()
            server.should_exit = True
            thread.join(PATIENCE)
            store.close()
            assert not thread.is_alive()


@contextmanager
def readers_held(neto: Neto, number: int = 4) -> Iterator[None]:
    """So many readers, all unless told otherwise, are busy with something else."""
    finish = threading.Event()
    reading = threading.Barrier(number + 1)

    def read_slowly(_view: Any) -> None:
        reading.wait(PATIENCE)
        finish.wait(PATIENCE)

    async def hold() -> None:
        with neto.store.begin() as connection:
            site = keys.find_site(connection, None)
        await asyncio.gather(*(neto.store.view(site, read_slowly) for _ in range(number)))

    thread = threading.Thread(target=lambda: asyncio.run(hold()))
    thread.start()
    reading.wait(PATIENCE)
    try:
        yield
    finally:
        finish.set()
        thread.join(PATIENCE)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers of this process let no more in than is done in time, as servers do."""
    monkeypatch.setattr(Backlog, "LATE", LATE)
    monkeypatch.setattr(Backlog, "SECONDS", SECONDS)


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
def serve(template: Path, tmp_path: Path, clock: TestClock) -> Callable[..., Any]:
    """Make a server with other settings: `with serve(item_limit=2) as neto: …`."""
    path = tmp_path / "recontact.db"

    def make(**settings: Any) -> Any:
        if not path.exists():
            shutil.copy(template, path)
        return serving(path, clock, **settings)

    return make


@pytest.fixture
def neto(serve: Callable[..., Any]) -> Iterator[Neto]:
    """A server with the default settings and an empty site."""
    with serve() as one:
        yield one


# -- one server for a module, other sites, and bytes as they are ---------------------------------


@pytest.fixture(scope="module")
def shared(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neto]:
    """One server for a whole module, for tables whose rows do not disturb each other."""
    path = tmp_path_factory.mktemp("shared") / "recontact.db"
    shutil.copy(template, path)
    with serving(path, TestClock()) as one:
        yield one


@contextmanager
def another_site(neto: Neto, zone: str, dialect: str = "documented") -> Iterator[Neto]:
    """A client of a new site of the same server, in that zone and dialect."""
    with neto.store.begin() as connection:
        name = f"{zone} {len(keys.sites(connection))}"
        number = keys.add_site(connection, name, zone, neto.clock.now(), dialect=dialect)
        site = keys.find_site(connection, str(number))
    one = Neto(neto.url, neto.new_key(site=site), neto.store, neto.clock, neto.path)
    one.server = neto.server
    with one.http:
        yield one


def json_call(items: str) -> bytes:
    """A JSON call whose `CustomerLog` is this very text; lone surrogates go out as they are."""
    return f'{{"CustomerLogs": {{"CustomerLog": {items}}}}}'.encode(errors="surrogatepass")


def xml_call(items: str, root: str = "UpdateCustomerLog") -> bytes:
    """An XML call whose `CustomerLogs` hold this very text."""
    return f"<{root}><CustomerLogs>{items}</CustomerLogs></{root}>".encode()


# -- a server in a process of its own, and what it prints ----------------------------------------

RECONTACT = (sys.executable, "-m", "recontact")


def clean_environ(**ours: str) -> dict[str, str]:
    """This process's environment, with these settings of recontact and no others."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RECONTACT_")}
    return kept | ours


class Output:
    """What a process writes, read as it comes: a pipe that fills up would hold it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._chunks: list[bytes] = []
        self._stream = stream
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        # A pseudo-terminal whose other end is closed reads as an error, not as an end.
        with suppress(OSError), self._stream:
            while chunk := os.read(self._stream.fileno(), 65_536):
                self._chunks.append(chunk)

    @property
    def text(self) -> str:
        return b"".join(self._chunks).decode(errors="replace")

    def whole(self) -> str:
        """All of it, once the process has ended."""
        self._thread.join(PATIENCE)
        return self.text


class Served:
    """A process that runs `recontact serve`; `neto` is its client, with the key of all tests."""

    def __init__(self, path: Path, process: subprocess.Popen[bytes], err: Output | None) -> None:
        assert process.stdout
        self.path, self.process, self.out, self.err = path, process, Output(process.stdout), err
        Neto.wait_for(lambda: "listens on" in self.out.text or process.poll() is not None)
        found = re.search(r"listens on (http://\S+)", self.out.text)
        assert found, f"it ended with {process.wait()}: {err.whole() if err else ''}"
        self.url = found[1]
        self.neto = Neto(self.url, KEY, None, TestClock(), path)  # type: ignore[arg-type]

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send it a signal, and give its exit code."""
        self.process.send_signal(how)
        return self.process.wait(PATIENCE)

    def log_lines(self) -> list[dict[str, Any]]:
        """The lines of its log, each of which must be JSON, once it has ended."""
        assert self.err
        return [json.loads(line) for line in self.err.whole().splitlines()]


@contextmanager
def served(
    path: Path,
    *flags: str,
    stderr: int | None = None,
    program: Sequence[str] = RECONTACT,
    **environ: str,
) -> Iterator[Served]:
    """
    `recontact serve` on a free port of 127.0.0.1, gone at the end.

    A new database gets the key of all tests. stderr: a file's number in place of a pipe that is
    read to the end. program: what runs in place of recontact.
    """
    process = subprocess.Popen(
        [*program, "serve", "--port", "0", "--database", f"sqlite:///{path}", *flags],
        cwd=path.parent,
        env=clean_environ(RECONTACT_FIRST_KEY=KEY) | environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if stderr is None else stderr,
    )
    one = None
    try:
        one = Served(path, process, Output(process.stderr) if process.stderr else None)
        yield one
    finally:
        if one:
            one.neto.http.close()
        process.kill()
        process.wait()


@pytest.fixture
def database(template: Path, tmp_path: Path) -> Path:
    """A migrated database file with one site and the key of all tests, that nobody serves yet."""
    return Path(shutil.copy(template, tmp_path / "recontact.db"))


# -- customers, as the vendor documents them ------------------------------------------------------

CUSTOMER_TEXTS = {
    "Username": 25, "Password": 100, "EmailAddress": 50, "SecondaryEmailAddress": 50,
    "ParentUsername": 25, "ApprovalUsername": 25, "ReferralUsername": 25,
    "IdentificationType": 20, "IdentificationDetails": 25,
    "DefaultDocumentTemplate": 50, "DefaultInvoiceTerms": 50, "InternalNotes": 65_535,
    "ABN": 255, "WebsiteURL": 255, "Classification1": 20, "Classification2": 20,
    "SalesChannel": 15, "UserGroup": 50, "AccountManager": 25,
    **{f"UserCustom{n}": 255 for n in range(1, 51)},
}  # fmt: skip
"""The texts of a customer, with how long each may be."""
_ADDRESS = {
    "FirstName": 50, "LastName": 50, "Company": 50, "StreetLine1": 50, "StreetLine2": 50,
    "City": 50, "State": 50, "PostCode": 15, "Country": 2, "Phone": 30, "Fax": 30,
}  # fmt: skip
BILLING_ADDRESS = {f"Bill{name}": limit for name, limit in _ADDRESS.items()}
SHIPPING_ADDRESS = {"ShipTitle": 255} | {f"Ship{name}": limit for name, limit in _ADDRESS.items()}


def as_long_as(limits: dict[str, int]) -> dict[str, str]:
    """Texts that begin with their element's name, where that has room, and fill it."""
    return {name: name[:limit].ljust(limit, "\u00e9") for name, limit in limits.items()}


FULL_CUSTOMER: dict[str, Any] = {
    **as_long_as(CUSTOMER_TEXTS),
    "Type": "Prospect", "Gender": "unisex", "DefaultOrderType": "dropshipping",
    "NewsletterSubscriber": "True", "Active": "False", "OnCreditHold": "True",
    "ReferralCommission": "7.25", "DefaultDiscounts": "-1.5", "CreditLimit": "12000.00",
    "DateOfBirth": "1980-02-29",
    "BillingAddress": as_long_as(BILLING_ADDRESS),
    "ShippingAddress": as_long_as(SHIPPING_ADDRESS),
}  # fmt: skip
"""Every element that AddCustomer documents, each with a value of its own."""

CUSTOMER_ELEMENTS = [name for name in FULL_CUSTOMER if name not in ("Username", "Password")]
"""Those that can be read back as they are kept."""


_numbers = itertools.count(1)


def new_username() -> str:
    """A username that no other test takes."""
    return f"user {next(_numbers)}"


def change_customers(neto: Neto, action: str, *items: Any, format: str = "json") -> Answer:
    """AddCustomer or UpdateCustomer."""
    return neto.call(format, action, {"Customer": list(items)})


def add_customers(neto: Neto, *items: dict[str, Any]) -> list[str]:
    """Add customers that must be added, and give their usernames."""
    answer = change_customers(neto, "AddCustomer", *items)
    assert answer.ack == "Success", answer.tree
    return [customer["Username"] for customer in customers_of(answer)]


def find_customers(neto: Neto, format: str = "json", **filters: Any) -> Answer:
    """GetCustomer, with Username for an OutputSelector unless there is another."""
    return neto.call(format, "GetCustomer", {"Filter": {"OutputSelector": "Username"} | filters})


def customers_of(answer: Answer) -> list[dict[str, Any]]:
    """The customers that an answer lists."""
    return one_or_many(answer.tree.get("Customer", []))


def customer(neto: Neto, username: str, *elements: str, format: str = "json") -> dict[str, Any]:
    """One customer: these elements, or all that can be read back, and Revision."""
    selectors = [*(elements or CUSTOMER_ELEMENTS), "Revision", "DateUpdated"]
    answer = find_customers(neto, format, Username=username, OutputSelector=selectors)
    (one,) = customers_of(answer)
    return one


def rows(neto: Neto, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """What the server's database holds."""
    with neto.store.begin() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(statement, values)]


def site_of(neto: Neto) -> int:
    """The number of the site that a client's key is for."""
    with neto.store.begin() as connection:
        return keys.keys(connection)[keys.digest_of(neto.key)].site.site


# -- the panel, over HTTP and in a browser --------------------------------------------------------

PASSWORD = "correct horse battery"
CHROMIUM = Path("/usr/bin/chromium")
"""Debian's; where it is not, Playwright looks for its own."""
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def add_staff(neto: Neto, role: str, username: str, site: Site | None = None) -> staff.Staff:
    """Let a person in, with the password of all tests; whoever is there already stays."""
    with neto.store.begin() as connection:
        site = site or keys.first_site(connection, neto.clock.now())
        for one in staff.named(connection, username, site):
            return one
        kept = QUICK.hash(PASSWORD)
        return staff.add(connection, site, username, role, kept, neto.clock.now())


def new_session(neto: Neto, role: str, username: str = "", site: Site | None = None) -> str:
    """The token of a new session of somebody of that role, named so or as the role."""
    one = add_staff(neto, role, username or role, site)
    with neto.store.begin() as connection:
        return staff.sign_in(
            connection, one, neto.clock.now(), address="127.0.0.1", agent="Firefox/150.0 Linux"
        )


def panel_client(neto: Neto, token: str = "") -> httpx.Client:
    """Asks for pages as a browser does; signed in, if there is a token. Follows no redirect."""
    cookies = {"recontact": token} if token else {}
    headers = {"Origin": neto.url, "Accept": "text/html"}
    return new_client(neto.url, cookies=cookies, headers=headers)


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """A Chromium. Of a module: while it runs, no other event loop can be begun in its thread."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE * 1000)
    with sync_playwright() as playwright:
        own = CHROMIUM if CHROMIUM.exists() else None
        one = playwright.chromium.launch(
            executable_path=own, args=CHROMIUM_ARGS, timeout=PATIENCE * 1000
        )
        yield one
        one.close()


@contextmanager
def watched(browser: "Browser", **options: Any) -> Iterator["Page"]:
    """A page of a new browser's profile, which must end without an error on its console."""
    context = browser.new_context(**options)
    page = context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda one: errors.append(one.text) if one.type == "error" else None)
    try:
        yield page
        # Chromium says so of each page that is answered with an error, also where it should be.
        assert [one for one in errors if not one.startswith("Failed to load resource")] == []
    finally:
        context.close()


@pytest.fixture
def page(browser: "Browser") -> Iterator["Page"]:
    """A page of a browser that nobody used before."""
    with watched(browser) as one:
        yield one


def signed_in(
    page: "Page", neto: Neto, role: str = "agent", username: str = "", site: Site | None = None
) -> "Page":
    """Let the browser of that page be signed in, without a login; it is on no page yet."""
    token = new_session(neto, role, username, site)
    cookie = {"name": "recontact", "value": token, "url": neto.url}
    page.context.add_cookies([cookie])  # type: ignore[list-item]
    return page


def violations(page: "Page") -> list[str]:
    """What axe finds wrong with a page."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {[node['html'] for node in one['nodes']]}" for one in found]
