"""Tags: rules of a shop's own, as SQL conditions over the columns of the profiles."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from configs.exceptions import ConfigError
from features.core.filter_expression import FilterError, filter_expression
from features.customers.profile_columns import TAG


def with_tags(profiles: pl.DataFrame, tags: Mapping[str, str]) -> pl.DataFrame:
    """Adds `tag_NAME` for each rule: true or false. Raises ConfigError with what is wrong with a rule."""
    found = {
        TAG + name: people_where(profiles, condition, where=f"customers.tags.{name}")
        for name, condition in tags.items()
    }
    return profiles.with_columns(**found)


def people_where(profiles: pl.DataFrame, condition: str, *, where: str) -> pl.Series:
    """Whether the condition is true of each row; where a value is missing it is not. `where`: the setting or
    option, for the message. Raises ConfigError."""
    try:
        expression = filter_expression(condition, profiles.schema)
    except FilterError as error:
        raise ConfigError(f"{where}: {condition!r} {error}.") from None
    return profiles.select(expression.fill_null(value=False)).to_series()
