"""Shopkeeper's runner for `make benchmark-training`: the trainer as it is, with lists after epochs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from benchmarks.peers.clock import Clock, read_settings
from configs.load import load_config
from configs.schema import Config
from features.core.columns import EVENT_TYPE_CODE, ID, USER_ID
from features.dataset import Dataset
from features.histories import encoder_inputs
from features.prepare import prepare
from features.splits import SplitPoint, split_points
from models.encoder import Encoder
from training.encoder.build_model import build_model
from training.encoder.checkpoint import load_checkpoint
from training.encoder.curve_recorder import CurveRecorder
from training.encoder.fit import fit_encoders
from training.runs.run import Run

K = 10
USERS_AT_ONCE = 512


class TimeIsUp(Exception):  # noqa: N818
    """Ends the fit; not an error."""


def main() -> None:
    """Train until the time is up, with lists after the epochs in which they are due."""
    settings = read_settings()
    torch.set_num_threads(settings["threads"])
    config = load_config(Path(settings["yaml"]), overrides=settings["overrides"])
    prepare(config, now=datetime.now(UTC))
    dataset = Dataset.open(config.workspace / "dataset")
    timeline = split_points(dataset, config.split)
    run = Run.create(config.workspace / "runs", name=config.name)
    recommender = Recommender(dataset, timeline[0], config)
    clock = Clock(settings, lambda: recommender.lists(_state(run)["module"]))
    clock.start(("numpy", "pytorch-lightning"))
    before = {"trained": 0.0, "clock": 0.0}
    """At the end of the last epoch: seconds of its steps, and of the clock."""

    def after_epoch() -> None:
        trained, now = _state(run)["callbacks"][CurveRecorder.__qualname__]["trained_seconds"], clock.seconds
        took, before["trained"] = trained - before["trained"], trained
        # before the first epoch there is preparation, which does not come again
        until_next = now - before["clock"] if before["clock"] else took
        is_over = clock.end_epoch(took, ahead=until_next)
        before["clock"] = clock.seconds
        if is_over:
            raise TimeIsUp

    try:
        fit_encoders(dataset, timeline, config=config, run=run, after_epoch=after_epoch)
    except TimeIsUp:
        return


def _state(run: Run) -> dict[str, Any]:
    """The checkpoint of the last epoch."""
    found = load_checkpoint(run.folder, series="validation")
    assert found is not None
    return found


class Recommender:
    """Lists for every user at a split point, in the order of the file. Shapes: U users, K items of a list."""

    def __init__(self, dataset: Dataset, point: SplitPoint, config: Config) -> None:
        self._dataset, self._point, self._config = dataset, point, config
        self._ids = pl.read_parquet(dataset.folder / "items.parquet")[ID].cast(pl.Int64).to_numpy()
        rows = {
            user: row
            for row, user in enumerate(pl.read_parquet(dataset.folder / "users.parquet")[USER_ID].to_list())
        }
        lines = Path(str(config.data.events)).read_text(encoding="utf-8").splitlines()
        self._users = [rows[line.split(maxsplit=1)[0]] for line in lines]

    @torch.no_grad()
    def lists(self, module: dict[str, torch.Tensor]) -> NDArray[np.int64]:
        """(U, K) ids of the best items outside each history. `module`: the weights of a checkpoint."""
        encoder = build_model(self._dataset, self._config)
        encoder.load_state_dict(
            {
                key.removeprefix("encoder."): value
                for key, value in module.items()
                if key.startswith("encoder.")
            }
        )
        encoder.eval()
        vectors_ND = encoder.item_vectors(torch.arange(self._dataset.num_items))
        parts = [
            self._users[first : first + USERS_AT_ONCE] for first in range(0, len(self._users), USERS_AT_ONCE)
        ]
        return np.concatenate([self._best(encoder, vectors_ND, part) for part in parts])

    def _best(self, encoder: Encoder, vectors_ND: torch.Tensor, users: list[int]) -> NDArray[np.int64]:
        histories = [self._point.history(self._dataset, user) for user in users]
        event_types = np.array(
            [EVENT_TYPE_CODE[name] for name in self._config.history.input_event_types], np.int8
        )
        inputs = [
            encoder_inputs(
                history,
                as_of=self._point.as_of_user(user),
                event_types=event_types,
                max_length=self._config.history.max_length,
                order=self._config.history.order,
            )
            for user, history in zip(users, histories, strict=True)
        ]

        def padded(rows: list[Any]) -> torch.Tensor:
            return torch.nn.utils.rnn.pad_sequence([torch.from_numpy(row) for row in rows], batch_first=True)

        items_BL = padded([one.items.astype(np.int64) for one in inputs])
        lengths_B = torch.tensor([len(one.items) for one in inputs])
        others = padded([one.event_types for one in inputs]), padded([one.ages for one in inputs]), lengths_B
        scores_BN = encoder.query_vectors(encoder.item_vectors(items_BL), *others) @ vectors_ND.T
        for row, history in enumerate(histories):
            scores_BN[row, torch.from_numpy(history.items.astype(np.int64))] = -torch.inf
        return np.asarray(self._ids[scores_BN.topk(K).indices.numpy()])


if __name__ == "__main__":
    main()
