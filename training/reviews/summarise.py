"""`shopkeeper reviews`: the file of reviews ▶ `<workspace>/reviews`, in one function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import polars as pl

from configs.exceptions import ConfigError, DataError, TooLittleDataError
from configs.schema import Config
from configs.settings.reviews import ReviewsConfig
from features.core import columns as c
from features.core.artefact import check_replaceable, write_manifest, writing
from features.core.forgotten import Forgotten
from features.ingest.validate_catalogue import validate_users
from features.ingest.validate_reviews import ValidReviews, validate_labelled, validate_reviews
from features.readers.files import read_reviews_file, read_users_file
from features.reviews.aspect_table import aspect_table
from features.reviews.aspect_words import OTHER, OVERALL, aspect_words
from features.reviews.changes import changes
from features.reviews.mentions import HOW, NEGATIVE, mentions_of, with_sentiment
from features.reviews.sentiment import Sentiment
from training.reviews.train import trained_sentiment

KIND: Final = "reviews"
README: Final = """\
What customers write, made by `shopkeeper reviews`.

sentiment.parquet a row a review: whether it is discontented (`negative`), how probable it is that it is
                  content (`probability`, of the network alone) and what says so (`how`: network, rating,
                  unknown)
aspects.parquet   a row a product and aspect: `mentions`, `negative`, their `share`, the share to be
                  `expected` with its 95 % interval `low` to `high`, the clearest `complaint` and `praise`
changes.parquet   a row an aspect of a product, or of the shop, that was tested: complaints now and before
rejected.parquet  the rows that could not be used, with file, line and reason

The accuracy that the command prints when it trains is of the tenth of the labelled reviews that the network
was tuned on (stopped and calibrated), so it is somewhat higher than on reviews that it has never met.

