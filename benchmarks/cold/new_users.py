"""Users who came after the split, after their first event: is the list already theirs?

Shape suffixes: B users of a batch, N items, P pairs of a user and a target.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.cold.measure import METRICS, Measured, Users, measure
from benchmarks.cold.split import ColdSplit, Ranking
from benchmarks.published_baselines import Scorer
from configs.schema import Config
from features.dataset import Dataset
from features.splits import SplitPoint
from training.encoder.validation import ValidationBatch

OWN_CATEGORY = "own_category"


def new_users(dataset: Dataset, split: ColdSplit, config: Config) -> Users:
    """Users without an event before the split whose first one is on a warm item. Their targets are the warm
    items of all later events but that one."""
    starts, counts = dataset.offsets[:-1], np.diff(dataset.offsets)
    is_new = (split.point.ends == starts) & (counts > 1)
    is_new &= split.warm_N[dataset.items[np.minimum(starts, len(dataset.items) - 1)]]
    relevant = {}
    for user in np.flatnonzero(is_new).tolist():
        first, *later = dataset.history(user).items.tolist()
        wanted = sorted({item for item in later if split.warm_N[item] and item != first})
        if wanted:
            relevant[user] = np.array(wanted, np.int32)
    ends = np.where(counts > 0, starts + 1, starts)
    first_times = dataset.times[np.minimum(starts, len(dataset.times) - 1)]
    after_first = SplitPoint("first event", ends, split.end.as_of, user_as_of=first_times + 1)
    return Users.of(dataset, after_first, relevant, config=config)


def measure_new_user(scorer: Scorer, users: Users, dataset: Dataset, split: ColdSplit) -> Measured:
    """The metrics over the later events, and the share of the first 20 that is of the first event's
    category, both under the ranking `warm`."""
    found = measure(scorer, users, [Ranking("warm", split.warm_N, split.warm_N)])["warm"]
    shares = [own_category_share(scorer, batch, dataset, split) for batch in users.batches]
    return {"warm": found, OWN_CATEGORY: dict.fromkeys(METRICS, np.concatenate(shares))}


@torch.no_grad()
def own_category_share(
    scorer: Scorer, batch: ValidationBatch, dataset: Dataset, split: ColdSplit
) -> NDArray[np.float64]:
    """(B,) the share of the first 20 warm items that has the leaf category of the first event's item; NaN
    where that has none."""
    scores_BN = scorer(batch).masked_fill(~torch.from_numpy(split.warm_N), -torch.inf)
    scores_BN[batch.excluded_row_X, batch.excluded_item_X] = -torch.inf
    categories_N = torch.from_numpy(np.asarray(dataset.categories).astype(np.int64))
    first_B: Tensor = categories_N[batch.items_BL[:, 0]]
    same_BK = categories_N[scores_BN.topk(20).indices] == first_B[:, None]
    return torch.where(first_B >= 0, same_BK.double().mean(dim=1), torch.nan).numpy()
