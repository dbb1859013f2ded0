"""Fits the ranker, listwise, on the window after the split point that the retrievers were fitted at.

Shapes: G lists, C candidates of all of them, F features.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from configs.console import log
from configs.exceptions import TooLittleDataError
from configs.schema import Config
from configs.settings.recommend import RankerConfig
from features.dataset import Dataset
from features.splits import SplitPoint
from models.ranker import RankerNetwork
from models.ranking_loss import capped_listwise_softmax
from serving.recommend.pipeline import Pipeline
from training.ranker.lists import RankedList, ranked_lists

BATCH_LISTS = 64
"""Lists in a batch"""
MIN_STEPS = 30
"""Steps in an epoch: where there are few lists, batches are smaller."""
VALIDATION_SHARE = 0.1
"""Share of the users whose lists stop the training early."""


def fit_ranker(
    pipeline: Pipeline, dataset: Dataset, earlier: SplitPoint, later: SplitPoint, *, config: Config
) -> RankerNetwork:
    """Train on the window between the split points with a pipeline fitted at the earlier one. Raises
    TooLittleDataError."""
    training, validation = split_lists(
        list(ranked_lists(pipeline, dataset, earlier, later, config=config)), config.ranker
    )
    if not training or not validation:
        raise _too_few(len(training) + len(validation), earlier, config)
    return train_ranker(training, validation, config)


def split_lists(
    of_users: list[list[RankedList]], config: RankerConfig
) -> tuple[list[RankedList], list[RankedList]]:
    """(training, validation), with a user's lists on one side. Drawn by seed."""
    order = np.random.default_rng(config.seed).permutation(len(of_users))
    num_validation = max(1, int(VALIDATION_SHARE * len(of_users)))
    validation = [one for user in order[:num_validation] for one in of_users[user]]
    training = [one for user in order[num_validation:] for one in of_users[user]]
    return training, validation


def _too_few(num_lists: int, point: SplitPoint, config: Config) -> TooLittleDataError:
    found = "1 list" if num_lists == 1 else f"{num_lists} lists"
    wider = (
        "users with three or more events"
        if config.split.kind == "leave_one_out"
        else "a longer split.window_days"
    )
    return TooLittleDataError(
        f"Only {found} with a relevant candidate after the {point.name} split point, and the ranker needs "
        "those "
        f"of two users: bring {wider}, or more data."
    )


class _Lists:
    """Lists one after the other in flat arrays, so that a batch of any of them needs no padding."""

    def __init__(self, lists: Sequence[RankedList]) -> None:
        self.features = torch.from_numpy(np.concatenate([one.features for one in lists]))
        self._relevant = torch.from_numpy(np.concatenate([one.relevant for one in lists])).float()
        self._log_weight = torch.from_numpy(np.concatenate([one.log_weight for one in lists]))
        self._sizes = torch.tensor([len(one.relevant) for one in lists])
        self._weights = torch.tensor([one.weight for one in lists])
        self._starts = self._sizes.cumsum(0) - self._sizes

    def weight(self, lists_G: Tensor) -> float:
        """The summed weight of some lists."""
        return float(self._weights[lists_G].sum())

    def __len__(self) -> int:
        return len(self._sizes)

    def loss(self, network: RankerNetwork, lists_G: Tensor, *, places: int) -> Tensor:
        sizes_G = self._sizes[lists_G]
        list_C = torch.repeat_interleave(torch.arange(len(lists_G)), sizes_G)
        first_G = sizes_G.cumsum(0) - sizes_G
        rows_C = self._starts[lists_G][list_C] + torch.arange(len(list_C)) - first_G[list_C]
        return capped_listwise_softmax(
            network(self.features[rows_C]),
            self._relevant[rows_C],
            list_C,
            list_weight_G=self._weights[lists_G],
            places=places,
            log_weight_C=self._log_weight[rows_C],
        )


def train_ranker(
    training: Sequence[RankedList], validation: Sequence[RankedList], config: Config
) -> RankerNetwork:
    """Train on lists; the weights with the smallest loss on those held back are kept."""
    settings, places = config.ranker, config.evaluation.headline_k
    torch.manual_seed(settings.seed)
    lists, others = _Lists(training), _Lists(validation)
    network = RankerNetwork(num_features=lists.features.shape[1], hidden_dim=settings.hidden_dim)
    network.fit_scale(lists.features)
    at_once = max(1, min(BATCH_LISTS, len(lists) // MIN_STEPS))
    steps = settings.max_epochs * -(-len(lists) // at_once)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.learning_rate, total_steps=steps, pct_start=0.1
    )
    generator = torch.Generator().manual_seed(settings.seed)
    best_loss, best_state, bad_epochs, epoch = float("inf"), network.state_dict(), 0, 0
    while epoch < settings.max_epochs and bad_epochs < settings.patience:
        epoch += 1
        network.train()
        for batch_G in torch.split(torch.randperm(len(lists), generator=generator), at_once):
            optimizer.zero_grad()
            torch.autograd.backward(lists.loss(network, batch_G, places=places))
            optimizer.step()
            schedule.step()
        validation_loss = _mean_loss(network.eval(), others, places=places)
        if validation_loss < best_loss:
            best_loss, bad_epochs = validation_loss, 0
            best_state = {name: value.clone() for name, value in network.state_dict().items()}
        else:
            bad_epochs += 1
    network.load_state_dict(best_state)
    log(f"ranker: {len(lists):,} lists, {epoch} epochs, loss {best_loss:.4f} on validation users")
    return network.eval()


@torch.no_grad()
def _mean_loss(network: RankerNetwork, lists: _Lists, *, places: int) -> float:
    parts = torch.split(torch.arange(len(lists)), BATCH_LISTS)
    total = sum(float(lists.loss(network, part, places=places)) * lists.weight(part) for part in parts)
    return total / lists.weight(torch.arange(len(lists)))
