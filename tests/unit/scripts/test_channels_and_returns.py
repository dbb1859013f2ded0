"""`shopkeeper channels` and `shopkeeper returns` over prepared files, good and odd ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import polars as pl
import pytest
from command_line import RunMain
from odd_shop import NOW, Row, bought, settings, write_settings

from configs.schema import Config
from features.core.forgotten import Forgotten, user_hash
from features.customers.channels import compute_channels
from features.customers.returns import compute_returns
from features.ingest.tables import Tables
from features.prepare import prepare


def prepared(
    folder: Path,
    events: Iterable[Row],
    *overrides: str,
    items: Iterable[Row] = (),
    users: Iterable[Row] = (),
) -> Config:
    """`prepare` takes a shop where somebody looked twice, so each test has that."""
    lenient = ("prepare.min_window_users=0", "prepare.max_rejected_share=1", "channels.min_shoppers=1")
    config = settings(folder, events, *lenient, *overrides, items=items, users=users)
    prepare(config, now=NOW)
    return config


def visited(visitor: object, *, day: float, source: str = "", **more: object) -> dict[str, object]:
    row = {**bought("", "tea", day=day), "event_type": "view_item", "visitor_id": visitor, "source": source}
    return {**row, **more}


def looked(user: object, *, day: float = 0.0, **more: object) -> dict[str, object]:
    return {**bought(user, "tea", day=day + 0.01), "event_type": "view_item", **more}


def two_ways() -> list[dict[str, object]]:
    """Anna sees an ad, comes by mail, signs in on that device and orders; Bert orders at once; v9 never."""
    return [
        visited("v1", day=0, source="Ad"),
        visited("v1", day=2, source="mail"),
        visited("v1", day=2.001, source="mail", user_id="anna"),
        bought("anna", "tea", day=2.002, price=10, source="mail", visitor_id="v1", transaction_id="o1"),
        bought("bert", "tea", day=3, price=30, source="ad", transaction_id="o2"),
        visited("v9", day=4, source="ad"),
        visited("v9", day=50, source=""),
    ]


def test_channels_credit_every_order_once_and_a_login_makes_one_shopper(
    shopkeeper: RunMain, tmp_path: Path
) -> None:
    config = prepared(tmp_path, two_ways())
    table = tmp_path / "channels.csv"
    done = shopkeeper("channels", "-c", write_settings(config), "--csv", table)
    assert done.status == 0, done.err
    assert "2 orders, revenue 40.00 before refunds" in done.out
    assert "does not show what a channel caused" in " ".join(done.out.split())
    assert "4 ids are 3 shoppers" in done.err
    assert "2 ids were joined by login" in done.err
    rows = {row["channel"]: row for row in pl.read_csv(table).iter_rows(named=True)}
    names = ("orders_with", "orders_first", "orders_last", "orders_position")
    assert [rows["ad"][name] for name in names] == [
        2, 2.0, 1.0, 1.5,
    ]  # fmt: skip
    assert (rows["ad"]["revenue_first"], rows["mail"]["revenue_last"]) == (40, 10)
    assert rows["ad"]["orders_markov"] + rows["mail"]["orders_markov"] == pytest.approx(2)
    folder = config.workspace / "channels"
    assert pl.read_parquet(folder / "paths.parquet")["path"].to_list() == ["ad", "ad > mail"]
    people = pl.read_parquet(folder / "shoppers.parquet")
    assert people.filter(pl.col("shopper") == "anna")["key"].to_list() == ["anna", "visitor:v1"]
    assert "one row a channel" in (folder / "README.txt").read_text(encoding="utf-8")


def test_one_order_of_the_web_and_of_the_back_office_is_one_order(tmp_path: Path) -> None:
    twice = [
        visited("v1", day=1, source="ad", event_type="purchase", price=10, transaction_id="o1"),
        bought("anna", "tea", day=1.1, price=10, transaction_id="o1"),
        looked("anna", day=1.1),
    ]
    config = prepared(tmp_path, twice)
    found = compute_channels(Tables.open(config.workspace / "tables"), config)
    assert (found.orders, found.revenue, found.shoppers.num_shoppers) == (1, 10.0, 1)
    assert found.table["channel"].to_list() == ["ad"]


def test_users_with_one_hashed_address_are_one_shopper_and_who_said_no_is_in_no_table(tmp_path: Path) -> None:
    address = hashlib.sha256(b"anna@example.org").hexdigest()
    users = [
        {"user_id": user, "email_sha256": address, "tables": answer}
        for user, answer in (("anna", "yes"), ("anna2", "yes"), ("bert", "no"))
    ]
    rows = [
        row
        for day, user in enumerate(("anna", "anna2", "bert"))
        for row in (looked(user, day=day), bought(user, "tea", day=day, price=10, source="ad"))
    ]
    config = prepared(tmp_path, rows, "customers.consent.profiles=tables", users=users)
    tables = Tables.open(config.workspace / "tables")
    found = compute_channels(tables, config)
    assert found.shoppers.table["key"].to_list() == ["anna", "anna2"]
    assert (found.shoppers.num_shoppers, found.orders) == (1, 2)
    assert compute_returns(tables, config).customers["user_id"].sort().to_list() == ["anna", "anna2"]
    salt = b"salt"
    forgotten = Forgotten(salt, {user_hash("anna", salt=salt): 2**62})
    assert compute_channels(tables, config, forgotten=forgotten).shoppers.table["key"].to_list() == ["anna2"]
    assert compute_returns(tables, config, forgotten=forgotten).customers["user_id"].to_list() == ["anna2"]


def test_one_visit_and_a_shop_without_prices_have_one_plain_row(shopkeeper: RunMain, tmp_path: Path) -> None:
    config = prepared(tmp_path, [looked("anna"), bought("anna", "tea", channel="web")])
    done = shopkeeper("channels", "-c", write_settings(config))
    assert done.status == 0, done.err
    assert "There is one channel" in done.err
    assert "No price, in events or catalogue" in done.err
    row = pl.read_parquet(config.workspace / "channels" / "channels.parquet").row(0, named=True)
    assert (row["channel"], row["orders_markov"], row["revenue_markov"]) == ("web", 1.0, None)


def ordered(source: str, *users: int) -> list[dict[str, object]]:
    return [bought(f"u{n}", "tea", day=n, source=source, price=10, transaction_id=f"o{n}") for n in users]


def test_other_has_enough_shoppers_and_every_order_is_still_credited(tmp_path: Path) -> None:
    rows = ordered("ad", *range(4)) + ordered("mail", 4, 5, 6) + ordered("once", 7) + ordered("twice", 8)
    config = prepared(tmp_path, [*rows, looked("u7", day=7)], "channels.min_shoppers=2")
    tables = Tables.open(config.workspace / "tables")
    found = compute_channels(tables, config)
    assert dict(found.table.select("channel", "orders_last").iter_rows()) == {"ad": 4, "mail": 3, "other": 2}
    assert any("2 channels with fewer than 2 shoppers" in remark for remark in found.remarks)
    three = config.model_copy(update={"channels": config.channels.model_copy(update={"min_shoppers": 3})})
    found = compute_channels(tables, three)
    assert dict(found.table.select("channel", "shoppers").iter_rows()) == {"other": 5, "ad": 4}
    for model in ("first", "last", "position", "markov"):
        assert found.table[f"orders_{model}"].sum() == pytest.approx(9)
        assert found.table[f"revenue_{model}"].sum() == pytest.approx(90)
    assert any("so 'mail' counts as 'other', too" in remark for remark in found.remarks)


def test_what_is_not_known_of_few_shoppers_counts_under_other(tmp_path: Path) -> None:
    rows = [*ordered("ad", *range(4)), *ordered("", 4), *ordered("once", 5), looked("u4", day=4)]
    config = prepared(tmp_path, rows, "channels.min_shoppers=2")
    found = compute_channels(Tables.open(config.workspace / "tables"), config)
    assert dict(found.table.select("channel", "orders_last").iter_rows()) == {"ad": 4, "other": 2}
    assert any("'not known' has fewer than 2 shoppers" in remark for remark in found.remarks)


def test_a_shop_of_fewer_shoppers_than_may_be_shown_has_no_row(shopkeeper: RunMain, tmp_path: Path) -> None:
    config = prepared(tmp_path, [looked("u0"), *ordered("ad", 0, 1), *ordered("", 2)])
    done = shopkeeper("channels", "-c", write_settings(config), "-s", "channels.min_shoppers=4")
    assert done.status == 0, done.err
    assert "All 2 channels together have fewer than 4 shoppers" in " ".join(done.err.split())
    assert pl.read_parquet(config.workspace / "channels" / "channels.parquet").is_empty()


@pytest.mark.parametrize(
    ("rows", "overrides", "message"),
    [
        ([looked("anna"), bought("anna", "tea")], (), "No event says where its visitor came from"),
        (
            [looked("anna"), bought("anna", "tea", source="ad")],
            ("channels.by=[campaign]",),
            "have source: name those",
        ),
        (
            [looked("anna"), looked("anna", source="ad", day=1)],
            (),
            "there is no purchase, so no path leads to an order",
        ),
    ],
)
def test_what_cannot_be_credited_is_said_with_the_remedy(
    shopkeeper: RunMain, tmp_path: Path, rows: list[Row], overrides: tuple[str, ...], message: str
) -> None:
    config = prepared(tmp_path, rows, *overrides)
    done = shopkeeper("channels", "-c", write_settings(config))
    assert done.status == 2
    assert message in done.err
    assert not (config.workspace / "channels").exists()


def batches() -> list[dict[str, object]]:
    """Cups: of those sold lately half came back, of the others hardly any. Plates stay."""
    rows = []
    for item, count, back, day in (("cup", 30, 1, 1), ("cup", 12, 6, 45), ("plate", 40, 0, 52)):
        for n in range(count):
            order = {"price": 5, "transaction_id": f"{item}{day}-{n}"}
            rows.append(bought(f"u{n}", item, day=day + n / 100, **order))
            if n < back:
                rows.append({**bought(f"u{n}", item, day=day + 1 + n / 100, **order), "event_type": "refund"})
    return rows


ITEMS = [
    {"id": item, "title": item.capitalize(), "product_type": "Kitchen > Table"} for item in ("cup", "plate")
]


def test_returns_warn_of_a_batch_and_name_what_fits_instead(shopkeeper: RunMain, tmp_path: Path) -> None:
    config = prepared(tmp_path, batches(), items=ITEMS)
    table = tmp_path / "products.csv"
    done = shopkeeper("returns", "-c", write_settings(config), "--csv", table)
    assert done.status == 0, done.err
    printed = " ".join(done.out.split())
    assert "7 of 82 order lines came back (8.5%), 35.00 of 410.00" in printed
    assert "cup Cup 6 of 12 50.0% 1 of 30 3.3% its own past" in printed
    assert "cup Cup → plate Plate" in printed
    rows = {row["item"]: row for row in pl.read_csv(table).iter_rows(named=True)}
    assert (rows["cup"]["lines"], rows["cup"]["returned_lines"], rows["cup"]["returned_value"]) == (42, 7, 35)
    assert rows["plate"]["shrunk_rate"] < rows["cup"]["shrunk_rate"] < 7 / 42
    early = shopkeeper("returns", "-c", write_settings(config), "--as-of", "2024-01-20")
    assert "1 of 30 order lines came back" in " ".join(early.out.split())


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([looked("anna", event_type="refund"), looked("anna")], "there is no purchase, but 1 refunds"),
        ([looked("anna"), looked("anna", day=1)], "there is neither a purchase nor a refund"),
    ],
)
def test_without_a_purchase_there_is_no_rate(
    shopkeeper: RunMain, tmp_path: Path, rows: list[Row], message: str
) -> None:
    config = prepared(tmp_path, rows)
    done = shopkeeper("returns", "-c", write_settings(config))
    assert done.status == 2
    assert message in done.err


def test_one_purchase_without_a_price_or_a_refund_is_a_table_with_one_row(
    shopkeeper: RunMain, tmp_path: Path
) -> None:
    config = prepared(tmp_path, [looked("anna"), bought("anna", "tea")])
    done = shopkeeper("returns", "-c", write_settings(config))
    assert done.status == 0, done.err
    assert "0 of 1 order lines came back (0.0%). As of" in " ".join(done.out.split())
    for words in ("No refund", "No price", "without a category", "so none was tested"):
        assert words in " ".join(done.err.split())
    row = pl.read_parquet(config.workspace / "returns" / "products.parquet").row(0, named=True)
    assert (row["lines"], row["returned_lines"], row["value"], row["returned_value"]) == (1, 0, None, None)


def test_a_day_that_is_none_is_refused(shopkeeper: RunMain, tmp_path: Path) -> None:
    done = shopkeeper("returns", "--out", tmp_path, "--as-of", "yesterday")
    assert (done.status, "--as-of yesterday: is no day" in done.err) == (2, True)
