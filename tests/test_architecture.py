"""What holds the house together: who imports whom, what is loaded when, and one field table."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from conftest import RECONTACT, clean_environ, served

import recontact
from recontact import actions
from recontact.fields import (
    CUSTOMER_DETAILS,
    GET_CUSTOMER,
    UPDATE_CUSTOMER_LOG,
    Comparison,
    Element,
    Fields,
)
from recontact.model import Customer, CustomerLog
from recontact.store import tables

SOURCE = Path(recontact.__file__).parent
PROJECT = Path(__file__).parents[1]

# A module or folder may import from the rows below its own, and from itself. Two in one row are
# strangers to each other. Modules that are not built yet have their place already.
LAYERS = [
    {"__main__"},
    {"cli", "pytest_plugin"},  # wire things together
    {"server"},  # HTTP in, HTTP out: the addresses ...
    {"neto_api", "protocol"},  # ... and the one of the API
    {"web", "describe", "exporting"},
    {"config", "past_calls"},
    {
        "actions",
        "addresses",
        "body",
        "client",
        "faults",
        "gate",
        "limits",
        "logger",
        "mentions",
        "metrics",
        "undo",
    },
    {"store", "wire"},  # bytes on disk, bytes on the wire
    {"history", "messages"},
    {"catalogue", "evidence"},
    {"model"},
    {"fields"},
    {"values"},
    {"clock", "counting"},
    {"__init__"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}

# The time and the settings come in as arguments, but for those who are at the door.
AT_THE_DOOR = {"server", "neto_api", "protocol", "cli", "pytest_plugin"}
READ_ONLY_THERE = {"clock", "config"}

# The client is used without the server: it may know the wire, and what that knows.
CLIENT_KNOWS = {"__init__", "catalogue", "messages", "model", "fields", "values", "wire"}

# Who may know of a library. One that is not listed is anybody's.
LIBRARIES = {
    "alembic": {"store"},
    "argon2": {"store"},
    "httptools": {"protocol"},
    "httpx": {"client"},
    "jinja2": {"web"},
    "lxml": {"wire"},
    "markdown_it": {"describe"},
    "prometheus_client": {"metrics"},
    "psycopg": {"store"},
    "pysqlite3": {"store"},
    "rich": {"cli"},
    "sqlalchemy": {"store"},
    "sqlite3": {"store"},
    "starlette": {"body", "neto_api", "protocol", "server", "web"},
    "typer": {"cli"},
    "uvicorn": {"cli", "protocol"},
    "uvloop": {"cli", "server"},
}


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def part_of(path: Path) -> str:
    """The module or the folder, right below recontact, that a file belongs to."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> Iterator[tuple[str, int]]:
    """
    The full names that a file imports, and the lines.

    Inside functions and under TYPE_CHECKING too: whoever must know a type knows the module.
    """
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{path}:{node.lineno} imports relatively"
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno


def ours(name: str) -> str | None:
    """Which of our parts an imported name is in; None for another's."""
    head, *rest = name.split(".")
    if head != "recontact":
        return None
    return rest[0] if rest and rest[0] in LEVEL else "__init__"


def test_every_module_has_its_place() -> None:
    assert {part_of(path) for path in modules()} <= set(LEVEL)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_only_point_down(path: Path) -> None:
    importer = part_of(path)
    for name, line in imports_of(path):
        imported = ours(name)
        where = f"{path.relative_to(SOURCE)}:{line} imports {name}"
        if imported is None:
            library = name.split(".")[0]
            assert importer in LIBRARIES.get(library, {importer}), where
        elif imported != importer:
            assert LEVEL[imported] > LEVEL[importer], where
            assert imported not in READ_ONLY_THERE or importer in AT_THE_DOOR, where
            assert importer != "client" or imported in CLIENT_KNOWS, where


def test_no_module_has_the_name_of_a_standard_one() -> None:
    names = {path.stem for path in modules()} | {path.parent.name for path in modules()}
    assert names & sys.stdlib_module_names <= {"__main__", "__init__"}


# -- what is loaded when -------------------------------------------------------------------------


