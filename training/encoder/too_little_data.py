"""The error for data without anything to train on, and what the data has instead."""

from __future__ import annotations

from configs.exceptions import TooLittleDataError
from configs.schema import Config
from features.dataset import Dataset
from features.splits import SplitPoint


def nothing_to_train_on(dataset: Dataset, point: SplitPoint, config: Config) -> TooLittleDataError:
    """The error for a split point before which no user has two events with a target."""
    return TooLittleDataError(
        f"No user has two events before the {point.name} split point with one of history.targets "
        f"({', '.join(config.history.target_event_types)}). The data has: {event_type_counts(dataset)}. "
        "Bring more data, or set history.targets to event types that the data has."
    )


def event_type_counts(dataset: Dataset) -> str:
    """For example "purchase (1,200), view_item (9,000)"."""
    counts = dataset.manifest["event_types"]
    return ", ".join(f"{event_type} ({count:,})" for event_type, count in counts.items())
