"""`recontact serve`: run the server."""

import gc
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import Field, fields
from datetime import timedelta
from inspect import Parameter, Signature
from typing import Annotated, Any

import typer

from recontact import __version__
from recontact.cli.shared import fail, settings, visible
from recontact.clock import SYSTEM
from recontact.config import FIRST_KEY, Config


def _help(setting: Field[Any]) -> str:
    doc, default = setting.metadata["doc"], setting.default
    said = f"{default:g}" if isinstance(default, float) else default
    return f"{doc[0].upper()}{doc[1:]} (default: {said})."


def _with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each setting."""
    hints = {
        setting.name: Annotated[
            (setting.type if setting.type in (int, float) else str) | None,
            typer.Option(help=_help(setting)),
        ]
        for setting in fields(Config)
    }
    command.__annotations__ = hints
    command.__signature__ = Signature(  # type: ignore[attr-defined]
        [
            Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=hint)
            for name, hint in hints.items()
        ]
    )
    return command


@_with_settings
def serve(**flags: Any) -> None:
    """
    Run the server.

    On a new database it makes a first key and prints it, or takes it from the variable
    RECONTACT_FIRST_KEY and does not. For a site that has no staff it prints a link, which makes the
    first login of the control panel, once. Each option can also be a variable (RECONTACT_PORT) or
    a line of recontact.toml (port = 8000).

    Example: recontact serve --database sqlite:////var/lib/recontact/shop.db --port 8080
    """
    config = settings(**flags)
    # Only this command needs the server's parts.
    import uvicorn

    from recontact import logger
    from recontact.protocol import allow_files, protocol_class
    from recontact.server import create_app
    from recontact.store import JournalLimits, open_store

    logger.configure()
    allow_files(config.connection_limit)
    with (
        closing(
            open_store(
                config.database,
                now=SYSTEM.now,
                queue_limit=config.queue_limit,
                serves=True,
                journal=JournalLimits(config.journal_days, config.journal_size),
            )
        ) as store,
        _listening(config) as listener,
    ):
        first_key = _first_key(store)
        links = _setup_links(store)
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
                if self.should_exit:
                    return
                print(f"recontact {__version__} listens on {url} and keeps {config.database}")
                print(_way_in(url, links, config))
                print(_welcome(url, first_key, config), flush=True)

        server = Server(
            uvicorn.Config(
                create_app(store, config),
                http=protocol_class(config),
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
        with suppress(SystemExit):  # uvicorn's, after a start that failed
            server.run(sockets=[listener])
    if not server.started:
        fail("The server could not start; the line above says why.")


@contextmanager
def _listening(config: Config) -> Iterator[socket.socket]:
    try:
        found = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)
        listener = socket.create_server(found[0][4][:2], family=found[0][0], backlog=2_048)
    except (OSError, UnicodeError) as error:
        why = "there is no such host"
        if isinstance(error, OSError) and not isinstance(error, socket.gaierror):
            why = os.strerror(error.errno or 0)
        fail(
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
            fail(f"{FIRST_KEY} must have at least 20 characters; it has {len(given)}.", 2)
        key = given or keys.new_key()
        keys.add_key(connection, site, key, now=SYSTEM.now())
    return f"${FIRST_KEY}" if given else key


def _setup_links(store: Any) -> dict[str, str]:
    """What makes the first login of each site that has none, by the site's name."""
    from recontact.store import staff

    with store.begin() as connection:
        return staff.new_setup_links(connection, SYSTEM.now())


def _way_in(url: str, links: dict[str, str], config: Config) -> str:
    """Where the control panel is, and how the first person comes into it."""
    if not links:
        create = _command("staff create --username NAME --role admin", config)
        return f"The control panel is at {url}/\nIf nobody can log in there: {create}"
    said = []
    for site, token in links.items():
        of = f" of {visible(site)}" if len(links) > 1 else ""
        said.append(f"Make the first login of the control panel{of}, within 24 hours:\n")
        said.append(f"  {url}/setup/{token}\n")
    return "\n".join(said)


def _command(words: str, config: Config) -> str:
    """One of our commands, as it is to be typed."""
    where = "" if config.database == Config().database else f" --database {config.database}"
    return f"{sys.argv[0]} {words}{where}"


def _welcome(url: str, key: str | None, config: Config) -> str:
    if key is None:
        return f"Make a key with: {_command('key create', config)}"
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
