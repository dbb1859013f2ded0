"""`shopkeeper segments`: who the customers are, as tables."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from scripts.as_of import AsOfOption, beginning_of
from scripts.options import ConfigOption, OutOption, SetOption, load_settings

if TYPE_CHECKING:
    import polars as pl

    from configs.schema import Config
    from features.customers.compute import Customers

FOLDER: Final = "customers"


def segments(
    config: ConfigOption = None,
    set_: SetOption = None,
    out: OutOption = None,
    where: Annotated[
        str | None,
        typer.Option(
            "--where",
            help="Only the customers for whom a SQL condition over the columns of the profiles is true, such "
            "as \"life_stage = 'at risk' and spent > 200\".",
            metavar="CONDITION",
        ),
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option(
            "--csv",
            help="Write these customers to a file, one row each, and beside it, with .txt at its end, what "
            "it holds.",
            metavar="FILE",
        ),
    ] = None,
    as_of: AsOfOption = None,
) -> None:
    """Print who the customers are: life stages, value tiers, levels, groups who buy alike, and who moved.

    It needs `shopkeeper prepare` alone, and writes the folder `customers` of the workspace: one row a
    customer in `profiles.parquet`, one a segment in `segments.parquet`, and `README.txt`, which says what all
    of it means. Segments of fewer than `customers.min_group_size` people are not shown.

        shopkeeper segments -c my_shop.yaml --where "life_stage = 'at risk'" --csv at_risk.csv
    """
    settings = load_settings(config, set_, out)
    from configs.console import log, stdout
    from scripts.segment_tables import render_moves, render_segments

    moment = None if as_of is None else beginning_of(as_of)
    found, write = computed(settings, moment)
    chosen = found.profiles if where is None else _chosen(found.profiles, where, settings)
    write()
    console = stdout()
    for table in render_segments(found, chosen, rules=settings.customers, where=where):
        console.print(table)
        console.print()
    if where is None and found.moved.since is not None:
        console.print(render_moves(found.moved))
        console.print()
    for remark in found.remarks:
        log(remark)
    if csv is not None:
        _export(found, chosen, csv, settings, where=where)
    log(f"Tables, and what they hold: {settings.workspace / FOLDER}/README.txt")


def computed(settings: Config, as_of: datetime | None) -> tuple[Customers, Callable[[], None]]:
    """The customers, and what writes them: a condition that is none leaves the last run's folder alone."""
    from configs.console import log
    from features.core.artefact import check_replaceable
    from features.customers.compute import compute_customers
    from features.customers.customer_tables import LastRun, no_state, write_customers
    from features.customers.read_me import read_me
    from features.customers.remarks import stage_rules
    from features.ingest.tables import Tables
    from serving.state.forgotten_users import forgotten_users, live_attributes
    from serving.state.store_location import store_location

    folder, rules, store = settings.workspace / FOLDER, settings.customers, store_location(settings)
    check_replaceable(folder, kind="customers")
    tables = Tables.open(settings.workspace / "tables")
    found = compute_customers(
        tables,
        rules,
        as_of=as_of,
        last=LastRun.open(folder),
        forgotten=forgotten_users(store),
        live=live_attributes(store) if rules.consent else (),
        progress=log,
    )
    since = found.moved.since
    write = partial(
        write_customers,
        folder,
        {
            "profiles": found.profiles,
            "segments": found.segments.table,
            "groups": found.groups,
            "moves": found.moved.table,
            "earlier": no_state() if since is None else since.people,
        },
        read_me=read_me(found, rules, shop=settings.name, made_from=tables.fingerprint),
        made_from=tables.fingerprint,
        contents={
            "state": {"as_of": found.as_of.isoformat(), "stage_rules": stage_rules(rules)},
            "earlier": since and {"as_of": since.as_of.isoformat(), "stage_rules": since.stage_rules},
            "num_customers": len(found.profiles),
            "consents": found.consents,
            "settings": rules.model_dump(mode="json"),
        },
    )
    return found, write


def _chosen(profiles: pl.DataFrame, where: str, settings: Config) -> pl.DataFrame:
    """The customers of `--where`. Raises ConfigError for a condition that is none, and for one with fewer
    people than may be shown."""
    from configs.exceptions import ConfigError
    from features.customers.tags import people_where

    chosen = profiles.filter(people_where(profiles, where, where="--where"))
    least = settings.customers.min_group_size
    if chosen.is_empty():
        raise ConfigError(
            f"--where {where!r}: true of none of {len(profiles):,} customers. Widen the condition."
        )
    if len(chosen) < least:
        raise ConfigError(
            f"--where {where!r}: true of fewer than {least} customers, who are not shown "
            "(customers.min_group_size). Widen the condition."
        )
    return chosen


def _export(
    found: Customers, chosen: pl.DataFrame, csv: Path, settings: Config, *, where: str | None
) -> None:
    """Write those who agreed, and the note beside the file. Raises ConfigError and ArtefactError."""
    from configs.console import log
    from configs.exceptions import ConfigError
    from features.core.artefact import writing_file
    from features.core.csv_files import write_csv
    from features.customers.read_me import export_note

    agreed = chosen.filter(chosen["may_export"])
    if agreed.is_empty():
        raise ConfigError(
            f"--csv {csv}: none of the {len(chosen):,} customers agreed to stand in an exported file "
            f"(customers.consent.export={settings.customers.consent.get('export')}). Nothing was written."
        )
    left_out = len(chosen) - len(agreed)
    note = export_note(
        found, settings.customers, shop=settings.name, condition=where, people=len(agreed), left_out=left_out
    )
    write_csv(agreed.drop("may_export"), csv)
    with writing_file(csv.with_name(csv.name + ".txt")) as scratch:
        scratch.write_text(note, encoding="utf-8")
    log(f"{len(agreed):,} customers: {csv}" + (f" ({left_out:,} did not agree)" if left_out else ""))
