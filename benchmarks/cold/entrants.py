"""The entrants: every way to score items that has a place in the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Final

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from benchmarks.cold.baselines import baselines, category_popularity
from benchmarks.cold.encoders import Fitted, fingerprint, fitted, nearest, with_items
from benchmarks.cold.generative import BEAM_WIDTH, CONTENT_WIDTH, Generative, Inputs, fitted_generative
from benchmarks.cold.generators import Behaviour, Gar, content_vectors, fit_gar, gar_scorer, ridge_vectors
from benchmarks.cold.measure import Users
from benchmarks.cold.split import ColdSplit, Ranking
from benchmarks.published_baselines import Baselines, Scorer, TargetEvents
from configs.console import log
from configs.schema import Config
from features.dataset import Dataset
from features.interactions import Interactions
from features.profiles.content_neighbours import ContentNeighbours

LABELS: Final = {
    "random": "random",
    "category_popularity": "popularity; a cold item has its category's",
    "own_categories": "the history's categories, then popularity",
    "content_neighbours": "content neighbours (TF-IDF)",
    "co_occurrence": "had by the same users, then popularity",
    "id": "two towers, items by id alone",
    "id_neighbours": "items by id; cold ones by content neighbours",
    "id_ridge": "items by id; cold ones by ridge regression",
    "id_generated": "items by id; cold ones by GAR's generator",
    "gar": "GAR whole: its generator and its recommender",
    "tower": "item tower over category, brand and price",
    "tower_neighbours": "that tower; cold ones by content neighbours",
    "text": "item tower that reads texts, too",
    "text_neighbours": "that tower; cold ones by content neighbours",
    "generative": "generative: semantic ids, written for the better tower's query",
    "generative_inputs": "the two vectors behind those ids, compared directly",
    "generative_reranked": "what was written and all cold ones, by that tower's score",
}
"""Entrant → what people read, in the order of the table."""
BASELINES: Final = (
    "random",
    "category_popularity",
    "own_categories",
    "content_neighbours",
    "co_occurrence",
)
WITHOUT_CONTENT: Final = "id"
"""What the warm figures of the others are held against"""
OF_RANKING: Final = ("generative", "generative_reranked")
"""Those whose list is made among the candidates of a ranking"""
BROUGHT: Final = ("generative", "generative_inputs", "id_neighbours")
"""Whose lists are held against `Entrants.others`; the last is one more encoder, to compare with"""
OF_NEW_USERS: Final = ("category_popularity", "content_neighbours", "id", "tower", "text")
"""Those that are measured after a user's first event; the first is popularity, since that is on warm items"""


