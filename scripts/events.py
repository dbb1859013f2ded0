"""`shopkeeper events`: moves events into and out of the live server's event log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scripts.options import ConfigOption, OutOption, SetOption, load_settings

events_app = typer.Typer(
    no_args_is_help=True, help="Move events into and out of the live server's event log."
)


@events_app.command("import")
def events_import(config: ConfigOption = None, set_: SetOption = None, out: OutOption = None) -> None:
    """Put the events of the prepared tables into the event log. Doing it again adds nothing."""
    from scripts.store import import_tables

    import_tables(load_settings(config, set_, out))


@events_app.command("export")
def events_export(
    to: Annotated[
        Path, typer.Option("--to", help="The folder to write; `data.events: FOLDER/events.parquet` reads it.")
    ],
    config: ConfigOption = None,
    set_: SetOption = None,
    out: OutOption = None,
) -> None:
    """Write the event log as a table for the next training, and users' attributes beside it (`users.parquet`,
    for `data.users`). Whoever was deleted, or did not consent, is in neither."""
    settings = load_settings(config, set_, out)
    from serving.state.event_transfer import export_events
    from serving.state.store_location import store_location

    num_events = export_events(store_location(settings), to)
    typer.echo(f"{num_events:,} events written to {to}/events.parquet")
