"""`shopkeeper refresh`: a whole night in one command, for a timer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from configs.exceptions import RefreshRunningError, ShopkeeperError
from scripts.options import ConfigOption, OutOption, SetOption, load_settings
from scripts.priority import let_servers_go_first

if TYPE_CHECKING:
    from configs.schema import Config

STATUS: Final = {"new_champion": 0, "new_catalogue": 0, "kept": 3}
"""Outcome → exit status. Errors are 2, as of every command."""
RUNNING_STATUS: Final = 4
LOG_FOLDER: Final = "event-log"


def refresh(
    config: ConfigOption = None,
    set_: SetOption = None,
    out: OutOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the verdict as one JSON object, also after an error.")
    ] = False,
) -> None:
    """One night in one command, for a timer: prepare, train, evaluate, export, gate, promote.

    Events come from the files of the configuration, or from the live server's log
    (`refresh.source=event_log`). Newer data under the champion's settings replaces the champion unless it is
    clearly worse; other settings must win. Where only the catalogue is new, nothing is trained.

    A refresh that was killed goes on where it was when it is called again, and two never run at once.

    Exit status: 0 a new bundle is served, 3 the champion was kept (also where there is nothing new to train
    on), 4 another refresh is running, 2 an error. Try it, then give it to cron or systemd:

        shopkeeper refresh -c my_shop.yaml --json
    """
    let_servers_go_first()
    try:
        settings = load_settings(config, set_, out)
        verdict = _refreshed(settings)
    except ShopkeeperError as error:
        is_running = isinstance(error, RefreshRunningError)
        if as_json:
            outcome = "running" if is_running else "failed"
            typer.echo(json.dumps({"outcome": outcome, "reason": str(error)}))
        if not is_running:
            raise
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(RUNNING_STATUS) from None
    if as_json:
        typer.echo(json.dumps(verdict))
    else:
        _show(verdict)
    raise typer.Exit(STATUS[verdict["outcome"]])


def _refreshed(config: Config) -> dict[str, Any]:
    from dataclasses import asdict
    from functools import partial

    from serving.state.forgotten_users import forgotten_users
    from serving.state.store_location import store_location
    from training.refresh import refresh as run_refresh

    from_log = config.refresh.source == "event_log"
    return asdict(
        run_refresh(
            config,
            event_log=partial(write_log, config) if from_log else None,
            forgotten=partial(forgotten_users, store_location(config)),
        )
    )


def write_log(config: Config) -> Path:
    """The event log as a table, with the events of the prepared tables: those of the configured files, where
    nothing was prepared yet."""
    from datetime import UTC, datetime

    from configs.console import log
    from features.prepare import prepare
    from scripts.store import filled_store
    from serving.state.event_transfer import export_events
    from serving.state.forgotten_users import forgotten_users
    from serving.state.store_location import store_location

    if not (config.workspace / "tables").is_dir():
        forgotten = forgotten_users(store_location(config))
        prepare(config, now=datetime.now(UTC), progress=log, forgotten=forgotten)
    folder = config.workspace / LOG_FOLDER
    log(f"{export_events(filled_store(config), folder):,} events in the log")
    return folder / "events.parquet"


def _show(verdict: dict[str, Any]) -> None:
    run = verdict["run"] or "none: nothing was trained"
    seconds = ", ".join(f"{step} {taken:.0f} s" for step, taken in verdict["seconds"].items())
    for name, value in {
        "outcome": verdict["outcome"].replace("_", " "),
        "reason": verdict["reason"],
        "run": run,
        "champion": verdict["champion"] or "none yet",
        "took": seconds,
    }.items():
        typer.echo(f"{name:10}{value}")
