"""Validation data: histories at a split point, their targets after it, and the ranks of the targets.

Shape suffixes: B histories, L positions, P pairs of a history and a target, X excluded items, N items.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader

from configs.exceptions import TooLittleDataError
from configs.schema import Config
from features.core.columns import EVENT_TYPE_CODE
from features.dataset import Dataset
from features.histories import EncoderInputs, IntArray, encoder_inputs
from features.profiles.user_features import user_codes, user_features
from features.splits import SplitPoint, targets_between
from models.encoder import Encoder, UserTensors
from training.encoder.target_ranks import target_ranks

MAX_SCORES = 50_000_000
"""Scores held in memory at once: 200 MB for any size of catalogue."""


@dataclass(frozen=True)
class ValidationRow:
    """The history of one user at a split point, and the targets after it."""

    user: int
    inputs: EncoderInputs
    relevant: IntArray
    """Distinct items, at least one."""
    excluded: IntArray
    """Items that must not be recommended to this user."""
    numbers: NDArray[np.float32]
    """(F,)"""
    codes: NDArray[np.int64]
    """(A,)"""


@dataclass(frozen=True)
class ValidationBatch:
    """Histories that end at a split point, and the targets after it."""

    items_BL: Tensor
    event_types_BL: Tensor
    ages_BL: Tensor
    lengths_B: Tensor
    user: UserTensors
    """(B, 1, ...) features as of the split point."""
    users_B: tuple[int, ...]
    target_row_P: Tensor
    """The row of each target: ascending, each of the B at least once."""
    target_item_P: Tensor
    excluded_row_X: Tensor
    excluded_item_X: Tensor

    def to(self, device: torch.device) -> ValidationBatch:
        """A copy on the device."""
        tensors: dict[str, Any] = {
            name: value.to(device) for name, value in vars(self).items() if isinstance(value, Tensor)
        }
        return replace(
            self, **tensors, user=UserTensors(self.user.numbers.to(device), self.user.codes.to(device))
        )


def validation_batches(
    rows: list[ValidationRow], *, batch_tokens: int, max_rows: int
) -> list[ValidationBatch]:
    """Group rows of similar length into padded batches."""
    rows = sorted(rows, key=lambda row: len(row.inputs.items))
    lengths = [len(row.inputs.items) for row in rows]
    batches, first = [], 0
    while first < len(rows):
        count = max(
            1, batch_tokens // lengths[min(first + max(1, batch_tokens // lengths[first]), len(rows)) - 1]
        )
        count = min(count, max_rows)
        part = rows[first : first + count]
        first += count
        target_row_P, target_item_P = _pairs([row.relevant for row in part])
        excluded_row_X, excluded_item_X = _pairs([row.excluded for row in part])
        batches.append(
            ValidationBatch(
                items_BL=_padded([row.inputs.items.astype(np.int64) for row in part]),
                event_types_BL=_padded([row.inputs.event_types for row in part]),
                ages_BL=_padded([row.inputs.ages for row in part]),
                lengths_B=torch.tensor([len(row.inputs.items) for row in part]),
                user=UserTensors(
                    torch.from_numpy(np.stack([row.numbers for row in part])[:, None]),
                    torch.from_numpy(np.stack([row.codes for row in part])[:, None]),
                ),
                users_B=tuple(row.user for row in part),
                target_row_P=target_row_P,
                target_item_P=target_item_P,
                excluded_row_X=excluded_row_X,
                excluded_item_X=excluded_item_X,
            )
        )
    return batches


def encoder_scores(encoder: Encoder, batch: ValidationBatch, vectors_ND: Tensor) -> Tensor:
    """Scores of all items for each history: (B, N). `vectors_ND` are the item vectors of all items."""
    history_BLD = vectors_ND[batch.items_BL]
    query_BD = encoder.query_vectors(
        history_BLD, batch.event_types_BL, batch.ages_BL, batch.lengths_B, batch.user
    )
    with torch.autocast(query_BD.device.type, enabled=False):  # 16 bits would give many ties
        return query_BD.float() @ vectors_ND.float().T


def ranks(scores_BN: Tensor, batch: ValidationBatch, *, can_be_shown_N: Tensor, depth: int) -> Tensor:
    """The rank of each target among all items that can be shown: (P,), see `target_ranks`.

    Overwrites the scores of items that cannot be shown.
    """
    scores_BN.masked_fill_(~can_be_shown_N, -torch.inf)
    scores_BN[batch.excluded_row_X, batch.excluded_item_X] = -torch.inf
    return target_ranks(scores_BN, batch.target_row_P, batch.target_item_P, depth=depth)


def _pairs(items: list[IntArray]) -> tuple[Tensor, Tensor]:
    """One array of items per row → (row, item) of all, concatenated."""
    row = np.repeat(np.arange(len(items)), [len(part) for part in items])
    return torch.from_numpy(row), torch.from_numpy(np.concatenate(items).astype(np.int64))


def _padded(rows: list[NDArray[np.int64]] | list[NDArray[np.float32]]) -> Tensor:
    return torch.nn.utils.rnn.pad_sequence([torch.from_numpy(row) for row in rows], batch_first=True)


def validation_loader(
    dataset: Dataset,
    point: SplitPoint,
    next_point: SplitPoint,
    *,
    config: Config,
    max_users: int | None = None,
) -> Any:
    """Batches of users with a history and a target between the two split points. Raises TooLittleDataError if
    there are none.

    At most `max_users` (default: `training.validation_users`), sampled by the seed.
    """
    relevant = targets_between(dataset, point, next_point, targets=config.history.targets)
    users = np.array(sorted(relevant))
    limit = config.training.validation_users if max_users is None else max_users
    if len(users) > limit:
        users = np.random.default_rng(config.training.seed).choice(users, limit, replace=False)
    rows = validation_rows(dataset, point, {int(user): relevant[int(user)] for user in users}, config=config)
    if not rows:
        where = "just after it" if point.per_user else "in the window after it"
        wider = (
            "bring users with three or more events" if point.per_user else "set a longer split.window_days"
        )
        raise TooLittleDataError(
            f"Nobody who has events before the {point.name} split point has one of "
            f"{', '.join(config.history.target_event_types)} {where}, "
            f"so the encoder cannot be validated: {wider}, or other history.targets."
        )
    max_rows = max(1, MAX_SCORES // dataset.num_items)
    batches = validation_batches(rows, batch_tokens=config.training.batch_tokens, max_rows=max_rows)
    return DataLoader(batches, batch_size=None)  # type: ignore[arg-type]


def validation_rows(
    dataset: Dataset, point: SplitPoint, relevant: Mapping[int, IntArray], *, config: Config
) -> list[ValidationRow]:
    """A row for each user of `relevant` (user → targets) with an event that the encoder reads."""
    event_types = np.array([EVENT_TYPE_CODE[name] for name in config.history.input_event_types], np.int8)
    profile_event_types, attributes, categories = (
        dataset.profile_event_types,
        dataset.user_attributes,
        dataset.categories,
    )
    rows = []
    for user, items in relevant.items():
        history, as_of = point.history(dataset, user), point.as_of_user(user)
        inputs = encoder_inputs(
            history,
            as_of=as_of,
            event_types=event_types,
            max_length=config.history.max_length,
            order=config.history.order,
        )
        if not len(inputs.items):
            continue
        found = user_features(
            history,
            as_of=as_of,
            profile_event_types=profile_event_types,
            item_categories=categories,
            has_times=dataset.has_times,
        )
        seen = config.evaluation.exclude_seen
        excluded = np.unique(history.items) if seen else point.begun_with(dataset, user)
        codes = user_codes(np.int32(found.category), attributes[user])
        rows.append(ValidationRow(user, inputs, items, excluded, numbers=found.numbers, codes=codes))
    return rows
