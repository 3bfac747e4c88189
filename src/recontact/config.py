"""The settings: flag, then RECONTACT_* variable, then recontact.toml, then default."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from recontact.addresses import Networks
from recontact.limits import Rate
from recontact.messages import RecontactError
from recontact.model import IDEMPOTENCY_DAYS

PREFIX: Final = "RECONTACT_"
FILE: Final = "recontact.toml"
FIRST_KEY: Final = "RECONTACT_FIRST_KEY"
"""The variable that holds the first key, for whoever must know it beforehand; never in a file."""


class SettingError(RecontactError):
    """A setting has a wrong value, or there is no setting of that name."""


def _setting(default: Any, doc: str, least: float | None = None, most: float | None = None) -> Any:
    return field(default=default, metadata={"doc": doc, "least": least, "most": most})


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting with its default. Sizes are in bytes, times in seconds."""

    database: str = _setting("sqlite:///recontact.db", "where everything is kept")
    host: str = _setting("127.0.0.1", "the address to listen on")
    port: int = _setting(8000, "the port to listen on; 0 takes a free one", 0, 65_535)
    body_limit: int = _setting(8 * 1024 * 1024, "bytes of a body, also unpacked", 1_024, 2**30)
    bodies_limit: int = _setting(
        64 * 1024 * 1024, "bytes of all bodies at a time, at least body_limit", 1_024, 2**36
    )
    item_limit: int = _setting(1_000, "items in one call", 1, 100_000)
    nesting_limit: int = _setting(32, "levels of a body", 4, 200)
    notes_limit: int = _setting(65_535, "characters of Notes", 255, 2**24)
    request_timeout: float = _setting(20.0, "seconds for a whole request to arrive", 0.1, 3_600)
    connection_limit: int = _setting(1_000, "connections at a time", 1, 100_000)
    queue_limit: int = _setting(1_024, "calls that may wait for the database", 1, 1_000_000)
    rate_limit: Rate = _setting(Rate(), "calls of one site, for instance 500/minute")
    failure_limit: Rate = _setting(
        Rate(20, "minute"), "calls of one address without a valid key, before 429"
    )
    trusted_proxies: Networks = _setting(
        Networks(), "addresses and networks whose X-Forwarded-For and -Proto are believed"
    )
    journal_days: int = _setting(90, "days that the journal keeps a call", 1, 36_500)
    journal_size: int = _setting(10 * 2**30, "bytes of bodies that the journal keeps", 0, 2**39)


_WRITTEN: Final[dict[Any, tuple[type[int | float], re.Pattern[str]]]] = {
    int: (int, re.compile("[0-9]{1,12}")),
    float: (float, re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")),
}
_SETTINGS: Final = {setting.name: setting for setting in fields(Config)}


def load(flags: Mapping[str, Any], environ: Mapping[str, str], folder: Path = Path()) -> Config:
    """
    The settings that hold: a flag that was given (not None), else the variable, else the file.

    folder: where recontact.toml is looked for. Raises SettingError with a sentence.
    """
    values: dict[str, tuple[str, Any]] = {}
    for name, value in _from_file(folder / FILE).items():
        values[name] = f"{name} in {FILE}", value
    for variable, value in environ.items():
        if variable.startswith(PREFIX) and variable != FIRST_KEY:
            values[variable.removeprefix(PREFIX).lower()] = variable, value
    for name, value in flags.items():
        if value is not None:
            values[name] = "--" + name.replace("_", "-"), value
    config = Config(**{name: _read(name, *said) for name, said in values.items()})
    if config.bodies_limit < config.body_limit:
        raise SettingError(
            f"bodies_limit must be at least body_limit, {config.body_limit}; "
            f"got {config.bodies_limit}."
        )
    if config.journal_days < IDEMPOTENCY_DAYS:
        raise SettingError(
            f"journal_days must be at least {IDEMPOTENCY_DAYS}: for so long an Idempotency-Key "
            f"counts, and the journal has the answer to its call; got {config.journal_days}."
        )
    return config


def _from_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingError(f"{path} cannot be read: {error}.") from error


def _read(name: str, said: str, value: Any) -> Any:
    setting = _SETTINGS.get(name)
    if setting is None:
        raise SettingError(f"There is no setting {said}. The settings are {', '.join(_SETTINGS)}.")
    if setting.type is str:
        return str(value)
    if setting.type in (Rate, Networks):
        try:
            return setting.type.parse(str(value).strip())
        except ValueError as error:
            raise SettingError(f"{said} must be {error}; got {value!r}.") from error
    number = None
    if not isinstance(value, bool) and _WRITTEN[setting.type][1].fullmatch(str(value)):
        number = _WRITTEN[setting.type][0](value)
    least, most = setting.metadata["least"], setting.metadata["most"]
    if number is None or not least <= number <= most:
        raise SettingError(f"{said} must be a number from {least} to {most}; got {value!r}.")
    return number
