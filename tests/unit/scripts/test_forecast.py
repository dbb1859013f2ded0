"""`shopkeeper forecast` over prepared files, good ones and bad ones."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from command_line import RunMain, runner
from odd_shop import NOW, Row, bought, settings, write_settings

import training.forecasts.forecast as forecast_module
from features.prepare import prepare
from serving.state.store import STORE_FILE, EventStore

FEW = ("forecasts.min_repeat_buyers=20", "evaluation.bootstrap_samples=10", "prepare.max_rejected_share=1")


@pytest.fixture
def shopkeeper(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> RunMain:
    return runner(monkeypatch, capsys)


def rows(*, users: int = 80, days: float = 58, **more: object) -> list[dict[str, object]]:
    """Customers of whom the first come often, and every fourth stays away after day 25."""
    chance, found = np.random.default_rng(0), []
    for user in range(users):
        day, until = chance.uniform(0, 6), 25 if user % 4 == 3 else days
        while day < until:
            found.append(bought(f"u{user:03}", f"i{user % 7}", day=day, **more))
            day += chance.exponential(2 + user / 8)
    return found


def prepared(folder: Path, events: Iterable[Row], *overrides: str, **tables: Iterable[Row]) -> Path:
    """The settings' YAML."""
    config = settings(folder, events, *FEW, *overrides, **tables)
    prepare(config, now=NOW)
    return write_settings(config)