def loaded_by(code: str) -> set[str]:
    """The libraries and our modules that are loaded once `code` has run."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        env=clean_environ(),
        capture_output=True,
        text=True,
        check=True,
    )
    names = done.stdout.split()
    return {name for name in names if "." not in name or name.startswith("recontact.")}


def test_importing_recontact_loads_nothing_heavy() -> None:
    loaded = loaded_by("import recontact")

    assert not loaded & {*LIBRARIES, "msgspec", "structlog", "asyncio"}
    assert {name for name in loaded if name.startswith("recontact")} == {"recontact"}


def loaded_while(output: str) -> set[str]:
    """The libraries that `python -X importtime` says were loaded."""
    lines = [line for line in output.splitlines() if line.startswith("import time:")]
    assert len(lines) > 50
    return {line.rpartition("|")[2].strip().split(".")[0] for line in lines}


def test_a_server_on_an_up_to_date_database_starts_without_what_it_does_not_need(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    with served(database) as server:
        server.neto.add({"Notes": "x"})
        server.neto.log(1)
        assert server.stop() == 0

    loaded = loaded_while(server.err.whole())
    not_needed = {"alembic", "argon2", "rich", "mako", "psycopg", "jinja2", "markdown_it"}
    assert loaded & (not_needed | {"prometheus_client"}) == set()


def test_a_command_loads_no_server(database: Path) -> None:
    done = subprocess.run(
        [*RECONTACT, "key", "list", "--json"],
        cwd=database.parent,
        env=clean_environ(PYTHONPROFILEIMPORTTIME="1"),
        capture_output=True,
        text=True,
        check=True,
    )

    loaded = loaded_while(done.stderr)
    assert loaded & {"alembic", "rich", "uvicorn", "uvloop", "starlette", "lxml"} == set()


# -- one field table -----------------------------------------------------------------------------

# The table of the page that the project began with, word by word.
SEED = [
    ("LogID", "Integer(10)"),
    ("AllocatedTo", "String(100)"),
    ("FollowUpType", "String(50)"),
    ("CustomerName", "String(100)"),
    ("LastContacted", "DateTime"),
    ("DateRequiredFollowUp", "DateTime"),
    ("Status", "Enumeration(Require Recontact, Recontacting, Completed)"),
    ("Notes", "String"),
]


def test_the_field_table_of_update_customer_log_is_the_seeds() -> None:
    shape = UPDATE_CUSTOMER_LOG

    assert (shape.action, shape.path) == ("UpdateCustomerLog", ("CustomerLogs", "CustomerLog"))
    seed = [field.wire for field in shape.item.values() if field.wire.evidence == "seed"]
    assert [(wire.name, wire.type.documented) for wire in seed] == SEED
    others = {name: field.wire for name, field in shape.item.items() if field.wire not in seed}
    assert [(name, wire.evidence) for name, wire in others.items()] == [("Revision", "extension")]


def keys_of(fields: Fields) -> set[str]:
    """The keys of the fields that hold a value, those within others too."""
    return set().union(*(keys_of(f.parts) if f.parts else {f.key} for f in fields.values()))


def keys_in(elements: Iterable[Element]) -> set[str]:
    """The keys of what these elements answer of a record; not of the lists in it."""
    return set().union(*(keys_in(e.parts) if e.parts else {e.key} for e in elements))


@pytest.mark.parametrize("action", actions.ACTIONS.values(), ids=lambda action: action.shape.action)
def test_each_element_is_an_attribute_of_its_record_and_a_column(action: actions.Action) -> None:
    if action.shape.record == "CustomerLog":
        attributes = set(CustomerLog.__struct_fields__)
        columns = {column.name for column in tables.customer_log.columns}
        # A follow-up is on a day or at an instant, in a column each.
        assert columns >= {"follow_up_day", "follow_up_at"}
        columns |= {"date_required_follow_up"}
        kept = attributes & columns
    else:
        # What no filter asks for shares a column.
        attributes = set(Customer.__struct_fields__) | set(CUSTOMER_DETAILS) | {"password"}
        columns = {column.name.removesuffix("_folded") for column in tables.customer.columns}
        kept = attributes

    assert keys_of(action.shape.item) <= kept
    elements = [one for one in action.shape.selectors.values() if not one.repeats]
    nobody_has = {"", "account_balance", "available_credit"}
    assert keys_in(elements) <= kept | nobody_has
    others = (Comparison.PAGE, Comparison.LIMIT, Comparison.SEARCH, Comparison.BEFORE)
    for one in action.shape.filters.values():
        assert one.comparison in others or one.key in attributes & columns, one
    for table in (action.shape.item, action.shape.selectors, action.shape.filters):
        for name, entry in table.items():
            assert entry.wire.doc.endswith((".", "…")), f"{name} is not documented"


def test_get_customer_has_the_94_documented_selectors() -> None:
    documented = [e for e in GET_CUSTOMER.selectors.values() if e.wire.evidence == "documented"]

    assert len(documented) == 94


def test_the_version_is_in_one_place_and_its_copy() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]

    assert recontact.__version__ == project["version"]


def test_the_crash_chore_sets_no_variable_that_stops_the_server() -> None:
    """Every RECONTACT_* variable is a setting, and an unknown one stops the start."""
    chores = (PROJECT / "Makefile").read_text()

    assert "RECONTACT_" not in chores
    assert "CRASH_ROUNDS=$(ROUNDS)" in chores
