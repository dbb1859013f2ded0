"""`shopkeeper channels`: what each channel contributed to the orders, described."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from scripts.as_of import AsOfOption, beginning_of
from scripts.options import ConfigOption, OutOption, SetOption, load_settings

if TYPE_CHECKING:
    from configs.schema import Config
    from features.customers.channels import Channels

KIND: Final = "channels"


def channels(
    config: ConfigOption = None,
    set_: SetOption = None,
    out: OutOption = None,
    csv: Annotated[
        Path | None,
        typer.Option("--csv", help="Write the table of channels to a file, too.", metavar="FILE"),
    ] = None,
    as_of: AsOfOption = None,
) -> None:
    """Print what each channel contributed: orders and revenue credited by the first touch, the last, by
    position, and by a Markov chain.

    It needs `shopkeeper prepare` alone. Ids that login, an order or a hashed e-mail address joins are one
    shopper. It describes the paths of those who bought, and does not show what a channel caused. The folder
    `channels` of the workspace has the tables, and `README.txt`, which says what they mean.

        shopkeeper channels -c my_shop.yaml --csv channels.csv
    """
    settings = load_settings(config, set_, out)
    from configs.console import log, stdout
    from features.core.csv_files import write_csv
    from features.customers.channels import joined_text
    from scripts.channel_tables import rendered

    found = computed(settings, None if as_of is None else beginning_of(as_of))
    console = stdout()
    for part in rendered(found):
        console.print(part)
    for line in [*joined_text(found.shoppers), *found.remarks]:
        log(line)
    if csv is not None:
        write_csv(found.table, csv)
    log(f"Tables, and what they hold: {settings.workspace / KIND}/README.txt")


def computed(settings: Config, as_of: datetime | None) -> Channels:
    """Compute the channels and write the folder."""
    from configs.console import log
    from features.core.artefact import check_replaceable
    from features.customers.channels import compute_channels
    from features.customers.channels_read_me import read_me
    from features.customers.report_folder import write_report
    from features.ingest.tables import Tables
    from serving.state.forgotten_users import forgotten_users, live_attributes
    from serving.state.store_location import store_location

    folder, store = settings.workspace / KIND, store_location(settings)
    check_replaceable(folder, kind=KIND)
    tables = Tables.open(settings.workspace / "tables")
    found = compute_channels(
        tables,
        settings,
        as_of=as_of,
        forgotten=forgotten_users(store),
        live=live_attributes(store),
        progress=log,
    )
    write_report(
        folder,
        {"channels": found.table, "paths": found.paths, "shoppers": found.shoppers.table},
        kind=KIND,
        read_me=read_me(found, settings.channels, shop=settings.name, made_from=tables.fingerprint),
        made_from=tables.fingerprint,
        contents={
            "as_of": found.as_of.isoformat(),
            "columns": found.columns,
            "num_orders": found.orders,
            "joined": found.shoppers.joined,
            "settings": settings.channels.model_dump(mode="json"),
        },
    )
    return found
