"""Old names of settings and of their values, so that the error for an old one names the new one.

Nothing reads an old setting. In a path, `*` stands for any one name, such as that of a surface.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

RENAMED_SETTINGS: Final[dict[str, tuple[str, ...]]] = {
    "data.source": ("data.reader",),
    "prepare.max_refused_share": ("prepare.max_rejected_share",),
    "history.input_kinds": ("history.input_event_types",),
    "training.popular_share": ("training.popularity_sampling_ratio",),
    "training.hide_events": ("training.item_mask_prob",),
    "candidates": ("retrievers",),
    "candidates.encoder_candidates": ("retrievers.num_candidates.encoder",),
    "candidates.popular_candidates": ("retrievers.num_candidates.popularity",),
    "candidates.repeat_candidates": ("retrievers.num_candidates.repurchase",),
    "candidates.together_candidates": (
        "retrievers.num_candidates.co_occurrence",
        "retrievers.num_candidates.next_basket",
    ),
    "candidates.people_candidates": ("retrievers.num_candidates.user_knn",),
    "candidates.popularity_days": ("retrievers.popularity_days",),
    "candidates.num_neighbours": ("retrievers.num_neighbours",),
    "candidates.together_history": ("retrievers.history_items",),
    "candidates.together_days": ("retrievers.next_basket_days",),
    "ranker.hidden": ("ranker.hidden_dim",),
    "surfaces.*.sources": ("surfaces.*.retrievers",),
    "surfaces.*.fill_with": ("surfaces.*.fallback",),
    "surfaces.*.exclude_page_items": ("surfaces.*.filters",),
    "surfaces.*.exclude_cart": ("surfaces.*.filters",),
}
"""Old path → the new paths."""

FILTERS: Final = {"surfaces.*.exclude_page_items": "page_items", "surfaces.*.exclude_cart": "cart"}
"""Old switch → the value in the list `filters` that has taken its place."""

RENAMED_VALUES: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "encoder.model": {"set_pool": ("weighted_pooling",)},
    "training.initial_vectors": {"low_pass": ("graph_filter",)},
    "surfaces.*.retrievers": {
        "popular": ("popularity",),
        "repeats": ("repurchase",),
        "together": ("co_occurrence", "next_basket"),
        "people": ("user_knn",),
    },
    "surfaces.*.fallback": {"popular": ("popularity",), "nothing": ("null",)},
}
"""Path → old value → the new values."""


def explain_old_setting(path: Sequence[str], value: Any) -> list[str]:
    """One sentence for each old setting at `path` or, when `value` is a section, below it; else none."""
    below = [
        sentence
        for name, inner in (value.items() if isinstance(value, dict) else ())
        for sentence in explain_old_setting([*path, str(name)], inner)
    ]
    if below:
        return below
    old, new = _look_up(path)
    if not new:
        return []
    if old in FILTERS:
        return [f"{'.'.join(path)}: replaced by the filter {FILTERS[old]} in {new[0]}."]
    return [f"{'.'.join(path)}: renamed to {' and '.join(new)}."]


def explain_old_value(path: Sequence[str], value: Any) -> str | None:
    """A sentence when `value` is an old value of the setting at `path`, or of the list there; else None."""
    for place in (path, path[:-1]):
        for pattern in _patterns(place):
            new = RENAMED_VALUES.get(pattern, {}).get(str(value))
            if new:
                return f"{value} was renamed to {' and '.join(new)}."
    return None


def _look_up(path: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """(the entry of RENAMED_SETTINGS, the new paths with the names of `path` in place of `*`)"""
    for pattern in _patterns(path):
        if pattern in RENAMED_SETTINGS:
            wildcard = path[1] if "*" in pattern else ""
            return pattern, tuple(new.replace("*", wildcard) for new in RENAMED_SETTINGS[pattern])
    return "", ()


def _patterns(path: Sequence[str]) -> Iterator[str]:
    """The path as written, and with `*` as its second name."""
    yield ".".join(path)
    if len(path) > 1:
        yield ".".join([path[0], "*", *path[2:]])
