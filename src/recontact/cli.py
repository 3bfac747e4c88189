"""The command line: run the server, and manage its sites and keys."""

import gc
import os
import re
import socket
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timedelta
from typing import Annotated, Any, NoReturn

import typer

from recontact import __version__
from recontact.clock import SYSTEM
from recontact.config import FIRST_KEY, Config, load
from recontact.messages import RecontactError
from recontact.values import DateTime, WrongValueError, write_instant

app = typer.Typer(
    name="recontact",
    help="The customer logs of a Neto shop, as a server that anyone can run.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
key_app = typer.Typer(
    help="What lets integrations in.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(key_app, name="key")
site_app = typer.Typer(
    help="The shops whose logs are kept, apart from each other.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(site_app, name="site")

Database = Annotated[
    str | None, typer.Option(help="Where everything is kept (default: sqlite:///recontact.db)")
]
SiteName = Annotated[
    str | None, typer.Option("--site", help="Which site; only needed where there are several.")
]


def main() -> None:
    """The command `recontact`. Exit 0: done; 1: failed; 2: wrong use."""
    if sys.stderr is None:  # some init scripts close it
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    try:
        app()
    except RecontactError as error:
        from recontact.store.errors import AddressError, SiteSettingError

        _fail(str(error), 2 if isinstance(error, AddressError | SiteSettingError) else 1)
    finally:
        _let_go()


def _let_go() -> None:
    """Drop what stdout and stderr still hold for a reader who is gone, or the exit code is 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError), open(os.devnull, "w") as nowhere:
                os.dup2(nowhere.fileno(), stream.fileno())


def _fail(sentence: str, code: int = 1) -> NoReturn:
    print(f"recontact: {sentence}", file=sys.stderr)
    raise SystemExit(code)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"recontact {__version__}")
        raise typer.Exit


@app.callback()
def _recontact(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show it and exit."),
    ] = False,
) -> None:
    pass


# -- serve -------------------------------------------------------------------------------------


@app.command()
def serve(
    database: Database = None,
    host: Annotated[str | None, typer.Option(help="Listen here (default: 127.0.0.1)")] = None,
    port: Annotated[
        int | None, typer.Option(help="The port; 0 takes a free one (default: 8000)")
    ] = None,
    body_limit: Annotated[
        int | None, typer.Option(help="Bytes of a body, also unpacked (default: 8388608)")
    ] = None,
    item_limit: Annotated[
        int | None, typer.Option(help="Items in one call (default: 1000)")
    ] = None,
    nesting_limit: Annotated[
        int | None, typer.Option(help="Levels of a body (default: 32)")
    ] = None,
    notes_limit: Annotated[
        int | None, typer.Option(help="Characters of Notes (default: 65535)")
    ] = None,
    request_timeout: Annotated[
        float | None, typer.Option(help="Seconds for a request to arrive (default: 20)")
    ] = None,
    queue_limit: Annotated[
        int | None, typer.Option(help="Calls that may wait for the database (default: 1024)")
    ] = None,
) -> None:
    """
    Run the server.

    On a new database it makes a first key and prints it, or takes it from the variable
    RECONTACT_FIRST_KEY and does not. Each option can also be a variable (RECONTACT_PORT) or a line
    of recontact.toml (port = 8000).

    Example: recontact serve --database sqlite:////var/lib/recontact/shop.db --port 8080
    """
    config = _config(**locals())
    # Only this command needs the server's parts.
    import uvicorn

    from recontact import logger
    from recontact.server import create_app
    from recontact.store import open_store

    logger.configure()
    with (
        closing(
            open_store(config.database, now=SYSTEM.now, queue_limit=config.queue_limit, serves=True)
        ) as store,
        _listening(config) as listener,
    ):
        first_key = _first_key(store)
        url = f"http://{_shown(config.host)}:{listener.getsockname()[1]}"

        class Server(uvicorn.Server):
            @contextmanager
            def capture_signals(self) -> Iterator[None]:
                # uvicorn would raise the signal again when all is finished: we are done by then.
                with super().capture_signals():
                    yield
                    self._captured_signals.clear()

            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets)
                print(f"recontact {__version__} listens on {url} and keeps {config.database}")
                print(_welcome(url, first_key, config), flush=True)

        server = Server(
            uvicorn.Config(
                create_app(store, config),
                http="httptools",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                # What was accepted is finished, but a client that never reads must not hold us.
                timeout_graceful_shutdown=int(config.request_timeout) + 10,
            )
        )
        # What is loaded by now stays: the collector need not look at it again, nor come as often.
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
        # The commit's thread asks for the interpreter's lock once a batch: 5 ms is long for that.
        sys.setswitchinterval(0.0005)
        server.run(sockets=[listener])


@contextmanager
def _listening(config: Config) -> Iterator[socket.socket]:
    try:
        found = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)
        listener = socket.create_server(found[0][4][:2], family=found[0][0], backlog=2_048)
    except (OSError, UnicodeError) as error:
        why = "there is no such host"
        if isinstance(error, OSError) and not isinstance(error, socket.gaierror):
            why = os.strerror(error.errno or 0)
        _fail(
            f"Cannot listen on {config.host} port {config.port}: {why}. "
            "Choose another with --host and --port; --port 0 takes a free one."
        )
    with listener:
        yield listener


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _first_key(store: Any) -> str | None:
    """The key of a new database: made, and given to be shown; None if there was one already."""
    from recontact.store import keys

    given = os.environ.get(FIRST_KEY, "").strip()
    with store.begin() as connection:
        site = keys.first_site(connection, SYSTEM.now())
        if keys.keys(connection):
            return None
        if given and len(given) < 20:
            _fail(f"{FIRST_KEY} must have at least 20 characters; it has {len(given)}.", 2)
        key = given or keys.new_key()
        keys.add_key(connection, site, key, now=SYSTEM.now())
    return f"${FIRST_KEY}" if given else key


def _welcome(url: str, key: str | None, config: Config) -> str:
    if key is None:
        where = "" if config.database == Config().database else f" --database {config.database}"
        return f"Make a key with: {sys.argv[0]} key create{where}"
    shown = (
        f"Its first key is the one in {FIRST_KEY}."
        if key.startswith("$")
        else f"Its first key, shown this once:\n\n  {key}"
    )
    tomorrow = (SYSTEM.now() + timedelta(days=1)).date().isoformat()
    body = (
        '{"CustomerLogs":{"CustomerLog":[{"CustomerName":"Bob Stone",'
        f'"DateRequiredFollowUp":"{tomorrow}","Notes":"Asked for a quote on 40 chairs"}}]}}}}'
    )
    return (
        f"{shown}\n\nAdd a log with it:\n\n"
        f"  curl -s {url}/do/WS/NetoAPI -H 'NETOAPI_ACTION: AddCustomerLog' "
        f"-H \"NETOAPI_KEY: {key}\" -H 'Accept: application/json' -d '{body}'\n"
    )


def _config(**flags: Any) -> Config:
    from recontact.config import SettingError

    try:
        return load(flags, os.environ)
    except SettingError as error:
        _fail(str(error), 2)


# -- keys --------------------------------------------------------------------------------------


@key_app.command("create")
def key_create(
    username: Annotated[
        str | None,
        typer.Option(help="Make a user's key: it lets in only with this NETOAPI_USERNAME."),
    ] = None,
    site: SiteName = None,
    may: Annotated[str, typer.Option(help="The rights: read, write or both.")] = "read,write",
    expires: Annotated[
        str | None, typer.Option(help="When it ends: a day or time in UTC, or days from now: 90d.")
    ] = None,
    database: Database = None,
) -> None:
    """
    Make a key, and print it alone: it is kept only as a digest and never shown again.

    Example: recontact key create --username ana --may read --expires 90d
    """
    from recontact.store import keys

    rights = [right.strip() for right in may.split(",") if right.strip()]
    if not rights or not set(rights) <= set(keys.RIGHTS):
        _fail(f"--may takes {', '.join(keys.RIGHTS)} or both with a comma; got {may!r}.", 2)
    expires_at = None if expires is None else _moment(expires)
    if username is not None and not username.strip():
        _fail("--username is empty: leave it out for a site-wide key.", 2)
    key = keys.new_key()
    with _database(database) as connection:
        keys.first_site(connection, SYSTEM.now())
        found = keys.find_site(connection, site)
        number = keys.add_key(
            connection,
            found,
            key,
            now=SYSTEM.now(),
            username=username,
            may=rights,
            expires_at=expires_at,
        )
    whose = f"user {username}'s" if username else "site-wide"
    where = _config(database=database).database
    print(f"Key {number}, {whose}, site {found.name}, in {where}:", file=sys.stderr, flush=True)
    print(key)


def _moment(text: str) -> datetime:
    try:
        if re.fullmatch(r"[0-9]{1,5}d", text):
            moment: datetime | None = SYSTEM.now() + timedelta(days=int(text[:-1]))
        else:
            moment = DateTime().read(text)
    except WrongValueError as error:
        _fail(f"--expires {error}.", 2)
    if moment is None or moment <= SYSTEM.now():
        _fail(f"--expires must be later than now; got {text!r}.", 2)
    return moment


@key_app.command("list")
def key_list(
    site: SiteName = None,
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    database: Database = None,
) -> None:
    """
    Show the keys: never the key itself, but how it starts, whose it is, and when it was used.

    Example: recontact key list --json
    """
    from recontact.store import keys

    with _database(database) as connection:
        only = keys.find_site(connection, site) if site else None
        known = [
            key
            for key in keys.keys(connection).values()
            if only is None or key.site.site == only.site
        ]
    now = SYSTEM.now()
    rows = [
        {
            "key": key.key_id,
            "site": key.site.name,
            "starts": key.hint and key.hint + "…",
            "username": key.username or "",
            "may": ",".join(sorted(key.may)),
            "state": _state(key, now),
            "created": write_instant(key.created_at),
            "expires": write_instant(key.expires_at) if key.expires_at else "",
            "last used": write_instant(key.last_used_at) if key.last_used_at else "",
        }
        for key in known
    ]
    _print_rows(rows, json, "No keys yet: make one with recontact key create.")


def _state(key: Any, now: datetime) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "valid" if key.is_valid(now) else "expired"


@key_app.command("revoke")
def key_revoke(
    number: Annotated[int, typer.Argument(help="The key's number, as recontact key list shows.")],
    database: Database = None,
) -> None:
    """
    Let a key in no more. A running server takes it up within a second.

    Example: recontact key revoke 3
    """
    from recontact.store import keys

    with _database(database) as connection:
        keys.revoke_key(connection, number, SYSTEM.now())
    print(f"Key {number} is revoked.")


# -- sites -------------------------------------------------------------------------------------

_ZONE = typer.Option(help="Its time zone, by IANA name: Australia/Sydney. Days are days there.")
_DIALECT = typer.Option(
    help="How it answers: documented, or live, as the real service was seen to."
)
_ORIGINS = typer.Option(
    help="Whose pages may call it from a browser: https://shop.example, several with blanks; '' "
    "for none."
)


@site_app.command("create")
def site_create(
    name: Annotated[str, typer.Option(help="What it is called.")],
    zone: Annotated[str, _ZONE] = "UTC",
    dialect: Annotated[str, _DIALECT] = "documented",
    cors_origins: Annotated[str, _ORIGINS] = "",
    database: Database = None,
) -> None:
    """
    Make another site, with logs, customers and keys of its own.

    Example: recontact site create --name Harbour --zone Australia/Sydney
    """
    from recontact.store import keys

    with _database(database) as connection:
        number = keys.add_site(
            connection,
            name,
            zone,
            SYSTEM.now(),
            dialect=dialect,
            cors_origins=cors_origins.split(),
        )
    print(f"Site {number}, {name}. Make a key for it: recontact key create --site {number}")


@site_app.command("set")
def site_set(
    site: SiteName = None,
    name: Annotated[str | None, typer.Option(help="What it is called.")] = None,
    zone: Annotated[str | None, _ZONE] = None,
    dialect: Annotated[str | None, _DIALECT] = None,
    cors_origins: Annotated[str | None, _ORIGINS] = None,
    database: Database = None,
) -> None:
    """
    Change a site. A running server takes it up within a second.

    Example: recontact site set --dialect live
    """
    from recontact.store import keys

    origins = None if cors_origins is None else cors_origins.split()
    changed = {"name": name, "zone": zone, "dialect": dialect, "cors_origins": origins}
    if not any(value is not None for value in changed.values()):
        _fail("Nothing to set: give --name, --zone, --dialect or --cors-origins.", 2)
    with _database(database) as connection:
        found = keys.find_site(connection, site)
        keys.set_site(connection, found, **changed)
        found = keys.sites(connection)[found.site]
    print(f"Site {found.site}, {found.name}: {found.zone.key}, {found.dialect}.")


@site_app.command("list")
def site_list(
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    database: Database = None,
) -> None:
    """
    Show the sites.

    Example: recontact site list --json
    """
    from recontact.store import keys

    with _database(database) as connection:
        known = keys.sites(connection)
    rows = [
        {
            "site": site.site,
            "name": site.name,
            "zone": site.zone.key,
            "dialect": site.dialect.value,
            "cors origins": " ".join(sorted(site.cors_origins)),
        }
        for site in known.values()
    ]
    _print_rows(rows, json, "No sites yet: recontact serve makes the first one.")


# -- what both need ----------------------------------------------------------------------------


@contextmanager
def _database(url: str | None) -> Iterator[Any]:
    """A transaction on the database that the settings name."""
    from recontact.store import open_store

    config = _config(database=url)
    with (
        closing(open_store(config.database, now=SYSTEM.now)) as store,
        store.begin() as connection,
    ):
        yield connection


def _print_rows(rows: list[dict[str, Any]], json: bool, empty: str) -> None:
    """Show rows to people, or as JSON to programs; `empty` says what to do where there are none."""
    if json:
        import msgspec

        print(msgspec.json.encode(rows).decode())
        return
    if not rows:
        print(empty)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*(name.capitalize() for name in rows[0]), box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    # A username may look like markup.
    width = None if sys.stdout.isatty() else 200
    Console(width=width, markup=False, highlight=False, emoji=False).print(table)
