"""AdamW for tables of which a step uses a few rows: those rows and their moments are updated, the rest is not
looked at.

With a million items and a sampled loss a step touches some thousand rows; dense AdamW goes through all of
them, their gradient and both moments, and takes far longer than the model. Here such a table's gradient comes
sparse, rows alone, and the rows get lazy Adam, as in TensorFlow Addons' LazyAdam and
`torch.optim.SparseAdam`:

- the moments of a row that a step does not use stay as they are: they do not decay, and momentum does not move the row;
- bias is corrected by the number of steps of the whole table, not of the row;
- weight decay, where the group has any, pulls at the rows of the step alone;
- the same element in several places of a batch is one row with the sum of its gradients.

A table of which every step uses every row is trained as by dense AdamW, to the last bit: the same kernel
works on the rows. Source of Adam: Kingma & Ba 2015, arXiv:1412.6980; of decoupled decay: Loshchilov & Hutter
2019, arXiv:1711.05101.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim.adamw import adamw


class RowAdamW(torch.optim.AdamW):
    """Fused AdamW that takes sparse gradients too. Its state has the form of AdamW's."""

    def __init__(self, groups: Iterable[dict[str, Any]], *, lr: float, betas: tuple[float, float]) -> None:
        super().__init__(groups, lr=lr, betas=betas, fused=True)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Dense gradients as ever, then the rows of sparse ones."""
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
            weight.grad = None  # AdamW passes over it
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
        wholes = weight, state["exp_avg"], state["exp_avg_sq"]
        rows_U = gradient.indices()[0]
        weight_UD, mean_UD, square_UD = parts = [whole.index_select(0, rows_U) for whole in wholes]
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
        for whole, part in zip(wholes, parts, strict=True):
            whole.index_copy_(0, rows_U, part)


def is_sparse(gradient: Tensor | None) -> bool:
    """Whether there is one, of rows alone."""
    return gradient is not None and gradient.is_sparse
