"""What proposes candidates for a list: one file a retriever, found by its name.

In: everyone's target events before a split point. Out: scored items for a user or a page, with ranker columns
and reasons.
"""

from __future__ import annotations

from collections.abc import Mapping

from configs.exceptions import ConfigError
from configs.renamed import explain_old_value
from configs.schema import Config
from configs.settings.recommend import SurfaceConfig
from features.core.discovery import class_in, module_names
from features.interactions import Interactions
from features.retriever import Retriever


def retriever_names() -> tuple[str, ...]:
    """Every retriever there is: the names of the modules in this package. Nothing is imported."""
    return module_names(__name__, __path__)


def retriever_class(name: str) -> type[Retriever]:
    """The class of `features/retrievers/<name>.py`."""
    return class_in(__name__, name, base=Retriever)  # type: ignore[type-abstract]


def general_retriever_names() -> tuple[str, ...]:
    """The retrievers that surfaces without a `retrievers` list ask."""
    return tuple(name for name in retriever_names() if retriever_class(name).is_general)


def baseline_retriever_names() -> tuple[str, ...]:
    """Those of them that the evaluation replays alone."""
    return tuple(name for name in general_retriever_names() if retriever_class(name).is_baseline)


def retrievers_of(surface: SurfaceConfig) -> tuple[str, ...]:
    """The retrievers that propose candidates for a surface."""
    if surface.retrievers is not None:
        return surface.retrievers
    return general_retriever_names()


def configured_retrievers(surfaces: Mapping[str, SurfaceConfig]) -> tuple[str, ...]:
    """The retrievers that some surface needs, to propose or to fill up, in the order of `retriever_names`."""
    needed = {name for surface in surfaces.values() for name in retrievers_of(surface)}
    needed |= {surface.fallback for surface in surfaces.values() if surface.fallback}
    needed |= {surface.strangers for surface in surfaces.values() if surface.strangers}
    return tuple(name for name in retriever_names() if name in needed)


def check_retrievers(config: Config) -> None:
    """Raise ConfigError where a setting names a retriever that does not exist."""
    known = retriever_names()
    named = [("retrievers.num_candidates", name) for name in config.retrievers.num_candidates]
    for place, surface in config.surfaces.items():
        named += [(f"surfaces.{place}.retrievers", name) for name in surface.retrievers or ()]
        named += [(f"surfaces.{place}.fallback", surface.fallback)] if surface.fallback else []
        named += [(f"surfaces.{place}.strangers", surface.strangers)] if surface.strangers else []
    for setting, name in named:
        if name not in known:
            renamed = explain_old_value(setting.split("."), name)
            raise ConfigError(
                f"{setting}: there is no retriever {name!r}. {f'{renamed} ' if renamed else ''}"
                f"There are: {', '.join(known)}."
            )


def fit_retrievers(interactions: Interactions, config: Config) -> dict[str, Retriever]:
    """Name → every configured retriever, fitted on the same events."""
    names = configured_retrievers(config.surfaces)
    return {name: retriever_class(name).fit(interactions, config) for name in names}
