"""Raw reviews → valid reviews without markup, and the rejected rows with their reasons."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import polars as pl

from configs.exceptions import DataError
from configs.settings.reviews import ReviewsConfig
from features.core import columns as c
from features.core.forgotten import Forgotten
from features.ingest.casting import as_ids, as_numbers, as_text, as_timestamps
from features.ingest.validate_catalogue import id_rules
from features.profiles.item_text import without_html
from features.readers.raw_table import RawTable, rejected_rows

_LABELS: Final = {
    **dict.fromkeys(("1", "1.0", "true", "yes", "positive", "pos", "好评", "正面"), True),
    **dict.fromkeys(("0", "0.0", "-1", "-1.0", "false", "no", "negative", "neg", "差评", "负面"), False),
}
"""Words of a label column, in lower case"""


@dataclass(frozen=True)
class ValidReviews:
    """Reviews that can be used, and what became of the others."""

    frame: pl.DataFrame
    """review_id, item_id, user_id, timestamp, rating, text, content; by time"""
    rejected: pl.DataFrame
    """In `REJECTED_SCHEMA`"""
    num_rows: int
    """Rows of the file"""
    dropped: dict[str, int]
    """Reason → rows that were left out on purpose"""


def validate_reviews(
    raw: RawTable,
    *,
    config: ReviewsConfig,
    now: datetime,
    no_consent: pl.Series | None = None,
    forgotten: Forgotten | None = None,
) -> ValidReviews:
    """Cast and check reviews: of one review_id the last row counts, and the same text of the same user about
    the same item once. What users without consent wrote is left out, and what users wrote before they were
    deleted: they are not among the rejected rows either. Raises DataError where a needed column is missing or
    holds something else."""
    raw.check_unambiguous({c.REVIEW_ID, c.ITEM_ID, c.USER_ID, c.TIMESTAMP, c.RATING, c.LABEL, c.TEXT})
    _require(raw, (c.ITEM_ID, c.TIMESTAMP, c.TEXT))
    num_rows = raw.num_rows
    raw, frame, num_forgotten = _without_forgotten(raw, _typed(raw, config), forgotten)
    raw, frame, num_no_consent = _without_no_consent(raw, frame, no_consent)
    rules = {
        **id_rules(c.ITEM_ID),
        "timestamp is missing": pl.col(c.TIMESTAMP).is_null() & ~pl.col("_bad_timestamp"),
        "timestamp is not a time": pl.col("_bad_timestamp"),
        "timestamp lies in the future": pl.col(c.TIMESTAMP) > now,
        **TEXT_RULES,
    }
    good, rejected = sorted_out(raw, frame, rules)
    kept, dropped = _once_each(good)
    return ValidReviews(
        frame=kept.sort(c.TIMESTAMP, maintain_order=True),
        rejected=rejected,
        num_rows=num_rows,
        dropped={
            "a later or the same row of a review": dropped,
            "user who was deleted": num_forgotten,
            "user without consent": num_no_consent,
        },
    )


def _typed(raw: RawTable, config: ReviewsConfig) -> pl.DataFrame:
    """The columns of reviews, and `_bad_` ones where a value is not what it should be."""
    found = raw.frame.columns
    ids = [
        as_ids(raw, name) if name in found else pl.repeat(None, len(raw.frame), dtype=pl.String, eager=True)
        for name in (c.REVIEW_ID, c.USER_ID)
    ]
    return pl.DataFrame(
        [
            as_ids(raw, c.ITEM_ID),
            *(values.alias(name) for name, values in zip((c.REVIEW_ID, c.USER_ID), ids, strict=True)),
            *as_timestamps(raw, c.TIMESTAMP),
            *text_and_content(raw, config),
        ]
    )


def validate_labelled(raw: RawTable, *, config: ReviewsConfig) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(text and content of labelled texts from elsewhere, rejected rows). Raises DataError."""
    _require(raw, (c.TEXT,))
    frame = pl.DataFrame(text_and_content(raw, config))
    good, rejected = sorted_out(raw, frame, TEXT_RULES)
    return good.select(c.TEXT, c.CONTENT), rejected


