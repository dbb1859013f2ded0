"""From a workspace to the figures of its report."""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass
from datetime import date

import polars as pl

from configs.schema import Config
from features.core.artefact import MANIFEST
from features.core.columns import ID
from features.core.forgotten import Forgotten
from features.customers.consent import consenting
from features.customers.profile_columns import USER
from features.dataset import Dataset
from features.ingest.tables import Tables
from features.interactions import Interactions
from features.report.bought_together import BoughtTogether, bought_together
from features.report.cohorts import Cohorts, cohorts
from features.report.customer_tables import CustomerFigures, customer_figures
from features.report.empty import Empty
from features.report.funnel import Funnel, funnel
from features.report.glance import Glance, glance
from features.report.product_stages import ProductStages, product_stages
from features.report.shop_events import DAY, shop_events
from features.splits import split_point_at
from scripts.product_bundles import TABLE_FILE
from scripts.report_page.recommended import Recommended, recommended
from serving.state.forgotten_users import forgotten_users, live_attributes
from serving.state.store_location import store_location


@dataclass(frozen=True)
class Report:
    """All that the page shows, or why a part of it is empty."""

    shop: str
    num_events: int
    last_day: date | None
    """None without times"""
    min_people: int
    glance: Glance | Empty
    funnel: Funnel | Empty
    cohorts: Cohorts | Empty
    customers: CustomerFigures | Empty
    bundles: BoughtTogether | Empty
    stages: ProductStages | Empty
    recommended: Recommended | Empty


def gather(config: Config, *, progress: Callable[[str], None] = lambda _: None) -> Report:
    """Read the workspace. Raises ArtefactError for a part that is damaged, or tables that are missing."""
    tables = Tables.open(config.workspace / "tables")
    least, has_times = config.customers.min_group_size, tables.manifest["clock"] == "real"
    progress("Reading the events")
    forgotten = forgotten_users(store_location(config))
    events = shop_events(
        tables,
        time_zone=config.customers.time_zone,
        forgotten=forgotten,
        consenting=_agreed(tables, config, forgotten),
    )
    progress("Counting")
    num_items = int(tables.items.select(pl.col(ID).n_unique()).collect().item())
    last_day: date | None = events[DAY].max() if has_times else None  # type: ignore[assignment]
    return Report(
        shop=config.name,
        num_events=len(events),
        last_day=last_day,
        min_people=least,
        glance=glance(events, has_times=has_times, min_people=least),
        funnel=funnel(events, min_people=least),
        cohorts=cohorts(events, has_times=has_times, min_people=least),
        customers=customer_figures(config.workspace, made_from=tables.fingerprint, min_people=least),
        bundles=bought_together(config.workspace / TABLE_FILE, min_together=least),
        stages=_stages(config),
        recommended=recommended(config, events, num_items=num_items),
    )


def _agreed(tables: Tables, config: Config, forgotten: Forgotten | None) -> Set[str] | None:
    """Who agreed to be in tables about customers; None where the shop does not ask."""
    attribute = config.customers.consent.get("profiles")
    if attribute is None:
        return None
    live = live_attributes(store_location(config))
    users = tables.users.collect()
    return set(consenting(users, attribute, use="profiles", live=live, forgotten=forgotten)[USER])


def _stages(config: Config) -> ProductStages | Empty:
    folder = config.workspace / "dataset"
    if not (folder / MANIFEST).is_file():
        return Empty("no_dataset")
    dataset = Dataset.open(folder)
    full = split_point_at(dataset, int(dataset.manifest["last_time"]) + 1, name="full")
    return product_stages(Interactions.before(dataset, full, config), config)
