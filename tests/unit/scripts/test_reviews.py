"""`shopkeeper reviews` over a shop's own file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from command_line import RunMain
from odd_shop import Row, write_rows
from typer.testing import CliRunner

from scripts.cli import app

END = datetime(2026, 6, 30, 12, tzinfo=UTC)
GOOD = {
    "size": ("The shirt fits very well", "Perfect size for me", "The fit is lovely"),
    "delivery": ("Delivery was fast", "It arrived early", "Shipping was quick and friendly"),
    "quality": ("The quality is excellent", "Great fabric", "The material is wonderful"),
}
BAD = {
    "size": ("The shirt is far too small", "Horrible size", "It runs small and is tight"),
    "delivery": ("Delivery was terribly late", "It arrived late", "Shipping took weeks, awful"),
    "quality": ("The quality is awful", "The fabric is horrible", "The material broke at once"),
}
FEW = ("-s", "reviews.min_labelled=30")
FRENCH = "Je suis vraiment ravie de cette belle chemise et je recommande"


def sentences() -> Iterator[Row]:
    """Three in ten customers are discontented; lately all those of `coat` are, with its delivery."""
    chance = np.random.default_rng(0)
    for number in range(360):
        item, days = ("shirt", "coat", "hat")[number % 3], number / 2
        late = item == "coat" and days < 30
        bad = late or chance.random() < 0.3
        about = ["delivery"] * 2 if late else chance.choice(list(GOOD), 2).tolist()
        text = ". ".join(str(chance.choice((BAD if bad else GOOD)[aspect])) for aspect in about)
        yield review(item, f"<p>{text}!</p>", days=days, stars=1 if bad else 5, user_id=f"u{number}")


def review(item: str, text: str, *, days: float = 0.0, **more: object) -> dict[str, object]:
    return {"sku": item, "timestamp": (END - timedelta(days=days)).isoformat(), "text": text, **more}


def arguments(file: Path, *more: object) -> list[str]:
    columns = "data.review_columns={item_id: sku, rating: stars}"
    found = ("reviews", "-s", f"data.reviews={file}", "-s", columns, "--out", file.parent / "shop", *more)
    return [str(one) for one in found]


@dataclass(frozen=True)
class Read:
    """What the command made of `sentences`, of a French and of a Russian review."""

    output: str
    folder: Path

    def table(self, name: str) -> pl.DataFrame:
        return pl.read_parquet(self.folder / "reviews" / f"{name}.parquet")


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Read:
    folder = tmp_path_factory.mktemp("reviews")
    rows = [
        *sentences(),
        review("hat", FRENCH, review_id="french"),
        review("hat", "Очень плохое качество, ужасно", review_id="russian", stars=1),
        review("", "no item", stars=5),
    ]
    done = CliRunner().invoke(app, arguments(write_rows(folder / "reviews.csv", rows), "-n", 3, *FEW))
    assert done.exit_code == 0, done.output
    return Read(done.output, folder / "shop")


def test_the_network_learns_what_content_customers_write(read: Read) -> None:
    found = read.table("sentiment").filter(how="network")
    assert len(found) == 360
    assert (found["negative"] != found["content"]).sum() > 0.95 * len(found)
    assert found["probability"].is_between(0, 1).all()


def test_a_language_that_it_does_not_read_is_known_by_the_rating_or_not_at_all(read: Read) -> None:
    by_id = {row["review_id"]: row for row in read.table("sentiment").iter_rows(named=True)}
    assert (by_id["french"]["how"], by_id["french"]["negative"]) == ("unknown", None)
    assert (by_id["russian"]["how"], by_id["russian"]["negative"]) == ("rating", True)
    assert "1 unknown" in read.output


def test_aspects_of_a_product_and_what_changed_are_found_and_printed(read: Read) -> None:
    coat = read.table("aspects").filter(item_id="coat", aspect="delivery").row(0, named=True)
    assert coat["negative"] >= 20
    assert coat["complaint"].rstrip("!.") in {part for text in BAD["delivery"] for part in text.split(", ")}
    assert "<p>" not in read.output
    changed = read.table("changes").filter("is_significant", scope="product")
    assert ("coat", "delivery", "more") in changed.select("item_id", "aspect", "direction").rows()
    assert not changed.filter(item_id="shirt").height
    assert re.search(r"^coat +delivery +more +\d+% of \d+ +\d+% of \d+", read.output, re.MULTILINE)
    assert "Most complained of" in read.output
    assert "Most praised" in read.output


def test_rejected_rows_are_kept_and_said(read: Read) -> None:
    assert read.table("rejected")["reason"].to_list() == ["item_id is missing"]
    assert "1 row rejected: item_id is missing" in read.output
    assert "aspects.parquet" in (read.folder / "reviews" / "README.txt").read_text(encoding="utf-8")


def test_the_accuracy_is_said_to_be_of_reviews_that_it_was_tuned_on(read: Read) -> None:
    assert re.search(r"right about [\d.]+% of the tenth of the reviews that it was tuned on", read.output)
    assert "was tuned on" in " ".join((read.folder / "reviews" / "README.txt").read_text("utf-8").split())


def test_the_network_is_kept_until_the_reviews_change(read: Read) -> None:
    before = read.table("sentiment")
    done = CliRunner().invoke(app, arguments(read.folder.parent / "reviews.csv", *FEW))
    assert done.exit_code == 0, done.output
    assert "Training the network" in read.output
    assert "Training the network" not in done.output
    assert read.table("sentiment").equals(before)


def test_who_did_not_consent_is_left_out(shopkeeper: RunMain, tmp_path: Path) -> None:
    rows = [review("shirt", "Too small", stars=1, user_id=user) for user in ("yes", "no")]
    users = write_rows(tmp_path / "users.csv", [{"user_id": user, "consent": user} for user in ("yes", "no")])
    done = shopkeeper(*arguments(write_rows(tmp_path / "reviews.csv", rows), "-s", f"data.users={users}"))
    assert done.status == 0, done.err
    assert "1 review of 1 product," in done.out
    assert "1 row left out: user without consent" in done.err


def test_one_review_is_counted_by_its_rating(shopkeeper: RunMain, tmp_path: Path) -> None:
    file = write_rows(tmp_path / "reviews.csv", [review("shirt", "Too small", stars=1)])
    done = shopkeeper(*arguments(file))
    assert done.status == 0, done.err
    assert "1 review of 1 product," in done.out
    assert "0 content, 1 discontented" in done.out
    assert "No network, the ratings alone count: 0 content and 1 discontented" in done.err
    assert "reviews.min_labelled=100" in done.err
    assert "nothing was tested" in done.out


def test_without_a_file_or_with_a_useless_one_it_says_what_to_do(shopkeeper: RunMain, tmp_path: Path) -> None:
    done = shopkeeper("reviews", "--out", tmp_path / "shop")
    assert done.status == 2
    assert "data.reviews is not set" in done.err
    for setting, said in (
        ("reviews.negative_to=4", "reviews.negative_to=4 must be below reviews.positive_from=4"),
        ("reviews.aspects={other: [more]}", "reviews.aspects.other: the name is taken"),
    ):
        done = shopkeeper(*arguments(tmp_path / "none.csv", "-s", setting))
        assert done.status == 2
        assert said in done.err
    file = write_rows(tmp_path / "reviews.csv", [review("", "Too small", stars=1)] * 3)
    done = shopkeeper(*arguments(file))
    assert done.status == 2
    assert "3 of 3 rows of the reviews were rejected" in done.err
    assert "item_id is missing" in done.err
    assert not (tmp_path / "shop" / "reviews").exists()
