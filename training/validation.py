"""The users whose lists stop the training: their histories at a cut as batches, and what came after it.

Shape suffixes: B histories, L positions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader

from configs.exceptions import TooLittleDataError
from configs.schema import Config
from features.columns import KIND
from features.dataset import Dataset
from features.histories import EncoderInputs, IntArray, encoder_inputs
from features.splits import Cut, targets_between
from features.user_features import user_codes, user_features
from models.encoder import UserFeatures

MAX_USERS = 2000
"""Early stopping needs a trend, not a table."""


@dataclass(frozen=True)
class ValidationRow:
    """One user's history at a cut, and what came after."""

    inputs: EncoderInputs
    relevant: IntArray
    numbers: NDArray[np.float32]
    """(F,)"""
    codes: NDArray[np.int64]
    """(A,)"""


@dataclass(frozen=True)
class ValidationBatch:
    """Histories that end at a cut, and the items that came after it."""

    items_BL: Tensor
    kinds_BL: Tensor
    ages_BL: Tensor
    lengths_B: Tensor
    user: UserFeatures
    """(B, 1, ...) as of the cut"""
    relevant: tuple[IntArray, ...]
    """B arrays of distinct items"""

    def to(self, device: torch.device) -> ValidationBatch:
        """The same on a device."""
        return replace(
            self,
            items_BL=self.items_BL.to(device),
            kinds_BL=self.kinds_BL.to(device),
            ages_BL=self.ages_BL.to(device),
            lengths_B=self.lengths_B.to(device),
            user=UserFeatures(self.user.numbers.to(device), self.user.codes.to(device)),
        )


def validation_batches(rows: list[ValidationRow], *, batch_tokens: int) -> list[ValidationBatch]:
    """Pad rows into batches of like length."""
    rows = sorted(rows, key=lambda row: len(row.inputs.items))
    lengths = [len(row.inputs.items) for row in rows]
    batches, first = [], 0
    while first < len(rows):
        count = max(1, batch_tokens // lengths[min(first + max(1, batch_tokens // lengths[first]), len(rows)) - 1])
        part = rows[first : first + count]
        first += count
        batches.append(
            ValidationBatch(
                items_BL=_padded([row.inputs.items.astype(np.int64) for row in part]),
                kinds_BL=_padded([row.inputs.kinds for row in part]),
                ages_BL=_padded([row.inputs.ages for row in part]),
                lengths_B=torch.tensor([len(row.inputs.items) for row in part]),
                user=UserFeatures(
                    torch.from_numpy(np.stack([row.numbers for row in part])[:, None]),
                    torch.from_numpy(np.stack([row.codes for row in part])[:, None]),
                ),
                relevant=tuple(row.relevant for row in part),
            )
        )
    return batches


def _padded(rows: list[NDArray[np.int64]] | list[NDArray[np.float32]]) -> Tensor:
    return torch.nn.utils.rnn.pad_sequence([torch.from_numpy(row) for row in rows], batch_first=True)


def validation_loader(dataset: Dataset, cut: Cut, next_cut: Cut, *, config: Config) -> Any:
    """Batches of users with a target between the cuts. Raises TooLittleDataError when nobody has one and a history."""
    relevant = targets_between(dataset, cut, next_cut, targets=config.history.targets)
    users = np.array(sorted(relevant))
    if len(users) > MAX_USERS:
        users = np.random.default_rng(config.training.seed).choice(users, MAX_USERS, replace=False)
    kinds = np.array([KIND[kind] for kind in config.history.input_kinds], np.int8)
    profile_kinds, attributes = dataset.profile_kinds, dataset.user_attributes
    rows = []
    for user in users:
        history = cut.history(dataset, int(user))
        as_of = cut.moment(int(user))
        inputs = encoder_inputs(history, as_of=as_of, kinds=kinds, max_length=config.history.max_length)
        if len(inputs.items):
            found = user_features(
                history,
                as_of=as_of,
                profile_kinds=profile_kinds,
                item_categories=dataset.categories,
                has_times=dataset.has_times,
            )
            codes = user_codes(np.int32(found.category), attributes[user])
            rows.append(ValidationRow(inputs, relevant[int(user)], found.numbers, codes))
    if not rows:
        where = "just after it" if cut.per_user else "in the window after it"
        wider = "bring users with three or more events" if cut.per_user else "set a longer split.window_days"
        raise TooLittleDataError(
            f"Nobody who has events before the {cut.name} cut has one of {', '.join(config.history.target_kinds)} {where}, "
            f"so training could not be judged: {wider}, or other history.targets."
        )
    return DataLoader(validation_batches(rows, batch_tokens=config.training.batch_tokens), batch_size=None)  # type: ignore[arg-type]
