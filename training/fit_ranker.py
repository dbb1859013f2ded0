"""Fits the ranker on what people did in the window after the sources' cut.

Two lists a user, as the server would make them at the cut: the home page's, where all that was bought in the window is
relevant; and one basket of the window with part of it laid on the page, where the rest of the basket is relevant.
Shapes: G lists, C candidates of a list, F features.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from configs.console import say, working
from configs.exceptions import TooLittleDataError
from configs.schema import Config, RankerConfig
from features.dataset import Dataset
from features.histories import History, IntArray
from features.splits import Cut
from features.weights import target_weights
from models.losses import listwise_softmax
from models.ranker import RankerNetwork
from serving.answer import Query
from serving.candidates import Candidates
from serving.pipeline import Pipeline
from training.queries import query_at

LISTS_AT_ONCE = 64
HELD_BACK = 0.1
"""Share of the users whose lists stop the training early."""
MAX_PAGE_ITEMS = 3


@dataclass(frozen=True)
class RankedList:
    """One training list."""

    features: NDArray[np.float32]
    """(C, F)"""
    relevant: NDArray[np.bool_]
    """(C,), at least one True"""


def fit_ranker(pipeline: Pipeline, dataset: Dataset, earlier: Cut, later: Cut, *, config: Config) -> RankerNetwork:
    """Train on the window between the cuts with a pipeline fitted at the earlier one. Raises TooLittleDataError."""
    generator = np.random.default_rng(config.ranker.seed)
    starts, ends = earlier.ends, later.ends
    users = np.flatnonzero(ends > starts)
    if len(users) > config.ranker.max_users:
        users = generator.choice(users, config.ranker.max_users, replace=False)
    lists: list[list[RankedList]] = []
    with working("lists for the ranker", total=len(users)) as work:
        for user in users:
            whole = dataset.history(int(user))
            first, last = int(starts[user] - dataset.offsets[user]), int(ends[user] - dataset.offsets[user])
            future = whole.take(slice(first, last))
            future = future.take(target_weights(None, future, config.history.targets) > 0)
            lists.append(_lists_of_user(pipeline, query_at(dataset, earlier, int(user)), future, generator=generator))
            work.advance()
    generator.shuffle(lists)
    num_held_back = max(1, int(HELD_BACK * len(lists)))
    held_back = [one for of_user in lists[:num_held_back] for one in of_user]
    training = [one for of_user in lists[num_held_back:] for one in of_user]
    if not training or not held_back:
        raise _too_few(len(training) + len(held_back), earlier, config)
    return _train(training, held_back, config.ranker)


def _too_few(num_lists: int, cut: Cut, config: Config) -> TooLittleDataError:
    found = "1 list" if num_lists == 1 else f"{num_lists} lists"
    wider = "users with three or more events" if config.split.kind == "leave_one_out" else "a longer split.window_days"
    return TooLittleDataError(
        f"Only {found} with a hit could be made from what came after the {cut.name} cut, and the ranker needs two people's: "
        f"bring {wider}, or more data."
    )


def _lists_of_user(pipeline: Pipeline, home: Query, future: History, *, generator: np.random.Generator) -> list[RankedList]:
    candidates, person, signals = pipeline.candidates(home)
    lists = [_list(candidates, home, np.unique(future.items))]
    baskets, sizes = np.unique(future.baskets, return_counts=True)
    if (sizes > 1).any():
        basket = np.unique(future.items[future.baskets == generator.choice(baskets[sizes > 1])])
        generator.shuffle(basket)
        num_page = int(generator.integers(1, min(MAX_PAGE_ITEMS, max(len(basket) - 1, 1)) + 1))
        page, rest = basket[:num_page].astype(np.int32), basket[num_page:]
        with_page = replace(home, page_items=page)
        candidates, *_ = pipeline.candidates(with_page, known=(person, signals))
        lists.append(_list(candidates, with_page, rest))
    return [one for one in lists if one is not None]


def _list(candidates: Candidates, query: Query, relevant: IntArray) -> RankedList | None:
    away = np.isin(candidates.items, query.page_items)
    is_relevant = np.isin(candidates.items, relevant) & ~away
    return RankedList(candidates.features[~away], is_relevant[~away]) if is_relevant.any() else None


def _train(training: list[RankedList], held_back: list[RankedList], config: RankerConfig) -> RankerNetwork:
    torch.manual_seed(config.seed)
    network = RankerNetwork(num_features=training[0].features.shape[1], hidden=config.hidden)
    network.fit_scale(torch.from_numpy(np.concatenate([one.features for one in training])))
    optimizer = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    generator = torch.Generator().manual_seed(config.seed)
    best_loss, best_state, bad_epochs = float("inf"), network.state_dict(), 0
    epoch = 0
    while epoch < config.max_epochs and bad_epochs < config.patience:
        epoch += 1
        network.train()
        order = torch.randperm(len(training), generator=generator).tolist()
        for first in range(0, len(order), LISTS_AT_ONCE):
            optimizer.zero_grad()
            loss = listwise_softmax(*_forward(network, [training[row] for row in order[first : first + LISTS_AT_ONCE]]))
            torch.autograd.backward(loss)
            optimizer.step()
        held_back_loss = _mean_loss(network.eval(), held_back)
        if held_back_loss < best_loss:
            best_loss, bad_epochs = held_back_loss, 0
            best_state = {name: value.clone() for name, value in network.state_dict().items()}
        else:
            bad_epochs += 1
    network.load_state_dict(best_state)
    say(f"ranker: {len(training):,} lists, {epoch} epochs, loss {best_loss:.4f} on held-back users")
    return network.eval()


def _forward(network: RankerNetwork, lists: list[RankedList]) -> tuple[Tensor, Tensor, Tensor]:
    def padded(rows: list[Tensor]) -> Tensor:
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)

    features_GCF = padded([torch.from_numpy(one.features) for one in lists])
    relevant_GC = padded([torch.from_numpy(one.relevant) for one in lists]).float()
    valid_GC = padded([torch.ones(len(one.relevant), dtype=torch.bool) for one in lists])
    return network(features_GCF), relevant_GC, valid_GC


@torch.no_grad()
def _mean_loss(network: RankerNetwork, lists: list[RankedList]) -> float:
    parts = [lists[start : start + LISTS_AT_ONCE] for start in range(0, len(lists), LISTS_AT_ONCE)]
    total = sum(float(listwise_softmax(*_forward(network, part))) * len(part) for part in parts)
    return total / len(lists)
