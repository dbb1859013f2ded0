"""`shopkeeper forecast`: prepared tables to what is to be expected of each customer."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import polars as pl

from configs.exceptions import ConfigError
from configs.schema import Config
from configs.settings.forecasts import ForecastsConfig
from features.core.artefact import check_replaceable, write_manifest, writing
from features.core.columns import MICROSECONDS_PER_DAY, USER_ID
from features.core.csv_files import write_csv
from features.core.forgotten import Forgotten
from features.customers.consent import LiveAttributes, consenting
from features.customers.profile_columns import USER
from features.ingest.tables import Tables
from training.forecasts.bg_nbd import BGNBD
from training.forecasts.boosted_trees import BoostedTrees
from training.forecasts.buy_till_you_die import BuyTillYouDie
from training.forecasts.customers import Customers, customers_as_of
from training.forecasts.evaluation import LEFT_BELOW, evaluation, judged_at
from training.forecasts.outcomes import Forecasts, examples_before
from training.forecasts.purchase_cycle import PurchaseCycle, purchase_cycles
from training.forecasts.shop_events import ShopEvents, read_shop_events

FOLDER: Final = "forecasts"
"""Of the workspace."""


@dataclass(frozen=True)
class ShopForecast:
    """What `shopkeeper forecast` makes."""

    users: pl.DataFrame
    """A row a customer: `users_table`"""
    evaluation: dict[str, Any]
    """`training.forecasts.evaluation`"""
    cycles: list[PurchaseCycle]
    """After how many days customers order again: of everything, then of categories"""
    currency: str | None
    folder: Path


def forecast(
    config: Config,
    *,
    csv: bool = False,
    forgotten: Forgotten | None = None,
    live: LiveAttributes = (),
    progress: Callable[[str], None],
) -> ShopForecast:
    """Judge every system on the last window, fit on everything, and write `<workspace>/forecasts`.

    users.parquet (users.csv too, if wanted), evaluation.json and purchase_cycle.json. Who was `forgotten` is
    in none of them; `live` are the attributes that the server has of users. Raises ConfigError where LightGBM
    is wanted and missing, or nobody agreed to stand in a file, ArtefactError without tables, DataError and
    TooLittleDataError where the data does not do. Nothing is written then.
    """
    settings, folder = config.forecasts, config.workspace / FOLDER
    has_trees = find_spec("lightgbm") is not None
    if settings.model == "lightgbm" and not has_trees:
        raise ConfigError(
            "forecasts.model=lightgbm needs the extra: pip install 'shopkeeper[customers]'. Without it: "
            "--set forecasts.model=bg_nbd."
        )
    check_replaceable(folder, kind="forecasts")
    tables = Tables.open(config.workspace / "tables")
    progress(f"Reading {tables.manifest['num_events']:,} events")
    events = read_shop_events(tables, config.customers, forgotten=forgotten, live=live)
    exported = _exported(events.users, tables, config, live=live, forgotten=forgotten) if csv else None
    progress(f"Forecasting the last {settings.days} days from those before them, to judge by")
    before = events.end - settings.days * MICROSECONDS_PER_DAY
    judged = judged_at(events, before, settings, with_trees=has_trees)
    found = evaluation(judged, settings, config.evaluation)
    progress(f"Forecasting the next {settings.days} days from everything")
    users = users_at_the_end(events, settings)
    result = ShopForecast(users, found, purchase_cycles(events, days=settings.days), events.currency, folder)
    _write(result, settings, made_from=tables.fingerprint, exported=exported)
    return result


def users_at_the_end(events: ShopEvents, settings: ForecastsConfig) -> pl.DataFrame:
    """Fit `forecasts.model` on everything, and say what is to be expected of each customer."""
    customers = customers_as_of(events, events.end)
    if settings.model == "lightgbm":
        examples = examples_before(events, events.end, days=settings.days, num_moments=settings.num_moments)
        said = BoostedTrees.fit(examples, seed=settings.seed).forecast(customers)
    else:
        reference = BuyTillYouDie.fit(customers, has_prices=events.has_prices)
        said = reference.forecast(customers, days=settings.days)
    return users_table(customers, said, events, days=settings.days)


def users_table(customers: Customers, said: Forecasts, events: ShopEvents, *, days: int) -> pl.DataFrame:
    """A row a customer, the most probable buyers first. `expected_spend` is null in a shop without prices."""
    histories = customers.histories
    alive = BGNBD.fit(histories, leaves_at_first=True).alive_probability(histories)
    spend = pl.Series("expected_spend", said.spend, dtype=pl.Float64, nan_to_null=True)
    if said.spend is None:
        spend = pl.Series("expected_spend", [None] * len(customers), dtype=pl.Float64)
    as_of = pl.lit(customers.as_of).cast(pl.Datetime("us", "UTC"))
    return (
        customers.frame.join(events.users, on="user", how="left", maintain_order="left")
        .select(
            USER_ID,
            pl.Series("purchase_probability", said.purchase),
            pl.Series("alive_probability", alive),
            pl.Series("has_left", alive < LEFT_BELOW),
            pl.Series("expected_orders", said.orders),
            spend,
            pl.col("orders").cast(pl.Int64).alias("orders_so_far"),
            (pl.col("value") if events.has_prices else pl.lit(None, pl.Float64)).alias("spend_so_far"),
            pl.col("recency").alias("days_since_last"),
            as_of.alias("as_of"),
            pl.lit(days, pl.Int32).alias("days"),
        )
        .sort("purchase_probability", USER_ID, descending=[True, False])
    )


def _exported(
    users: pl.DataFrame,
    tables: Tables,
    config: Config,
    *,
    live: LiveAttributes,
    forgotten: Forgotten | None,
) -> pl.DataFrame:
    """USER_ID of the customers who may stand in users.csv. Raises ConfigError where there are none."""
    attribute = config.customers.consent.get("export")
    if attribute is None:
        return users.select(USER_ID)
    known = tables.users.collect()
    agreed = consenting(known, attribute, use="export", live=live, forgotten=forgotten)
    found = users.select(USER_ID).join(agreed, left_on=USER_ID, right_on=USER, how="semi")
    if found.is_empty():
        raise ConfigError(
            f"--csv: none of the {len(users):,} customers agreed to stand in an exported file "
            f"(customers.consent.export={attribute}). Leave --csv out."
        )
    return found


def _write(
    result: ShopForecast, settings: ForecastsConfig, *, made_from: str, exported: pl.DataFrame | None
) -> None:
    """`exported`: USER_ID of those who stand in users.csv; None where no such file is wanted."""
    with writing(result.folder, kind="forecasts") as scratch:
        result.users.write_parquet(scratch / "users.parquet", statistics=False)
        if exported is not None:
            rows = result.users.join(exported, on=USER_ID, how="semi", maintain_order="left")
            write_csv(rows, scratch / "users.csv", float_precision=6)
        _write_json(scratch / "evaluation.json", result.evaluation)
        _write_json(scratch / "purchase_cycle.json", [asdict(cycle) for cycle in result.cycles])
        contents = {"settings": settings.model_dump(), "num_users": len(result.users)}
        write_manifest(scratch, kind="forecasts", made_from=made_from, contents=contents)


def _write_json(path: Path, content: Any) -> None:
    text = json.dumps(_plain(content), indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def _plain(content: Any) -> Any:
    """JSON has no NaN: what could not be measured is null."""
    if isinstance(content, dict):
        return {name: _plain(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_plain(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
