"""Shops that hardly are shops, on the whole way: one clear error, or answers that a person would call
sensible."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import numpy as np
import odd_shop
import polars as pl
import pytest
import torch
from command_line import RunMain
from odd_shop import bought, usual
from worked_example import tree

from configs.exceptions import DataError
from configs.schema import Config
from configs.settings.data import DataConfig
from configs.settings.encoder import EncoderConfig, TrainingConfig
from features.prepare import prepare
from features.profiles.item_content import MAX_CODES
from training.encoder.build_model import build_model

MODELS = get_args(EncoderConfig.model_fields["model"].annotation)
LOSSES = get_args(TrainingConfig.model_fields["loss"].annotation)
ONE_ITEM = {"id": "i0", "title": "Tea", "product_type": "Drinks", "price": 2}
ENCODERS = ["encoder-full.pt", "encoder-test.pt", "encoder-validation.pt"]


NAMES = (
    "a\nb",
    'q"uo"te',
    "comma, id",
    "semi;colon",
    "💐🫖",
    "日本語",
    "ไทย العربية Русский",
    "NaN",
    "null",
    "-1",
    "1e5",
    "../../etc/passwd",
)
TEXTS = (
    "x" * 100_000,
    "💐🫖" * 25_000,
    "Русский العربية 日本語 ไทย " * 2_000,
    "\u202etxt.exe",
    "' OR 1=1; --\"\n",
    "<script>alert(1)</script>",
    "[/bold] [red]",
)
LEVELS = " > ".join(f"level {depth}" for depth in range(50))
ATTRIBUTES = (
    '{"tier": "gold"}',
    '{"tier": "💐"}',
    '{"bio": "' + TEXTS[0] + '"}',
    "[" * 5_000,
    "[1, 2]",
    "null",
    "gold",
    "",
)


def test_a_catalogue_of_one_item_gives_lists_of_it(tmp_path: Path) -> None:
    shop = odd_shop.evaluated(odd_shop.settings(tmp_path, usual(users=6, items=1), items=[ONE_ITEM]))
    assert shop.shown() == shop.shown("u0") == ["i0"]
    assert shop.shown("u0", surface="product", page=("i0",)) == []
    assert shop.recall("pipeline") == shop.recall("encoder") == 1.0


@pytest.mark.parametrize("split", ["window", "leave_one_out"])
@pytest.mark.parametrize("model", MODELS)
def test_every_model_trains_on_one_item(tmp_path: Path, model: str, split: str) -> None:
    settings = (f"encoder.model={model}", f"split.kind={split}")
    run = odd_shop.fitted(odd_shop.settings(tmp_path, usual(users=6, items=1), *settings, items=[ONE_ITEM]))
    assert run.read().fits["validation"].best_validation_recall == 1.0


@pytest.mark.parametrize("split", ["window", "leave_one_out"])
def test_users_with_one_event_each_are_a_no_go_that_says_what_to_bring(
    shopkeeper: RunMain, tmp_path: Path, split: str
) -> None:
    rows = [bought(f"u{number}", f"i{number % 7}", day=number) for number in range(40)]
    config = odd_shop.settings(tmp_path, rows, f"split.kind={split}")
    refused(shopkeeper, "prepare", config, r"No-go: 0 users have two or more item events.*Bring more data")


def test_users_with_one_event_beside_others_get_a_list_of_their_own(tmp_path: Path) -> None:
    rows = usual() + [bought(f"once{number}", f"i{number % 7}", day=number / 2) for number in range(40)]
    shop = odd_shop.evaluated(odd_shop.settings(tmp_path, rows))
    assert "i1" in shop.shown("once1"), "what they bought"
    assert len(shop.shown("once1")) == 5


@pytest.mark.parametrize(
    ("rows", "split", "message"),
    [
        (
            [bought("u0", "i0")] * 60,
            "window",
            r"All 60 events are of one time \(2024-01-01T12:00.*data\.event_columns\.timestamp",
        ),
        (
            [bought("u0", "i0")] * 60,
            "leave_one_out",
            r"0 users have.*in the validation window.*bring users with three or more baskets",
        ),
        (
            [bought("u0", "i0"), bought("u1", "i0")] * 2,
            "leave_one_out",
            r"0 users have.*in the validation window.*bring users with three or more baskets",
        ),
        ([bought(f"u{n % 9}", f"i{n % 4}") for n in range(90)], "window", r"All 90 events are of one time"),
    ],
)
def test_events_that_are_all_one_or_of_one_time_are_a_no_go(
    shopkeeper: RunMain, tmp_path: Path, rows: list[odd_shop.Row], split: str, message: str
) -> None:
    config = odd_shop.settings(tmp_path, rows, f"split.kind={split}")
    refused(shopkeeper, "prepare", config, f"No-go: {message}")


@pytest.mark.parametrize("model", MODELS)
def test_events_of_one_time_train_by_the_order_of_their_rows(tmp_path: Path, model: str) -> None:
    rows = [bought(f"u{number % 16}", f"i{number * 7 % 12}") for number in range(128)]
    order = ("data.clock=ordinal", "split.kind=leave_one_out")
    run = odd_shop.fitted(odd_shop.settings(tmp_path, rows, f"encoder.model={model}", *order))
    assert sorted(path.name for path in run.folder.glob("encoder-*.pt")) == ENCODERS


@pytest.mark.parametrize(
    ("model", "loss"),
    [*((model, LOSSES[0]) for model in MODELS), *((MODELS[0], loss) for loss in LOSSES[1:])],
)
def test_more_negatives_than_items_are_all_the_items(tmp_path: Path, model: str, loss: str) -> None:
    settings = (f"encoder.model={model}", f"training.loss={loss}", "training.num_negatives=5000")
    run = odd_shop.fitted(odd_shop.settings(tmp_path, usual(), *settings))
    assert sorted(path.name for path in run.folder.glob("encoder-*.pt")) == ENCODERS


def test_a_price_in_another_currency_is_refused_without_a_rate_and_turned_with_one(tmp_path: Path) -> None:
    rows = [row | {"currency": ("EUR", "usd")[place % 2], "price": 2} for place, row in enumerate(usual())]
    items = [{"id": f"i{number}", "price": 3, "currency": ("EUR", "usd")[number % 2]} for number in range(12)]
    with pytest.raises(DataError, match=r"events have 2 currencies \(.*prepare\.exchange_rates"):
        prepare(odd_shop.settings(tmp_path / "without", rows), now=odd_shop.NOW)
    assert not (tmp_path / "without" / "shop").exists()
    with pytest.raises(DataError, match="no exchange rate for the currency"):
        prepare(odd_shop.settings(tmp_path / "items", usual(currency="EUR"), items=items), now=odd_shop.NOW)
    with pytest.raises(DataError, match=r"items have 2 currencies \(.*prepare\.exchange_rates"):
        prepare(odd_shop.settings(tmp_path / "items", usual(), items=items), now=odd_shop.NOW)
    rates = ("prepare.currency=EUR", "prepare.exchange_rates.USD=0.5")
    config = odd_shop.settings(tmp_path / "with", rows, *rates, items=items)
    dataset = odd_shop.prepared(config)
    assert set(np.asarray(dataset.prices).tolist()) == {1.0, 2.0}
    catalogue = pl.read_parquet(dataset.folder / "items.parquet").sort("id")
    assert catalogue["currency"].unique().to_list() == ["EUR"]
    assert catalogue.filter(id="i0")["price"].item() == 3.0
    assert catalogue.filter(id="i1")["price"].item() == 1.5


def test_more_categories_than_codes_are_coded_as_far_as_there_is_room(tmp_path: Path) -> None:
    num_items = MAX_CODES + 20_000
    number = pl.int_range(num_items).cast(pl.String)
    config = odd_shop.settings(tmp_path, usual(users=4), "encoder.model=two_tower", "encoder.dim=4")
    pl.read_csv(tmp_path / "events.csv").write_parquet(tmp_path / "events.parquet")
    pl.select(id="i" + number, product_type="A > B" + number).write_parquet(tmp_path / "items.parquet")
    files = DataConfig(reader="parquet", events=tmp_path / "events.parquet", items=tmp_path / "items.parquet")
    dataset = odd_shop.prepared(config.model_copy(update={"data": files}))
    assert dataset.num_items == num_items
    assert len(np.unique(dataset.categories)) == num_items
    assert max(dataset.item_content_sizes) == MAX_CODES + 1
    encoder = build_model(dataset, config).eval()
    with torch.no_grad():
        assert encoder.item_vectors(torch.tensor([0, num_items - 1])).isfinite().all()


def test_what_is_dirty_in_every_way_at_once_comes_the_whole_way(shopkeeper: RunMain, tmp_path: Path) -> None:
    """Columns that are all null, texts of 100 kB, scripts and signs of all kinds, ids that look like
    something else."""
    rows = [
        row | {"item_id": NAMES[int(str(row["item_id"])[1:])], "price": "", "session_id": ""}
        for row in usual()
    ]
    items = [
        {
            "id": name,
            "title": TEXTS[place % len(TEXTS)],
            "product_type": LEVELS,
            "brand": name,
            "description": TEXTS[0],
            "price": "",
        }
        for place, name in enumerate(NAMES)
    ]
    users = [
        {"user_id": f"u{number}", "attributes": ATTRIBUTES[number % len(ATTRIBUTES)]} for number in range(16)
    ]
    odd_shop.fitted(
        odd_shop.settings(tmp_path / "tower", rows, "encoder.model=two_tower", items=items, users=users)
    )
    fast = "encoder.model=weighted_pooling"  # the one whose ONNX export takes least; it reads ids alone
    config = odd_shop.settings(tmp_path, rows, fast, items=items + items, users=users)
    settings = ("--config", odd_shop.write_settings(config))
    for command in ("prepare", "train", "export"):
        done = shopkeeper(command, *settings)
        assert done.status == 0, done.err
    assert "champion" in done.out
    bundle = next((config.workspace / "bundles").iterdir())
    done = shopkeeper("recommend", "--user", "u0", "--num", 12, "--bundle", bundle, *settings)
    assert done.status == 0, done.err
    assert len(done.out) < 20_000, "a title of 100 kB is cut"
    shop = odd_shop.OddShop.open(config.workspace / "dataset", bundle)
    assert set(shop.shown("u0", num_results=20)) == set(NAMES)


def refused(run: RunMain, command: str, config: Config, message: str) -> None:
    """One error, and the tables and the dataset as they were."""
    file = odd_shop.write_settings(config)
    before = made(config.workspace)
    done = run(command, "--config", file)
    assert done.status == 2, done
    assert re.search(message, done.err, re.DOTALL), done.err
    assert "Traceback" not in done.err
    assert made(config.workspace) == before


def made(workspace: Path) -> dict[str, int]:
    """What stands in the workspace, but for the run that tells how it failed."""
    found = tree(workspace) if workspace.is_dir() else {}
    return {name: size for name, size in found.items() if not name.startswith("runs/")}
