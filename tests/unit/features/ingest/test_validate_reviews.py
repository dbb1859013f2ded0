"""Reviews as shops have them: markup, stars, labels, twice the same, and of people who were deleted."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from odd_shop import Row, write_rows

from configs.exceptions import DataError
from configs.settings.data import DataConfig
from configs.settings.reviews import ReviewsConfig
from features.core.forgotten import Forgotten, user_hash
from features.ingest.validate_reviews import ValidReviews, validate_labelled, validate_reviews
from features.readers.files import read_reviews_file

NOW = datetime(2026, 6, 30, tzinfo=UTC)
DAY = "2026-06-01T10:00:00Z"


def read(
    folder: Path,
    *rows: Row,
    forgotten: Forgotten | None = None,
    no_consent: pl.Series | None = None,
    **columns: str,
) -> ValidReviews:
    data = DataConfig(review_columns=columns)
    raw = read_reviews_file(data, write_rows(folder / "reviews.csv", rows))
    return validate_reviews(raw, config=ReviewsConfig(), now=NOW, forgotten=forgotten, no_consent=no_consent)


def review(text: object = "Good", **more: object) -> dict[str, object]:
    return {"item_id": "i1", "timestamp": DAY, "text": text, **more}


def test_markup_is_no_text(tmp_path: Path) -> None:
    html = "<p>Tr&egrave;s <b>bon</b>&nbsp;caf&eacute;</p><script>alert('x')</script><br/>5 &lt; 6"
    (text,) = read(tmp_path, review(html)).frame["text"]
    assert text == "Très bon café 5 < 6"


def test_ratings_and_labels_say_who_is_content(tmp_path: Path) -> None:
    stars = [5, "4", "3", 2, 1, ""]
    found = read(
        tmp_path, *(review(f"text {place}", stars=one) for place, one in enumerate(stars)), rating="stars"
    )
    assert found.frame["content"].to_list() == [True, True, None, False, False, None]
    words = ["1", "Negative", "好评", ""]
    found = read(tmp_path, *(review(f"text {place}", label=one, rating=3) for place, one in enumerate(words)))
    assert found.frame["content"].to_list() == [True, False, True, None]


def test_what_cannot_be_used_is_rejected_with_its_line_and_reason(tmp_path: Path) -> None:
    rows = [
        review(),
        review(item_id=""),
        review("", rating=""),
        review(rating="five"),
        review(timestamp="soon"),
        review(timestamp="2031-01-01"),
        review("", rating="5"),
        review("Nice", rating=4),
    ]
    found = read(tmp_path, *rows)
    assert found.rejected.select("line", "reason").rows() == [
        (3, "item_id is missing"),
        (4, "neither text nor rating"),
        (5, "rating is not a number"),
        (6, "timestamp is not a time"),
        (7, "timestamp lies in the future"),
    ]
    assert found.frame["text"].to_list() == ["Good", "", "Nice"]
    assert found.num_rows == 8


def test_a_review_counts_once(tmp_path: Path) -> None:
    rows = [
        review("old", review_id="r1"),
        review("new", review_id="r1"),
        review("same", user_id="u"),
        review("same", user_id="u"),
        review("same", user_id="v"),
    ]
    found = read(tmp_path, *rows)
    assert sorted(found.frame["text"]) == ["new", "same", "same"]
    assert found.dropped["a later or the same row of a review"] == 2


def test_who_was_deleted_is_left_out(tmp_path: Path) -> None:
    salt = b"salt"
    moment = int(datetime(2026, 6, 10, tzinfo=UTC).timestamp() * 1e6)
    forgotten = Forgotten(salt, {user_hash("gone", salt=salt): moment})
    rows = [
        review("before", user_id="gone"),
        review("came back", user_id="gone", timestamp="2026-06-20"),
        review("other", user_id="stays"),
    ]
    found = read(tmp_path, *rows, forgotten=forgotten)
    assert sorted(found.frame["text"]) == ["came back", "other"]
    assert found.dropped["user who was deleted"] == 1


def test_no_rejected_row_holds_what_a_deleted_user_or_one_without_consent_wrote(tmp_path: Path) -> None:
    salt = b"salt"
    moment = int(datetime(2026, 6, 10, tzinfo=UTC).timestamp() * 1e6)
    rows = [
        review("secret", user_id="gone", rating="five"),
        review("secret", user_id="gone", timestamp="soon"),
        review("secret", user_id="gone", timestamp=""),
        review("secret", user_id="refused", item_id=""),
        review("secret", user_id="refused"),
        review("told", user_id="stays", rating="five"),
        review("told", user_id="gone", timestamp="2026-06-20", rating="five"),
        *(review(f"good {place}", user_id="stays", rating="5") for place in range(20)),
    ]
    found = read(
        tmp_path,
        *rows,
        forgotten=Forgotten(salt, {user_hash("gone", salt=salt): moment}),
        no_consent=pl.Series(["refused"]),
    )
    assert not any("secret" in row for row in found.rejected["raw"])
    assert found.rejected.select("line", "reason").rows() == [
        (7, "rating is not a number"),
        (8, "rating is not a number"),
    ]
    assert (found.num_rows, len(found.frame)) == (27, 20)
    assert found.dropped["user who was deleted"] == 3
    assert found.dropped["user without consent"] == 2


def test_a_missing_column_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no column 'item_id', 'text'.*data.review_columns: \{item_id: "):
        read(tmp_path, {"timestamp": DAY, "comment": "Good", "sku": "i"})
    with pytest.raises(
        DataError, match=r"data\.review_columns names the column 'body', which the file lacks"
    ):
        read(tmp_path, review(), text="body")
    with pytest.raises(DataError, match=r"data\.reviews"):
        read_reviews_file(DataConfig(), tmp_path / "none.csv")


def test_labelled_texts_need_no_item_and_no_time(tmp_path: Path) -> None:
    path = tmp_path / "labelled.parquet"
    pl.DataFrame({"text": ["fine", "<i>bad</i>", "so"], "label": [1, 0, 7]}).write_parquet(path)
    good, rejected = validate_labelled(read_reviews_file(DataConfig(), path), config=ReviewsConfig())
    assert good.rows() == [("fine", True), ("bad", False)]
    assert rejected["reason"].to_list() == ["label is neither positive nor negative"]
