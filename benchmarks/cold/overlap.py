"""What a retriever brings that others do not: hits in no other list, and what one more list is worth.

One more list always finds something. So it is held against longer lists of the others, with the same number
of places in all: four lists of 300 against three of 400.

Shape suffixes: B users of a batch, K places of a list, N items, P pairs of a user and a target, U users.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from benchmarks.cold.intervals import mean_of, ratio_of
from benchmarks.cold.measure import Measured, Users, with_lots
from benchmarks.cold.split import ColdSplit
from benchmarks.published_baselines import Scorer
from configs.schema import Config
from training.encoder.validation import ValidationBatch

DEPTHS: Final = (20, 300)
DEEPEST: Final = 600
"""As long as the longest list can become, with one other alone"""


@torch.no_grad()
def measure_overlap(newcomer: Scorer, others: Sequence[Scorer], users: Users, split: ColdSplit) -> Measured:
    """`cold_20`, `warm_300`, …: of each user the number of `targets`, those `found` by the newcomer, those
    that it `alone` found, and the number found by the `others` together in as many places, by them and the
    newcomer (`with`), and by them in so many more that all places are as many (`longer`). Items of the
    history are in no list."""
    parts: dict[str, dict[str, list[Tensor]]] = {}
    candidates_N = torch.from_numpy(split.cold_N | split.warm_N)
    generator = torch.Generator().manual_seed(0)
    for batch in users.batches:
        excluded_BN = torch.zeros(len(batch.users_B), len(candidates_N), dtype=torch.bool)
        excluded_BN[batch.excluded_row_X, batch.excluded_item_X] = True
        excluded_BN |= ~candidates_N
        new_P, *other_PP = (_places(one(batch), batch, excluded_BN, generator) for one in (newcomer, *others))
        best_P = torch.stack(other_PP).amin(dim=0)
        is_wanted_P = ~excluded_BN[batch.target_row_P, batch.target_item_P]
        for kind, kind_N in {"cold": split.cold_N, "warm": split.warm_N}.items():
            of_kind_P = is_wanted_P & torch.from_numpy(kind_N)[batch.target_item_P]
            for depth in DEPTHS:
                counted = _counted(new_P, best_P, depth=depth, num_others=len(others))
                into = parts.setdefault(f"{kind}_{depth}", {name: [] for name in counted})
                for name, value_P in counted.items():
                    into[name].append(_per_user(value_P & of_kind_P, batch))
    return {
        kind: {name: torch.cat(values).double().numpy() for name, values in found.items()}
        for kind, found in parts.items()
    }


def _places(
    scores_BN: Tensor, batch: ValidationBatch, excluded_BN: Tensor, generator: torch.Generator
) -> Tensor:
    """(P,) the place from 0 of each target in the list by these scores; `DEEPEST` for one that is in none."""
    scores_BN = with_lots(scores_BN, generator).masked_fill(excluded_BN, -torch.inf)
    best = scores_BN.topk(min(DEEPEST, scores_BN.shape[1]), dim=1)
    place_BN = torch.full(scores_BN.shape, DEEPEST)
    places_BK = torch.arange(best.indices.shape[1]).expand_as(best.indices)
    place_BN.scatter_(1, best.indices, torch.where(best.values > -torch.inf, places_BK, DEEPEST))
    return place_BN[batch.target_row_P, batch.target_item_P]


def _counted(new_P: Tensor, others_P: Tensor, *, depth: int, num_others: int) -> Mapping[str, Tensor]:
    """(P,) of each count, whether the target is in it."""
    found_P, known_P = new_P < depth, others_P < depth
    return {
        "targets": torch.ones_like(found_P),
        "found": found_P,
        "alone": found_P & ~known_P,
        "others": known_P,
        "with": found_P | known_P,
        "longer": others_P < depth * (num_others + 1) // num_others,
    }


def _per_user(is_one_P: Tensor, batch: ValidationBatch) -> Tensor:
    return torch.bincount(batch.target_row_P, weights=is_one_P.double(), minlength=len(batch.users_B))


def brought_figures(found: Measured, config: Config) -> dict[str, Any]:
    """`cold_20`, `warm_300`, … → recalls and the share of the newcomer's hits that no other has, each with
    its interval over users; `gain` is that over the others' longer lists, paired."""
    drawn: dict[str, Any] = {"samples": config.evaluation.bootstrap_samples, "seed": config.evaluation.seed}
    figures = {}
    for kind, counts in found.items():
        recalls = {
            name: np.where(counts["targets"] > 0, counts[name] / np.maximum(counts["targets"], 1), np.nan)
            for name in ("found", "others", "with", "longer")
        }
        figures[kind] = {
            "alone": ratio_of(counts["alone"], counts["found"], **drawn),
            "gain": mean_of(recalls["with"] - recalls["longer"], **drawn),
            **{name: mean_of(values_U, **drawn) for name, values_U in recalls.items()},
        }
    return figures
