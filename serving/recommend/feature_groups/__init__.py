"""The groups of ranker columns: one file a group, found by its name.

In: candidates, the user's profile, the items' profiles. Out: named columns.
"""

from __future__ import annotations

from configs.exceptions import ConfigError
from configs.settings.recommend import RankerConfig
from features.core.discovery import class_in, module_names
from serving.recommend.feature_group import FeatureGroup


def feature_group_names() -> tuple[str, ...]:
    """Every group there is: the names of the modules in this package."""
    return module_names(__name__, __path__)


def feature_groups(names: tuple[str, ...] | None) -> tuple[type[FeatureGroup], ...]:
    """The groups of these names; None: all."""
    wanted = feature_group_names() if names is None else names
    return tuple(class_in(__name__, name, base=FeatureGroup) for name in wanted)  # type: ignore[type-abstract]


def check_feature_groups(config: RankerConfig) -> None:
    """Raise ConfigError where `ranker.feature_groups` names a group that does not exist."""
    known = feature_group_names()
    for name in config.feature_groups or ():
        if name not in known:
            raise ConfigError(
                f"ranker.feature_groups: there is no group {name!r}. There are: {', '.join(known)}."
            )
