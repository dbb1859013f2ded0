"""The trace of a list, as callers see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from serving.recommend.trace import Trace


@dataclass(frozen=True, slots=True)
class TraceStage:
    """One step on the way to the list."""

    stage: Annotated[
        str,
        Field(
            description="`retriever`, `first_pass`, `ranker`, `filter`, `fallback`, `promotion`, "
            "`exploration` or `list`."
        ),
    ]
    name: Annotated[str | None, Field(description="Which retriever, filter, fallback or promotion.")]
    num_items: Annotated[
        int, Field(description="Items that it proposed, kept, scored, took away, added, or shows.")
    ]


@dataclass(frozen=True, slots=True)
class TracedItem:
    """What became of one of `explain_item_ids`."""

    item_id: str
    stage: Annotated[
        str,
        Field(description="Where it was lost; `list` where it is on the list, `catalogue` where unknown."),
    ]
    reason: str
    rank: Annotated[int | None, Field(description="Its rank on the list.")]


@dataclass(frozen=True, slots=True)
class ListTrace:
    """How the list came about."""

    stages: list[TraceStage]
    items: Annotated[list[TracedItem], Field(description="Of `explain_item_ids`, in their order.")]


def list_trace(
    trace: Trace | None, item_ids: Sequence[str], *, item_index: Mapping[str, int]
) -> ListTrace | None:
    """The trace with raw ids, where there is one; `item_ids` are those of the request, each named once."""
    if trace is None:
        return None
    return ListTrace(
        [TraceStage(one.stage, one.name, one.num_items) for one in trace.stages],
        [_traced(item_id, trace, item_index) for item_id in dict.fromkeys(item_ids)],
    )


def _traced(item_id: str, trace: Trace, item_index: Mapping[str, int]) -> TracedItem:
    item = item_index.get(item_id)
    if item is None:
        return TracedItem(item_id, "catalogue", "is not in the catalogue", None)
    found = trace.items[item]
    return TracedItem(item_id, found.stage, found.reason, found.rank)
