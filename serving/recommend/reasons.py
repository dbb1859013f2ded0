"""Why each item of a list is there, in the words of the retrievers that would show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from features.retriever import Reason, Retrieval, Retriever, Wording
from serving.recommend.request import Recommendation
from serving.recommend.selectors import Selected

MAX_REASONS = 2


def explain(
    selected: Selected,
    *,
    retrievers: Mapping[str, Retriever],
    retrievals: Mapping[str, Retrieval],
    fallback: Retriever | None,
    wording: Wording,
) -> tuple[Recommendation, ...]:
    """Every item with its reasons, the strongest first; `source` is the retriever of the first.

    `retrievers` are those of the surface: no other is named. What fills the list up stands there for the
    fallback's reason alone.
    """
    ranked, filling = selected.items[: selected.num_ranked], selected.items[selected.num_ranked :]
    reasons: dict[int, list[tuple[Reason, str]]] = {item: [] for item in selected.items.tolist()}
    for name, retriever in retrievers.items():
        for item, reason in retriever.reasons(ranked, retrievals[name], wording).items():
            reasons[item].append((reason, name))
    if fallback is not None:
        proposed = replace(retrievals[fallback.name], proposed=filling)
        for item, reason in fallback.reasons(filling, proposed, wording).items():
            reasons[item].append((reason, fallback.name))
    return tuple(
        _recommendation(item, score, reasons[item])
        for item, score in zip(selected.items.tolist(), selected.scores.tolist(), strict=True)
    )


def _recommendation(item: int, score: float, found: list[tuple[Reason, str]]) -> Recommendation:
    """The reasons by priority, one of each code."""
    found.sort(key=_priority)
    reasons = [found[0][0]]
    for reason, _ in found[1:]:
        if len(reasons) == MAX_REASONS:
            break
        if all(reason.code != earlier.code for earlier in reasons):
            reasons.append(reason)
    return Recommendation(item=item, score=score, source=found[0][1], reasons=tuple(reasons))


def _priority(pair: tuple[Reason, str]) -> int:
    return pair[0].priority
