"""Tables → dataset: item events as flat arrays, sorted by user and time. `dataset.py` lists the files.

Legend: E events, U users, N items.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from configs.exceptions import DataError
from features.core import columns as c
from features.core.artefact import write_manifest, writing
from features.core.categorical import categorical_code, user_keys
from features.dataset import Dataset
from features.ingest.event_contexts import CONTEXT, context_table, with_contexts
from features.ingest.id_kinds import why_ids_differ
from features.ingest.made_elsewhere import MadeElsewhere
from features.ingest.tables import Tables
from features.ingest.training_data import training_data_fingerprint
from features.ingest.write_features import write_features

NOTHING: Final = MadeElsewhere()


def build_dataset(
    tables_folder: Path,
    out_folder: Path,
    *,
    events: pl.DataFrame | None = None,
    elsewhere: MadeElsewhere = NOTHING,
) -> Dataset:
    """Write the dataset folder atomically; the same tables give the same fingerprint.

    Users and items with at least one item event are numbered in the order of their first one (ties by id).
    Items without events follow, by id: a model with an item tower can give them a vector.

    Events of one transaction share a basket number and the earliest of their times. A refund is a basket
    apart from its purchase, so that it keeps its own time. Every event without a transaction is a basket of
    its own.

    `events`: those of the tables, to save reading them when they are in memory. `elsewhere`:
    vectors and images of items. Raises ArtefactError when
    there are no tables, DataError when they have no item event.
    """
    tables = Tables.open(tables_folder)
    found = tables.events if events is None else events.lazy()
    contexts = context_table(found)
    events = _item_events(with_contexts(found, contexts))
    if events.is_empty():
        raise DataError(f"{tables_folder}: has no event with an item, so there is nothing to train on.")
    items, users = _in_order_of_appearance(events, "item"), _in_order_of_appearance(events, "user")
    events = _in_order_of_users(events, items, users)
    catalogue = _catalogue(tables, items, events)
    user_rows = users.select(pl.col("user").alias(c.USER_ID)).join(
        tables.users.collect(), on=c.USER_ID, how="left", maintain_order="left"
    )
    with writing(out_folder, kind="dataset") as scratch:
        for name, array in _arrays(events, catalogue, num_users=len(users)).items():
            np.save(scratch / f"{name}.npy", array)
        catalogue.drop(_LISTED_PRICE).write_parquet(scratch / "items.parquet", statistics=False)
        user_rows.write_parquet(scratch / "users.parquet", statistics=False)
        if contexts.width:
            np.save(scratch / "context.npy", events[CONTEXT].to_numpy())
            contexts.write_parquet(scratch / "contexts.parquet", statistics=False)
        contents = _contents(events, num_items=len(catalogue), num_users=len(users))
        contents |= {
            "clock": tables.manifest["clock"],
            "currency": tables.manifest["currency"],
            "has_catalogue": tables.manifest["num_items"] > 0 and c.ID not in items_from_events(tables),
            "nothing_to_recommend": _nothing_to_recommend(tables, catalogue.head(len(items))),
        }
        texts = [name for name in (c.TITLE, c.DESCRIPTION) if name in catalogue.columns]
        described = catalogue.select(c.PRODUCT_TYPE, c.BRAND, *texts, pl.col(_LISTED_PRICE).alias(c.PRICE))
        has_times = contents["clock"] == "real"
        contents |= write_features(
            scratch, catalogue=described, event_types=tuple(contents["event_types"]), has_times=has_times
        )
        np.save(scratch / "item_vector.npy", elsewhere.vectors.by_row(catalogue[c.ID]))
        np.save(scratch / "item_image.npy", elsewhere.images.by_row(catalogue[c.ID]))
        contents["training_data"] = training_data_fingerprint(
            scratch, items=catalogue.head(len(items)), users=user_rows, clock=contents["clock"]
        )
        write_manifest(scratch, kind="dataset", made_from=tables.fingerprint, contents=contents)
    return Dataset.open(out_folder)


def _item_events(events: pl.LazyFrame) -> pl.DataFrame:
    """user, item, event_type, time, price and basket (the row of the basket's first event) of all item
    events, by time."""
    types = pl.Enum(c.EVENT_TYPES)
    found = (
        events.with_columns(pl.col(c.EVENT_TYPE).cast(types))
        .filter(pl.col(c.ITEM_ID).is_not_null() & pl.col(c.EVENT_TYPE).is_in(c.ITEM_EVENT_TYPES))
        .select(
            pl.col(c.USER_ID, c.VISITOR_ID).cast(pl.Categorical),
            pl.col(c.ITEM_ID).cast(pl.Categorical).alias("item"),
            pl.col(c.EVENT_TYPE).to_physical().cast(pl.Int8).alias("event_type"),
            pl.col(c.TIMESTAMP).dt.epoch("us").alias("time"),
            pl.col(c.PRICE).cast(pl.Float32).alias("price"),
            categorical_code(pl.col(c.TRANSACTION_ID)).alias("transaction"),
            CONTEXT,
        )
        .collect()
    )
    coded = found.select(user_keys(found).alias("user"), pl.exclude(c.USER_ID, c.VISITOR_ID))
    coded = coded.with_row_index("row")
    in_basket = coded.filter(pl.col("transaction").is_not_null()).select(
        "row", pl.col("user").to_physical(), "event_type", "transaction"
    )
    first = in_basket.select(
        "row", pl.col("row").min().over("user", "event_type", "transaction").alias("first")
    )
    basket = coded["row"].to_numpy().astype(np.int64)
    basket[first["row"].to_numpy()] = first["first"].to_numpy()
    times = coded["time"].to_numpy()[basket]
    return coded.select("user", "item", "event_type", "price", CONTEXT).with_columns(
        pl.Series("time", times), pl.Series("basket", basket)
    )


def _in_order_of_appearance(events: pl.DataFrame, key: str) -> pl.DataFrame:
    """The distinct values of `key` as text, with their Categorical `code`, by the time of their first
    event."""
    first = events.group_by(pl.col(key).to_physical().alias("code"), key).agg(pl.col("time").min())
    return first.with_columns(pl.col(key).cast(pl.String)).sort("time", key).select(key, "code")


def _in_order_of_users(events: pl.DataFrame, items: pl.DataFrame, users: pl.DataFrame) -> pl.DataFrame:
    """The events with the indices of their user and item, sorted by user, time, basket and item.

    `events` come by time and baskets are numbered by their first event, so user and basket packed into one
    number give the order up to the item: one sort by numbers instead of by four columns.
    """
    user = _index(users["code"])[events["user"].to_physical()]
    item = _index(items["code"])[events["item"].to_physical()]
    return events.select(
        "event_type",
        "time",
        "price",
        CONTEXT,
        pl.Series("user_index", user),
        pl.Series("item_index", item),
        pl.Series("user_basket", user.astype(np.int64) << 32 | events["basket"].to_numpy()),
    ).sort("user_basket", "item_index", maintain_order=True)


def _index(codes: pl.Series) -> NDArray[np.int32]:
    """Code → its position in `codes`."""
    index = np.full(int(codes.max()) + 1, -1, np.int32)  # type: ignore[arg-type]
    index[codes.to_numpy()] = np.arange(len(codes), dtype=np.int32)
    return index


_LISTED_PRICE: Final = "_listed_price"
"""The price in the catalogue. The column `price` is also filled from the prices paid at any time, which would
tell a model at a split point which of the new items will sell."""


def items_from_events(tables: Tables) -> list[str]:
    """The catalogue columns that were computed from events, see `RawTable.from_events`."""
    found: list[str] = tables.manifest.get("items_from_events", [])
    return found


def _catalogue(tables: Tables, items: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """Row i is item i with its catalogue row, where there is one. An absent price is the median price paid
    for the item.

    Where the shop has a catalogue, an item that it does not list is out of stock, and so never recommended.
    Catalogue items without events come last.
    """
    own_price = (
        pl.lit(None, pl.Float64) if c.PRICE in items_from_events(tables) else pl.col(c.PRICE).cast(pl.Float64)
    )
    listed = tables.items.collect().with_columns(
        pl.lit(True).alias("_listed"), own_price.alias(_LISTED_PRICE)
    )
    paid = events.group_by("item_index").agg(pl.col("price").median().cast(pl.Float64).alias("_paid"))
    rows = items.select(
        pl.col("item").alias(c.ID), pl.int_range(pl.len(), dtype=pl.Int32).alias("item_index")
    )
    rows = rows.join(listed, on=c.ID, how="left", maintain_order="left")
    rows = rows.join(paid, on="item_index", how="left", maintain_order="left")
    rows = rows.with_columns(pl.col(c.PRICE).fill_null(pl.col("_paid").round(2)))
    if len(listed):
        unlisted = pl.col("_listed").is_null()
        rows = rows.with_columns(
            pl.when(unlisted).then(pl.lit("out_of_stock")).otherwise(c.AVAILABILITY).alias(c.AVAILABILITY)
        )
    without_events = listed.join(rows, on=c.ID, how="anti").sort(c.ID)
    return pl.concat([rows.drop("_paid", "item_index"), without_events], how="diagonal").drop("_listed")


def _nothing_to_recommend(tables: Tables, with_events: pl.DataFrame) -> str | None:
    """Why none of the items with events can be recommended; None when one can."""
    if not with_events[c.AVAILABILITY].eq_missing("out_of_stock").all():
        return None
    listed = tables.items.select(c.ID).collect()[c.ID]
    unlisted = with_events[c.ID].filter(~with_events[c.ID].is_in(listed.implode()))
    if len(unlisted) < len(with_events):
        return (
            f"{len(unlisted):,} of {len(with_events):,} items with events are not in the catalogue, and the "
            "others are out of stock there. Correct the availability in data.items"
        )
    differ = why_ids_differ(unlisted, listed, table="catalogue")
    return f"none of the {len(unlisted):,} items with events is in the catalogue: {differ}"


def _arrays(events: pl.DataFrame, catalogue: pl.DataFrame, *, num_users: int) -> dict[str, NDArray[Any]]:
    basket = events["user_basket"].to_numpy()
    starts = np.ones(len(basket), dtype=np.int64)
    starts[1:] = basket[1:] != basket[:-1]
    counts = np.bincount(events["user_index"].to_numpy(), minlength=num_users)
    return {
        "item": events["item_index"].to_numpy().astype(np.int32),
        "event_type": events["event_type"].to_numpy().astype(np.int8),
        "time": events["time"].to_numpy().astype(np.int64),
        "basket": np.cumsum(starts) - 1,
        "price": events["price"].fill_null(float("nan")).to_numpy().astype(np.float32),
        "offsets": np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        "category": _categories(catalogue),
    }


def _categories(catalogue: pl.DataFrame) -> NDArray[np.int32]:
    """The code of each item's product_type, in the order of their names; -1 without one."""
    names = catalogue[c.PRODUCT_TYPE]
    codes = names.rank("dense").cast(pl.Int32) - 1
    return codes.fill_null(-1).to_numpy().astype(np.int32)


def _contents(events: pl.DataFrame, *, num_items: int, num_users: int) -> dict[str, Any]:
    counts = np.bincount(events["event_type"].to_numpy(), minlength=len(c.EVENT_TYPES))
    times = events["time"].to_numpy()
    return {
        "num_users": num_users,
        "num_items": num_items,
        "num_events": len(events),
        "event_types": {name: int(counts[code]) for name, code in c.EVENT_TYPE_CODE.items() if counts[code]},
        "first_time": int(times.min()),
        "last_time": int(times.max()),
    }
