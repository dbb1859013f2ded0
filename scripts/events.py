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
def events_import(
    also_trimmed: Annotated[
        bool, typer.Option("--also-trimmed", help="Also events that are older than what was trimmed.")
    ] = False,
    config: ConfigOption = None,
    set_: SetOption = None,
    out: OutOption = None,
) -> None:
    """Put the events of the prepared tables into the event log. Doing it again adds nothing."""
    from scripts.store import import_tables

    import_tables(load_settings(config, set_, out), also_trimmed=also_trimmed)


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


@events_app.command("trim")
def events_trim(
    before: Annotated[
        str | None,
        typer.Option("--before", help="Delete events from before this date or time (UTC).", metavar="DATE"),
    ] = None,
    keep_days: Annotated[
        int | None, typer.Option("--keep-days", min=1, help="Delete events older than so many days.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Also events that no export has.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count them, and delete nothing.")] = False,
    vacuum: Annotated[
        bool,
        typer.Option(
            "--vacuum",
            help="Write the store's file anew afterwards, which gives all free room back to the disk. No "
            "event is stored meanwhile.",
        ),
    ] = False,
    config: ConfigOption = None,
    set_: SetOption = None,
    out: OutOption = None,
) -> None:
    """Delete old events from the event log, a few at a time: the live server may run. What is in no export
    yet is kept. Ended in the middle, it can be called again."""
    settings = load_settings(config, set_, out)
    from scripts.trim import trim

    done = trim(settings, before=before, keep_days=keep_days, force=force, dry_run=dry_run, vacuum=vacuum)
    typer.echo(done)


@events_app.command("copy")
def events_copy(
    to: Annotated[
        str,
        typer.Option(
            "--to", help="The other store: a Redis URL, or the path of a file of SQLite.", metavar="STORE"
        ),
    ],
    replace: Annotated[
        bool, typer.Option("--replace", help="Delete what the other store has, where it is something else.")
    ] = False,
    config: ConfigOption = None,
    set_: SetOption = None,
    out: OutOption = None,
) -> None:
    """Copy the whole store to another one, and compare the two: events, items, users' attributes, and who
    was deleted or did not consent. Stop the server first. Ended in the middle, it can be called again; a
    second call changes nothing."""
    settings = load_settings(config, set_, out)
    is_url = "://" in to
    other = load_settings(config, [*(set_ or ()), f"serving.store={to}"], out) if is_url else None
    from scripts.copy_store import copy

    typer.echo(copy(settings, other or Path(to), replace=replace))
