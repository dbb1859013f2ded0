"""From an item's content to its vector of behaviour: ridge regression, and a generator trained against a
recommender.

The generator is that of GAR (Chen et al., SIGIR 2022, doi:10.1145/3477495.3531897): a network maps content to
a vector. The recommender learns to score a user's item above the vector that was generated for the same item,
the generator to reach its score and to stay near the trained vector. Users' vectors are the encoder's query
vectors, items' its trained vectors, so that what is compared is the way from content to vectors alone.

Shape suffixes: B pairs of a batch, C width of the content, D width of the vectors, H held-out items, N items,
P pairs of a user and an item, U users.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse
from scipy.sparse import linalg
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.cold.measure import Users
from benchmarks.published_baselines import Scorer
from features.interactions import Interactions
from models.encoder import Encoder
from training.encoder.validation import ValidationBatch

CONTENT_WIDTH = 256
_PENALTIES = (0.1, 1.0, 10.0, 100.0)
_CLOSENESS = (0.1, 0.5, 0.9)
"""Shares of the generator's loss for the distance to the trained vector (the paper's α)"""
_AGAINST_GENERATED = 0.5
"""Share of the recommender's loss for scoring an item above what was generated for it (1 - the paper's β)"""
_EPOCHS, _BATCH, _MAX_PAIRS, _JUDGES = 6, 1024, 100_000, 2_000


@dataclass(frozen=True)
class Behaviour:
    """What is known before the split, and which of it a generator learns from."""

    content_NC: Tensor
    vectors_ND: Tensor
    """Of the encoder: zeros for a cold item"""
    queries_UD: Tensor
    user_P: Tensor
    item_P: Tensor
    """Everyone's items before the split"""
    held_out_N: Tensor
    """A tenth of the warm items: they choose between settings, as if they were cold"""

    @classmethod
    def of(
        cls,
        encoder: Encoder,
        vectors_ND: Tensor,
        content_NC: Tensor,
        interactions: Interactions,
        users: Users,
    ) -> Behaviour:
        """`users` are all with a history, whose targets are the items of that history."""
        found = [queries(encoder, batch, vectors_ND) for batch in users.batches]
        place = np.full(int(interactions.users.max()) + 1, -1)
        place[users.indices] = np.arange(len(users.indices))
        pairs = np.unique(np.stack([place[interactions.users], interactions.events.items]), axis=1)
        user_P, item_P = torch.from_numpy(pairs[:, pairs[0] >= 0])
        warm_K = torch.nonzero(vectors_ND.any(dim=1)).squeeze(1)
        drawn = torch.randperm(len(warm_K), generator=torch.Generator().manual_seed(0))[: len(warm_K) // 10]
        held_out_N = torch.zeros(len(vectors_ND), dtype=torch.bool)
        held_out_N[warm_K[drawn]] = True
        return cls(content_NC, vectors_ND, torch.cat(found), user_P, item_P, held_out_N)

    def held_out_recall(self, vectors_ND: Tensor, queries_UD: Tensor) -> float:
        """Recall@20 among the held-out items of the users who have one, 2,000 at most."""
        held_H = torch.nonzero(self.held_out_N).squeeze(1)
        is_held_P = self.held_out_N[self.item_P]
        user_P, item_P = self.user_P[is_held_P], torch.searchsorted(held_H, self.item_P[is_held_P])
        users_V, row_P = torch.unique(user_P, return_inverse=True)
        judged_P = row_P < _JUDGES
        row_P, item_P, users_V = row_P[judged_P], item_P[judged_P], users_V[:_JUDGES]
        wanted_VH = torch.zeros(len(users_V), len(held_H))
        wanted_VH[row_P, item_P] = 1.0
        best = (queries_UD[users_V] @ vectors_ND[held_H].T).topk(min(20, len(held_H))).indices
        return float((wanted_VH.gather(1, best).sum(dim=1) / wanted_VH.sum(dim=1)).mean())


@torch.no_grad()
def queries(encoder: Encoder, batch: ValidationBatch, vectors_ND: Tensor) -> Tensor:
    """(B, D) query vectors."""
    found_BD: Tensor = encoder.query_vectors(
        vectors_ND[batch.items_BL], batch.event_types_BL, batch.ages_BL, batch.lengths_B, batch.user
    )
    return found_BD


def content_vectors(rows: sparse.csr_array, *, width: int = CONTENT_WIDTH) -> Tensor:
    """(N, C) truncated SVD of the TF-IDF rows, scaled to a mean square of 1. The strongest factor is last."""
    width = min(width, min(rows.shape) - 1)
    start = np.random.default_rng(0).standard_normal(min(rows.shape))
    left, values, _ = linalg.svds(rows.astype(np.float64), k=width, v0=start)
    found = torch.from_numpy(np.ascontiguousarray(left * values)).float()
    return found / found.square().mean().sqrt()


def ridge_vectors(behaviour: Behaviour) -> Tensor:
    """(N, D) the trained vectors, and the regression's for cold items; the penalty is the one whose vectors
    of the held-out items are best."""
    vectors_ND, warm_N = behaviour.vectors_ND, behaviour.vectors_ND.any(dim=1)
    taught_N = warm_N & ~behaviour.held_out_N
    recalls = [
        behaviour.held_out_recall(_ridge(behaviour, taught_N, penalty), behaviour.queries_UD)
        for penalty in _PENALTIES
    ]
    best = _PENALTIES[int(np.argmax(recalls))]
    return torch.where(warm_N[:, None], vectors_ND, _ridge(behaviour, warm_N, best))


def _ridge(behaviour: Behaviour, taught_N: Tensor, penalty: float) -> Tensor:
    """(N, D) of every item, as long as the trained ones."""
    ones_N1 = torch.ones(len(behaviour.content_NC), 1)
    content_NC = torch.cat([behaviour.content_NC, ones_N1], dim=1)
    content_KC, vectors_KD = content_NC[taught_N].double(), behaviour.vectors_ND[taught_N].double()
    gram_CC = content_KC.T @ content_KC + penalty * torch.eye(content_KC.shape[1], dtype=torch.float64)
    weights_CD = torch.linalg.solve(gram_CC, content_KC.T @ vectors_KD)
    found_ND = (content_NC.double() @ weights_CD).float()
    scaled_ND: Tensor = F.normalize(found_ND, dim=1) * vectors_KD.norm(dim=1).mean().float()
    return scaled_ND


class Gar(nn.Module):
    """The generator, and the recommender's two maps, which begin as the identity."""

    def __init__(self, content_width: int, dim: int) -> None:
        super().__init__()
        self.generator = nn.Sequential(
            nn.Linear(content_width, 2 * dim), nn.Tanh(), nn.Dropout(0.1), nn.Linear(2 * dim, dim)
        )
        self.user_map, self.item_map = nn.Linear(dim, dim), nn.Linear(dim, dim)
        for layer in (self.user_map, self.item_map):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def users(self, queries: Tensor) -> Tensor:
        """Query vectors → users' vectors, of the same shape."""
        mapped: Tensor = queries + self.user_map(queries)
        return mapped

    def items(self, vectors: Tensor) -> Tensor:
        """Trained or generated vectors → items' vectors, of the same shape."""
        mapped: Tensor = vectors + self.item_map(vectors)
        return mapped

    @torch.no_grad()
    def generated(self, behaviour: Behaviour, *, which_N: Tensor | None = None) -> Tensor:
        """(N, D) the trained vectors, and the generator's where `which_N` marks an item; by default of items
        without a trained one."""
        self.eval()
        which_N = ~behaviour.vectors_ND.any(dim=1) if which_N is None else which_N
        found_ND = self.generator(behaviour.content_NC)
        vectors_ND: Tensor = torch.where(which_N[:, None], found_ND, behaviour.vectors_ND)
        return vectors_ND


def fit_gar(behaviour: Behaviour, *, seed: int) -> Gar:
    """The best epoch of the best setting by the recall on held-out items."""
    best, best_recall = None, -1.0
    for closeness in _CLOSENESS:
        torch.manual_seed(seed)
        model = Gar(behaviour.content_NC.shape[1], behaviour.vectors_ND.shape[1])
        generator_step = torch.optim.Adam(model.generator.parameters(), lr=1e-3)
        recommender_step = torch.optim.Adam(
            [*model.user_map.parameters(), *model.item_map.parameters()], lr=1e-4
        )
        for _ in range(_EPOCHS):
            model.train()
            for pairs in _batches(behaviour):
                recommender_loss, generator_loss = _losses(model, behaviour, *pairs, closeness=closeness)
                _step(recommender_step, recommender_loss)
                _, generator_loss = _losses(model, behaviour, *pairs, closeness=closeness)
                _step(generator_step, generator_loss)
            with torch.no_grad():
                items_ND = model.items(model.generated(behaviour, which_N=behaviour.held_out_N))
                recall = behaviour.held_out_recall(items_ND, model.users(behaviour.queries_UD))
            if recall > best_recall:
                weights = {name: value.clone() for name, value in model.state_dict().items()}
                best, best_recall = weights, recall
    assert best is not None
    model.load_state_dict(best)
    return model.eval()


def gar_scorer(model: Gar, behaviour: Behaviour, encoder: Encoder) -> Scorer:
    """By the recommender's score; a cold item has the vector that was generated."""
    with torch.no_grad():
        items_ND = model.items(model.generated(behaviour))

    @torch.no_grad()
    def score(batch: ValidationBatch) -> Tensor:
        users_BD = model.users(queries(encoder, batch, behaviour.vectors_ND))
        scores_BN: Tensor = users_BD @ items_ND.T
        return scores_BN

    return score


def _batches(behaviour: Behaviour) -> Sequence[tuple[Tensor, Tensor, Tensor]]:
    """(user, item, another item) of pairs whose item the generator may know, in a new order."""
    taught_P = torch.nonzero(~behaviour.held_out_N[behaviour.item_P]).squeeze(1)
    drawn_P = taught_P[torch.randperm(len(taught_P))[:_MAX_PAIRS]]
    other_P = behaviour.item_P[taught_P[torch.randint(len(taught_P), (len(drawn_P),))]]
    columns = behaviour.user_P[drawn_P], behaviour.item_P[drawn_P], other_P
    return list(zip(*(torch.split(column, _BATCH) for column in columns), strict=True))


def _losses(
    model: Gar, behaviour: Behaviour, user_B: Tensor, item_B: Tensor, other_B: Tensor, *, closeness: float
) -> tuple[Tensor, Tensor]:
    """(the recommender's, the generator's)"""
    users_BD = model.users(behaviour.queries_UD[user_B])
    trained_BD = behaviour.vectors_ND[item_B]
    generated_BD = model.generator(behaviour.content_NC[item_B])
    real_B, generated_B, other_B = (
        (users_BD * model.items(vectors_BD)).sum(dim=1)
        for vectors_BD in (trained_BD, generated_BD, behaviour.vectors_ND[other_B])
    )
    recommender = _AGAINST_GENERATED * F.softplus(generated_B - real_B).mean()
    recommender = recommender + (1 - _AGAINST_GENERATED) * F.softplus(other_B - real_B).mean()
    distance = (generated_BD - trained_BD).square().sum(dim=1).mean()
    generator = (1 - closeness) * F.softplus(real_B - generated_B).mean() + closeness * distance
    return recommender, generator


def _step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
