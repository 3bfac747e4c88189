"""The settings: flag, then RECONTACT_* variable, then recontact.toml, then default."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from recontact.messages import RecontactError

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
    item_limit: int = _setting(1_000, "items in one call", 1, 100_000)
    nesting_limit: int = _setting(32, "levels of a body", 4, 200)
    notes_limit: int = _setting(65_535, "characters of Notes", 255, 2**24)
    request_timeout: float = _setting(20.0, "seconds for a whole request to arrive", 0.1, 3_600)
    queue_limit: int = _setting(1_024, "calls that may wait for the database", 1, 1_000_000)


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
    return Config(**{name: _read(name, *said) for name, said in values.items()})


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
    number = None
    if not isinstance(value, bool) and _WRITTEN[setting.type][1].fullmatch(str(value)):
        number = _WRITTEN[setting.type][0](value)
    least, most = setting.metadata["least"], setting.metadata["most"]
    if number is None or not least <= number <= most:
        raise SettingError(f"{said} must be a number from {least} to {most}; got {value!r}.")
    return number
