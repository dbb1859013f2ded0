"""Which outcomes the ranker learns, and how its probabilities of them are calibrated on held-back users.

Shapes: C candidates of all lists, F features, K outcomes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from configs.console import log
from configs.exceptions import ConfigError, TooLittleDataError
from configs.schema import Config
from configs.settings.outcomes import OUTCOME_EVENT_TYPES, OUTCOMES, Outcome, outcome_of
from features.core.columns import EVENT_TYPE_CODE
from features.dataset import Dataset
from models.ranker import RankerNetwork
from training.ranker.lists import RankedList

PRIOR: float = 10.0
"""How many candidates' worth of loss it costs to move slope or offset by one: with few events they stay at 1
and 0, which is what the cross-entropy loss has learnt already."""
NEWTON_STEPS = 30
MIN_SLOPE = 0.05
"""Below it a head would put its candidates in the opposite order."""


def outcome_weights(config: Config, dataset: Dataset) -> dict[Outcome, float]:
    """Outcome → how much its loss counts, of those that settings name and the data has events of.

    Raises TooLittleDataError where settings name some and the data has none of them, and ConfigError where a
    surface weighs margins and no cost is known.
    """
    named = config.ranker.outcomes
    if named is None:
        weighed = {outcome_of(name) for surface in config.surfaces.values() for name in surface.weights}
        named = dict.fromkeys([name for name in OUTCOMES if name in weighed], 1.0)
    found: dict[Outcome, float] = {}
    for name in OUTCOMES:
        codes = [EVENT_TYPE_CODE[kind] for kind in OUTCOME_EVENT_TYPES[name]]
        if name in named and np.isin(dataset.event_types, codes).any():
            found[name] = named[name]
    absent = [name for name in named if name not in found]
    if named and not found:
        raise TooLittleDataError(
            f"The data has no event of {', '.join(absent)}, which ranker.outcomes or the weights of surfaces "
            "ask for: leave them out, or bring such events."
        )
    if absent:
        log(f"ranker: no events of {', '.join(absent)} in the data; their weights count nothing")
    return found


def require_costs(config: Config, dataset: Dataset) -> None:
    """Raise ConfigError where a surface weighs margins, and the catalogue knows no cost."""
    import polars as pl

    places = [name for name, surface in config.surfaces.items() if "margin" in surface.weights]
    if not places:
        return
    path = dataset.folder / "items.parquet"
    costs = pl.read_parquet_schema(path).get("cost_of_goods_sold")
    if costs is None or not pl.read_parquet(path, columns=["cost_of_goods_sold"]).to_series().count():
        raise ConfigError(
            f"surfaces.{places[0]}.weights has margin, and no item of the catalogue has a "
            "cost_of_goods_sold: bring it, or weigh revenue."
        )


@torch.no_grad()
def calibrate(network: RankerNetwork, lists: Sequence[RankedList]) -> None:
    """Set slope and offset of each outcome by the home page's lists of held-back users."""
    whole = [one for one in lists if one.weight == 1.0 and one.outcomes is not None]
    features = torch.from_numpy(np.concatenate([one.features for one in whole]))
    had = np.concatenate([one.outcomes for one in whole if one.outcomes is not None])
    stands_for = np.exp(np.concatenate([one.log_weight for one in whole]).astype(np.float64))
    logits = network.logits(features)[:, 1:].double().numpy()
    fitted = [platt(logits[:, place], had[:, place], stands_for) for place in range(had.shape[1])]
    network.calibrate([slope for slope, _ in fitted], [offset for _, offset in fitted])


def platt(
    logits: NDArray[np.float64], had: NDArray[np.bool_], stands_for: NDArray[np.float64]
) -> tuple[float, float]:
    """(slope, offset) with which sigmoid(slope * logit + offset) says best which candidates (C,) had the
    outcome; each counts for as many as it stands for.

    Logistic regression by Newton's method (Platt 1999), drawn to (1, 0).
    """
    design, start = np.stack([logits, np.ones_like(logits)], axis=1), np.array([1.0, 0.0])
    theta = start.copy()
    for _ in range(NEWTON_STEPS):
        probability = 1 / (1 + np.exp(-np.clip(design @ theta, -30, 30)))
        gradient = design.T @ (stands_for * (probability - had)) + PRIOR * (theta - start)
        spread = stands_for * probability * (1 - probability)
        step = np.linalg.solve((design * spread[:, None]).T @ design + PRIOR * np.eye(2), gradient)
        theta -= np.clip(step, -1, 1)
    return max(float(theta[0]), MIN_SLOPE), float(theta[1])
