"""Fills the event store of a workspace from its tables."""

from __future__ import annotations

from configs.console import log, progress
from configs.schema import Config
from features.core.artefact import read_manifest
from serving.state.event_transfer import import_events
from serving.state.store_location import StoreLocation, store_location


def filled_store(config: Config) -> StoreLocation:
    """Where the event store is. The workspace's tables are imported first, unless that is done already."""
    if (config.workspace / "tables").is_dir():
        import_tables(config, quiet=True)
    return store_location(config)


def import_tables(config: Config, *, quiet: bool = False, also_trimmed: bool = False) -> None:
    """Import the workspace's tables with progress, and log the result; `quiet`: not when they were there
    already."""
    tables = config.workspace / "tables"
    total = int(read_manifest(tables, kind="tables")["num_events"])
    done, store = 0, store_location(config)
    with progress("importing events into the store", total=total) as work:

        def report_progress(now_done: int, _: int) -> None:
            nonlocal done
            work.advance(now_done - done)
            done = now_done

        result = import_events(tables, store, also_trimmed=also_trimmed, progress=report_progress)
    if result.already_imported:
        if not quiet:
            log("these tables were imported before: nothing to do")
    else:
        more = f"{result.duplicates:,} were there already"
        more += f", {result.trimmed:,} are older than what was trimmed" if result.trimmed else ""
        log(f"imported {result.imported:,} events into {store} ({more})")
