"""`shopkeeper export`: the bundle of a run, and whether it is served."""

from __future__ import annotations

from typing import Annotated

import typer

from scripts.options import AGAIN, ConfigOption, OutOption, RunOption, SetOption, load_settings


def export(
    config: ConfigOption = None,
    set_: SetOption = None,
    out: OutOption = None,
    run: RunOption = None,
    catalogue_only: Annotated[
        bool,
        typer.Option(
            "--catalogue-only",
            help="Give the champion's bundle (or that of --run) the prepared catalogue, in seconds.",
        ),
    ] = False,
) -> None:
    """Fit on everything, write the bundle, register it in MLflow, and make it champion if it passes the gate.

    Nothing is written unless ONNX agrees with torch, the index finds what exact search finds, and ids lead
    back to their items.

    `--catalogue-only` trains nothing: stock, prices, titles and new items are those of the last `prepare`. A
    run whose bundle is there, and whose events are those prepared, needs no option for that.
    """
    settings = load_settings(config, set_, out)
    from configs.console import log
    from scripts.run_settings import log_ignored_settings
    from serving.recommend.served_bundle import read_pointer
    from training.lifecycle import release, renew_catalogue
    from training.runs.run import run_named

    champion = read_pointer(settings.workspace)
    if catalogue_only and run is None:
        run = champion.run if champion else None
    found = run_named(settings.workspace, run)
    log_ignored_settings(settings, found)
    released = renew_catalogue(settings, found) if catalogue_only else release(settings, found)
    wins = released.decision.is_champion
    typer.echo(f"bundle    {released.bundle} (version {released.version})")
    typer.echo(f"champion  {'yes' if wins else 'no'}: {released.decision.why}")
    if released.successor is not None:
        typer.echo(f"successor {released.successor.name}: the champion's settings on the present data")
    chosen = "" if wins else f"--bundle {released.bundle} "
    log(f"Next: shopkeeper serve {chosen}{AGAIN}, or shopkeeper recommend {chosen}--user ID")
