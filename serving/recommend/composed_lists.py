"""Lists with promoted or drawn items: what the pipeline gives for each part, put together and explained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from features.histories import IntArray
from features.retriever import Reason
from serving.recommend.composition import Composition, Place, num_explored
from serving.recommend.exploration import Explorer, with_new_share
from serving.recommend.promotions import Promoted, Promotion
from serving.recommend.request import Query, Recommendation
from serving.recommend.selectors import Selected

if TYPE_CHECKING:
    from serving.recommend.pipeline import Pipeline, Ranked

EXPLORATION: Final = "exploration"
_WHY: Final = Reason(EXPLORATION, "Shown to find out who likes it")


@dataclass(frozen=True)
class Made:
    """A page of a list."""

    recommendations: tuple[Recommendation, ...]
    num_ranked: int
    """How many of them are not the fallback's"""
    shown: IntArray
    """The whole list down to the last place of the page"""
    has_more: bool


def composed(pipeline: Pipeline, query: Query, ranked: Ranked, *, exploration: float) -> Made:
    """The page that a query with promotions or exploration asks for."""
    allowed = pipeline.allowed(query, ranked.profile)
    promoted = [_promoted(pipeline, query, ranked, one) for one in query.options.promotions]
    placed = sum(one.promotion.num_places(query.num_results) for one in promoted)
    placed += num_explored(exploration, query.num_results)
    base = pipeline.select(
        query, ranked, length=2 * query.depth, page_length=max(1, query.num_results - placed)
    )
    explorer = None
    if exploration:
        weights = with_new_share(
            pipeline.exploration_weights,
            is_new=pipeline.unproven,
            allowed=allowed,
            share=pipeline.bundle.surfaces[query.surface].exploration_new,
        )
        explorer = Explorer(weights, allowed=allowed, seed=query.options.seed, depth=query.depth)
    composition = Composition(
        base, promoted, explorer, exploration=exploration, num_results=query.num_results
    )
    shown: list[Place] = []
    page: list[Place] = []
    for _ in range(query.options.offset // query.num_results + 1):
        page = composition.page()
        shown += page
    return Made(
        _explained(pipeline, query, ranked, page),
        num_ranked=sum(not place.is_filling for place in page),
        shown=np.array([place.item for place in shown], np.int32),
        has_more=composition.has_more,
    )


def _promoted(pipeline: Pipeline, query: Query, ranked: Ranked, promotion: Promotion) -> Promoted:
    """The best of what is promoted and allowed; searched for where the candidates have too few."""
    allowed = pipeline.allowed(query, ranked.profile) & promotion.matches
    wanted = promotion.num_places(query.num_results)
    num_pages = query.options.offset // query.num_results + 1
    ranked = pipeline.deepened(query, ranked, allowed, page=wanted, whole=wanted * num_pages)
    order, scores = pipeline.in_order(query, ranked, allowed)
    return Promoted(promotion, ranked.items[order], scores[order], ranked.retrievals)


def _explained(
    pipeline: Pipeline, query: Query, ranked: Ranked, page: Sequence[Place]
) -> tuple[Recommendation, ...]:
    """The places with their reasons, each from where its item came from."""
    own = [place for place in page if place.promoted is None and place.propensity is None]
    num_ranked = sum(not place.is_filling for place in own)
    found = pipeline.explained(query, _selected(own, num_ranked), ranked.retrievals)
    by_item = {one.item: one for one in found}
    for promoted in {id(place.promoted): place.promoted for place in page if place.promoted}.values():
        places = [place for place in page if place.promoted is promoted]
        found = pipeline.explained(query, _selected(places, len(places)), promoted.retrievals)
        name = promoted.promotion.name
        by_item |= {
            one.item: Recommendation(one.item, one.score, one.source, one.reasons, promotion=name)
            for one in found
        }
    drawn = [place for place in page if place.propensity is not None]
    by_item |= _drawn(pipeline, query, ranked, drawn)
    return tuple(by_item[place.item] for place in page)


def _drawn(
    pipeline: Pipeline, query: Query, ranked: Ranked, drawn: Sequence[Place]
) -> dict[int, Recommendation]:
    """What was drawn, with the score that the ranker gives it."""
    if not drawn:
        return {}
    items = np.array([place.item for place in drawn], np.int32)
    scores = pipeline.score(query, items, known=ranked.user).tolist()
    return {
        place.item: Recommendation(place.item, score, EXPLORATION, (_WHY,), propensity=place.propensity)
        for place, score in zip(drawn, scores, strict=True)
    }


def _selected(places: Sequence[Place], num_ranked: int) -> Selected:
    return Selected(
        np.array([place.item for place in places], np.int32),
        np.array([place.score for place in places], np.float32),
        num_ranked=num_ranked,
        num_allowed=0,
    )
