"""What the caller should know about a list: why it is short, why it is not personal, what filled it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from serving.recommend.request import Query, Recommendation


def shortfall_reason(query: Query, *, found: int, allowed: int, fallback: str | None) -> str | None:
    """Why there are `found` items and not `query.num_results`; None where there are as many. `allowed` items
    pass the filters."""
    if found >= query.num_results:
        return None
    if found == allowed:
        return "the catalogue has no more items that may be shown"
    if fallback is not None:
        return f"the surface's retrievers and its fallback {fallback} have no more items"
    if query.is_stranger:
        return "nothing is known of this user yet"
    return "the surface's retrievers have no more items"


def fallback_used(
    query: Query,
    found: Sequence[Recommendation],
    *,
    num_ranked: int,
    fallback: str | None,
    impersonal: Collection[str],
    stranger_retriever: str | None = None,
) -> str | None:
    """The retriever behind a list that is not personal, or that filled it up; None where there is nothing to
    say.

    `impersonal` names the retrievers that give everybody the same, `stranger_retriever` the one that made the
    list of somebody of whom there are no events; the first `num_ranked` of `found` were
    ranked, the others are the fallback's.
    """
    sources = list(dict.fromkeys(one.source for one in found if one.propensity is None))
    if stranger_retriever in sources:
        return f"{', '.join(sources)}: no event of this user is known, only their attributes or the context"
    if sources and set(sources) <= set(impersonal):
        why = "nothing is known of this user yet"
        if not query.is_stranger:
            why = "nothing that is known of this user or page leads to an item"
        return f"{', '.join(sources)}: {why}"
    if num_ranked < len(found):
        return (
            f"{fallback}: the last {len(found) - num_ranked} of the list, since the retrievers gave too few"
        )
    return None
