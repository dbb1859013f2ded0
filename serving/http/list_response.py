"""What the pipeline found, as the response that callers see."""

from __future__ import annotations

from collections.abc import Sequence

from serving.http.live_catalogue import LiveCatalogue
from serving.http.schemas import (
    BundleVersion,
    ItemReason,
    RecommendedItem,
    RecommendRequest,
    RecommendResponse,
)
from serving.http.trace_response import list_trace
from serving.recommend.request import Answer, Recommendation
from serving.state.event_log import Event


def list_response(
    answer: Answer,
    request: RecommendRequest,
    events: Sequence[Event],
    *,
    live: LiveCatalogue,
    recommendation_id: str,
    offset: int,
) -> RecommendResponse:
    """The list, whose places begin after `offset`. `events`: those of the request."""
    index = live.pipeline.bundle.item_index
    return RecommendResponse(
        recommendation_id=recommendation_id,
        bundle=bundle_version(live),
        items=[
            _item(recommendation, live, rank=rank, return_fields=request.return_fields)
            for rank, recommendation in enumerate(answer.recommendations, start=offset + 1)
        ],
        requested=answer.requested,
        returned=len(answer.recommendations),
        shortfall_reason=answer.shortfall_reason,
        fallback_used=answer.fallback_used,
        unknown_item_ids=_unknown_item_ids(request, events, live),
        trace=list_trace(answer.trace, request.explain_item_ids, item_index=index),
    )


def validated_response(
    request: RecommendRequest, events: Sequence[Event], *, live: LiveCatalogue, recommendation_id: str
) -> RecommendResponse:
    """The answer to a request that was checked only: no list."""
    return RecommendResponse(
        recommendation_id=recommendation_id,
        bundle=bundle_version(live),
        items=[],
        requested=request.num_results,
        returned=0,
        shortfall_reason=None,
        fallback_used=None,
        unknown_item_ids=_unknown_item_ids(request, events, live),
        validated=True,
    )


def bundle_version(live: LiveCatalogue) -> BundleVersion:
    """The bundle that answers."""
    bundle = live.pipeline.bundle
    return BundleVersion(name=bundle.name, version=bundle.version)


def _unknown_item_ids(request: RecommendRequest, events: Sequence[Event], live: LiveCatalogue) -> list[str]:
    """The item ids of a request that the catalogue lacks, each once."""
    named = [*request.item_ids, *request.exclude_item_ids, *request.explain_item_ids]
    named += [event.item_id for event in events if event.item_id]
    index = live.pipeline.bundle.item_index
    return list(dict.fromkeys(item for item in named if item not in index))


def _item(
    recommendation: Recommendation, live: LiveCatalogue, *, rank: int, return_fields: Sequence[str]
) -> RecommendedItem:
    item_ids = live.pipeline.bundle.item_ids
    fields = live.catalogue.fields(recommendation.item, return_fields) if return_fields else {}
    return RecommendedItem(
        item_id=item_ids[recommendation.item],
        rank=rank,
        score=recommendation.score,
        source=recommendation.source,
        reasons=[
            ItemReason(reason.code, reason.text, None if reason.item is None else item_ids[reason.item])
            for reason in recommendation.reasons
        ],
        fields=fields,
        promotion=recommendation.promotion,
        propensity=recommendation.propensity,
    )
