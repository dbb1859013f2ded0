"""A product that nobody has touched gets the vector of those that are described like it."""

from __future__ import annotations

import numpy as np
import polars as pl

from features.profiles.content_neighbours import MIN_SIMILARITY, ContentNeighbours

CATALOGUE = pl.DataFrame(
    {
        "id": [str(number) for number in range(6)],
        "title": ["Blue mug", "Red mug", "Green mug, large", "Oak chair", "Pine chair", "蓝色 杯子"],
        "product_type": ["Kitchen > Mugs"] * 3 + ["Furniture > Chairs"] * 2 + ["厨房 > 杯子"],
        "brand": ["Acme", "Acme", None, "Wood", "Wood", "Acme"],
    }
)
VECTORS = np.array([[2, 0, 0]] * 3 + [[0, 3, 0]] * 2 + [[0, 0, 1]], np.float32)


def vectors(**columns: str | None) -> list[list[float]]:
    row = pl.DataFrame(
        {name: [value] for name, value in columns.items()}, schema_overrides=dict.fromkeys(columns, pl.String)
    )
    found = ContentNeighbours.of(CATALOGUE).vectors(row, VECTORS)
    return [[round(float(value), 2) for value in one] for one in found]


def test_what_is_described_alike_is_near_and_as_long() -> None:
    ((mug, chair, _),) = vectors(title="Yellow MUG", product_type="Kitchen > Mugs", brand=None)
    assert (mug, chair) == (2.0, 0.0)
    ((mug, chair, _),) = vectors(title="Beech chair", product_type=None, brand=None)
    assert (mug, chair) == (0.0, 3.0)
    ((*_, cup),) = vectors(title="绿色 杯子", product_type="厨房 > 杯子", brand=None)
    assert cup == 1.0


def test_rare_words_say_more_than_common_ones() -> None:
    ((mug, _, cup),) = vectors(title="large", product_type=None, brand="Acme")
    assert mug > cup > 0


def test_what_shares_nothing_has_no_vector() -> None:
    assert vectors(title="Lamp", product_type=None, brand=None) == [[0, 0, 0]]
    assert vectors(id="7") == [[0, 0, 0]]


def test_items_without_a_vector_are_no_neighbours() -> None:
    without = VECTORS.copy()
    without[:3] = 0
    row = pl.DataFrame({"title": ["Blue mug"]})
    assert not ContentNeighbours.of(CATALOGUE).vectors(row, without)[:, 0].any()


def test_a_catalogue_of_ids_alone_knows_nothing() -> None:
    bare = ContentNeighbours.of(CATALOGUE.select("id"))
    assert not bare.vectors(pl.DataFrame({"title": ["Blue mug"]}), VECTORS).any()


def nearest(catalogue: pl.DataFrame, title: str | None, **more: str) -> list[str]:
    """The ids of what is most like a product of this title, best first."""
    row = pl.DataFrame({"title": [title], **{name: [value] for name, value in more.items()}})
    found = ContentNeighbours.of(catalogue).nearest(row, count=len(catalogue)).items[0]
    return [catalogue["id"][int(item)] for item in found if item >= 0]


def titled(*titles: str | None) -> pl.DataFrame:
    ids = [str(place) for place in range(len(titles))]
    return pl.DataFrame({"id": ids, "title": titles}, schema={"id": pl.String, "title": pl.String})


def test_chinese_titles_need_no_spaces_between_words() -> None:
    catalogue = titled(
        "白色陶瓷马克杯", "不锈钢保温杯", "陶瓷马克杯大号", "全棉男士衬衫", "Ceramic mug", "茶"
    )
    assert nearest(catalogue, "蓝色马克杯")[:2] == ["0", "2"]
    assert nearest(catalogue, "男士长袖衬衫") == ["3"]
    assert nearest(catalogue, "茶") == ["5"], "a word of one character"
    assert nearest(catalogue, "ｍｕｇ") == ["4"], "full-width letters are letters"


def test_a_brand_in_latin_letters_inside_a_chinese_title_is_a_word_of_its_own() -> None:
    catalogue = titled("Apple苹果iPhone手机壳", "华为手机壳", "iPhone charger")
    assert nearest(catalogue, "iPhone保护套") == ["2", "0"]


