"""AdamW with lazy updates of sparse gradients: only the rows of a table that a step used are updated.

With a million items and a sampled loss, a step uses a few thousand rows. Dense AdamW updates all rows and
both moments, which takes far longer than the model itself. Here the gradient of such a table is sparse, and
its rows get lazy Adam, as in TensorFlow Addons' LazyAdam and `torch.optim.SparseAdam`:

- A row that a step does not use does not change: its moments do not decay and its momentum is not applied.
- Bias correction uses the number of steps of the whole table, not of the row.
- Weight decay, if the group has any, applies only to the rows of the step.
- A row that occurs more than once in a batch is updated once, by the sum of its gradients.

If every step uses every row, the result equals dense AdamW bit for bit, because the same kernel updates the
rows. Sources: Adam, Kingma & Ba 2015, arXiv:1412.6980; decoupled weight decay, Loshchilov & Hutter 2019,
arXiv:1711.05101.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim.adamw import adamw


class RowAdamW(torch.optim.AdamW):
    """Fused AdamW that also accepts sparse gradients. Its state dict has the layout of AdamW's."""

    def __init__(self, groups: Iterable[dict[str, Any]], *, lr: float, betas: tuple[float, float]) -> None:
        super().__init__(groups, lr=lr, betas=betas, fused=True)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters with dense gradients, then the rows of those with sparse ones."""
        result = None
        if closure is not None:
            with torch.enable_grad():
                result = closure()
        tables = [
            (group, weight)
            for group in self.param_groups
            for weight in group["params"]
            if is_sparse(weight.grad)
        ]
        gradients = [weight.grad.coalesce() for _, weight in tables]
        for _, weight in tables:
            weight.grad = None  # AdamW skips parameters without a gradient
        super().step()
        for (group, weight), gradient in zip(tables, gradients, strict=True):
            self._step_rows(group, weight, gradient)
            weight.grad = gradient
        return result

    @torch.no_grad()
    def _step_rows(self, group: dict[str, Any], weight: Tensor, gradient: Tensor) -> None:
        state = self.state[weight]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32, device=weight.device)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(weight), torch.zeros_like(weight)
        tables = weight, state["exp_avg"], state["exp_avg_sq"]
        rows_U = gradient.indices()[0]
        weight_UD, mean_UD, square_UD = parts = [table.index_select(0, rows_U) for table in tables]
        adamw(
            [weight_UD],
            [gradient.values()],
            [mean_UD],
            [square_UD],
            [],
            [state["step"]],
            fused=True,
            amsgrad=False,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=False,
        )
        for table, part in zip(tables, parts, strict=True):
            table.index_copy_(0, rows_U, part)


def is_sparse(gradient: Tensor | None) -> bool:
    """True for a gradient that holds only some rows; False for a dense one or None."""
    return gradient is not None and gradient.is_sparse
