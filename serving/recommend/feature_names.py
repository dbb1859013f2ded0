"""What the ranker reads of a candidate, by name, in groups that say what each is about."""

from __future__ import annotations

from typing import Final

from features.profiles.item_statistics import ITEM_STATISTICS

HALF_LIVES: Final = (15.0, 30.0, 60.0, 120.0, 365.0)
"""Days after which a purchase counts half, in the decayed counts of own items and categories."""

OWN_ORDER: Final = HALF_LIVES.index(120.0)
"""The count by which own items are ordered where no ranker is asked: the best of them alone on Complete
Journey."""

CATEGORY_ORDER: Final = HALF_LIVES.index(60.0)
"""The count by which categories are compared."""

RECENT_WINDOWS: Final = (0.25, 0.5, 1.0, 2.0, 3.0)
"""Stretches before the moment in which a person's events are counted, in recent windows
(`candidates.popularity_days`)."""

WINDOW: Final = RECENT_WINDOWS.index(1.0)
THREE_WINDOWS: Final = RECENT_WINDOWS.index(3.0)

_RECENT_NAMES: Final = ("quarter", "half", "window", "two", "three")

FEATURE_GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "how often": (
        "is_own",
        "own_count",
        *(f"own_decayed_{half_life:g}" for half_life in HALF_LIVES),
        "own_basket_share",
    ),
    "how lately": (
        *(f"own_{name}" for name in _RECENT_NAMES),
        "own_days_since",
        "own_days_since_first",
        "own_due",
        "item_due",
    ),
    "how others come back": ("item_repeat_rate", "return_rate", "category_return_rate"),
    "encoder": ("encoder_score", "encoder_rank"),
    "goes together": ("together_score", "next_score", "context_score", "has_context"),
    "people alike": ("people_score",),
    "what sells": (
        "popularity",
        "popularity_all",
        "popularity_trend",
        "item_age",
        *(name for name in ITEM_STATISTICS if name.startswith("popularity_")),
        "buyers",
        "first_buyers",
        "category_popularity",
        "share_in_category",
        "parent_popularity",
    ),
    "categories": (
        "category_share",
        "is_favourite_category",
        *(
            f"{level}_{name}"
            for level in ("category", "parent")
            for name in ("count", "decayed", "days_since", "due")
        ),
        "own_in_category",
    ),
    "prices": ("price_distance", "price_difference", "deal_quarter", "deal_window", "log_price"),
    "the person": (
        "person_events",
        "person_items",
        "person_baskets",
        "person_baskets_window",
        "person_baskets_three",
        "person_new_window",
        "person_exploration",
        "user_recency",
        "user_frequency",
        "user_money",
        "user_tenure",
    ),
}
"""Group → names. The order is that of the columns."""

FEATURES: Final = tuple(name for names in FEATURE_GROUPS.values() for name in names)

FEATURES_OF_TIME: Final = (
    *(f"own_{name}" for name in _RECENT_NAMES),
    "own_days_since",
    "own_days_since_first",
    "own_due",
    "item_due",
    "popularity_trend",
    "item_age",
    *(f"{level}_{name}" for level in ("category", "parent") for name in ("days_since", "due")),
    "person_baskets_window",
    "person_baskets_three",
    "person_new_window",
    "user_recency",
    "user_tenure",
)
"""Features that mean nothing on an ordinal clock; there they are 0."""
