"""Fills the event store of a workspace from its tables."""

from __future__ import annotations

from pathlib import Path

from configs.console import log, progress
from configs.schema import Config
from features.core.artefact import read_manifest
from serving.state.event_transfer import import_events
from serving.state.store import STORE_FILE


def filled_store(config: Config) -> Path:
    """The path of the event store. The workspace's tables are imported first, unless that is done already."""
    if (config.workspace / "tables").is_dir():
        import_tables(config, quiet=True)
    return config.workspace / STORE_FILE


def import_tables(config: Config, *, quiet: bool = False) -> None:
    """Import the workspace's tables with progress, and log the result; `quiet`: not when they were there
    already."""
    tables = config.workspace / "tables"
    total = int(read_manifest(tables, kind="tables")["num_events"])
    done = 0
    with progress("importing events into the store", total=total) as work:

        def report_progress(now_done: int, _: int) -> None:
            nonlocal done
            work.advance(now_done - done)
            done = now_done

        result = import_events(tables, config.workspace / STORE_FILE, progress=report_progress)
    if result.already_imported:
        if not quiet:
            log("these tables were imported before: nothing to do")
    else:
        log(
            f"imported {result.imported:,} events into {config.workspace / STORE_FILE} "
            f"({result.duplicates:,} were there already)"
        )
