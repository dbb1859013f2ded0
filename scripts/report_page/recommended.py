"""What the live model recommends, from the files of its evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from configs.schema import Config
from features.core.concentration import Concentration
from features.report.empty import Empty
from features.report.sales_spread import sales_spread
from serving.recommend.served_bundle import read_pointer
from training.evaluation.evaluation_record import EvaluationRecord, MostShown, Spread
from training.evaluation.systems import PIPELINE
from training.runs.run import Run, settings_of

NUM_SHOWN: Final = 10


@dataclass(frozen=True)
class Recommended:
    """The first `k` places of the lists of the evaluation's users."""

    run: str
    users: int
    k: int
    coverage: float | None
    """Share of the items that may be shown which stand in some list"""
    lists: Spread | None
    """None where the evaluation did not count it"""
    sales: Concentration | None
    most_shown: list[MostShown]
    """Those in the lists of enough people to be named"""


def recommended(config: Config, events: pl.DataFrame, *, num_items: int) -> Recommended | Empty:
    """Of the champion. `events`: the rows of `shop_events`. Raises ArtefactError for damaged
    files."""
    pointer = read_pointer(config.workspace)
    if pointer is None:
        return Empty("no_champion")
    run = Run(config.workspace / "runs" / pointer.run)
    record = EvaluationRecord.find(run.folder)
    if record is None:
        return Empty("no_evaluation", {"run": pointer.run})
    least = config.customers.min_group_size
    if record.users["all"] < least:
        return Empty("few_customers", {"people": least})
    k = settings_of(run, config).evaluation.headline_k
    return Recommended(
        run=pointer.run,
        users=record.users["all"],
        k=k,
        coverage=record.coverage.get(PIPELINE, {}).get(str(k)),
        lists=record.spread,
        sales=sales_spread(events, num_items=num_items),
        most_shown=[one for one in record.most_shown if one.users >= least][:NUM_SHOWN],
    )
