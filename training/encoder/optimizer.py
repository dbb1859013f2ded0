"""The optimizer of a fit, and the clipping of its gradients."""

from __future__ import annotations

import torch
from torch import nn

from configs.schema import TrainingConfig
from models.item_vectors import ItemTable, ItemTower
from training.encoder.row_adam import RowAdamW, is_sparse

BETAS = (0.9, 0.98)
ROWS_FROM = 200_000
"""Items from which a sampled loss updates the rows of a step alone (see `row_adam`): a step is then cheaper
by more than the half that rarely used rows need in epochs (docs/experiments.md)."""


def optimizer_of(encoder: nn.Module, config: TrainingConfig) -> RowAdamW:
    """AdamW; tables and norms are not decayed. From now on the table of item ids gives the gradients that
    suit the fit."""
    for items in encoder.modules():
        if isinstance(items, ItemTable | ItemTower):
            items.ids.sparse = config.loss != "full_softmax" and items.ids.num_embeddings >= ROWS_FROM
    tables = {id(module.weight) for module in encoder.modules() if isinstance(module, nn.Embedding)}
    weights = list(encoder.parameters())
    matrices = [weight for weight in weights if weight.ndim > 1 and id(weight) not in tables]
    others = [weight for weight in weights if weight.ndim <= 1 or id(weight) in tables]
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return RowAdamW(groups, lr=config.learning_rate, betas=BETAS)


@torch.no_grad()
def clip_gradients(optimizer: torch.optim.Optimizer, max_norm: float) -> None:
    """Scale all gradients so that their joint norm is at most `max_norm`; a sparse one counts by the sums of
    its rows.

    The outcome is that of dense gradients, since rows without gradient add nothing to the norm.
    """
    weights = [
        weight for group in optimizer.param_groups for weight in group["params"] if weight.grad is not None
    ]
    for weight in weights:
        if is_sparse(weight.grad):
            weight.grad = weight.grad.coalesce()
    gradients = [weight.grad.values() if is_sparse(weight.grad) else weight.grad for weight in weights]
    scale = (max_norm / (torch.nn.utils.get_total_norm(gradients) + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(scale)
