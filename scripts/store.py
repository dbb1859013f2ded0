"""The event store of a workspace, filled from its tables the first time it is wanted."""

from __future__ import annotations

from pathlib import Path

from configs.console import say, working
from configs.schema import Config
from features.artefact import read_manifest
from serving.event_transfer import import_events
from serving.store import STORE_FILE


def filled_store(config: Config) -> Path:
    """The store's path; a workspace with tables and no store yet gets one."""
    path = config.workspace / STORE_FILE
    if not path.exists() and (config.workspace / "tables").is_dir():
        import_tables(config)
    return path


def import_tables(config: Config) -> None:
    """Import the workspace's tables, with progress, and say what was done."""
    tables = config.workspace / "tables"
    total = int(read_manifest(tables, kind="tables")["num_events"])
    done = 0
    with working("importing events into the store", total=total) as work:

        def progress(now_done: int, _: int) -> None:
            nonlocal done
            work.advance(now_done - done)
            done = now_done

        result = import_events(tables, config.workspace / STORE_FILE, progress=progress)
    if result.already_imported:
        say("these tables were imported before: nothing to do")
    else:
        say(
            f"imported {result.imported:,} events into {config.workspace / STORE_FILE} ({result.duplicates:,} were there already)"
        )
