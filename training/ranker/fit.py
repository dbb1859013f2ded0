"""Fits the ranker, listwise, on the window after the split point that the retrievers were fitted at.

Shape: G lists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from configs.console import log
from configs.exceptions import TooLittleDataError
from configs.schema import Config
from configs.settings.outcomes import Outcome
from configs.settings.recommend import RankerConfig
from features.dataset import Dataset
from features.splits import SplitPoint
from models.ranker import RankerNetwork
from serving.recommend.pipeline import Pipeline
from training.ranker.calibration import calibrate, outcome_weights, require_costs
from training.ranker.list_tensors import ListTensors
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
    outcomes = outcome_weights(config, dataset)
    require_costs(config, dataset)
    lists = ranked_lists(pipeline, dataset, earlier, later, config=config, outcomes=tuple(outcomes))
    training, validation = split_lists(list(lists), config.ranker)
    num_told = [sum(bool(one.is_told_apart.any()) for one in part) for part in (training, validation)]
    if not all(num_told):
        raise _too_few(sum(num_told), earlier, config)
    return train_ranker(training, validation, config, outcomes=outcomes)


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


def train_ranker(
    training: Sequence[RankedList],
    validation: Sequence[RankedList],
    config: Config,
    *,
    outcomes: Mapping[Outcome, float] | None = None,
) -> RankerNetwork:
    """Train on lists; the weights with the smallest loss on those held back are kept, and calibrated there.

    `outcomes`: those that the lists have labels of, in their order, and how much the loss of each counts.
    """
    outcomes = outcomes or {}
    settings, places = config.ranker, config.evaluation.headline_k
    torch.manual_seed(settings.seed)
    weights = tuple(outcomes.values())
    lists, others = (ListTensors(part, outcome_weights=weights) for part in (training, validation))
    network = RankerNetwork(
        num_features=lists.features.shape[1], hidden_dim=settings.hidden_dim, outcomes=tuple(outcomes)
    )
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
    if outcomes:
        calibrate(network, validation)
    return network.eval()


@torch.no_grad()
def _mean_loss(network: RankerNetwork, lists: ListTensors, *, places: int) -> float:
    parts = torch.split(torch.arange(len(lists)), BATCH_LISTS)
    total = sum(float(lists.loss(network, part, places=places)) * lists.weight(part) for part in parts)
    return total / lists.weight(torch.arange(len(lists)))
