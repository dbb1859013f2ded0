"""The filters of surfaces: one file a filter, found by its name.

In: the request, the user's profile, the catalogue. Out: the items that must not be in the list.
"""

from __future__ import annotations

from configs.exceptions import ConfigError
from configs.schema import Config
from configs.settings.recommend import SurfaceConfig
from features.core.discovery import class_in, module_names
from serving.recommend.filter import Filter


def filter_names() -> tuple[str, ...]:
    """Every filter there is: the names of the modules in this package."""
    return module_names(__name__, __path__)


def filters_of(surface: SurfaceConfig, *, exclude_cart: bool | None = None) -> tuple[type[Filter], ...]:
    """The filters of a surface: those that always hold, and its own; with or without the cart's where the
    request says so."""
    found = [class_in(__name__, name, base=Filter) for name in filter_names()]  # type: ignore[type-abstract]
    own = {*surface.filters, "cart"} if exclude_cart else set(surface.filters)
    if exclude_cart is False:
        own.discard("cart")
    return tuple(one for one in found if one.always or one.name in own)


def check_filters(config: Config) -> None:
    """Raise ConfigError where a surface names a filter that does not exist."""
    known = filter_names()
    for place, surface in config.surfaces.items():
        for name in surface.filters:
            if name not in known:
                raise ConfigError(
                    f"surfaces.{place}.filters: there is no filter {name!r}. There are: {', '.join(known)}."
                )
