"""`shopkeeper returns`: what comes back, what comes back more than it used to, and what fits instead."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from scripts.as_of import AsOfOption, beginning_of
from scripts.options import ConfigOption, OutOption, SetOption, load_settings

if TYPE_CHECKING:
    from configs.schema import Config
    from features.customers.returns import Returns

KIND: Final = "returns"


def returns(
    config: ConfigOption = None,
    set_: SetOption = None,
    out: OutOption = None,
    csv: Annotated[
        Path | None,
        typer.Option("--csv", help="Write the rates of all products to a file, too.", metavar="FILE"),
    ] = None,
    as_of: AsOfOption = None,
) -> None:
    """Print how much of each category and product comes back, warn of products of which more comes back than
    used to, and name products that fit instead.

    It needs `shopkeeper prepare` alone, and refunds among the events. The folder `returns` of the workspace
    has the tables, also by customer, and `README.txt`, which says what they mean.

        shopkeeper returns -c my_shop.yaml --csv returns.csv
    """
    settings = load_settings(config, set_, out)
    from configs.console import log, stdout
    from features.core.csv_files import write_csv
    from scripts.return_tables import render_returns

    found, titles = computed(settings, None if as_of is None else beginning_of(as_of))
    console = stdout()
    for table in render_returns(found, settings.returns, titles):
        console.print(table)
    for remark in found.remarks:
        log(remark)
    if csv is not None:
        write_csv(found.products, csv)
    log(f"Tables, and what they hold: {settings.workspace / KIND}/README.txt")


def computed(settings: Config, as_of: datetime | None) -> tuple[Returns, dict[str, str]]:
    """(the returns, title of each product); writes the folder."""
    from configs.console import log
    from features.core.artefact import check_replaceable
    from features.core.columns import ID, TITLE
    from features.customers.report_folder import write_report
    from features.customers.returns import compute_returns
    from features.customers.returns_read_me import read_me
    from features.ingest.tables import Tables
    from serving.state.forgotten_users import forgotten_users, live_attributes
    from serving.state.store_location import store_location

    folder, store = settings.workspace / KIND, store_location(settings)
    check_replaceable(folder, kind=KIND)
    tables = Tables.open(settings.workspace / "tables")
    found = compute_returns(
        tables,
        settings,
        as_of=as_of,
        forgotten=forgotten_users(store),
        live=live_attributes(store) if settings.customers.consent else (),
        progress=log,
    )
    names = ("products", "categories", "customers", "warnings", "instead")
    write_report(
        folder,
        {name: getattr(found, name) for name in names},
        kind=KIND,
        read_me=read_me(found, settings.returns, shop=settings.name, made_from=tables.fingerprint),
        made_from=tables.fingerprint,
        contents={
            "as_of": found.as_of.isoformat(),
            "num_lines": found.lines,
            "num_returned_lines": found.returned_lines,
            "settings": settings.returns.model_dump(mode="json"),
        },
    )
    return found, dict(tables.items.select(ID, TITLE).drop_nulls().collect().iter_rows())