TEXT_RULES: Final = {
    "rating is not a number": pl.col("_bad_rating"),
    "label is neither positive nor negative": pl.col("_bad_label"),
    "neither text nor rating": (pl.col(c.TEXT) == "")
    & pl.col(c.CONTENT).is_null()
    & pl.col(c.RATING).is_null(),
}


def text_and_content(raw: RawTable, config: ReviewsConfig) -> list[pl.Series]:
    """The text without markup, the rating, whether the writer is content, and what is wrong with them."""
    text = without_html(as_text(raw, c.TEXT)).str.replace_all(r"[ \t\x{a0}]+", " ").str.strip_chars()
    label = pl.Series(c.LABEL, [None] * len(raw.frame), dtype=pl.String)
    if c.LABEL in raw.frame.columns:
        words = raw.frame[c.LABEL]
        label = words.cast(pl.Int8).cast(pl.String) if words.dtype == pl.Boolean else as_text(raw, c.LABEL)
    labelled = (
        label.str.strip_chars()
        .str.to_lowercase()
        .replace_strict(_LABELS, default=None, return_dtype=pl.Boolean)
    )
    rating, bad_rating = as_numbers(raw, c.RATING, whole=False)
    rated = pl.select(
        pl.when(rating >= config.positive_from).then(True).when(rating <= config.negative_to).then(False)
    ).to_series()
    return [
        text.fill_null("").alias(c.TEXT),
        rating,
        bad_rating,
        labelled.zip_with(labelled.is_not_null(), rated).alias(c.CONTENT),
        (labelled.is_null() & label.is_not_null()).alias("_bad_label"),
    ]


def sorted_out(
    raw: RawTable, frame: pl.DataFrame, rules: dict[str, pl.Expr]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(rows that break no rule, the others with the first rule that they break)"""
    reason = pl.coalesce(
        [pl.when(broken.fill_null(value=False)).then(pl.lit(words)) for words, broken in rules.items()]
    )
    reasons = frame.select(reason.alias("reason")).to_series()
    good = frame.filter(reasons.is_null()).select(pl.exclude(r"^_bad_.*$"))
    return good, pl.concat([raw.rejected, rejected_rows(raw, reasons)])


def _require(raw: RawTable, names: tuple[str, ...]) -> None:
    missing = [name for name in names if name not in raw.frame.columns]
    if missing:
        example = ", ".join(f"{name}: <your column>" for name in missing)
        raise DataError(
            f"{raw.where}: no column {', '.join(map(repr, missing))}. {raw.columns_found} Name yours in the "
            f"configuration: data.review_columns: {{{example}}}."
        )


def _once_each(frame: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """(each review once, rows that were left out)"""
    same = pl.concat_str(
        pl.col(c.ITEM_ID, c.USER_ID, c.TIMESTAMP, c.TEXT, c.RATING).cast(pl.String).fill_null(""),
        separator="\u001f",
    )
    key = pl.coalesce(c.REVIEW_ID, pl.lit("\u001f") + same).alias("_key")
    kept = frame.with_columns(key).unique("_key", keep="last", maintain_order=True).drop("_key")
    return kept, len(frame) - len(kept)


def _without_forgotten(
    raw: RawTable, frame: pl.DataFrame, forgotten: Forgotten | None
) -> tuple[RawTable, pl.DataFrame, int]:
    """(both without what users wrote before they were deleted, or at no known time; how many rows)"""
    if forgotten is None:
        return raw, frame, 0
    until = forgotten.times(frame[c.USER_ID])
    time = frame[c.TIMESTAMP].dt.epoch("us")
    return _without(
        raw, frame, until.is_not_null() & (time.is_null() | (time < until).fill_null(value=False))
    )


def _without_no_consent(
    raw: RawTable, frame: pl.DataFrame, no_consent: pl.Series | None
) -> tuple[RawTable, pl.DataFrame, int]:
    """(both without what users wrote who did not consent, how many rows that were)"""
    if no_consent is None:
        return raw, frame, 0
    return _without(raw, frame, frame[c.USER_ID].is_in(no_consent.implode()).fill_null(value=False))


def _without(raw: RawTable, frame: pl.DataFrame, is_theirs: pl.Series) -> tuple[RawTable, pl.DataFrame, int]:
    kept = replace(raw, frame=raw.frame.filter(~is_theirs))
    return kept, frame.filter(~is_theirs), int(is_theirs.sum())