def test_markup_is_no_text() -> None:
    catalogue = titled("<b>Oak</b> chair", "<b>Blue</b> mug &amp; cup", "5 < 6 <i>and</i> 7 > 3", "amp")
    assert nearest(catalogue, "<b>mug</b>") == ["1"]
    assert nearest(catalogue, "&amp; <b></b>") == []
    assert nearest(catalogue, "3") == ["2"]


def test_what_has_no_text_is_like_nothing_and_breaks_nothing() -> None:
    catalogue = titled(None, "", "Blue mug", "  ", "Red mug", "\u200b!?").with_columns(
        product_type=pl.lit(None, pl.String), brand=pl.lit("")
    )
    table = ContentNeighbours.of(catalogue).table(3)
    assert table.items.tolist() == [[-1] * 3, [-1] * 3, [4, -1, -1], [-1] * 3, [2, -1, -1], [-1] * 3]
    assert (table.scores[table.items < 0] == 0).all()
    assert nearest(catalogue, None) == []


def test_a_category_with_one_item_and_a_shop_with_one_item() -> None:
    catalogue = titled("Blue mug", "Red mug", "Lamp").with_columns(
        product_type=pl.Series(["Kitchen > Mugs", "Kitchen > Mugs", "Lights"])
    )
    assert ContentNeighbours.of(catalogue).table(2).items.tolist() == [[1, -1], [0, -1], [-1, -1]]
    assert ContentNeighbours.of(catalogue[:1]).table(2).items.tolist() == [[-1, -1]]
    assert ContentNeighbours.of(catalogue[:0]).table(2).items.shape == (0, 2)


def test_variants_of_one_product_do_not_stand_in_for_each_other() -> None:
    catalogue = titled("Mug S", "Mug M", "Mug L", "Mug", "Lamp", "Oak chair").with_columns(
        item_group_id=pl.Series(["mug", "mug", "cup", "", "", None])
    )
    table = ContentNeighbours.of(catalogue).table(3)
    assert set(table.items[0].tolist()) == {2, 3, -1}
    assert set(table.items[3].tolist()) == {0, 1, 2}, "what has no group is a variant of nothing"
    assert "0" not in nearest(catalogue, "Mug XL", item_group_id="mug")
    assert nearest(catalogue, "Mug XL", item_group_id="other")


def test_items_that_came_later_are_compared_too() -> None:
    later = titled("Yellow mug").with_columns(product_type=pl.lit("Kitchen > Mugs"), brand=pl.lit("Acme"))
    known = ContentNeighbours.of(CATALOGUE).followed_by(later)
    row = pl.DataFrame({"title": ["Mug"], "product_type": ["Kitchen > Mugs"]})
    assert set(known.nearest(row, count=4).items[0].tolist()) == {0, 1, 2, 6}
    among = np.arange(7) == 6
    assert known.nearest(row, count=2, among=among).items.tolist() == [[6, -1]]


def random_catalogue(num_items: int) -> pl.DataFrame:
    words = np.array([f"word{number}" for number in range(60)])
    random = np.random.default_rng(0)
    chances = 1 / np.arange(1, 61)
    drawn = [random.choice(words, 6, p=chances / chances.sum()) for _ in range(num_items)]
    return titled(*(" ".join(one) for one in drawn))


def test_the_table_is_that_of_all_cosines() -> None:
    """Beside the plain product of all rows with all rows."""
    known = ContentNeighbours.of(random_catalogue(300))
    table = known.table(20)
    cosines = (known.rows @ known.rows.T).toarray()
    np.fill_diagonal(cosines, 0)
    best = -np.sort(-cosines, axis=1)[:, :20]
    np.testing.assert_allclose(table.scores, np.where(best >= MIN_SIMILARITY, best, 0), atol=1e-5)
    found = np.take_along_axis(cosines, np.maximum(table.items, 0).astype(np.int64), axis=1)
    np.testing.assert_allclose(np.where(table.items < 0, 0, found), table.scores, atol=1e-5)
    again = ContentNeighbours.of(random_catalogue(300)).table(20)
    np.testing.assert_array_equal(again.items, table.items)


def test_equals_stand_in_the_order_of_the_catalogue() -> None:
    assert ContentNeighbours.of(titled(*["Mug"] * 5)).table(2).items.tolist() == [
        [1, 2],
        [0, 2],
        [0, 1],
        [0, 1],
        [0, 1],
    ]
