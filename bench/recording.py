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

Statement = tuple[str, Any]
"""What was told, with one row."""

transactions: list[list[Statement]] = []
"""What each commit wrote, in order."""


class Recorder(driver.Connection):  # type: ignore[misc]  # pysqlite3 has no types
    """A connection that notes the rows that it writes; it need not wait for the disk."""

    def __init__(self, *where: Any, **how: Any) -> None:
        super().__init__(*where, **how)
        self._written: list[Statement] = []

    def execute(self, sql: str, *values: Any) -> Any:
        """As told, but for the wait."""
        if sql.startswith("BEGIN"):
            self._written = []
        elif sql.startswith(("INSERT", "UPDATE", "DELETE")):
            self._written.append((sql, values[0] if values else ()))
        elif sql == "COMMIT" and self._written:
            transactions.append(self._written)
        return super().execute(sql.replace("synchronous = FULL", "synchronous = OFF"), *values)

    def executemany(self, sql: str, rows: list[Any]) -> Any:
        """Note them, and write them."""
        self._written += [(sql, row) for row in rows]
        return super().executemany(sql, rows)


if __name__ == "__main__":
    driver.connect = partial(driver.connect, factory=Recorder)
    try:
        cli.main()
    finally:
        Path("recorded.pickle").write_bytes(pickle.dumps(transactions))
