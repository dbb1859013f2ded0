"""RePlay's SasRec with the full cross-entropy, for `make benchmark-training`, in an environment of its
own."""

# the library is installed in the runner's environment only
# mypy: allow-subclassing-any, disable-error-code="import-not-found,import-untyped"

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning as L
import numpy as np
import pandas as pd
import torch
from replay.data import FeatureHint, FeatureSource, FeatureType
from replay.data.nn import ParquetModule, TensorFeatureInfo, TensorFeatureSource, TensorSchema
from replay.nn.lightning import LightningModule
from replay.nn.lightning.optimizer import OptimizerFactory
from replay.nn.sequential import SasRec
from replay.nn.transform.template import make_default_sasrec_transforms

if TYPE_CHECKING:
    from benchmarks.peers.clock import Clock, read_sequences, read_settings
else:  # the script's own folder is on the path, the project is not
    from clock import Clock, read_sequences, read_settings

K = 10
USERS_AT_ONCE = 512
ITEM = "item_id"


class ClockCallback(L.Callback):
    """Reports steps and epochs to the clock, and stops the trainer when the time is up."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def on_train_epoch_start(self, trainer: L.Trainer, module: Any) -> None:
        self._clock.begin_epoch()

    def on_train_batch_end(
        self, trainer: L.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        trainer.should_stop = self._clock.end_step()

    def on_train_epoch_end(self, trainer: L.Trainer, module: Any) -> None:
        if not trainer.should_stop:  # else the epoch is not complete
            trainer.should_stop = self._clock.end_epoch()


def main() -> None:
    """Train until the time is up."""
    settings = read_settings()
    torch.set_num_threads(settings["threads"])
    L.seed_everything(settings["seed"])
    sequences = read_sequences(settings["train"])
    ids = np.unique(np.concatenate(sequences))
    codes = [np.searchsorted(ids, items) for items in sequences]
    length, num_items = settings["max_length"], len(ids)
    train_file = Path(settings["out"]) / "train.parquet"
    pd.DataFrame({ITEM: [row[-length - 1 :] for row in codes]}).to_parquet(train_file)
    schema = _schema(num_items, settings["dim"])
    model = SasRec.from_params(
        schema,
        embedding_dim=settings["dim"],
        num_heads=settings["num_heads"],
        num_blocks=settings["num_blocks"],
        max_sequence_length=length,
        dropout=settings["dropout"],
    )
    clock = Clock(settings, lambda: _lists(model, codes, ids, length=length))
    data = ParquetModule(
        batch_size=settings["batch_size"],
        metadata={"train": {ITEM: {"shape": length + 1, "padding": num_items}}},
        transforms=make_default_sasrec_transforms(schema),
        train_path=str(train_file),
    )
    trainer = L.Trainer(
        max_epochs=10_000,
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        callbacks=[ClockCallback(clock)],
    )
    clock.start(("replay-rec", "lightning", "numpy", "pandas"))
    optimizer = OptimizerFactory(learning_rate=settings["learning_rate"])
    trainer.fit(LightningModule(model, optimizer_factory=optimizer), datamodule=data)


def _schema(num_items: int, dim: int) -> TensorSchema:
    return TensorSchema(
        [
            TensorFeatureInfo(
                ITEM,
                is_seq=True,
                feature_type=FeatureType.CATEGORICAL,
                embedding_dim=dim,
                padding_value=num_items,
                cardinality=num_items,
                feature_hint=FeatureHint.ITEM_ID,
                feature_sources=[TensorFeatureSource(FeatureSource.INTERACTIONS, ITEM)],
            )
        ]
    )


@torch.no_grad()
def _lists(model: SasRec, codes: list[Any], ids: Any, *, length: int) -> Any:
    model.eval()
    lists = []
    for first in range(0, len(codes), USERS_AT_ONCE):
        rows = codes[first : first + USERS_AT_ONCE]
        items_BL = torch.full((len(rows), length), len(ids))
        for place, row in enumerate(rows):
            items_BL[place, -min(len(row), length) :] = torch.as_tensor(row[-length:])
        logits_BN = model({ITEM: items_BL}, items_BL != len(ids))["logits"]
        for place, row in enumerate(rows):
            logits_BN[place, torch.as_tensor(row)] = -torch.inf
        lists.append(ids[logits_BN.topk(K).indices.numpy()])
    model.train()
    return np.concatenate(lists)


if __name__ == "__main__":
    main()
