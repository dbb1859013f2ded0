"""A run's weights for a dataset that numbers its items otherwise: rows of item tables are found by item id.

Legend: N items of the dataset.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from configs.exceptions import ArtefactError
from features.core.artefact import sha256_file
from features.core.columns import ID
from features.dataset import Dataset
from models.encoder import Encoder
from models.item_vectors import ItemTable, ItemTower
from training.runs.run import DATASET_FILES, Run

_ITEMS, _VOCABULARY = DATASET_FILES


def weights_by_item_id(
    weights: Mapping[str, Tensor], encoder: Encoder, run: Run, dataset: Dataset
) -> dict[str, Tensor]:
    """`weights` of the run for `encoder`, which is built for the dataset.

    An item that the run did not know keeps the row that the encoder has. Raises ArtefactError where the run
    kept no catalogue, and for a model that reads codes of the catalogue which mean something else by now.
    """
    if not can_be_aligned(encoder, run, dataset) or not _are_of(encoder, weights):
        raise ArtefactError(
            f"{run.folder}: its weights belong to another catalogue than {dataset.folder} holds, and cannot "
            "be carried over. Train on the present data with `shopkeeper train`."
        )
    tables = _item_tables(encoder)
    fresh = encoder.state_dict()
    row_N = _row_of_each_item(run, dataset)
    known_N = row_N >= 0
    found = dict(weights)
    for name in tables:
        rows = fresh[name].clone()
        rows[known_N] = weights[name][row_N[known_N]]
        found[name] = rows
    return found


def can_be_aligned(encoder: Encoder, run: Run, dataset: Dataset) -> bool:
    """Whether the run's weights mean the same with the dataset's catalogue, once rows are found by id."""
    if not (run.folder / _ITEMS).is_file():
        return False
    if encoder.item_tower is None and not encoder.reads_user:
        return True
    before = run.folder / _VOCABULARY
    return before.is_file() and sha256_file(before) == dataset.manifest["files"][_VOCABULARY]


def _are_of(encoder: Encoder, weights: Mapping[str, Tensor]) -> bool:
    """Whether an encoder for this dataset has these weights, up to the number of items: it has others where
    there are texts or vectors of items by now, or none any more."""
    tables, fresh = _item_tables(encoder), encoder.state_dict()
    return fresh.keys() == weights.keys() and all(
        weight.shape[1:] == fresh[name].shape[1:] and (name in tables or len(weight) == len(fresh[name]))
        for name, weight in weights.items()
        if weight.ndim
    )


def _item_tables(encoder: Encoder) -> list[str]:
    """The names of the weights that have a row an item."""
    tables = [module for module in encoder.modules() if isinstance(module, ItemTable | ItemTower)]
    places = {table.ids.weight.data_ptr() for table in tables}
    return [name for name, weight in encoder.state_dict().items() if weight.data_ptr() in places]


def _row_of_each_item(run: Run, dataset: Dataset) -> Tensor:
    """(N,) the row of each item of the dataset in the run's tables; -1 for one that it did not know."""
    import polars as pl  # not above: a machine that only trains may lack it

    before, now = (pl.read_parquet(folder / _ITEMS, columns=[ID]) for folder in (run.folder, dataset.folder))
    rows = now.join(before.with_row_index("row"), on=ID, how="left", maintain_order="left")["row"]
    return torch.from_numpy(rows.cast(pl.Int64).fill_null(-1).to_numpy().copy())
