"""What the encoder was trained to read, for the bundle's manifest: a server shows it beside what it reads."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from configs.schema import Config
from features.core.columns import EVENT_TYPE_CODE
from features.dataset import Dataset
from features.histories import encoder_inputs
from features.splits import SplitPoint

NUM_USERS: Final = 2_000
"""Of whom the inputs are looked at, drawn by seed."""


def trained_inputs(dataset: Dataset, point: SplitPoint, config: Config) -> dict[str, Any]:
    """The inputs of users with any, as of the split point: the share of each event type among them all, and
    how many a user has on average."""
    names = config.history.input_event_types
    codes = np.array([EVENT_TYPE_CODE[name] for name in names], np.int8)
    counts, num_users = np.zeros(len(EVENT_TYPE_CODE), np.int64), 0
    for user in np.random.default_rng(config.training.seed).permutation(dataset.num_users)[:NUM_USERS]:
        inputs = encoder_inputs(
            point.history(dataset, int(user)),
            as_of=point.as_of_user(int(user)),
            event_types=codes,
            max_length=config.history.max_length,
            order=config.history.order,
        )
        counts += np.bincount(inputs.event_types, minlength=len(counts))
        num_users += bool(len(inputs.items))
    total = int(counts.sum())
    return {
        "event_types": {
            name: float(counts[code] / max(total, 1)) for name, code in zip(names, codes, strict=True)
        },
        "mean_events": total / max(num_users, 1),
    }
