"""`shopkeeper prepare`: raw files to tables and dataset, in one function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import polars as pl

from configs.exceptions import DataError, TooLittleDataError
from configs.schema import Config
from configs.settings.data import DataConfig
from features.core.artefact import check_replaceable
from features.core.forgotten import Forgotten
from features.ingest.build_dataset import build_dataset
from features.ingest.made_elsewhere import read_made_elsewhere
from features.ingest.report import Report, make_report
from features.ingest.tables import write_tables
from features.ingest.validate_catalogue import validate_items, validate_users
from features.ingest.validate_events import validate_events
from features.readers.amazon_reviews import read_amazon_reviews
from features.readers.complete_journey import read_complete_journey
from features.readers.files import read_event_log, read_files
from features.readers.ga4 import read_ga4
from features.readers.movielens import read_movielens
from features.readers.online_retail import read_online_retail
from features.readers.raw_table import RawTables
from features.readers.session_text import read_session_text
from features.readers.shopify import read_shopify
from features.readers.taobao import read_taobao
from features.readers.woocommerce import read_woocommerce


def prepare(
    config: Config,
    *,
    now: datetime,
    progress: Callable[[str], None] | None = None,
    show: Callable[[Report], None] | None = None,
    event_log: Path | None = None,
    forgotten: Forgotten | None = None,
) -> Report:
    """Read, validate, report, and write `<workspace>/tables` and `<workspace>/dataset`.

    `now` (with a time zone) decides which timestamps lie in the future. `progress` is called with a message
    as each step begins; `show` gets the report, also when the verdict is no-go. With `event_log`, the file
    that `shopkeeper events export` wrote, the events are those; items and users come from the configured
    files. What users did before they were `forgotten`, and who they are, is left out.

    Raises DataError for data that cannot be used (`<workspace>/rejected.parquet` then has the rejected rows)
    and TooLittleDataError for a no-go. Nothing else is written in either case.
    """
    log = progress or (lambda _: None)
    for kind in ("tables", "dataset"):
        check_replaceable(config.workspace / kind, kind=kind)
    log(f"Reading {config.data.reader}")
    raw = read_raw(config.data, event_log=event_log)
    of_events = config.data if event_log is None else _of_event_log(config.data, event_log)
    log(f"Checking {raw.events.num_rows:,} events")
    users = validate_users(raw.users, forgotten=forgotten)
    events = validate_events(
        raw.events,
        data=of_events,
        prepare=config.prepare,
        now=now,
        no_consent=users.no_consent,
        forgotten=forgotten,
    )
    items = validate_items(raw.items, prepare=config.prepare, currency=events.currency)
    rejected = pl.concat([events.rejected, items.rejected, users.rejected])
    elsewhere = read_made_elsewhere(config.data, items.frame, log=log)
    remarks = (*raw.remarks, *elsewhere.remarks)
    report = make_report(events, items, users, config=config, now=now, remarks=remarks)
    items_from_events = raw.items.from_events if raw.items else ()
    del raw  # frees as much memory as the steps below need
    if of_events.clock == "ordinal":
        report = report.without_times()
    _stop_if_unusable(report, rejected, config, show=show)
    log(f"Writing tables of {report.num_events:,} events")
    write_tables(
        config.workspace / "tables",
        events=events.events,
        items=items.frame,
        users=users.frame,
        rejected=rejected,
        report=report.as_dict(),
        clock=of_events.clock,
        currency=events.currency,
        made_from=config.data.reader,
        items_from_events=items_from_events,
    )
    _rejected_file(config).unlink(missing_ok=True)
    log(f"Writing the dataset of {report.num_users:,} users and {report.num_items:,} items")
    tables, dataset = config.workspace / "tables", config.workspace / "dataset"
    build_dataset(tables, dataset, events=events.events, elsewhere=elsewhere)
    return report


def _of_event_log(data: DataConfig, event_log: Path) -> DataConfig:
    """Settings for the events of the log: its columns are ours, and which of them count is the shop's."""
    return DataConfig(reader="parquet", events=event_log, exclude=data.exclude, until=data.until)


def read_raw(data: DataConfig, *, event_log: Path | None = None) -> RawTables:
    """Read the raw tables with the configured reader; with `event_log`, the events from there."""
    if data.reader in ("csv", "parquet", "jsonl"):
        return read_files(data, event_log=event_log)
    found = _read_known(data)
    return found if event_log is None else replace(found, events=read_event_log(event_log))


def _read_known(data: DataConfig) -> RawTables:
    """Read the raw tables of a format or of a public data set that Shopkeeper knows."""
    match data.reader:
        case "complete_journey":
            return read_complete_journey()
        case "ga4":
            return read_ga4(data)
        case "shopify":
            return read_shopify(data)
        case "woocommerce":
            return read_woocommerce(data)
        case "online_retail":
            return read_online_retail(data)
        case "taobao":
            return read_taobao(data)
        case "amazon_reviews":
            return read_amazon_reviews(data)
        case "movielens":
            return read_movielens(data)
        case "session_text":
            return read_session_text(data)
        case _:
            raise AssertionError(f"{data.reader} reads files with columns of the configuration")


def _rejected_file(config: Config) -> Path:
    return config.workspace / "rejected.parquet"


def _stop_if_unusable(
    report: Report, rejected: pl.DataFrame, config: Config, *, show: Callable[[Report], None] | None
) -> None:
    """Raise DataError for too many rejected rows; show the report; raise TooLittleDataError for a no-go."""
    _stop_if_too_many_rejected(rejected, report, config)
    if show:
        show(report)
    if report.no_go:
        raise TooLittleDataError(f"No-go: {report.no_go}.")


def _stop_if_too_many_rejected(rejected: pl.DataFrame, report: Report, config: Config) -> None:
    for table, num_rows in report.rows.items():
        of_table = rejected.filter(pl.col("table") == table)
        if not num_rows or len(of_table) / num_rows <= config.prepare.max_rejected_share:
            continue
        path = _rejected_file(config)
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_name(f".{path.name}.part")
        rejected.write_parquet(scratch)
        scratch.replace(path)
        first = (
            of_table.group_by("reason")
            .agg(pl.len(), pl.col("file").first(), pl.col("line").first())
            .sort("len", descending=True)
        )
        lines = [
            f"  {count:,} × {reason} (first in {file}, line {line})"
            for reason, count, file, line in first.head(5).iter_rows()
        ]
        encoding = " (or set data.encoding)" if first["reason"].str.ends_with(" text").any() else ""
        raise DataError(
            f"{len(of_table):,} of {num_rows:,} rows of the {table} were rejected, more than "
            f"prepare.max_rejected_share={config.prepare.max_rejected_share:g} allows:\n"
            + "\n".join(lines)
            + f"\nThe rejected rows are in {path}; nothing else was written. Correct the data or its column "
            f"mapping{encoding}, or raise the share."
        )
