"""The evaluation of cold items, on a tiny shop, against a plain reference."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from hand_made_dataset import dataset_of
from shop import NOW, make_config, write_shop

from benchmarks.cold import __main__ as command
from benchmarks.cold.baselines import category_popularity
from benchmarks.cold.intervals import ratio_of
from benchmarks.cold.measure import Users, measure
from benchmarks.cold.new_users import new_users
from benchmarks.cold.page import WARM_AMONG_ALL, cold_page, verdict
from benchmarks.cold.split import ColdSplit, cold_split, rankings
from configs.exceptions import TooLittleDataError
from configs.schema import Config
from features.core.columns import EVENT_TYPE_CODE
from features.dataset import Dataset
from features.interactions import Interactions
from features.prepare import prepare
from training.encoder.validation import ValidationBatch
from training.evaluation.ranking_metrics import user_metrics

LATE = ("garden7", "garden8", "paper7", "paper8", "tea8", "soap8", "fruit8", "pasta8")
"""Items that nobody is offered before the last weeks"""
SMALL = (
    "encoder.model=two_tower",
    "encoder.normalize=true",
    "split.window_days=14",
    "training.max_epochs=1",
    "training.refit_epochs=0",
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, Dataset]:
    """A shop where eight items come late, bought by everybody who likes their aisle."""
    folder = tmp_path_factory.mktemp("cold")
    raw = write_shop(folder / "raw", num_users=70)
    events = pl.read_csv(raw / "events.csv", infer_schema=False)
    late_from = "2024-03-01"
    kept = events.filter(~pl.col("sku").is_in(LATE) | (pl.col("sold_at") >= late_from))
    bought = kept.filter((pl.col("action") == "purchase") & (pl.col("sold_at") >= late_from))
    aisle = pl.col("sku").str.head(3)
    late = pl.DataFrame({"late": LATE}).with_columns(pl.col("late").str.head(3).alias("aisle"))
    more = (
        bought.with_columns(aisle.alias("aisle"))
        .join(late, on="aisle")
        .with_columns(pl.col("late").alias("sku"), (pl.col("receipt") + pl.lit("-late")).alias("receipt"))
        .select(kept.columns)
        .unique(["sku", "receipt"], maintain_order=True)
    )
    pl.concat([kept, more]).sort("sold_at").write_csv(raw / "events.csv")
    config = make_config(raw, folder / "w", *SMALL)
    prepare(config, now=NOW)
    return config, Dataset.open(config.workspace / "dataset")


@pytest.fixture(scope="module")
def split(tiny: tuple[Config, Dataset]) -> ColdSplit:
    return cold_split(tiny[1], window_days=14)


def test_the_newest_tenth_is_cold_and_no_event_of_it_is_before_the_split(
    tiny: tuple[Config, Dataset], split: ColdSplit
) -> None:
    config, dataset = tiny
    ids = pl.read_parquet(dataset.folder / "items.parquet")["id"]
    first = {item: dataset.times[dataset.items == item].min() for item in np.unique(dataset.items).tolist()}
    newest = sorted(first, key=lambda item: first[item])[int(len(first) * 0.9) :]
    assert set(np.flatnonzero(split.cold_N).tolist()) == set(newest)
    assert set(ids.gather(newest)) <= set(LATE)
    assert int((split.cold_N | split.warm_N).sum()) == len(first), "an item without events is neither"
    seen_by_training = Interactions.before(dataset, split.point, config).events.items
    assert len(seen_by_training)
    assert not split.cold_N[seen_by_training].any()
    for point in split.timeline:
        assert not split.cold_N[dataset.items[point.past(dataset)]].any()


def test_items_that_begin_at_the_same_moment_are_cold_together() -> None:
    dataset = dataset_of([[(0, "purchase", 0), (1, "purchase", 1), (9, "purchase", 4), (9, "purchase", 5)]])
    found = cold_split(dataset, window_days=2, share=0.25)
    assert np.flatnonzero(found.cold_N).tolist() == [4, 5]
    with pytest.raises(TooLittleDataError, match=r"split.window_days=20 leaves nothing.*lower it"):
        cold_split(dataset, window_days=20)


def test_every_ranking_gives_what_a_plain_sorted_list_gives(
    tiny: tuple[Config, Dataset], split: ColdSplit
) -> None:
    config, dataset = tiny
    users = Users.after(dataset, split.point, split.end, config=config)
    score = np.random.default_rng(0).permutation(dataset.num_items).astype(np.float32)

    def by_user(batch: ValidationBatch) -> torch.Tensor:
        shifts = [np.roll(score, user) for user in batch.users_B]
        return torch.from_numpy(np.stack(shifts))

    wanted = rankings(split, seed=0, with_seen=True)
    assert [one.name for one in wanted][-1] == "warm_with_seen"
    assert wanted[4].targets_N.sum() == split.cold_N.sum()
    found = measure(by_user, users, wanted)
    for ranking in wanted:
        for place, user in enumerate(users.indices.tolist()):
            history = dataset.history(user)
            before = history.before(split.point.as_of).items
            bought = history.items[
                (history.times >= split.point.as_of) & (history.event_types == EVENT_TYPE_CODE["purchase"])
            ]
            seen = set() if ranking.with_seen else set(before.tolist())
            relevant = {item for item in bought.tolist() if ranking.targets_N[item]} - seen
            scores = np.roll(score, user)
            order = sorted(
                set(np.flatnonzero(ranking.candidates_N).tolist()) - seen, key=lambda i: -scores[i]
            )
            for metric in ("recall_20", "ndcg_10"):
                value = found[ranking.name][metric][place]
                if not relevant:
                    assert np.isnan(value)
                    continue
                plain = user_metrics(
                    np.array(order, np.int32), np.array(sorted(relevant), np.int32), cutoffs=(10, 20)
                )
                assert value == pytest.approx(plain[metric]), (ranking.name, user)


def test_equal_scores_are_decided_by_lots(tiny: tuple[Config, Dataset], split: ColdSplit) -> None:
    config, dataset = tiny
    users = Users.after(dataset, split.point, split.end, config=config)
    found = measure(
        lambda batch: torch.zeros(len(batch.users_B), dataset.num_items),
        users,
        rankings(split, seed=0, with_seen=False),
    )
    chance = 20 / split.warm_N.sum()
    assert np.nanmean(found["warm"]["recall_20"]) == pytest.approx(chance, rel=0.4)


def test_a_cold_item_has_the_mean_popularity_of_its_category(
    tiny: tuple[Config, Dataset], split: ColdSplit
) -> None:
    config, dataset = tiny
    interactions = Interactions.before(dataset, split.point, config)
    found = category_popularity(interactions, warm_N=split.warm_N)
    counts = np.bincount(interactions.events.items, minlength=dataset.num_items)
    cold = int(np.flatnonzero(split.cold_N)[0])
    same = (dataset.categories == dataset.categories[cold]) & split.warm_N
    assert found[cold] == pytest.approx(counts[same].mean())
    assert found[split.warm_N].tolist() == counts[split.warm_N].tolist()


def test_ratio_is_of_means_over_all_drawn_users() -> None:
    above, below = np.array([0.2, np.nan, 0.4, 0.3] * 9), np.array([0.5, 0.5, np.nan, 0.7] * 9)
    ratio, low, high = ratio_of(above, below, samples=200, seed=0)
    assert ratio == pytest.approx(0.3 / (1.7 / 3))
    assert low < ratio < high
    assert ratio_of(above, np.zeros(36), samples=20, seed=0) == (0, 0, 0)
    rare = np.zeros(36)
    rare[0] = 1
    share, _, most = ratio_of(rare, rare, samples=50, seed=0)
    assert share == most == 1, "most draws have nothing of it"


def test_a_new_user_is_read_with_the_first_event_alone() -> None:
    dataset = dataset_of(
        [
            [(0, "purchase", 0), (1, "purchase", 1), (2, "purchase", 2), (3, "purchase", 3)],
            [(9, "purchase", 1), (9.5, "purchase", 2), (10, "purchase", 1), (11, "purchase", 4)],
            [(9, "purchase", 4), (10, "purchase", 0)],
        ]
    )
    split = cold_split(dataset, window_days=2, share=0.2)
    assert np.flatnonzero(split.cold_N).tolist() == [4]
    config = make_config(Path("none"), Path("none"))
    object.__setattr__(dataset, "manifest", dataset.manifest | {"profile_event_types": ["purchase"]})
    np.save(dataset.folder / "user_attribute.npy", np.zeros((3, 0), np.int32))
    (batch,) = new_users(dataset, split, config).batches
    assert batch.users_B == (1,), "the first event of user 2 is on a cold item"
    assert batch.items_BL.tolist() == [[1]]
    assert batch.target_item_P.tolist() == [2], "neither the first item again nor a cold one"


def test_the_command_measures_every_entrant_and_writes_the_page(
    tiny: tuple[Config, Dataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, _ = tiny
    monkeypatch.setattr(command, "_config", lambda options: config)
    assert command.main(["--seeds", "0", "--results", str(tmp_path)]) == 0
    result = json.loads((tmp_path / "cold-beauty.json").read_text())
    page = (tmp_path / "benchmarks-cold.md").read_text()
    cold = {name: one["rankings"]["cold"]["recall_20"][0] for name, one in result["entrants"].items()}
    assert set(cold) >= {
        "random",
        "content_neighbours",
        "id",
        "id_neighbours",
        "id_ridge",
        "gar",
        "tower",
        "text",
        "generative",
        "generative_reranked",
    }
    assert cold["id"] == 0, "without content a cold item is in no list"
    assert str(config.workspace.parent) not in json.dumps(result), "a result names no folder of the machine"
    assert "two towers, items by id alone | – | – |" in page
    assert cold["generative"] > 0, "the id of a cold item is written"
    brought = result["brought"]["generative"]["warm_300"]
    assert brought["with"][0] >= brought["others"][0]
    assert "| warm items | 300 |" in page
    trained = sorted(path.stat().st_mtime for path in config.workspace.glob("cold/*/encoder-test.pt"))
    assert len(trained) == 3
    assert command.main(["--seeds", "0", "--results", str(tmp_path)]) == 0
    assert trained == sorted(path.stat().st_mtime for path in config.workspace.glob("cold/*/encoder-test.pt"))
    assert json.loads((tmp_path / "cold-beauty.json").read_text()) == result, "what was measured is kept"


def test_the_target_needs_the_ratio_and_no_loss_on_warm_items() -> None:
    def entrant(ratio: float, high: float, high_among_all: float = 0.1) -> dict[str, object]:
        against = {"warm: without content": [0, -1, high], WARM_AMONG_ALL: [0, -1, high_among_all]}
        return {"ratio": {"as_many": [ratio, 0, 1]}, "against": against}

    result = {
        "entrants": {
            "low": entrant(0.59, 0.1),
            "good": entrant(0.6, 0.0),
            "loses": entrant(0.9, -0.01),
            "is crowded out": entrant(0.9, 0.1, -0.01),
        }
    }
    assert [verdict(result, name) for name in result["entrants"]] == [
        "not reached",
        "**reached**",
        "not reached: loses on warm items",
        "not reached: loses on warm items",
    ]
    assert "# Cold items and new users" in cold_page([])
