"""The MLflow store of a workspace: a SQLite file, and a folder of artefacts.

MLflow keeps full paths in the file. After a workspace was moved or copied they lead to its old place, where
MLflow would go on writing, so they are set anew.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
from pathlib import Path
from typing import Final
from urllib.parse import quote

from configs.console import log

STORE_FILE: Final = "mlflow.db"
ARTIFACTS: Final = "mlartifacts"
BUNDLES: Final = "bundles"
_LOCATIONS: Final = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def store_uri(workspace: Path) -> str:
    """The tracking URI of the workspace's own file, whatever characters its path has."""
    path = str((workspace / STORE_FILE).resolve())
    if not re.search("[%?]", path):
        return f"sqlite:///{path}"
    # SQLAlchemy takes the quotes off. MLflow does not, where it makes the folder of a `sqlite:///`.
    return f"sqlite+pysqlite:///{quote(path)}"


def artifact_folder(workspace: Path) -> str:
    """The URI of the workspace's own folder of artefacts."""
    return (workspace / ARTIFACTS).resolve().as_uri()


def follow_workspace(workspace: Path) -> None:
    """Set the locations in the workspace's own file to where the workspace is now. Raises sqlite3.Error."""
    file = workspace / STORE_FILE
    if file.is_symlink() or not file.is_file():
        return
    with contextlib.closing(sqlite3.connect(file)) as connection, connection:
        for former in _former_artifact_folders(connection, present=artifact_folder(workspace)):
            _move(connection, former, artifact_folder(workspace))
            bundles = f"{former.removesuffix(ARTIFACTS)}{BUNDLES}"
            _move(connection, bundles, (workspace.resolve() / BUNDLES).as_uri())
            log(f"MLflow's artefacts move with the workspace: {former} is now {artifact_folder(workspace)}")


def _former_artifact_folders(connection: sqlite3.Connection, *, present: str) -> list[str]:
    """The folders of artefacts that workspaces in other places had, as the file has them."""
    if not _columns(connection, "experiments"):
        return []
    found = connection.execute("SELECT DISTINCT artifact_location FROM experiments").fetchall()
    return [
        location
        for (location,) in found
        if location and location != present and re.fullmatch(rf"(file:)?/.*/{ARTIFACTS}", location)
    ]


def _move(connection: sqlite3.Connection, former: str, present: str) -> None:
    """Replace the beginning of every location in or below `former`."""
    for table, column in _LOCATIONS:
        if column in _columns(connection, table):
            connection.execute(
                f"UPDATE {table} SET {column} = ? || substr({column}, ?) "
                f"WHERE {column} = ? OR substr({column}, 1, ?) = ?",
                (present, len(former) + 1, former, len(former) + 1, f"{former}/"),
            )


def _columns(connection: sqlite3.Connection, table: str) -> set[str]:
    """The columns of a table; none where MLflow's version has no such table."""
    return {str(row[1]) for row in connection.execute(f"PRAGMA table_info({table})")}
