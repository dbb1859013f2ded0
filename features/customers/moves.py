"""How people moved between life stages and groups since the last state, in numbers of people."""

from __future__ import annotations

from typing import Final

import polars as pl

from features.customers.profile_columns import USER

STATE: Final = (USER, "life_stage", "group", "group_name")
"""What a state keeps of each customer"""

NOT_YET: Final = "not there yet"
NO_GROUP: Final = "no group"
MOVES_SCHEMA: Final = {
    "kind": pl.String,
    "before": pl.String,
    "now": pl.String,
    "people": pl.Int64,
    "share": pl.Float64,
}
"""`share`: of the people who were in `before`"""


def moves(earlier: pl.DataFrame, now: pl.DataFrame, *, min_size: int) -> tuple[pl.DataFrame, int]:
    """(the moves of at least `min_size` people, the number of people in smaller ones). Both states have the
    columns `STATE`; who is in the earlier one alone was erased and is counted nowhere."""
    found = []
    names = dict(
        pl.concat([one.select("group", "group_name").drop_nulls() for one in (earlier, now)]).iter_rows()
    )
    labels = {
        number: f"{number}: {name}" for number, name in names.items()
    }  # the present name, if there is one
    group = pl.col("group").replace_strict(labels, default=NO_GROUP, return_dtype=pl.String)
    for kind, label in (("life stage", pl.col("life_stage")), ("group", group.fill_null(NO_GROUP))):
        before = earlier.select(USER, label.alias("before"))
        both = now.select(USER, label.alias("now")).join(before, on=USER, how="left")
        counted = (
            both.with_columns(pl.col("before").fill_null(NOT_YET))
            .group_by("before", "now")
            .agg(pl.len().cast(pl.Int64).alias("people"))
            .with_columns(
                pl.lit(kind).alias("kind"),
                (pl.col("people") / pl.col("people").sum().over("before")).alias("share"),
            )
        )
        found.append(
            counted.select(list(MOVES_SCHEMA)).sort(
                "before", "people", "now", descending=[False, True, False]
            )
        )
    everything = pl.concat(found)
    is_shown = pl.col("people") >= min_size
    return everything.filter(is_shown), int(everything.filter(~is_shown)["people"].sum())
