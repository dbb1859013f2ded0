"""Joins a published train file and test file into one table for `split.kind=given`.

Each user has three baskets in this order: train, validation and test items. `splits.py` reads the split
points from the baskets. Validation items are drawn here with a fixed seed, so that all runs of a benchmark
have the same ones.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from features.readers.raw_table import RawTable, rejected_rows

SEED: Final = 20
VALIDATION_SHARE: Final = 0.1
NO_TRAIN_ITEMS: Final = "a test item of a user without train items"


def join_published_split(train: RawTable, test: RawTable) -> RawTable:
    """The rows of train, then validation, then test, with the part in `transaction_id`.

    A tenth of the train items of each user with test items becomes validation items: at least one, when there
    are two or more. Test items of users without train items are rejected, because there is no history to
    recommend from.
    """
    has_train = test.frame["user_id"].is_in(train.frame["user_id"].unique().implode())
    unknown = pl.select(pl.when(~has_train).then(pl.lit(NO_TRAIN_ITEMS))).to_series()
    tested = test.frame.filter(has_train)
    parts = _with_part(train.frame, tested["user_id"].unique())
    frame = pl.concat(
        [
            parts.filter(pl.col("_part") == "train"),
            parts.filter(pl.col("_part") == "validation"),
            tested.with_columns(pl.lit("test").alias("_part")),
        ]
    )
    return RawTable(
        name=train.name,
        where=f"{train.where} and {test.where}",
        frame=frame.with_columns(pl.format("{}/{}", "user_id", "_part").alias("transaction_id")).drop(
            "_part"
        ),
        rejected=pl.concat([train.rejected, test.rejected, rejected_rows(test, unknown)]),
    )


def _with_part(train: pl.DataFrame, tested: pl.Series) -> pl.DataFrame:
    chance = np.random.default_rng(SEED).random(len(train))
    count = pl.len().over("user_id")
    num_held_back = (count * VALIDATION_SHARE).floor().cast(pl.Int64).clip(1) * (count > 1).cast(pl.Int64)
    held_back = (pl.col("_chance").rank("ordinal").over("user_id") <= num_held_back) & pl.col(
        "user_id"
    ).is_in(tested.implode())
    part = pl.when(held_back).then(pl.lit("validation")).otherwise(pl.lit("train")).alias("_part")
    return train.with_columns(pl.Series("_chance", chance)).with_columns(part).drop("_chance")
