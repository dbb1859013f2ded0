"""Group commit into the store's SQLite file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from serving.state.database import WRITE_WITHOUT_CHANGE, connect, transaction, translate_store_errors
from serving.state.group_commit_writer import GroupCommitWriter
from serving.state.statements import Statement

_TRY_SECONDS: Final = 0.002
"""How long one attempt waits for the lock, which another replica holds for as long as its fsync takes. SQLite
waits in steps that grow to a tenth of a second: two replicas that write would be idle most of the time."""


class SqliteWriter(GroupCommitWriter[Sequence[Statement], int]):
    """Carries out statements, all of a write or none, and returns how many rows they changed. No statements:
    the file is written and nothing is changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = connect(path, busy_seconds=_TRY_SECONDS)
        super().__init__(str(path))

    def _commit(self, group: Sequence[Sequence[Statement]]) -> list[int]:
        with translate_store_errors(self._path), transaction(self._connection):
            return [self._execute(statements) for statements in group]

    def _execute(self, statements: Sequence[Statement]) -> int:
        if not statements:
            self._connection.execute(WRITE_WITHOUT_CHANGE)
        return sum(self._connection.execute(sql, parameters).rowcount for sql, parameters in statements)

    def _disconnect(self) -> None:
        self._connection.close()
