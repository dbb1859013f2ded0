"""A shop whose rows a test writes itself, and the way from them to answers, in this process."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from configs.load import dump_config, load_config
from configs.schema import Config
from features.dataset import Dataset
from features.histories import History
from features.prepare import prepare
from features.splits import split_points
from models.ranker import RankerNetwork
from serving.recommend.pipeline import Pipeline
from serving.recommend.ranker import Ranker
from serving.recommend.request import Query
from training.encoder.fit import fit_encoders
from training.encoder.load import load_encoder
from training.evaluation.replay import Evaluation, replay
from training.export.bundle import build_bundle
from training.export.onnx_graphs import export_ranker
from training.runs.run import Run

START = datetime(2024, 1, 1, 12, tzinfo=UTC)
NOW = START + timedelta(days=60)
Row = Mapping[str, object]
SMALL = (
    "name=odd",
    "prepare.min_item_events=1",
    "prepare.min_active_users=1",
    "prepare.min_window_users=1",
    "split.window_days=10",
    "encoder.dim=8",
    "encoder.num_layers=1",
    "training.max_epochs=1",
    "training.num_negatives=16",
    "training.learning_rate=0.01",
    "training.device=cpu",
    "ranker.max_epochs=2",
    "ranker.hidden_dim=4",
    "evaluation.bootstrap_samples=10",
    "tracking.enabled=false",
)


def bought(user: object, item: object, *, day: float = 0.0, **more: object) -> dict[str, object]:
    """One row of a purchase on a day after `START`."""
    time = (START + timedelta(days=day)).isoformat()
    return {"event_type": "purchase", "timestamp": time, "user_id": user, "item_id": item, **more}


def usual(*, users: int = 16, items: int = 12, visits: int = 8, **more: object) -> list[dict[str, object]]:
    """A plain shop over 42 days: each person comes back for the same few items."""
    return [
        bought(
            f"u{user}",
            f"i{(user + visit % 3 * (1 + user % 4)) % items}",
            day=6 * visit + user / users,
            **more,
        )
        for user in range(users)
        for visit in range(visits)
    ]


def write_rows(path: Path, rows: Iterable[Row]) -> Path:
    """A CSV with every column that any row has."""
    found = list(rows)
    columns = list(dict.fromkeys(name for row in found for name in row))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(found)
    return path


def settings(
    folder: Path, events: Iterable[Row], *overrides: str, items: Iterable[Row] = (), users: Iterable[Row] = ()
) -> Config:
    """The smallest settings, over the rows written as files into `folder`."""
    files = [f"data.events={write_rows(folder / 'events.csv', events)}"]
    for name, rows in (("items", list(items)), ("users", list(users))):
        files += [f"data.{name}={write_rows(folder / f'{name}.csv', rows)}"] if rows else []
    return load_config(overrides=[*files, *SMALL, *overrides], workspace=folder / "shop")


def write_settings(config: Config) -> Path:
    """The YAML of the settings, beside the workspace."""
    path = config.workspace.parent / "shop.yaml"
    path.write_text(dump_config(config), encoding="utf-8")
    return path


@dataclass(frozen=True)
class OddShop:
    """A shop with a bundle that answers."""

    dataset: Dataset
    pipeline: Pipeline
    evaluation: Evaluation | None = None

    @classmethod
    def open(cls, dataset: Path, bundle: Path) -> OddShop:
        return cls(Dataset.open(dataset), Pipeline.load(bundle))

    def recall(self, system: str) -> float:
        """Mean recall of a system at the test split point."""
        assert self.evaluation is not None
        return float(self.evaluation.values(system, part="all", metric="recall_20").mean())

    def shown(
        self,
        user: str | None = None,
        *,
        num_results: int = 5,
        surface: str = "home",
        page: tuple[str, ...] = (),
    ) -> list[str]:
        """The ids of the items in the list of a user, or a stranger, as of the bundle. Every score is a
        number."""
        bundle = self.pipeline.bundle
        index, as_of = bundle.item_index, bundle.as_of
        query = Query(
            self._history(user).before(as_of) if user else History.empty(),
            as_of,
            surface,
            page_items=np.array([index[item] for item in page], np.int32),
            num_results=num_results,
            user_attributes=bundle.user_attributes(user),
        )
        found = self.pipeline.recommend(query).recommendations
        assert np.isfinite([place.score for place in found]).all()
        return [bundle.item_ids[place.item] for place in found]

    def _history(self, user: str) -> History:
        people = pl.read_parquet(self.dataset.folder / "users.parquet")["user_id"].to_list()
        return self.dataset.history(people.index(user))


def prepared(config: Config) -> Dataset:
    """The dataset of the rows, as of `NOW`."""
    prepare(config, now=NOW)
    return Dataset.open(config.workspace / "dataset")


def fitted(config: Config) -> Run:
    """A run with the encoders of every split point, each of whose losses is a number."""
    dataset = prepared(config)
    run = Run.create(config.workspace / "runs", name="odd")
    fit_encoders(dataset, split_points(dataset, config.split), config=config, run=run)
    losses = [line["metrics"]["loss"] for line in run.curves() if "loss" in line["metrics"]]
    assert len(losses) == 3, "one epoch before each split point"
    assert np.isfinite(losses).all()
    return run


def evaluated(config: Config) -> OddShop:
    """A bundle as of the test split point, replayed on what came after. Its ranker is not fitted: that would
    export a second bundle."""
    run = fitted(config)
    dataset = Dataset.open(config.workspace / "dataset")
    _, test, full = split_points(dataset, config.split)
    encoder = load_encoder(run.folder, dataset, point=test.name, config=config)
    bundle = build_bundle(dataset, test, encoder=encoder, ranker=None, config=config, made_by={})
    columns = Pipeline(bundle).columns.names
    graph = config.workspace / "ranker.onnx"
    export_ranker(RankerNetwork(num_features=len(columns), hidden_dim=0).eval(), graph, max_difference=1e-4)
    bundle = replace(bundle, ranker=Ranker(graph.read_bytes(), columns=columns))
    bundle.save(config.workspace / "bundle", made_from=dataset.fingerprint)
    pipeline = Pipeline.load(config.workspace / "bundle")
    return OddShop(dataset, pipeline, replay(pipeline, dataset, test, full, config=config))
