"""
The command `recontact`, and at its end a file with all that it told its driver to write.

Run as `python recording.py serve …`; the file is `recorded.pickle` in the working folder.
"""

import pickle
from functools import partial
from pathlib import Path
from typing import Any

from recontact import cli
from recontact.store.sqlite import driver  # type: ignore[attr-defined]  # not exported

written: list[tuple[str, Any]] = []
"""Each statement of a group's writes with one row, in order."""


class Recorder(driver.Connection):  # type: ignore[misc]  # pysqlite3 has no types
    """A connection that notes the rows that it writes; it need not wait for the disk."""

    def execute(self, sql: str, *values: Any) -> Any:
        """As told, but for the wait."""
        return super().execute(sql.replace("synchronous = FULL", "synchronous = OFF"), *values)

    def executemany(self, sql: str, rows: list[Any]) -> Any:
        """Note them, and write them."""
        written.extend((sql, row) for row in rows)
        return super().executemany(sql, rows)


if __name__ == "__main__":
    driver.connect = partial(driver.connect, factory=Recorder)
    try:
        cli.main()
    finally:
        Path("recorded.pickle").write_bytes(pickle.dumps(written))
