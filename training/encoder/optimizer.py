"""The optimizer of a fit, and gradient clipping."""

from __future__ import annotations

import torch
from torch import nn

from configs.settings.encoder import TrainingConfig
from models.item_vectors import ItemTable, ItemTower
from training.encoder.row_adam import RowAdamW, is_sparse

BETAS = (0.9, 0.98)
ROWS_FROM = 200_000
"""From this many items on, a sampled loss updates only the rows of the step (see `row_adam`). Steps become
cheaper by more than the additional epochs cost that rare rows need (docs/experiments.md)."""


def build_optimizer(encoder: nn.Module, config: TrainingConfig) -> RowAdamW:
    """AdamW without weight decay on embeddings, biases and norms.

    Also sets whether the item id embedding produces sparse gradients.
    """
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
    """Scale all gradients so that their total norm is at most `max_norm`. Sparse gradients are coalesced.

    The result equals that of dense gradients, because rows without gradient add nothing to the norm.
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
