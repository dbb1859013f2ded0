"""`shopkeeper recommend`: one list from a bundle and the event store, with no server."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.table import Table
from rich.text import Text

from configs.console import stdout
from configs.exceptions import ConfigError
from configs.schema import Config
from features.core.ids import clean_id, user_key
from scripts.store import filled_store
from serving.recommend.bundle import Bundle
from serving.recommend.pipeline import Pipeline
from serving.recommend.request import Answer, Query
from serving.recommend.served_bundle import champion_bundle
from serving.state.store_location import open_store

LONGEST_WORDS = 200
"""Characters of a title or a reason in the table: a catalogue may hold whole descriptions there."""


def print_recommendations(
    config: Config,
    bundle: Path | None,
    *,
    user: str | None,
    visitor: str | None = None,
    surface: str,
    items: Sequence[str],
    num_results: int,
) -> None:
    """Print the list as a table, with what the caller should know under it; where both are given, of the user
    and not of the visitor, as in the API. Raises ConfigError for an unknown surface."""
    pipeline = Pipeline.load(bundle or champion_bundle(config.workspace))
    if surface not in pipeline.bundle.surfaces:
        raise ConfigError(f"--surface {surface!r}: this bundle has {', '.join(pipeline.bundle.surfaces)}.")
    index = pipeline.bundle.item_index
    user, items = clean_id(user or ""), [clean_id(item) for item in items]
    page = np.array([index[item] for item in items if item in index], np.int32)
    with open_store(filled_store(config)) as store:
        key = user_key(user_id=user or None, visitor_id=clean_id(visitor) if visitor else None)
        history = store.history(key or "", index, limit=config.serving.max_events_kept)
    now = time.time_ns() // 1000
    query = Query(
        history=history,
        as_of=now,
        surface=surface,
        page_items=page,
        num_results=num_results,
        user_attributes=pipeline.bundle.user_attributes(user),
        user=key,
    )
    answer = pipeline.recommend(query)
    console = stdout()
    console.print(answer_table(answer, pipeline.bundle))
    for remark in (answer.shortfall_reason, answer.fallback_used):
        if remark:
            console.print(f"note: {remark}", markup=False)
    for unknown in [item for item in items if item not in index]:
        console.print(f"note: item {unknown!r} is not in the catalogue", markup=False)


def answer_table(answer: Answer, bundle: Bundle) -> Table:
    """Rank, id, name, price and the first reason."""
    table = Table(box=None, pad_edge=False)
    for heading in ("", "id", "item", "price", "because"):
        table.add_column(heading, justify="right" if heading in ("", "price") else "left", overflow="fold")
    prices = (
        bundle.catalogue["price"].to_list()
        if "price" in bundle.catalogue.columns
        else [None] * len(bundle.item_ids)
    )
    for rank, one in enumerate(answer.recommendations, start=1):
        price = "" if prices[one.item] is None else f"{prices[one.item]:.2f}"
        title, reason = (_cut(words) for words in (bundle.titles[one.item], one.reasons[0].text))
        table.add_row(
            str(rank), *map(Text, (bundle.item_ids[one.item], title, price, reason))
        )  # no markup: names may hold [/b]
    return table


def _cut(words: str) -> str:
    return words if len(words) <= LONGEST_WORDS else words[: LONGEST_WORDS - 1] + "…"