def evaluation(folder: Path) -> dict[str, Any]:
    text = (folder / "shop" / "forecasts" / "evaluation.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def test_it_says_who_buys_and_how_good_that_was(shopkeeper: RunMain, tmp_path: Path) -> None:
    items = [{"id": f"i{number}", "title": f"item {number}", "product_type": "Food"} for number in range(7)]
    yaml = prepared(tmp_path, rows(price=5, quantity=2), items=items)
    done = shopkeeper("forecast", "-c", yaml, "--days", 10, "--csv")
    assert done.status == 0, done.err
    assert "judged by the 10 days after it: 80 customers" in done.out
    assert "boosted trees" in done.out
    assert "RFM rules" in done.out
    assert "have probably left (alive_probability below 50 %)" in done.out
    users = pl.read_parquet(tmp_path / "shop" / "forecasts" / "users.parquet")
    assert users["user_id"].n_unique() == len(users) == 80
    assert users["purchase_probability"].is_sorted(descending=True)
    assert users["purchase_probability"].is_between(0, 1).all()
    assert (users["expected_orders"] >= users["purchase_probability"]).all()
    often, seldom = (
        users.filter(pl.col("user_id").is_in(ids)) for ids in (["u000", "u001", "u004"], ["u076", "u077"])
    )
    assert often["expected_orders"].min() > seldom["expected_orders"].max()  # type: ignore[operator]
    away = users.with_columns(pl.col("user_id").str.slice(1).cast(pl.Int32) % 4 == 3)
    by_away = (
        away.group_by("user_id").agg(pl.col("alive_probability").mean()).sort("user_id")["alive_probability"]
    )
    assert by_away[1] < by_away[0] - 0.2
    spend = users["expected_spend"] / users["expected_orders"]
    assert spend.median() == pytest.approx(10, rel=0.2)
    assert len(pl.read_csv(tmp_path / "shop" / "forecasts" / "users.csv")) == 80
    found = evaluation(tmp_path)
    assert set(found["systems"]) == {"lightgbm", "bg_nbd", "rfm"}
    assert found["systems"]["bg_nbd"]["auc"] > 0.7
    cycles = json.loads((tmp_path / "shop" / "forecasts" / "purchase_cycle.json").read_text(encoding="utf-8"))
    assert [cycle["name"] for cycle in cycles] == ["", "Food"]
    assert 2 <= cycles[0]["median_days"] <= 8


def test_who_was_deleted_or_did_not_agree_is_not_spoken_of(shopkeeper: RunMain, tmp_path: Path) -> None:
    events = [*rows(), *(bought("=1+1", "i0", day=day) for day in (1, 20, 50))]
    ids = [*(f"u{number:03}" for number in range(80)), "=1+1"]
    users = [{"user_id": user, "tables": "no" if user == "u005" else "yes", "mail": "yes"} for user in ids]
    users[6]["mail"] = "no"
    consent = "customers.consent={profiles: tables, export: mail}"
    yaml = prepared(tmp_path, events, consent, "forecasts.model=bg_nbd", users=users)
    with EventStore.open(tmp_path / "shop" / STORE_FILE) as store:

        async def change() -> None:
            await store.users.forget("u003", reason="deleted", now=int(NOW.timestamp() * 1e6))
            await store.users.put_attributes("u004", {"tables": False})
            await store.users.put_attributes("u007", {"mail": False})

        asyncio.run(change())
    done = shopkeeper("forecast", "-c", yaml, "--days", 10, "--csv")
    assert done.status == 0, done.err
    folder = tmp_path / "shop" / "forecasts"
    known = set(ids) - {"u003", "u004", "u005"}
    assert set(pl.read_parquet(folder / "users.parquet")["user_id"]) == known
    assert evaluation(tmp_path)["customers_in_all"] <= len(known)
    exported = pl.read_csv(folder / "users.csv")
    assert set(exported["user_id"]) == known - {"u006", "u007", "=1+1"} | {"'=1+1"}
    none = shopkeeper("forecast", "-c", yaml, "--csv", "--set", "customers.consent={export: nobody}")
    assert (none.status, "no user has an attribute 'nobody'" in none.err) == (2, True)


def test_a_file_in_which_nobody_wants_to_stand_is_not_written(shopkeeper: RunMain, tmp_path: Path) -> None:
    users = [{"user_id": f"u{number:03}", "mail": "no"} for number in range(80)]
    asked = "customers.consent={export: mail}"
    yaml = prepared(tmp_path, rows(), asked, "forecasts.model=bg_nbd", users=users)
    done = shopkeeper("forecast", "-c", yaml, "--days", 10, "--csv")
    assert done.status == 2
    assert "none of the 80 customers agreed to stand in an exported file" in done.err
    assert not (tmp_path / "shop" / "forecasts").exists()
    refused = shopkeeper("forecast", "-c", yaml, "--set", "customers.consent={profiles: mail}")
    assert (refused.status, "agreed to customers.consent.profiles=mail" in refused.err) == (2, True)


def test_without_prices_all_but_spend_is_said(shopkeeper: RunMain, tmp_path: Path) -> None:
    yaml = prepared(tmp_path, rows())
    done = shopkeeper("forecast", "-c", yaml, "--days", 10, "--set", "forecasts.model=bg_nbd")
    assert done.status == 0, done.err
    assert "No purchase has a price, so nothing is said of spend." in done.out
    assert "spend a customer" not in done.out
    users = pl.read_parquet(tmp_path / "shop" / "forecasts" / "users.parquet")
    assert users["expected_spend"].null_count() == len(users)
    assert users["expected_orders"].min() > 0  # type: ignore[operator]


def test_a_shop_with_refunds_alone_has_nobody_to_speak_of(shopkeeper: RunMain, tmp_path: Path) -> None:
    yaml = prepared(
        tmp_path, [{**row, "event_type": "refund"} for row in rows(price=5)], "prepare.min_window_users=0"
    )
    done = shopkeeper("forecast", "-c", yaml, "--days", 10)
    assert done.status == 2
    assert "The shop has no purchase" in done.err
    assert "refund" in done.err
    assert not (tmp_path / "shop" / "forecasts").exists()


def test_what_came_back_is_no_spend(shopkeeper: RunMain, tmp_path: Path) -> None:
    """Every purchase is returned within the hour: orders stay, spend goes."""
    first = rows(price=5)
    back = [
        {**row, "event_type": "refund", "timestamp": str(row["timestamp"])[:-6] + "+00:00"} for row in first
    ]
    yaml = prepared(tmp_path, [*first, *back])
    done = shopkeeper("forecast", "-c", yaml, "--days", 10)
    assert done.status == 0, done.err
    users = pl.read_parquet(tmp_path / "shop" / "forecasts" / "users.parquet")
    assert users["spend_so_far"].max() == 0
    assert evaluation(tmp_path)["spend_mean"] == 0
    assert evaluation(tmp_path)["systems"]["lightgbm"]["spend_sum"] is None


@pytest.mark.parametrize(
    ("days", "more", "message"),
    [
        (
            10,
            ("forecasts.min_repeat_buyers=100",),
            r"\d+ of 80 customers had ordered on two days or more before",
        ),
        (40, (), r"The data spans 5\d\.\d days; forecasts of 40 days need 120: .* such as --days 1\d\."),
        (0, (), "forecasts.days"),
    ],
)
def test_too_little_is_an_error_that_says_what_there_is_and_what_is_needed(
    shopkeeper: RunMain, tmp_path: Path, days: int, more: tuple[str, ...], message: str
) -> None:
    yaml = prepared(tmp_path, rows(price=5))
    done = shopkeeper(
        "forecast", "-c", yaml, "--days", days, *(part for one in more for part in ("--set", one))
    )
    assert done.status == 2
    (line,) = done.err.strip().splitlines()[-1:]
    assert pl.Series([line]).str.contains(message).all(), done.err


def test_buyers_of_long_ago_teach_nothing_of_the_last_windows(shopkeeper: RunMain, tmp_path: Path) -> None:
    looks = [
        {
            "event_type": "view_item",
            "timestamp": bought("", "", day=57)["timestamp"],
            "user_id": "u001",
            "item_id": "i1",
        }
    ]
    yaml = prepared(tmp_path, [*rows(days=20), *looks], "prepare.min_window_users=0")
    done = shopkeeper("forecast", "-c", yaml, "--days", 8, "--set", "forecasts.num_moments=2")
    assert done.status == 2
    assert "No customer bought again in the windows of 8 days before" in done.err


def test_without_times_and_without_lightgbm_it_says_what_to_do(
    shopkeeper: RunMain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timeless = [{name: value for name, value in row.items() if name != "timestamp"} for row in rows()]
    yaml = prepared(tmp_path, timeless, "data.clock=ordinal", "split.kind=leave_one_out")
    done = shopkeeper("forecast", "-c", yaml)
    assert done.status == 2
    assert "data.clock=ordinal" in done.err
    monkeypatch.setattr(forecast_module, "find_spec", lambda _: None)
    done = shopkeeper("forecast", "-c", yaml)
    assert done.status == 2
    assert "pip install 'shopkeeper[customers]'" in done.err
    done = shopkeeper("forecast", "--out", tmp_path / "nothing", "--set", "forecasts.model=bg_nbd")
    assert done.status == 2
    assert "shopkeeper prepare" in done.err