class Entrants:
    """The entrants with one seed. What they share is made once, and nothing before it is asked for."""

    def __init__(self, dataset: Dataset, split: ColdSplit, config: Config, *, seed: int) -> None:
        self._dataset, self._split, self._config, self._seed = dataset, split, config, seed

    def scorer(self, name: str) -> Scorer:
        """What scores items for the entrant of `LABELS`; it is trained if need be."""
        return self._builders[name]()

    def scorer_among(self, name: str, ranking: Ranking, *, width: int = BEAM_WIDTH) -> Scorer:
        """The same for the entrants of `OF_RANKING`, with so many places of the beam."""
        if name == "generative":
            return self._generative.scorer(ranking, width=width)
        cold_N, dense = torch.from_numpy(self._split.cold_N), self.scorer(self.others[0])
        return self._generative.reranked(ranking, dense, cold_N=cold_N, width=width)

    @cached_property
    def better_tower(self) -> str:
        """`tower` or `text`: what did better on the window before the split. Generative retrieval has its
        queries."""
        return "text" if self._text.validated > self._tower.validated else "tower"

    @property
    def others(self) -> tuple[str, ...]:
        """What the lists of generative retrieval are held against."""
        return f"{self.better_tower}_neighbours", "content_neighbours", "co_occurrence"

    @cached_property
    def _builders(self) -> Mapping[str, Callable[[], Scorer]]:
        return {
            **{name: lambda name=name: self._baselines[name] for name in BASELINES},  # type: ignore[misc]
            "co_occurrence": lambda: self._co_occurrence,
            "id": lambda: self._id.scorer,
            "id_neighbours": lambda: self._by_neighbours(self._id),
            "id_ridge": lambda: nearest(self._id.encoder, ridge_vectors(self._behaviour)),
            "id_generated": lambda: nearest(self._id.encoder, self._gar.generated(self._behaviour)),
            "gar": lambda: gar_scorer(self._gar, self._behaviour, self._id.encoder),
            "tower": lambda: self._tower.scorer,
            "tower_neighbours": lambda: self._by_neighbours(self._tower),
            "text": lambda: self._text.scorer,
            "text_neighbours": lambda: self._by_neighbours(self._text),
            "generative_inputs": lambda: self._inputs.scorer,
        }

    @cached_property
    def _interactions(self) -> Interactions:
        return Interactions.before(self._dataset, self._split.point, self._config)

    @cached_property
    def _neighbours(self) -> ContentNeighbours:
        return ContentNeighbours.of(self._interactions.catalogue())

    @cached_property
    def _baselines(self) -> Mapping[str, Scorer]:
        return baselines(self._interactions, self._neighbours, warm_N=self._split.warm_N, seed=self._seed)

    @cached_property
    def _co_occurrence(self) -> Scorer:
        point = self._split.point
        targets = TargetEvents.before(self._dataset, point, config=self._config)
        fitted = Baselines(self._dataset, targets, fit=point, test=point, config=self._config)
        return fitted.scorers()["co_occurrence"]

    @cached_property
    def _id(self) -> Fitted:
        return self._fitted("id")

    @cached_property
    def _tower(self) -> Fitted:
        return self._fitted("features")

    @cached_property
    def _text(self) -> Fitted:
        return self._fitted("features", text=True)

    def _fitted(self, items: str, *, text: bool = False) -> Fitted:
        log(f"seed {self._seed}: encoder with items by {'texts' if text else items}")
        config = with_items(self._config, items, text=text, seed=self._seed)
        return fitted(self._dataset, self._split, config)

    def _by_neighbours(self, one: Fitted) -> Scorer:
        return nearest(one.encoder, self._described(one))

    def _described(self, one: Fitted) -> Tensor:
        """(N, D) with the vectors of cold items as a server makes them without an item tower."""
        cold_N = self._split.cold_N
        described = one.vectors_ND.numpy() * self._split.warm_N[:, None]
        cold_rows = self._interactions.catalogue().filter(pl.Series(cold_N))
        described[cold_N] = self._neighbours.vectors(cold_rows, described)
        return torch.from_numpy(described)

    @cached_property
    def _content(self) -> Tensor:
        content_NC: Tensor = content_vectors(self._neighbours.rows)
        return content_NC

    @cached_property
    def _behaviour(self) -> Behaviour:
        own = _own_items(self._interactions)
        everyone = Users.of(self._dataset, self._split.point, own, config=self._config)
        return Behaviour.of(
            self._id.encoder, self._id.vectors_ND, self._content, self._interactions, everyone
        )

    @cached_property
    def _gar(self) -> Gar:
        log(f"seed {self._seed}: GAR")
        return fit_gar(self._behaviour, seed=self._seed)

    @cached_property
    def _inputs(self) -> Inputs:
        better = self._text if self.better_tower == "text" else self._tower
        leading_NC = F.normalize(self._content[:, -CONTENT_WIDTH:], dim=1)
        return Inputs(better.encoder, self._described(better), leading_NC)

    @cached_property
    def _generative(self) -> Generative:
        is_text = self.better_tower == "text"
        config = with_items(self._config, "features", text=is_text, seed=self._seed)
        name = f"decoder-seed{self._seed}-{fingerprint(self._dataset, config)}.pt"
        log(f"seed {self._seed}: semantic ids and their decoder, over {self.better_tower}")
        return fitted_generative(
            self._inputs,
            self._dataset,
            self._split,
            config,
            popularity_N=category_popularity(self._interactions, warm_N=self._split.warm_N),
            kept=config.workspace / "cold" / name,
        )


def _own_items(interactions: Interactions) -> dict[int, NDArray[np.int32]]:
    """User → the distinct items of their events."""
    starts = np.flatnonzero(np.diff(interactions.users, prepend=-1))
    parts = np.split(interactions.events.items, starts)[1:]
    return {
        int(user): np.unique(part).astype(np.int32)
        for user, part in zip(interactions.users[starts], parts, strict=True)
    }
