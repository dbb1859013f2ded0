"""Who agreed to what: answers by purpose, from the attributes of the users table and of the live server."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

import polars as pl

from configs.exceptions import ConfigError
from features.core.forgotten import Forgotten
from features.customers.profile_columns import USER
from features.ingest.validate_catalogue import CONSENT_WORDS

LiveAttributes = Sequence[tuple[str, str]]
"""The key of each user whom the live server knows something of, and the attributes as JSON"""

ANSWER: Final = "answer"
"""The column with what somebody said"""


def consenting(
    users: pl.DataFrame,
    attribute: str,
    *,
    use: str,
    live: LiveAttributes = (),
    forgotten: Forgotten | None = None,
) -> pl.DataFrame:
    """USER of everybody whose `attribute` is a clear yes, see `answers_of_users`. Raises ConfigError where
    nobody has answered at all."""
    answers = answers_of_users(users, attribute, live=live, forgotten=forgotten)
    if answers.is_empty():
        raise ConfigError(
            f"customers.consent has {use}: {attribute}, and no user has an attribute {attribute!r}: name a "
            "column of the users file, or an attribute that PUT /v1/users/{user_id} sets."
        )
    word = pl.col(ANSWER).str.strip_chars().str.to_lowercase()
    yes = word.replace_strict(CONSENT_WORDS, default=False, return_dtype=pl.Boolean)
    return answers.drop_nulls().filter(yes).select(USER)


def answers_of_users(
    users: pl.DataFrame, attribute: str, *, live: LiveAttributes = (), forgotten: Forgotten | None = None
) -> pl.DataFrame:
    """USER and ANSWER, the `attribute` as text, of everybody who has it, one row each.

    The live server's answer counts for more than that of the users table. Its `null` is one, and the only
    one that is null here: what was said is taken back. Who is `forgotten` has said nothing in the table.
    """
    path = "$['" + attribute.replace("'", "\\'") + "']"
    answer = pl.col("attributes").str.json_path_match(path).alias(ANSWER)
    known = users.select(USER, answer).drop_nulls(ANSWER)
    if forgotten is not None:
        known = known.filter(forgotten.times(known[USER]).is_null())
    said = [(key, text) for key, text in live if attribute in json.loads(text)]
    present = pl.DataFrame(said, schema={USER: pl.String, "attributes": pl.String}, orient="row")
    return pl.concat([known, present.select(USER, answer)]).unique(USER, keep="last", maintain_order=True)
