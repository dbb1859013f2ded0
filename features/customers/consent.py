"""Who agreed to what: answers by purpose, from the attributes of the users table and of the live server."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from configs.exceptions import ConfigError
from features.customers.profile_columns import USER
from features.ingest.validate_catalogue import CONSENT_WORDS

LiveAttributes = Sequence[tuple[str, str]]
"""The key of each user whom the live server knows something of, and the attributes as JSON"""


def consenting(users: pl.DataFrame, attribute: str, *, use: str, live: LiveAttributes = ()) -> pl.DataFrame:
    """USER of everybody whose `attribute` is a clear yes; the live server's answer counts for more than that
    of the users table. Raises ConfigError where nobody has answered at all."""
    known = pl.DataFrame(live, schema={USER: pl.String, "attributes": pl.String}, orient="row")
    path = "$['" + attribute.replace("'", "\\'") + "']"
    answers = pl.concat([users.select(USER, "attributes"), known]).select(
        USER,
        pl.col("attributes").str.json_path_match(path).str.strip_chars().str.to_lowercase().alias("answer"),
    )
    answers = answers.drop_nulls("answer").unique(USER, keep="last", maintain_order=True)
    if answers.is_empty():
        raise ConfigError(
            f"customers.consent has {use}: {attribute}, and no user has an attribute {attribute!r}: name a "
            "column of the users file, or an attribute that PUT /v1/users/{user_id} sets."
        )
    yes = pl.col("answer").replace_strict(CONSENT_WORDS, default=False, return_dtype=pl.Boolean)
    return answers.filter(yes).select(USER)
