"""RecTools' SASRecModel with the softmax loss, for `make benchmark-training`, in an environment of its
own."""

# the library is installed in the runner's environment only
# mypy: allow-subclassing-any, disable-error-code="import-not-found,import-untyped"

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel
from rectools.models.nn.item_net import IdEmbeddingsItemNet

if TYPE_CHECKING:
    from benchmarks.peers.clock import Clock, read_sequences, read_settings
else:  # the script's own folder is on the path, the project is not
    from clock import Clock, read_sequences, read_settings

K = 10


class ClockCallback(pl.Callback):
    """Reports steps and epochs to the clock, and stops the trainer when the time is up."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def __deepcopy__(self, memo: Any) -> ClockCallback:
        return self  # the model copies its trainer, and the clock refers to the model

    def on_train_epoch_start(self, trainer: pl.Trainer, module: Any) -> None:
        self._clock.begin_epoch()

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        trainer.should_stop = self._clock.end_step()

    def on_train_epoch_end(self, trainer: pl.Trainer, module: Any) -> None:
        if not trainer.should_stop:  # else the epoch is not complete
            trainer.should_stop = self._clock.end_epoch()


def main() -> None:
    """Train until the time is up."""
    settings = read_settings()
    torch.set_num_threads(settings["threads"])
    pl.seed_everything(settings["seed"])
    sequences = read_sequences(settings["train"])
    dataset = Dataset.construct(_interactions(sequences))

    def recommend() -> Any:
        model.is_fitted = True  # `recommend` is called during the fit
        found = model.recommend(users=np.arange(len(sequences)), dataset=dataset, k=K, filter_viewed=True)
        model.torch_model.train()
        lists = np.full((len(sequences), K), -1)
        lists[found[Columns.User], found[Columns.Rank] - 1] = found[Columns.Item]
        return lists

    clock = Clock(settings, recommend)
    model = SASRecModel(
        n_blocks=settings["num_blocks"],
        n_heads=settings["num_heads"],
        n_factors=settings["dim"],
        dropout_rate=settings["dropout"],
        session_max_len=settings["max_length"],
        loss="softmax",
        lr=settings["learning_rate"],
        batch_size=settings["batch_size"],
        item_net_block_types=(IdEmbeddingsItemNet,),
        get_trainer_func=lambda: pl.Trainer(
            max_epochs=10_000,
            accelerator="cpu",
            devices=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[ClockCallback(clock)],
        ),
    )
    clock.start(("rectools", "pytorch-lightning", "numpy", "pandas"))
    model.fit(dataset)


def _interactions(sequences: list[list[int]]) -> pd.DataFrame:
    lengths = [len(items) for items in sequences]
    places = np.concatenate([np.arange(length) for length in lengths])
    return pd.DataFrame(
        {
            Columns.User: np.repeat(np.arange(len(sequences)), lengths),
            Columns.Item: np.concatenate(sequences),
            Columns.Weight: 1.0,
            Columns.Datetime: pd.Timestamp("2020-01-01") + pd.to_timedelta(places, unit="D"),
        }
    )


if __name__ == "__main__":
    main()