`overall` is a review as a whole, `other` what is about nothing on the list. Complaints and praise are quoted
from the reviews: run the command again when a user was deleted.
"""


@dataclass(frozen=True)
class ReviewTables:
    """What was found."""

    reviews: pl.DataFrame
    aspects: pl.DataFrame
    changes: pl.DataFrame
    remarks: tuple[str, ...]
    """What a reader should know of them"""


def summarise_reviews(
    config: Config, *, now: datetime, forgotten: Forgotten | None = None, log: Callable[[str], None]
) -> ReviewTables:
    """Read and check the reviews, train the network where its labelled reviews are new, and write the tables.

    Raises ConfigError without `data.reviews`, and DataError for a file that cannot be used.
    """
    if config.data.reviews is None:
        raise ConfigError(
            "data.reviews is not set: name the file of reviews, a csv, jsonl or parquet file with the "
            f"columns {c.ITEM_ID}, {c.TIMESTAMP} and {c.TEXT}, and best {c.RATING}."
        )
    check_review_settings(config.reviews)
    check_replaceable(config.workspace / "reviews", kind=KIND)
    log(f"Reading {config.data.reviews}")
    raw = read_reviews_file(config.data, config.data.reviews)
    valid = validate_reviews(
        raw, config=config.reviews, now=now, no_consent=_no_consent(config), forgotten=forgotten
    )
    stop_if_unusable(valid, config)
    sentiment, remark = _sentiment(config, valid.frame, log=log)
    log(f"Reading what {len(valid.frame):,} reviews say")
    reviews = with_sentiment(valid.frame, sentiment)
    mentions = mentions_of(reviews, sentiment, words=aspect_words(config.reviews.aspects))
    found = ReviewTables(
        reviews=reviews,
        aspects=aspect_table(mentions, prior_mentions=config.reviews.prior_mentions),
        changes=changes(mentions, config.reviews),
        remarks=(*_remarks(valid), *remark),
    )
    _write(found, valid, config, made_from=config.data.reviews.name)
    return found


def _write(found: ReviewTables, valid: ValidReviews, config: Config, *, made_from: str) -> None:
    """`<workspace>/reviews`, whole or not at all."""
    with writing(config.workspace / "reviews", kind=KIND) as scratch:
        probability = 1 / (1 + (-pl.col("log_odds")).exp())
        found.reviews.select(
            *(c.REVIEW_ID, c.ITEM_ID, c.TIMESTAMP, c.RATING, c.CONTENT, NEGATIVE),
            probability.alias("probability"),
            HOW,
        ).write_parquet(scratch / "sentiment.parquet")
        found.aspects.write_parquet(scratch / "aspects.parquet")
        found.changes.write_parquet(scratch / "changes.parquet")
        valid.rejected.write_parquet(scratch / "rejected.parquet")
        (scratch / "README.txt").write_text(README, encoding="utf-8")
        contents = {
            "num_reviews": len(found.reviews),
            "num_rejected": len(valid.rejected),
            "remarks": found.remarks,
        }
        write_manifest(scratch, kind=KIND, made_from=made_from, contents=contents)


def check_review_settings(config: ReviewsConfig) -> None:
    """Raise ConfigError for settings that contradict each other."""
    if config.negative_to >= config.positive_from:
        raise ConfigError(
            f"reviews.negative_to={config.negative_to:g} must be below "
            f"reviews.positive_from={config.positive_from:g}: a rating would be both."
        )
    if taken := {OTHER, OVERALL} & set(config.aspects):
        raise ConfigError(f"reviews.aspects.{min(taken)}: the name is taken. Choose another.")


def stop_if_unusable(valid: ValidReviews, config: Config) -> None:
    """Raise DataError for no review at all, or more rejected rows than `prepare.max_rejected_share`."""
    most_frequent = valid.rejected["reason"].value_counts(sort=True).head(3)
    reasons = "".join(f"\n  {count:,} × {reason}" for reason, count in most_frequent.iter_rows())
    share = len(valid.rejected) / max(valid.num_rows, 1)
    if valid.rejected.height and share > config.prepare.max_rejected_share:
        first = valid.rejected.row(0, named=True)
        raise DataError(
            f"{len(valid.rejected):,} of {valid.num_rows:,} rows of the reviews were rejected, more than "
            f"prepare.max_rejected_share={config.prepare.max_rejected_share:g} allows:"
            f"{reasons}\nThe first is in {first['file']}, line {first['line']}. Nothing was written. Correct "
            "the data or data.review_columns, or raise the share."
        )
    if valid.frame.is_empty():
        raise DataError(f"{config.data.reviews}: no review is left of {valid.num_rows:,} rows.{reasons}")


def _sentiment(
    config: Config, reviews: pl.DataFrame, *, log: Callable[[str], None]
) -> tuple[Sentiment | None, tuple[str, ...]]:
    """(the network, or None where the ratings must do; what to say of it)"""
    labelled, remarks = reviews.select(c.TEXT, c.CONTENT), []
    if config.reviews.labelled is not None:
        raw = read_reviews_file(config.data, config.reviews.labelled)
        more, rejected = validate_labelled(raw, config=config.reviews)
        if len(rejected):
            remarks.append(f"{len(rejected):,} rows of reviews.labelled cannot be used")
        labelled = pl.concat([more, labelled])
    try:
        return trained_sentiment(labelled, config.workspace / "sentiment", config.reviews, log=log), tuple(
            remarks
        )
    except TooLittleDataError as error:
        return None, (*remarks, f"No network, the ratings alone count: {error}")


def _no_consent(config: Config) -> pl.Series | None:
    """The users who did not consent, where the shop's own file of users tells."""
    if config.data.reader not in ("csv", "parquet", "jsonl"):
        return None
    return validate_users(read_users_file(config.data)).no_consent


def _rows(number: int) -> str:
    return f"{number:,} row" if number == 1 else f"{number:,} rows"


def _remarks(valid: ValidReviews) -> list[str]:
    """What became of rows that are not in the tables."""
    found = [f"{_rows(num)} left out: {reason}" for reason, num in valid.dropped.items() if num]
    reasons = valid.rejected["reason"].value_counts(sort=True)
    return found + [f"{_rows(count)} rejected: {reason}" for reason, count in reasons.iter_rows()]
